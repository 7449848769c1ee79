//! What the relay knows of one connection.

use std::collections::VecDeque;

use incamera_relay_proto::{AdminPublicKey, KnockId, RelayFault, RelayFaultCode, Seq, ServerMessage};
use incamera_types::{Mono, RoomId};

use super::Origin;
use super::meter::Meter;
use crate::RelayLimits;

/// Most messages that wait for one client besides log entries and knocks, which are pulled. Whoever lets more
/// pile up does not read.
const MAX_CONTROL: usize = 256;
/// Wrong capabilities or tokens before the connection is closed.
const MAX_DENIALS: u8 = 5;

/// What a connection may do in its room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Knock, under the knock capability of this generation.
    Knocker { generation: u64 },
    /// Everything a member may.
    Member,
    /// Read entries up to this one.
    Retired { until: Seq },
}

/// The room that a connection has open.
#[derive(Clone, Copy, Debug)]
pub(super) struct OpenRoom {
    pub(super) room: RoomId,
    pub(super) standing: Standing,
    /// Next entry to send.
    pub(super) cursor: Seq,
    /// Whether the client was told that it caught up.
    pub(super) caught_up: bool,
}

/// A change in the lobby that a member is still to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KnockNews {
    Knocked(KnockId),
    Closed(KnockId),
}

/// A client's own knock and how many replies were sent on this connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct OwnKnock {
    pub(super) room: RoomId,
    pub(super) knock: KnockId,
    pub(super) replies_sent: usize,
}

pub(super) struct Connection {
    pub(super) origin: Origin,
    pub(super) open: Option<OpenRoom>,
    pub(super) own_knock: Option<OwnKnock>,
    pub(super) tickets: usize,
    /// The admin key whose order the connection carried last, or with which it made its room.
    pub(super) admin_key: Option<AdminPublicKey>,
    control: VecDeque<ServerMessage>,
    knock_news: VecDeque<KnockNews>,
    messages: Meter,
    bytes: Meter,
    denials: u8,
    greeted: bool,
    closing: bool,
    woken: bool,
}

impl Connection {
    pub(super) fn new(limits: &RelayLimits, now: Mono, origin: Origin) -> Self {
        Self {
            origin,
            open: None,
            own_knock: None,
            tickets: 0,
            admin_key: None,
            control: VecDeque::new(),
            knock_news: VecDeque::new(),
            messages: Meter::new(limits.connection_messages, now),
            bytes: Meter::new(limits.connection_bytes, now),
            denials: 0,
            greeted: false,
            closing: false,
            woken: false,
        }
    }

    pub(super) const fn is_greeted(&self) -> bool {
        self.greeted
    }

    pub(super) const fn greet(&mut self) {
        self.greeted = true;
    }

    pub(super) const fn is_closing(&self) -> bool {
        self.closing
    }

    /// Nothing but what is queued already is sent from now on.
    pub(super) fn close(&mut self) {
        self.closing = true;
        self.knock_news.clear();
    }

    pub(super) fn meter(&mut self, now: Mono, wire_bytes: usize) {
        self.messages.take(now, 1);
        self.bytes.take(now, wire_bytes);
    }

    pub(super) fn read_again_at(&self) -> Mono {
        self.messages.ready_at().max(self.bytes.ready_at())
    }

    /// Counts a wrong capability; whether it was one too many.
    pub(super) const fn deny_once_more(&mut self) -> bool {
        self.denials = self.denials.saturating_add(1);
        self.denials >= MAX_DENIALS
    }

    pub(super) fn queue(&mut self, message: ServerMessage) {
        if self.closing {
            return;
        }
        if self.control.len() >= MAX_CONTROL {
            self.control.clear();
            self.control.push_back(ServerMessage::Error(RelayFault::connection(RelayFaultCode::TimedOut)));
            self.close();
            return;
        }
        self.control.push_back(message);
    }

    pub(super) fn next_control(&mut self) -> Option<ServerMessage> {
        self.control.pop_front()
    }

    /// Tells of a knock. Bounded by the knocks that a room may have: a knock that closes before it was told of
    /// leaves no trace.
    pub(super) fn tell(&mut self, news: KnockNews) {
        if let KnockNews::Closed(knock) = news {
            let before = self.knock_news.len();
            self.knock_news.retain(|queued| *queued != KnockNews::Knocked(knock));
            if self.knock_news.len() < before {
                return;
            }
        }
        self.knock_news.push_back(news);
    }

    pub(super) fn next_knock_news(&mut self) -> Option<KnockNews> {
        self.knock_news.pop_front()
    }

    pub(super) fn forget_knock_news(&mut self) {
        self.knock_news.clear();
    }

    /// Forgets the room.
    pub(super) fn leave(&mut self) {
        self.open = None;
        self.own_knock = None;
        self.knock_news.clear();
    }

    /// Notes that the driver is told; whether it has to be.
    pub(super) const fn wake(&mut self) -> bool {
        let first = !self.woken;
        self.woken = true;
        first
    }

    /// Notes that the driver has pulled everything.
    pub(super) const fn sleep(&mut self) {
        self.woken = false;
    }
}
