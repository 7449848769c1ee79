//! The SFU over real UDP on loopback and real HTTP, with the WebRTC stack itself as publisher and player.

mod forwarding;
mod harness;
mod hostile_clients;
#[cfg(feature = "danger-hostile-sfu")]
mod hostility;
mod limits;
mod media;
mod peer;
#[cfg(feature = "danger-record")]
mod recording;
mod revocation;
mod slots;
mod whip_whep;
