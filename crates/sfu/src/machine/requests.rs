//! What clients and the embedding program ask for, apart from opening sessions.

use std::collections::HashSet;
use std::time::Instant;

use incamera_types::RoomId;
use tokio::sync::watch;

use super::connection::Player;
use super::{ConnectionId, SfuMachine};
use crate::command::{
    Action, Caller, Condition, LayerSelection, Reply, Request, Requester, RoomControl, SlotBinding,
    SlotState, StreamList, Trickled,
};
use crate::forward::{Layer, Urgency};
use crate::grant::Holder;
use crate::offer::Kind;
use crate::pseudonym::Pseudonym;
use crate::random;
use crate::refusal::Refusal;
use crate::trickle::IceFragment;

impl SfuMachine {
    /// Serves a client's request.
    pub(crate) fn handle_request(&mut self, now: Instant, Request { from, action }: Request) {
        let caller = self.caller(now, from);
        match action {
            Action::Open { purpose, offer, reply } => {
                respond(reply, caller.and_then(|caller| self.open(now, caller, &purpose, &offer)));
            }
            Action::Trickle { session, condition, fragment, reply } => {
                let trickled =
                    caller.and_then(|caller| self.trickle(now, &caller, &session, &condition, fragment));
                respond(reply, trickled);
            }
            Action::Close { session, reply } => {
                let found = caller.and_then(|caller| self.session(&caller, &session));
                respond(reply, found.map(|id| self.close(now, id)));
            }
            Action::Bind { session, slots, reply } => {
                respond(reply, caller.and_then(|caller| self.bind(now, &caller, &session, &slots)));
            }
            Action::Slots { session, reply } => {
                respond(reply, caller.and_then(|caller| self.slots(&caller, &session)));
            }
            Action::SelectLayer { session, selection, reply } => {
                let selected =
                    caller.and_then(|caller| self.select_layer(now, &caller, &session, &selection));
                respond(reply, selected);
            }
            Action::Streams { reply } => {
                respond(reply, caller.map(|caller| self.watch_streams(now, caller.room)));
            }
        }
        self.settle(now);
    }

    /// Who asks, if the grant still holds. A revocation first ends the grants and then asks this task to end the
    /// connections: whoever passes here before the first is found by the second (SEC-05).
    fn caller(&self, now: Instant, from: Requester) -> Result<Caller, Refusal> {
        let holder = self.grants.lock().holder(now, from.grant).ok_or(Refusal::Unauthorized)?;
        let Holder { room, identity, rights } = holder;
        Ok(Caller { room, identity, rights, address: from.address })
    }

    /// Does what the embedding program decides about a room.
    pub(crate) fn handle_control(&mut self, now: Instant, control: RoomControl) {
        match control {
            RoomControl::Revoke { room, identity } => self.close_where(now, room, Some(&identity)),
            RoomControl::End { room } => {
                self.close_where(now, room, None);
                // Dropping the list ends every long poll on it.
                self.rooms.remove(&room);
            }
            #[cfg(feature = "danger-hostile-sfu")]
            RoomControl::Hostility { room, hostility } => {
                self.hostility.remove(&room);
                if let Some(hostility) = hostility {
                    let stage = crate::hostility::HostilityStage::new(hostility);
                    self.hostility.insert(room, stage);
                }
            }
        }
        self.settle(now);
    }

    /// The session, if it is the caller's. Another one's is not told apart from none.
    fn session(&self, caller: &Caller, session: &str) -> Result<ConnectionId, Refusal> {
        let id = self.sessions.get(session).copied();
        let id = id.ok_or(Refusal::UnknownSession)?;
        let owner = self.connections.get(&id).map(|c| &c.caller);
        let owned = owner.is_some_and(|o| o.room == caller.room && o.identity == caller.identity);
        owned.then_some(id).ok_or(Refusal::UnknownSession)
    }

