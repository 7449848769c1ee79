//! Messages from the relay to a client.

use crate::client::lane_limit;
use crate::limits::{BLOB, CARD, KNOCK_BLOB, MESSAGE};
use crate::wire::{Reader, Writer};
use crate::{
    Blob, ClientRef, Incarnation, KnockId, Lane, RelayFault, RelayFaultCode, Seq, Ticket, WireError,
};

/// One binary WebSocket message from the relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerMessage {
    /// The relay speaks the client's version.
    Hello {
        /// Protocol version of the relay.
        version: u16,
    },
    /// A room is open on this connection.
    Opened(Opened),
    /// The card of the open room: bytes for [`crate::Card::parse`], not to be believed unverified.
    Card {
        /// Answers this request.
        in_reply_to: ClientRef,
        /// The card.
        card: Vec<u8>,
    },
    /// The knock waits for members.
    KnockTaken {
        /// Answers this request.
        in_reply_to: ClientRef,
        /// Its id.
        knock: KnockId,
    },
    /// To members: somebody knocks. Waiting knocks are also sent after [`ServerMessage::Opened`].
    Knocked {
        /// Its id.
        knock: KnockId,
        /// The sealed knock.
        blob: Blob,
    },
    /// To members: a knock was settled, withdrawn or has expired.
    KnockClosed {
        /// Its id.
        knock: KnockId,
    },
    /// To the knocker: a member replied.
    Replied {
        /// Counts the replies to this knock from 1.
        number: u16,
        /// Whether the knock is settled.
        standing: Standing,
        /// The sealed reply.
        blob: Blob,
    },
    /// An append was ordered.
    Appended {
        /// Answers this request.
        in_reply_to: ClientRef,
        /// Where.
        seq: Seq,
    },
    /// An entry of the log, in order and without gaps.
    Entry {
        /// Where.
        seq: Seq,
        /// Its lane.
        lane: Lane,
        /// Its content.
        blob: Blob,
    },
    /// All entries up to the head at this moment were sent: what follows is live. Sent once after each
    /// [`ServerMessage::Opened`] with member access.
    CaughtUp {
        /// The last entry sent, or the one before the first wanted.
        seq: Seq,
    },
    /// The members' capability has changed. Until it is opened with the new one, this connection reads no entry
    /// after `last` and appends nothing.
    Rotated {
        /// Last entry that the old capability reads.
        last: Seq,
    },
    /// An order was carried out.
    OrderDone {
        /// Answers this request.
        in_reply_to: ClientRef,
        /// Its counter.
        counter: u64,
    },
    /// A ticket to the SFU.
    Ticket {
        /// Answers this request.
        in_reply_to: ClientRef,
        /// The ticket.
        ticket: Box<Ticket>,
    },
    /// The room is gone from this relay; the connection may open another.
    RoomEnded(EndReason),
    /// A request was refused, or the connection is about to be closed.
    Error(RelayFault),
}

/// What opening a room tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Answers this request.
    pub in_reply_to: ClientRef,
    /// Life of the log. Another one than before: all positions are void.
    pub incarnation: Incarnation,
    /// Oldest entry still kept. When it is after the first wanted, the client fell behind and joins anew.
    pub oldest: Seq,
    /// Last entry so far (0: none).
    pub head: Seq,
    /// Counter of the last accepted admin order.
    pub admin_counter: u64,
    /// `Some`: the capability was rotated away; entries up to this one are sent, nothing can be appended.
    pub read_only_until: Option<Seq>,
}

/// Whether a reply settles a knock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Standing {
    /// More may follow.
    Open = 0,
    /// Settled: admitted or denied.
    Final = 1,
}

impl Standing {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        match reader.u8("standing")? {
            0 => Ok(Self::Open),
            1 => Ok(Self::Final),
            _ => Err(WireError::Invalid("standing")),
        }
    }
}

/// Why a room is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum EndReason {
    /// A holder of the admin key ended it.
    Ordered = 0,
    /// Nobody was connected for longer than the relay allows, or its longest life is over.
    Expired = 1,
    /// The relay is being stopped.
    RelayStopped = 2,
}

impl EndReason {
    fn read(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        match reader.u8("reason")? {
            0 => Ok(Self::Ordered),
            1 => Ok(Self::Expired),
            2 => Ok(Self::RelayStopped),
            _ => Err(WireError::Invalid("reason")),
        }
    }
}

impl ServerMessage {
    /// The message on the wire.
    ///
    /// # Errors
    /// [`WireError::TooLong`] or [`WireError::Invalid`] for a field that a client would refuse.
    pub fn encode(&self) -> Result<Vec<u8>, WireError> {
        let mut writer = Writer::message(self.kind());
        self.write(&mut writer);
        writer.finish()
    }

    /// Parses a message. Total: any bytes give a message or an error (SEC-15).
    ///
    /// # Errors
    /// [`WireError`] for anything that [`ServerMessage::encode`] does not write.
    pub fn parse(bytes: &[u8]) -> Result<Self, WireError> {
        if bytes.len() > MESSAGE {
            return Err(WireError::TooLong("message"));
        }
        let (mut reader, kind) = Reader::message(bytes)?;
        let message = Self::read(kind, &mut reader)?;
        reader.finish()?;
        Ok(message)
    }

