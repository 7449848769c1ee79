//! What a meeting is started with.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use incamera_devices::{AudioSink, AudioSource, VideoSource};
use incamera_types::{Invite, Pii};

use crate::reception::Reception;

/// A meeting to make.
pub struct HostOptions {
    /// Our name.
    pub name: Pii<String>,
    /// Where its relay is.
    pub place: RelayPlace,
    /// Whether people wait until they are admitted.
    pub lobby: incamera_meeting::LobbyMode,
    /// Silence after which media of and to a participant stops; 10 to 120 s.
    pub media_stops_after: Duration,
    /// Silence after which a participant is removed; 20 to 600 s.
    pub removed_after: Duration,
}

/// A meeting to join.
pub struct JoinOptions {
    /// The invite. Show it to the user before this: it names the server that is contacted.
    pub invite: Invite,
    /// Our name.
    pub name: Pii<String>,
}

/// Where the relay of a new meeting is.
#[derive(Clone, Debug)]
pub enum RelayPlace {
    /// In this process, for as long as the meeting lasts.
    Here {
        /// Where it listens. An unspecified address: on every network; port 0: any free one.
        listen: SocketAddr,
        /// Its media server.
        sfu: SfuChoice,
    },
    /// Somebody's relay, with the media server that it is configured for.
    Remote {
        /// `host` or `host:port`.
        address: String,
        /// Token that the relay asks for before it makes a room.
        create_token: Option<String>,
        /// SHA-256 of the public key of a relay with a self-signed certificate, which links then carry; `None`: its
        /// certificate is one that the operating system trusts.
        tls_pin: Option<[u8; 32]>,
    },
}

/// The media server of a meeting that is hosted here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SfuChoice {
    /// The one in this process.
    Embedded,
    /// A Janus VideoRoom.
    Janus {
        /// `ws://` or `wss://` address, without query.
        url: String,
    },
    /// A WHIP server.
    Whip {
        /// Where to publish.
        publish_url: String,
        /// Where to play: `{stream}` stands for the stream's name.
        play_url: String,
        /// Bearer token.
        token: Option<String>,
    },
}

impl SfuChoice {
    /// Reads `embedded`, `janus:ws://HOST:PORT[/PATH]` or `whip:URL[,whep=URL][,token=T]`.
    ///
    /// # Errors
    /// In words, which part cannot be read.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == "embedded" {
            return Ok(Self::Embedded);
        }
        if let Some(url) = text.strip_prefix("janus:") {
            let fits = url.starts_with("ws://") || url.starts_with("wss://");
            let url = url.to_owned();
            return fits
                .then_some(Self::Janus { url })
                .ok_or_else(|| "janus: needs a ws:// or wss:// address".into());
        }
        let rest = text
            .strip_prefix("whip:")
            .ok_or("the media server is embedded, janus:ws://… or whip:https://…")?;
        let mut parts = rest.split(',');
        let publish_url = parts.next().unwrap_or_default().to_owned();
        if !publish_url.starts_with("https://") && !publish_url.starts_with("http://") {
            return Err("whip: needs an http:// or https:// address".into());
        }
        let (mut play_url, mut token) = (publish_url.replace("whip", "whep"), None);
        for part in parts {
            match part.split_once('=') {
                Some(("whep", url)) => url.clone_into(&mut play_url),
                Some(("token", secret)) => token = Some(secret.to_owned()),
                _ => return Err(format!("whip: does not know {part}")),
            }
        }
        Ok(Self::Whip { publish_url, play_url, token })
    }
}

/// What is sent and what becomes of what is received.
pub struct MediaOptions {
    /// What is heard of us.
    pub audio: Box<dyn AudioSource>,
    /// What is seen of us.
    pub video: Option<Box<dyn VideoSource>>,
    /// Bit rate of the largest picture in kbit/s.
    pub video_kbps: u32,
    /// Sizes of the picture that are sent at once, 1 to 3.
    pub layers: u8,
    /// Layer of others' pictures that is wanted unless said otherwise; 0 is the largest.
    pub wanted_layer: u8,
    /// Where the others are heard; `None`: nowhere.
    pub speaker: Option<Box<dyn AudioSink>>,
    /// Takes everything that is decoded.
    pub reception: Option<Box<dyn Reception>>,
    /// Local address for media; `None` chooses by the server's address.
    pub bind: Option<IpAddr>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_servers_are_read_strictly() {
        assert_eq!(SfuChoice::parse("embedded"), Ok(SfuChoice::Embedded));
        assert_eq!(
            SfuChoice::parse("janus:ws://10.0.0.1:8188"),
            Ok(SfuChoice::Janus { url: "ws://10.0.0.1:8188".into() })
        );
        assert_eq!(
            SfuChoice::parse("whip:https://sfu.example/whip/{stream},token=t"),
            Ok(SfuChoice::Whip {
                publish_url: "https://sfu.example/whip/{stream}".into(),
                play_url: "https://sfu.example/whep/{stream}".into(),
                token: Some("t".into()),
            })
        );
        for bad in ["", "janus:http://x", "whip:ftp://x", "whip:https://x,y=z", "livekit:wss://x"] {
            assert!(SfuChoice::parse(bad).is_err(), "{bad}");
        }
    }
}
