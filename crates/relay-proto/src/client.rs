//! Messages from a client to the relay.

use incamera_types::RoomId;

use crate::limits::{APPLICATION_BLOB, BLOB, CARD, COMMIT_BLOB, CREATE_TOKEN, KNOCK_BLOB, MESSAGE};
use crate::wire::{Reader, Writer};
use crate::{
    AdminPublicKey, Blob, CapabilityHash, CapabilitySecret, ClientRef, KnockId, Lane, ResumeSecret, Seq,
    SignedAdminOrder, TextSecret, TicketIdentity, WireError,
};

/// One binary WebSocket message from a client. The first of a connection is [`Request::Hello`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientMessage {
    /// Echoed in the answer.
    pub client_ref: ClientRef,
    /// What is asked.
    pub request: Request,
}

/// Which right a capability proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Access {
    /// Fetch the card, knock, read the replies to one's own knock.
    Knock = 0,
    /// Read and append, see knocks and reply to them, ask for tickets.
    Member = 1,
}

/// What a client asks of the relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Begins a connection; answered by [`crate::ServerMessage::Hello`].
    Hello {
        /// [`incamera_types::PROTOCOL_VERSION`] of the client.
        version: u16,
    },
    /// Makes a room and opens it with member access; answered by [`crate::ServerMessage::Opened`].
    CreateRoom(CreateRoom),
    /// Opens a room, or opens it again with another capability; answered by [`crate::ServerMessage::Opened`],
    /// after which entries from `from` on follow by themselves.
    Open {
        /// The room.
        room: RoomId,
        /// Which right is claimed.
        access: Access,
        /// Its proof.
        capability: CapabilitySecret,
        /// First entry wanted; ignored for [`Access::Knock`].
        from: Seq,
    },
    /// Asks for the card of the open room; answered by [`crate::ServerMessage::Card`].
    FetchCard,
    /// Knocks at the open room; answered by [`crate::ServerMessage::KnockTaken`], later by
    /// [`crate::ServerMessage::Replied`]. One at a time per connection.
    Knock {
        /// The sealed knock; at most 32 KiB.
        blob: Blob,
        /// Random; lets the knocker go on after a reconnect.
        resume: ResumeSecret,
    },
    /// Goes on with a knock of an earlier connection; answered like a knock, replies are sent again from the
    /// first wanted on.
    ResumeKnock {
        /// What the knock was made with.
        resume: ResumeSecret,
        /// Replies the knocker has already (0: none).
        replies_seen: u16,
    },
    /// Takes the connection's knock back.
    WithdrawKnock,
    /// A member's reply to a knock (Welcome, denial, question).
    Reply {
        /// The knock.
        knock: KnockId,
        /// Whether it settles the knock: members are then told that it is closed, and the mailbox goes a minute
        /// later, or when its knocker opens the room as a member, withdraws or knocks anew.
        standing: crate::Standing,
        /// The sealed reply; at most 1 MiB.
        blob: Blob,
    },
    /// Appends to the log; answered by [`crate::ServerMessage::Appended`]. The entry itself comes back too.
    Append {
        /// The lane.
        lane: Lane,
        /// At most 256 KiB in the commit lane, 32 KiB in the application lane.
        blob: Blob,
    },
    /// An order signed by the admin key; answered by [`crate::ServerMessage::OrderDone`].
    Administer(SignedAdminOrder),
    /// Asks for a ticket to the SFU; answered by [`crate::ServerMessage::Ticket`].
    RequestTicket {
        /// The identity to keep and the proof of its holder, to renew a ticket; `None`: a new identity.
        renew: Option<(TicketIdentity, ResumeSecret)>,
    },
}

/// Everything that makes a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateRoom {
    /// 128 random bits.
    pub room: RoomId,
    /// What knocking needs.
    pub knock: CapabilityHash,
    /// What reading and appending need.
    pub member: CapabilityHash,
    /// Whose orders are taken.
    pub admin_key: AdminPublicKey,
    /// The first card ([`crate::Card::encode`]).
    pub card: Vec<u8>,
    /// Permission to make rooms here, when the relay demands one; at most 128 bytes of printable ASCII.
    pub create_token: Option<TextSecret>,
}

impl ClientMessage {
    /// The message on the wire.
    ///
    /// # Errors
    /// [`WireError::TooLong`] or [`WireError::Invalid`] for a field that the relay would refuse.
    pub fn encode(&self) -> Result<Vec<u8>, WireError> {
        let mut writer = Writer::message(self.request.kind());
        writer.u32(self.client_ref.0);
        self.request.write(&mut writer);
        writer.finish()
    }

