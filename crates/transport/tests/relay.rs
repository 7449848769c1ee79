//! The relay connection against a server that follows a script: resumption, silence, pins.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use incamera_relay_proto::{
    Access, Blob, CapabilitySecret, ClientMessage, ClientRef, Lane, Request, Seq, ServerMessage,
};
use incamera_transport::{
    Cleartext, RELAY_SILENCE_LIMIT, RelayError, RelayEvent, RelaySettings, TlsPin, TlsTrust, connect_relay,
};
use incamera_types::{RelayAddress, RoomId};
use ring::digest::{SHA256, digest};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::server::ParsedCertificate;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, accept_async};

fn settings(address: SocketAddr) -> RelaySettings {
    RelaySettings {
        address: RelayAddress::parse(&address.to_string()).unwrap(),
        trust: TlsTrust::Public,
        cleartext: Cleartext::LoopbackOnly,
    }
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

async fn accept(listener: &TcpListener) -> WebSocketStream<TcpStream> {
    accept_async(listener.accept().await.unwrap().0).await.unwrap()
}

async fn message(socket: &mut WebSocketStream<TcpStream>) -> ClientMessage {
    loop {
        if let Message::Binary(bytes) = socket.next().await.unwrap().unwrap() {
            return ClientMessage::parse(&bytes).unwrap();
        }
    }
}

async fn say(socket: &mut WebSocketStream<TcpStream>, message: ServerMessage) {
    socket.send(Message::Binary(message.encode().unwrap().into())).await.unwrap();
}

async fn event(events: &mut mpsc::Receiver<RelayEvent>) -> RelayEvent {
    tokio::time::timeout(Duration::from_secs(8), events.recv()).await.unwrap().unwrap()
}

fn open(from: u64) -> ClientMessage {
    let capability = CapabilitySecret::new([1; 32]);
    let request =
        Request::Open { room: RoomId([2; 16]), access: Access::Member, capability, from: Seq(from) };
    ClientMessage { client_ref: ClientRef(7), request }
}

fn entry(seq: u64) -> ServerMessage {
    ServerMessage::Entry { seq: Seq(seq), lane: Lane::Commit, blob: Blob::pad(b"sealed").unwrap() }
}

#[tokio::test]
async fn messages_pass_both_ways_and_a_lost_connection_is_made_anew() {
    let (listener, address) = listen().await;
    let (handle, mut events) = connect_relay(settings(address));
    assert_eq!(handle.send(open(1)), Err(RelayError::NotConnected));
    let mut socket = accept(&listener).await;
    assert!(matches!(event(&mut events).await, RelayEvent::Connected));

    handle.send(open(1)).unwrap();
    assert_eq!(message(&mut socket).await, open(1));
    for seq in 1..=2 {
        say(&mut socket, entry(seq)).await;
        let RelayEvent::Message(message) = event(&mut events).await else { panic!("no message") };
        assert_eq!(message, entry(seq));
    }

    drop(socket);
    assert!(matches!(event(&mut events).await, RelayEvent::Lost { why: RelayError::ClosedByRelay }));
    assert_eq!(handle.send(open(3)), Err(RelayError::NotConnected));
    let mut socket = accept(&listener).await;
    assert!(matches!(event(&mut events).await, RelayEvent::Connected));
    handle.send(open(3)).unwrap();
    assert_eq!(message(&mut socket).await, open(3));
}

#[tokio::test]
async fn connection_over_which_something_could_not_be_sent_is_made_anew() {
    let (listener, address) = listen().await;
    let (handle, mut events) = connect_relay(settings(address));
    let socket = accept(&listener).await;
    assert!(matches!(event(&mut events).await, RelayEvent::Connected));
    let refused = (0..10_000).find_map(|_| handle.send(open(1)).err());
    assert_eq!(refused, Some(RelayError::QueueFull));
    assert!(matches!(event(&mut events).await, RelayEvent::Lost { why: RelayError::QueueFull }));
    drop(socket);
    let mut socket = accept(&listener).await;
    assert!(matches!(event(&mut events).await, RelayEvent::Connected));
    handle.send(open(3)).unwrap();
    assert_eq!(message(&mut socket).await, open(3));
}

#[tokio::test]
async fn silent_relay_counts_as_lost_within_five_seconds() {
    let (listener, address) = listen().await;
    let (_handle, mut events) = connect_relay(settings(address));
    let mut socket = accept(&listener).await;
    assert!(matches!(event(&mut events).await, RelayEvent::Connected));
    // One ping is answered: silence counts from the answer, and not from a tick after it.
    assert!(matches!(socket.next().await, Some(Ok(Message::Ping(_)))));
    socket.flush().await.unwrap();
    let answered = Instant::now();
    assert!(matches!(event(&mut events).await, RelayEvent::Lost { why: RelayError::Silent }));
    let silent_for = answered.elapsed();
    let limit = RELAY_SILENCE_LIMIT - Duration::from_millis(50)..Duration::from_secs(5);
    assert!(limit.contains(&silent_for), "{silent_for:?}");
}

#[tokio::test]
async fn malformed_messages_end_the_connection_and_nothing_else() {
    let (listener, address) = listen().await;
    let (_handle, mut events) = connect_relay(settings(address));
    for junk in [Message::binary(vec![0xff; 9]), Message::text("hello")] {
        let mut socket = accept(&listener).await;
        assert!(matches!(event(&mut events).await, RelayEvent::Connected));
        socket.send(junk).await.unwrap();
        assert!(matches!(event(&mut events).await, RelayEvent::Lost { why: RelayError::Protocol }));
    }
}

#[tokio::test]
async fn cleartext_is_refused_unless_configured_and_attempts_end() {
    let settings = RelaySettings {
        address: RelayAddress::parse("127.0.0.1:1").unwrap(),
        trust: TlsTrust::Public,
        cleartext: Cleartext::LoopbackOnly,
    };
    let (_handle, mut events) = connect_relay(settings);
    assert!(matches!(event(&mut events).await, RelayEvent::Lost { why: RelayError::Unreachable(_) }));
}

#[tokio::test]
async fn pinned_relay_is_accepted_and_another_key_ends_the_attempts() {
    let certificate = CertificateDer::from(&include_bytes!("fixtures/self-signed.der")[..]);
    let key = PrivatePkcs8KeyDer::from(&include_bytes!("fixtures/self-signed.key.der")[..]);
    let public = ParsedCertificate::try_from(&certificate).unwrap().subject_public_key_info();
    let pin = TlsPin(digest(&SHA256, &public).as_ref().try_into().unwrap());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key.into())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let (listener, address) = listen().await;
    let serving = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let mut socket = accept_async(stream).await.unwrap();
                while let Some(Ok(_)) = socket.next().await {}
            });
        }
    });

    let pinned = |pin| RelaySettings { trust: TlsTrust::Pinned(pin), ..settings(address) };
    let (_handle, mut events) = connect_relay(pinned(pin));
    assert!(matches!(event(&mut events).await, RelayEvent::Connected));

    let (_other, mut events) = connect_relay(pinned(TlsPin([0; 32])));
    assert!(matches!(event(&mut events).await, RelayEvent::Lost { why: RelayError::Certificate }));
    assert!(events.recv().await.is_none(), "a wrong key was tried again");
    serving.abort();
}
