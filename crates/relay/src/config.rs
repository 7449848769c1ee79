//! The configuration of a relay, as it stands in its TOML file.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use incamera_relay_proto::TextSecret;
use incamera_types::RelayAddress;
use serde::{Deserialize, Deserializer};

use crate::digest::sha256;
use crate::tls::TlsIdentity;
use crate::{CreateRule, CreateToken, RelayError, RelayLimits};

/// How the token in the example configuration begins.
const EXAMPLE_TOKEN: &str = "replace-me";

/// Everything about one relay. Unknown settings are errors: a misspelt limit must not be ignored.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RelayConfig {
    /// TCP addresses; port 0 takes a free one. At least one.
    pub listen: Vec<SocketAddr>,
    /// Certificate and key.
    #[serde(default)]
    pub tls: TlsChoice,
    /// Plain HTTP instead of TLS, on loopback addresses only: for tests.
    #[serde(default)]
    pub insecure_loopback: bool,
    /// Who may make rooms.
    pub create: CreateChoice,
    /// Which SFU carries the media.
    #[serde(default)]
    pub sfu: SfuChoice,
    /// The embedded SFU.
    #[serde(default)]
    pub media: MediaConfig,
    /// STUN and TURN servers for the members.
    #[serde(default)]
    pub ice: IceConfig,
    /// What is allowed.
    #[serde(default)]
    pub limits: RelayLimits,
    /// File that receives every message from and to clients, for canary searches.
    #[cfg(feature = "danger-record")]
    #[serde(default)]
    pub recording: Option<PathBuf>,
    /// How the relay attacks its room, once it is told to by SIGUSR1.
    #[cfg(feature = "danger-hostile-relay")]
    #[serde(default)]
    pub hostility: Option<crate::RelayHostility>,
}

/// Where the TLS certificate comes from.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum TlsChoice {
    /// A new self-signed certificate at each start: clients pin its key, which links carry.
    #[default]
    SelfSigned,
    /// PEM files.
    Files {
        /// Certificate chain, the server's own first.
        certificate: PathBuf,
        /// Private key.
        key: PathBuf,
    },
}

/// Who may make rooms.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum CreateChoice {
    /// Anybody who reaches the relay.
    Anyone,
    /// Whoever has one of these tokens.
    Tokens(Vec<TokenConfig>),
}

/// A token that permits to make rooms.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenConfig {
    /// The token: 16 to 128 visible characters of ASCII.
    #[serde(deserialize_with = "secret")]
    pub token: TextSecret,
    /// Rooms that may exist at one time by it.
    pub rooms: usize,
}

/// Which SFU carries the media.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SfuChoice {
    /// The one inside the relay.
    #[default]
    Embedded,
    /// A third party's server with WHIP and WHEP.
    Whip {
        /// WHIP endpoint; `{stream}` stands for the name of the stream to publish.
        publish_url: String,
        /// WHEP endpoint; `{stream}` stands for the name of the stream to watch. A server with one endpoint for
        /// all tells streams apart by the bearer, which then contains it.
        subscribe_url: String,
        /// Sent as `Authorization: Bearer`; empty for none.
        #[serde(default, deserialize_with = "secret")]
        bearer: TextSecret,
    },
    /// Janus with the VideoRoom plugin.
    Janus {
        /// WebSocket address, `wss://…`.
        url: String,
        /// Token of the Janus API; empty for none.
        #[serde(default, deserialize_with = "secret")]
        token: TextSecret,
    },
}

/// Addresses of the embedded SFU, and how much it carries.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MediaConfig {
    /// UDP addresses to bind. Empty: a free port on each address of `listen`.
    pub udp: Vec<SocketAddr>,
    /// UDP addresses under which members reach it, behind a 1:1 NAT; port 0 stands for the bound port.
    pub public_addresses: Vec<SocketAddr>,
    /// Most that it sends in all, in Mbit/s: what the line carries. Every room has its even share of it.
    pub egress_mbit: Option<NonZeroU32>,
    /// Most that one member may send, in Mbit/s.
    pub publisher_mbit: Option<NonZeroU32>,
    /// File that receives every RTP payload that members send, for canary searches.
    #[cfg(feature = "danger-record")]
    pub recording: Option<PathBuf>,
}

