//! Offers of clients, checked and brought into the one shape that the WebRTC stack is given.
//!
//! The stack parses SDP itself; this pass runs before it, is strict and bounded, and settles what WHIP and
//! WHEP leave open: directions, which m-lines there may be, and a common media stream for a player.

use crate::command::Purpose;
use crate::config::Limits;
use crate::forward::layers_of_rids;
use crate::refusal::Refusal;
use crate::trickle;

/// Longest line in bytes. Browsers stay below 300.
const MAX_LINE: usize = 2_048;
/// A mid is carried in an RTP header extension and held in 16 bytes by the stack.
const MAX_MID: usize = 16;
/// Likewise a rid in 8.
const MAX_RID: usize = 8;
const DIRECTIONS: [&str; 4] = ["a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive"];

/// The two kinds of m-lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Audio,
    Video,
}

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Audio => "audio",
            Self::Video => "video",
        }
    }
}

/// One m-line of an offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OfferedMedia {
    pub(crate) kind: Kind,
    pub(crate) mid: String,
    /// Simulcast rids that the client sends, in the order of the offer.
    pub(crate) rids: Vec<String>,
}

/// An offer ready for the stack.
#[derive(Clone, Debug)]
pub(crate) struct PreparedOffer {
    pub(crate) text: String,
    pub(crate) media: Vec<OfferedMedia>,
    pub(crate) candidates: usize,
}

impl PreparedOffer {
    /// Checks `text` for `purpose`.
    ///
    /// # Errors
    /// [`Refusal::MalformedSdp`] for what is no session description, [`Refusal::UnsupportedSdp`] for m-lines,
    /// directions, codecs or numbers of them that this server does not serve.
    pub(crate) fn check(text: &str, purpose: &Purpose, limits: &Limits) -> Result<Self, Refusal> {
        let (head, sections) = split(text)?;
        let default_direction = head.iter().find(|l| DIRECTIONS.contains(*l)).copied();
        let sections = sections
            .iter()
            .map(|lines| Section::read(lines, default_direction))
            .collect::<Result<Vec<_>, _>>()?;
        check_count(&sections, purpose, limits)?;
        let mut prepared = Self {
            text: String::with_capacity(text.len() + 256),
            media: Vec::with_capacity(sections.len()),
            candidates: 0,
        };
        for line in head.iter().filter(|l| !DIRECTIONS.contains(*l)) {
            prepared.push(line);
        }
        for section in sections {
            prepared.add(section, purpose)?;
        }
        let candidates = prepared.candidates;
        if candidates > limits.remote_candidates {
            return Err(Refusal::UnsupportedSdp);
        }
        Ok(prepared)
    }

    /// The same offer under new ICE credentials and without candidates, for an ICE restart by PATCH
    /// (RFC 9725 §4.3.2: everything else stays as negotiated).
    pub(crate) fn restarted(text: &str, ufrag: &str, password: &str) -> String {
        let mut out = String::with_capacity(text.len());
        for line in text.lines() {
            let replaced = if line.starts_with("a=ice-ufrag:") {
                format!("a=ice-ufrag:{ufrag}")
            } else if line.starts_with("a=ice-pwd:") {
                format!("a=ice-pwd:{password}")
            } else if line.starts_with("a=candidate:") || line == "a=end-of-candidates" {
                continue;
            } else {
                line.to_owned()
            };
            out.push_str(&replaced);
            out.push_str("\r\n");
        }
        out
    }

    /// Whether the client's ICE credentials in the offer have this user fragment.
    pub(crate) fn has_ufrag(text: &str, ufrag: &str) -> bool {
        text.lines().any(|line| line.strip_prefix("a=ice-ufrag:") == Some(ufrag))
    }

    fn push(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push_str("\r\n");
    }

