//! The few things that are read from session descriptions or changed in them (RFC 8866, RFC 8839).

use std::net::{IpAddr, SocketAddr};

use incamera_types::MediaKind;

/// Longest description that is accepted, in bytes: 132 m-lines with all their attributes.
pub(crate) const MAX_DESCRIPTION: usize = 256 * 1024;

/// One m-line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MediaLine {
    pub(crate) mid: String,
    /// `None` for data channels and the like.
    pub(crate) kind: Option<MediaKind>,
    /// Not refused with port 0 and not inactive.
    pub(crate) active: bool,
}

/// The m-lines in order. Total: what is no description has none.
pub(crate) fn media_lines(sdp: &str) -> Vec<MediaLine> {
    let mut lines: Vec<MediaLine> = Vec::new();
    for line in sdp.lines() {
        if let Some(media) = line.strip_prefix("m=") {
            let mut words = media.split(' ');
            let kind = match words.next() {
                Some("audio") => Some(MediaKind::Audio),
                Some("video") => Some(MediaKind::Video),
                _ => None,
            };
            let active = words.next().is_some_and(|port| port != "0");
            lines.push(MediaLine { mid: String::new(), kind, active });
        } else if let Some(current) = lines.last_mut() {
            if let Some(mid) = line.strip_prefix("a=mid:") {
                mid.trim_end().clone_into(&mut current.mid);
            } else if line.trim_end() == "a=inactive" {
                current.active = false;
            }
        }
    }
    lines
}

/// Whether a server's description takes several layers of one track (RFC 8853 §5.1) and the extension that tells them
/// apart (RFC 8852): some stacks repeat the first without the second.
pub(crate) fn takes_layers(sdp: &str) -> bool {
    let has =
        |start: &str, part: &str| sdp.lines().any(|line| line.starts_with(start) && line.contains(part));
    has("a=simulcast:", "recv ") && has("a=extmap:", super::engine::RID_URI)
}

/// Most candidates of a server that are tried: each costs us packets to an address of its choice (SEC-15).
const MAX_CANDIDATES: usize = 32;

/// A server's answer to our offer as the WebRTC stack takes it. The stack refuses the whole description for one
/// candidate that it cannot read and for a refused m-line without a name, and overlooks candidates on inactive
/// m-lines; servers have all three. `offer` names the m-lines: the answer has them in the same order (RFC 3264 §6).
pub(super) fn tidied_answer(answer: &str, offer: &str) -> String {
    let mids: Vec<_> = media_lines(offer).into_iter().map(|line| line.mid).collect();
    tidied(answer, &mids)
}

/// The same for a server's offer, whose m-lines have names of their own.
pub(super) fn tidied_offer(offer: &str) -> String {
    tidied(offer, &[])
}

fn tidied(sdp: &str, mids: &[String]) -> String {
    let lines = media_lines(sdp);
    let carrier = lines.iter().position(|line| line.active).unwrap_or(0);
    // What an m-line lacks.
    let missing = |at: usize| {
        let nameless = lines.get(at).is_some_and(|line| line.mid.is_empty());
        let name = mids.get(at).filter(|_| nameless).map(|mid| format!("a=mid:{mid}\r\n"));
        let candidates = (at == carrier).then(|| usable_candidates(sdp).map(|line| format!("{line}\r\n")));
        name.into_iter().chain(candidates.into_iter().flatten()).collect::<String>()
    };
    let mut out = String::with_capacity(sdp.len());
    let mut sections = 0..;
    let mut lacking = None;
    for line in sdp.lines().map(str::trim_end).filter(|line| !line.starts_with(CANDIDATE)) {
        // Attributes come last in a section (RFC 8866 §5).
        if line.starts_with("a=") || line.starts_with("m=") {
            out.extend(lacking.take().map(missing));
        }
        if line.starts_with("m=") {
            lacking = sections.next();
        }
        out.push_str(line);
        out.push_str("\r\n");
    }
    out.extend(lacking.map(missing));
    out
}

const CANDIDATE: &str = "a=candidate:";

/// Candidates that we can send to: UDP, RTP multiplexed with RTCP, an address and not a name.
fn usable_candidates(sdp: &str) -> impl Iterator<Item = &str> {
    let is_usable = |line: &&str| {
        let words: Vec<_> = line.split_ascii_whitespace().collect();
        let [_, component, protocol, priority, address, port, "typ", kind, ..] = words[..] else {
            return false;
        };
        component == "1"
            && protocol.eq_ignore_ascii_case("udp")
            && priority.parse::<u32>().is_ok()
            && address.parse::<IpAddr>().is_ok()
            && port.parse::<u16>().is_ok()
            && ["host", "srflx", "prflx", "relay"].contains(&kind)
    };
    let candidates = sdp.lines().map(str::trim_end).filter(|line| line.starts_with(CANDIDATE));
    candidates.filter(is_usable).take(MAX_CANDIDATES)
}

