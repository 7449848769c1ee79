//! Descriptions of servers as the WebRTC stack takes them (RFC 8866, RFC 8839).
//!
//! The stack refuses a whole description for one candidate that it cannot read, and for a refused m-line without a name;
//! it overlooks candidates on inactive m-lines, and takes tracks for one that have no names or the same. Servers do all of
//! this.

use std::collections::HashSet;
use std::net::IpAddr;

use super::description::media_lines;

/// Most candidates of a server that are tried: each costs us packets to an address of its choice (SEC-15).
const MAX_CANDIDATES: usize = 32;

pub(super) const CANDIDATE: &str = "a=candidate:";
const TRACK: &str = "a=msid:";

/// A server's answer to our offer, which names the m-lines: the answer has them in the same order (RFC 3264 §6).
pub(super) fn tidied_answer(answer: &str, offer: &str) -> String {
    let mids: Vec<_> = media_lines(offer).into_iter().map(|line| line.mid).collect();
    tidied(answer, &mids)
}

/// A server's offer, whose m-lines have names of their own.
pub(super) fn tidied_offer(offer: &str) -> String {
    tidied(offer, &[])
}

fn tidied(sdp: &str, mids: &[String]) -> String {
    let carrier = media_lines(sdp).iter().position(|line| line.active).unwrap_or(0);
    let mut tracks = HashSet::new();
    let mut out: Vec<String> = Vec::new();
    for (at, section) in sections(sdp).into_iter().enumerate() {
        // What comes before the first m-line is no m-line.
        let Some(at) = at.checked_sub(1) else {
            out.extend(section.iter().map(|line| (*line).to_owned()));
            continue;
        };
        let attributes = section.iter().position(|line| line.starts_with("a=")).unwrap_or(section.len());
        let (head, attributes) = section.split_at(attributes);
        out.extend(head.iter().map(|line| (*line).to_owned()));
        if !attributes.iter().any(|line| line.starts_with("a=mid:")) {
            out.extend(mids.get(at).map(|mid| format!("a=mid:{mid}")));
        }
        if at == carrier {
            out.extend(usable_candidates(sdp).map(str::to_owned));
        }
        if track(attributes).is_some_and(|track| tracks.insert(track)) {
            out.extend(attributes.iter().map(|line| (*line).to_owned()));
        } else {
            out.extend(with_own_track(attributes, at));
        }
    }
    out.iter().map(|line| format!("{line}\r\n")).collect()
}

/// The lines before the first m-line, and those of each m-line; without candidates.
fn sections(sdp: &str) -> Vec<Vec<&str>> {
    let mut sections = vec![Vec::new()];
    for line in sdp.lines().map(str::trim_end).filter(|line| !line.starts_with(CANDIDATE)) {
        if line.starts_with("m=") {
            sections.push(Vec::new());
        }
        if let Some(section) = sections.last_mut() {
            section.push(line);
        }
    }
    sections
}

/// The name of an m-line's track (RFC 8830), which older servers give with its source (RFC 5576).
fn track<'a>(attributes: &[&'a str]) -> Option<&'a str> {
    let names = attributes.iter().find_map(|line| {
        let of_source = || line.strip_prefix("a=ssrc:")?.split_once(" msid:").map(|(_, names)| names);
        line.strip_prefix(TRACK).or_else(of_source)
    });
    names?.split_once(' ').map(|(_, track)| track)
}

/// The attributes of an m-line under a track name that no other has.
fn with_own_track(attributes: &[&str], at: usize) -> impl Iterator<Item = String> {
    // Without a source the stack makes no track, and takes no name for one.
    let has_source = attributes.iter().any(|line| line.starts_with("a=ssrc:"));
    let others = attributes.iter().filter(|line| !line.starts_with(TRACK)).map(|line| {
        match line.split_once(" msid:") {
            Some((source, _)) if source.starts_with("a=ssrc:") => format!("{source} cname:-"),
            _ => (*line).to_owned(),
        }
    });
    has_source.then(|| format!("{TRACK}- line-{at}")).into_iter().chain(others)
}

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

#[cfg(test)]
mod tests {
    use super::*;

    /// Names and refusals as pion writes them, candidates as they come.
    const PECULIAR: &str = "v=0\ns=-\nc=IN IP4 0.0.0.0\nm=video 0 UDP/TLS/RTP/SAVPF 0\n\
        a=candidate:1 1 udp 7 10.0.0.1 5 typ host\nm=audio 9 X 111\nb=AS:50\na=mid:1\n\
        a=candidate:1 2 udp 7 10.0.0.1 5 typ host\na=candidate:2 1 tcp 7 10.0.0.1 5 typ host tcptype passive\n\
        a=candidate:3 1 UDP 7 fd00::1 5 typ srflx raddr 0.0.0.0 rport 0\na=candidate:4 1 udp 7 x.local 5 typ host\n\
        a=candidate:5 1 udp 7 fe80::1%eth0 5 typ host\na=candidate:6 1 udp\na=end-of-candidates\n";

    #[test]
    fn answers_get_the_names_of_the_offer_and_the_candidates_that_can_be_used() {
        let tidy = tidied_answer(PECULIAR, "m=video 9 X 96\r\na=mid:v\r\nm=audio 9 X 111\r\na=mid:a\r\n");
        let expected = "v=0\r\ns=-\r\nc=IN IP4 0.0.0.0\r\nm=video 0 UDP/TLS/RTP/SAVPF 0\r\na=mid:v\r\n\
            m=audio 9 X 111\r\nb=AS:50\r\na=candidate:1 1 udp 7 10.0.0.1 5 typ host\r\n\
            a=candidate:3 1 UDP 7 fd00::1 5 typ srflx raddr 0.0.0.0 rport 0\r\na=mid:1\r\n\
            a=end-of-candidates\r\n";
        assert_eq!(tidy, expected);
        assert_eq!(tidied_offer(expected), expected, "once is enough");
    }

    #[test]
    fn candidates_are_bounded() {
        let crowd = "a=candidate:1 1 udp 7 10.0.0.1 5 typ host\n".repeat(100);
        assert_eq!(tidied_offer(&format!("{PECULIAR}{crowd}")).matches(CANDIDATE).count(), MAX_CANDIDATES);
    }

    #[test]
    fn every_line_with_a_source_has_a_track_of_its_own() {
        let sdp = "v=0\r\nm=audio 9 X 111\r\na=mid:0\r\na=msid:s one\r\na=ssrc:1 cname:c\r\n\
            m=video 9 X 96\r\na=mid:1\r\na=ssrc:2 cname:c\r\n\
            m=video 9 X 96\r\na=mid:2\r\na=ssrc:3 msid:s one\r\n\
            m=video 9 X 96\r\na=mid:3\r\na=recvonly\r\n";
        let expected = sdp
            .replace("a=mid:1\r\n", "a=msid:- line-1\r\na=mid:1\r\n")
            .replace("a=mid:2\r\n", "a=msid:- line-2\r\na=mid:2\r\n")
            .replace("a=ssrc:3 msid:s one", "a=ssrc:3 cname:-");
        assert_eq!(tidied_offer(sdp), expected);
    }
}
