//! The relay, the ways to it, and what breaks them.

use core::time::Duration;

use incamera_meeting::Input;
use incamera_relay::{
    ConnectionId, CreateRule, Origin, RelayInput, RelayLimits, RelayMachine, RelayOutput, SfuAccess, Transmit,
};
use incamera_relay_proto::{ClientMessage, Lane, Request, ServerMessage, SfuKind, TextSecret};
use incamera_types::Mono;

use crate::actor::Life;
use crate::attacks::{OUTSIDE_REFS, REPLAYED_REFS};
use crate::invariants::contains_canary;
use crate::network::Happening;
use crate::tamper::Trick;
use crate::world::{HOST, World};

/// How much longer than it took to send them messages take whose sender the relay holds back.
pub(crate) const HELD_BACK: f64 = 0.8;

/// Time after which a member has surely heard of all others.
const KNOWN_AFTER: Duration = Duration::from_secs(6);

/// Commits of two members within this time do not know of each other.
const RACE: Duration = Duration::from_millis(60);

impl World {
    /// A client reaches the relay, or tries again later.
    pub(crate) fn connect(&mut self, actor: usize) {
        let client = &self.actors[actor];
        if client.connection.is_some() || client.life != Life::Running {
            return;
        }
        if client.cut_until.is_some() || self.relay_down_until.is_some() {
            let wait = self.chance.millis(300, 1_200);
            self.network.schedule(self.now.mono.plus(wait), Happening::Reconnect { actor });
            return;
        }
        self.connections_made += 1;
        let connection = ConnectionId(self.connections_made);
        self.connections.insert(connection, actor);
        let client = &mut self.actors[actor];
        client.connection = Some(connection);
        client.connected = Some(self.now.mono);
        client.entries_on_connection = 0;
        (client.up_arrives, client.down_arrives) = (self.now.mono, self.now.mono);
        self.note(actor, "connects");
        // Each has an address of its own: turns and limits go by it.
        self.tell_relay(RelayInput::Connected { connection, origin: Origin(actor as u64) });
        self.feed(actor, Input::RelayConnected);
    }

    /// A client's connection ends; it tries again if it still lives.
    pub(crate) fn disconnect(&mut self, actor: usize) {
        let Some(connection) = self.actors[actor].connection.take() else { return };
        self.connections.remove(&connection);
        self.actors[actor].connected = None;
        self.invariants.forget_expectations_of(actor);
        self.note(actor, "loses its connection");
        self.tell_relay(RelayInput::Disconnected { connection });
        if self.actors[actor].life == Life::Running {
            self.feed(actor, Input::RelayLost);
            let wait = self.chance.millis(100, 900);
            self.network.schedule(self.now.mono.plus(wait), Happening::Reconnect { actor });
        }
    }

    /// Keeps one client from the relay for a while.
    pub(crate) fn cut(&mut self, actor: usize, time: Duration) {
        let until = self.now.mono.plus(time);
        self.actors[actor].cut_until = Some(until);
        self.actors[actor].hindered = Some(until);
        self.disconnect(actor);
        self.network.schedule(until, Happening::Mend { actor });
    }

    pub(crate) fn mend(&mut self, actor: usize) {
        let client = &mut self.actors[actor];
        client.cut_until.take_if(|until| *until <= self.now.mono);
    }

    /// The relay is unreachable for everybody for a while; it keeps its memory.
    pub(crate) fn relay_goes(&mut self, time: Duration) {
        let until = self.now.mono.plus(time);
        self.relay_down_until = Some(until);
        for actor in 0..self.actors.len() {
            self.disconnect(actor);
        }
        self.network.schedule(until, Happening::RelayReturns);
    }

    /// The relay ends and begins anew at once, without its memory.
    pub(crate) fn relay_forgets(&mut self) {
        for actor in 0..self.actors.len() {
            self.disconnect(actor);
        }
        self.relay = RelayMachine::in_memory(RelayLimits::default(), CreateRule::Anyone);
        self.relay_was_down = Some(self.now.mono);
        self.invariants.hostile_entries.clear();
    }

    pub(crate) fn relay_returns(&mut self) {
        self.relay_down_until = None;
        self.relay_was_down = Some(self.now.mono);
    }