/// The description with every candidate removed.
pub(super) fn without_candidates(sdp: &str) -> String {
    let kept = sdp.lines().filter(|line| !line.starts_with(CANDIDATE));
    kept.map(|line| format!("{line}\r\n")).collect()
}

/// The description with `address` as the only candidate of each m-line.
pub(super) fn with_candidate(sdp: &str, address: SocketAddr) -> String {
    let candidate =
        format!("a=candidate:1 1 udp 2130706431 {} {} typ host\r\n", address.ip(), address.port());
    let mut out = String::with_capacity(sdp.len());
    for line in without_candidates(sdp).lines() {
        out.push_str(line);
        out.push_str("\r\n");
        // RFC 8866 §5 wants attributes after `c=`, which follows `m=` in all descriptions with ICE.
        if line.starts_with("c=") {
            out.push_str(&candidate);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const SDP: &str = "v=0\r\ns=-\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\n\
        a=candidate:1 1 udp 1 10.0.0.1 5 typ host\r\na=sendonly\r\nm=video 0 UDP/TLS/RTP/SAVPF 96\r\n\
        c=IN IP4 0.0.0.0\r\na=mid:1\r\nm=video 9 X 96\r\nc=IN IP4 0.0.0.0\r\na=inactive\r\na=mid:two\r\n";

    #[test]
    fn media_lines_tell_mid_kind_and_whether_they_were_accepted() {
        let lines = media_lines(SDP);
        let seen: Vec<_> = lines.iter().map(|line| (line.mid.as_str(), line.kind, line.active)).collect();
        let expected = [
            ("0", Some(MediaKind::Audio), true),
            ("1", Some(MediaKind::Video), false),
            ("two", Some(MediaKind::Video), false),
        ];
        assert_eq!(seen, expected);
        assert!(media_lines("junk\na=mid:0").is_empty());
    }

    #[test]
    fn layers_are_taken_where_the_description_says_so() {
        let simulcast = "m=video 9 X 96\r\na=rid:h recv\r\na=simulcast:recv h;m;l\r\n";
        assert!(takes_layers(&format!("{simulcast}a=extmap:4 {}\r\n", super::super::engine::RID_URI)));
        assert!(!takes_layers(simulcast));
        assert!(!takes_layers(SDP));
        assert!(!takes_layers("a=simulcast:send h;m;l\r\n"));
    }

    /// Names and refusals as pion writes them, candidates as they come.
    const PECULIAR: &str = "v=0\ns=-\nc=IN IP4 0.0.0.0\nm=video 0 UDP/TLS/RTP/SAVPF 0\n\
        a=candidate:1 1 udp 7 10.0.0.1 5 typ host\nm=audio 9 X 111\nb=AS:50\na=mid:1\n\
        a=candidate:1 2 udp 7 10.0.0.1 5 typ host\na=candidate:2 1 tcp 7 10.0.0.1 5 typ host tcptype passive\n\
        a=candidate:3 1 UDP 7 fd00::1 5 typ srflx raddr 0.0.0.0 rport 0\na=candidate:4 1 udp 7 x.local 5 typ host\n\
        a=candidate:5 1 udp 7 fe80::1%eth0 5 typ host\na=candidate:6 1 udp\na=end-of-candidates\n";

    #[test]
    fn answers_of_others_are_made_readable() {
        let tidy = tidied_answer(PECULIAR, "m=video 9 X 96\r\na=mid:v\r\nm=audio 9 X 111\r\na=mid:a\r\n");
        let lines = media_lines(&tidy);
        assert_eq!(lines.iter().map(|line| &*line.mid).collect::<Vec<_>>(), ["v", "1"]);
        let audio = tidy.split("m=audio").nth(1).unwrap();
        let candidates: Vec<_> = audio.lines().filter(|line| line.starts_with(CANDIDATE)).collect();
        assert_eq!(
            candidates,
            [
                "a=candidate:1 1 udp 7 10.0.0.1 5 typ host",
                "a=candidate:3 1 UDP 7 fd00::1 5 typ srflx raddr 0.0.0.0 rport 0"
            ]
        );
        assert_eq!(tidy.matches(CANDIDATE).count(), 2);
        let crowd = "a=candidate:1 1 udp 7 10.0.0.1 5 typ host\n".repeat(100);
        assert_eq!(tidied_offer(&format!("{PECULIAR}{crowd}")).matches(CANDIDATE).count(), MAX_CANDIDATES);
    }

    #[test]
    fn candidates_can_be_withheld_and_replaced() {
        assert!(!without_candidates(SDP).contains("candidate"));
        let replaced = with_candidate(SDP, "127.0.0.1:40000".parse().unwrap());
        assert!(!replaced.contains("10.0.0.1"));
        assert_eq!(replaced.matches("127.0.0.1 40000 typ host").count(), 3);
    }
}
