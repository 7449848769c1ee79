//! The relay between real sockets of this machine.

use std::net::{Ipv4Addr, SocketAddr};

use core::time::Duration;

use incamera_impair::{Direction, LinkSettings, Probability, RelayDriver, RelayHandle};
use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout};

const LOCAL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
const PATIENCE: Duration = Duration::from_secs(10);

async fn relay_to(server: &UdpSocket, settings: LinkSettings) -> RelayHandle {
    let driver = RelayDriver::bind(LOCAL, server.local_addr().unwrap(), settings, settings, 1).await.unwrap();
    let handle = driver.handle();
    tokio::spawn(driver.run());
    handle
}

async fn receive(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut buffer = [0; 2_000];
    let (length, from) = timeout(PATIENCE, socket.recv_from(&mut buffer)).await.unwrap().unwrap();
    (buffer[..length].to_vec(), from)
}

#[tokio::test]
async fn clients_reach_the_server_and_get_their_own_answers() {
    let server = UdpSocket::bind(LOCAL).await.unwrap();
    let relay = relay_to(&server, LinkSettings::default()).await;
    let clients = [UdpSocket::bind(LOCAL).await.unwrap(), UdpSocket::bind(LOCAL).await.unwrap()];
    for (number, client) in clients.iter().enumerate() {
        client.send_to(&[number as u8], relay.local_address()).await.unwrap();
        let (packet, from) = receive(&server).await;
        assert_eq!(packet, [number as u8]);
        server.send_to(&[number as u8 + 10], from).await.unwrap();
    }
    for (number, client) in clients.iter().enumerate() {
        assert_eq!(receive(client).await, (vec![number as u8 + 10], relay.local_address()));
    }
    let report = relay.report();
    assert_eq!((report.flows, report.to_server.passed, report.to_client.passed), (2, 2, 2));
}

#[tokio::test]
async fn packets_take_the_delay_of_both_directions() {
    let server = UdpSocket::bind(LOCAL).await.unwrap();
    let delay = Duration::from_millis(40);
    let relay = relay_to(&server, LinkSettings { delay, ..LinkSettings::default() }).await;
    let client = UdpSocket::bind(LOCAL).await.unwrap();
    let started = Instant::now();
    client.send_to(b"ping", relay.local_address()).await.unwrap();
    let (_, from) = receive(&server).await;
    server.send_to(b"pong", from).await.unwrap();
    receive(&client).await;
    assert!(started.elapsed() >= 2 * delay);
}

#[tokio::test]
async fn settings_change_while_the_relay_runs() {
    let server = UdpSocket::bind(LOCAL).await.unwrap();
    let relay = relay_to(&server, LinkSettings::default()).await;
    let client = UdpSocket::bind(LOCAL).await.unwrap();
    client.send_to(b"one", relay.local_address()).await.unwrap();
    assert_eq!(receive(&server).await.0, b"one");
    let deaf = LinkSettings { loss: Probability::ALWAYS, ..LinkSettings::default() };
    relay.change(Direction::ToServer, deaf);
    client.send_to(b"two", relay.local_address()).await.unwrap();
    timeout(PATIENCE, async {
        while relay.report().to_server.lost == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    relay.change(Direction::ToServer, LinkSettings::default());
    client.send_to(b"three", relay.local_address()).await.unwrap();
    assert_eq!(receive(&server).await.0, b"three");
}
