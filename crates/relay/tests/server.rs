//! The server over real TLS and WebSocket on loopback, with hostile clients (SEC-15).

#[path = "server/client.rs"]
mod client;

use std::process::Command;

use client::{Client, config, create_request};
use incamera_relay::{CreateChoice, RelayConfig, RelayError, RelayLimits, TlsChoice, TokenConfig, serve};
use incamera_relay_proto::{
    Access, Blob, CapabilitySecret, CreateRoom, EndReason, Lane, RelayFaultCode, Request, Seq, ServerMessage,
    TextSecret, limits,
};
use incamera_types::{Fault as _, RoomId};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_tungstenite::tungstenite::Message;

const ROOM: RoomId = RoomId([7; 16]);
const MEMBER: [u8; 32] = [2; 32];

fn open_request(capability: [u8; 32]) -> Request {
    Request::Open {
        room: ROOM,
        access: Access::Member,
        capability: CapabilitySecret::new(capability),
        from: Seq::FIRST,
    }
}

fn append_request(text: &str) -> Request {
    Request::Append { lane: Lane::Commit, blob: Blob::pad(text.as_bytes()).unwrap() }
}

async fn host(relay: &incamera_relay::RelayHandle) -> Client {
    let mut host = Client::greeted(relay).await;
    let said = host.ask(Request::CreateRoom(create_request(ROOM, [1; 32], MEMBER))).await;
    assert!(matches!(said, ServerMessage::Opened(_)), "{said:?}");
    assert_eq!(host.read().await, Some(ServerMessage::CaughtUp { seq: Seq(0) }));
    host
}

async fn member(relay: &incamera_relay::RelayHandle) -> Client {
    let mut member = Client::greeted(relay).await;
    let said = member.ask(open_request(MEMBER)).await;
    assert!(matches!(said, ServerMessage::Opened(_)), "{said:?}");
    member
}

#[tokio::test]
async fn members_exchange_entries_over_tls_that_is_pinned() {
    let relay = serve(config()).await.unwrap();
    let mut host = host(&relay).await;
    let mut member = member(&relay).await;
    assert_eq!(member.read().await, Some(ServerMessage::CaughtUp { seq: Seq(0) }));
    assert!(matches!(host.ask(append_request("commit")).await, ServerMessage::Appended { seq: Seq(1), .. }));
    let Some(ServerMessage::Entry { seq: Seq(1), lane: Lane::Commit, blob }) = member.read().await else {
        panic!()
    };
    assert_eq!(blob.unpad().unwrap(), b"commit");
    assert_eq!((relay.stats().rooms, relay.stats().connections), (1, 2));
    let mut wrong = relay.tls_pin().unwrap();
    wrong[0] ^= 1;
    assert!(Client::connect(relay.local_addr(), wrong).await.is_err(), "another key is refused");
    relay.stop().await;
}

#[tokio::test]
async fn garbage_text_and_huge_messages_end_only_their_own_connection() {
    let relay = serve(config()).await.unwrap();
    let mut host = host(&relay).await;
    let garbage: [Message; 4] = [
        Message::binary(vec![0xff; 100]),
        Message::binary(Vec::new()),
        Message::text("hello"),
        Message::binary(vec![1; 64]),
    ];
    for message in garbage {
        let mut hostile = Client::greeted(&relay).await;
        hostile.send_raw(message).await;
        let Some(ServerMessage::Error(fault)) = hostile.read().await else { panic!() };
        assert_eq!(fault.code, RelayFaultCode::Malformed);
        assert_eq!(hostile.read().await, None);
    }
    let mut huge = Client::greeted(&relay).await;
    huge.send_raw(Message::binary(vec![1; 2 * limits::MESSAGE])).await;
    assert_eq!(huge.read().await, None, "cut off without reading it");
    assert!(matches!(host.ask(append_request("still here")).await, ServerMessage::Appended { .. }));
}

#[tokio::test]
async fn guessing_a_capability_ends_the_connection() {
    let relay = serve(config()).await.unwrap();
    host(&relay).await;
    let mut guesser = Client::greeted(&relay).await;
    for n in 0..5 {
        let ServerMessage::Error(fault) = guesser.ask(open_request([100 + n; 32])).await else { panic!() };
        assert_eq!(fault.code, RelayFaultCode::Denied);
    }
    assert_eq!(guesser.read().await, None);
}

