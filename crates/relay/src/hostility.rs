//! Attacks of a malicious relay, as one stage between its machine and its clients. Adversary tests only.
//!
//! The machine stays honest: the stage changes what reaches it and what clients are told, as an operator of the
//! relay could. Everything is honest until the process receives SIGUSR1, so that a meeting can begin first.

mod seats;
mod split;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use incamera_relay_proto::{
    Access, Blob, CapabilitySecret, ClientMessage, ClientRef, KnockId, Lane, Request, Seq, ServerMessage,
};
use incamera_types::{Mono, RoomId};
use serde::Deserialize;
use tokio::signal::unix::{SignalKind, signal};

use crate::ConnectionId;
use crate::driver::RelayDriver;
use seats::Seats;
use split::SplitLog;

/// Who is attacked where one member is: the first who joined the founder.
const VICTIM: usize = 1;
/// How exactly what is told late keeps its time.
const LATE_STEP: Duration = Duration::from_millis(50);
/// Numbers of requests that no client made begin here.
const OUTSIDE_REFS: ClientRef = ClientRef(0xf000_0000);
/// The knock under which an old one is told again.
const REPLAYED_KNOCK: KnockId = KnockId([0xf0; 16]);

/// What a hostile relay does to the room that was made on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RelayHostility {
    /// Delivers every entry to the victim twice.
    RepeatEntries,
    /// Appends each message again after the next one, as if somebody else had sent it.
    ReplayMessages,
    /// Tells members again of a knock that was settled.
    ReplayKnocks,
    /// Leaves one message out for the victim.
    DropEntry,
    /// Delivers nothing of the log to the victim any more.
    Withhold,
    /// Delivers every entry to the victim later than the one before, by three fifths of the time between them: as
    /// heartbeats never stay away for ten seconds, only their content shows it.
    StretchTime,
    /// Shows the victim one entry that nobody else sees.
    ForkLog,
    /// Gives the second half of four members a log of their own.
    SplitRoom,
    /// Lets anybody knock, whatever the link.
    OpenDoor,
}

/// The attack and what it needs to remember.
pub(crate) struct HostilityStage {
    hostility: RelayHostility,
    /// Since when.
    begun: Option<Mono>,
    room: Option<RoomId>,
    seats: Seats,
    door: Option<CapabilitySecret>,
    knock: Option<Blob>,
    last_message: Option<Blob>,
    /// What the victim is told later, and when.
    late: VecDeque<(Mono, ServerMessage)>,
    /// What is done once was done.
    done: bool,
    split: SplitLog,
    outbox: BTreeMap<ConnectionId, VecDeque<ServerMessage>>,
}

impl HostilityStage {
    pub(crate) fn new(hostility: RelayHostility) -> Self {
        Self {
            hostility,
            begun: None,
            room: None,
            seats: Seats::default(),
            door: None,
            knock: None,
            last_message: None,
            late: VecDeque::new(),
            done: false,
            split: SplitLog::default(),
            outbox: BTreeMap::new(),
        }
    }

    /// The room under attack.
    pub(crate) const fn room(&self) -> Option<RoomId> {
        self.room
    }

    /// The attack begins; `head` is the last entry of the room's log.
    pub(crate) fn begin(&mut self, now: Mono, head: Seq) {
        self.begun = Some(now);
        self.split = SplitLog::after(head);
        if let (RelayHostility::ReplayKnocks, Some(blob)) = (self.hostility, &self.knock) {
            let knocked = ServerMessage::Knocked { knock: REPLAYED_KNOCK, blob: blob.clone() };
            for (_, member) in self.seats.iter() {
                self.outbox.entry(member).or_default().push_back(knocked.clone());
            }
        }
    }

    pub(crate) fn forget(&mut self, connection: ConnectionId) {
        if self.seats.of(connection) == Some(VICTIM) {
            self.late.clear();
        }
        self.seats.leave(connection);
        self.outbox.remove(&connection);
    }

