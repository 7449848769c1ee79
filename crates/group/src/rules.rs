//! The signed rules of a room: a GroupContext extension that every member checks every commit against
//! (wire.md §5, SEC-10). Unknown roles and rights mean the least.

mod delegation;
mod wire;

use core::time::Duration;

use incamera_identity::{Fingerprint, SigningKey, VerifyingKey, sha256_parts};
use incamera_types::{Blame, Context, Fault, FrameSuite, MAX_LEAVES, RoomId};

pub use delegation::{Delegation, MAX_DELEGATIONS, Powers};
pub use wire::UnverifiedRules;

/// Bounds of [`Rules::media_stop`]. A view is as old as the newest own heartbeat that was echoed: the next one goes out 5 s
/// after it, and its echo may take 5 s more without anybody being away.
pub const MEDIA_STOP_RANGE: core::ops::RangeInclusive<Duration> =
    Duration::from_secs(15)..=Duration::from_secs(120);

/// Longest [`Rules::removal`].
pub const MAX_REMOVAL: Duration = Duration::from_secs(3_600);

/// What stands for a leaf in the rules: the first 16 bytes of SHA-256 over a label and the leaf key. Known
/// before the leaf is added, so that Add and role fit into one commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeafKeyHash(pub [u8; 16]);

impl LeafKeyHash {
    /// The hash of this leaf key.
    #[must_use]
    pub fn of(leaf_key: &VerifyingKey) -> Self {
        let digest = sha256_parts(&[b"Incamera 1.0 leaf in rules", leaf_key.as_bytes()]);
        let mut hash = [0; 16];
        for (byte, from) in hash.iter_mut().zip(digest) {
            *byte = from;
        }
        Self(hash)
    }
}

/// What a member is in the room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// May do what the rules give to participants, or to this one.
    Participant,
    /// Has every right, removes anyone, changes the rules.
    Host,
    /// A role of a later version: no right at all.
    Unknown(u8),
}

impl Role {
    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Participant => 0,
            Self::Host => 1,
            Self::Unknown(number) => number,
        }
    }

    /// The role with this number.
    #[must_use]
    pub const fn from_number(number: u8) -> Self {
        match number {
            0 => Self::Participant,
            1 => Self::Host,
            other => Self::Unknown(other),
        }
    }
}

/// A set of rights. Bits of later versions grant nothing here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Rights(u16);

impl Rights {
    /// No right.
    pub const NONE: Self = Self(0);
    /// Let people in, and remove those who are not hosts.
    pub const ADMIT: Self = Self(1);
    /// Send the microphone.
    pub const SPEAK: Self = Self(2);
    /// Send the camera.
    pub const SHOW: Self = Self(4);
    /// Send the screen and its sound.
    pub const SHARE: Self = Self(8);
    /// Record.
    pub const RECORD: Self = Self(16);
    /// Every right this version knows.
    pub const ALL: Self = Self(31);
    /// What participants may do unless the rules say otherwise: speak, show and share.
    pub const DEFAULT_PARTICIPANT: Self = Self(14);

    /// The set from the wire; unknown bits are dropped.
    #[must_use]
    pub const fn from_bits(bits: u16) -> Self {
        Self(bits & Self::ALL.0)
    }

    /// The bits on the wire.
    #[must_use]
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// Whether all of `other` is in this set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both sets together.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// This set without `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The stream contexts that a member with these rights may send; an attestation with its stream.
    #[must_use]
    pub fn contexts(self) -> ContextSet {
        Context::ALL.into_iter().filter(|context| self.contains(right_for(*context))).collect()
    }
}

fn right_for(context: Context) -> Rights {
    match context.attests().unwrap_or(context) {
        Context::Microphone => Rights::SPEAK,
        Context::CameraHigh | Context::CameraMedium | Context::CameraLow => Rights::SHOW,
        _ => Rights::SHARE,
    }
}

