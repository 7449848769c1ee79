//! The two ways into a meeting: making a room, and knocking at one.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use core::time::Duration;

use incamera_group::hpke::HpkePrivateKey;
use incamera_group::{GroupError, GroupMachine, Lobby as LobbyRule, RoomSettings};
use incamera_identity::{DisplayName, Fingerprint, SigningKey};
#[cfg(feature = "danger-sabotage")]
use incamera_relay_proto::{Blob, Lane, Request};
use incamera_relay_proto::{SfuKind, TextSecret};
use incamera_types::{Entropy, FrameSuite, Invite, LinkSecret, Now, RelayAddress, RoomId};

use super::{MediaFlow, MeetingMachine, Timers};
use crate::absence::Absence;
use crate::alarms::Alarms;
use crate::answers::Answers;
use crate::card::CardWatch;
use crate::chat::Chat;
use crate::confirmation::Confirmation;
use crate::door::Door;
use crate::early::EarlyMessages;
use crate::entropy::SharedEntropy;
use crate::error::MeetingError;
use crate::event::MeetingState;
use crate::heartbeat::HeartbeatClock;
use crate::host::Founder;
use crate::input::LobbyMode;
use crate::link_keys::{KnockProofKey, knock_capability};
use crate::liveness::Liveness;
use crate::lobby::Lobby;
use crate::log::LogView;
use crate::membership::Membership;
use crate::repair::Repair;
use crate::roster::Roster;
use crate::rotation::Admin;
use crate::safeguards::Safeguards;
use crate::secrets::capability_hash;
#[cfg(feature = "danger-sabotage")]
use crate::session::Purpose;
use crate::session::Session;
use crate::streams::Streams;
use crate::tickets::Tickets;

/// What a host chooses.
pub struct Founding {
    /// The relay that will carry the room.
    pub relay: RelayAddress,
    /// SHA-256 of the relay's TLS public key, when its certificate is self-signed.
    pub tls_pin: Option<[u8; 32]>,
    /// Permission to make rooms at this relay, when it demands one.
    pub create_token: Option<TextSecret>,
    /// Kind of SFU that the relay gives tickets for; shown in the card.
    pub sfu: SfuKind,
    /// The host's name.
    pub name: DisplayName,
    /// The host's long-term identity, if it shows one.
    pub identity: Option<Arc<SigningKey>>,
    /// SFrame suite of the room.
    pub suite: FrameSuite,
    /// Whether people wait for a host.
    pub lobby: LobbyMode,
    /// Silence after which media of and to a member stops, in [`crate::MEDIA_STOP_RANGE`].
    pub media_stops_after: Duration,
    /// Silence after which a member is removed; from `media_stops_after` to one hour.
    pub removed_after: Duration,
}

impl Founding {
    /// A meeting with the default rules: lobby, 30 s and 60 s, AES-256, embedded SFU.
    #[must_use]
    pub fn new(relay: RelayAddress, name: DisplayName) -> Self {
        let settings = RoomSettings::default();
        Self {
            relay,
            tls_pin: None,
            create_token: None,
            sfu: SfuKind::Embedded,
            name,
            identity: None,
            suite: settings.suite,
            lobby: LobbyMode::Wait,
            media_stops_after: settings.media_stop,
            removed_after: settings.removal,
        }
    }

    fn settings(&self) -> RoomSettings {
        RoomSettings {
            suite: self.suite,
            lobby: self.lobby.into(),
            media_stop: self.media_stops_after,
            removal: self.removed_after,
            ..RoomSettings::default()
        }
    }
}

impl From<LobbyMode> for LobbyRule {
    fn from(mode: LobbyMode) -> Self {
        match mode {
            LobbyMode::Wait => Self::On,
            LobbyMode::Open => Self::Off,
        }
    }
}

/// What somebody with a link brings.
pub struct Knocking {
    /// The link.
    pub invite: Invite,
    /// The name to be shown.
    pub name: DisplayName,
    /// The long-term identity, if one is shown.
    pub identity: Option<Arc<SigningKey>>,
}

impl MeetingMachine {
    /// Makes a room: its keys, rules and link. It exists at the relay after [`crate::Input::RelayConnected`].
    ///
    /// # Errors
    /// [`MeetingError::Rules`] for deadlines out of range; the others only by a defect.
    pub fn found(
        now: Now,
        founding: Founding,
        entropy: Box<dyn Entropy>,
    ) -> Result<(Self, Invite), MeetingError> {
        let mut entropy = SharedEntropy::new(entropy);
        let names = (RoomId(entropy.bytes()), LinkSecret::new(entropy.bytes()));
        Self::found_named(now, founding, entropy, names)
    }

    /// Makes a room that passes for the one of `invite` with everybody who does not look at the room key: what a
    /// relay can do whose operator got hold of a link.
    ///
    /// # Errors
    /// As [`MeetingMachine::found`].
    #[cfg(feature = "danger-sabotage")]
    pub fn found_phantom(
        now: Now,
        founding: Founding,
        entropy: Box<dyn Entropy>,
        invite: &Invite,
    ) -> Result<(Self, Invite), MeetingError> {
        Self::found_named(now, founding, SharedEntropy::new(entropy), (invite.room, invite.secret.clone()))
    }