    /// Parses a message. Total: any bytes give a message or an error (SEC-15).
    ///
    /// # Errors
    /// [`WireError`] for anything that [`ClientMessage::encode`] does not write.
    pub fn parse(bytes: &[u8]) -> Result<Self, WireError> {
        if bytes.len() > MESSAGE {
            return Err(WireError::TooLong("message"));
        }
        let (mut reader, kind) = Reader::message(bytes)?;
        let client_ref = ClientRef(reader.u32("client ref")?);
        let request = Request::read(kind, &mut reader)?;
        reader.finish()?;
        Ok(Self { client_ref, request })
    }
}

impl Request {
    const fn kind(&self) -> u8 {
        match self {
            Self::Hello { .. } => 1,
            Self::CreateRoom(_) => 2,
            Self::Open { .. } => 3,
            Self::FetchCard => 4,
            Self::Knock { .. } => 5,
            Self::ResumeKnock { .. } => 6,
            Self::WithdrawKnock => 7,
            Self::Reply { .. } => 8,
            Self::Append { .. } => 9,
            Self::Administer(_) => 10,
            Self::RequestTicket { .. } => 11,
        }
    }

    fn write(&self, writer: &mut Writer) {
        match self {
            Self::Hello { version } => writer.u16(*version),
            Self::CreateRoom(create) => create.write(writer),
            Self::Open { room, access, capability, from } => {
                writer.array(&room.0);
                writer.u8(*access as u8);
                writer.array(capability.expose());
                writer.u64(from.0);
            }
            Self::FetchCard | Self::WithdrawKnock => {}
            Self::Knock { blob, resume } => {
                writer.array(resume.expose());
                blob.write(writer, KNOCK_BLOB);
            }
            Self::ResumeKnock { resume, replies_seen } => {
                writer.array(resume.expose());
                writer.u16(*replies_seen);
            }
            Self::Reply { knock, standing, blob } => {
                writer.array(&knock.0);
                writer.u8(*standing as u8);
                blob.write(writer, BLOB);
            }
            Self::Append { lane, blob } => {
                writer.u8(*lane as u8);
                blob.write(writer, lane_limit(*lane));
            }
            Self::Administer(order) => order.write(writer),
            Self::RequestTicket { renew } => writer.option(renew.as_ref(), |w, (identity, proof)| {
                w.array(&identity.0);
                w.array(proof.expose());
            }),
        }
    }

    fn read(kind: u8, reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(match kind {
            1 => Self::Hello { version: reader.u16("version")? },
            2 => Self::CreateRoom(CreateRoom::read(reader)?),
            3 => Self::Open {
                room: RoomId(reader.array("room")?),
                access: Access::read(reader)?,
                capability: CapabilitySecret::new(reader.array("capability")?),
                from: Seq(reader.u64("from")?),
            },
            4 => Self::FetchCard,
            5 => Self::Knock {
                resume: ResumeSecret::new(reader.array("resume")?),
                blob: Blob::read(reader, KNOCK_BLOB)?,
            },
            6 => Self::ResumeKnock {
                resume: ResumeSecret::new(reader.array("resume")?),
                replies_seen: reader.u16("replies seen")?,
            },
            7 => Self::WithdrawKnock,
            8 => Self::Reply {
                knock: KnockId(reader.array("knock")?),
                standing: crate::Standing::read(reader)?,
                blob: Blob::read(reader, BLOB)?,
            },
            9 => {
                let lane = Lane::read(reader)?;
                Self::Append { lane, blob: Blob::read(reader, lane_limit(lane))? }
            }
            10 => Self::Administer(SignedAdminOrder::read(reader)?),
            11 => Self::RequestTicket {
                renew: reader.option("renew", |r| {
                    Ok((TicketIdentity(r.array("identity")?), ResumeSecret::new(r.array("renewal")?)))
                })?,
            },
            other => return Err(WireError::Kind(other)),
        })
    }
}

impl CreateRoom {
    fn write(&self, writer: &mut Writer) {
        writer.array(&self.room.0);
        writer.array(&self.knock.0);
        writer.array(&self.member.0);
        writer.array(&self.admin_key.0);
        writer.bytes("card", CARD, &self.card);
        writer.option(self.create_token.as_ref(), |w, token| {
            w.text("create token", CREATE_TOKEN, token.expose());
        });
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            room: RoomId(reader.array("room")?),
            knock: CapabilityHash(reader.array("knock capability")?),
            member: CapabilityHash(reader.array("member capability")?),
            admin_key: AdminPublicKey(reader.array("admin key")?),
            card: reader.bytes("card", CARD)?.to_vec(),
            create_token: reader
                .option("create token", |r| r.text("create token", CREATE_TOKEN).map(TextSecret::new))?,
        })
    }
}

impl Access {
    fn read(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        match reader.u8("access")? {
            0 => Ok(Self::Knock),
            1 => Ok(Self::Member),
            _ => Err(WireError::Invalid("access")),
        }
    }
}

