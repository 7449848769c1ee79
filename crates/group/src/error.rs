//! What can go wrong in the group, by who is to blame.

use core::time::Duration;

use incamera_types::{Blame, Fault, Retry};

use crate::rules::RulesError;

/// Why a call into the group failed. What peers and the relay send is never an error of the caller: it comes
/// back as [`GroupOutput::EntrySkipped`](crate::GroupOutput::EntrySkipped) with a [`Refusal`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GroupError {
    /// A cryptographic operation failed that cannot fail with intact input.
    #[error("a cryptographic operation failed")]
    Crypto,
    /// Sealed bytes do not open: altered, cut short, or sealed to another key.
    #[error("sealed data does not open with this key")]
    Sealed,
    /// The MLS library refused an operation of our own.
    #[error("the group library refused: {0}")]
    Library(String),
    /// This member was removed or must rejoin; the machine is dead.
    #[error("this device is no longer part of the meeting's group")]
    NotMember,
    /// The Welcome was processed but no admitter has confirmed this member yet (SEC-19).
    #[error("the meeting has not confirmed this device yet")]
    StillJoining,
    /// Own role lacks the right.
    #[error("the rules of the meeting do not allow this")]
    NotAllowed,
    /// No such member in this epoch.
    #[error("there is no such member in the group")]
    UnknownMember,
    /// Too large for one entry of the log.
    #[error("the message is too long")]
    TooLong,
    /// The key package of a knock is malformed, of another suite, or lacks a capability.
    #[error("the key package cannot be admitted")]
    KeyPackage,
    /// The Welcome is malformed or not for this key package.
    #[error("the admission message cannot be read")]
    Welcome,
    /// The Welcome opens but what it leads into must not be believed (SEC-19).
    #[error("the admission leads into a group that does not belong to the link: {0}")]
    Unbelievable(JoinRefusal),
    /// Rules that were to be proposed or read are not acceptable.
    #[error(transparent)]
    Rules(#[from] RulesError),
}

/// Which check of a joiner failed (SEC-19).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JoinRefusal {
    /// Another suite, or extensions other than the two that are expected.
    #[error("its parameters are not those of a meeting")]
    Parameters,
    /// The rules do not chain to the room key in the link.
    #[error("its rules do not chain to the link")]
    Rules,
    /// The rules speak of another room or group.
    #[error("its rules belong to another room")]
    OtherRoom,
    /// Whoever signed the Welcome may not admit.
    #[error("its sender may not admit anyone")]
    WelcomeSigner,
    /// A leaf's credential does not parse.
    #[error("one of its members has an unreadable credential")]
    Credential,
    /// The roster beside the tree is malformed or does not fit the tree.
    #[error("its list of members does not fit")]
    Roster,
}

impl Fault for GroupError {
    fn code(&self) -> &'static str {
        match self {
            Self::Crypto => "group.crypto",
            Self::Sealed => "group.sealed",
            Self::Library(_) => "group.mls",
            Self::NotMember => "group.not_member",
            Self::StillJoining => "group.still_joining",
            Self::NotAllowed => "group.not_allowed",
            Self::UnknownMember => "group.unknown_member",
            Self::TooLong => "group.too_long",
            Self::KeyPackage => "group.key_package",
            Self::Welcome => "group.welcome",
            Self::Unbelievable(JoinRefusal::Parameters) => "group.join.parameters",
            Self::Unbelievable(JoinRefusal::Rules) => "group.join.rules",
            Self::Unbelievable(JoinRefusal::OtherRoom) => "group.join.other_room",
            Self::Unbelievable(JoinRefusal::WelcomeSigner) => "group.join.welcome_signer",
            Self::Unbelievable(JoinRefusal::Credential) => "group.join.credential",
            Self::Unbelievable(JoinRefusal::Roster) => "group.join.roster",
            Self::Rules(error) => error.code(),
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Crypto | Self::Library(_) => Blame::Us,
            Self::Sealed | Self::KeyPackage => Blame::Peer,
            Self::NotMember | Self::StillJoining | Self::NotAllowed => Blame::Policy,
            Self::UnknownMember | Self::TooLong => Blame::Input,
            Self::Welcome | Self::Unbelievable(_) => Blame::Relay,
            Self::Rules(error) => error.blame(),
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::StillJoining => Retry::After(Duration::from_secs(1)),
            Self::Welcome | Self::Unbelievable(_) => Retry::Automatic,
            _ => Retry::Never,
        }
    }

    fn advice(&self) -> &'static str {
        match self {
            Self::Crypto | Self::Library(_) => "Leave and join again; report this as a defect.",
            Self::Sealed | Self::KeyPackage => "Ask this person to knock again.",
            Self::NotMember => "Knock again with the link.",
            Self::StillJoining => "Wait until the meeting has let you in.",
            Self::NotAllowed => "Ask a host.",
            Self::UnknownMember => "The person has left already.",
            Self::TooLong => "Send less at once.",
            Self::Welcome | Self::Unbelievable(_) => {
                "Do not trust this server; ask the host for a new link if it happens again."
            }
            Self::Rules(error) => error.advice(),
        }
    }
}

