//! What may reach openmls, decided before anything is decrypted (wire.md §5).
//!
//! openmls' own ciphertext policy still lets external commits and external proposals through, so the wire
//! format is checked here.

use incamera_types::MAX_COMMIT_BYTES;
use openmls::prelude::{
    ContentType, MlsMessageBodyIn, MlsMessageIn, PrivateMessageIn, ProtocolMessage, Welcome,
};
use tls_codec::DeserializeBytes as _;

use crate::error::{GroupError, Refusal};
use crate::parameters::MAX_WELCOME_LEN;

/// A message that may be decrypted.
pub(crate) struct Admissible {
    pub(crate) message: ProtocolMessage,
    /// Of a commit or an application message?
    pub(crate) content: ContentType,
    /// The authenticated data, not verified.
    pub(crate) aad: Vec<u8>,
}

/// Parses one entry of the log strictly and lets only private messages pass.
pub(crate) fn admit_entry(blob: &[u8]) -> Result<Admissible, Refusal> {
    if blob.len() > MAX_COMMIT_BYTES {
        return Err(Refusal::Malformed);
    }
    let message = MlsMessageIn::tls_deserialize_exact_bytes(blob).map_err(|_| Refusal::Malformed)?;
    match message.extract() {
        MlsMessageBodyIn::PrivateMessage(message) => admit_private(message),
        _ => Err(Refusal::WireFormat),
    }
}

fn admit_private(message: PrivateMessageIn) -> Result<Admissible, Refusal> {
    let aad = message.aad().to_vec();
    let message = ProtocolMessage::PrivateMessage(message);
    match message.content_type() {
        ContentType::Proposal => Err(Refusal::StandaloneProposal),
        content => Ok(Admissible { message, content, aad }),
    }
}

/// Parses any protocol message, external ones included.
#[cfg(feature = "danger-sabotage")]
pub(crate) fn admit_anything(blob: &[u8]) -> Result<Admissible, Refusal> {
    let message = MlsMessageIn::tls_deserialize_exact_bytes(blob).map_err(|_| Refusal::Malformed)?;
    let message = message.try_into_protocol_message().map_err(|_| Refusal::WireFormat)?;
    let content = message.content_type();
    Ok(Admissible { message, content, aad: Vec::new() })
}

/// Parses a Welcome strictly.
pub(crate) fn admit_welcome(bytes: &[u8]) -> Result<Welcome, GroupError> {
    if bytes.len() > MAX_WELCOME_LEN {
        return Err(GroupError::Welcome);
    }
    let message = MlsMessageIn::tls_deserialize_exact_bytes(bytes).map_err(|_| GroupError::Welcome)?;
    match message.extract() {
        MlsMessageBodyIn::Welcome(welcome) => Ok(welcome),
        _ => Err(GroupError::Welcome),
    }
}