    const fn kind(&self) -> u8 {
        match self {
            Self::Hello { .. } => 1,
            Self::Opened(_) => 2,
            Self::Card { .. } => 3,
            Self::KnockTaken { .. } => 4,
            Self::Knocked { .. } => 5,
            Self::KnockClosed { .. } => 6,
            Self::Replied { .. } => 7,
            Self::Appended { .. } => 8,
            Self::Entry { .. } => 9,
            Self::CaughtUp { .. } => 10,
            Self::Rotated { .. } => 11,
            Self::OrderDone { .. } => 12,
            Self::Ticket { .. } => 13,
            Self::RoomEnded(_) => 14,
            Self::Error(_) => 15,
        }
    }

    fn write(&self, writer: &mut Writer) {
        match self {
            Self::Hello { version } => writer.u16(*version),
            Self::Opened(opened) => opened.write(writer),
            Self::Card { in_reply_to, card } => {
                writer.u32(in_reply_to.0);
                writer.bytes("card", CARD, card);
            }
            Self::KnockTaken { in_reply_to, knock } => {
                writer.u32(in_reply_to.0);
                writer.array(&knock.0);
            }
            Self::Knocked { knock, blob } => {
                writer.array(&knock.0);
                blob.write(writer, KNOCK_BLOB);
            }
            Self::KnockClosed { knock } => writer.array(&knock.0),
            Self::Replied { number, standing, blob } => {
                writer.u16(*number);
                writer.u8(*standing as u8);
                blob.write(writer, BLOB);
            }
            Self::Appended { in_reply_to, seq } => {
                writer.u32(in_reply_to.0);
                writer.u64(seq.0);
            }
            Self::Entry { seq, lane, blob } => {
                writer.u64(seq.0);
                writer.u8(*lane as u8);
                blob.write(writer, lane_limit(*lane));
            }
            Self::CaughtUp { seq } | Self::Rotated { last: seq } => writer.u64(seq.0),
            Self::OrderDone { in_reply_to, counter } => {
                writer.u32(in_reply_to.0);
                writer.u64(*counter);
            }
            Self::Ticket { in_reply_to, ticket } => {
                writer.u32(in_reply_to.0);
                ticket.write(writer);
            }
            Self::RoomEnded(reason) => writer.u8(*reason as u8),
            Self::Error(fault) => {
                writer.option(fault.in_reply_to.as_ref(), |w, client_ref| w.u32(client_ref.0));
                writer.u16(fault.code.number());
                writer.u64(fault.detail);
            }
        }
    }

    fn read(kind: u8, reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(match kind {
            1 => Self::Hello { version: reader.u16("version")? },
            2 => Self::Opened(Opened::read(reader)?),
            3 => Self::Card { in_reply_to: read_ref(reader)?, card: reader.bytes("card", CARD)?.to_vec() },
            4 => Self::KnockTaken { in_reply_to: read_ref(reader)?, knock: read_knock(reader)? },
            5 => Self::Knocked { knock: read_knock(reader)?, blob: Blob::read(reader, KNOCK_BLOB)? },
            6 => Self::KnockClosed { knock: read_knock(reader)? },
            7 => Self::Replied {
                number: reader.u16("number")?,
                standing: Standing::read(reader)?,
                blob: Blob::read(reader, BLOB)?,
            },
            8 => Self::Appended { in_reply_to: read_ref(reader)?, seq: read_seq(reader)? },
            9 => {
                let (seq, lane) = (read_seq(reader)?, Lane::read(reader)?);
                Self::Entry { seq, lane, blob: Blob::read(reader, lane_limit(lane))? }
            }
            10 => Self::CaughtUp { seq: read_seq(reader)? },
            11 => Self::Rotated { last: read_seq(reader)? },
            12 => Self::OrderDone { in_reply_to: read_ref(reader)?, counter: reader.u64("counter")? },
            13 => Self::Ticket { in_reply_to: read_ref(reader)?, ticket: Box::new(Ticket::read(reader)?) },
            14 => Self::RoomEnded(EndReason::read(reader)?),
            15 => Self::Error(RelayFault {
                in_reply_to: reader.option("in reply to", read_ref)?,
                code: RelayFaultCode::from_number(reader.u16("code")?),
                detail: reader.u64("detail")?,
            }),
            other => return Err(WireError::Kind(other)),
        })
    }
}

impl Opened {
    fn write(&self, writer: &mut Writer) {
        writer.u32(self.in_reply_to.0);
        writer.u64(self.incarnation.0);
        writer.u64(self.oldest.0);
        writer.u64(self.head.0);
        writer.u64(self.admin_counter);
        writer.option(self.read_only_until.as_ref(), |w, seq| w.u64(seq.0));
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            in_reply_to: read_ref(reader)?,
            incarnation: Incarnation(reader.u64("incarnation")?),
            oldest: read_seq(reader)?,
            head: read_seq(reader)?,
            admin_counter: reader.u64("counter")?,
            read_only_until: reader.option("read only", read_seq)?,
        })
    }
}

