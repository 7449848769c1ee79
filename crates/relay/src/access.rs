//! How members reach the SFU: the adapter between tickets and the SFU that the configuration names.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use incamera_relay_proto::{IceServer, SfuKind, TextSecret, TicketIdentity};
use incamera_sfu::{GrantRequest, Limits, Pseudonym, Rights, Sfu, SfuConfig, SfuHandle};
use incamera_types::RoomId;

use crate::config::{IceConfig, MediaConfig, RelayConfig, SfuChoice, TurnConfig};
use crate::{RelayError, SfuAccess, SfuGrant, SfuRoom};

/// Path under which the embedded SFU is mounted, with its own `/whip`, `/whep` and so on.
pub(crate) const SFU_PATH: &str = "/sfu";

/// Gives access to the configured SFU.
pub(crate) struct SfuGate {
    choice: SfuChoice,
    ice: IceConfig,
    embedded: Option<SfuHandle>,
}

impl SfuGate {
    /// Starts the embedded SFU if that is the configured one.
    pub(crate) fn start(config: &RelayConfig) -> Result<Self, RelayError> {
        let embedded = match config.sfu {
            SfuChoice::Embedded => {
                let sfu = SfuConfig {
                    udp: config.media_addresses(),
                    public_addresses: config.media.public_addresses.clone(),
                    limits: sfu_limits(&config.media),
                    #[cfg(feature = "danger-record")]
                    recording: config.media.recording.clone(),
                    ..SfuConfig::default()
                };
                Some(Sfu::start(sfu)?)
            }
            SfuChoice::Whip { .. } | SfuChoice::Janus { .. } => None,
        };
        Ok(Self { choice: config.sfu.clone(), ice: config.ice.clone(), embedded })
    }

    pub(crate) const fn embedded(&self) -> Option<&SfuHandle> {
        self.embedded.as_ref()
    }

    /// Access for one member; `None` when the SFU gives none.
    pub(crate) fn grant(&self, grant: &SfuGrant) -> Option<SfuAccess> {
        let ice_servers = self.ice_servers(grant);
        match &self.choice {
            SfuChoice::Embedded => self.grant_embedded(grant, ice_servers),
            SfuChoice::Whip { publish_url, subscribe_url, bearer } => Some(SfuAccess {
                sfu: SfuKind::Whip,
                publish_url: publish_url.clone(),
                subscribe_url: subscribe_url.clone(),
                bearer: bearer.clone(),
                janus: None,
                ice_servers,
            }),
            SfuChoice::Janus { url, token } => Some(SfuAccess {
                sfu: SfuKind::Janus,
                publish_url: url.clone(),
                subscribe_url: String::new(),
                bearer: token.clone(),
                janus: Some(grant.janus.clone()),
                ice_servers,
            }),
        }
    }

    fn grant_embedded(&self, grant: &SfuGrant, ice_servers: Vec<IceServer>) -> Option<SfuAccess> {
        let request = GrantRequest {
            room: sfu_room(grant.room),
            identity: pseudonym(grant.identity)?,
            rights: Rights::WatchAndPublish,
            valid_for: grant.valid_for,
        };
        let bearer = match self.embedded.as_ref()?.grant(request) {
            Ok(bearer) => TextSecret::new(bearer.reveal().to_owned()),
            Err(error) => {
                tracing::warn!(%error, "the embedded SFU gave no ticket");
                return None;
            }
        };
        Some(SfuAccess {
            sfu: SfuKind::Embedded,
            publish_url: format!("{SFU_PATH}/whip/{{stream}}"),
            subscribe_url: format!("{SFU_PATH}/whep"),
            bearer,
            janus: None,
            ice_servers,
        })
    }

    /// Third parties' servers offer no way to revoke; their tickets only run out.
    pub(crate) fn revoke(&self, room: SfuRoom, identity: TicketIdentity) {
        if let (Some(sfu), Some(identity)) = (&self.embedded, pseudonym(identity)) {
            sfu.revoke(sfu_room(room), &identity);
        }
    }

    pub(crate) fn end_room(&self, room: SfuRoom) {
        if let Some(sfu) = &self.embedded {
            sfu.end_room(sfu_room(room));
        }
    }

    /// Makes the embedded SFU attack a room, or stops that.
    #[cfg(feature = "danger-hostile-sfu")]
    pub(crate) fn set_hostility(&self, room: SfuRoom, hostility: Option<incamera_sfu::Hostility>) {
        if let Some(sfu) = &self.embedded {
            sfu.set_hostility(sfu_room(room), hostility);
        }
    }

    fn ice_servers(&self, grant: &SfuGrant) -> Vec<IceServer> {
        let stun = (!self.ice.stun.is_empty()).then(|| IceServer {
            urls: self.ice.stun.clone(),
            username: String::new(),
            credential: TextSecret::default(),
        });
        let turn = self.ice.turn.as_ref();
        let turn = turn.map(|turn| turn_login(turn, grant.valid_until_unix_ms / 1_000, grant.identity));
        stun.into_iter().chain(turn).collect()
    }
}

/// Credentials of draft-uberti-behave-turn-rest-00: user name `expiry:identity`, password its HMAC-SHA1 under the
/// secret shared with the server. SHA-1 is what that interface prescribes.
fn turn_login(turn: &TurnConfig, expires_unix_seconds: u64, identity: TicketIdentity) -> IceServer {
    let username = format!("{expires_unix_seconds}:{identity}");
    let key =
        ring::hmac::Key::new(ring::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, turn.secret.expose().as_bytes());
    let credential = BASE64.encode(ring::hmac::sign(&key, username.as_bytes()));
    IceServer { urls: turn.urls.clone(), username, credential: TextSecret::new(credential) }
}

fn sfu_limits(media: &MediaConfig) -> Limits {
    let mut limits = Limits::default();
    if let Some(megabits) = media.egress_mbit {
        limits = limits.with_egress_mbit(megabits.get());
    }
    if let Some(megabits) = media.publisher_mbit {
        limits = limits.with_publisher_mbit(megabits.get());
    }
    limits
}

fn sfu_room(room: SfuRoom) -> RoomId {
    RoomId(room.0)
}

fn pseudonym(identity: TicketIdentity) -> Option<Pseudonym> {
    Pseudonym::parse(&identity.to_string()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turn_credentials_are_what_coturn_computes() {
        let turn =
            TurnConfig { urls: vec!["turn:turn.example".into()], secret: TextSecret::new("north".into()) };
        let login = turn_login(&turn, 1_700_000_000, TicketIdentity([0; 16]));
        assert_eq!(login.username, "1700000000:00000000000000000000000000000000");
        // printf '1700000000:000…0' | openssl dgst -sha1 -hmac north -binary | base64
        assert_eq!(login.credential.expose(), "I1Iit7xgv//I6W6rcJIJTk9leh8=");
    }
}
