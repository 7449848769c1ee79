//! One client's flow: a machine between two sockets.

use std::future;
use std::net::SocketAddr;
use std::sync::Arc;

use core::time::Duration;

use incamera_types::Mono;
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::{MAX_PACKET, SharedCounters, lock};
use crate::chance::Dice;
use crate::machine::{Direction, ImpairmentMachine, Output};
use crate::settings::LinkSettings;

/// The settings of both directions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Impairments {
    pub(super) to_server: LinkSettings,
    pub(super) to_client: LinkSettings,
}

impl Impairments {
    pub(super) const fn of_mut(&mut self, direction: Direction) -> &mut LinkSettings {
        match direction {
            Direction::ToServer => &mut self.to_server,
            Direction::ToClient => &mut self.to_client,
        }
    }
}

/// What a flow needs to run.
pub(super) struct FlowEnds {
    pub(super) number: usize,
    pub(super) client: SocketAddr,
    pub(super) from_client: mpsc::Receiver<Vec<u8>>,
    pub(super) downstream: Arc<UdpSocket>,
    pub(super) upstream: UdpSocket,
    pub(super) dice: Dice,
    pub(super) impairments: watch::Receiver<Impairments>,
    pub(super) counters: SharedCounters,
}

/// Relays the packets of one client until the relay is dropped or needs the room for another client.
pub(super) async fn run_flow(mut ends: FlowEnds) {
    let started = Instant::now();
    let now = || Mono::from_micros(u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX));
    let settings = *ends.impairments.borrow_and_update();
    let mut machine = ImpairmentMachine::new(settings.to_server, settings.to_client, &ends.dice);
    let mut buffer = vec![0; MAX_PACKET];
    loop {
        let wake = send_due(&ends, &mut machine, now()).await;
        publish(&ends, &machine);
        tokio::select! {
            // Settings first: packets that were sent after a change see it.
            biased;
            changed = ends.impairments.changed() => {
                if changed.is_err() {
                    return;
                }
                let settings = *ends.impairments.borrow_and_update();
                machine.change(Direction::ToServer, settings.to_server);
                machine.change(Direction::ToClient, settings.to_client);
            }
            packet = ends.from_client.recv() => match packet {
                Some(packet) => machine.handle_packet(now(), Direction::ToServer, &packet),
                None => return,
            },
            received = ends.upstream.recv(&mut buffer) => {
                // A refused packet only says that the server is not there yet.
                if let Ok(length) = received {
                    machine.handle_packet(now(), Direction::ToClient, &buffer[..length]);
                }
            }
            () = wake_at(started, wake) => {}
        }
    }
}

/// Sends everything that arrives by `now`; gives the time of the next arrival.
async fn send_due(ends: &FlowEnds, machine: &mut ImpairmentMachine, now: Mono) -> Option<Mono> {
    loop {
        // Errors of sending are losses of the real network below; they are not ours to repair.
        match machine.poll_output(now) {
            Output::Send(Direction::ToServer, packet) => drop(ends.upstream.send(&packet).await),
            Output::Send(Direction::ToClient, packet) => {
                drop(ends.downstream.send_to(&packet, ends.client).await);
            }
            Output::WaitUntil(arrival) => return Some(arrival),
            Output::Idle => return None,
        }
    }
}

fn publish(ends: &FlowEnds, machine: &ImpairmentMachine) {
    if let Some(counters) = lock(&ends.counters).flows.get_mut(ends.number) {
        *counters = [machine.counters(Direction::ToServer), machine.counters(Direction::ToClient)];
    }
}

async fn wake_at(started: Instant, wake: Option<Mono>) {
    match wake {
        Some(arrival) => sleep_until(started + Duration::from_micros(arrival.as_micros())).await,
        None => future::pending().await,
    }
}
