//! Fuzzed parsers of WHIP and WHEP.

use super::{link, streams};

/// `Link` headers, a value a line.
pub fn links(text: &str) {
    for link in link::parse(text.lines()) {
        drop(link.ice_server());
    }
}

/// The list of a room's streams.
pub fn stream_list(text: &str) {
    drop(streams::parse(text));
}