/// STUN and TURN servers.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IceConfig {
    /// `stun:` URLs.
    pub stun: Vec<String>,
    /// A TURN server with time-limited credentials.
    pub turn: Option<TurnConfig>,
}

/// A TURN server that takes the credentials of the TURN REST draft, as coturn does with `use-auth-secret`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TurnConfig {
    /// `turn:` and `turns:` URLs.
    pub urls: Vec<String>,
    /// The secret shared with the server.
    #[serde(deserialize_with = "secret")]
    pub secret: TextSecret,
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TextSecret, D::Error> {
    String::deserialize(deserializer).map(TextSecret::new)
}

impl RelayConfig {
    /// A relay for meetings hosted on one's own machine: self-signed and pinned, with the embedded SFU, where only
    /// the holder of `create_token` makes one room.
    #[must_use]
    pub fn for_own_meeting(listen: Vec<SocketAddr>, create_token: TextSecret) -> Self {
        Self {
            listen,
            tls: TlsChoice::SelfSigned,
            insecure_loopback: false,
            create: CreateChoice::Tokens(vec![TokenConfig { token: create_token, rooms: 1 }]),
            sfu: SfuChoice::Embedded,
            media: MediaConfig::default(),
            ice: IceConfig::default(),
            limits: RelayLimits::default(),
            #[cfg(feature = "danger-record")]
            recording: None,
            #[cfg(feature = "danger-hostile-relay")]
            hostility: None,
        }
    }