/// A set of stream contexts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ContextSet(u16);

impl ContextSet {
    /// Whether `context` is in the set.
    #[must_use]
    pub fn contains(self, context: Context) -> bool {
        self.0 & bit(context) != 0
    }

    /// The contexts in numeric order.
    pub fn iter(self) -> impl Iterator<Item = Context> {
        Context::ALL.into_iter().filter(move |context| self.contains(*context))
    }

    /// Whether everything in `other` is in this set.
    #[must_use]
    pub const fn covers(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl FromIterator<Context> for ContextSet {
    fn from_iter<I: IntoIterator<Item = Context>>(contexts: I) -> Self {
        Self(contexts.into_iter().fold(0, |set, context| set | bit(context)))
    }
}

fn bit(context: Context) -> u16 {
    1_u16.checked_shl(u32::from(context.number())).unwrap_or(0)
}

/// Whether a knock waits for a person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Lobby {
    /// Whoever holds the link is admitted.
    #[default]
    Off,
    /// Somebody with the right to admit decides.
    On,
}

/// Whether anybody can be added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Lock {
    /// Members may be added.
    #[default]
    Open,
    /// Only as many may be added as the same commit removes (repair by re-adding).
    Locked,
}

/// A role or rights other than those of every participant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemberGrant {
    /// The role.
    pub role: Role,
    /// The rights; hosts have all of them anyway, unknown roles none.
    pub rights: Rights,
}

/// The rules as people mean them; signed by [`Rules::sign`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The room.
    pub room: RoomId,
    /// The MLS group id: the same rules mean nothing in another group.
    pub group: [u8; 16],
    /// Grows by one with every change.
    pub version: u32,
    /// The SFrame suite; fixed when the room is made.
    pub suite: FrameSuite,
    /// Whether knocks wait.
    pub lobby: Lobby,
    /// Whether adds are refused.
    pub lock: Lock,
    /// Silence after which media of and to a member stops, in [`MEDIA_STOP_RANGE`] (SEC-08).
    pub media_stop: Duration,
    /// Silence after which a member is removed; from `media_stop` to one hour.
    pub removal: Duration,
    /// Rights of everybody not listed in `grants`.
    pub participant_rights: Rights,
    /// Exceptions by leaf key.
    pub grants: std::collections::BTreeMap<LeafKeyHash, MemberGrant>,
}

impl Rules {
    /// The rules of a new room: one host, lobby off, deadlines 30 s and 60 s, default suite.
    #[must_use]
    pub fn new(room: RoomId, group: [u8; 16], host: &VerifyingKey) -> Self {
        let grant = MemberGrant { role: Role::Host, rights: Rights::ALL };
        Self {
            room,
            group,
            version: 1,
            suite: FrameSuite::default(),
            lobby: Lobby::Off,
            lock: Lock::Open,
            media_stop: Duration::from_secs(30),
            removal: Duration::from_secs(60),
            participant_rights: Rights::DEFAULT_PARTICIPANT,
            grants: [(LeafKeyHash::of(host), grant)].into(),
        }
    }

    /// The role of the member with this leaf key.
    pub(crate) fn role_of(&self, leaf_key: &VerifyingKey) -> Role {
        self.grants.get(&LeafKeyHash::of(leaf_key)).map_or(Role::Participant, |grant| grant.role)
    }

    /// The rights of the member with this leaf key. Unknown means the least (SEC-10).
    pub(crate) fn rights_of(&self, leaf_key: &VerifyingKey) -> Rights {
        match self.grants.get(&LeafKeyHash::of(leaf_key)) {
            None => self.participant_rights,
            Some(MemberGrant { role: Role::Participant, rights }) => *rights,
            Some(MemberGrant { role: Role::Host, .. }) => Rights::ALL,
            Some(MemberGrant { role: Role::Unknown(_), .. }) => Rights::NONE,
        }
    }