pub(crate) const fn lane_limit(lane: Lane) -> usize {
    match lane {
        Lane::Commit => COMMIT_BLOB,
        Lane::Application => APPLICATION_BLOB,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AdminAction, AdminOrder, Incarnation, Rotation, Signature, Standing};

    fn order(action: AdminAction) -> Request {
        let order = AdminOrder { room: RoomId([1; 16]), incarnation: Incarnation(2), counter: 3, action };
        Request::Administer(SignedAdminOrder { order, signature: Signature([4; 64]) })
    }

    fn requests() -> Vec<Request> {
        let blob = Blob::pad(b"sealed").unwrap();
        let resume = ResumeSecret::new([238; 16]);
        let create = CreateRoom {
            room: RoomId([1; 16]),
            knock: CapabilityHash([2; 32]),
            member: CapabilityHash([3; 32]),
            admin_key: AdminPublicKey([4; 32]),
            card: vec![5; CARD],
            create_token: Some(TextSecret::new("hidden".into())),
        };
        let rotation = Rotation {
            member: CapabilityHash([6; 32]),
            knock: Some(CapabilityHash([7; 32])),
            admin_key: Some(AdminPublicKey([8; 32])),
            revoked_tickets: vec![TicketIdentity([9; 16]); 64],
        };
        vec![
            Request::Hello { version: 1 },
            Request::CreateRoom(CreateRoom { create_token: None, ..create.clone() }),
            Request::CreateRoom(create),
            Request::Open {
                room: RoomId([1; 16]),
                access: Access::Member,
                capability: CapabilitySecret::new([238; 32]),
                from: Seq(9),
            },
            Request::FetchCard,
            Request::Knock { blob: blob.clone(), resume: resume.clone() },
            Request::ResumeKnock { resume: resume.clone(), replies_seen: 2 },
            Request::WithdrawKnock,
            Request::Reply { knock: KnockId([3; 16]), standing: Standing::Final, blob: blob.clone() },
            Request::Append { lane: Lane::Commit, blob: blob.clone() },
            Request::Append { lane: Lane::Application, blob },
            order(AdminAction::Rotate(rotation)),
            order(AdminAction::PutCard(vec![1, 2, 3])),
            order(AdminAction::EndRoom),
            Request::RequestTicket { renew: None },
            Request::RequestTicket { renew: Some((TicketIdentity([1; 16]), resume)) },
        ]
    }

    fn message(request: Request) -> ClientMessage {
        ClientMessage { client_ref: ClientRef(0x0102_0304), request }
    }

    #[test]
    fn every_request_round_trips() {
        for request in requests() {
            let message = message(request);
            assert_eq!(ClientMessage::parse(&message.encode().unwrap()).unwrap(), message);
        }
    }

    #[test]
    fn every_truncation_and_extension_of_every_request_is_refused() {
        for request in requests() {
            let bytes = message(request).encode().unwrap();
            for end in 0..bytes.len() {
                assert!(ClientMessage::parse(&bytes[..end]).is_err(), "{end} of {bytes:02x?}");
            }
            assert_eq!(ClientMessage::parse(&[&bytes[..], &[0]].concat()), Err(WireError::Trailing));
        }
    }

    #[test]
    fn a_changed_byte_gives_an_error_or_another_message_that_encodes_to_it() {
        for request in requests() {
            let bytes = message(request).encode().unwrap();
            for at in 0..bytes.len().min(300) {
                for flip in [0x01, 0x80, 0xff] {
                    let mut changed = bytes.clone();
                    changed[at] ^= flip;
                    if let Ok(parsed) = ClientMessage::parse(&changed) {
                        assert_eq!(parsed.encode().unwrap(), changed, "byte {at}");
                    }
                }
            }
        }
    }

    #[test]
    fn unknown_formats_and_kinds_are_named() {
        assert_eq!(ClientMessage::parse(&[2, 1]), Err(WireError::Format(2)));
        assert_eq!(ClientMessage::parse(&[1, 99, 0, 0, 0, 0]), Err(WireError::Kind(99)));
        assert_eq!(ClientMessage::parse(&[]), Err(WireError::Truncated("format")));
    }

    #[test]
    fn lanes_limit_the_size_of_what_is_appended() {
        let blob = Blob::pad(&vec![0; APPLICATION_BLOB]).unwrap();
        let append = |lane| message(Request::Append { lane, blob: blob.clone() }).encode();
        assert!(append(Lane::Commit).is_ok());
        assert_eq!(append(Lane::Application), Err(WireError::TooLong("blob")));
        assert_eq!(ClientMessage::parse(&vec![1; MESSAGE + 1]), Err(WireError::TooLong("message")));
    }

    #[test]
    fn debug_shows_no_capability_and_no_token() {
        for request in requests() {
            let shown = format!("{request:?}");
            assert!(!shown.contains("hidden") && !shown.contains("238"), "{shown}");
        }
    }
}