    pub(crate) fn send_to_relay(&mut self, actor: usize, mut message: ClientMessage) {
        if let Request::ResumeKnock { replies_seen, .. } = &mut message.request {
            *replies_seen = replies_seen.saturating_sub(self.actors[actor].forged_replies);
        }
        let Ok(bytes) = message.encode() else {
            return self.broken("a client's message does not encode");
        };
        self.check_sent(actor, &message, &bytes);
        if let Request::Append { lane, blob } = &message.request {
            self.attacks.remember(*lane, blob, self.actors[actor].machine.epoch());
            if *lane == Lane::Commit {
                self.count_race(actor);
            }
        }
        let epoch = self.actors[actor].machine.epoch();
        if self.attacks.captures(actor, &message.request, epoch) {
            return;
        }
        let Some(connection) = self.actors[actor].connection else { return };
        let at = self.up_arrival(actor);
        self.network.schedule(at, Happening::ToRelay { connection, message, wire_bytes: bytes.len() });
    }

    fn count_race(&mut self, actor: usize) {
        let race = self
            .invariants
            .last_commit
            .is_some_and(|(at, author)| author != actor && self.now.mono.since(at) < RACE);
        self.invariants.last_commit = Some((self.now.mono, actor));
        if race {
            self.counts.add("commit race");
            self.note(actor, "commits at the same time as another");
        }
        if actor != HOST && self.is_busy && self.chance.happens(300) {
            let soon = self.chance.millis(0, 10);
            self.network.schedule(self.now.mono.plus(soon), Happening::Race);
        }
    }

    /// When what a client sends now reaches the relay.
    pub(crate) fn up_arrival(&mut self, actor: usize) -> Mono {
        let mut delay = self.relay_delay(actor);
        if let Some(Trick::HoldBack { since }) = self.actors[actor].trick {
            delay += self.now.mono.since(since).mul_f64(HELD_BACK);
        }
        in_order(&mut self.actors[actor].up_arrives, self.now.mono.plus(delay))
    }

    /// When what the relay sends now reaches a client.
    pub(crate) fn down_arrival(&mut self, actor: usize) -> Mono {
        let at = self.now.mono.plus(self.relay_delay(actor));
        in_order(&mut self.actors[actor].down_arrives, at)
    }

    /// A member whose messages are held back crashes: the relay keeps its connection and what is left to come.
    pub(crate) fn vanish(&mut self, actor: usize) {
        let client = &self.actors[actor];
        let Some(Trick::HoldBack { since }) = client.trick else { return };
        let is_held_back = client.connected.is_some_and(|at| at < since);
        let (Some(member), true, true) = (client.machine.own_member(), is_held_back, client.is_in()) else {
            return;
        };
        self.counts.add("crash while held back");
        self.note(actor, "crashes while the relay holds back what it sent");
        self.actors[actor].life = Life::Crashed;
        let was_in = |at: usize| self.actors[at].in_since.is_some_and(|at| at.plus(KNOWN_AFTER) < since);
        // Of a member that came or was added again later, nobody has ever heard a heartbeat that was not late.
        let observers: Vec<usize> =
            (0..self.actors.len()).filter(|other| was_in(actor) && was_in(*other)).collect();
        for other in observers {
            if self.actors[other].is_well_since(since) {
                self.expect_silence(other, member);
            }
        }
    }

    fn relay_delay(&mut self, actor: usize) -> Duration {
        let (from, to) = self.setup.relay_delay;
        let further = if actor == HOST { self.setup.host_is_further_by } else { Duration::ZERO };
        self.chance.millis(from, to) + further
    }

    pub(crate) fn reach_relay(
        &mut self,
        connection: ConnectionId,
        message: ClientMessage,
        wire_bytes: usize,
    ) {
        if self.connections.contains_key(&connection) {
            self.tell_relay(RelayInput::Received { connection, message, wire_bytes });
        }
    }

