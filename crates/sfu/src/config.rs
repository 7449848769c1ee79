//! What the embedding program decides: addresses, limits and ICE servers.

use core::time::Duration;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::rate::Rate;

/// Configuration of one SFU.
#[derive(Clone, Debug)]
pub struct SfuConfig {
    /// Local UDP addresses to bind, one socket each; port 0 takes a free port. At least one.
    pub udp: Vec<SocketAddr>,
    /// Addresses written into answers as ICE host candidates, for machines behind a 1:1 NAT or with a
    /// wildcard bind. Port 0 stands for the bound port. When empty, the bound address is advertised; for
    /// a wildcard bind that is loopback and the address of the default route.
    pub public_addresses: Vec<SocketAddr>,
    /// STUN and TURN servers announced to clients as `Link` headers (RFC 9725 §4.6).
    pub ice_servers: Vec<IceServer>,
    /// Bounds on everything a client can make this SFU hold (SEC-15).
    pub limits: Limits,
    /// File that receives every RTP payload that publishers send, for canary searches and key tests.
    #[cfg(feature = "danger-record")]
    pub recording: Option<std::path::PathBuf>,
}

impl Default for SfuConfig {
    fn default() -> Self {
        Self {
            udp: vec![SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0)],
            public_addresses: Vec::new(),
            ice_servers: Vec::new(),
            limits: Limits::default(),
            #[cfg(feature = "danger-record")]
            recording: None,
        }
    }
}

/// A STUN or TURN server for clients.
#[derive(Clone)]
pub struct IceServer {
    /// `stun:`, `turn:` or `turns:` URL (RFC 7064, RFC 7065).
    pub url: String,
    /// User name and credential; `None` for STUN.
    pub login: Option<IceLogin>,
}

/// Credentials of a TURN server, handed to every holder of a grant.
#[derive(Clone)]
pub struct IceLogin {
    /// TURN user name.
    pub username: String,
    /// TURN password.
    pub credential: String,
}

impl core::fmt::Debug for IceServer {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("IceServer").field("url", &self.url).finish_non_exhaustive()
    }
}

/// Upper bounds on what clients can make the SFU hold or do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Rooms with at least one grant.
    pub rooms: usize,
    /// Unexpired grants in one room.
    pub grants_per_room: usize,
    /// Publishers in one room.
    pub publishers_per_room: usize,
    /// Connections (publishing and watching) in one room.
    pub connections_per_room: usize,
    /// Connections of one identity in one room.
    pub connections_per_identity: usize,
    /// Connections opened from one client address.
    pub connections_per_address: usize,
    /// Offers and ICE restarts accepted from one client address.
    pub offer_rate: Rate,
    /// Bindings of slots and choices of layers accepted in one session.
    pub binding_rate: Rate,
    /// Audio slots of one connection.
    pub audio_slots: usize,
    /// Video slots of one connection.
    pub video_slots: usize,
    /// Remote ICE candidates of one connection.
    pub remote_candidates: usize,
    /// Time from the headers of an HTTP request to the end of its body.
    pub body_timeout: Duration,
    /// Time from the answer to a connected DTLS session.
    pub connect_timeout: Duration,
    /// Time without any packet from a connected client after which its session ends.
    pub idle_timeout: Duration,
    /// RTP payload bytes that one publisher may send, a packet counting for at least 500; more is dropped. WHIP
    /// clients are told (REMB).
    pub publisher_bytes: Rate,
    /// Bytes of all datagrams sent, each counting for at least 500. Every room has its even share of it.
    pub egress_bytes: Rate,
}

impl Limits {
    /// These limits for a line that carries `megabits` a second outwards.
    #[must_use]
    pub fn with_egress_mbit(self, megabits: u32) -> Self {
        Self { egress_bytes: Rate { per_second: bytes_per_second(megabits), ..self.egress_bytes }, ..self }
    }

    /// These limits with `megabits` a second for each publisher.
    #[must_use]
    pub fn with_publisher_mbit(self, megabits: u32) -> Self {
        let rate = bytes_per_second(megabits);
        Self { publisher_bytes: Rate { burst: rate, per_second: rate }, ..self }
    }
}

const fn bytes_per_second(megabits: u32) -> u32 {
    megabits.saturating_mul(125_000)
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rooms: 1_000,
            grants_per_room: 2_048,
            publishers_per_room: 100,
            connections_per_room: 1_024,
            // A client has one connection to publish, one with slots and, while it
            // reconnects, the old ones; a plain WHEP player has one for each of 16 people.
            connections_per_identity: 20,
            connections_per_address: 256,
            offer_rate: Rate { burst: 40, per_second: 8 },
            // In the long run no more key frames than a player's loss reports may ask for: one in 300 ms.
            binding_rate: Rate { burst: 40, per_second: 3 },
            // Everybody else in a room of 100 with media is heard.
            audio_slots: 100,
            video_slots: 32,
            remote_candidates: 32,
            body_timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(15),
            idle_timeout: Duration::from_secs(20),
            // 16 Mbit/s: three layers and a screen are 12 at the most.
            publisher_bytes: Rate { burst: 2_000_000, per_second: 2_000_000 },
            // 500 Mbit/s: what one core forwards. The burst is a key frame towards a hundred players, twice.
            egress_bytes: Rate { burst: 8_000_000, per_second: 62_500_000 },
        }
    }
}
