//! The command line: parsing, help and ranges come from this one table.

use std::net::{IpAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use incamera_client::devices::VideoSize;
use incamera_client::meeting::MEDIA_STOP_RANGE;
use incamera_client::{RelayAddress, SfuChoice};

/// Hold and join meetings whose media no server can open.
#[derive(Parser)]
#[command(name = "incamera-cli", version, max_term_width = 100, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    /// Write more of what happens to standard error; names, links and keys never appear there
    #[arg(long, global = true)]
    pub(crate) verbose: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Longest stay in a meeting: a year.
const MAX_SECONDS: u64 = 365 * 24 * 3_600;

const EXIT_CODES: &str = "Exit codes: 0 went well, 2 wrong use, 10 bad link, 11 relay unreachable, 12 not admitted, \
13 removed, 14 SFU failed, 15 media could not be opened, 16 device or file failed, 17 meeting lost, 18 output could \
not be written, 70 a defect of this program";

/// What to do.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Start a meeting on this computer, or on a relay, and print its invite
    Host(Host),
    /// Join a meeting by its invite
    Join(Join),
    /// Let somebody in who waits in the lobby of a meeting hosted on this computer
    Admit(Decision),
    /// Turn somebody away who waits in the lobby
    Deny(Decision),
    /// Remove a participant from a meeting hosted on this computer
    Remove(Decision),
    /// Lock a meeting hosted on this computer: nobody new gets in
    Lock(Lock),
    /// Write a line to everybody in a meeting hosted on this computer
    Say(Say),
    /// Show the participants and who waits
    Show(Which),
    /// List the microphones, speakers, cameras, screens and windows of this computer: kind, id, name
    Devices,
    /// Show a recorded simulated meeting again, and how it ended for each participant
    Replay(Replay),
}

/// `replay`
#[derive(Args)]
pub(crate) struct Replay {
    /// The recording, made by `sim --seed N --record FILE`
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Print the records as they are, one JSON object a line, and a summary as the last
    #[arg(long)]
    pub(crate) json: bool,
}

/// `host`
#[derive(Args)]
pub(crate) struct Host {
    /// Address and port where the relay and SFU of this meeting listen. Without it: the address by which other
    /// computers reach this one, and a free port
    #[arg(long, value_name = "ADDR", conflicts_with = "relay")]
    pub(crate) listen: Option<std::net::SocketAddr>,
    /// Hold the meeting on this relay instead of on this computer, such as meet.court.example
    #[arg(long, value_name = "HOST[:PORT]", value_parser = RelayAddress::parse)]
    pub(crate) relay: Option<RelayAddress>,
    /// Token that the relay asks for before it makes a room; read from standard input with -
    #[arg(long, value_name = "TOKEN|-", requires = "relay")]
    pub(crate) create_token: Option<String>,
    /// Key of a relay with a self-signed certificate: the 64 digits that it writes to its log when it starts
    #[arg(long, value_name = "HEX", requires = "relay", value_parser = tls_pin)]
    pub(crate) relay_pin: Option<TlsPin>,
    /// Media server: embedded, janus:ws://HOST:PORT, or whip:https://HOST/PATH[,whep=URL][,token=T], where {stream}
    /// stands for the name of a stream
    #[arg(
        long,
        default_value = "embedded",
        value_name = "SFU",
        conflicts_with = "relay",
        value_parser = SfuChoice::parse
    )]
    pub(crate) sfu: SfuChoice,
    /// Everybody waits until admitted; without it the link is enough
    #[arg(long)]
    pub(crate) lobby: bool,
    /// Seconds of silence after which a participant's media stops (15 to 120)
    #[arg(
        long,
        default_value_t = 30,
        value_parser = clap::value_parser!(u16).range(in_seconds(&MEDIA_STOP_RANGE)),
        value_name = "S"
    )]
    pub(crate) media_deadline: u16,
    /// Seconds of silence after which a participant is removed (20 to 600)
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u16).range(20..=600), value_name = "S")]
    pub(crate) removal_deadline: u16,
    #[command(flatten)]
    pub(crate) take_part: TakePart,
}