    fn add(&mut self, section: Section<'_>, purpose: &Purpose) -> Result<(), Refusal> {
        let publishes = matches!(purpose, Purpose::Publish(_));
        let wrong = if publishes { "a=recvonly" } else { "a=sendonly" };
        if [wrong, "a=inactive"].contains(&section.direction) {
            return Err(Refusal::UnsupportedSdp);
        }
        for line in &section.lines {
            let describes_sender = line.starts_with("a=msid:") || line.starts_with("a=ssrc");
            if DIRECTIONS.contains(line) || (!publishes && describes_sender) {
                continue;
            }
            if let Some(value) = line.strip_prefix("a=candidate:") {
                // Names under .local and TCP are of no use here.
                if trickle::candidate(&format!("candidate:{value}")).is_none() {
                    continue;
                }
                self.candidates += 1;
            }
            self.push(line);
        }
        if publishes {
            self.push("a=sendonly");
        } else {
            self.push("a=recvonly");
            // The answer repeats it: audio and video of one stream then belong together at the player.
            let stream = match purpose {
                Purpose::WatchSlots => section.media.mid.as_str(),
                _ => "stream",
            };
            self.push(&format!("a=msid:{stream} {}", section.media.mid));
        }
        self.media.push(section.media);
        Ok(())
    }
}

/// Lines before the first m-line, and those of each m-line's section.
type Split<'a> = (Vec<&'a str>, Vec<Vec<&'a str>>);

fn split(text: &str) -> Result<Split<'_>, Refusal> {
    let mut head = Vec::new();
    let mut sections: Vec<Vec<&str>> = Vec::new();
    for line in text.lines().filter(|l| !l.is_empty()) {
        let printable = line.bytes().all(|b| (0x20..0x7f).contains(&b) || b == b'\t');
        let well_formed = line.as_bytes().get(1) == Some(&b'=');
        if line.len() > MAX_LINE || !printable || !well_formed {
            return Err(Refusal::MalformedSdp);
        }
        if line.starts_with("m=") {
            sections.push(vec![line]);
        } else if let Some(section) = sections.last_mut() {
            section.push(line);
        } else {
            head.push(line);
        }
    }
    if head.first() != Some(&"v=0") || sections.is_empty() {
        return Err(Refusal::MalformedSdp);
    }
    Ok((head, sections))
}

struct Section<'a> {
    media: OfferedMedia,
    direction: &'a str,
    lines: Vec<&'a str>,
}

