//! The relay over real sockets.

mod flow;

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::chance::Dice;
use crate::counters::LinkCounters;
use crate::machine::Direction;
use crate::settings::LinkSettings;
use flow::{FlowEnds, Impairments, run_flow};

/// The largest UDP packet.
const MAX_PACKET: usize = 65_535;

/// Packets that may wait for a flow's task; what does not fit is dropped like at a full socket.
const FLOW_QUEUE: usize = 1_024;

/// Clients that may use one relay.
const MAX_FLOWS: usize = 256;

/// What happened so far, over all flows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RelayReport {
    /// Clients that sent something.
    pub flows: usize,
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
    counters: FlowCounters,
}

/// The counters of each flow, both directions, in the order in which the flows appeared.
type FlowCounters = Arc<Mutex<Vec<[LinkCounters; 2]>>>;

fn lock(counters: &FlowCounters) -> MutexGuard<'_, Vec<[LinkCounters; 2]>> {
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
        let flows = lock(&self.counters);
        let mut report = RelayReport { flows: flows.len(), ..RelayReport::default() };
        for [to_server, to_client] in flows.iter() {
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
            counters: FlowCounters::default(),
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
        let mut flows: HashMap<SocketAddr, mpsc::Sender<Vec<u8>>> = HashMap::new();
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
            if !flows.contains_key(&client) {
                if flows.len() == MAX_FLOWS {
                    continue;
                }
                let (sender, ends) = self.open_flow(client).await?;
                tasks.spawn(run_flow(ends));
                flows.insert(client, sender);
            }
            if let Some(sender) = flows.get(&client) {
                let _ = sender.try_send(buffer[..length].to_vec());
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
            counters.push(Default::default());
            counters.len() - 1
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
