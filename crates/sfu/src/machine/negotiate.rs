//! Opening sessions: from a checked offer to an answer and a connection.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use str0m::change::SdpOffer;
use str0m::format::Codec;
use str0m::media::{Mid, Pt, Rid};
use str0m::rtp::Extension;
use str0m::{Candidate, Rtc, RtcConfig};

use super::connection::{Connection, Player, PlayerTrack, Publisher, Role};
use super::{ConnectionId, SfuMachine};
use crate::command::{Caller, Opened, Purpose};
use crate::forward::{Layer, OutTrack, layers_of_rids};
use crate::grant::Rights;
use crate::offer::{Kind, OfferedMedia, PreparedOffer};
use crate::pseudonym::Pseudonym;
use crate::random;
use crate::rate::{self, Bucket};
use crate::refusal::Refusal;
use crate::stack::{Stack, guarded};

/// Packets kept for retransmission to each player and track: at least 3 s of 720p.
const RETRANSMIT_PACKETS: usize = 1_024;
/// How long they are kept; nothing older is played (SEC-18).
const RETRANSMIT_AGE: Duration = Duration::from_secs(3);
/// Share of retransmissions in what is sent beyond which they stop, so that a hopeless link is not
/// drowned: losses of a third still get repaired.
const RETRANSMIT_SHARE: f32 = 0.5;

/// What the stack made of an offer.
struct Answered {
    stack: Stack,
    role: Role,
    /// Of our side.
    ufrag: String,
    answer: String,
}

impl SfuMachine {
    /// Answers an offer.
    pub(super) fn open(
        &mut self,
        now: Instant,
        caller: Caller,
        purpose: &Purpose,
        offer: &str,
    ) -> Result<Opened, Refusal> {
        if !self.offers.allows(now, caller.address) {
            return Err(Refusal::TooManyRequests);
        }
        if let Purpose::Publish(stream) = purpose
            && (caller.rights != Rights::WatchAndPublish || !caller.identity.owns(stream))
        {
            return Err(Refusal::Forbidden);
        }
        let prepared = PreparedOffer::check(offer, purpose, &self.limits)?;
        self.check_stream(&caller, purpose)?;
        self.check_space(&caller, purpose)?;
        let Answered { stack, role, ufrag, answer } = self.answer(now, &prepared, purpose)?;
        let connection = Connection {
            session: random::hex_id::<16>().map_err(|_| Refusal::Unavailable)?,
            etag: random::hex_id::<8>().map_err(|_| Refusal::Unavailable)?,
            offer: prepared.text,
            stack,
            role,
            connected: false,
            opened: now,
            last_received: now,
            remote_candidates: prepared.candidates,
            bindings: Bucket::full(now, self.limits.binding_rate),
            published: Bucket::full(now, self.limits.publisher_bytes),
            deadline: None,
            stack_deadline: now,
            caller,
        };
        let opened = Opened {
            session: connection.session.clone(),
            etag: connection.etag.clone(),
            answer: self.with_all_candidates(&answer),
        };
        self.admit(now, connection, ufrag);
        Ok(opened)
    }

    fn admit(&mut self, now: Instant, connection: Connection, ufrag: String) {
        let id = self.next_id;
        self.next_id += 1;
        let room = connection.caller.room;
        let published = connection.publisher().map(|publisher| publisher.stream.clone());
        let replaced =
            published.as_ref().and_then(|stream| self.room(now, room).publishers.get(stream).copied());
        if let Some(old) = replaced {
            // A client that lost its connection publishes again before the old session is found idle.
            self.close(now, old);
        }
        let tracks = connection.player().map_or(0, |p| p.tracks.len());
        self.demux.add_ufrag(ufrag, id);
        self.sessions.insert(connection.session.clone(), id);
        self.connections.insert(id, connection);
        self.room(now, room).members.insert(id);
        if published.is_some() {
            self.attach_publisher(now, id);
        }
        for track in 0..tracks {
            self.subscribe(now, id, track);
        }
        self.mutate(now, id, |_| ());
    }

