//! The relay and SFU of a meeting that is hosted in this process, or somebody's relay that it is made on.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use incamera_meeting::Founding;
use incamera_relay::{RelayConfig, RelayHandle, SfuChoice as RelaySfu, serve};
use incamera_relay_proto::{SfuKind, TextSecret};
use incamera_types::{Entropy as _, RelayAddress};

use crate::ClientError;
use crate::entropy::SystemEntropy;
use crate::options::{HostOptions, RelayPlace, SfuChoice};
use crate::reach::{self, Reach};

/// A relay that a room can be made on.
pub(crate) struct HostedRelay {
    address: RelayAddress,
    tls_pin: Option<[u8; 32]>,
    sfu: SfuKind,
    create_token: Option<TextSecret>,
    running: Option<RelayHandle>,
}

impl HostedRelay {
    /// Starts the relay, if it is to be in this process.
    pub(crate) async fn prepare(options: &HostOptions) -> Result<Self, ClientError> {
        match &options.place {
            RelayPlace::Remote { address, create_token, tls_pin } => Ok(Self {
                address: address.clone(),
                tls_pin: *tls_pin,
                sfu: SfuKind::Embedded,
                create_token: create_token.clone().map(TextSecret::new),
                running: None,
            }),
            RelayPlace::Here { listen, sfu } => Self::start(*listen, sfu).await,
        }
    }

    async fn start(listen: SocketAddr, sfu: &SfuChoice) -> Result<Self, ClientError> {
        let listen = SocketAddr::new(reachable_address(listen.ip()), listen.port());
        let token = random_token();
        let mut config = RelayConfig::for_own_meeting(vec![listen], token.clone());
        config.sfu = relay_sfu(sfu);
        #[cfg(feature = "danger-sabotage")]
        {
            config.media.recording = std::env::var_os("INCAMERA_SFU_RECORDING").map(Into::into);
        }
        let running = serve(config).await?;
        Ok(Self {
            address: RelayAddress::parse(&running.local_addr().to_string())?,
            tls_pin: running.tls_pin(),
            sfu: kind(sfu),
            create_token: Some(token),
            running: Some(running),
        })
    }

    /// What the room is made with.
    pub(crate) fn founding(&self, options: &HostOptions) -> Founding {
        Founding {
            tls_pin: self.tls_pin,
            create_token: self.create_token.clone(),
            sfu: self.sfu,
            lobby: options.lobby,
            media_stops_after: options.media_stops_after,
            removed_after: options.removed_after,
            ..Founding::new(self.address.clone(), options.name.clone())
        }
    }

    /// Who can reach it; empty when somebody else's relay does not answer.
    pub(crate) async fn reach(&self) -> Vec<Reach> {
        match &self.running {
            Some(running) => reach::probe(running.local_addr().ip(), running.local_addr().port()).await,
            None => reach::probe_remote(&self.address).await,
        }
    }

    /// The relay in this process.
    pub(crate) fn into_running(self) -> Option<RelayHandle> {
        self.running
    }
}

/// An unspecified address stands for the one by which other computers reach this one; without a network it is
/// loopback. Links name one address, and media servers must know theirs.
fn reachable_address(listen: IpAddr) -> IpAddr {
    if listen.is_unspecified() {
        reach::outward_address().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))
    } else {
        listen
    }
}

/// Permission to make the one room of a relay that is ours alone.
fn random_token() -> TextSecret {
    let mut bytes = [0; 24];
    SystemEntropy::new().fill(&mut bytes);
    TextSecret::new(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

const fn kind(sfu: &SfuChoice) -> SfuKind {
    match sfu {
        SfuChoice::Embedded => SfuKind::Embedded,
        SfuChoice::Janus { .. } => SfuKind::Janus,
        SfuChoice::Whip { .. } => SfuKind::Whip,
    }
}

fn relay_sfu(sfu: &SfuChoice) -> RelaySfu {
    match sfu.clone() {
        SfuChoice::Embedded => RelaySfu::Embedded,
        SfuChoice::Janus { url } => RelaySfu::Janus { url, token: TextSecret::default() },
        SfuChoice::Whip { publish_url, play_url, token } => RelaySfu::Whip {
            publish_url,
            subscribe_url: play_url,
            bearer: TextSecret::new(token.unwrap_or_default()),
        },
    }
}