    fn trickle(
        &mut self,
        now: Instant,
        caller: &Caller,
        session: &str,
        condition: &Condition,
        fragment: IceFragment,
    ) -> Result<Trickled, Refusal> {
        let id = self.session(caller, session)?;
        let connection = self.connections.get(&id).ok_or(Refusal::UnknownSession)?;
        match condition {
            Condition::Tag(tag) if *tag != connection.etag => Err(Refusal::PreconditionFailed),
            Condition::Tag(_) => {
                self.add_candidates(now, id, fragment)?;
                Ok(Trickled::Added)
            }
            Condition::Any => {
                let (Some(ufrag), Some(password)) = (&fragment.ufrag, &fragment.password) else {
                    return Err(Refusal::MalformedFragment);
                };
                // A restart is the work of an offer.
                if fragment.candidates.len() > self.limits.remote_candidates
                    || !self.offers.allows(now, caller.address)
                {
                    return Err(Refusal::TooManyRequests);
                }
                let answer = self.restart_ice(now, id, ufrag, password)?;
                self.add_candidates(now, id, fragment)?;
                let etag = random::hex_id::<8>().map_err(|_| Refusal::Unavailable)?;
                if let Some(connection) = self.connections.get_mut(&id) {
                    connection.etag.clone_from(&etag);
                }
                Ok(Trickled::Restarted { etag, fragment: answer })
            }
        }
    }

    fn add_candidates(
        &mut self,
        now: Instant,
        id: ConnectionId,
        fragment: IceFragment,
    ) -> Result<(), Refusal> {
        let Some(connection) = self.connections.get_mut(&id) else {
            return Err(Refusal::UnknownSession);
        };
        connection.remote_candidates += fragment.candidates.len();
        if connection.remote_candidates > self.limits.remote_candidates {
            return Err(Refusal::TooManyRequests);
        }
        for candidate in fragment.candidates {
            self.mutate(now, id, |rtc| rtc.add_remote_candidate(candidate));
        }
        Ok(())
    }

    fn bind(
        &mut self,
        now: Instant,
        caller: &Caller,
        session: &str,
        bindings: &[SlotBinding],
    ) -> Result<Vec<SlotState>, Refusal> {
        let id = self.session(caller, session)?;
        self.charge_binding(now, id)?;
        let player = self.connections.get(&id).and_then(|c| c.player());
        let player = player.filter(|p| p.has_slots).ok_or(Refusal::NoSlots)?;
        let position = |b: &SlotBinding| player.tracks.iter().position(|t| t.mid_text == b.mid);
        let tracks: Option<Vec<usize>> = bindings.iter().map(position).collect();
        // All or nothing: a binding to an unknown slot changes none.
        let tracks = tracks.ok_or(Refusal::UnknownSlot)?;
        check_distinct(player, bindings, &tracks)?;
        for (binding, track) in bindings.iter().zip(tracks) {
            let layer = binding.layer.unwrap_or(Layer::High);
            self.bind_slot(now, id, track, binding.stream.as_ref(), layer);
        }
        self.slots(caller, session)
    }

    fn bind_slot(
        &mut self,
        now: Instant,
        id: ConnectionId,
        track: usize,
        stream: Option<&Pseudonym>,
        layer: Layer,
    ) {
        let Some(slot) = self.track_mut(id, track) else {
            return;
        };
        let other_layer = slot.out.wanted() != layer;
        slot.out.want(layer);
        if slot.stream.as_ref() != stream {
            self.unsubscribe(id, track);
            if let Some(slot) = self.track_mut(id, track) {
                slot.stream = stream.cloned();
            }
            self.subscribe(now, id, track);
        } else if other_layer {
            self.request_of_track(now, id, track, Urgency::NewSubscriber);
        }
    }

    /// Every new binding may make publishers send a key frame.
    fn charge_binding(&mut self, now: Instant, id: ConnectionId) -> Result<(), Refusal> {
        let connection = self.connections.get_mut(&id).ok_or(Refusal::UnknownSession)?;
        let allowed = connection.bindings.take(now, self.limits.binding_rate);
        allowed.then_some(()).ok_or(Refusal::TooManyRequests)
    }

    fn track_mut(&mut self, id: ConnectionId, track: usize) -> Option<&mut super::connection::PlayerTrack> {
        self.connections.get_mut(&id)?.player_mut()?.tracks.get_mut(track)
    }