/// Why an entry of the log was skipped. All but the first three can only be caused on purpose or by another
/// version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// For another epoch: it lost the race, or was sent before its sender saw the switch.
    #[error("it belongs to another epoch")]
    OtherEpoch,
    /// Its position is not after the last one: the relay sent it twice.
    #[error("it was processed before")]
    Replayed,
    /// Claims to be ours but is not what we have outstanding: an echo of something given up, or a forgery,
    /// since such a claim is not authenticated.
    #[error("it claims to be our own and is not")]
    NotOurs,
    /// Not an MLS message, or longer than any may be.
    #[error("it is not a message")]
    Malformed,
    /// For another group.
    #[error("it belongs to another group")]
    OtherGroup,
    /// Not a PrivateMessage: external commit, external proposal, Welcome, anything in the clear.
    #[error("it is not a private message")]
    WireFormat,
    /// A proposal outside a commit.
    #[error("proposals come inside commits only")]
    StandaloneProposal,
    /// It does not decrypt or its signature does not verify.
    #[error("it does not decrypt or verify")]
    Unauthentic,
    /// Decrypts and verifies, but breaks a rule of MLS.
    #[error("it breaks the MLS protocol")]
    Protocol,
    /// The sender is not a member.
    #[error("its sender is not a member")]
    Sender,
    /// A proposal type other than Add, Remove and GroupContextExtensions.
    #[error("it contains a proposal that does not exist in meetings")]
    ProposalType,
    /// A proposal by reference.
    #[error("it refers to a proposal instead of containing it")]
    ProposalByReference,
    /// The authenticated data does not name the committer.
    #[error("it names another committer")]
    CommitterTag,
    /// Adds without the right to admit.
    #[error("its author may not admit anyone")]
    MayNotAdmit,
    /// Adds to a locked room.
    #[error("the room is locked")]
    Locked,
    /// Removes without the right to.
    #[error("its author may not remove this member")]
    MayNotRemove,
    /// An Add at leaf 1,024 or later.
    #[error("the room is full")]
    Full,
    /// An added leaf with an unreadable credential, another lifetime or suite, or a key already present.
    #[error("it adds an unacceptable leaf")]
    AddedLeaf,
    /// The path changes the committer's key or credential.
    #[error("it changes the identity of its author")]
    PathLeaf,
    /// Rules that are malformed, not newer, of another room, or do not chain to the room key.
    #[error("its rules are forged or outdated")]
    Rules,
    /// The author may not change the rules.
    #[error("its author may not change the rules")]
    MayNotChangeRules,
    /// The author has no right to admit and authored one of the last eight commits.
    #[error("its author committed too recently")]
    TooSoon,
}

impl Fault for Refusal {
    fn code(&self) -> &'static str {
        match self {
            Self::OtherEpoch => "group.entry.other_epoch",
            Self::Replayed => "group.entry.replayed",
            Self::NotOurs => "group.entry.not_ours",
            Self::Malformed => "group.entry.malformed",
            Self::OtherGroup => "group.entry.other_group",
            Self::WireFormat => "group.entry.wire_format",
            Self::StandaloneProposal => "group.entry.standalone_proposal",
            Self::Unauthentic => "group.entry.unauthentic",
            Self::Protocol => "group.entry.protocol",
            Self::Sender => "group.commit.sender",
            Self::ProposalType => "group.commit.proposal_type",
            Self::ProposalByReference => "group.commit.proposal_by_reference",
            Self::CommitterTag => "group.commit.committer_tag",
            Self::MayNotAdmit => "group.commit.may_not_admit",
            Self::Locked => "group.commit.locked",
            Self::MayNotRemove => "group.commit.may_not_remove",
            Self::Full => "group.commit.full",
            Self::AddedLeaf => "group.commit.added_leaf",
            Self::PathLeaf => "group.commit.path_leaf",
            Self::Rules => "group.commit.rules",
            Self::MayNotChangeRules => "group.commit.may_not_change_rules",
            Self::TooSoon => "group.commit.too_soon",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Replayed | Self::Malformed | Self::OtherGroup | Self::WireFormat => Blame::Relay,
            _ => Blame::Peer,
        }
    }

    fn retry(&self) -> Retry {
        if matches!(self, Self::OtherEpoch) { Retry::Automatic } else { Retry::Never }
    }

    fn advice(&self) -> &'static str {
        match self {
            Self::OtherEpoch | Self::NotOurs => "Nothing: the program sends again what was lost.",
            Self::Full => "Nobody can join until somebody leaves.",
            Self::Locked => "Unlock the room to let people in.",
            _ => "Nothing was changed; if it happens again, somebody or the server misbehaves.",
        }
    }
}
