//! Which certificates are accepted: public trust, or one pinned key (wire.md §10).

use std::sync::{Arc, OnceLock};

use ring::digest::{SHA256, digest};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, ConfigBuilder, DigitallySignedStruct, Error, SignatureScheme,
    WantsVerifier,
};
use rustls_platform_verifier::BuilderVerifierExt;

use crate::{TlsPin, TlsTrust};

/// A TLS client configuration for servers trusted by `trust`.
///
/// # Errors
/// When the system's trusted certificates cannot be loaded.
pub(crate) fn client_config(trust: TlsTrust) -> Result<ClientConfig, Error> {
    match trust {
        TlsTrust::Public => {
            if let Some(known) = PUBLIC.get() {
                return Ok(known.clone());
            }
            let config = builder(&provider())?.with_platform_verifier()?.with_no_client_auth();
            Ok(PUBLIC.get_or_init(|| config).clone())
        }
        TlsTrust::Pinned(pin) => {
            let provider = provider();
            let verifier = PinVerifier { pin, provider: Arc::clone(&provider) };
            Ok(builder(&provider)?
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(verifier))
                .with_no_client_auth())
        }
    }
}

/// Reading the system's certificates takes many milliseconds: done once.
static PUBLIC: OnceLock<ClientConfig> = OnceLock::new();

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn builder(provider: &Arc<CryptoProvider>) -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, Error> {
    ClientConfig::builder_with_provider(Arc::clone(provider)).with_safe_default_protocol_versions()
}

/// Whether a failed connection failed because the certificate was refused.
pub(crate) fn is_certificate_refusal(error: &(dyn core::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(Error::InvalidCertificate(_)) = error.downcast_ref::<Error>() {
            return true;
        }
        // An `io::Error` shows what it carries by `get_ref`, not by `source`.
        cause = match error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    false
}

/// Accepts exactly one key. Names and dates in the certificate do not count: the invite names the key itself.
#[derive(Debug)]
struct PinVerifier {
    pin: TlsPin,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for PinVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let certificate = ParsedCertificate::try_from(end_entity)?;
        let found = digest(&SHA256, &certificate.subject_public_key_info());
        if found.as_ref() == self.pin.0 {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
