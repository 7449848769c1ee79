//! The task that owns the sockets and the machine.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::io::ReadBuf;
use tokio::sync::{mpsc, oneshot};

use crate::backlog::Backlog;
use crate::command::{Control, Request};
use crate::machine::{Outgoing, SfuMachine};
use crate::sockets::BoundSocket;

/// Longest datagram looked at; the WebRTC stack takes no more.
const MAX_DATAGRAM: usize = 2_000;
/// Datagrams handled before other work gets its turn.
const BATCH: usize = 64;
/// How often lost media is told, at most.
const LOSSES_TOLD_EVERY: Duration = Duration::from_secs(60);

/// IO loop of [`SfuMachine`].
pub(crate) struct SfuDriver {
    pub(crate) machine: SfuMachine,
    pub(crate) sockets: Vec<BoundSocket>,
    pub(crate) requests: mpsc::Receiver<Request>,
    pub(crate) controls: mpsc::UnboundedReceiver<Control>,
    pub(crate) losses: LossReport,
}

enum Woken {
    Datagram(usize, usize, SocketAddr),
    Request(Request),
    Control(Control),
    Writable,
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
                // What waits is sent above.
                Woken::Writable => {}
                Woken::Deadline => self.machine.handle_timeout(Instant::now()),
                Woken::Orphaned => return,
            }
            self.tell_losses(Instant::now());
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
            () = writable(sockets) => Woken::Writable,
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

    /// Sends what is due. What a full socket buffer does not take waits until it does.
    fn transmit(&mut self) {
        while let Some(Outgoing { socket, destination, contents }) = self.machine.poll_transmit() {
            if let Some(bound) = self.sockets.get_mut(socket) {
                bound.backlog.push(destination, contents);
            }
        }
        for BoundSocket { socket, backlog, .. } in &mut self.sockets {
            backlog.flush(|contents, destination| socket.try_send_to(contents, destination));
        }
    }

    fn tell_losses(&mut self, now: Instant) {
        let losses = Losses {
            overflowed: self.count(|backlog| backlog.overflowed),
            over_ceiling: self.machine.packets_over_ceiling(),
        };
        if let Some(Losses { overflowed, over_ceiling }) = self.losses.due(now, losses) {
            tracing::warn!(
                overflowed,
                over_ceiling,
                "media was lost here: datagrams that the system did not take in time, packets above the ceiling"
            );
        }
    }

    fn count(&self, of: impl Fn(&Backlog) -> u64) -> u64 {
        self.sockets.iter().map(|bound| of(&bound.backlog)).sum()
    }

    fn report(&self, reply: oneshot::Sender<crate::stats::SfuStats>) {
        let mut stats = self.machine.stats();
        stats.datagrams_sent = self.count(|backlog| backlog.sent);
        stats.datagrams_unsent = self.count(|backlog| backlog.overflowed + backlog.refused);
        let _ = reply.send(stats);
    }
}

/// What this machine did not carry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Losses {
    overflowed: u64,
    over_ceiling: u64,
}

/// What the operator was told of losses, so that they do not fill the log.
#[derive(Default)]
pub(crate) struct LossReport {
    told: Option<Instant>,
    losses: Losses,
}

impl LossReport {
    /// What to tell now of `losses` since the start: what is new of them, once in a while.
    fn due(&mut self, now: Instant, losses: Losses) -> Option<Losses> {
        let recently = |told: Instant| now.saturating_duration_since(told) < LOSSES_TOLD_EVERY;
        if losses == self.losses || self.told.is_some_and(recently) {
            return None;
        }
        self.told = Some(now);
        let before = core::mem::replace(&mut self.losses, losses);
        Some(Losses {
            overflowed: losses.overflowed - before.overflowed,
            over_ceiling: losses.over_ceiling - before.over_ceiling,
        })
    }
}

/// Whether a socket with a backlog takes datagrams again.
async fn writable(sockets: &[BoundSocket]) {
    poll_fn(|context| {
        let mut waiting = sockets.iter().filter(|bound| !bound.backlog.is_empty());
        match waiting.any(|bound| bound.socket.poll_send_ready(context).is_ready()) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    })
    .await;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_are_told_once_a_minute_while_they_grow() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let losses = |overflowed| Losses { overflowed, over_ceiling: 0 };
        let mut report = LossReport::default();
        assert_eq!(report.due(at(0), losses(0)), None);
        assert_eq!(report.due(at(1), losses(5)), Some(losses(5)));
        assert_eq!(report.due(at(2), losses(6)), None);
        assert_eq!(report.due(at(61), losses(9)), Some(losses(4)));
        assert_eq!(report.due(at(200), losses(9)), None);
    }
}
