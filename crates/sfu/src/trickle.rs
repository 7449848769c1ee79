//! Trickle ICE fragments (RFC 8840 §9, `application/trickle-ice-sdpfrag`): strict, total, bounded.

use str0m::Candidate;

use crate::refusal::Refusal;
use crate::stack::guarded;

/// Most lines of a fragment.
const MAX_LINES: usize = 256;
/// Longest line in bytes; a candidate with every extension has some 300.
const MAX_LINE: usize = 1_024;
/// RFC 8839 §5.4: ufrag 4 to 256, password 22 to 256 ice-chars.
const UFRAG: core::ops::RangeInclusive<usize> = 4..=256;
const PASSWORD: core::ops::RangeInclusive<usize> = 22..=256;

/// A parsed fragment.
#[derive(Debug, Default)]
pub(crate) struct IceFragment {
    pub(crate) ufrag: Option<String>,
    pub(crate) password: Option<String>,
    /// UDP candidates with an IP address. Others (TCP, `.local` names) are of no use here and left out.
    pub(crate) candidates: Vec<Candidate>,
}

impl IceFragment {
    /// Parses `text`.
    ///
    /// # Errors
    /// [`Refusal::MalformedFragment`] for anything that is not a fragment within the bounds.
    pub(crate) fn parse(text: &str) -> Result<Self, Refusal> {
        let mut fragment = Self::default();
        for (index, line) in text.lines().enumerate() {
            if index >= MAX_LINES || line.len() > MAX_LINE || !line.is_ascii() {
                return Err(Refusal::MalformedFragment);
            }
            if line.is_empty() {
                continue;
            }
            fragment.line(line)?;
        }
        if fragment.ufrag.is_some() != fragment.password.is_some() {
            return Err(Refusal::MalformedFragment);
        }
        Ok(fragment)
    }

    fn line(&mut self, line: &str) -> Result<(), Refusal> {
        let (kind, value) = line.split_once('=').ok_or(Refusal::MalformedFragment)?;
        if kind.len() != 1 {
            return Err(Refusal::MalformedFragment);
        }
        if kind != "a" {
            return Ok(());
        }
        if let Some(ufrag) = value.strip_prefix("ice-ufrag:") {
            self.ufrag = Some(ice_chars(ufrag, UFRAG)?);
        } else if let Some(password) = value.strip_prefix("ice-pwd:") {
            self.password = Some(ice_chars(password, PASSWORD)?);
        } else if value.starts_with("candidate:") {
            self.candidates.extend(candidate(value));
        }
        Ok(())
    }
}

/// A candidate attribute's value, if it is one that this server can use.
pub(crate) fn candidate(value: &str) -> Option<Candidate> {
    guarded(|| Candidate::from_sdp_string(value).ok())?
}

fn ice_chars(text: &str, length: core::ops::RangeInclusive<usize>) -> Result<String, Refusal> {
    let valid = |b: u8| b.is_ascii_alphanumeric() || b == b'+' || b == b'/';
    if !length.contains(&text.len()) || !text.bytes().all(valid) {
        return Err(Refusal::MalformedFragment);
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fragment_of_the_rfc_is_read() {
        let text = "a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n\
            m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n\
            a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0 ufrag EsAw network-id 1\r\n\
            a=candidate:3471623853 1 udp 2122194687 198.51.100.2 61765 typ host\r\n\
            a=candidate:1 1 udp 2122194687 8a2e1c0e-0000-4000-8000-000000000000.local 61765 typ host\r\n\
            a=end-of-candidates\r\n";
        let fragment = IceFragment::parse(text).unwrap();
        assert_eq!(fragment.ufrag.as_deref(), Some("EsAw"));
        assert_eq!(fragment.candidates.len(), 2);
    }

    #[test]
    fn junk_is_refused() {
        let long = "a=".to_owned() + &"x".repeat(2_000);
        let many = "a=x\n".repeat(1_000);
        for bad in [
            "nonsense",
            "aa=x",
            "a=ice-ufrag:x\n",
            "a=ice-ufrag:abcd\n",
            "a=ice-ufrag:ab cd\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\n",
            "a=ü",
            &long,
            &many,
        ] {
            assert!(IceFragment::parse(bad).is_err(), "{bad:.40?}");
        }
    }
}
