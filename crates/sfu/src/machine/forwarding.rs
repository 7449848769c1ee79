//! The path of a packet from a publisher to its players, and of key-frame requests the other way.

use std::time::Instant;

use str0m::media::{KeyframeRequestKind, Mid};
use str0m::rtp::{RtpPacket, RtpWrite};

use super::{ConnectionId, SfuMachine, egress};
use crate::forward::{
    Layer, MediaPacket, Medium, Renumbered, Urgency, Verdict, VideoDescriptor, capture_time,
};
use crate::offer::Kind;

/// Longest RTP payload that is forwarded, in bytes: with header, extensions, RTX and SRTP it stays below
/// the 1,500 bytes of an Ethernet frame and the stack's packet buffer.
const MAX_PAYLOAD: usize = 1_400;

impl SfuMachine {
    /// A publisher sent an RTP packet that was not seen before.
    pub(super) fn receive_packet(&mut self, now: Instant, id: ConnectionId, packet: RtpPacket) {
        let Some(medium) = self.medium_of(now, id, &packet) else {
            return;
        };
        let descriptor = match medium {
            Medium::Audio => None,
            Medium::Video(_) => VideoDescriptor::parse(&packet.payload),
        };
        let well_formed = medium == Medium::Audio || descriptor.is_some();
        if packet.payload.is_empty() || packet.payload.len() > MAX_PAYLOAD || !well_formed {
            self.counters.packets_malformed += 1;
            return;
        }
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        #[cfg(feature = "danger-record")]
        if let (Some(recorder), Some(publisher)) = (&mut self.recorder, connection.publisher()) {
            recorder.record(&publisher.stream, medium, &packet.payload);
        }
        let cost = egress::cost(packet.payload.len());
        let is_within_rate = connection.published.take_many(now, self.limits.publisher_bytes, cost);
        let Some(publisher) = connection.publisher_mut() else {
            return;
        };
        let ssrc = *packet.header.ssrc;
        let reception = publisher.reception(medium);
        let is_newest = reception.note(ssrc, *packet.seq_no, packet.payload.len());
        if !is_within_rate {
            self.counters.packets_over_rate += 1;
            return;
        }
        if let Medium::Video(layer) = medium {
            let starts_key_frame = descriptor.is_some_and(|d| d.starts_key_frame());
            reception.key_frames += u64::from(starts_key_frame);
            publisher.activity.note(now, layer);
        }
        let captured = packet.last_sender_info.and_then(|report| {
            // Only the low 32 bits of a report's RTP time are on the wire.
            let report_rtp = (report.rtp_time.numer() & u64::from(u32::MAX)) as u32;
            let rate = medium.clock_rate();
            capture_time(packet.header.timestamp, rate, report_rtp, report.ntp_time)
        });
        let wallclock = captured.map_or(now, |c| publisher.clock.local_time(c, now));
        let packet = MediaPacket {
            medium,
            ssrc,
            sequence: *packet.seq_no,
            is_newest,
            timestamp: packet.header.timestamp,
            marker: packet.header.marker,
            wallclock,
            descriptor,
            payload: packet.payload,
        };
        #[cfg(feature = "danger-hostile-sfu")]
        self.forward_under_attack(now, id, packet);
        #[cfg(not(feature = "danger-hostile-sfu"))]
        self.forward_honestly(now, id, &packet);
    }

    #[cfg(feature = "danger-hostile-sfu")]
    fn forward_under_attack(&mut self, now: Instant, id: ConnectionId, packet: MediaPacket) {
        let Some(connection) = self.connections.get(&id) else {
            return;
        };
        let room_id = connection.caller.room;
        let Some((stage, publisher)) = self.hostility.get_mut(&room_id).zip(connection.publisher()) else {
            self.forward_honestly(now, id, &packet);
            return;
        };
        for (claimed, packet) in stage.attack(&publisher.stream, packet) {
            let room = self.rooms.get(&room_id);
            let source = room.and_then(|r| r.publishers.get(&claimed)).copied();
            // Key frames are asked of whoever really sends.
            if let Some((layer, urgency)) = self.forward(now, source.unwrap_or(id), &packet) {
                self.request_key_frame(now, id, layer, urgency);
            }
        }
    }

    fn forward_honestly(&mut self, now: Instant, id: ConnectionId, packet: &MediaPacket) {
        if let Some((layer, urgency)) = self.forward(now, id, packet) {
            self.request_key_frame(now, id, layer, urgency);
        }
    }

    /// Gives `packet` of publisher `id` to every track that shows it. Returns the layer of which some track
    /// awaits a key frame, and how urgently.
    fn forward(&mut self, now: Instant, id: ConnectionId, packet: &MediaPacket) -> Option<(Layer, Urgency)> {
        let kind = match packet.medium {
            Medium::Audio => Kind::Audio,
            Medium::Video(_) => Kind::Video,
        };
        let rooms = self.rooms.len();
        let connection = self.connections.get_mut(&id)?;
        let room = self.rooms.get(&connection.caller.room)?;
        if !self.egress.admits(now, &room.egress, rooms, packet.medium) {
            self.counters.packets_over_ceiling += 1;
            return None;
        }
        let publisher = connection.publisher_mut()?;
        let activity = publisher.activity.clone();
        // Taken out while players are borrowed; nothing below adds subscribers.
        let subscribers = core::mem::take(&mut publisher.subscribers);
        let mut awaited = None;
        for subscriber in subscribers.iter().filter(|s| s.kind == kind) {
            let Some(connection) = self.connections.get_mut(&subscriber.player) else {
                continue;
            };
            if !connection.connected {
                continue;
            }
            let Some(player) = connection.player_mut() else {
                continue;
            };
            let Some(track) = player.tracks.get_mut(subscriber.track) else {
                continue;
            };
            match track.out.consider(now, id, packet, &activity) {
                Verdict::Skip => {}
                Verdict::AwaitsKeyFrame(layer) => {
                    awaited = awaited.or(Some((layer, Urgency::StillWaiting)));
                }
                Verdict::MissedKeyFrame(layer) => awaited = Some((layer, Urgency::NewSubscriber)),
                Verdict::Forward(numbers) => {
                    let write = outgoing(track.payload_type, packet, numbers);
                    let mid = track.mid;
                    self.mutate(now, subscriber.player, |rtc| {
                        if let Some(stream) = rtc.direct_api().stream_tx_by_mid(mid, None) {
                            stream.write_rtp(write);
                        }
                    });
                }
            }
        }
        if let Some(publisher) = self.connections.get_mut(&id).and_then(|c| c.publisher_mut()) {
            publisher.subscribers = subscribers;
        }
        awaited
    }

