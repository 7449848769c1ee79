//! Display names: personal, bounded, and safe to draw.

use icu_normalizer::ComposingNormalizerBorrowed;
use icu_properties::props::{
    CanonicalCombiningClass, DefaultIgnorableCodePoint, GeneralCategory, GeneralCategoryGroup, JoiningType,
};
use icu_properties::{CodePointMapData, CodePointSetData};
use incamera_types::Pii;

use crate::IdentityError;

/// Longest display name in UTF-8 bytes.
pub const MAX_NAME_BYTES: usize = 128;

/// Most combining marks on one letter: Tibetan and pointed Hebrew need no more.
const MAX_MARKS: usize = 4;

const JOINER: char = '\u{200d}';
const NON_JOINER: char = '\u{200c}';

/// What a participant calls itself: 1 to 128 bytes of UTF-8 in NFC, with nothing in it that cannot be seen, or
/// that changes how neighbouring text is drawn: one name could pass for another (Unicode TR 36 §3). Names that
/// only *look* alike, as Latin and Cyrillic letters do, are possible: who it is, the room code tells.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DisplayName(Pii<String>);

impl DisplayName {
    /// Checks a name and puts it into NFC.
    ///
    /// # Errors
    /// [`IdentityError::Name`].
    pub fn new(name: &str) -> Result<Self, IdentityError> {
        // NFC is at most three times as long: what is far too long is not even normalised.
        if name.len() > MAX_NAME_BYTES.saturating_mul(3) {
            return Err(IdentityError::Name);
        }
        let name = ComposingNormalizerBorrowed::new_nfc().normalize(name).into_owned();
        let is_bounded = !name.is_empty() && name.len() <= MAX_NAME_BYTES;
        if is_bounded && is_spaced(&name) && is_marked(&name) && is_visible(&name) {
            Ok(Self(Pii::new(name)))
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

/// Single spaces between words: other blanks, and more of them, pass for one.
fn is_spaced(name: &str) -> bool {
    let is_space = |c: char| matches!(c, ' ' | '\u{3000}');
    name.split(is_space).all(|word| !word.is_empty())
        && !name.chars().any(|c| !is_space(c) && (c.is_whitespace() || c == '\u{2800}'))
}

/// Marks stand on letters, and do not pile up over the lines around them.
fn is_marked(name: &str) -> bool {
    let category = CodePointMapData::<GeneralCategory>::new();
    let mut marks = MAX_MARKS;
    name.chars().all(|c| {
        let is_mark = GeneralCategoryGroup::Mark.contains(category.get(c));
        marks = if is_mark { marks.saturating_add(1) } else { 0 };
        marks <= MAX_MARKS
    })
}

/// No control, format, private or invisible characters but joiners where a script needs them.
fn is_visible(name: &str) -> bool {
    let category = CodePointMapData::<GeneralCategory>::new();
    let ignorable = CodePointSetData::new::<DefaultIgnorableCodePoint>();
    let is_drawn = |c: char| !ignorable.contains(c) && !GeneralCategoryGroup::Other.contains(category.get(c));
    name.char_indices().all(|(at, c)| match c {
        JOINER | NON_JOINER => {
            let (before, rest) = name.split_at(at);
            joins_rightly(c, before, rest.strip_prefix(c).unwrap_or_default())
        }
        c => is_drawn(c),
    })
}

/// The context in which internationalised domain names may have a joiner (RFC 5892 appendix A.1 and A.2): after
/// a virama, or a non-joiner between letters that would join.
fn joins_rightly(joiner: char, before: &str, after: &str) -> bool {
    let class = CodePointMapData::<CanonicalCombiningClass>::new();
    if before.chars().next_back().is_some_and(|c| class.get(c) == CanonicalCombiningClass::Virama) {
        return true;
    }
    let joining = CodePointMapData::<JoiningType>::new();
    let kind = |c: char| Some(joining.get(c)).filter(|kind| *kind != JoiningType::Transparent);
    let left = before.chars().rev().find_map(kind);
    let right = after.chars().find_map(kind);
    joiner == NON_JOINER
        && matches!(left, Some(JoiningType::LeftJoining | JoiningType::DualJoining))
        && matches!(right, Some(JoiningType::RightJoining | JoiningType::DualJoining))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_people_pass() {
        let names = [
            "Ada",
            "Łukasz Żółć",
            "नेहा",
            "李 小龍",
            "山田\u{3000}太郎",
            "می\u{200c}خواهم",
            "ක්\u{200d}රිස්ටි",
            "שָׁלוֹם",
            "སྐྱབས་རྗེ",
            "O'Neil-Smith 2",
        ];
        for name in names {
            assert!(DisplayName::new(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn one_name_has_one_spelling() {
        assert_eq!(DisplayName::new("Zoe\u{308}"), DisplayName::new("Zoë"));
        assert_eq!(DisplayName::new("Zoe\u{308}").unwrap().reveal(), "Zoë");
    }

    #[test]
    fn sec_11_names_that_could_pass_for_others_are_refused() {
        let names = [
            "",
            " Ada",
            "Ada ",
            "A\nda",
            "A\u{202e}da",
            "Ada\u{200b}",
            "\u{feff}Ada",
            "\u{7}",
            "Ada\u{200d}",
            "A\u{200c}da",
            "A\u{200d}da",
            "Ada\u{fe0f}",
            "Ada\u{e0101}",
            "Ada\u{115f}",
            "Ada\u{1160}",
            "Ada\u{3164}",
            "Ada\u{ffa0}",
            "Ada\u{2800}",
            "Ada  B",
            "Ada\u{a0}B",
            "\u{301}Ada",
            "Ada\u{e000}",
            "می\u{200d}خواهم",
            "A\u{34f}da",
        ];
        for name in names {
            assert_eq!(DisplayName::new(name), Err(IdentityError::Name), "{name:?}");
        }
        let towering = ["A", &"\u{32d}".repeat(MAX_MARKS + 1)].concat();
        assert!(DisplayName::new(&towering).is_err());
        assert!(DisplayName::new(&"a".repeat(MAX_NAME_BYTES)).is_ok());
        assert!(DisplayName::new(&"a".repeat(MAX_NAME_BYTES + 1)).is_err());
    }

    #[test]
    fn debug_shows_no_name() {
        assert!(!format!("{:?}", DisplayName::new("Ada").unwrap()).contains("Ada"));
    }
}