impl<'a> Section<'a> {
    fn read(lines: &[&'a str], default_direction: Option<&'a str>) -> Result<Self, Refusal> {
        let kind = match lines.first() {
            Some(line) if line.starts_with("m=audio ") => Kind::Audio,
            Some(line) if line.starts_with("m=video ") => Kind::Video,
            _ => return Err(Refusal::UnsupportedSdp),
        };
        let values = |prefix: &'static str| lines.iter().filter_map(move |l| l.strip_prefix(prefix));
        let mut mids = values("a=mid:");
        let mid = match (mids.next(), mids.next()) {
            (Some(mid), None) if is_token(mid, MAX_MID) => mid.to_owned(),
            _ => return Err(Refusal::MalformedSdp),
        };
        let codec = match kind {
            Kind::Audio => "opus/48000",
            Kind::Video => "vp8/90000",
        };
        let has_codec = values("a=rtpmap:").any(|value| {
            let name = value.split_once(' ').map(|(_, name)| name);
            name.is_some_and(|n| n.to_ascii_lowercase().starts_with(codec))
        });
        let direction = lines.iter().find(|l| DIRECTIONS.contains(*l)).copied();
        let rids = values("a=rid:")
            .filter_map(|v| v.split_once(' '))
            .filter(|(_, rest)| rest.split([' ', ';']).next() == Some("send"))
            .map(|(rid, _)| rid.to_owned())
            .collect::<Vec<_>>();
        let names: Vec<&str> = rids.iter().map(String::as_str).collect();
        let rids_fit = names.iter().all(|r| is_token(r, MAX_RID)) && layers_of_rids(&names).is_some();
        if !has_codec || !rids_fit || (kind == Kind::Audio && !rids.is_empty()) {
            return Err(Refusal::UnsupportedSdp);
        }
        Ok(Self {
            media: OfferedMedia { kind, mid, rids },
            direction: direction.or(default_direction).unwrap_or("a=sendrecv"),
            lines: lines.to_vec(),
        })
    }
}

fn check_count(sections: &[Section<'_>], purpose: &Purpose, limits: &Limits) -> Result<(), Refusal> {
    let (audio, video) = match purpose {
        Purpose::Publish(_) | Purpose::WatchStream(_) => (1, 1),
        Purpose::WatchSlots => (limits.audio_slots, limits.video_slots),
    };
    let count = |kind| sections.iter().filter(|s| s.media.kind == kind).count();
    if count(Kind::Audio) > audio || count(Kind::Video) > video {
        return Err(Refusal::UnsupportedSdp);
    }
    let repeated = sections.iter().enumerate().any(|(i, s)| {
        let earlier = sections.iter().take(i);
        earlier.into_iter().any(|e| e.media.mid == s.media.mid)
    });
    if repeated { Err(Refusal::MalformedSdp) } else { Ok(()) }
}

fn is_token(text: &str, longest: usize) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-_.+!#$%&'*^`{|}~".contains(&b);
    (1..=longest).contains(&text.len()) && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n";
    const AUDIO: &str = "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=rtpmap:111 opus/48000/2\r\n";
    const VIDEO: &str = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\na=rtpmap:96 VP8/90000\r\n";

    fn check(text: &str, purpose: &Purpose) -> Result<PreparedOffer, Refusal> {
        PreparedOffer::check(text, purpose, &Limits::default())
    }

    fn publish() -> Purpose {
        Purpose::Publish(crate::Pseudonym::parse("ada").unwrap())
    }

    #[test]
    fn a_publisher_is_made_sendonly_and_keeps_its_rids() {
        let text = format!("{HEAD}{AUDIO}{VIDEO}a=sendrecv\r\na=rid:h send\r\na=rid:l send pt=96\r\n");
        let offer = check(&text, &publish()).unwrap();
        assert_eq!(offer.media[1].rids, ["h", "l"]);
        assert_eq!(offer.text.matches("a=sendonly").count(), 2);
        assert!(!offer.text.contains("sendrecv"));
    }

    #[test]
    fn a_player_gets_one_media_stream_for_audio_and_video() {
        let text = format!("{HEAD}{AUDIO}a=recvonly\r\n{VIDEO}a=recvonly\r\na=msid:x y\r\n");
        let stream = crate::Pseudonym::parse("ada").unwrap();
        let offer = check(&text, &Purpose::WatchStream(stream)).unwrap();
        assert_eq!(offer.text.matches("a=msid:stream ").count(), 2);
        assert!(!offer.text.contains("a=msid:x"));
    }

    #[test]
    fn what_cannot_be_served_is_refused_by_kind() {
        let refused = |text: String, purpose: &Purpose| check(&text, purpose).unwrap_err();
        let slots = &Purpose::WatchSlots;
        let publish = &publish();
        let no_codec = AUDIO.replace("opus", "PCMA");
        let app = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:2\r\n";
        for (text, purpose) in [
            (format!("{HEAD}{no_codec}"), publish),
            (format!("{HEAD}{AUDIO}{app}"), publish),
            (format!("{HEAD}{AUDIO}a=recvonly\r\n"), publish),
            (format!("{HEAD}{AUDIO}a=sendonly\r\n"), slots),
            (format!("{HEAD}{AUDIO}{}", AUDIO.replace("mid:0", "mid:1")), publish),
            (format!("{HEAD}{VIDEO}{}", "a=rid:a send\r\na=rid:b send\r\n".repeat(2)), publish),
        ] {
            assert_eq!(refused(text.clone(), purpose), Refusal::UnsupportedSdp, "{text}");
        }
        for text in [
            String::new(),
            "hello".to_owned(),
            HEAD.to_owned(),
            AUDIO.to_owned(),
            format!("{HEAD}{AUDIO}{AUDIO}"),
            format!("{HEAD}{AUDIO}a=x\u{0}y\r\n"),
            format!("{HEAD}{AUDIO}a={}\r\n", "x".repeat(5_000)),
        ] {
            let refusal = refused(text.clone(), slots);
            assert_eq!(refusal, Refusal::MalformedSdp, "{text:.60}");
        }
    }

    #[test]
    fn a_restart_changes_nothing_but_ice() {
        let text = format!(
            "{HEAD}{AUDIO}a=ice-ufrag:old1\r\na=ice-pwd:oldold\r\na=candidate:1 1 udp 1 192.0.2.1 1 typ host\r\n"
        );
        let restarted = PreparedOffer::restarted(&text, "new1", "newnew");
        assert!(restarted.contains("a=ice-ufrag:new1\r\n") && restarted.contains("a=ice-pwd:newnew\r\n"));
        assert!(!restarted.contains("candidate") && restarted.contains("opus"));
    }
}
