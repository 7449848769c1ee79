//! The parsers of what HTTP clients send, for the fuzz targets in `tests`: text in, and nothing out but a panic.

use crate::command::{LayerSelection, Purpose, SlotBindings};
use crate::config::Limits;
use crate::offer::PreparedOffer;
use crate::pseudonym::Pseudonym;
use crate::trickle::IceFragment;

/// An offer for each purpose, and the ICE restart of what was accepted.
///
/// # Panics
/// When a restart is no offer.
pub fn offer(text: &str) {
    let limits = Limits::default();
    let publish = Pseudonym::parse("ada").ok().map(Purpose::Publish);
    for purpose in publish.into_iter().chain([Purpose::WatchSlots]) {
        if let Ok(offer) = PreparedOffer::check(text, &purpose, &limits) {
            let restarted = PreparedOffer::restarted(&offer.text, "ufrag", "passwordpasswordpassword");
            let media = PreparedOffer::check(&restarted, &purpose, &limits).map(|again| again.media);
            assert_eq!(media.as_ref(), Ok(&offer.media));
        }
    }
}

/// A trickle ICE fragment.
pub fn ice_fragment(text: &str) {
    drop(IceFragment::parse(text));
}

/// Bindings of slots.
pub fn slot_bindings(text: &str) {
    drop(serde_json::from_str::<SlotBindings>(text));
}

/// A choice of layers.
pub fn layer_selection(text: &str) {
    drop(serde_json::from_str::<LayerSelection>(text));
}