    /// Reads a TOML file and checks it.
    ///
    /// # Errors
    /// [`RelayError::Unreadable`], [`RelayError::Config`], [`RelayError::Setting`].
    pub fn read(path: &Path) -> Result<Self, RelayError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| RelayError::Unreadable { path: path.to_owned(), source })?;
        let config: Self = toml::from_str(&text)
            .map_err(|error| RelayError::Config { path: path.to_owned(), reason: located(&text, &error) })?;
        config.check()?;
        Ok(config)
    }

    /// Checks what the file format cannot.
    ///
    /// # Errors
    /// [`RelayError::Setting`] with the name of the setting.
    pub fn check(&self) -> Result<(), RelayError> {
        let wrong = |setting, reason| Err(RelayError::Setting { setting, reason });
        if self.listen.is_empty() {
            return wrong("listen", "at least one address is needed");
        }
        if !self.limits.serve_somebody() {
            return wrong("limits", "a limit of 0 lets nobody in");
        }
        if self.insecure_loopback && !self.listen.iter().all(|address| address.ip().is_loopback()) {
            return wrong("insecure_loopback", "plain HTTP is possible on loopback addresses only");
        }
        if let CreateChoice::Tokens(tokens) = &self.create
            && (tokens.is_empty() || tokens.iter().any(|token| token.rooms == 0))
        {
            return wrong("create.tokens", "nobody could make a room: a token and a room for it are needed");
        }
        if let CreateChoice::Tokens(tokens) = &self.create
            && !tokens.iter().all(|token| is_token(token.token.expose()))
        {
            return wrong(
                "create.tokens",
                "a token has 16 to 128 letters, digits and signs of ASCII, no blanks",
            );
        }
        if let CreateChoice::Tokens(tokens) = &self.create
            && tokens.iter().any(|token| token.token.expose().starts_with(EXAMPLE_TOKEN))
        {
            return wrong(
                "create.tokens",
                "the token of the example is public: put a random one in its place",
            );
        }
        match &self.sfu {
            SfuChoice::Whip { subscribe_url, bearer, .. }
                if ![subscribe_url, bearer.expose()].iter().any(|text| text.contains("{stream}")) =>
            {
                return wrong("sfu.whip.subscribe_url", "it, or the bearer, must contain {stream}");
            }
            SfuChoice::Whip { publish_url, subscribe_url, .. }
                if !is_secure(publish_url, "https") || !is_secure(subscribe_url, "https") =>
            {
                return wrong("sfu.whip", "the URLs are https://HOST…, or http:// on this machine");
            }
            SfuChoice::Janus { url, .. } if !is_secure(url, "wss") => {
                return wrong("sfu.janus.url", "it is wss://HOST…, or ws:// on this machine");
            }
            _ => {}
        }
        self.check_reachable()
    }

    /// Checks that members can make use of what they are told.
    fn check_reachable(&self) -> Result<(), RelayError> {
        let wrong = |setting, reason| Err(RelayError::Setting { setting, reason });
        if self.media.public_addresses.iter().any(|address| address.ip().is_unspecified()) {
            return wrong("media.public_addresses", "members cannot reach an unspecified address");
        }
        if !self.ice.stun.iter().all(|url| is_ice_url(url, ["stun", "stuns"])) {
            return wrong("ice.stun", "a URL is stun:HOST[:PORT] or stuns:HOST[:PORT]");
        }
        let Some(turn) = &self.ice.turn else { return Ok(()) };
        if turn.urls.is_empty() || turn.secret.expose().is_empty() {
            return wrong("ice.turn", "both urls and secret are needed");
        }
        if !turn.urls.iter().all(|url| is_ice_url(url, ["turn", "turns"])) {
            return wrong("ice.turn.urls", "a URL is turn:HOST[:PORT] or turns:HOST[:PORT]");
        }
        let is_by_udp = |url: &String| url.starts_with("turn:") && !url.ends_with("?transport=tcp");
        if !turn.urls.iter().any(is_by_udp) {
            return wrong(
                "ice.turn.urls",
                "clients speak to TURN servers over UDP only: a turn: URL is needed",
            );
        }
        Ok(())
    }

    /// Checks that certificate and key can be read and belong together.
    ///
    /// # Errors
    /// [`RelayError::Unreadable`], [`RelayError::Certificate`].
    pub fn check_certificate(&self) -> Result<(), RelayError> {
        TlsIdentity::load(&self.tls, &self.listen).map(drop)
    }

    pub(crate) fn create_rule(&self) -> CreateRule {
        match &self.create {
            CreateChoice::Anyone => CreateRule::Anyone,
            CreateChoice::Tokens(tokens) => CreateRule::Tokens(
                tokens
                    .iter()
                    .map(|token| CreateToken {
                        sha256: sha256(token.token.expose().as_bytes()),
                        rooms: token.rooms,
                    })
                    .collect(),
            ),
        }
    }

    /// UDP addresses for the embedded SFU.
    pub(crate) fn media_addresses(&self) -> Vec<SocketAddr> {
        if !self.media.udp.is_empty() {
            return self.media.udp.clone();
        }
        let mut ips: Vec<IpAddr> = self.listen.iter().map(SocketAddr::ip).collect();
        ips.sort_unstable();
        ips.dedup();
        ips.into_iter().map(|ip| SocketAddr::new(ip, 0)).collect()
    }
}

/// What is wrong and in which line, without the line itself: it may hold a token.
fn located(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start));
    let what = in_words(error.message());
    match before {
        Some(before) => format!("line {}: {what}", before.matches('\n').count() + 1),
        None => what,
    }
}

/// The parser's message, where it is not in its own terms and quotes no text of the file.
fn in_words(message: &str) -> String {
    match message.split_once(", expected ") {
        Some((found, _)) if found.ends_with("unit variant") => {
            "this choice has settings of its own, which are missing; relay.example.toml shows them".to_owned()
        }
        Some((found, _)) if found.contains(": string ") => {
            "a text is no value of this setting; relay.example.toml shows what is".to_owned()
        }
        _ => message.to_owned(),
    }
}

