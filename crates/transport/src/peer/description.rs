//! The few things that are read from session descriptions or changed in them (RFC 8866, RFC 8839).

use std::net::SocketAddr;

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

/// The description with every candidate removed.
pub(super) fn without_candidates(sdp: &str) -> String {
    let kept = sdp.lines().filter(|line| !line.starts_with(super::tidy::CANDIDATE));
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

    #[test]
    fn candidates_can_be_withheld_and_replaced() {
        assert!(!without_candidates(SDP).contains("candidate"));
        let replaced = with_candidate(SDP, "127.0.0.1:40000".parse().unwrap());
        assert!(!replaced.contains("10.0.0.1"));
        assert_eq!(replaced.matches("127.0.0.1 40000 typ host").count(), 3);
    }
}