    /// An ICE restart: the offer again, under new credentials (RFC 9725 §4.3.2).
    pub(super) fn restart_ice(
        &mut self,
        now: Instant,
        id: ConnectionId,
        ufrag: &str,
        password: &str,
    ) -> Result<String, Refusal> {
        let connection = self.connections.get(&id).ok_or(Refusal::UnknownSession)?;
        // The same again restarts nothing: candidates of the present ICE session would go on adding up.
        if PreparedOffer::has_ufrag(&connection.offer, ufrag) {
            return Err(Refusal::MalformedFragment);
        }
        let text = PreparedOffer::restarted(&connection.offer, ufrag, password);
        let answer = self
            .mutate(now, id, |rtc| {
                let offer = SdpOffer::from_sdp_string(&text).ok()?;
                Some(rtc.sdp_api().accept_offer(offer).ok()?.to_sdp_string())
            })
            .flatten()
            .ok_or(Refusal::UnsupportedSdp)?;
        let connection = self.connections.get_mut(&id).ok_or(Refusal::UnknownSession)?;
        connection.offer = text;
        connection.remote_candidates = 0;
        let local = connection.guarded(local_ufrag).ok_or(Refusal::Unavailable)?;
        self.demux.add_ufrag(local, id);
        Ok(ice_fragment(&self.with_all_candidates(&answer)))
    }

    fn check_stream(&self, caller: &Caller, purpose: &Purpose) -> Result<(), Refusal> {
        let Purpose::WatchStream(stream) = purpose else {
            return Ok(());
        };
        let room = self.rooms.get(&caller.room);
        let known = room.is_some_and(|r| r.publishers.contains_key(stream));
        known.then_some(()).ok_or(Refusal::UnknownStream)
    }

    fn check_space(&self, caller: &Caller, purpose: &Purpose) -> Result<(), Refusal> {
        if let Some(room) = self.rooms.get(&caller.room) {
            let publishers = room.publishers.len();
            let adds = match purpose {
                Purpose::Publish(stream) => !room.publishers.contains_key(stream),
                Purpose::WatchStream(_) | Purpose::WatchSlots => false,
            };
            if room.members.len() >= self.limits.connections_per_room
                || (adds && publishers >= self.limits.publishers_per_room)
            {
                return Err(Refusal::RoomFull);
            }
            let own = room.members.iter().filter(|id| {
                let owner = self.connections.get(id).map(|c| &c.caller.identity);
                owner == Some(&caller.identity)
            });
            if own.count() >= self.limits.connections_per_identity {
                return Err(Refusal::TooManyRequests);
            }
        }
        let address = caller.address.map(rate::prefix);
        let from_there = |c: &&Connection| c.caller.address.map(rate::prefix) == address;
        let from_there = self.connections.values().filter(from_there).count();
        if address.is_some() && from_there >= self.limits.connections_per_address {
            return Err(Refusal::TooManyRequests);
        }
        Ok(())
    }

    fn answer(&self, now: Instant, prepared: &PreparedOffer, purpose: &Purpose) -> Result<Answered, Refusal> {
        let candidates = self.sockets.iter().filter_map(|a| a.first());
        let candidates: Vec<SocketAddr> = candidates.copied().collect();
        // The stack meets hostile text here: a panic of it is a refusal, no more.
        let outcome = guarded(|| {
            let offer = SdpOffer::from_sdp_string(&prepared.text).map_err(|_| Refusal::MalformedSdp)?;
            let mut rtc = stack_config(purpose).build(now);
            for address in candidates {
                let candidate = Candidate::host(address, "udp").map_err(|_| Refusal::Unavailable)?;
                rtc.add_local_candidate(candidate);
            }
            let answer = rtc.sdp_api().accept_offer(offer);
            let answer = answer.map_err(|_| Refusal::UnsupportedSdp)?.to_sdp_string();
            let role = match purpose {
                Purpose::Publish(stream) => publisher(stream, &prepared.media),
                Purpose::WatchStream(stream) => player(&mut rtc, &prepared.media, Some(stream))?,
                Purpose::WatchSlots => player(&mut rtc, &prepared.media, None)?,
            };
            let ufrag = local_ufrag(&mut rtc);
            Ok(Answered { stack: Stack::new(rtc), role, ufrag, answer })
        });
        outcome.unwrap_or(Err(Refusal::UnsupportedSdp))
    }

    /// `answer` with all advertised addresses: the stack knows one per socket.
    fn with_all_candidates(&self, answer: &str) -> String {
        let mut out = String::with_capacity(answer.len() + 128);
        let mut added = false;
        for line in answer.lines() {
            out.push_str(line);
            out.push_str("\r\n");
            if added || !line.starts_with("a=candidate:") {
                continue;
            }
            added = true;
            for address in self.sockets.iter().flat_map(|a| a.iter().skip(1)) {
                if let Ok(candidate) = Candidate::host(*address, "udp") {
                    out.push_str(&format!("a={}\r\n", candidate.to_sdp_string()));
                }
            }
        }
        out
    }
}

