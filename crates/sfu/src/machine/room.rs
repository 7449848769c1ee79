//! Rooms: who publishes, who is connected, and the list of streams that clients watch.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use incamera_types::RoomId;
use tokio::sync::watch;

use super::connection::Subscriber;
use super::{ConnectionId, SfuMachine};
use crate::command::{StreamEntry, StreamList};
use crate::forward::{Layer, Urgency};
use crate::offer::Kind;
use crate::pseudonym::Pseudonym;
use crate::rate::Bucket;

/// A room with at least one connection or one client that watches its list.
pub(super) struct Room {
    pub(super) publishers: BTreeMap<Pseudonym, ConnectionId>,
    pub(super) members: BTreeSet<ConnectionId>,
    pub(super) list: watch::Sender<StreamList>,
    /// What is left of its share of what the SFU sends.
    pub(super) egress: Bucket,
}

impl Room {
    fn new(egress: Bucket) -> Self {
        Self {
            publishers: BTreeMap::new(),
            members: BTreeSet::new(),
            list: watch::Sender::new(StreamList::default()),
            egress,
        }
    }

    fn is_idle(&self) -> bool {
        self.members.is_empty() && self.list.receiver_count() == 0
    }
}

impl SfuMachine {
    pub(super) fn room(&mut self, now: Instant, room: RoomId) -> &mut Room {
        let egress = &self.egress;
        self.rooms.entry(room).or_insert_with(|| Room::new(egress.share_of_room(now)))
    }

    pub(super) fn forget_idle_rooms(&mut self) {
        self.rooms.retain(|_, room| !room.is_idle());
    }

    /// Recomputes the list of `room` and wakes whoever watches it, if it changed.
    pub(super) fn publish_list(&mut self, room: RoomId) {
        let Some(state) = self.rooms.get(&room) else {
            return;
        };
        let entry = |(stream, id): (&Pseudonym, &ConnectionId)| {
            let connection = self.connections.get(id).filter(|c| c.connected)?;
            let publisher = connection.publisher()?;
            let offers = |l: &Layer| publisher.rid(*l).is_some();
            Some(StreamEntry {
                stream: stream.clone(),
                audio: publisher.audio.is_some(),
                video: publisher.video.is_some(),
                layers: Layer::BEST_FIRST.into_iter().filter(offers).collect(),
            })
        };
        let streams: Vec<_> = state.publishers.iter().filter_map(entry).collect();
        state.list.send_if_modified(|list| {
            let changed = list.streams != streams;
            if changed {
                list.version += 1;
                list.streams = streams;
            }
            changed
        });
    }

    /// A publisher is there: every track in its room that is bound to its stream gets it.
    pub(super) fn attach_publisher(&mut self, now: Instant, id: ConnectionId) {
        let published = self.connections.get(&id).and_then(|c| Some((c.caller.room, c.publisher()?)));
        let Some((room, stream)) = published.map(|(room, publisher)| (room, publisher.stream.clone())) else {
            return;
        };
        let state = self.room(now, room);
        state.publishers.insert(stream.clone(), id);
        for player in state.members.clone() {
            let tracks = self.connections.get(&player).and_then(|c| c.player());
            let bound = tracks.map(|p| {
                let tracks = p.tracks.iter().enumerate();
                let bound = tracks.filter(|(_, t)| t.stream.as_ref() == Some(&stream));
                bound.map(|(index, _)| index).collect::<Vec<_>>()
            });
            for track in bound.unwrap_or_default() {
                self.subscribe(now, player, track);
            }
        }
    }

    /// Joins a track to the publisher of the stream it is bound to, if that is there.
    pub(super) fn subscribe(&mut self, now: Instant, player: ConnectionId, track: usize) {
        let Some(connection) = self.connections.get(&player) else {
            return;
        };
        let Some(bound) = connection.player().and_then(|p| p.tracks.get(track)) else {
            return;
        };
        let kind = bound.kind;
        // The room is the caller's: a track never reaches a publisher of another room.
        let room = self.rooms.get(&connection.caller.room);
        let publisher = room.and_then(|r| r.publishers.get(bound.stream.as_ref()?)).copied();
        let Some(publisher) = publisher else {
            return;
        };
        let subscriber = Subscriber { player, track, kind };
        if let Some(publisher) = self.connections.get_mut(&publisher).and_then(|c| c.publisher_mut())
            && !publisher.subscribers.contains(&subscriber)
        {
            publisher.subscribers.push(subscriber);
        }
        if kind == Kind::Video {
            self.request_of_track(now, player, track, Urgency::NewSubscriber);
        }
    }

    /// Parts a track from the publisher it gets, and stops it until it is joined to one again.
    pub(super) fn unsubscribe(&mut self, player: ConnectionId, track: usize) {
        let Some(connection) = self.connections.get_mut(&player) else {
            return;
        };
        let room = connection.caller.room;
        let Some(bound) = connection.player_mut().and_then(|p| p.tracks.get_mut(track)) else {
            return;
        };
        bound.out.detach();
        let stream = bound.stream.clone();
        let publishers = self.rooms.get(&room).map(|r| &r.publishers);
        let publisher = publishers.and_then(|p| p.get(stream.as_ref()?)).copied();
        if let Some(publisher) =
            publisher.and_then(|id| self.connections.get_mut(&id)).and_then(|c| c.publisher_mut())
        {
            publisher.subscribers.retain(|s| s.player != player || s.track != track);
        }
    }
}
