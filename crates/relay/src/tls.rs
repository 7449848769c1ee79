//! Certificates, and the pin by which clients know a self-signed one.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring as provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};

use crate::{RelayError, TlsChoice};

/// Said of a key with a password.
const ENCRYPTED: &str = "is encrypted, and nobody is there to type its password when the relay starts: \
    `openssl pkey -in KEY -out NEW_KEY` writes it without one";

/// What a TLS server needs, and the SHA-256 of its public key (SubjectPublicKeyInfo).
pub(crate) struct TlsIdentity {
    pub(crate) config: Arc<ServerConfig>,
    pub(crate) pin: [u8; 32],
}

impl TlsIdentity {
    pub(crate) fn load(choice: &TlsChoice, listen: &[SocketAddr]) -> Result<Self, RelayError> {
        let (chain, key) = match choice {
            TlsChoice::SelfSigned => self_signed(listen)?,
            TlsChoice::Files { certificate, key } => from_files(certificate, key)?,
        };
        Self::new(chain, key)
    }

    fn new(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<Self, RelayError> {
        let refused = |error: rustls::Error| RelayError::Certificate { reason: error.to_string() };
        let provider = Arc::new(provider::default_provider());
        let certified = CertifiedKey::from_der(chain, key, &provider).map_err(refused)?;
        let spki = certified.key.public_key();
        let spki = spki.ok_or_else(|| RelayError::Certificate { reason: "no public key".into() })?;
        let pin = crate::digest::sha256(spki.as_ref());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(refused)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { config: Arc::new(config), pin })
    }
}

/// A certificate for the listening addresses and `localhost`. Clients trust its key by the pin in the link, not
/// its names.
fn self_signed(
    listen: &[SocketAddr],
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), RelayError> {
    let mut names = vec!["localhost".to_owned()];
    names.extend(listen.iter().map(|address| address.ip().to_string()));
    let made = rcgen::generate_simple_self_signed(names)
        .map_err(|error| RelayError::Certificate { reason: error.to_string() })?;
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    Ok((vec![made.cert.der().clone()], key.into()))
}

fn from_files(
    certificate: &Path,
    key: &Path,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), RelayError> {
    let read = |path: &Path| {
        std::fs::read(path).map_err(|source| RelayError::Unreadable { path: path.to_owned(), source })
    };
    let refused = |reason: String| RelayError::Certificate { reason };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(certificate)?).collect();
    let chain = chain.map_err(|error| refused(format!("{}: {error}", certificate.display())))?;
    if chain.is_empty() {
        return Err(refused(format!("{} holds no certificate", certificate.display())));
    }
    let pem = read(key)?;
    if is_encrypted(&pem) {
        return Err(refused(format!("{} {ENCRYPTED}", key.display())));
    }
    let key_der = PrivateKeyDer::from_pem_slice(&pem)
        .map_err(|error| refused(format!("{}: {error}", key.display())))?;
    Ok((chain, key_der))
}

/// Whether a PEM file has a key with a password: PKCS #8 says so in its label, older forms in a header.
fn is_encrypted(pem: &[u8]) -> bool {
    let text = String::from_utf8_lossy(pem);
    text.contains("BEGIN ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED")
}