    /// What an incoming packet carries; learned once per SSRC from its m-line and rid.
    fn medium_of(&mut self, now: Instant, id: ConnectionId, packet: &RtpPacket) -> Option<Medium> {
        let ssrc = *packet.header.ssrc;
        let connection = self.connections.get_mut(&id)?;
        if let Some(medium) = connection.publisher()?.known_source(ssrc) {
            return Some(medium);
        }
        let found = connection.guarded(|rtc| {
            let mut api = rtc.direct_api();
            let stream = api.stream_rx(&packet.header.ssrc)?;
            Some((stream.mid(), stream.rid()))
        });
        self.drain(now, id);
        let (mid, rid) = found.flatten()?;
        let publisher = self.connections.get_mut(&id)?.publisher_mut()?;
        let medium = publisher.medium(mid, rid)?;
        publisher.learn_source(ssrc, medium);
        Some(medium)
    }

    /// A player asks for a key frame of what it shows in `mid`.
    pub(super) fn handle_key_frame_request(&mut self, now: Instant, id: ConnectionId, mid: Mid) {
        let player = self.connections.get(&id).and_then(|c| c.player());
        let track = player.and_then(|p| p.tracks.iter().position(|t| t.mid == mid));
        if let Some(track) = track {
            self.request_of_track(now, id, track, Urgency::Feedback);
        }
    }

    /// Asks for a key frame of the layer that a track waits for, or, on a player's feedback, also of the
    /// one that it shows.
    pub(super) fn request_of_track(
        &mut self,
        now: Instant,
        player: ConnectionId,
        track: usize,
        urgency: Urgency,
    ) {
        let Some(connection) = self.connections.get(&player).filter(|c| c.connected) else {
            return;
        };
        let track = connection.player().and_then(|p| p.tracks.get(track));
        let Some(track) = track.filter(|t| t.kind == Kind::Video) else {
            return;
        };
        let room = self.rooms.get(&connection.caller.room);
        let source = room.and_then(|r| r.publishers.get(track.stream.as_ref()?)).copied();
        let Some((source, publisher)) = source.and_then(|id| {
            let publisher = self.connections.get(&id)?.publisher()?;
            Some((id, publisher))
        }) else {
            return;
        };
        let awaited = track.out.awaited(now, &publisher.activity);
        let shown = track.out.current_layer();
        let shown = shown.filter(|_| urgency == Urgency::Feedback);
        if let Some(layer) = awaited.or(shown) {
            self.request_key_frame(now, source, layer, urgency);
        }
    }

    /// Notes that a key frame of a publisher's layer is wanted, and asks if the throttle lets it.
    pub(super) fn request_key_frame(
        &mut self,
        now: Instant,
        id: ConnectionId,
        layer: Layer,
        urgency: Urgency,
    ) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        let stack_deadline = connection.stack_deadline;
        let Some(publisher) = connection.publisher_mut() else {
            return;
        };
        publisher.throttle(layer).request(now, urgency);
        self.serve_key_frames(now, id);
        self.schedule(now, id, stack_deadline.max(now));
    }

    /// Sends the key-frame requests of publisher `id` that are due.
    pub(super) fn serve_key_frames(&mut self, now: Instant, id: ConnectionId) {
        for layer in Layer::BEST_FIRST {
            let Some(connection) = self.connections.get_mut(&id).filter(|c| c.connected) else {
                return;
            };
            let Some(publisher) = connection.publisher_mut() else {
                return;
            };
            let (Some(mid), Some(rid)) = (publisher.video, publisher.rid(layer)) else {
                continue;
            };
            if !publisher.throttle(layer).take_due(now) {
                continue;
            }
            let asked = self.mutate(now, id, |rtc| {
                let mut api = rtc.direct_api();
                let stream = api.stream_rx_by_mid(mid, rid)?;
                stream.request_keyframe(KeyframeRequestKind::Pli);
                Some(())
            });
            let Some(publisher) = self.connections.get_mut(&id).and_then(|c| c.publisher_mut()) else {
                return;
            };
            if asked.flatten().is_some() {
                publisher.reception(Medium::Video(layer)).key_frame_requests += 1;
            } else {
                publisher.throttle(layer).put_back(now);
            }
        }
    }
}

fn outgoing(payload_type: str0m::media::Pt, packet: &MediaPacket, numbers: Renumbered) -> RtpWrite {
    let write = RtpWrite::new(
        payload_type,
        numbers.sequence.into(),
        numbers.timestamp,
        packet.wallclock,
        packet.payload.clone(),
    )
    .marker(packet.marker)
    .nackable(packet.medium != Medium::Audio);
    match numbers.patch {
        Some(patch) => write.vp8_patch(patch),
        None => write,
    }
}
