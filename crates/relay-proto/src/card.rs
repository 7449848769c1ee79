//! The room's signed card: what somebody with the link learns before knocking (wire.md §8, SEC-19).

use incamera_types::{PROTOCOL_VERSION, RoomId};

use crate::limits::{CARD, CARD_VALIDITY_MS, DELEGATION};
use crate::wire::{Reader, Writer};
use crate::{AdminPublicKey, SfuKind, Signature, WireError};

const LABEL: &[u8] = b"Incamera 1.0 card";

/// Ed25519 public key of a room: the root of authority, whose SHA-256 begins with what the link says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RoomPublicKey(pub [u8; 32]);

/// X25519 public key to which knocks are sealed with HPKE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LobbyPublicKey(pub [u8; 32]);

/// The card as it was parsed. **Nothing in it is to be believed** before its chain to the link is verified, which
/// crate `meeting` does: SHA-256 of `room_key`, the signature by it or by the delegate that `delegation` names,
/// the validity, and that `counter` is not older than one already seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// Protocol version of the room; see [`PROTOCOL_VERSION`]. Another one is [`WireError::Invalid`].
    pub version: u16,
    /// The room whose card this is.
    pub room: RoomId,
    /// Root of authority.
    pub room_key: RoomPublicKey,
    /// Where knocks are sealed to.
    pub lobby_key: LobbyPublicKey,
    /// Whose orders the relay takes.
    pub admin_key: AdminPublicKey,
    /// Kind of SFU that carries the room's media: shown before joining.
    pub sfu: SfuKind,
    /// When it was signed, milliseconds since the Unix epoch on the signer's clock.
    pub issued_unix_ms: u64,
    /// Until when it may be used; at most one hour after `issued_unix_ms`.
    pub valid_until_unix_ms: u64,
    /// Grows with every card of a room; an older one than seen is refused.
    pub counter: u64,
    /// The signer's delegation in the group's own format, chained to the room key; `None`: the room key signed.
    pub delegation: Option<Vec<u8>>,
    /// Ed25519 over [`Card::signing_bytes`].
    pub signature: Signature,
}

impl Card {
    /// The bytes to be signed: a label, and every field but the signature.
    ///
    /// # Errors
    /// [`WireError`] when a field cannot be written (delegation too long, validity over an hour).
    pub fn signing_bytes(&self) -> Result<Vec<u8>, WireError> {
        let mut writer = Writer::new();
        writer.bytes("label", LABEL.len(), LABEL);
        self.write_signed(&mut writer);
        writer.finish()
    }

    /// The card on the wire; at most 1,024 bytes.
    ///
    /// # Errors
    /// As [`Card::signing_bytes`].
    pub fn encode(&self) -> Result<Vec<u8>, WireError> {
        let mut writer = Writer::new();
        self.write_signed(&mut writer);
        writer.array(&self.signature.0);
        writer.finish()
    }

    fn write_signed(&self, writer: &mut Writer) {
        if let Err(error) = self.check() {
            writer.refuse(error);
        }
        writer.u16(self.version);
        writer.array(&self.room.0);
        writer.array(&self.room_key.0);
        writer.array(&self.lobby_key.0);
        writer.array(&self.admin_key.0);
        writer.u8(self.sfu as u8);
        writer.u64(self.issued_unix_ms);
        writer.u64(self.valid_until_unix_ms);
        writer.u64(self.counter);
        writer.option(self.delegation.as_ref(), |w, d| w.bytes("delegation", DELEGATION, d));
    }

    /// Parses a card. Its signature is not verified.
    ///
    /// # Errors
    /// [`WireError`] for anything that [`Card::encode`] does not write; `Invalid("card version")` for a card of
    /// another protocol version.
    pub fn parse(bytes: &[u8]) -> Result<Self, WireError> {
        if bytes.len() > CARD {
            return Err(WireError::TooLong("card"));
        }
        let mut reader = Reader::new(bytes);
        let version = reader.u16("card version")?;
        if version != PROTOCOL_VERSION {
            return Err(WireError::Invalid("card version"));
        }
        let card = Self {
            version,
            room: RoomId(reader.array("room")?),
            room_key: RoomPublicKey(reader.array("room key")?),
            lobby_key: LobbyPublicKey(reader.array("lobby key")?),
            admin_key: AdminPublicKey(reader.array("admin key")?),
            sfu: SfuKind::read(&mut reader)?,
            issued_unix_ms: reader.u64("issued")?,
            valid_until_unix_ms: reader.u64("valid until")?,
            counter: reader.u64("counter")?,
            delegation: reader
                .option("delegation", |r| r.bytes("delegation", DELEGATION).map(<[u8]>::to_vec))?,
            signature: Signature(reader.array("signature")?),
        };
        reader.finish()?;
        card.check()?;
        Ok(card)
    }

    fn check(&self) -> Result<(), WireError> {
        match self.valid_until_unix_ms.checked_sub(self.issued_unix_ms) {
            Some(1..=CARD_VALIDITY_MS) => Ok(()),
            _ => Err(WireError::Invalid("valid until")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card() -> Card {
        Card {
            version: PROTOCOL_VERSION,
            room: RoomId([1; 16]),
            room_key: RoomPublicKey([2; 32]),
            lobby_key: LobbyPublicKey([3; 32]),
            admin_key: AdminPublicKey([4; 32]),
            sfu: SfuKind::Janus,
            issued_unix_ms: 1_000,
            valid_until_unix_ms: 1_000 + CARD_VALIDITY_MS,
            counter: 7,
            delegation: Some(vec![5; DELEGATION]),
            signature: Signature([6; 64]),
        }
    }

    #[test]
    fn cards_round_trip_and_fit_their_limit() {
        for delegation in [None, Some(vec![]), Some(vec![5; DELEGATION])] {
            let card = Card { delegation, ..card() };
            let bytes = card.encode().unwrap();
            assert!(bytes.len() <= CARD);
            assert_eq!(Card::parse(&bytes).unwrap(), card);
        }
    }

    #[test]
    fn every_byte_but_the_signature_is_signed() {
        let bytes = card().encode().unwrap();
        let signed = card().signing_bytes().unwrap();
        assert!(signed.ends_with(&bytes[..bytes.len() - 64]));
        assert!(signed.starts_with(&[0, 0, 0, 17]));
    }

    #[test]
    fn truncated_extended_and_foreign_cards_are_refused() {
        let bytes = card().encode().unwrap();
        for end in 0..bytes.len() {
            assert!(Card::parse(&bytes[..end]).is_err(), "{end}");
        }
        assert_eq!(Card::parse(&[&bytes[..], &[0]].concat()), Err(WireError::Trailing));
        let mut newer = bytes.clone();
        newer[1] = 9;
        assert_eq!(Card::parse(&newer), Err(WireError::Invalid("card version")));
        assert_eq!(Card::parse(&[0; CARD + 1]), Err(WireError::TooLong("card")));
    }

    #[test]
    fn a_card_valid_for_longer_than_an_hour_or_never_can_not_be_written_or_read() {
        for valid_until_unix_ms in [0, 1_000, 1_001 + CARD_VALIDITY_MS, u64::MAX] {
            let card = Card { valid_until_unix_ms, ..card() };
            assert_eq!(card.encode(), Err(WireError::Invalid("valid until")));
        }
        let bytes = Card { delegation: None, ..card() }.encode().unwrap();
        let until = bytes.len() - 64 - 1 - 8 - 8;
        let mut longer = bytes.clone();
        longer[until] = 0x7f;
        assert_eq!(Card::parse(&longer), Err(WireError::Invalid("valid until")));
    }
}