/// Whether this can be given on a command line and on a line of standard input, as clients take it.
fn is_token(text: &str) -> bool {
    (16..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Whether a STUN or TURN URL (RFC 7064, RFC 7065) has one of these schemes and names a host.
fn is_ice_url(url: &str, schemes: [&str; 2]) -> bool {
    url.split_once(':').is_some_and(|(scheme, rest)| {
        let server = rest.split_once('?').map_or(rest, |(server, _)| server);
        schemes.contains(&scheme) && RelayAddress::parse(server).is_ok()
    })
}

/// Whether a URL names a host and uses TLS, or its plain variant towards loopback or a private test network address.
fn is_secure(url: &str, scheme: &str) -> bool {
    let plain = scheme.strip_suffix('s').unwrap_or(scheme);
    match url.split_once("://") {
        Some((found, rest)) if found == scheme => {
            !rest.is_empty() && !rest.starts_with(['/', ':']) && !rest.contains(char::is_whitespace)
        }
        Some((found, rest)) if found == plain => {
            let authority = rest.split('/').next().unwrap_or_default();
            let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
            let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
            host == "localhost" || address.is_ok_and(|ip| ip.is_loopback() || is_private(ip))
        }
        _ => false,
    }
}

const fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.is_private(),
        IpAddr::V6(v6) => v6.is_unique_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<RelayConfig, String> {
        let config: RelayConfig = toml::from_str(text).map_err(|error| error.to_string())?;
        config.check().map_err(|error| error.to_string())?;
        Ok(config)
    }

    #[test]
    fn the_example_is_valid_once_its_token_is_replaced() {
        let example = include_str!("../../../docs/relay.example.toml");
        assert!(parse(example).unwrap_err().contains("create.tokens"));
        let config = parse(&example.replace(EXAMPLE_TOKEN, "my-own")).unwrap();
        assert!(matches!(config.create, CreateChoice::Tokens(_)));
        assert!(matches!(config.tls, TlsChoice::Files { .. }));
    }

    #[test]
    fn every_sfu_can_be_configured() {
        let base = "listen = ['127.0.0.1:0']\ncreate = 'anyone'\n";
        assert!(matches!(parse(base).unwrap().sfu, SfuChoice::Embedded));
        let whip = "sfu = { whip = { publish_url = 'https://s/whip/{stream}', \
                    subscribe_url = 'https://s/whep/{stream}', bearer = 'x' } }";
        assert!(matches!(parse(&format!("{base}{whip}")).unwrap().sfu, SfuChoice::Whip { .. }));
        let janus = "sfu = { janus = { url = 'ws://10.99.0.2:18188' } }";
        assert!(matches!(parse(&format!("{base}{janus}")).unwrap().sfu, SfuChoice::Janus { .. }));
    }

    #[test]
    fn mistakes_are_named() {
        for (text, named) in [
            ("create = 'anyone'", "listen"),
            ("listen = []\ncreate = 'anyone'", "listen"),
            ("listen = ['127.0.0.1:0']", "create"),
            ("listen = ['127.0.0.1:0']\ncreate = 'anyone'\n[limits]\nromms = 3", "romms"),
            ("listen = ['0.0.0.0:0']\ncreate = 'anyone'\ninsecure_loopback = true", "insecure_loopback"),
            (
                "listen = ['127.0.0.1:0']\ncreate = { tokens = [{ token = 'short', rooms = 1 }] }",
                "create.tokens",
            ),
            (
                "listen = ['127.0.0.1:0']\ncreate = 'anyone'\nsfu = { janus = { url = 'ws://a.example' } }",
                "janus",
            ),
            (
                "listen = ['127.0.0.1:0']\ncreate = 'anyone'\nsfu = { whip = { publish_url = 'https://s/', \
              subscribe_url = 'https://s/' } }",
                "{stream}",
            ),
            ("listen = ['127.0.0.1:0']\ncreate = { tokens = [] }", "create.tokens"),
            (
                "listen = ['127.0.0.1:0']\ncreate = 'anyone'\nice = { stun = ['http://a.example'] }",
                "ice.stun",
            ),
            (
                "listen = ['127.0.0.1:0']\ncreate = 'anyone'\nice = { turn = { urls = ['a.example'], secret = 's' } }",
                "ice.turn.urls",
            ),
            (
                "listen = ['127.0.0.1:0']\ncreate = 'anyone'\nmedia = { public_addresses = ['0.0.0.0:1'] }",
                "media.public_addresses",
            ),
            ("listen = ['127.0.0.1:0']\ncreate = 'anyone'\nlimits = { rooms = 0 }", "limits"),
            ("listen = ['127.0.0.1:0']\ncreate = 'anyone'\nmedia = { egress_mbit = 0 }", "nonzero"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(named), "{error}");
        }
    }

    #[test]
    fn what_nobody_could_make_use_of_is_no_valid_configuration() {
        let base = "listen = ['127.0.0.1:0']\ncreate = 'anyone'\n";
        for (text, named) in [
            (
                "sfu = { whip = { publish_url = 'https://', subscribe_url = 'https://s/{stream}' } }",
                "sfu.whip",
            ),
            (
                "sfu = { whip = { publish_url = 'https:// s', subscribe_url = 'https://s/{stream}' } }",
                "sfu.whip",
            ),
            ("sfu = { janus = { url = 'wss://' } }", "sfu.janus.url"),
            ("ice = { stun = ['stun:'] }", "ice.stun"),
            ("ice = { stun = ['stun:a.example:99999'] }", "ice.stun"),
            ("ice = { turn = { urls = ['turn:a b c:::'], secret = 's' } }", "ice.turn.urls"),
            ("ice = { turn = { urls = ['turns:a.example'], secret = 's' } }", "UDP"),
            ("ice = { turn = { urls = ['turn:a.example?transport=tcp'], secret = 's' } }", "UDP"),
        ] {
            let error = parse(&format!("{base}{text}")).unwrap_err();
            assert!(error.contains(named), "{text}: {error}");
        }
        let urls = "['turns:a.example:443', 'turn:[2001:db8::1]:3478?transport=udp']";
        assert!(parse(&format!("{base}ice = {{ turn = {{ urls = {urls}, secret = 's' }} }}")).is_ok());
        for token in ["                    ", "twenty-visible-signs\n", "zwanzig-zeichen-für-ä"] {
            let create = format!(
                "listen = ['127.0.0.1:0']\ncreate = {{ tokens = [{{ token = {token:?}, rooms = 1 }}] }}"
            );
            assert!(parse(&create).unwrap_err().contains("create.tokens"), "{token:?}");
        }
    }

    #[test]
    fn a_mistake_is_located_without_showing_its_line() {
        let text = "listen = ['127.0.0.1:0']\ncreate = 'anyone'\ntokn = 'hidden'\n";
        let error = toml::from_str::<RelayConfig>(text).unwrap_err();
        let reason = located(text, &error);
        assert!(reason.starts_with("line 3: unknown field `tokn`") && !reason.contains("hidden"), "{reason}");
    }

    #[test]
    fn what_stands_in_the_wrong_place_is_told_in_words_and_not_repeated() {
        for (text, told) in [
            ("create = 'anyone'\ntls = 'files'", "line 3: this choice has settings of its own"),
            ("create = 'anyone'\nsfu = 'whip'", "line 3: this choice has settings of its own"),
            ("create = 'tokens'", "line 2: this choice has settings of its own"),
            ("create = { tokens = 'hidden-hidden-hidden' }", "line 2: a text is no value"),
        ] {
            let text = format!("listen = ['127.0.0.1:0']\n{text}");
            let reason = located(&text, &toml::from_str::<RelayConfig>(&text).unwrap_err());
            assert!(reason.starts_with(told) && !reason.contains("hidden"), "{text}: {reason}");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let config = RelayConfig::for_own_meeting(Vec::new(), TextSecret::new("hidden-hidden-hidden".into()));
        assert!(!format!("{config:?}").contains("hidden"));
    }
}
