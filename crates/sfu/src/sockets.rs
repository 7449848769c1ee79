//! The UDP sockets and the addresses that clients are told.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket as StdUdpSocket};

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::UdpSocket;

use crate::backlog::Backlog;
use crate::config::SfuConfig;
use crate::error::SfuError;

/// Kernel buffers: a key frame towards a hundred players is about 4 MB within a millisecond. The system
/// grants less unless it is told to.
const BUFFER_BYTES: usize = 8 << 20;

/// A bound socket.
pub(crate) struct BoundSocket {
    pub(crate) socket: UdpSocket,
    pub(crate) backlog: Backlog,
    pub(crate) local: SocketAddr,
    /// Advertised addresses, never empty. The first stands for this socket inside the ICE agents: which
    /// of its addresses a packet was sent to is not asked of the kernel.
    pub(crate) advertised: Vec<SocketAddr>,
}

/// Binds all configured addresses.
pub(crate) fn bind_all(config: &SfuConfig) -> Result<Vec<BoundSocket>, SfuError> {
    if config.udp.is_empty() {
        return Err(SfuError::NoAddress);
    }
    let bound = config.udp.iter().map(|address| bind(*address, config));
    let bound = bound.collect::<Result<Vec<_>, _>>()?;
    let granted = bound.iter().filter_map(|bound| granted(&bound.socket)).min();
    if let Some(advice) = granted.and_then(advice) {
        tracing::warn!("{advice}");
    }
    Ok(bound)
}

/// Bytes of the smaller buffer. Asking for more than the system allows is no error, so what was granted is read back.
fn granted(socket: &UdpSocket) -> Option<usize> {
    let socket = SockRef::from(socket);
    let smaller = socket.recv_buffer_size().ok()?.min(socket.send_buffer_size().ok()?);
    // Linux tells twice what was asked for: the rest is for its own bookkeeping (socket(7)).
    Some(if cfg!(target_os = "linux") { smaller / 2 } else { smaller })
}

/// What the operator is told when the system grants buffers of this size.
fn advice(granted: usize) -> Option<String> {
    (granted < BUFFER_BYTES).then(|| {
        format!(
            "the system limits UDP socket buffers to {} KiB, so bursts in meetings of many may be lost; raise the limits: \
             sysctl -w net.core.rmem_max={BUFFER_BYTES} net.core.wmem_max={BUFFER_BYTES}",
            granted >> 10
        )
    })
}

fn bind(address: SocketAddr, config: &SfuConfig) -> Result<BoundSocket, SfuError> {
    let fail = |source| SfuError::Bind { address, source };
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP)).map_err(fail)?;
    for result in [socket.set_recv_buffer_size(BUFFER_BYTES), socket.set_send_buffer_size(BUFFER_BYTES)] {
        if let Err(error) = result {
            tracing::debug!(%error, "socket buffers could not be raised");
        }
    }
    if address.is_ipv6() {
        socket.set_only_v6(true).map_err(fail)?;
    }
    socket.set_nonblocking(true).map_err(fail)?;
    socket.bind(&address.into()).map_err(fail)?;
    let socket = UdpSocket::from_std(socket.into()).map_err(fail)?;
    let local = socket.local_addr().map_err(fail)?;
    let advertised = advertised(local, &config.public_addresses);
    for candidate in &advertised {
        if str0m::Candidate::host(*candidate, "udp").is_err() || candidate.port() == 0 {
            return Err(SfuError::UnusableAddress { address: *candidate });
        }
    }
    if advertised.is_empty() {
        return Err(SfuError::UnusableAddress { address: local });
    }
    Ok(BoundSocket { socket, backlog: Backlog::default(), local, advertised })
}

fn advertised(local: SocketAddr, public: &[SocketAddr]) -> Vec<SocketAddr> {
    let with_port = |address: &SocketAddr| {
        let port = if address.port() == 0 { local.port() } else { address.port() };
        SocketAddr::new(address.ip(), port)
    };
    let same_family = |a: &&SocketAddr| a.is_ipv4() == local.is_ipv4();
    let configured: Vec<_> = public.iter().filter(same_family).map(with_port).collect();
    if !configured.is_empty() {
        return configured;
    }
    if !local.ip().is_unspecified() {
        return vec![local];
    }
    let loopback: IpAddr =
        if local.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
    let route = default_route_address(local.is_ipv4());
    let found = route.into_iter().chain([loopback]);
    found.map(|ip| SocketAddr::new(ip, local.port())).collect()
}

/// The address this machine would use towards the internet. Connecting a UDP socket sends nothing; the
/// destinations are documentation addresses (RFC 5737, RFC 3849).
fn default_route_address(ipv4: bool) -> Option<IpAddr> {
    let (any, far): (IpAddr, IpAddr) = if ipv4 {
        (Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::new(192, 0, 2, 1).into())
    } else {
        let far = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
        (Ipv6Addr::UNSPECIFIED.into(), far.into())
    };
    let socket = StdUdpSocket::bind((any, 0)).ok()?;
    socket.connect((far, 9)).ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (!ip.is_unspecified() && !ip.is_loopback()).then_some(ip)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_addresses_take_the_bound_port_and_family() {
        let local: SocketAddr = "10.0.0.5:4000".parse().unwrap();
        let public = [
            "203.0.113.7:0".parse().unwrap(),
            "203.0.113.8:9".parse().unwrap(),
            "[2001:db8::1]:0".parse().unwrap(),
        ];
        let expected: Vec<SocketAddr> =
            vec!["203.0.113.7:4000".parse().unwrap(), "203.0.113.8:9".parse().unwrap()];
        assert_eq!(advertised(local, &public), expected);
        assert_eq!(advertised(local, &[]), vec![local]);
    }

    #[test]
    fn buffers_that_the_system_keeps_small_are_told_with_the_line_that_raises_them() {
        assert_eq!(advice(BUFFER_BYTES), None);
        let advice = advice(212_992).unwrap();
        assert!(advice.contains("208 KiB") && advice.contains("net.core.wmem_max=8388608"), "{advice}");
    }

    #[tokio::test]
    async fn granted_buffers_are_read_back() {
        let bound = bind_all(&SfuConfig::default()).unwrap();
        assert!(granted(&bound[0].socket).is_some_and(|bytes| bytes > 0));
    }

    #[test]
    fn a_wildcard_bind_always_offers_loopback() {
        let local: SocketAddr = "0.0.0.0:4000".parse().unwrap();
        let addresses = advertised(local, &[]);
        assert!(addresses.contains(&"127.0.0.1:4000".parse().unwrap()));
    }
}
