//! The server: sockets, TLS, HTTP and the WebSocket endpoint.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{ConnectInfo, Extension, State};
use axum::response::Response;
use axum::{Router, routing};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use incamera_relay_proto::limits;
use incamera_sfu::SfuHandle;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::access::{SFU_PATH, SfuGate};
use crate::admission::{Admission, Admitted};
use crate::driver::RelayDriver;
use crate::socket::serve_socket;
use crate::tls::TlsIdentity;
use crate::{RelayConfig, RelayError, RelayInput, RelayMachine, RelayStats};

/// Path of the WebSocket endpoint.
pub const RELAY_PATH: &str = "/relay";

/// Longest time for a TLS handshake, and for the headers of a request.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// Most bytes of request headers.
const HEADER_LIMIT: usize = 16 * 1024;
/// Longest time that a connection is kept for requests that make no WebSocket of it,
const HTTP_LIFE: Duration = Duration::from_secs(300);
/// and for its last one: a client may wait 25 s for a change of the SFU's streams.
const LAST_REQUEST_LIMIT: Duration = Duration::from_secs(30);
/// Connections that wait to be accepted.
const BACKLOG: i32 = 1_024;
/// Pause after a failed accept: the process is out of file descriptors, say.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Longest time that stopping waits for clients to be told.
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// A running relay. Dropping it without [`RelayHandle::stop`] ends it without telling the clients.
pub struct RelayHandle {
    driver: Arc<RelayDriver>,
    addresses: Vec<SocketAddr>,
    tls_pin: Option<[u8; 32]>,
    stopping: watch::Sender<bool>,
    /// Yields `None` when the last connection has ended: each holds a sender in its router.
    connections: mpsc::Receiver<()>,
    tasks: Vec<JoinHandle<()>>,
}

impl RelayHandle {
    /// The TCP addresses really bound, in the order of the configuration.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The first of the addresses: the one that links name when there is only one.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// SHA-256 of the TLS public key (SubjectPublicKeyInfo), for links to a self-signed relay; `None` without TLS.
    #[must_use]
    pub const fn tls_pin(&self) -> Option<[u8; 32]> {
        self.tls_pin
    }

    /// UDP addresses of the embedded SFU; empty with another one.
    #[must_use]
    pub fn media_addresses(&self) -> Vec<SocketAddr> {
        self.driver.sfu().embedded().map(|sfu| sfu.local_addrs().to_vec()).unwrap_or_default()
    }

    /// Numbers for the operator.
    #[must_use]
    pub fn stats(&self) -> RelayStats {
        self.driver.stats()
    }

    /// The embedded SFU, for its statistics; `None` with another one.
    #[must_use]
    pub fn sfu(&self) -> Option<&SfuHandle> {
        self.driver.sfu().embedded()
    }

    /// Makes the embedded SFU attack `room` from now on, or stops that. No effect on a room that is not here.
    #[cfg(feature = "danger-hostile-sfu")]
    pub fn set_hostility(&self, room: incamera_types::RoomId, hostility: Option<incamera_sfu::Hostility>) {
        if let Some(room) = self.driver.sfu_room(room) {
            self.driver.sfu().set_hostility(room, hostility);
        }
    }

    /// Ends all rooms, tells the clients, closes the connections and the sockets. Takes at most 5 seconds.
    pub async fn stop(mut self) {
        self.driver.input(RelayInput::Stop);
        self.stopping.send_replace(true);
        // On the limit, the rest of the connections is cut.
        let _ = timeout(STOP_LIMIT, self.connections.recv()).await;
        if let Some(sfu) = self.driver.sfu().embedded() {
            sfu.stop().await;
        }
    }
}

