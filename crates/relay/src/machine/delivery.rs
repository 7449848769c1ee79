//! What a client is sent next.

use incamera_relay_proto::{RelayFault, RelayFaultCode, Seq, ServerMessage};

use super::connection::{KnockNews, OpenRoom, Standing};
use super::{ConnectionId, RelayMachine, Transmit};
use crate::RoomLog;

impl<L: RoomLog> RelayMachine<L> {
    /// The next message for a connection. The driver calls it when the client can take one more: answers first,
    /// then knocks and replies, then the log from where the client is.
    pub fn poll_message(&mut self, id: ConnectionId) -> Transmit {
        let next = self
            .next_control(id)
            .or_else(|| self.next_knock_news(id))
            .or_else(|| self.next_reply(id))
            .or_else(|| self.next_entry(id));
        if let Some(message) = next {
            return Transmit::Message(message);
        }
        let Some(connection) = self.connections.get_mut(&id) else { return Transmit::Close };
        connection.sleep();
        if connection.is_closing() { Transmit::Close } else { Transmit::Idle }
    }

    fn next_control(&mut self, id: ConnectionId) -> Option<ServerMessage> {
        self.connections.get_mut(&id)?.next_control()
    }

    fn next_knock_news(&mut self, id: ConnectionId) -> Option<ServerMessage> {
        let connection = self.connections.get_mut(&id)?;
        let room = self.rooms.get(&connection.open?.room)?;
        while let Some(news) = connection.next_knock_news() {
            match news {
                KnockNews::Closed(knock) => return Some(ServerMessage::KnockClosed { knock }),
                KnockNews::Knocked(knock) => {
                    if let Some(waiting) = room.knocks.get(&knock) {
                        return Some(ServerMessage::Knocked { knock, blob: waiting.blob.clone() });
                    }
                }
            }
        }
        None
    }

    fn next_reply(&mut self, id: ConnectionId) -> Option<ServerMessage> {
        let connection = self.connections.get_mut(&id)?;
        if connection.is_closing() {
            return None;
        }
        let own = connection.own_knock.as_mut()?;
        let knock = self.rooms.get(&own.room)?.knocks.get(&own.knock)?;
        let (standing, blob) = knock.replies.get(own.replies_sent)?;
        own.replies_sent = own.replies_sent.saturating_add(1);
        let number = u16::try_from(own.replies_sent).unwrap_or(u16::MAX);
        Some(ServerMessage::Replied { number, standing: *standing, blob: blob.clone() })
    }

    /// The next log entry that the connection may read, or the note that there is no more for now.
    fn next_entry(&mut self, id: ConnectionId) -> Option<ServerMessage> {
        let connection = self.connections.get(&id)?;
        let open = connection.open.filter(|_| !connection.is_closing())?;
        let extent = self.log.extent(open.room);
        let last = match open.standing {
            Standing::Knocker { .. } => return None,
            Standing::Member => extent.head,
            Standing::Retired { until } => until.min(extent.head),
        };
        if open.cursor < extent.oldest && open.cursor <= last {
            let fault = RelayFault::connection(RelayFaultCode::FellBehind).with_detail(extent.oldest.0);
            self.close(id, fault);
            return self.next_control(id);
        }
        if open.cursor <= last
            && let Some(entry) = self.log.read_from(open.room, open.cursor)
        {
            self.advance(id, |open| open.cursor = entry.seq.next());
            return Some(ServerMessage::Entry { seq: entry.seq, lane: entry.lane, blob: entry.blob });
        }
        if open.caught_up {
            return None;
        }
        self.advance(id, |open| open.caught_up = true);
        Some(ServerMessage::CaughtUp { seq: Seq(open.cursor.0.saturating_sub(1)) })
    }

    fn advance(&mut self, id: ConnectionId, change: impl FnOnce(&mut OpenRoom)) {
        if let Some(open) = self.connections.get_mut(&id).and_then(|connection| connection.open.as_mut()) {
            change(open);
        }
    }
}