    /// What reaches the machine instead of `message`.
    pub(crate) fn receive(&mut self, from: ConnectionId, mut message: ClientMessage) -> Vec<ClientMessage> {
        self.note_request(from, &message.request);
        let before = self.note_message(&message.request);
        if self.begun.is_none() {
            return vec![message];
        }
        let client_ref = message.client_ref;
        match (self.hostility, &mut message.request) {
            (RelayHostility::ReplayMessages, Request::Append { lane: Lane::Application, .. }) => {
                let again = before.map(|blob| ClientMessage {
                    client_ref: OUTSIDE_REFS,
                    request: Request::Append { lane: Lane::Application, blob },
                });
                return [Some(message), again].into_iter().flatten().collect();
            }
            (RelayHostility::SplitRoom, Request::Append { lane, blob })
                if self.seats.is_in_second_half(from) =>
            {
                let (seq, entry) = self.split.append(*lane, blob.clone());
                self.answer(from, ServerMessage::Appended { in_reply_to: client_ref, seq });
                for (_, member) in self.seats.iter().filter(|(seat, _)| Seats::SECOND_HALF.contains(seat)) {
                    self.outbox.entry(member).or_default().push_back(entry.clone());
                }
                return Vec::new();
            }
            (RelayHostility::OpenDoor, Request::Open { access: Access::Knock, capability, .. }) => {
                if let Some(genuine) = &self.door {
                    *capability = genuine.clone();
                }
            }
            _ => {}
        }
        vec![message]
    }

    /// What `to` is told instead of `message`.
    pub(crate) fn deliver(
        &mut self,
        now: Mono,
        to: ConnectionId,
        message: ServerMessage,
    ) -> Option<ServerMessage> {
        if is_outside(&message) {
            return None;
        }
        let Some(begun) = self.begun else { return Some(message) };
        let is_victim = self.seats.of(to) == Some(VICTIM);
        match (self.hostility, message) {
            (RelayHostility::RepeatEntries, entry @ ServerMessage::Entry { .. }) if is_victim => {
                self.answer(to, entry.clone());
                Some(entry)
            }
            (RelayHostility::DropEntry, ServerMessage::Entry { lane: Lane::Application, .. })
                if is_victim && !self.done =>
            {
                self.done = true;
                None
            }
            (RelayHostility::Withhold, ServerMessage::Entry { .. }) if is_victim => None,
            (RelayHostility::StretchTime, entry @ ServerMessage::Entry { .. }) if is_victim => {
                self.late.push_back((now.plus(now.since(begun) * 3 / 5), entry));
                None
            }
            (RelayHostility::ForkLog, ServerMessage::Entry { seq, lane: Lane::Application, .. })
                if is_victim && !self.done =>
            {
                self.done = true;
                let blob = Blob::pad(b"something that nobody else is shown").ok()?;
                Some(ServerMessage::Entry { seq, lane: Lane::Application, blob })
            }
            (RelayHostility::SplitRoom, message) if self.seats.is_in_second_half(to) => {
                self.split.lets_through(&message).then_some(message)
            }
            (_, message) => Some(message),
        }
    }

    /// What the stage itself has to tell `to`.
    pub(crate) fn next(&mut self, now: Mono, to: ConnectionId) -> Option<ServerMessage> {
        if self.seats.of(to) == Some(VICTIM)
            && let Some((_, late)) = self.late.pop_front_if(|(due, _)| *due <= now)
        {
            return Some(late);
        }
        self.outbox.get_mut(&to)?.pop_front()
    }

    /// The connections that [`HostilityStage::next`] has something for.
    pub(crate) fn to_wake(&self) -> impl Iterator<Item = ConnectionId> {
        self.outbox.iter().filter(|(_, waiting)| !waiting.is_empty()).map(|(connection, _)| *connection)
    }

    fn answer(&mut self, to: ConnectionId, message: ServerMessage) {
        self.outbox.entry(to).or_default().push_back(message);
    }

