//! What goes into the machine and what comes out.

use std::collections::BTreeSet;
use std::sync::Arc;

use core::time::Duration;

use incamera_identity::VerifyingKey;
use incamera_types::{LeafIndex, MemberId, Pii};
use zeroize::Zeroizing;

use crate::error::Refusal;
use crate::keys::EpochKeys;
use crate::rules::{Delegation, Lobby, Lock, MemberGrant, Rights};

/// The caller's name for one admission, such as the relay's knock id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AdmissionId(pub u64);

/// An own application message whose echo is awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApplicationId(pub u64);

/// Whose turn it is to commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CommitTurn {
    /// Decided by the person at this device: committed as soon as pacing allows.
    Own,
    /// Everybody entitled has the same cause (automatic admission, a deadline): the lowest online leaf goes
    /// first, each next one a second later. A preference, never an authority.
    Shared,
}

/// One change of the rules, applied to the rules of the epoch in which it is committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleEdit {
    /// Whether knocks wait for a person.
    SetLobby(Lobby),
    /// Whether members can be added.
    SetLock(Lock),
    /// Both silence deadlines.
    SetDeadlines {
        /// See [`Rules::media_stop`](crate::Rules::media_stop).
        media_stop: Duration,
        /// See [`Rules::removal`](crate::Rules::removal).
        removal: Duration,
    },
    /// Rights of everybody without a grant.
    SetParticipantRights(Rights),
    /// Role and rights of one leaf, present or to be added.
    Grant(VerifyingKey, MemberGrant),
    /// Back to what every participant has.
    Revoke(VerifyingKey),
    /// A co-host may sign for the room.
    Delegate(Box<Delegation>),
}

/// What the meeting tells the machine.
#[derive(Clone, Debug)]
pub enum GroupInput {
    /// The next entry of the room's log, padding removed.
    LogEntry {
        /// Its position; ascending.
        seq: u64,
        /// The bytes.
        blob: Vec<u8>,
    },
    /// Add the sender of a knock.
    Admit {
        /// The caller's name for it.
        admission: AdmissionId,
        /// The MLS key package from the knock.
        key_package: Vec<u8>,
        /// The same person's old leaf, removed in the same commit.
        replaces: Option<MemberId>,
        /// Whose turn it is.
        turn: CommitTurn,
    },
    /// Do not add after all. Where the commit is on its way, no Welcome follows, and the next one removes the leaf.
    WithdrawAdmission(AdmissionId),
    /// Remove a member.
    Remove {
        /// Who.
        member: MemberId,
        /// Whose turn it is.
        turn: CommitTurn,
    },
    /// Change the rules; needs the room key or a delegation.
    EditRules(Vec<RuleEdit>),
    /// Which members are heard at present; the own one is always counted.
    SetOnline(BTreeSet<MemberId>),
    /// What is on its way to the log may be lost: send the own commit again, byte for byte.
    SendAgain,
    /// Time passed.
    Tick,
}

/// A new epoch.
#[derive(Debug)]
pub struct EpochStarted {
    /// Position of the commit in the log; `None` for the founding epoch and when a joiner is confirmed.
    pub seq: Option<u64>,
    /// The keys.
    pub keys: EpochKeys,
    /// Who committed; `None` as for `seq`.
    pub committer: Option<MemberId>,
    /// Who came.
    pub joined: Vec<MemberId>,
    /// Who went.
    pub left: Vec<MemberId>,
    /// The rules, if they changed: their version.
    pub rules_version: Option<u32>,
}

/// What became of an own application message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ApplicationOutcome {
    /// The log has it in its own epoch: every member can read it.
    Delivered {
        /// Its position.
        seq: u64,
    },
    /// A commit came before it in the log, so nobody can read it: seal and send it again. Message keys of past
    /// epochs are erased at once, and a removed member's late messages must not be read (wire.md §5), so the
    /// sender repeats instead of everybody keeping old keys.
    Missed,
}

/// What the machine tells the meeting. To be drained after every call.
#[derive(Debug)]
pub enum GroupOutput {
    /// Append this to the commit lane of the room's log.
    AppendCommit {
        /// The bytes, before padding.
        blob: Arc<[u8]>,
    },
    /// Send this to the knocker: the commit won.
    SendWelcome {
        /// Whom.
        admission: AdmissionId,
        /// The Welcome; the same bytes for everybody in one commit.
        welcome: Arc<[u8]>,
    },
    /// An admission cannot be committed any more.
    AdmissionFailed {
        /// Which.
        admission: AdmissionId,
        /// Why.
        reason: Refusal,
    },
    /// A removal cannot be committed.
    RemovalFailed {
        /// Whom.
        member: MemberId,
        /// Why.
        reason: Refusal,
    },
    /// Edits of the rules cannot be committed.
    RulesFailed {
        /// Why.
        reason: Refusal,
    },
    /// A new epoch and its keys.
    EpochStarted(Box<EpochStarted>),
    /// A member's application message.
    ApplicationReceived {
        /// Position in the log.
        seq: u64,
        /// The authenticated sender.
        sender: MemberId,
        /// Its leaf.
        leaf: LeafIndex,
        /// What it sent: chat, and the secrets of the room (SEC-12, SEC-14).
        bytes: Pii<Zeroizing<Vec<u8>>>,
    },
    /// What became of an own application message.
    ApplicationSettled {
        /// Which.
        id: ApplicationId,
        /// What.
        outcome: ApplicationOutcome,
    },
    /// An entry of the log changed nothing.
    EntrySkipped {
        /// Its position.
        seq: u64,
        /// Why.
        reason: Refusal,
        /// Who sent it, when that is authenticated.
        sender: Option<MemberId>,
    },
    /// This member was removed; the machine is dead.
    Removed {
        /// By whom.
        by: Option<MemberId>,
    },
    /// A commit is valid for the others but its secret part fails here: knock again, and tell the hosts who
    /// committed. The machine is dead.
    MustRejoin {
        /// Who signed the commit.
        committer: MemberId,
    },
}

/// A sealed application message, to be appended to the application lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedApplication {
    /// To match [`GroupOutput::ApplicationSettled`].
    pub id: ApplicationId,
    /// The bytes, before padding.
    pub blob: Arc<[u8]>,
}