    /// Signs the rules with the room key.
    ///
    /// # Errors
    /// [`RulesError::Range`] when a value is out of its range.
    pub fn sign(
        &self,
        room_key: &SigningKey,
        delegations: &[Delegation],
    ) -> Result<VerifiedRules, RulesError> {
        wire::sign(self, room_key.verifying_key(), delegations, room_key)
    }

    /// Signs the rules as a delegate: `key` is named by a delegation with [`Powers::RULES`].
    ///
    /// # Errors
    /// [`RulesError::Range`], or [`RulesError::Chain`] when no such delegation is among them.
    pub(crate) fn sign_as_delegate(
        &self,
        key: &SigningKey,
        room_key: VerifyingKey,
        delegations: &[Delegation],
    ) -> Result<VerifiedRules, RulesError> {
        wire::sign(self, room_key, delegations, key)
    }

    fn check_ranges(&self) -> Result<(), RulesError> {
        let whole = |duration: Duration| duration.subsec_nanos() == 0;
        let in_range = MEDIA_STOP_RANGE.contains(&self.media_stop)
            && (self.media_stop..=MAX_REMOVAL).contains(&self.removal)
            && whole(self.media_stop)
            && whole(self.removal)
            && self.grants.len() <= MAX_LEAVES as usize;
        if in_range { Ok(()) } else { Err(RulesError::Range) }
    }
}

/// Who signed a set of verified rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RulesSigner {
    /// The room key itself.
    RoomKey,
    /// The holder of a delegation with [`Powers::RULES`].
    Delegate(VerifyingKey),
}

/// Rules whose signature chains to the room key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedRules {
    rules: Rules,
    room_key: VerifyingKey,
    delegations: Vec<Delegation>,
    signer: RulesSigner,
    bytes: Vec<u8>,
}

impl VerifiedRules {
    /// The rules.
    #[must_use]
    pub const fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The room key to which they chain.
    #[must_use]
    pub const fn room_key(&self) -> &VerifyingKey {
        &self.room_key
    }

    /// The fingerprint of the room key, as in the link.
    pub(crate) fn room_key_fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.room_key)
    }

    /// The delegations that travel with them.
    pub(crate) fn delegations(&self) -> &[Delegation] {
        &self.delegations
    }

    /// Who signed.
    #[must_use]
    pub const fn signer(&self) -> RulesSigner {
        self.signer
    }

    /// The bytes on the wire.
    #[must_use]
    pub fn to_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What `key` may do by the room key's delegations.
    pub(crate) fn powers_of(&self, key: &VerifyingKey) -> Powers {
        delegation::powers_of(key, &self.delegations)
    }
}

/// What is wrong with rules or a delegation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RulesError {
    /// Missing, additional or impossible bytes.
    #[error("the rules of the meeting are malformed")]
    Malformed,
    /// A format of another version.
    #[error("the rules of the meeting have format version {0}, which this version of Incamera does not know")]
    Version(u8),
    /// A value outside its range.
    #[error("a rule is outside its allowed range")]
    Range,
    /// The signature does not chain to the room key.
    #[error("the rules of the meeting are not signed by its room key or a delegate")]
    Chain,
}

impl Fault for RulesError {
    fn code(&self) -> &'static str {
        match self {
            Self::Malformed => "group.rules.malformed",
            Self::Version(_) => "group.rules.version",
            Self::Range => "group.rules.range",
            Self::Chain => "group.rules.chain",
        }
    }

    fn blame(&self) -> Blame {
        if matches!(self, Self::Range) { Blame::Input } else { Blame::Peer }
    }

    fn advice(&self) -> &'static str {
        match self {
            Self::Version(_) => "Update Incamera.",
            Self::Range => "Choose a value inside the range.",
            Self::Malformed | Self::Chain => "Do not trust these rules; ask the host.",
        }
    }
}

#[cfg(test)]
mod tests;