    fn note_request(&mut self, from: ConnectionId, request: &Request) {
        match request {
            Request::CreateRoom(create) => {
                self.room = Some(create.room);
                self.seats.take(from);
            }
            Request::Open { access: Access::Member, .. } => {
                self.seats.take(from);
            }
            Request::Open { access: Access::Knock, capability, .. } => {
                self.door.get_or_insert_with(|| capability.clone());
            }
            Request::Knock { blob, .. } => self.knock = Some(blob.clone()),
            _ => {}
        }
    }

    /// Remembers a message between members; gives the one before.
    fn note_message(&mut self, request: &Request) -> Option<Blob> {
        match request {
            Request::Append { lane: Lane::Application, blob } => self.last_message.replace(blob.clone()),
            _ => None,
        }
    }
}

/// Whether a message answers a request that no client made.
fn is_outside(message: &ServerMessage) -> bool {
    match message {
        ServerMessage::Appended { in_reply_to, .. } => *in_reply_to >= OUTSIDE_REFS,
        ServerMessage::Error(fault) => fault.in_reply_to.is_some_and(|to| to >= OUTSIDE_REFS),
        _ => false,
    }
}

/// Begins the attack when the process is told to.
pub(crate) async fn begin_on_signal(driver: Arc<RelayDriver>) {
    match signal(SignalKind::user_defined1()) {
        Ok(mut begin) => {
            if begin.recv().await.is_some() {
                driver.begin_hostility();
                // What is told late has its time.
                let mut ticks = tokio::time::interval(LATE_STEP);
                loop {
                    ticks.tick().await;
                    driver.wake_all();
                }
            }
        }
        Err(error) => tracing::error!(%error, "the attack cannot begin"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOUNDER: ConnectionId = ConnectionId(1);
    const BEN: ConnectionId = ConnectionId(2);

    fn entry(seq: u64) -> ServerMessage {
        let blob = Blob::pad(&seq.to_be_bytes()).unwrap();
        ServerMessage::Entry { seq: Seq(seq), lane: Lane::Application, blob }
    }

    fn at(second: u64) -> Mono {
        Mono::default().plus(Duration::from_secs(second))
    }

    fn waiting(hostility: RelayHostility) -> HostilityStage {
        let mut stage = HostilityStage::new(hostility);
        [FOUNDER, BEN].into_iter().for_each(|member| stage.seats.take(member));
        stage
    }

    fn begun(hostility: RelayHostility) -> HostilityStage {
        let mut stage = waiting(hostility);
        stage.begin(Mono::default(), Seq(0));
        stage
    }

    /// What the founder and Ben are told of six entries, and of what the stage adds.
    fn told(mut stage: HostilityStage) -> [Vec<ServerMessage>; 2] {
        [FOUNDER, BEN].map(|member| {
            let mut told: Vec<_> =
                (1..=6).filter_map(|seq| stage.deliver(at(1), member, entry(seq))).collect();
            told.extend(core::iter::from_fn(|| stage.next(at(1), member)));
            told
        })
    }

    #[test]
    fn everything_is_honest_until_the_attack_begins_and_for_everybody_but_the_victim() {
        let honest: Vec<_> = (1..=6).map(entry).collect();
        for hostility in [
            RelayHostility::RepeatEntries,
            RelayHostility::DropEntry,
            RelayHostility::Withhold,
            RelayHostility::StretchTime,
            RelayHostility::ForkLog,
        ] {
            assert_eq!(told(waiting(hostility)), [honest.clone(), honest.clone()], "{hostility:?}");
            let [founder, victim] = told(begun(hostility));
            assert_eq!(founder, honest, "{hostility:?}");
            assert_ne!(victim, honest, "{hostility:?}");
        }
    }

    #[test]
    fn time_is_stretched_without_a_gap() {
        let mut stage = begun(RelayHostility::StretchTime);
        let mut told = Vec::new();
        for second in 0..=16 {
            if second % 5 == 0 {
                assert_eq!(stage.deliver(at(second), BEN, entry(second)), None);
            }
            told.extend(core::iter::from_fn(|| stage.next(at(second), BEN)).map(|late| (second, late)));
        }
        assert_eq!(told, [(0, entry(0)), (8, entry(5)), (16, entry(10))]);
    }
}
