//! Display names: personal, bounded, and safe to draw.

use incamera_types::Pii;

use crate::IdentityError;

/// Longest display name in UTF-8 bytes.
pub const MAX_NAME_BYTES: usize = 128;

/// What a participant calls itself: 1 to 128 bytes of UTF-8 without leading or trailing white space, control
/// characters, or invisible characters that change how neighbouring text is drawn (one name could pass for
/// another).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DisplayName(Pii<String>);

impl DisplayName {
    /// Checks a name that the user typed or a peer sent.
    ///
    /// # Errors
    /// [`IdentityError::Name`].
    pub fn new(name: &str) -> Result<Self, IdentityError> {
        let bounded = !name.is_empty() && name.len() <= MAX_NAME_BYTES && name.trim() == name;
        if bounded && !name.chars().any(is_unsafe_to_draw) {
            Ok(Self(Pii::new(name.to_owned())))
        } else {
            Err(IdentityError::Name)
        }
    }

    /// The name, for display or sealing.
    #[must_use]
    pub fn reveal(&self) -> &str {
        self.0.reveal()
    }
}

/// Control characters, line and paragraph separators, zero-width characters but the joiners that scripts
/// need, and bidirectional controls (Unicode TR 36 §3.6).
fn is_unsafe_to_draw(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{00ad}' | '\u{061c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_people_pass() {
        for name in ["Ada", "Łukasz Żółć", "नेहा", "李 小龍", "می\u{200c}خواهم", "O'Neil-Smith 2"]
        {
            assert_eq!(DisplayName::new(name).unwrap().reveal(), name);
        }
    }

    #[test]
    fn names_that_could_pass_for_others_are_refused() {
        for name in ["", " Ada", "Ada ", "A\nda", "A\u{202e}da", "Ada\u{200b}", "\u{feff}Ada", "\u{7}"] {
            assert_eq!(DisplayName::new(name), Err(IdentityError::Name), "{name:?}");
        }
        assert!(DisplayName::new(&"a".repeat(MAX_NAME_BYTES)).is_ok());
        assert!(DisplayName::new(&"a".repeat(MAX_NAME_BYTES + 1)).is_err());
    }

    #[test]
    fn debug_shows_no_name() {
        assert!(!format!("{:?}", DisplayName::new("Ada").unwrap()).contains("Ada"));
    }
}