    fn found_named(
        now: Now,
        founding: Founding,
        mut entropy: SharedEntropy,
        (room, secret): (RoomId, LinkSecret),
    ) -> Result<(Self, Invite), MeetingError> {
        let room_key = Arc::new(SigningKey::generate(&mut entropy));
        let invite = Invite {
            relay: founding.relay.clone(),
            room,
            secret,
            room_key_hash: Fingerprint::of(&room_key.verifying_key()).0,
            tls_pin: founding.tls_pin,
        };
        let group_founding = incamera_group::Founding {
            room: invite.room,
            room_key: Arc::clone(&room_key),
            name: founding.name.clone(),
            identity: founding.identity.as_deref(),
            settings: founding.settings(),
        };
        let group = GroupMachine::found(now, group_founding, Box::new(entropy.clone()));
        let group = group.map_err(|error| match error {
            GroupError::Rules(_) => MeetingError::Rules,
            _ => MeetingError::Group,
        })?;
        let knock = capability_hash(&knock_capability(&invite.secret, invite.room)?);
        let lobby_key = HpkePrivateKey::generate(&mut entropy).map_err(|_| MeetingError::Group)?;
        let mut machine = Self::blank(now, invite.clone(), founding.name, founding.identity, entropy)?;
        machine.founder =
            Some(Founder::new(invite.room, room_key, knock, founding.sfu, founding.create_token));
        machine.admin = Some(Admin::new(SigningKey::generate(&mut machine.entropy)));
        machine.membership = Some(Membership::generate(&mut machine.entropy));
        machine.lobby = Lobby::new(Some(lobby_key));
        machine.log.begin(&group.authenticator());
        machine.group = Some(group);
        Ok((machine, invite))
    }

    /// Prepares to knock with a link. Nothing is sent before [`crate::Input::RelayConnected`].
    ///
    /// # Errors
    /// Only by a defect.
    pub fn knock(now: Now, knocking: Knocking, entropy: Box<dyn Entropy>) -> Result<Self, MeetingError> {
        let Knocking { invite, name, identity } = knocking;
        let mut entropy = SharedEntropy::new(entropy);
        let door = Door::new(None, &mut entropy)?;
        let mut machine = Self::blank(now, invite, name, identity, entropy)?;
        machine.door = Some(door);
        Ok(machine)
    }

    fn blank(
        now: Now,
        invite: Invite,
        name: DisplayName,
        identity: Option<Arc<SigningKey>>,
        entropy: SharedEntropy,
    ) -> Result<Self, MeetingError> {
        Ok(Self {
            card: CardWatch::new(&invite),
            proof_key: KnockProofKey::derive(&invite.secret, invite.room)?,
            invite,
            name,
            identity,
            entropy,
            safeguards: Safeguards::default(),
            #[cfg(feature = "danger-sabotage")]
            group_safeguards: incamera_group::Safeguards::default(),
            state: MeetingState::Connecting,
            outputs: VecDeque::new(),
            alarms: Alarms::default(),
            session: Session::default(),
            absence: Absence::default(),
            log: LogView::default(),
            membership: None,
            tickets: Tickets::default(),
            timers: Timers::default(),
            deadline: None,
            commit: None,
            door: None,
            founder: None,
            admin: None,
            lobby: Lobby::new(None),
            answers: Answers::default(),
            group: None,
            rejoin_key: None,
            roster: Roster::default(),
            state_hash: [0; 16],
            rules: None,
            room_code: String::new(),
            online: BTreeSet::new(),
            leaving: BTreeSet::new(),
            early: EarlyMessages::default(),
            uncompared: BTreeMap::new(),
            anchors: Vec::new(),
            clock: HeartbeatClock::default(),
            liveness: Liveness::default(),
            confirmation: Confirmation::new(now.mono),
            media: MediaFlow::NotYet,
            repair: Repair::default(),
            streams: Streams::default(),
            chat: Chat::default(),
            sent: BTreeMap::new(),
            secrets_sent_in: None,
        })
    }

    /// Switches one safeguard off by its name, be it of the meeting or of the group; whether there is one.
    #[cfg(feature = "danger-sabotage")]
    pub fn switch_off(&mut self, safeguard: &str) -> bool {
        let mut group = self.group_safeguards;
        if group.switch_off(safeguard) {
            self.set_group_safeguards(group);
            return true;
        }
        self.safeguards.switch_off(safeguard)
    }

    /// Appends the external commit of an outsider called `name` to the log, as a member could who gives the group's
    /// public state away.
    #[cfg(feature = "danger-sabotage")]
    pub fn let_outsider_in(&mut self, name: DisplayName) {
        let entropy = Box::new(self.entropy.clone());
        let commit = self.group.as_ref().and_then(|group| group.external_commit(name, entropy));
        let Some(blob) = commit.and_then(|commit| Blob::pad(&commit).ok()) else { return };
        self.ask(Purpose::Commit, Request::Append { lane: Lane::Commit, blob });
    }

    /// Switches safeguards of the meeting off.
    #[cfg(feature = "danger-sabotage")]
    pub fn set_safeguards(&mut self, safeguards: Safeguards) {
        self.safeguards = safeguards;
    }

    /// Switches safeguards of the group off, in the present group and in those entered later.
    #[cfg(feature = "danger-sabotage")]
    pub fn set_group_safeguards(&mut self, safeguards: incamera_group::Safeguards) {
        self.group_safeguards = safeguards;
        if let Some(group) = &mut self.group {
            group.set_safeguards(safeguards);
        }
    }
}