    pub(crate) fn tell_relay(&mut self, input: RelayInput) {
        self.relay.handle_input(self.now, &mut self.relay_entropy, input);
        while let Some(output) = self.relay.poll_output() {
            match output {
                RelayOutput::Wake(connection) => self.pull(connection),
                RelayOutput::Grant(grant) => {
                    let input = RelayInput::Granted { grant: grant.grant, access: Some(access()) };
                    self.relay.handle_input(self.now, &mut self.relay_entropy, input);
                }
                RelayOutput::Revoke { .. } => self.counts.add("ticket revoked"),
                RelayOutput::EndSfuRoom(_) => self.counts.add("room ended"),
            }
        }
    }

    fn pull(&mut self, connection: ConnectionId) {
        loop {
            match self.relay.poll_message(connection) {
                Transmit::Idle => return,
                Transmit::Message(message) => {
                    let Some(actor) = self.connections.get(&connection).copied() else { continue };
                    self.check_relayed(actor, &message);
                    self.send_to_client(actor, connection, message);
                }
                Transmit::Close => {
                    if let Some(actor) = self.connections.get(&connection).copied() {
                        self.disconnect(actor);
                    }
                    return;
                }
            }
        }
    }

    fn send_to_client(&mut self, actor: usize, connection: ConnectionId, message: ServerMessage) {
        let Ok(bytes) = message.encode() else {
            return self.broken("a message of the relay does not encode");
        };
        if contains_canary(&bytes) {
            return self.broken("plaintext in a message of the relay (SEC-12)");
        }
        if is_for_outsiders(&message) {
            if let ServerMessage::Appended { in_reply_to, seq } = message
                && in_reply_to.0 < REPLAYED_REFS
            {
                self.invariants.hostile_entries.insert(seq);
            }
            return;
        }
        let mut delay = self.relay_delay(actor);
        if let (Some(Trick::Stretch { since }), ServerMessage::Entry { .. }) =
            (self.actors[actor].trick, &message)
        {
            delay += self.now.mono.since(since).mul_f64(0.6);
        }
        let at = in_order(&mut self.actors[actor].down_arrives, self.now.mono.plus(delay));
        self.network.schedule(at, Happening::ToClient { actor, connection, message });
    }

    pub(crate) fn reach_client(&mut self, actor: usize, connection: ConnectionId, message: ServerMessage) {
        if self.actors[actor].connection != Some(connection) || self.actors[actor].life != Life::Running {
            return;
        }
        let message = self.renumbered(actor, message);
        if let ServerMessage::Entry { seq, .. } = message {
            self.invariants.forget_entry(actor, seq);
        }
        for message in self.tampered(actor, message) {
            let before = self.actors[actor].machine.epoch();
            let entry = match &message {
                ServerMessage::Entry { seq, lane, blob } => Some((*seq, *lane, blob.clone())),
                _ => None,
            };
            if let Some((_, lane, blob)) = &entry {
                self.actors[actor].entries_on_connection += 1;
                self.actors[actor].entries_in_all += 1;
                self.attacks.deliver(*lane, blob);
            }
            if let (HOST, ServerMessage::Knocked { knock, blob }) = (actor, &message) {
                self.attacks.knocks.push((self.now.mono, *knock, blob.clone()));
            }
            self.feed(actor, Input::Relay(message));
            if let Some((seq, lane, _)) = entry {
                self.check_entry(actor, seq, lane, before);
            }
            self.attacks.delivering = None;
        }
    }
}

/// The time at which the next message of a connection arrives: never before the one sent before it.
fn in_order(last: &mut Mono, at: Mono) -> Mono {
    *last = at.max(last.plus(Duration::from_micros(1)));
    *last
}

/// Answers to what a modified client sent besides its machine.
fn is_for_outsiders(message: &ServerMessage) -> bool {
    match message {
        ServerMessage::Appended { in_reply_to, .. } => in_reply_to.0 >= OUTSIDE_REFS,
        ServerMessage::Error(fault) => fault.in_reply_to.is_some_and(|to| to.0 >= OUTSIDE_REFS),
        _ => false,
    }
}

fn access() -> SfuAccess {
    SfuAccess {
        sfu: SfuKind::Embedded,
        publish_url: "/sfu/publish".into(),
        subscribe_url: "/sfu/subscribe".into(),
        bearer: TextSecret::new("bearer".into()),
        janus: None,
        ice_servers: Vec::new(),
    }
}
