//! What one relay allows. Every number can be configured.

use std::time::Duration;

use serde::Deserialize;

use crate::LogLimits;

/// A rate and how much may come at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// Sustained, per second.
    pub per_second: u32,
    /// At once, after a pause.
    pub burst: u32,
}

/// Limits of a relay (wire.md §8, SEC-15). The defaults carry meetings of a thousand members on one machine.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RelayLimits {
    /// Connections in all.
    pub connections: usize,
    /// Connections from one IPv4 address or IPv6 /64 network.
    pub connections_per_address: usize,
    /// Rooms at one time.
    pub rooms: usize,
    /// Rooms at one time made from one address.
    pub rooms_per_address: usize,
    /// Connections with member access in one room.
    pub members_per_room: usize,
    /// Connections with knock access in one room.
    pub knockers_per_room: usize,
    /// Connections with knock access in one room from one address. An office that comes all at once fits.
    pub knockers_per_address: usize,
    /// Knocks that wait or whose replies are kept, in one room.
    pub knocks_per_room: usize,
    /// Knocks among them that came from one address: nobody closes the lobby to everybody else.
    pub knocks_per_address: usize,
    /// Knocks at one room from one address. A faster one is told to knock again later.
    pub address_knocks: Rate,
    /// Replies kept for one knock.
    pub replies_per_knock: usize,
    /// Bytes of replies kept in one room.
    pub reply_bytes_per_room: usize,
    /// Log entries kept in one room; who falls behind them joins anew.
    pub log_entries_per_room: usize,
    /// Bytes of log entries kept in one room.
    pub log_bytes_per_room: usize,
    /// Bytes of log entries kept in all rooms: bounds the relay's memory. Beyond it a room that grows keeps less.
    pub log_bytes: usize,
    /// Bytes of appends that wait in one lane of a room. Beyond it whoever holds most loses what it queued last.
    pub queued_bytes_per_lane: usize,
    /// Bytes of waiting appends, knocks and replies in all rooms. Beyond it a room that holds more than its even
    /// share takes no more.
    pub held_bytes: usize,
    /// Messages from one connection. A faster one is read more slowly.
    pub connection_messages: Rate,
    /// Bytes from one connection.
    pub connection_bytes: Rate,
    /// Commits appended to one room; addresses take turns, and connections of one address. Of one connection the
    /// newest waits. Key ids tell 64 epochs apart, whose keys live less than a second: at most 64 in that time.
    pub room_commits: Rate,
    /// Application messages appended to one room; turns as for commits.
    pub room_messages: Rate,
    /// Bytes of application messages appended to one room.
    pub room_bytes: Rate,
    /// Application messages of one connection that wait for their turn.
    pub queued_messages: usize,
    /// Tickets valid at one time in one room.
    pub tickets_per_room: usize,
    /// New tickets that one connection may take.
    pub tickets_per_connection: usize,
    /// Seconds until a new connection must have opened a room.
    pub open_within_seconds: u64,
    /// Seconds that a connection is kept whose capability was rotated away and not replaced by the new one, and
    /// that its tickets stay good.
    pub retired_seconds: u64,
    /// Seconds that a connection with knock access is kept without a knock.
    pub knock_within_seconds: u64,
    /// Seconds that a knock waits for its knocker to come back, and that the reply which settles it is kept.
    pub knock_grace_seconds: u64,
    /// Seconds that a knock lives.
    pub knock_seconds: u64,
    /// Seconds that a room without any connection is kept.
    pub room_idle_seconds: u64,
    /// Seconds that a room lives at most.
    pub room_seconds: u64,
    /// Seconds that a ticket is good for unless it is renewed. Then the SFU ends its sessions.
    pub ticket_seconds: u64,
}

impl Default for RelayLimits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            connections_per_address: 256,
            rooms: 1_000,
            rooms_per_address: 20,
            members_per_room: 1_200,
            knockers_per_room: 300,
            knockers_per_address: 150,
            knocks_per_room: 300,
            knocks_per_address: 150,
            address_knocks: Rate { per_second: 1, burst: 150 },
            replies_per_knock: 4,
            reply_bytes_per_room: 32 << 20,
            log_entries_per_room: 20_000,
            log_bytes_per_room: 16 << 20,
            log_bytes: 1 << 30,
            queued_bytes_per_lane: 1 << 20,
            held_bytes: 1 << 30,
            connection_messages: Rate { per_second: 50, burst: 200 },
            connection_bytes: Rate { per_second: 1 << 20, burst: 4 << 20 },
            room_commits: Rate { per_second: 8, burst: 16 },
            room_messages: Rate { per_second: 400, burst: 1_200 },
            room_bytes: Rate { per_second: 2 << 20, burst: 4 << 20 },
            queued_messages: 64,
            tickets_per_room: 4_000,
            tickets_per_connection: 8,
            open_within_seconds: 15,
            retired_seconds: 60,
            knock_within_seconds: 60,
            knock_grace_seconds: 60,
            knock_seconds: 900,
            room_idle_seconds: 600,
            room_seconds: 86_400,
            ticket_seconds: 600,
        }
    }
}

impl RelayLimits {
    /// The part that a [`crate::MemoryLog`] keeps.
    #[must_use]
    pub const fn log(&self) -> LogLimits {
        LogLimits {
            entries: self.log_entries_per_room,
            bytes: self.log_bytes_per_room,
            bytes_in_all: self.log_bytes,
        }
    }

    /// Whether everything is allowed at least once: a relay with a limit of zero serves nobody.
    #[must_use]
    pub fn serve_somebody(&self) -> bool {
        let counts = [
            self.connections,
            self.connections_per_address,
            self.rooms,
            self.rooms_per_address,
            self.members_per_room,
            self.knockers_per_room,
            self.knockers_per_address,
            self.knocks_per_room,
            self.knocks_per_address,
            self.replies_per_knock,
            self.reply_bytes_per_room,
            self.log_entries_per_room,
            self.log_bytes_per_room,
            self.log_bytes,
            self.queued_bytes_per_lane,
            self.held_bytes,
            self.queued_messages,
            self.tickets_per_room,
            self.tickets_per_connection,
        ];
        let rates = [
            self.address_knocks,
            self.connection_messages,
            self.connection_bytes,
            self.room_commits,
            self.room_messages,
            self.room_bytes,
        ];
        let seconds = [
            self.open_within_seconds,
            self.knock_within_seconds,
            self.knock_seconds,
            self.room_seconds,
            self.ticket_seconds,
        ];
        counts.iter().all(|count| *count > 0)
            && rates.iter().all(|rate| rate.per_second > 0 && rate.burst > 0)
            && seconds.iter().all(|seconds| *seconds > 0)
    }

    /// How long a ticket is good for.
    #[must_use]
    pub const fn ticket_life(&self) -> Duration {
        Duration::from_secs(self.ticket_seconds)
    }
}

/// Who may make rooms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CreateRule {
    /// Anybody.
    Anyone,
    /// Whoever shows one of these tokens.
    Tokens(Vec<CreateToken>),
}

/// A permission to make rooms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateToken {
    /// SHA-256 of the token: the token itself is not kept.
    pub sha256: [u8; 32],
    /// Rooms that may exist at one time by it.
    pub rooms: usize,
}