#[tokio::test]
async fn a_flood_does_not_keep_others_from_being_served() {
    let relay = serve(config()).await.unwrap();
    let mut host = host(&relay).await;
    let mut flooder = member(&relay).await;
    let flood = tokio::spawn(async move {
        loop {
            flooder.send(append_request("junk")).await;
        }
    });
    let first = host.append_until_ordered("first").await;
    let second = host.append_until_ordered("second").await;
    assert!(second > first);
    flood.abort();
}

#[tokio::test]
async fn connections_of_one_address_are_limited_before_tls() {
    let limits = RelayLimits { connections_per_address: 2, ..RelayLimits::default() };
    let relay = serve(RelayConfig { limits, ..config() }).await.unwrap();
    let first = Client::greeted(&relay).await;
    let _second = Client::greeted(&relay).await;
    assert!(Client::connect(relay.local_addr(), relay.tls_pin().unwrap()).await.is_err());
    drop(first);
    Client::greeted_when_there_is_a_place(&relay).await;
}

#[tokio::test]
async fn a_stopped_relay_tells_clients_frees_its_port_and_forgets_rooms() {
    let relay = serve(config()).await.unwrap();
    let address = relay.local_addr();
    let mut host = host(&relay).await;
    relay.stop().await;
    assert_eq!(host.read().await, Some(ServerMessage::RoomEnded(EndReason::RelayStopped)));
    let Some(ServerMessage::Error(fault)) = host.read().await else { panic!() };
    assert_eq!(fault.code, RelayFaultCode::Stopping);
    assert_eq!(host.read().await, None);
    let again = serve(RelayConfig { listen: vec![address], ..config() }).await.unwrap();
    assert_eq!(again.local_addr(), address);
    let mut client = Client::greeted(&again).await;
    let ServerMessage::Error(fault) = client.ask(open_request(MEMBER)).await else { panic!() };
    assert_eq!(fault.code, RelayFaultCode::NoRoom);
}

#[tokio::test]
async fn only_token_holders_make_rooms() {
    let token = || TextSecret::new("0123456789abcdef".into());
    let create = CreateChoice::Tokens(vec![TokenConfig { token: token(), rooms: 1 }]);
    let relay = serve(RelayConfig { create, ..config() }).await.unwrap();
    let mut client = Client::greeted(&relay).await;
    let request = create_request(ROOM, [1; 32], MEMBER);
    let ServerMessage::Error(fault) = client.ask(Request::CreateRoom(request.clone())).await else {
        panic!()
    };
    assert_eq!(fault.code, RelayFaultCode::CreateDenied);
    let request = CreateRoom { create_token: Some(token()), ..request };
    assert!(matches!(client.ask(Request::CreateRoom(request)).await, ServerMessage::Opened(_)));
}

#[tokio::test]
async fn a_ticket_opens_the_embedded_sfu_at_the_same_origin_until_the_room_ends() {
    let relay = serve(config()).await.unwrap();
    let mut host = host(&relay).await;
    let ServerMessage::Ticket { ticket, .. } = host.ask(Request::RequestTicket { renew: None }).await else {
        panic!()
    };
    let urls = (ticket.publish_url.as_str(), ticket.subscribe_url.as_str());
    assert_eq!(urls, ("/sfu/whip/{stream}", "/sfu/whep"));
    let streams = |bearer: String| {
        let (address, pin) = (relay.local_addr(), relay.tls_pin().unwrap());
        async move {
            let mut stream = client::tls(address, pin).await.unwrap();
            let request = format!(
                "GET /sfu/streams HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {bearer}\r\n\
                 Connection: close\r\n\r\n"
            );
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            // The server may end TLS without saying so; what counts is the status line.
            let _ = stream.read_to_end(&mut answer).await;
            String::from_utf8_lossy(&answer).split(' ').nth(1).unwrap_or_default().to_owned()
        }
    };
    assert_eq!(streams(ticket.bearer.expose().to_owned()).await, "200");
    assert_eq!(streams("0".repeat(64)).await, "401");
    let bearer = ticket.bearer.expose().to_owned();
    let ended = host.ask(client::end_room(ROOM, &host.opened())).await;
    assert!(matches!(ended, ServerMessage::OrderDone { .. }), "{ended:?}");
    assert_eq!(streams(bearer).await, "401");
}