fn read_ref(reader: &mut Reader<'_>) -> Result<ClientRef, WireError> {
    reader.u32("in reply to").map(ClientRef)
}

fn read_knock(reader: &mut Reader<'_>) -> Result<KnockId, WireError> {
    reader.array("knock").map(KnockId)
}

fn read_seq(reader: &mut Reader<'_>) -> Result<Seq, WireError> {
    reader.u64("seq").map(Seq)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{IceServer, JanusRoom, ResumeSecret, SfuKind, TextSecret, TicketIdentity};

    fn ticket() -> Ticket {
        Ticket {
            identity: TicketIdentity([0xab; 16]),
            sfu: SfuKind::Janus,
            publish_url: "wss://janus.example/".into(),
            subscribe_url: String::new(),
            bearer: TextSecret::new("hidden".into()),
            janus: Some(JanusRoom { number: 77, pin: TextSecret::new("hidden".into()) }),
            ice_servers: vec![IceServer {
                urls: vec!["turn:turn.example:3478".into()],
                username: "1700000000:abc".into(),
                credential: TextSecret::new("hidden".into()),
            }],
            valid_until_unix_ms: 1,
            renewal: ResumeSecret::new([7; 16]),
        }
    }

    fn messages() -> Vec<ServerMessage> {
        let in_reply_to = ClientRef(5);
        let blob = Blob::pad(b"sealed").unwrap();
        let knock = KnockId([9; 16]);
        let opened = Opened {
            in_reply_to,
            incarnation: Incarnation(1),
            oldest: Seq::FIRST,
            head: Seq(4),
            admin_counter: 2,
            read_only_until: None,
        };
        let fault = RelayFault { in_reply_to: None, code: RelayFaultCode::Busy, detail: 3 };
        vec![
            ServerMessage::Hello { version: 1 },
            ServerMessage::Opened(opened),
            ServerMessage::Opened(Opened { read_only_until: Some(Seq(3)), ..opened }),
            ServerMessage::Card { in_reply_to, card: vec![1; CARD] },
            ServerMessage::KnockTaken { in_reply_to, knock },
            ServerMessage::Knocked { knock, blob: blob.clone() },
            ServerMessage::KnockClosed { knock },
            ServerMessage::Replied { number: 1, standing: Standing::Final, blob: blob.clone() },
            ServerMessage::Appended { in_reply_to, seq: Seq(3) },
            ServerMessage::Entry { seq: Seq(3), lane: Lane::Commit, blob },
            ServerMessage::CaughtUp { seq: Seq(3) },
            ServerMessage::Rotated { last: Seq(3) },
            ServerMessage::OrderDone { in_reply_to, counter: 2 },
            ServerMessage::Ticket { in_reply_to, ticket: Box::new(ticket()) },
            ServerMessage::RoomEnded(EndReason::Expired),
            ServerMessage::Error(fault),
            ServerMessage::Error(RelayFault { in_reply_to: Some(in_reply_to), ..fault }),
        ]
    }

    #[test]
    fn every_message_round_trips() {
        for message in messages() {
            assert_eq!(ServerMessage::parse(&message.encode().unwrap()).unwrap(), message);
        }
    }

    #[test]
    fn every_truncation_and_extension_of_every_message_is_refused() {
        for message in messages() {
            let bytes = message.encode().unwrap();
            for end in 0..bytes.len() {
                assert!(ServerMessage::parse(&bytes[..end]).is_err(), "{end} of {message:?}");
            }
            assert_eq!(ServerMessage::parse(&[&bytes[..], &[0]].concat()), Err(WireError::Trailing));
        }
    }

    #[test]
    fn a_changed_byte_gives_an_error_or_another_message_that_encodes_to_it() {
        for message in messages() {
            let bytes = message.encode().unwrap();
            for at in 0..bytes.len().min(300) {
                for flip in [0x01, 0x80, 0xff] {
                    let mut changed = bytes.clone();
                    changed[at] ^= flip;
                    if let Ok(parsed) = ServerMessage::parse(&changed) {
                        assert_eq!(parsed.encode().unwrap(), changed, "byte {at}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_lying_count_allocates_nothing_and_is_refused() {
        let mut bytes = ServerMessage::Card { in_reply_to: ClientRef(1), card: vec![] }.encode().unwrap();
        let at = bytes.len() - 4;
        bytes[at..].copy_from_slice(&u32::MAX.to_be_bytes());
        assert_eq!(ServerMessage::parse(&bytes), Err(WireError::TooLong("card")));
    }

    #[test]
    fn debug_of_a_ticket_shows_no_secret() {
        let shown = format!("{:?}", ticket());
        assert!(!shown.contains("hidden") && !shown.contains("[7, 7"), "{shown}");
    }

    #[test]
    fn ticket_identities_read_back_from_hex() {
        let identity = TicketIdentity([0x0f; 16]);
        assert_eq!(TicketIdentity::from_hex(&identity.to_string()), Some(identity));
        for bad in ["", "0f", "0F0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f", "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0"] {
            assert_eq!(TicketIdentity::from_hex(bad), None, "{bad}");
        }
    }
}
