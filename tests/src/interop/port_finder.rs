//! Leads UDP from one address to the port of a server that belongs to each client, whichever it is.
//!
//! Janus takes a port of its range for each connection and says so only in its description, while the impairment
//! relay leads to one address that is known beforehand. A connectivity check (RFC 8445 §7) is answered by no port but
//! the one that it is meant for: checks go to all ports until one answers.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// The first two bytes of a STUN binding success response (RFC 8489 §5).
const BINDING_SUCCESS: [u8; 2] = [0x01, 0x01];
/// How soon the threads notice that they are to end.
const LOOK: Duration = Duration::from_millis(100);
/// The largest UDP packet.
const MAX_PACKET: usize = 65_535;

/// Where the server is.
#[derive(Clone, Debug)]
pub(super) struct ManyPorts {
    pub(super) address: IpAddr,
    pub(super) ports: RangeInclusive<u16>,
}

/// A running port finder; ends when dropped.
pub(super) struct PortFinder {
    address: SocketAddr,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl PortFinder {
    /// Listens on loopback and sends to `server` from `own`.
    pub(super) fn start(own: IpAddr, server: ManyPorts) -> io::Result<Self> {
        let socket = Arc::new(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?);
        socket.set_read_timeout(Some(LOOK))?;
        let address = socket.local_addr()?;
        let is_over = Arc::new(AtomicBool::new(false));
        let ending = Arc::clone(&is_over);
        let thread = std::thread::Builder::new()
            .name("port-finder".to_owned())
            .spawn(move || lead_in(&socket, own, &server, &ending))?;
        Ok(Self { address, is_over, thread: Some(thread) })
    }

    /// Where packets for the server go.
    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for PortFinder {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic in it was reported when it happened.
            let _ = thread.join();
        }
    }
}

/// One client: our socket towards the server, and the server's port once it is known (0 before).
struct Flow {
    upstream: UdpSocket,
    port: AtomicU16,
}

fn lead_in(socket: &Arc<UdpSocket>, own: IpAddr, server: &ManyPorts, is_over: &Arc<AtomicBool>) {
    let mut flows: HashMap<SocketAddr, Arc<Flow>> = HashMap::new();
    let mut threads = Vec::new();
    let mut buffer = vec![0; MAX_PACKET];
    while !is_over.load(Ordering::Relaxed) {
        let Ok((length, client)) = socket.recv_from(&mut buffer) else { continue };
        let flow = match flows.entry(client) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let Ok(flow) = open_flow(own) else { continue };
                let (out, downstream, is_over) = (Arc::clone(&flow), Arc::clone(socket), Arc::clone(is_over));
                threads.push(std::thread::spawn(move || lead_out(&out, &downstream, client, &is_over)));
                new.insert(flow)
            }
        };
        flow.send(&buffer[..length], server);
    }
    for thread in threads {
        // A panic in it was reported when it happened.
        let _ = thread.join();
    }
}

fn open_flow(own: IpAddr) -> io::Result<Arc<Flow>> {
    let upstream = UdpSocket::bind((own, 0))?;
    upstream.set_read_timeout(Some(LOOK))?;
    Ok(Arc::new(Flow { upstream, port: AtomicU16::new(0) }))
}

impl Flow {
    /// What cannot be sent is lost, as on any network.
    fn send(&self, packet: &[u8], server: &ManyPorts) {
        let known = self.port.load(Ordering::Relaxed);
        let ports = if known == 0 { server.ports.clone() } else { known..=known };
        for port in ports {
            let _ = self.upstream.send_to(packet, (server.address, port));
        }
    }
}

fn lead_out(flow: &Flow, downstream: &UdpSocket, client: SocketAddr, is_over: &AtomicBool) {
    let mut buffer = vec![0; MAX_PACKET];
    while !is_over.load(Ordering::Relaxed) {
        let Ok((length, from)) = flow.upstream.recv_from(&mut buffer) else { continue };
        let packet = &buffer[..length];
        if flow.port.load(Ordering::Relaxed) == 0 && packet.starts_with(&BINDING_SUCCESS) {
            flow.port.store(from.port(), Ordering::Relaxed);
        }
        if flow.port.load(Ordering::Relaxed) == from.port() {
            // What cannot be sent is lost, as on any network.
            let _ = downstream.send_to(packet, client);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two sockets on ports next to each other, so that nobody else's lie between them.
    fn neighbours(own: IpAddr) -> io::Result<[UdpSocket; 2]> {
        for _ in 0..100 {
            let one = UdpSocket::bind((own, 0))?;
            let next = one.local_addr()?.port().saturating_add(1);
            if let Ok(other) = UdpSocket::bind((own, next)) {
                return Ok([one, other]);
            }
        }
        Err(io::Error::other("no two free ports next to each other"))
    }

    #[test]
    fn packets_reach_the_port_that_answered_a_check_and_no_other() -> io::Result<()> {
        let own = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let servers = neighbours(own)?;
        let ports = servers[0].local_addr()?.port()..=servers[1].local_addr()?.port();
        let finder = PortFinder::start(own, ManyPorts { address: own, ports })?;
        let client = UdpSocket::bind((own, 0))?;
        for socket in servers.iter().chain([&client]) {
            socket.set_read_timeout(Some(Duration::from_secs(10)))?;
        }
        let mut buffer = [0; 16];
        client.send_to(b"check", finder.address())?;
        let (_, asker) = servers[0].recv_from(&mut buffer)?;
        assert_eq!(servers[1].recv_from(&mut buffer)?.0, 5);
        servers[1].send_to(&BINDING_SUCCESS, asker)?;
        assert_eq!(client.recv_from(&mut buffer)?.0, 2);
        client.send_to(b"media", finder.address())?;
        assert_eq!(servers[1].recv_from(&mut buffer)?.0, 5);
        servers[0].set_nonblocking(true)?;
        assert!(servers[0].recv_from(&mut buffer).is_err());
        Ok(())
    }
}
