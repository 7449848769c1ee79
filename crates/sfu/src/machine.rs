//! All connections, rooms and the forwarding between them, without sockets: told the time, datagrams and
//! requests, it answers with datagrams to send and a deadline.

mod connection;
mod demux;
mod egress;
mod forwarding;
mod housekeeping;
mod negotiate;
mod requests;
mod room;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::Instant;

use incamera_types::RoomId;
use str0m::net::{DatagramSend, Protocol, Receive};
use str0m::{Event, Input, Output, Rtc};

use crate::config::Limits;
use crate::grant::SharedGrants;
use crate::rate::AddressRate;
use crate::stack::guarded;
use connection::Connection;
use demux::Demux;
use egress::Egress;
use room::Room;

/// Names a connection for the life of the process; never reused.
pub(crate) type ConnectionId = u64;

/// A datagram to send.
pub(crate) struct Outgoing {
    /// Index of the socket.
    pub(crate) socket: usize,
    pub(crate) destination: SocketAddr,
    pub(crate) contents: DatagramSend,
}

/// What is counted over the whole SFU.
#[derive(Clone, Copy, Debug, Default)]
struct Counters {
    datagrams_received: u64,
    datagrams_unknown: u64,
    packets_malformed: u64,
    packets_over_rate: u64,
    packets_over_ceiling: u64,
    connections_failed: u64,
}

/// The SFU as a state machine.
pub(crate) struct SfuMachine {
    limits: Limits,
    grants: SharedGrants,
    /// Advertised addresses of each socket; the first stands for the socket in the ICE agents.
    sockets: Vec<Vec<SocketAddr>>,
    connections: HashMap<ConnectionId, Connection>,
    sessions: HashMap<String, ConnectionId>,
    rooms: HashMap<RoomId, Room>,
    demux: Demux,
    deadlines: BTreeSet<(Instant, ConnectionId)>,
    next_housekeeping: Instant,
    events: VecDeque<(ConnectionId, Event)>,
    failed: Vec<ConnectionId>,
    outbox: VecDeque<Outgoing>,
    next_id: ConnectionId,
    counters: Counters,
    offers: AddressRate,
    egress: Egress,
    #[cfg(feature = "danger-hostile-sfu")]
    hostility: HashMap<RoomId, crate::hostility::HostilityStage>,
    #[cfg(feature = "danger-record")]
    recorder: Option<crate::recorder::Recorder>,
}

impl SfuMachine {
    /// A machine without connections, over sockets that advertise these addresses.
    pub(crate) fn new(
        now: Instant,
        limits: Limits,
        grants: SharedGrants,
        sockets: Vec<Vec<SocketAddr>>,
    ) -> Self {
        Self {
            offers: AddressRate::new(limits.offer_rate),
            egress: Egress::new(now, limits.egress_bytes),
            limits,
            grants,
            sockets,
            connections: HashMap::new(),
            sessions: HashMap::new(),
            rooms: HashMap::new(),
            demux: Demux::default(),
            deadlines: BTreeSet::new(),
            next_housekeeping: now,
            events: VecDeque::new(),
            failed: Vec::new(),
            outbox: VecDeque::new(),
            next_id: 1,
            counters: Counters::default(),
            #[cfg(feature = "danger-hostile-sfu")]
            hostility: HashMap::new(),
            #[cfg(feature = "danger-record")]
            recorder: None,
        }
    }

    /// This machine, recording what it receives.
    #[cfg(feature = "danger-record")]
    pub(crate) fn recording_to(mut self, recorder: Option<crate::recorder::Recorder>) -> Self {
        self.recorder = recorder;
        self
    }

    /// A datagram arrived from `source` at socket number `socket`. Junk is counted and dropped (SEC-15).
    pub(crate) fn handle_datagram(
        &mut self,
        now: Instant,
        socket: usize,
        source: SocketAddr,
        datagram: &[u8],
    ) {
        self.counters.datagrams_received += 1;
        let path = (socket, source);
        let accepted = self.demux.lookup(path, datagram).is_some_and(|id| self.give(now, id, path, datagram));
        if !accepted {
            self.counters.datagrams_unknown += 1;
        }
        self.settle(now);
    }