#[tokio::test]
async fn what_keeps_a_relay_from_starting_has_a_code() {
    let code = |result: Result<_, RelayError>| result.map(drop).unwrap_err().code();
    let running = serve(config()).await.unwrap();
    let taken = RelayConfig { listen: vec![running.local_addr()], ..config() };
    assert_eq!(code(serve(taken).await), "relay.start.port_in_use");
    let elsewhere = RelayConfig { listen: vec!["192.0.2.1:0".parse().unwrap()], ..config() };
    assert_eq!(code(serve(elsewhere).await), "relay.start.bind");
    let plain =
        RelayConfig { listen: vec!["0.0.0.0:0".parse().unwrap()], insecure_loopback: true, ..config() };
    assert_eq!(code(serve(plain).await), "relay.start.setting");
    let folder = tempfile::tempdir().unwrap();
    let files = |name: &str| TlsChoice::Files {
        certificate: folder.path().join(name),
        key: folder.path().join(name),
    };
    let missing = RelayConfig { tls: files("missing.pem"), ..config() };
    assert_eq!(code(serve(missing).await), "relay.start.unreadable");
    std::fs::write(folder.path().join("bad.pem"), "not a certificate").unwrap();
    let bad = RelayConfig { tls: files("bad.pem"), ..config() };
    assert_eq!(code(serve(bad).await), "relay.start.certificate");
}

#[tokio::test]
async fn a_certificate_from_files_is_used_and_another_key_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let own = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    let other = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    let certificate = write("cert.pem", own.cert.pem());
    let key = write("key.pem", own.signing_key.serialize_pem());
    let other_key = write("other.pem", other.signing_key.serialize_pem());
    let tls = TlsChoice::Files { certificate: certificate.clone(), key };
    let relay = serve(RelayConfig { tls, ..config() }).await.unwrap();
    Client::greeted(&relay).await;
    let tls = TlsChoice::Files { certificate, key: other_key };
    let error = serve(RelayConfig { tls, ..config() }).await.map(drop).unwrap_err();
    assert_eq!(error.code(), "relay.start.certificate");
}

#[tokio::test]
async fn a_key_with_a_password_is_told_with_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let own = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    let certificate = folder.path().join("cert.pem");
    std::fs::write(&certificate, own.cert.pem()).unwrap();
    for (name, begin) in [
        ("pkcs8.pem", "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"),
        ("rsa.pem", "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\n"),
    ] {
        let key = folder.path().join(name);
        std::fs::write(&key, format!("{begin}MIIC\n")).unwrap();
        let tls = TlsChoice::Files { certificate: certificate.clone(), key };
        let error = serve(RelayConfig { tls, ..config() }).await.map(drop).unwrap_err();
        assert_eq!(error.code(), "relay.start.certificate");
        assert!(
            error.to_string().contains("is encrypted") && error.to_string().contains("openssl pkey"),
            "{error}"
        );
    }
}

#[test]
fn the_program_checks_a_configuration_and_says_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let check = |text: &str| {
        let path = folder.path().join("relay.toml");
        std::fs::write(&path, text).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_incamera-relay"))
            .args(["--check", "--config"])
            .arg(&path)
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (status, said) = check("listen = ['127.0.0.1:0']\ncreate = 'anyone'");
    assert_eq!(status, Some(0), "{said}");
    let (status, said) = check("listen = ['127.0.0.1:0']\ncreate = 'anyone'\nlisten_port = 3");
    assert_eq!(status, Some(2));
    assert!(said.contains("relay.start.config") && said.contains("listen_port"), "{said}");
    let (status, said) = check("listen = []\ncreate = 'anyone'");
    assert_eq!(status, Some(2));
    assert!(said.contains("relay.start.setting"), "{said}");
}

#[tokio::test]
async fn all_addresses_of_both_families_are_listened_on_at_one_port() {
    let everywhere = |listen: &[&str]| RelayConfig {
        listen: listen.iter().map(|address| address.parse().unwrap()).collect(),
        ..config()
    };
    let relay = serve(everywhere(&["0.0.0.0:0"])).await.unwrap();
    let port = relay.local_addr().port();
    relay.stop().await;
    let [four, six] = [format!("0.0.0.0:{port}"), format!("[::]:{port}")];
    let relay = serve(everywhere(&[&six, &four])).await.unwrap();
    for address in [format!("127.0.0.1:{port}"), format!("[::1]:{port}")] {
        assert!(tokio::net::TcpStream::connect(&address).await.is_ok(), "{address}");
    }
    relay.stop().await;
    // Where media is by IPv6 alone, so is the relay.
    let relay = serve(everywhere(&[&six])).await.unwrap();
    assert!(tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err());
    relay.stop().await;
}
