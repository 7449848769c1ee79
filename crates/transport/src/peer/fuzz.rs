//! Fuzzed parsers of session descriptions.

use super::description::{media_lines, with_candidate};

/// A description: its m-lines, which another candidate leaves as they are.
///
/// # Panics
/// When it does not.
pub fn description(text: &str) {
    let lines = media_lines(text);
    let replaced = with_candidate(text, ([127, 0, 0, 1], 9).into());
    assert_eq!(media_lines(&replaced), lines);
}
