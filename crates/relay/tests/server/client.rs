//! A WebSocket client that trusts nothing but the pin.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use futures_util::{SinkExt as _, StreamExt as _};
use incamera_relay::{CreateChoice, RELAY_PATH, RelayConfig, RelayHandle};
use incamera_relay_proto::{
    AdminAction, AdminOrder, AdminPublicKey, Blob, CapabilityHash, CapabilitySecret, Card, ClientMessage,
    ClientRef, CreateRoom, Lane, LobbyPublicKey, Opened, Request, RoomPublicKey, Seq, ServerMessage, SfuKind,
    Signature, SignedAdminOrder, TextSecret,
};
use incamera_types::{PROTOCOL_VERSION, RoomId};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    WebPkiSupportedAlgorithms, ring as provider, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

pub(crate) fn config() -> RelayConfig {
    RelayConfig {
        create: CreateChoice::Anyone,
        ..RelayConfig::for_own_meeting(vec![SocketAddr::from(([127, 0, 0, 1], 0))], TextSecret::default())
    }
}

pub(crate) fn hash(secret: &CapabilitySecret) -> CapabilityHash {
    let digest = ring::digest::digest(&ring::digest::SHA256, &secret.hash_input());
    CapabilityHash(digest.as_ref().try_into().unwrap())
}

fn admin() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[9; 32]).unwrap()
}

pub(crate) fn create_request(room: RoomId, knock: [u8; 32], member: [u8; 32]) -> CreateRoom {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let issued_unix_ms = u64::try_from(unix.as_millis()).unwrap();
    let admin_key = AdminPublicKey(admin().public_key().as_ref().try_into().unwrap());
    let card = Card {
        version: PROTOCOL_VERSION,
        room,
        room_key: RoomPublicKey([3; 32]),
        lobby_key: LobbyPublicKey([4; 32]),
        admin_key,
        sfu: SfuKind::Embedded,
        issued_unix_ms,
        valid_until_unix_ms: issued_unix_ms + 3_600_000,
        counter: 1,
        delegation: None,
        signature: Signature([5; 64]),
    };
    CreateRoom {
        room,
        knock: hash(&CapabilitySecret::new(knock)),
        member: hash(&CapabilitySecret::new(member)),
        admin_key,
        card: card.encode().unwrap(),
        create_token: None,
    }
}

pub(crate) fn end_room(room: RoomId, opened: &Opened) -> Request {
    let order =
        AdminOrder { room, incarnation: opened.incarnation, counter: 1, action: AdminAction::EndRoom };
    let signature = admin().sign(&order.signing_bytes().unwrap());
    let signature = Signature(signature.as_ref().try_into().unwrap());
    Request::Administer(SignedAdminOrder { order, signature })
}

/// Accepts the certificate whose public key has this SHA-256, whatever it says.
#[derive(Debug)]
struct Pin([u8; 32], WebPkiSupportedAlgorithms);

impl ServerCertVerifier for Pin {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let spki = ParsedCertificate::try_from(end_entity)?.subject_public_key_info();
        let digest = ring::digest::digest(&ring::digest::SHA256, spki.as_ref());
        if digest.as_ref() == self.0 {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(Error::InvalidCertificate(CertificateError::UnknownIssuer))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.1)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.1)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.1.supported_schemes()
    }
}

pub(crate) async fn tls(address: SocketAddr, pin: [u8; 32]) -> Result<TlsStream<TcpStream>, String> {
    let provider = provider::default_provider();
    let verifier = Pin(pin, provider.signature_verification_algorithms);
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(|error| error.to_string())
}

pub(crate) struct Client {
    socket: WebSocketStream<TlsStream<TcpStream>>,
    opened: Option<Opened>,
    refs: u32,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr, pin: [u8; 32]) -> Result<Self, String> {
        let stream = tls(address, pin).await?;
        let (socket, _) = tokio_tungstenite::client_async(format!("wss://localhost{RELAY_PATH}"), stream)
            .await
            .map_err(|error| error.to_string())?;
        Ok(Self { socket, opened: None, refs: 0 })
    }

    pub(crate) async fn greeted(relay: &RelayHandle) -> Self {
        let mut client = Self::connect(relay.local_addr(), relay.tls_pin().unwrap()).await.unwrap();
        let said = client.ask(Request::Hello { version: PROTOCOL_VERSION }).await;
        assert_eq!(said, ServerMessage::Hello { version: PROTOCOL_VERSION });
        client
    }

    /// Tries until a place that another connection gives up is free.
    pub(crate) async fn greeted_when_there_is_a_place(relay: &RelayHandle) -> Self {
        loop {
            if let Ok(client) = Self::connect(relay.local_addr(), relay.tls_pin().unwrap()).await {
                return client;
            }
            tokio::task::yield_now().await;
        }
    }

    /// What the relay said when the room was opened.
    pub(crate) fn opened(&self) -> Opened {
        self.opened.unwrap()
    }

    /// Sends bytes whatever they are; a server that hangs up in the middle is no failure of the test.
    pub(crate) async fn send_raw(&mut self, message: Message) {
        let _ = self.socket.send(message).await;
    }

    pub(crate) async fn send(&mut self, request: Request) -> ClientRef {
        self.refs += 1;
        let client_ref = ClientRef(self.refs);
        let message = ClientMessage { client_ref, request };
        self.send_raw(Message::binary(message.encode().unwrap())).await;
        client_ref
    }

    /// The next message; `None` when the connection has ended.
    pub(crate) async fn read(&mut self) -> Option<ServerMessage> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Binary(bytes))) => {
                    let message = ServerMessage::parse(&bytes).unwrap();
                    if let ServerMessage::Opened(opened) = &message {
                        self.opened = Some(*opened);
                    }
                    return Some(message);
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(_) | Err(_)) | None => return None,
            }
        }
    }

    pub(crate) async fn ask(&mut self, request: Request) -> ServerMessage {
        self.send(request).await;
        self.read().await.unwrap()
    }

    /// Appends a commit and reads until the relay tells its place.
    pub(crate) async fn append_until_ordered(&mut self, text: &str) -> Seq {
        let blob = Blob::pad(text.as_bytes()).unwrap();
        let client_ref = self.send(Request::Append { lane: Lane::Commit, blob }).await;
        loop {
            match self.read().await {
                Some(ServerMessage::Appended { in_reply_to, seq }) if in_reply_to == client_ref => {
                    return seq;
                }
                Some(ServerMessage::Entry { .. }) => {}
                other => panic!("{other:?}"),
            }
        }
    }
}
