//! What a meeting is started with.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use incamera_devices::{AudioSink, AudioSource, VideoFormat, VideoSource};
use incamera_identity::DisplayName;
use incamera_transport::IcePolicy;
use incamera_types::{Invite, RelayAddress};

use crate::reception::Reception;

/// A meeting to make.
pub struct HostOptions {
    /// Our name.
    pub name: DisplayName,
    /// Where its relay is.
    pub place: RelayPlace,
    /// Whether people wait until they are admitted.
    pub lobby: incamera_meeting::LobbyMode,
    /// Silence after which media of and to a participant stops, in [`incamera_meeting::MEDIA_STOP_RANGE`].
    pub media_stops_after: Duration,
    /// Silence after which a participant is removed; 20 to 600 s.
    pub removed_after: Duration,
}

/// A meeting to join.
pub struct JoinOptions {
    /// The invite. Show it to the user before this: it names the server that is contacted.
    pub invite: Invite,
    /// Our name.
    pub name: DisplayName,
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
        /// Its host and port.
        address: RelayAddress,
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
    /// Reads `embedded`, `janus:ws://HOST:PORT[/PATH]` or `whip:URL[,whep=URL][,token=T]`. In URLs and token `{stream}`
    /// stands for a stream's name; without it the name follows the URL to publish at.
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
        let mut publish_url = parts.next().unwrap_or_default().to_owned();
        if !publish_url.starts_with("https://") && !publish_url.starts_with("http://") {
            return Err("whip: needs an http:// or https:// address".into());
        }
        let (mut play_url, mut token) = (None, None);
        for part in parts {
            match part.split_once('=') {
                Some(("whep", url)) => play_url = Some(url.to_owned()),
                Some(("token", secret)) => token = Some(secret.to_owned()),
                _ => return Err(format!("whip: does not know {part}")),
            }
        }
        // A token that names the stream makes one address serve all.
        let by_token = token.as_ref().is_some_and(|token| token.contains(STREAM));
        if !by_token && !publish_url.contains(STREAM) {
            publish_url = format!("{}/{STREAM}", publish_url.trim_end_matches('/'));
        }
        let play_url = play_url
            .or_else(|| whep_of(&publish_url))
            .ok_or("whip: needs whep=URL, because its address has no whip in its path")?;
        if !by_token && !play_url.contains(STREAM) {
            return Err(format!(
                "whip: the address to play from needs {STREAM} where the stream's name goes"
            ));
        }
        Ok(Self::Whip { publish_url, play_url, token })
    }
}

/// Stands for the name of a stream in the addresses of a WHIP server.
const STREAM: &str = "{stream}";

/// The address to play from, by the custom that it differs from the one to publish at in one word of its path.
fn whep_of(publish_url: &str) -> Option<String> {
    let (scheme, rest) = publish_url.split_once("://")?;
    let (authority, path) = rest.split_once('/')?;
    path.contains("whip").then(|| format!("{scheme}://{authority}/{}", path.replace("whip", "whep")))
}

/// When what we send begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// As soon as it may: what is live goes on anyway.
    AtOnce,
    /// When another participant is there: a file has a beginning that somebody is to see.
    InCompany,
}

/// For whom what is received is decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listening {
    /// For ears: as soon as it can be.
    Live,
    /// For files: late packets are waited for.
    Nobody,
}

/// What is sent and what becomes of what is received.
pub struct MediaOptions {
    /// What is heard of us; `None`: silence, until a command chooses a microphone.
    pub audio: Option<Box<dyn AudioSource>>,
    /// What is seen of us.
    pub video: Option<Box<dyn VideoSource>>,
    /// Without [`MediaOptions::video`]: format of the pictures that a command may choose a camera for; `None`: never any.
    pub camera: Option<VideoFormat>,
    /// Bit rate of the largest picture in kbit/s.
    pub video_kbps: u32,
    /// Sizes of the picture that are sent at once, 1 to 3.
    pub layers: u8,
    /// Layer of others' pictures that is wanted unless said otherwise; 0 is the largest.
    pub wanted_layer: u8,
    /// Where the others are heard; `None`: nowhere, until a command chooses a speaker.
    pub speaker: Option<Box<dyn AudioSink>>,
    /// Whether somebody listens, now or later.
    pub listening: Listening,
    /// Takes everything that is decoded.
    pub reception: Option<Box<dyn Reception>>,
    /// When sending begins.
    pub begin: Begin,
    /// Local address for media; `None` chooses by the server's address.
    pub bind: Option<IpAddr>,
    /// Which of our addresses the SFU may learn.
    pub ice_policy: IcePolicy,
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
        for bad in [
            "",
            "janus:http://x",
            "whip:ftp://x",
            "whip:https://x/whip,y=z",
            "whip:https://x/ingest",
            "whip:https://x/whip,whep=https://x/whep",
            "livekit:wss://x",
        ] {
            assert!(SfuChoice::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn one_address_serves_all_where_the_token_names_the_stream() {
        assert_eq!(
            SfuChoice::parse("whip:https://box.example/api/whip,token={stream}"),
            Ok(SfuChoice::Whip {
                publish_url: "https://box.example/api/whip".into(),
                play_url: "https://box.example/api/whep".into(),
                token: Some("{stream}".into()),
            })
        );
    }

    #[test]
    fn names_of_streams_follow_a_plain_whip_address() {
        for (text, publish, play) in [
            (
                "https://whip.example/whip",
                "https://whip.example/whip/{stream}",
                "https://whip.example/whep/{stream}",
            ),
            (
                "https://s.example/{stream}/whip",
                "https://s.example/{stream}/whip",
                "https://s.example/{stream}/whep",
            ),
            (
                "http://[::1]:7/in/,whep=http://[::1]:7/{stream}",
                "http://[::1]:7/in/{stream}",
                "http://[::1]:7/{stream}",
            ),
        ] {
            let choice = SfuChoice::Whip { publish_url: publish.into(), play_url: play.into(), token: None };
            assert_eq!(SfuChoice::parse(&format!("whip:{text}")), Ok(choice), "{text}");
        }
    }
}