/// The first connectivity check reaches a client that has not read our answer yet; the default of 250 ms would be
/// most of the time until the first picture.
const FIRST_CHECK_REPEATED_AFTER: Duration = Duration::from_millis(50);

/// Opus and VP8 only; mid for players, for publishers also rids and transport-wide feedback. Bandwidth is
/// not estimated towards players (it costs half as much CPU again), they choose layers themselves.
fn stack_config(purpose: &Purpose) -> RtcConfig {
    let mut config = Rtc::builder()
        .set_rtp_mode(true)
        .clear_codecs()
        .enable_opus(true, false)
        .enable_vp8(true)
        .clear_extension_map()
        .set_extension(4, Extension::RtpMid);
    config.set_initial_stun_rto(FIRST_CHECK_REPEATED_AFTER);
    match purpose {
        Purpose::Publish(_) => config
            .set_extension(3, Extension::TransportSequenceNumber)
            .set_extension(10, Extension::RtpStreamId)
            .set_extension(11, Extension::RepairedRtpStreamId),
        _ => config,
    }
}

fn publisher(stream: &Pseudonym, media: &[OfferedMedia]) -> Role {
    let mid_of = |kind| media.iter().find(|m| m.kind == kind).map(|m| mid(&m.mid));
    let video = media.iter().find(|m| m.kind == Kind::Video);
    let rids = video.map_or(&[][..], |m| m.rids.as_slice());
    let names: Vec<&str> = rids.iter().map(String::as_str).collect();
    let layers = match layers_of_rids(&names) {
        Some(layers) if !layers.is_empty() => {
            let rids = names.iter().map(|rid| Some(Rid::from(*rid)));
            rids.zip(layers).collect()
        }
        _ => vec![(None, Layer::High)],
    };
    let layers = if video.is_some() { layers } else { Vec::new() };
    let publisher = Publisher::new(stream.clone(), mid_of(Kind::Audio), mid_of(Kind::Video), layers);
    Role::Publisher(Box::new(publisher))
}

fn player(rtc: &mut Rtc, media: &[OfferedMedia], stream: Option<&Pseudonym>) -> Result<Role, Refusal> {
    let mut tracks = Vec::with_capacity(media.len());
    for offered in media {
        let mid = mid(&offered.mid);
        let payload_type = payload_type(rtc, mid, offered.kind).ok_or(Refusal::UnsupportedSdp)?;
        if let Some(stream) = rtc.direct_api().stream_tx_by_mid(mid, None) {
            stream.set_rtx_cache(RETRANSMIT_PACKETS, RETRANSMIT_AGE, Some(RETRANSMIT_SHARE));
        }
        let start = random::sequence_start().map_err(|_| Refusal::Unavailable)?;
        tracks.push(PlayerTrack {
            mid,
            mid_text: offered.mid.clone(),
            kind: offered.kind,
            payload_type,
            stream: stream.cloned(),
            out: OutTrack::new(start),
        });
    }
    Ok(Role::Player(Player { has_slots: stream.is_none(), tracks }))
}

/// The payload type that this client gave the codec.
fn payload_type(rtc: &Rtc, mid: Mid, kind: Kind) -> Option<Pt> {
    let codec = match kind {
        Kind::Audio => Codec::Opus,
        Kind::Video => Codec::Vp8,
    };
    let negotiated = rtc.media(mid)?.remote_pts();
    let mut params = rtc.codec_config().params().iter();
    let found = params.find(|p| p.spec().codec == codec && negotiated.contains(&p.pt()));
    found.map(|p| p.pt())
}

fn mid(text: &str) -> Mid {
    Mid::from(text)
}

fn local_ufrag(rtc: &mut Rtc) -> String {
    rtc.direct_api().local_ice_credentials().ufrag
}

/// The ICE part of an answer, as the body of the response to a restart (RFC 9725 §4.3.2).
fn ice_fragment(answer: &str) -> String {
    let mut session = String::new();
    let mut media = String::new();
    for line in answer.lines() {
        let credential = line.starts_with("a=ice-ufrag:") || line.starts_with("a=ice-pwd:");
        let described = line.starts_with("m=") || line.starts_with("a=mid:");
        if line.starts_with("m=") && !media.is_empty() {
            break;
        }
        if credential {
            session.push_str(&format!("{line}\r\n"));
        } else if described || line.starts_with("a=candidate:") {
            media.push_str(&format!("{line}\r\n"));
        }
    }
    format!("{session}{media}a=end-of-candidates\r\n")
}
