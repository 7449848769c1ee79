//! The life of connections: connected, idle, closed; and the statistics.

use std::time::{Duration, Instant};

use incamera_types::RoomId;
use str0m::bwe::Bitrate;

use super::connection::{Connection, Publisher};
use super::{ConnectionId, SfuMachine};
use crate::forward::{Layer, Reception, Urgency};
use crate::pseudonym::Pseudonym;
use crate::stats::{SfuStats, StreamStats};

/// How often idle connections are looked for and bitrate limits repeated.
const INTERVAL: Duration = Duration::from_secs(1);

impl SfuMachine {
    /// ICE and DTLS are through.
    pub(super) fn handle_connected(&mut self, now: Instant, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        connection.connected = true;
        let room = connection.caller.room;
        let tracks = connection.player().map_or(0, |p| p.tracks.len());
        for track in 0..tracks {
            self.request_of_track(now, id, track, Urgency::NewSubscriber);
        }
        self.publish_list(room);
    }

    /// Ends connections that never connected or went silent, and repeats bitrate limits.
    pub(super) fn housekeep(&mut self, now: Instant) {
        self.next_housekeeping = now + INTERVAL;
        let expired = |c: &Connection| {
            if c.connected {
                now.saturating_duration_since(c.last_received) > self.limits.idle_timeout
            } else {
                now.saturating_duration_since(c.opened) > self.limits.connect_timeout
            }
        };
        let idle = self.connections.iter().filter(|(_, c)| expired(c));
        let idle: Vec<_> = idle.map(|(id, _)| *id).collect();
        for id in idle {
            tracing::debug!(id, "session is idle");
            self.close(now, id);
        }
        self.limit_publishers(now);
        self.forget_idle_rooms();
        #[cfg(feature = "danger-record")]
        if let Some(recorder) = &mut self.recorder {
            recorder.flush();
        }
    }

    fn limit_publishers(&mut self, now: Instant) {
        let bitrate = u64::from(self.limits.publisher_bytes.per_second) * 8;
        let publishers = self.connections.iter().filter(|(_, c)| c.connected);
        let publishers: Vec<_> = publishers
            .filter_map(|(id, c)| Some((*id, c.publisher()?)))
            .filter_map(|(id, p)| Some((id, p.video?, p.layers.clone())))
            .collect();
        for (id, mid, layers) in publishers {
            self.mutate(now, id, |rtc| {
                for (rid, _) in layers {
                    if let Some(stream) = rtc.direct_api().stream_rx_by_mid(mid, rid) {
                        stream.request_remb(Bitrate::bps(bitrate));
                    }
                }
            });
        }
    }

    /// Ends connection `id` and tells the client (RTCP BYE, DTLS close).
    pub(super) fn close(&mut self, now: Instant, id: ConnectionId) {
        self.mutate(now, id, |rtc| rtc.close().is_ok());
        self.remove(now, id);
    }

    /// Ends all connections of `room`, or those of one identity in it.
    pub(super) fn close_where(&mut self, now: Instant, room: RoomId, identity: Option<&Pseudonym>) {
        let members = self.rooms.get(&room).map(|r| r.members.clone());
        for id in members.unwrap_or_default() {
            let owner = self.connections.get(&id).map(|c| &c.caller.identity);
            if identity.is_none() || owner == identity {
                self.close(now, id);
            }
        }
    }

    /// Ends everything.
    pub(crate) fn close_all(&mut self, now: Instant) {
        let all: Vec<_> = self.connections.keys().copied().collect();
        for id in all {
            self.close(now, id);
        }
        self.rooms.clear();
        #[cfg(feature = "danger-record")]
        if let Some(recorder) = &mut self.recorder {
            recorder.flush();
        }
    }

    /// Forgets connection `id`; whoever showed its stream waits for its return.
    pub(super) fn remove(&mut self, now: Instant, id: ConnectionId) {
        let tracks = self.connections.get(&id).and_then(|c| c.player());
        for track in 0..tracks.map_or(0, |p| p.tracks.len()) {
            self.unsubscribe(id, track);
        }
        let Some(connection) = self.connections.remove(&id) else {
            return;
        };
        self.sessions.remove(&connection.session);
        self.demux.remove(id);
        if let Some(deadline) = connection.deadline {
            self.deadlines.remove(&(deadline, id));
        }
        let room = connection.caller.room;
        if let Some(state) = self.rooms.get_mut(&room) {
            state.members.remove(&id);
            state.publishers.retain(|_, publisher| *publisher != id);
        }
        for subscriber in connection.publisher().map_or(&[][..], |p| &p.subscribers) {
            let player = self.connections.get_mut(&subscriber.player);
            let tracks = player.and_then(|c| c.player_mut()).map(|p| &mut p.tracks);
            if let Some(track) = tracks.and_then(|t| t.get_mut(subscriber.track)) {
                track.out.detach();
            }
        }
        tracing::debug!(id, lived = ?now.saturating_duration_since(connection.opened), "session ended");
        self.publish_list(room);
    }

    /// Figures of this machine; sent datagrams and grants are counted elsewhere.
    pub(crate) fn stats(&self) -> SfuStats {
        let publishers = self.connections.values().filter_map(|c| Some((c, c.publisher()?)));
        let streams = publishers.flat_map(|(connection, publisher)| {
            let audio = publisher.audio.map(|_| (None, &publisher.audio_reception));
            let video = publisher.layers.iter();
            let video = video.map(|(_, layer)| (Some(*layer), publisher.video_reception(*layer)));
            let all = audio.into_iter().chain(video);
            all.map(|(layer, reception)| stream_stats(connection, publisher, layer, reception))
        });
        let streams: Vec<_> = streams.collect();
        let publishers = self.connections.values().filter(|c| c.publisher().is_some());
        let publishers = publishers.count();
        SfuStats {
            rooms: self.rooms.len(),
            publishers,
            players: self.connections.len() - publishers,
            datagrams_received: self.counters.datagrams_received,
            datagrams_unknown: self.counters.datagrams_unknown,
            packets_malformed: self.counters.packets_malformed,
            packets_over_rate: self.counters.packets_over_rate,
            packets_over_ceiling: self.counters.packets_over_ceiling,
            connections_failed: self.counters.connections_failed,
            streams,
            ..SfuStats::default()
        }
    }
}

fn stream_stats(
    connection: &Connection,
    publisher: &Publisher,
    layer: Option<Layer>,
    reception: &Reception,
) -> StreamStats {
    StreamStats {
        room: connection.caller.room,
        stream: publisher.stream.clone(),
        layer,
        packets: reception.packets,
        bytes: reception.bytes,
        lost: reception.lost(),
        key_frames: reception.key_frames,
        key_frame_requests: reception.key_frame_requests,
    }
}
