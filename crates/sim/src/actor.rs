//! One participant: its machines and what its shell knows.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, HashSet};

use incamera_meeting::frames::{FrameReceiver, FrameSealer};
use incamera_meeting::{KnockNumber, MeetingMachine, MeetingState, StopReason};
use incamera_relay::ConnectionId;
use incamera_types::{MemberId, Mono};

use crate::tamper::Trick;

/// What has become of a participant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    Running,
    /// Its process ended without a word.
    Crashed,
    /// Its meeting is over. Its receiver goes on listening, as a modified client would.
    Over(StopReason),
}

/// One frame as its key id and counter name it, within the whole run.
pub(crate) type FrameName = (u64, u64, u32);

pub(crate) struct Actor {
    pub(crate) name: String,
    pub(crate) machine: MeetingMachine,
    pub(crate) life: Life,
    pub(crate) sealer: FrameSealer,
    pub(crate) receiver: FrameReceiver,
    pub(crate) media_flows: bool,
    /// Its client goes on sending when it should not.
    pub(crate) is_modified: bool,
    /// Member ids it has had; another after each repair.
    pub(crate) members: BTreeSet<MemberId>,
    /// The authenticators of the epochs whose keys it has.
    pub(crate) epochs: BTreeMap<u64, [u8; 32]>,
    pub(crate) opened: HashSet<FrameName>,
    /// When a frame of another actor was last delivered.
    pub(crate) heard: BTreeMap<usize, Mono>,
    /// The age of the youngest frame of each member that was delivered: how well its clock is known.
    pub(crate) shortest_delays: BTreeMap<MemberId, Duration>,
    pub(crate) chats: HashSet<String>,
    pub(crate) knocks: Vec<KnockNumber>,
    /// Knocks that its user has admitted, and denied after that or at once.
    pub(crate) admitted: BTreeSet<KnockNumber>,
    pub(crate) denied: BTreeSet<KnockNumber>,
    pub(crate) connection: Option<ConnectionId>,
    /// Until when it cannot reach the relay.
    pub(crate) cut_until: Option<Mono>,
    /// When something last kept it from the relay or was done to its messages.
    pub(crate) hindered: Option<Mono>,
    /// Since when it has been connected.
    pub(crate) connected: Option<Mono>,
    pub(crate) entries_on_connection: u64,
    pub(crate) entries_in_all: u64,
    /// Since when it has been in the meeting, the last time.
    pub(crate) in_since: Option<Mono>,
    /// When it was last shown that the log is forked.
    pub(crate) fork_shown: Option<Mono>,
    pub(crate) trick: Option<Trick>,
    /// When the last message of each direction arrives: connections keep order.
    pub(crate) up_arrives: Mono,
    pub(crate) down_arrives: Mono,
    pub(crate) frames_sent: u64,
    /// It renews its leaf in each epoch in which it may.
    pub(crate) churns: bool,
    /// Somebody lost its key before, or it lost the group's: repairs of one participant are rarer and rarer.
    pub(crate) is_repaired: bool,
    /// Replies to its knock that the relay made up; it counts them among the real ones.
    pub(crate) forged_replies: u16,
    pub(crate) removed_at: Option<Mono>,
    /// Members whose media it was told to hold.
    pub(crate) held: BTreeSet<MemberId>,
}

impl Actor {
    pub(crate) fn new(name: String, machine: MeetingMachine) -> Self {
        Self {
            name,
            machine,
            life: Life::Running,
            sealer: FrameSealer::new(),
            receiver: FrameReceiver::new(),
            media_flows: false,
            is_modified: false,
            members: BTreeSet::new(),
            epochs: BTreeMap::new(),
            opened: HashSet::new(),
            heard: BTreeMap::new(),
            shortest_delays: BTreeMap::new(),
            chats: HashSet::new(),
            knocks: Vec::new(),
            admitted: BTreeSet::new(),
            denied: BTreeSet::new(),
            connection: None,
            cut_until: None,
            hindered: None,
            connected: None,
            entries_on_connection: 0,
            entries_in_all: 0,
            in_since: None,
            fork_shown: None,
            trick: None,
            up_arrives: Mono::default(),
            down_arrives: Mono::default(),
            frames_sent: 0,
            churns: false,
            is_repaired: false,
            forged_replies: 0,
            removed_at: None,
            held: BTreeSet::new(),
        }
    }

    pub(crate) fn is_in(&self) -> bool {
        self.life == Life::Running && self.machine.state() == MeetingState::InMeeting
    }

    /// Whether the relay is keeping messages from it or of it: it may know nothing of the newest epoch, and what
    /// it seals in an old one nobody takes.
    pub(crate) const fn is_slowed(&self) -> bool {
        matches!(self.trick, Some(Trick::Withhold { .. } | Trick::Stretch { .. } | Trick::HoldBack { .. }))
    }

    /// Whether it is in and nothing has kept it from the relay since `since`.
    pub(crate) fn is_well_since(&self, since: Mono) -> bool {
        self.is_in()
            && self.hindered.is_none_or(|at| at < since)
            && self.connected.is_some_and(|at| at < since)
    }
}