    fn slots(&self, caller: &Caller, session: &str) -> Result<Vec<SlotState>, Refusal> {
        let id = self.session(caller, session)?;
        let player = self.connections.get(&id).and_then(|c| c.player());
        let player = player.filter(|p| p.has_slots).ok_or(Refusal::NoSlots)?;
        Ok(player.tracks.iter().map(|t| t.state()).collect())
    }

    fn select_layer(
        &mut self,
        now: Instant,
        caller: &Caller,
        session: &str,
        selection: &LayerSelection,
    ) -> Result<(), Refusal> {
        let id = self.session(caller, session)?;
        self.charge_binding(now, id)?;
        let player = self.connections.get(&id).and_then(|c| c.player());
        let player = player.ok_or(Refusal::UnknownSlot)?;
        let layer = match selection.encoding_id.as_deref() {
            None | Some("h" | "high") => Layer::High,
            Some("m" | "medium") => Layer::Medium,
            Some("l" | "low") => Layer::Low,
            Some(_) => return Err(Refusal::UnknownSlot),
        };
        let chosen = |mid: &String| selection.media_id.as_ref().is_none_or(|m| m == mid);
        let tracks = player.tracks.iter().enumerate();
        let tracks = tracks.filter(|(_, t)| t.kind == Kind::Video && chosen(&t.mid_text));
        let tracks: Vec<_> = tracks.map(|(i, t)| (i, t.stream.clone())).collect();
        if tracks.is_empty() {
            return Err(Refusal::UnknownSlot);
        }
        for (track, stream) in tracks {
            self.bind_slot(now, id, track, stream.as_ref(), layer);
        }
        Ok(())
    }

    fn watch_streams(&mut self, now: Instant, room: RoomId) -> watch::Receiver<StreamList> {
        self.room(now, room).list.subscribe()
    }
}

/// A stream fills one slot of each kind: a player that showed it in all of its slots would have it sent as often.
fn check_distinct(player: &Player, bindings: &[SlotBinding], tracks: &[usize]) -> Result<(), Refusal> {
    let mut streams: Vec<_> = player.tracks.iter().map(|t| (t.kind, t.stream.as_ref())).collect();
    for (binding, track) in bindings.iter().zip(tracks) {
        if let Some((_, stream)) = streams.get_mut(*track) {
            *stream = binding.stream.as_ref();
        }
    }
    let mut seen = HashSet::new();
    let mut bound = streams.into_iter().filter(|(_, stream)| stream.is_some());
    bound.all(|slot| seen.insert(slot)).then_some(()).ok_or(Refusal::StreamTwice)
}

fn respond<T>(reply: Reply<T>, answer: Result<T, Refusal>) {
    if reply.send(answer).is_err() {
        tracing::trace!("a client did not wait for its answer");
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::oneshot;

    use super::*;
    use crate::command::Purpose;
    use crate::config::Limits;
    use crate::grant::{GrantId, GrantRequest, Rights, SharedGrants};

    /// SEC-05: controls overtake requests, so the queue may still hold what a removed member asked for.
    #[test]
    fn a_request_that_waited_while_its_grant_ended_is_refused() {
        let (now, room) = (Instant::now(), RoomId([1; 16]));
        let grants = SharedGrants::new(Limits::default());
        let mut machine = SfuMachine::new(now, Limits::default(), grants.clone(), Vec::new());
        let ada = Pseudonym::parse("ada").unwrap();
        let request = GrantRequest {
            room,
            identity: ada.clone(),
            rights: Rights::WatchAndPublish,
            valid_for: Duration::from_secs(60),
        };
        let bearer = grants.lock().grant(now, request).unwrap();
        let from = Requester { grant: GrantId::of(bearer.reveal()), address: None };
        let mut open = || {
            let (reply, mut answer) = oneshot::channel();
            let purpose = Purpose::Publish(ada.clone());
            let action = Action::Open { purpose, offer: "no offer".to_owned(), reply };
            machine.handle_request(now, Request { from, action });
            answer.try_recv().unwrap().unwrap_err()
        };
        assert_eq!(open(), Refusal::MalformedSdp);
        grants.lock().revoke(&room, &ada);
        assert_eq!(open(), Refusal::Unauthorized);
    }
}
