//! `Link` headers (RFC 8288): ICE servers (RFC 9725 §4.6) and our own relations.

use incamera_relay_proto::{IceServer, TextSecret};

/// Longest header value that is read.
const MAX_LINK: usize = 4_096;

/// Most links of one response that are read.
const MAX_LINKS: usize = 32;

/// One link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) target: String,
    pub(super) parameters: Vec<(String, String)>,
}

impl Link {
    fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether the link has this relation; `rel` may list several (RFC 8288 §3.3).
    pub(super) fn has_relation(&self, relation: &str) -> bool {
        self.parameter("rel").is_some_and(|all| all.split(' ').any(|one| one == relation))
    }

    /// The STUN or TURN server that the link names, if it does.
    pub(super) fn ice_server(&self) -> Option<IceServer> {
        if !self.has_relation("ice-server") {
            return None;
        }
        Some(IceServer {
            urls: vec![self.target.clone()],
            username: self.parameter("username").unwrap_or_default().to_owned(),
            credential: TextSecret::new(self.parameter("credential").unwrap_or_default().to_owned()),
        })
    }
}

/// Reads header values, each with one or more links. Total and bounded: what is no link ends that value.
pub(super) fn parse<'a>(values: impl Iterator<Item = &'a str>) -> Vec<Link> {
    let mut links = Vec::new();
    for value in values.filter(|value| value.len() <= MAX_LINK) {
        let mut rest = value;
        while links.len() < MAX_LINKS {
            let Some((link, after)) = parse_link(rest) else { break };
            links.push(link);
            match after.strip_prefix(',') {
                Some(next) => rest = next,
                None => break,
            }
        }
    }
    links
}

fn parse_link(text: &str) -> Option<(Link, &str)> {
    let (target, mut rest) = text.trim_start().strip_prefix('<')?.split_once('>')?;
    let mut parameters = Vec::new();
    loop {
        rest = rest.trim_start();
        let Some(after) = rest.strip_prefix(';') else { break };
        let (parameter, after) = parse_parameter(after.trim_start())?;
        parameters.push(parameter);
        rest = after;
    }
    Some((Link { target: target.trim().to_owned(), parameters }, rest))
}

fn parse_parameter(text: &str) -> Option<((String, String), &str)> {
    let end = text.find(['=', ';', ',']).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let name = name.trim().to_ascii_lowercase();
    let Some(rest) = rest.strip_prefix('=') else { return Some(((name, String::new()), rest)) };
    let rest = rest.trim_start();
    let Some(quoted) = rest.strip_prefix('"') else {
        let end = rest.find([';', ',']).unwrap_or(rest.len());
        let (value, rest) = rest.split_at(end);
        return Some(((name, value.trim().to_owned()), rest));
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some(((name, value), quoted.get(at + 1..)?)),
            '\\' => value.push(characters.next()?.1),
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ice_servers_and_relations_are_read_from_lists_and_repeated_headers() {
        let values = [
            "<stun:stun.example.net>; rel=\"ice-server\", <turn:turn.example.net?transport=udp>; rel=ice-server; \
             username=\"u\\\"ser\"; credential=\"pass;,word\"; credential-type=\"password\"",
            "</session/1/slots>;rel=\"other urn:incamera:slots\"",
        ];
        let links = parse(values.into_iter());
        assert_eq!(links.len(), 3);
        assert_eq!(links[0].ice_server().unwrap().urls, ["stun:stun.example.net"]);
        let turn = links[1].ice_server().unwrap();
        assert_eq!((turn.username.as_str(), turn.credential.expose()), ("u\"ser", "pass;,word"));
        assert!(links[2].has_relation("urn:incamera:slots") && links[2].ice_server().is_none());
    }

    #[test]
    fn junk_gives_no_links_and_never_panics() {
        for junk in
            ["", "<", "<>", "x", "<a>;b=\"", "<a>;b=\"\\", "<a>;;;=", ",,,", "<a>,<b", "<ä>; rel=\"ü\""]
        {
            parse([junk].into_iter());
        }
        assert!(parse([&*"<a>,".repeat(1_000)].into_iter()).len() <= MAX_LINKS);
    }
}
