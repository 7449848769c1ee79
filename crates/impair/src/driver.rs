//! The relay over real sockets.

mod flow;
mod table;

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::chance::Dice;
use crate::counters::LinkCounters;
use crate::machine::Direction;
use crate::settings::LinkSettings;
use flow::{FlowEnds, Impairments, run_flow};
use table::FlowTable;

/// The largest UDP packet.
const MAX_PACKET: usize = 65_535;

/// Packets that may wait for a flow's task; what does not fit is dropped like at a full socket.
const FLOW_QUEUE: usize = 1_024;

/// What happened so far, over all flows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RelayReport {
    /// Clients that sent something.
    pub flows: usize,
    /// Packets of clients beyond the number that a relay serves at a time; they go nowhere.
    pub refused: u64,
    /// Packets from clients to the server.
    pub to_server: LinkCounters,
    /// Packets from the server to clients.
    pub to_client: LinkCounters,
}

/// Changes and observes a running relay.
#[derive(Clone, Debug)]
pub struct RelayHandle {
    local: SocketAddr,
    impairments: Arc<watch::Sender<Impairments>>,
    counters: SharedCounters,
}

/// What is counted while the relay runs.
#[derive(Debug, Default)]
struct Counters {
    /// Both directions of each flow, in the order in which the flows appeared.
    flows: Vec<[LinkCounters; 2]>,
    refused: u64,
}

type SharedCounters = Arc<Mutex<Counters>>;

fn lock(counters: &SharedCounters) -> MutexGuard<'_, Counters> {
    // Plain numbers are valid whatever happened while they were locked.
    counters.lock().unwrap_or_else(PoisonError::into_inner)
}

impl RelayHandle {
    /// Where clients send their packets.
    #[must_use]
    pub const fn local_address(&self) -> SocketAddr {
        self.local
    }

    /// Changes what a direction of every flow does to packets that come in from now on.
    pub fn change(&self, direction: Direction, settings: LinkSettings) {
        self.impairments.send_modify(|impairments| *impairments.of_mut(direction) = settings);
    }

    /// What happened so far.
    #[must_use]
    pub fn report(&self) -> RelayReport {
        let counters = lock(&self.counters);
        let mut report =
            RelayReport { flows: counters.flows.len(), refused: counters.refused, ..RelayReport::default() };
        for [to_server, to_client] in &counters.flows {
            report.to_server += *to_server;
            report.to_client += *to_client;
        }
        report
    }
}

/// A UDP relay between any number of clients and one server. Each client gets a flow with a socket of its own towards
/// the server and randomness of its own, numbered in the order in which clients appear.
#[derive(Debug)]
pub struct RelayDriver {
    socket: Arc<UdpSocket>,
    server: SocketAddr,
    dice: Dice,
    handle: RelayHandle,
}

impl RelayDriver {
    /// Binds to `listen` (port 0: any) and relays to `server`. Nothing moves before [`RelayDriver::run`].
    ///
    /// # Errors
    /// The address cannot be bound.
    pub async fn bind(
        listen: SocketAddr,
        server: SocketAddr,
        to_server: LinkSettings,
        to_client: LinkSettings,
        seed: u64,
    ) -> io::Result<Self> {
        let socket = Arc::new(UdpSocket::bind(listen).await?);
        let handle = RelayHandle {
            local: socket.local_addr()?,
            impairments: Arc::new(watch::Sender::new(Impairments { to_server, to_client })),
            counters: SharedCounters::default(),
        };
        Ok(Self { socket, server, dice: Dice::new(seed), handle })
    }

    /// A handle to change and observe the relay.
    #[must_use]
    pub fn handle(&self) -> RelayHandle {
        self.handle.clone()
    }

    /// Relays until the future is dropped.
    ///
    /// # Errors
    /// The listening socket failed, or a socket towards the server could not be made.
    pub async fn run(self) -> io::Result<()> {
        let mut flows: FlowTable<mpsc::Sender<Vec<u8>>> = FlowTable::new();
        // Dropped with this future, which ends every flow.
        let mut tasks = JoinSet::new();
        let mut buffer = vec![0; MAX_PACKET];
        loop {
            let (length, client) = match self.socket.recv_from(&mut buffer).await {
                Ok(received) => received,
                // An earlier packet could not be delivered; that is no failure of this socket.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => continue,
                Err(error) => return Err(error),
            };
            let (now, packet) = (Instant::now(), buffer[..length].to_vec());
            if let Some(flow) = flows.heard(now, client) {
                let _ = flow.try_send(packet);
            } else if flows.make_room(now) {
                let (flow, ends) = self.open_flow(client).await?;
                let _ = flow.try_send(packet);
                flows.insert(now, client, flow);
                tasks.spawn(run_flow(ends));
                // Those that made room have ended.
                while tasks.try_join_next().is_some() {}
            } else {
                lock(&self.handle.counters).refused += 1;
            }
        }
    }

    async fn open_flow(&self, client: SocketAddr) -> io::Result<(mpsc::Sender<Vec<u8>>, FlowEnds)> {
        let any: SocketAddr = match self.server {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let upstream = UdpSocket::bind(any).await?;
        upstream.connect(self.server).await?;
        let (sender, from_client) = mpsc::channel(FLOW_QUEUE);
        let number = {
            let mut counters = lock(&self.handle.counters);
            counters.flows.push(Default::default());
            counters.flows.len() - 1
        };
        let ends = FlowEnds {
            number,
            client,
            from_client,
            downstream: Arc::clone(&self.socket),
            upstream,
            dice: self.dice.split(number as u64),
            impairments: self.handle.impairments.subscribe(),
            counters: Arc::clone(&self.handle.counters),
        };
        Ok((sender, ends))
    }
}
