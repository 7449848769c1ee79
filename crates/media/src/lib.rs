//! Encoded and raw media: codecs, RTP payloads, jitter buffer, mixing and rate decisions.
//!
//! **Core.** No IO, no clock, no OS randomness, no threads of its own; time comes in as [`incamera_types::Mono`].
//! The one core crate with `unsafe`: the libvpx calls behind [`vp8`].
//!
//! Read first: [`rtp`] (frames ↔ packets), [`vp8`] and [`opus`] (frames ↔ pictures and sound).
//!
//! What does not belong here: sealing and opening (`incamera-sframe`), who may send what (`incamera-meeting`),
//! RTP headers and connections (`incamera-transport`), devices and files (`incamera-devices`).
//!
//! Standards: RFC 7741 (VP8 in RTP), RFC 7587 (Opus in RTP), RFC 6386 (VP8), RFC 6716 (Opus), RFC 6464 (levels).

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]

pub mod audio;
pub mod jitter;
pub mod mix;
pub mod opus;
pub mod picture;
pub mod rate;
pub mod resample;
pub mod rtp;
pub mod sync;
pub mod vp8;