/// `join`
#[derive(Args)]
pub(crate) struct Join {
    /// The invite, or - to read it from standard input (then it is in no process list and no shell history)
    #[arg(value_name = "LINK|-")]
    pub(crate) link: String,
    #[command(flatten)]
    pub(crate) take_part: TakePart,
}

/// What a participant sends, keeps and prints; the same for `host` and `join`.
#[derive(Args)]
pub(crate) struct TakePart {
    /// Name shown to the others
    #[arg(long, default_value_t = default_name())]
    pub(crate) name: String,
    /// What is heard of you: mic, tone, silence, or a WAV file, which is sent as it is, without voice processing
    #[arg(long, default_value = "mic", value_name = "mic|tone|silence|FILE.wav")]
    pub(crate) audio: String,
    /// What is seen of you: camera (the one that the system prefers, or one by its name or id, as `devices` lists
    /// them), pattern, none, a Y4M file, or - for Y4M from standard input
    #[arg(long, default_value = "none", value_name = "camera[:NAME]|pattern|none|FILE.y4m|-")]
    pub(crate) video: String,
    /// Screen to share beside it: x11 (the main screen, or a screen or window by its id, as `devices` lists them), pattern,
    /// none, or a Y4M file
    #[arg(long, default_value = "none", value_name = "x11[:ID]|pattern|none|FILE.y4m")]
    pub(crate) screen: String,
    /// Size of the patterns, and the one that a camera is asked for
    #[arg(long, default_value = "640x360", value_name = "WxH", value_parser = video_size)]
    pub(crate) pattern_size: VideoSize,
    /// Bit rate of the largest picture
    #[arg(long, default_value_t = 800, value_parser = clap::value_parser!(u32).range(50..=20_000), value_name = "KBIT/S")]
    pub(crate) video_kbps: u32,
    /// Sizes of the picture that are sent at once, so that everybody receives the one that fits (1 to 3)
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=3))]
    pub(crate) layers: u8,
    /// Which size of the others' pictures to receive: high, medium or low
    #[arg(long, default_value = "high", value_parser = ["high", "medium", "low"])]
    pub(crate) want: String,
    /// Play the others on the default speaker
    #[arg(long)]
    pub(crate) play: bool,
    /// Folder for what is received: for each sender a WAV, a Y4M and frames.jsonl
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Folder for frames.jsonl of each sender and sent.jsonl alone, without sound and picture
    #[arg(long, value_name = "DIR", conflicts_with = "out")]
    pub(crate) frame_log: Option<PathBuf>,
    /// Leave after this many seconds in the meeting; without it: when interrupted
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(0..=MAX_SECONDS))]
    pub(crate) seconds: Option<u64>,
    /// One JSON object a line on standard output
    #[arg(long)]
    pub(crate) json: bool,
    /// Address of this computer to use for media, such as 127.0.0.1; without it: what the SFU is reached by
    #[arg(long, value_name = "IP", value_parser = own_address)]
    pub(crate) bind: Option<IpAddr>,
    /// Send and receive media through the TURN server of the meeting's relay alone: the SFU does not learn the
    /// address of this computer
    #[arg(long)]
    pub(crate) turn_only: bool,
}

/// `admit`, `deny`, `remove`
#[derive(Args)]
pub(crate) struct Decision {
    /// Name or id as `show` prints it
    pub(crate) who: String,
    #[command(flatten)]
    pub(crate) meeting: Which,
}

/// `lock`
#[derive(Args)]
pub(crate) struct Lock {
    /// Unlock instead
    #[arg(long)]
    pub(crate) off: bool,
    #[command(flatten)]
    pub(crate) meeting: Which,
}

/// `say`
#[derive(Args)]
pub(crate) struct Say {
    /// The line, 1 to 4,096 bytes
    pub(crate) text: String,
    #[command(flatten)]
    pub(crate) meeting: Which,
}

