//! Opens WebSockets, with TLS under a pin or public trust, or in clear text where that is allowed. Used for the relay and for Janus.

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::Error as WsError;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};
use url::Url;

use crate::{Cleartext, TlsTrust, tls};

/// Time for TCP, TLS and the HTTP upgrade together.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(3_000);

/// A byte stream, encrypted or not.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// An open WebSocket.
pub(crate) type Socket = WebSocketStream<Box<dyn Stream>>;

/// What to open.
pub(crate) struct SocketPlan<'a> {
    /// `ws://` or `wss://`.
    pub(crate) url: &'a Url,
    pub(crate) trust: TlsTrust,
    pub(crate) cleartext: Cleartext,
    /// WebSocket subprotocol.
    pub(crate) protocol: Option<&'static str>,
    /// Largest message accepted, in bytes.
    pub(crate) largest_message: usize,
}

/// Why no WebSocket came about.
#[derive(Debug)]
pub(crate) enum SocketError {
    Address(&'static str),
    Cleartext,
    Unreachable(String),
    Certificate,
    Http(u16),
}

/// Opens a WebSocket.
pub(crate) async fn open(plan: &SocketPlan<'_>) -> Result<Socket, SocketError> {
    match tokio::time::timeout(CONNECT_TIMEOUT, open_unlimited(plan)).await {
        Ok(result) => result,
        Err(_) => Err(SocketError::Unreachable("no answer in time".to_owned())),
    }
}

async fn open_unlimited(plan: &SocketPlan<'_>) -> Result<Socket, SocketError> {
    let stream = connect(plan).await?;
    let mut request =
        plan.url.as_str().into_client_request().map_err(|_| SocketError::Address("not a WebSocket URL"))?;
    if let Some(protocol) = plan.protocol {
        request.headers_mut().insert("Sec-WebSocket-Protocol", HeaderValue::from_static(protocol));
    }
    let config = WebSocketConfig::default()
        .max_message_size(Some(plan.largest_message))
        .max_frame_size(Some(plan.largest_message));
    match client_async_with_config(request, stream, Some(config)).await {
        Ok((socket, _)) => Ok(socket),
        Err(WsError::Http(response)) => Err(SocketError::Http(response.status().as_u16())),
        Err(error) => Err(unreachable(&error)),
    }
}

async fn connect(plan: &SocketPlan<'_>) -> Result<Box<dyn Stream>, SocketError> {
    let host = plan.url.host_str().ok_or(SocketError::Address("no host"))?.trim_matches(['[', ']']);
    let encrypted = match plan.url.scheme() {
        "wss" => true,
        "ws" if plan.cleartext.allows(host) => false,
        "ws" => return Err(SocketError::Cleartext),
        _ => return Err(SocketError::Address("neither ws: nor wss:")),
    };
    let port = plan.url.port_or_known_default().ok_or(SocketError::Address("no port"))?;
    let tcp = TcpStream::connect((host, port)).await.map_err(|error| unreachable(&error))?;
    tcp.set_nodelay(true).map_err(|error| unreachable(&error))?;
    if !encrypted {
        // A name may lead anywhere: nothing is said before it is known where.
        let near = tcp.peer_addr().is_ok_and(|peer| plan.cleartext.permits(peer.ip()));
        return if near { Ok(Box::new(tcp)) } else { Err(SocketError::Cleartext) };
    }
    let config = tls::client_config(plan.trust).map_err(|error| unreachable(&error))?;
    let name = ServerName::try_from(host.to_owned()).map_err(|_| SocketError::Address("not a host name"))?;
    let stream =
        TlsConnector::from(Arc::new(config)).connect(name, tcp).await.map_err(|error| unreachable(&error))?;
    Ok(Box::new(stream))
}

fn unreachable(error: &(dyn core::error::Error + 'static)) -> SocketError {
    if tls::is_certificate_refusal(error) {
        SocketError::Certificate
    } else {
        SocketError::Unreachable(error.to_string())
    }
}
