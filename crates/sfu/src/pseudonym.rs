//! What the SFU knows of a person: a random word.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::error::SfuError;

/// Longest identity in characters.
const MAX_CHARS: usize = 64;

/// A random, per-room identity that the relay hands out with a ticket. It is also the id of the stream
/// that its holder publishes, and with `-screen` behind it that of the holder's screen. It says nothing about the
/// person (SEC-12).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pseudonym(String);

impl Pseudonym {
    /// Takes `text` of 1 to 64 characters out of `A-Z a-z 0-9 - _`.
    ///
    /// # Errors
    /// [`SfuError::BadPseudonym`] for anything else.
    pub fn parse(text: &str) -> Result<Self, SfuError> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if text.is_empty() || text.len() > MAX_CHARS || !text.bytes().all(allowed) {
            return Err(SfuError::BadPseudonym);
        }
        Ok(Self(text.to_owned()))
    }

    /// The stream of the screen that its holder may share; `None` for an identity too long to have one.
    pub(crate) fn screen(&self) -> Option<Self> {
        Self::parse(&format!("{}-screen", self.0)).ok()
    }

    /// Whether its holder may publish `stream`.
    pub(crate) fn owns(&self, stream: &Self) -> bool {
        self == stream || self.screen().as_ref() == Some(stream)
    }

    /// The characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Pseudonym {
    type Error = SfuError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<Pseudonym> for String {
    fn from(pseudonym: Pseudonym) -> Self {
        pseudonym.0
    }
}

impl fmt::Debug for Pseudonym {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: String = self.0.chars().take(4).collect();
        write!(f, "Pseudonym({shown}…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holder_owns_its_stream_and_its_screen_and_no_other() {
        let [ada, screen, other] = ["ada", "ada-screen", "adam"].map(|text| Pseudonym::parse(text).unwrap());
        assert!(ada.owns(&ada) && ada.owns(&screen));
        assert!(!ada.owns(&other) && !screen.owns(&ada) && !other.owns(&screen));
        assert_eq!(Pseudonym::parse(&"x".repeat(60)).unwrap().screen(), None);
    }

    #[test]
    fn only_short_url_safe_words_are_identities() {
        assert!(Pseudonym::parse("aZ09-_").is_ok());
        for bad in ["", "a/b", "ä", "a b", "..", &"x".repeat(65)] {
            assert!(Pseudonym::parse(bad).is_err(), "{bad:?}");
        }
    }
}
