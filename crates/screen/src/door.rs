//! The socket through which the window fetches pictures: on loopback, behind a token of this run, for one connection of
//! this app's own page. Other programs and web pages on this computer can reach the port, so all three are checked.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use ring::rand::{SecureRandom as _, SystemRandom};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::{HeaderMap, StatusCode, header};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async_with_config};

use crate::{Pictures, Tile};

/// Where the app's own pages come from: Linux and macOS, then Windows.
const ORIGINS: [&str; 2] = ["tauri://localhost", "http://tauri.localhost"];

/// A page on this computer is at hand.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(2);

/// Strangers that may be in the middle of a handshake.
const MOST_HANDSHAKES: usize = 8;

/// The window only says which tiles it drew.
const MAX_MESSAGE: usize = 64;

/// A socket that listens.
pub struct Door {
    address: String,
}

impl Door {
    /// Listens on loopback and serves `pictures` to one window at a time.
    ///
    /// # Errors
    /// No socket on loopback, or no randomness for the token.
    pub async fn open(pictures: Arc<Pictures>) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let local = listener.local_addr()?;
        let token = token()?;
        let address = format!("ws://{local}/{token}");
        let keeper = Arc::new(Keeper { local, token, pictures, window: Semaphore::new(1) });
        tokio::spawn(listen(listener, keeper));
        Ok(Self { address })
    }

    /// Where the window connects to. Whoever knows it and is our page sees the pictures.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }
}

/// 256 random bits in hexadecimal digits.
fn token() -> std::io::Result<String> {
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).map_err(|_| std::io::Error::other("no randomness"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Decides who comes in.
struct Keeper {
    local: SocketAddr,
    token: String,
    pictures: Arc<Pictures>,
    window: Semaphore,
}

async fn listen(listener: TcpListener, keeper: Arc<Keeper>) {
    let handshakes = Arc::new(Semaphore::new(MOST_HANDSHAKES));
    loop {
        let Ok(permit) = Arc::clone(&handshakes).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else { continue };
        let keeper = Arc::clone(&keeper);
        tokio::spawn(async move {
            let accepted = timeout(HANDSHAKE_LIMIT, keeper.accept(stream)).await;
            drop(permit);
            let Ok(Some(socket)) = accepted else { return };
            // A second window is turned away: closing it is all that it is told.
            let Ok(_only) = keeper.window.try_acquire() else { return };
            carry(&keeper.pictures, socket).await;
        });
    }
}

impl Keeper {
    async fn accept(&self, stream: TcpStream) -> Option<WebSocketStream<TcpStream>> {
        stream.set_nodelay(true).ok()?;
        let config =
            WebSocketConfig::default().max_message_size(Some(MAX_MESSAGE)).max_frame_size(Some(MAX_MESSAGE));
        #[expect(clippy::result_large_err, reason = "the signature is the library's")]
        let check = |request: &Request, response: Response| {
            if self.is_ours(request) {
                return Ok(response);
            }
            let mut refusal = ErrorResponse::new(None);
            *refusal.status_mut() = StatusCode::FORBIDDEN;
            Err(refusal)
        };
        accept_hdr_async_with_config(stream, check, Some(config)).await.ok()
    }

    fn is_ours(&self, request: &Request) -> bool {
        let path = request.uri().path().strip_prefix('/').unwrap_or_default();
        let host = only(request.headers(), &header::HOST);
        let origin = only(request.headers(), &header::ORIGIN);
        same(path.as_bytes(), self.token.as_bytes())
            && host.is_some_and(|host| host == self.local.to_string())
            && origin.is_some_and(|origin| ORIGINS.contains(&origin))
    }
}

/// The value of a header that is there once.
fn only<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    values.next().is_none().then(|| value.to_str().ok()).flatten()
}

/// Compares without telling by the time how much is right.
fn same(given: &[u8], token: &[u8]) -> bool {
    given.len() == token.len()
        && given.iter().zip(token).fold(0, |differences, (a, b)| differences | (a ^ b)) == 0
}

/// Carries pictures until the window goes.
async fn carry(pictures: &Pictures, socket: WebSocketStream<TcpStream>) {
    pictures.begin_again();
    let (mut to_window, mut from_window) = socket.split();
    let send = async {
        loop {
            let picture = pictures.next().await;
            if to_window.send(Message::Binary(Bytes::from(picture))).await.is_err() {
                return;
            }
        }
    };
    let receive = async {
        while let Some(Ok(message)) = from_window.next().await {
            let Message::Binary(bytes) = message else { continue };
            let Ok(tile) = <[u8; 16]>::try_from(&bytes[..]) else { return };
            pictures.drawn(Tile(tile));
        }
    };
    tokio::select! {
        () = send => {}
        () = receive => {}
    }
}

#[cfg(test)]
mod tests {
    use incamera_media::picture::Picture;
    use tokio_tungstenite::client_async;
    use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
    use tokio_tungstenite::tungstenite::http::HeaderValue;

    use super::*;
    use crate::VideoSink as _;

    type Client = WebSocketStream<TcpStream>;

    async fn connect(address: &str, origin: Option<&str>, host: Option<&str>) -> Option<Client> {
        let mut request = address.into_client_request().unwrap();
        if let Some(origin) = origin {
            request.headers_mut().insert(header::ORIGIN, HeaderValue::from_str(origin).unwrap());
        }
        if let Some(host) = host {
            request.headers_mut().insert(header::HOST, HeaderValue::from_str(host).unwrap());
        }
        let stream = TcpStream::connect(request.uri().authority()?.as_str()).await.ok()?;
        client_async(request, stream).await.ok().map(|(client, _)| client)
    }

    #[tokio::test]
    async fn only_our_page_with_the_token_of_this_run_is_let_in() {
        let door = Door::open(Arc::default()).await.unwrap();
        let address = door.address();
        let wrong_token = format!("{}0", &address[..address.len() - 1]);
        let wrong_token =
            if wrong_token == address { format!("{}1", &address[..address.len() - 1]) } else { wrong_token };
        for (address, origin, host) in [
            (wrong_token.as_str(), Some(ORIGINS[0]), None),
            (&address[..address.len() - 1], Some(ORIGINS[0]), None),
            (address, Some("http://localhost"), None),
            (address, Some("null"), None),
            (address, None, None),
            (address, Some(ORIGINS[0]), Some("rebound.example")),
        ] {
            assert!(connect(address, origin, host).await.is_none(), "{origin:?} {host:?}");
        }
        assert!(connect(address, Some(ORIGINS[0]), None).await.is_some());
    }

    #[tokio::test]
    async fn second_connection_gets_no_pictures() {
        let pictures = Arc::new(Pictures::default());
        let door = Door::open(Arc::clone(&pictures)).await.unwrap();
        let mut first = connect(door.address(), Some(ORIGINS[0]), None).await.unwrap();
        pictures.show(Tile::OWN, &Picture::black(16, 16).unwrap().view());
        assert!(matches!(first.next().await, Some(Ok(Message::Binary(_)))));
        let mut second = connect(door.address(), Some(ORIGINS[0]), None).await.unwrap();
        assert!(!matches!(second.next().await, Some(Ok(Message::Binary(_)))));
        pictures.show(Tile::OWN, &Picture::black(32, 16).unwrap().view());
        assert!(matches!(first.next().await, Some(Ok(Message::Binary(_)))));
    }
}
