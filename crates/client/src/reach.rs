//! Who can reach a meeting that is hosted on this computer.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use incamera_types::RelayAddress;
use serde::Serialize;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How far away the people are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Other programs on this computer.
    ThisComputer,
    /// Computers in the same network.
    ThisNetwork,
    /// Everybody.
    Internet,
}

/// Whether people of one scope can reach the meeting, as far as this computer can find out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reach {
    /// Who.
    pub scope: Scope,
    /// The address that was tried; `None` when this computer has none of that scope.
    pub address: Option<SocketAddr>,
    /// Whether a connection to it succeeded from here. A firewall between here and others is not seen.
    pub reachable: bool,
}

/// How long a connection to one of our own addresses may take.
const ATTEMPT: Duration = Duration::from_secs(2);

/// Tries each scope with a real connection to `port`.
pub(crate) async fn probe(listening: IpAddr, port: u16) -> Vec<Reach> {
    let serves = |ip: IpAddr| listening.is_unspecified() || listening == ip;
    let local = outward_address().filter(|ip| !ip.is_loopback());
    let loopback = if listening.is_loopback() { listening } else { IpAddr::V4(Ipv4Addr::LOCALHOST) };
    let public = local.filter(|ip| is_public(*ip));
    let candidates = [
        (Scope::ThisComputer, Some(loopback).filter(|ip| serves(*ip)).or(Some(listening))),
        (Scope::ThisNetwork, local.filter(|ip| serves(*ip))),
        (Scope::Internet, public.filter(|ip| serves(*ip))),
    ];
    let mut reaches = Vec::with_capacity(candidates.len());
    for (scope, ip) in candidates {
        let address = ip.map(|ip| SocketAddr::new(ip, port));
        let reachable = match address {
            Some(address) => matches!(timeout(ATTEMPT, TcpStream::connect(address)).await, Ok(Ok(_))),
            None => false,
        };
        reaches.push(Reach { scope, address, reachable });
    }
    reaches
}

/// Tries somebody else's relay: whoever can reach its address can join.
pub(crate) async fn probe_remote(relay: &RelayAddress) -> Vec<Reach> {
    let connecting = TcpStream::connect((relay.host(), relay.port()));
    let Ok(Ok(stream)) = timeout(ATTEMPT, connecting).await else { return Vec::new() };
    let Ok(address) = stream.peer_addr() else { return Vec::new() };
    let scope = match address.ip() {
        ip if ip.is_loopback() => Scope::ThisComputer,
        ip if is_public(ip) => Scope::Internet,
        _ => Scope::ThisNetwork,
    };
    vec![Reach { scope, address: Some(address), reachable: true }]
}

/// The address from which this computer would reach the internet. Sends nothing: connecting a datagram socket only
/// chooses a route.
pub(crate) fn outward_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    // TEST-NET-1 of RFC 5737: routed like any public address, owned by nobody.
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    socket.local_addr().ok().map(|address| address.ip()).filter(|ip| !ip.is_unspecified())
}

fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            let shared = a == 100 && (64..128).contains(&b);
            !(ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_unspecified() || shared)
        }
        IpAddr::V6(ip) => (ip.segments()[0] & 0xe000) == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_shared_and_local_addresses_are_not_public() {
        for text in [
            "10.1.2.3",
            "192.168.0.1",
            "172.20.0.1",
            "100.64.0.1",
            "169.254.1.1",
            "127.0.0.1",
            "fe80::1",
            "::1",
        ] {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
        assert!(is_public("198.51.100.7".parse().unwrap()));
        assert!(is_public("2001:db8::1".parse().unwrap()));
    }

    #[tokio::test]
    async fn listening_port_is_reachable_on_this_computer_and_a_closed_one_is_not() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let open = probe(address.ip(), address.port()).await;
        assert_eq!(open[0], Reach { scope: Scope::ThisComputer, address: Some(address), reachable: true });
        let relay = RelayAddress::parse(&address.to_string()).unwrap();
        assert_eq!(probe_remote(&relay).await, open[..1]);
        drop(listener);
        assert!(probe_remote(&relay).await.is_empty());
        let closed = probe(address.ip(), address.port()).await;
        assert!(!closed[0].reachable);
    }
}