impl Drop for RelayHandle {
    fn drop(&mut self) {
        self.stopping.send_replace(true);
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// What each connection task holds.
#[derive(Clone)]
struct Acceptor {
    admission: Arc<Admission>,
    tls: Option<TlsAcceptor>,
    router: Router,
    stopping: watch::Receiver<bool>,
}

/// What the WebSocket endpoint needs.
#[derive(Clone)]
struct Endpoint {
    driver: Arc<RelayDriver>,
    alive: mpsc::Sender<()>,
}

/// Starts a relay on the current Tokio runtime.
///
/// # Errors
/// [`RelayError`]: a setting, the certificate, a port in use, the embedded SFU.
pub async fn serve(config: RelayConfig) -> Result<RelayHandle, RelayError> {
    config.check()?;
    let identity = match config.insecure_loopback {
        true => None,
        false => Some(TlsIdentity::load(&config.tls, &config.listen)?),
    };
    let mut listeners = Vec::new();
    for address in &config.listen {
        listeners.push(bind(*address)?);
    }
    let addresses: Result<Vec<_>, io::Error> = listeners.iter().map(TcpListener::local_addr).collect();
    let addresses = addresses
        .map_err(|source| RelayError::Bind { address: SocketAddr::from(([0, 0, 0, 0], 0)), source })?;
    let sfu = SfuGate::start(&config)?;
    let machine = RelayMachine::in_memory(config.limits.clone(), config.create_rule());
    let driver = RelayDriver::new(machine, sfu)?;
    #[cfg(feature = "danger-record")]
    if let Some(path) = &config.recording {
        let recorder = crate::recorder::Recorder::create(path);
        driver.set_recorder(recorder.map_err(|source| RelayError::Runtime { source })?);
    }
    let (stopping, stop_seen) = watch::channel(false);
    let (alive, connections) = mpsc::channel(1);
    let acceptor = Acceptor {
        admission: Admission::new(&config.limits),
        tls: identity.as_ref().map(|identity| TlsAcceptor::from(Arc::clone(&identity.config))),
        router: router(&driver, &alive),
        stopping: stop_seen,
    };
    drop(alive);
    let mut tasks = vec![tokio::spawn(Arc::clone(&driver).run_timer())];
    #[cfg(feature = "danger-hostile-relay")]
    if let Some(hostility) = config.hostility {
        driver.set_hostility(hostility);
        tasks.push(tokio::spawn(crate::hostility::begin_on_signal(Arc::clone(&driver))));
    }
    tasks.extend(listeners.into_iter().map(|listener| tokio::spawn(accept(listener, acceptor.clone()))));
    let tls_pin = identity.map(|identity| identity.pin);
    Ok(RelayHandle { driver, addresses, tls_pin, stopping, connections, tasks })
}

fn bind(address: SocketAddr) -> Result<TcpListener, RelayError> {
    listener(address).map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => RelayError::PortInUse { address },
        _ => RelayError::Bind { address, source },
    })
}

/// As for media, `[::]` stands for IPv6 alone: else it would take the port of `0.0.0.0` too, and who comes by IPv4
/// would find the relay and no media.
fn listener(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Connections to an earlier start that wind down do not keep the port.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket.into())
}

fn router(driver: &Arc<RelayDriver>, alive: &mpsc::Sender<()>) -> Router {
    let endpoint = Endpoint { driver: Arc::clone(driver), alive: alive.clone() };
    let relay = Router::new().route(RELAY_PATH, routing::get(upgrade)).with_state(endpoint);
    match driver.sfu().embedded() {
        Some(sfu) => relay.nest(SFU_PATH, sfu.router()),
        None => relay,
    }
}

/// The WebSocket endpoint. Messages over the protocol's limit are refused while they are read (SEC-15).
async fn upgrade(
    State(endpoint): State<Endpoint>,
    Extension(admitted): Extension<Arc<Admitted>>,
    upgrade: WebSocketUpgrade,
) -> Response {
    upgrade
        .max_message_size(limits::MESSAGE)
        .max_frame_size(limits::MESSAGE)
        .max_write_buffer_size(2 * limits::MESSAGE)
        .on_upgrade(move |socket| async move {
            let Endpoint { driver, alive } = endpoint;
            serve_socket(driver, socket, admitted.origin).await;
            drop((admitted, alive));
        })
}

async fn accept(listener: TcpListener, acceptor: Acceptor) {
    let mut stopping = acceptor.stopping.clone();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopping.wait_for(|stop| *stop) => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                if let Some(admitted) = acceptor.admission.admit(peer.ip()) {
                    tokio::spawn(serve_connection(stream, peer, admitted, acceptor.clone()));
                }
            }
            Err(error) => {
                tracing::warn!(kind = ?error.kind(), "a connection could not be accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve_connection(stream: TcpStream, peer: SocketAddr, admitted: Admitted, acceptor: Acceptor) {
    // Small messages must not wait for acknowledgements of earlier ones; failing costs only delay.
    let _ = stream.set_nodelay(true);
    match &acceptor.tls {
        None => serve_http(stream, peer, admitted, &acceptor).await,
        Some(tls) => {
            if let Ok(Ok(stream)) = timeout(HANDSHAKE_LIMIT, tls.accept(stream)).await {
                serve_http(stream, peer, admitted, &acceptor).await;
            }
        }
    }
}

async fn serve_http<S>(stream: S, peer: SocketAddr, admitted: Admitted, acceptor: &Acceptor)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let router = acceptor.router.clone();
    let router = router.layer(Extension(Arc::new(admitted))).layer(Extension(ConnectInfo(peer)));
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HANDSHAKE_LIMIT).max_buf_size(HEADER_LIMIT);
    let connection =
        builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router)).with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let mut stopping = acceptor.stopping.clone();
    tokio::select! {
        // Upgraded to a WebSocket, or ended. A client that breaks HTTP has only itself to tell.
        _ = connection.as_mut() => return,
        _ = stopping.wait_for(|stop| *stop) => {}
        () = sleep(HTTP_LIFE) => {}
    }
    connection.as_mut().graceful_shutdown();
    // Whoever never reads its answers does not keep its place (SEC-15).
    let _ = timeout(LAST_REQUEST_LIMIT, connection).await;
}