/// Which of the meetings hosted on this computer.
#[derive(Args)]
pub(crate) struct Which {
    /// Process id of the hosting `incamera-cli`; not needed while there is only one
    #[arg(long, value_name = "PID")]
    pub(crate) host: Option<u32>,
}

/// SHA-256 of a relay's public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TlsPin(pub(crate) [u8; 32]);

fn tls_pin(text: &str) -> Result<TlsPin, &'static str> {
    let wrong = "a key has 64 hexadecimal digits";
    let mut pin = [0; 32];
    if text.len() != 64 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(wrong);
    }
    for (index, byte) in pin.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).map_err(|_| wrong)?;
    }
    Ok(TlsPin(pin))
}

fn in_seconds(range: &RangeInclusive<Duration>) -> RangeInclusive<i64> {
    let seconds = |end: &Duration| i64::try_from(end.as_secs()).unwrap_or(i64::MAX);
    seconds(range.start())..=seconds(range.end())
}

/// Reads `640x360`.
fn video_size(text: &str) -> Result<VideoSize, &'static str> {
    let size = text
        .split_once('x')
        .and_then(|(width, height)| VideoSize::new(width.parse().ok()?, height.parse().ok()?));
    size.ok_or("a size is two numbers of 16 to 4096, such as 640x360")
}

fn own_address(text: &str) -> Result<IpAddr, String> {
    let ip = text.parse::<IpAddr>().map_err(|why| why.to_string())?;
    match UdpSocket::bind((ip, 0)) {
        Ok(_) => Ok(ip),
        Err(why) => Err(format!("it cannot be used on this computer: {why}")),
    }
}

fn default_name() -> String {
    std::env::var("USER").ok().filter(|name| !name.is_empty()).unwrap_or_else(|| "Guest".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_two_numbers_in_range() {
        assert!(video_size("640x360").is_ok());
        for bad in ["640", "640x", "x360", "0x0", "640x360x1", "-1x5", "100000x100000", "a x b"] {
            assert!(video_size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused_before_anything_begins() {
        let join =
            |more: &[&str]| Arguments::try_parse_from(["incamera-cli", "join", "-"].iter().chain(more));
        assert!(join(&["--seconds", "0", "--bind", "127.0.0.1"]).is_ok());
        for bad in [
            ["--seconds", "18446744073709551615"],
            ["--bind", "192.0.2.1"],
            ["--pattern-size", "15x15"],
            ["--video-kbps", "99999999"],
        ] {
            assert!(join(&bad).is_err(), "{bad:?}");
        }
        let host = |more: &[&str]| Arguments::try_parse_from(["incamera-cli", "host"].iter().chain(more));
        for bad in
            [["--relay", "a b"], ["--relay", "https://a.example/"], ["--sfu", "janus:"], ["--sfu", "x"]]
        {
            assert!(host(&bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn deadline_for_media_is_one_that_rules_can_have() {
        let [least, most] = [MEDIA_STOP_RANGE.start(), MEDIA_STOP_RANGE.end()].map(Duration::as_secs);
        let host = |seconds: u64| {
            let seconds = seconds.to_string();
            Arguments::try_parse_from(["incamera-cli", "host", "--media-deadline", &seconds])
        };
        assert!(host(least).is_ok() && host(most).is_ok());
        assert!(host(least - 1).is_err() && host(most + 1).is_err());
        let help = Arguments::try_parse_from(["incamera-cli", "help", "host"]).err().unwrap().to_string();
        assert!(help.contains(&format!("media stops ({least} to {most})")), "{help}");
    }

    #[test]
    fn a_relay_key_is_64_digits_and_nothing_else() {
        assert_eq!(tls_pin(&"0aF1".repeat(16)).map(|pin| pin.0[..2].to_vec()), Ok(vec![0x0a, 0xf1]));
        for bad in ["", "0a", &"0g".repeat(32), &"+1".repeat(32), &"ä0".repeat(21), &"00".repeat(33)] {
            assert!(tls_pin(bad).is_err(), "{bad}");
        }
    }
}
