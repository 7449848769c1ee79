//! The task that owns the sockets and the machine.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::task::Poll;
use std::time::Instant;

use tokio::io::ReadBuf;
use tokio::sync::{mpsc, oneshot};

use crate::command::{Control, Request};
use crate::machine::SfuMachine;
use crate::sockets::BoundSocket;

/// Longest datagram looked at; the WebRTC stack takes no more.
const MAX_DATAGRAM: usize = 2_000;
/// Datagrams handled before other work gets its turn.
const BATCH: usize = 64;

/// IO loop of [`SfuMachine`].
pub(crate) struct SfuDriver {
    pub(crate) machine: SfuMachine,
    pub(crate) sockets: Vec<BoundSocket>,
    pub(crate) requests: mpsc::Receiver<Request>,
    pub(crate) controls: mpsc::UnboundedReceiver<Control>,
    pub(crate) sent: u64,
    pub(crate) unsent: u64,
}

enum Woken {
    Datagram(usize, usize, SocketAddr),
    Request(Request),
    Control(Control),
    Deadline,
    Orphaned,
}

impl SfuDriver {
    /// Runs until stopped or until nobody can ask for anything any more.
    pub(crate) async fn run(mut self) {
        let mut buffer = vec![0_u8; MAX_DATAGRAM];
        loop {
            self.transmit();
            match self.wait(&mut buffer).await {
                Woken::Datagram(socket, length, source) => {
                    self.handle_batch(socket, length, source, &mut buffer);
                }
                Woken::Request(request) => self.machine.handle_request(Instant::now(), request),
                Woken::Control(Control::Room(control)) => {
                    self.machine.handle_control(Instant::now(), control);
                }
                Woken::Control(Control::Stats { reply }) => self.report(reply),
                Woken::Control(Control::Stop { done }) => {
                    self.machine.close_all(Instant::now());
                    self.transmit();
                    // Whoever asked may have stopped waiting.
                    let _ = done.send(());
                    return;
                }
                Woken::Deadline => self.machine.handle_timeout(Instant::now()),
                Woken::Orphaned => return,
            }
        }
    }

    async fn wait(&mut self, buffer: &mut [u8]) -> Woken {
        let deadline = self.machine.poll_deadline();
        let (sockets, requests, controls) = (&self.sockets, &mut self.requests, &mut self.controls);
        tokio::select! {
            control = controls.recv() => control.map_or(Woken::Orphaned, Woken::Control),
            Some(request) = requests.recv() => Woken::Request(request),
            (socket, length, source) = receive(sockets, buffer) => {
                Woken::Datagram(socket, length, source)
            }
            () = tokio::time::sleep_until(deadline.into()) => Woken::Deadline,
        }
    }

    fn handle_batch(&mut self, socket: usize, length: usize, source: SocketAddr, buffer: &mut [u8]) {
        let mut next = Some((length, source));
        for _ in 0..BATCH {
            let Some((length, source)) = next else {
                break;
            };
            let now = Instant::now();
            let datagram = buffer.get(..length).unwrap_or_default();
            self.machine.handle_datagram(now, socket, source, datagram);
            self.transmit();
            next = self.sockets[socket].socket.try_recv_from(buffer).ok();
        }
        // A steady stream of datagrams must not starve timers.
        let now = Instant::now();
        if self.machine.poll_deadline() <= now {
            self.machine.handle_timeout(now);
        }
    }

    /// Sends what is due. A full socket buffer loses the datagram, as any queue on the way might: waiting
    /// here would delay everybody else's media.
    fn transmit(&mut self) {
        while let Some(outgoing) = self.machine.poll_transmit() {
            let Some(bound) = self.sockets.get(outgoing.socket) else {
                continue;
            };
            match bound.socket.try_send_to(&outgoing.contents, outgoing.destination) {
                Ok(_) => self.sent += 1,
                Err(error) => {
                    self.unsent += 1;
                    tracing::trace!(%error, "a datagram was not sent");
                }
            }
        }
    }

    fn report(&mut self, reply: oneshot::Sender<crate::stats::SfuStats>) {
        let mut stats = self.machine.stats();
        stats.datagrams_sent = self.sent;
        stats.datagrams_unsent = self.unsent;
        let _ = reply.send(stats);
    }
}

/// The next datagram of any socket. Errors on a UDP socket concern single peers (ICMP) and are passed over.
async fn receive(sockets: &[BoundSocket], buffer: &mut [u8]) -> (usize, usize, SocketAddr) {
    poll_fn(|context| {
        for (index, bound) in sockets.iter().enumerate() {
            loop {
                let mut space = ReadBuf::new(buffer);
                match bound.socket.poll_recv_from(context, &mut space) {
                    Poll::Ready(Ok(source)) => {
                        return Poll::Ready((index, space.filled().len(), source));
                    }
                    Poll::Ready(Err(error)) => {
                        tracing::trace!(%error, "receive error");
                    }
                    Poll::Pending => break,
                }
            }
        }
        Poll::Pending
    })
    .await
}