    /// Time passed.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        // Each connection once: one that is due again at once must not hold up the others.
        let later = self.deadlines.split_off(&(now, ConnectionId::MAX));
        for (_, id) in core::mem::replace(&mut self.deadlines, later) {
            if let Some(connection) = self.connections.get_mut(&id) {
                connection.deadline = None;
            }
            self.serve_key_frames(now, id);
            self.mutate(now, id, |_| ());
        }
        if now >= self.next_housekeeping {
            self.housekeep(now);
        }
        self.settle(now);
    }

    /// When [`Self::handle_timeout`] wants to be called.
    pub(crate) fn poll_deadline(&self) -> Instant {
        let first = self.deadlines.first().map(|(deadline, _)| *deadline);
        first.map_or(self.next_housekeeping, |d| d.min(self.next_housekeeping))
    }

    /// The next datagram to send.
    pub(crate) fn poll_transmit(&mut self) -> Option<Outgoing> {
        self.outbox.pop_front()
    }

    /// Packets not forwarded because the SFU sends all that it may.
    pub(crate) fn packets_over_ceiling(&self) -> u64 {
        self.counters.packets_over_ceiling
    }

    /// Hands a datagram to connection `id`; false if it does not belong there.
    fn give(&mut self, now: Instant, id: ConnectionId, path: demux::Path, datagram: &[u8]) -> bool {
        let Some(connection) = self.connections.get_mut(&id) else {
            return false;
        };
        let Some(destination) = self.sockets.get(path.0).and_then(|a| a.first()).copied() else {
            return false;
        };
        let Some(contents) = guarded(|| datagram.try_into().ok()).flatten() else {
            return false;
        };
        let receive = Receive { proto: Protocol::Udp, source: path.1, destination, contents };
        let input = Input::Receive(now, receive);
        // STUN is authenticated here, with the password of the session, before its source address can
        // claim the connection. DTLS and SRTP authenticate themselves.
        if demux::is_stun(datagram) {
            match connection.guarded(|rtc| rtc.accepts(&input)) {
                Some(true) => self.demux.confirm(path, id),
                Some(false) => return false,
                None => {
                    self.failed.push(id);
                    return false;
                }
            }
        }
        connection.last_received = now;
        match connection.guarded(move |rtc| rtc.handle_input(input)) {
            Some(Ok(())) => self.drain(now, id),
            Some(Err(error)) => {
                tracing::debug!(id, %error, "connection refused a datagram");
                self.failed.push(id);
            }
            None => self.failed.push(id),
        }
        true
    }

    /// Changes connection `id`, lets its time pass and collects its output: the stack's contract is that
    /// no second mutation comes before that.
    fn mutate<R>(&mut self, now: Instant, id: ConnectionId, change: impl FnOnce(&mut Rtc) -> R) -> Option<R> {
        let connection = self.connections.get_mut(&id)?;
        let outcome = connection.guarded(|rtc| {
            let result = change(rtc);
            rtc.handle_input(Input::Timeout(now)).map(|()| result)
        });
        match outcome {
            Some(Ok(result)) => {
                self.drain(now, id);
                Some(result)
            }
            Some(Err(error)) => {
                tracing::debug!(id, %error, "connection failed");
                self.failed.push(id);
                None
            }
            None => {
                self.failed.push(id);
                None
            }
        }
    }

    /// Collects all output of connection `id`.
    fn drain(&mut self, now: Instant, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        let (outbox, events, sockets, demux) =
            (&mut self.outbox, &mut self.events, &self.sockets, &mut self.demux);
        let mut sent = 0_u32;
        let outcome = connection.guarded(|rtc| {
            loop {
                match rtc.poll_output()? {
                    Output::Timeout(deadline) => return Ok(deadline),
                    Output::Event(event) => events.push_back((id, event)),
                    Output::Transmit(transmit) => {
                        demux.note_sent(id, &transmit.contents);
                        sent = sent.saturating_add(egress::cost(transmit.contents.len()));
                        let owner = |a: &Vec<SocketAddr>| a.first() == Some(&transmit.source);
                        outbox.push_back(Outgoing {
                            socket: sockets.iter().position(owner).unwrap_or(0),
                            destination: transmit.destination,
                            contents: transmit.contents,
                        });
                    }
                }
            }
        });
        let outcome: Option<Result<Instant, str0m::RtcError>> = outcome;
        let alive = connection.stack.is_alive();
        let rooms = self.rooms.len();
        if let Some(room) = self.rooms.get_mut(&connection.caller.room).filter(|_| sent > 0) {
            self.egress.spend(now, &mut room.egress, rooms, sent);
        }
        match outcome {
            Some(Ok(deadline)) if alive => self.schedule(now, id, deadline),
            Some(Ok(_)) => self.failed.push(id),
            Some(Err(error)) => {
                tracing::debug!(id, %error, "connection failed");
                self.failed.push(id);
            }
            None => self.failed.push(id),
        }
    }

    /// Replaces the deadline of connection `id`.
    fn schedule(&mut self, now: Instant, id: ConnectionId, stack_deadline: Instant) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        connection.stack_deadline = stack_deadline;
        let key_frames = connection.key_frame_deadline();
        let deadline = key_frames.map_or(stack_deadline, |k| k.min(stack_deadline));
        let deadline = deadline.max(now);
        if connection.deadline == Some(deadline) {
            return;
        }
        if let Some(old) = connection.deadline.replace(deadline) {
            self.deadlines.remove(&(old, id));
        }
        self.deadlines.insert((deadline, id));
    }

    /// Works off events and failures until nothing is left to do at this instant.
    fn settle(&mut self, now: Instant) {
        loop {
            if let Some(id) = self.failed.pop() {
                self.drop_failed(now, id);
            } else if let Some((id, event)) = self.events.pop_front() {
                self.handle_event(now, id, event);
            } else {
                break;
            }
        }
    }

    fn handle_event(&mut self, now: Instant, id: ConnectionId, event: Event) {
        match event {
            Event::RtpPacket(packet) => self.receive_packet(now, id, packet),
            Event::Connected => self.handle_connected(now, id),
            Event::KeyframeRequest(request) => self.handle_key_frame_request(now, id, request.mid),
            Event::Closed => self.close(now, id),
            _ => {}
        }
    }

    /// A connection's stack panicked, failed or ended: only that connection goes.
    fn drop_failed(&mut self, now: Instant, id: ConnectionId) {
        let Some(connection) = self.connections.get(&id) else {
            return;
        };
        if connection.stack.is_alive() {
            self.counters.connections_failed += 1;
            tracing::warn!(id, "a connection failed inside the WebRTC stack and was dropped");
        }
        self.remove(now, id);
    }
}
