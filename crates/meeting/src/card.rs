//! The room's signed card: made by who holds the room key, checked by everybody else (wire.md §8, SEC-19).

use core::time::Duration;

use incamera_identity::{Fingerprint, Signature, SigningKey, VerifyingKey};
use incamera_relay_proto::limits::CARD_VALIDITY_MS;
use incamera_relay_proto::{AdminPublicKey, Card, LobbyPublicKey, RoomPublicKey, SfuKind, WireError};
use incamera_types::{Invite, Now, PROTOCOL_VERSION, RoomId};

use crate::codes::AlarmCode;
use crate::safeguards::Safeguards;

/// Age at which a card is replaced: half its life, so that one missed renewal does no harm.
pub(crate) const RENEW_AFTER: Duration = Duration::from_millis(CARD_VALIDITY_MS / 2);

/// How wrong two clocks may be before a card counts as issued in the future.
const CLOCK_TOLERANCE_MS: u64 = 120_000;

/// What a card says, before it is signed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CardContent {
    pub(crate) room: RoomId,
    pub(crate) lobby_key: LobbyPublicKey,
    pub(crate) admin_key: AdminPublicKey,
    pub(crate) sfu: SfuKind,
    pub(crate) counter: u64,
}

/// Makes and signs a card that is valid for an hour.
pub(crate) fn issue(now: Now, content: CardContent, room_key: &SigningKey) -> Result<Vec<u8>, WireError> {
    let mut card = Card {
        version: PROTOCOL_VERSION,
        room: content.room,
        room_key: RoomPublicKey(*room_key.verifying_key().as_bytes()),
        lobby_key: content.lobby_key,
        admin_key: content.admin_key,
        sfu: content.sfu,
        issued_unix_ms: now.unix_ms,
        valid_until_unix_ms: now.unix_ms.saturating_add(CARD_VALIDITY_MS),
        counter: content.counter,
        delegation: None,
        signature: incamera_relay_proto::Signature([0; 64]),
    };
    card.signature = incamera_relay_proto::Signature(room_key.sign(&card.signing_bytes()?).0);
    card.encode()
}

/// Checks the cards of one room; remembers the newest.
#[derive(Debug)]
pub(crate) struct CardWatch {
    room: RoomId,
    fingerprint: Fingerprint,
    newest: u64,
}

impl CardWatch {
    /// A watch over the room of a link.
    pub(crate) const fn new(invite: &Invite) -> Self {
        Self { room: invite.room, fingerprint: Fingerprint(invite.room_key_hash), newest: 0 }
    }

    /// Believes a card if it leads to the link, is in time, and is not older than one seen before. Gives where knocks
    /// are sealed to.
    ///
    /// # Errors
    /// The event code that says why not.
    pub(crate) fn check(
        &mut self,
        now: Now,
        bytes: &[u8],
        safeguards: Safeguards,
    ) -> Result<LobbyPublicKey, AlarmCode> {
        let card = Card::parse(bytes).map_err(|_| AlarmCode::CardRefused)?;
        if safeguards.checks_card() {
            self.check_chain(&card)?;
            self.check_time(now, &card)?;
            if card.counter < self.newest {
                return Err(AlarmCode::CardOld);
            }
        }
        self.newest = self.newest.max(card.counter);
        Ok(card.lobby_key)
    }

    fn check_chain(&self, card: &Card) -> Result<(), AlarmCode> {
        let key = VerifyingKey::from_bytes(card.room_key.0).map_err(|_| AlarmCode::CardRefused)?;
        let signed = card.signing_bytes().map_err(|_| AlarmCode::CardRefused)?;
        let believed = card.room == self.room
            && card.delegation.is_none()
            && Fingerprint::of(&key) == self.fingerprint
            && key.verify(&signed, &Signature(card.signature.0)).is_ok();
        if believed { Ok(()) } else { Err(AlarmCode::CardRefused) }
    }

    fn check_time(&self, now: Now, card: &Card) -> Result<(), AlarmCode> {
        let issued_in_future = card.issued_unix_ms > now.unix_ms.saturating_add(CLOCK_TOLERANCE_MS);
        let over = card.valid_until_unix_ms.saturating_add(CLOCK_TOLERANCE_MS) < now.unix_ms;
        if issued_in_future || over { Err(AlarmCode::CardExpired) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use incamera_types::{LinkSecret, Mono, RelayAddress};

    use super::*;

    const HOUR_MS: u64 = 3_600_000;

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_seed(&[seed; 32]).unwrap()
    }

    fn at(unix_ms: u64) -> Now {
        Now { mono: Mono::from_micros(0), unix_ms }
    }

    fn content(counter: u64) -> CardContent {
        CardContent {
            room: RoomId([1; 16]),
            lobby_key: LobbyPublicKey([2; 32]),
            admin_key: AdminPublicKey([3; 32]),
            sfu: SfuKind::Embedded,
            counter,
        }
    }

    fn watch() -> CardWatch {
        CardWatch::new(&Invite {
            relay: RelayAddress::parse("localhost:1").unwrap(),
            room: RoomId([1; 16]),
            secret: LinkSecret::new([9; 16]),
            room_key_hash: Fingerprint::of(&key(1).verifying_key()).0,
            tls_pin: None,
        })
    }

    fn check(watch: &mut CardWatch, unix_ms: u64, card: &[u8]) -> Result<LobbyPublicKey, AlarmCode> {
        watch.check(at(unix_ms), card, Safeguards::default())
    }

    #[test]
    fn card_of_the_rooms_key_is_believed_for_an_hour() {
        let card = issue(at(10 * HOUR_MS), content(4), &key(1)).unwrap();
        assert_eq!(check(&mut watch(), 10 * HOUR_MS, &card), Ok(content(4).lobby_key));
        assert!(check(&mut watch(), 11 * HOUR_MS, &card).is_ok());
        assert_eq!(check(&mut watch(), 12 * HOUR_MS, &card), Err(AlarmCode::CardExpired));
        assert_eq!(check(&mut watch(), 9 * HOUR_MS, &card), Err(AlarmCode::CardExpired));
    }

    #[test]
    fn card_of_another_key_or_room_is_refused() {
        let forged = issue(at(HOUR_MS), content(4), &key(2)).unwrap();
        assert_eq!(check(&mut watch(), HOUR_MS, &forged), Err(AlarmCode::CardRefused));
        let other = CardContent { room: RoomId([8; 16]), ..content(4) };
        let other = issue(at(HOUR_MS), other, &key(1)).unwrap();
        assert_eq!(check(&mut watch(), HOUR_MS, &other), Err(AlarmCode::CardRefused));
    }

    #[test]
    fn any_flipped_bit_of_a_card_is_refused() {
        let card = issue(at(HOUR_MS), content(4), &key(1)).unwrap();
        for at_byte in 0..card.len() {
            let mut flipped = card.clone();
            flipped[at_byte] ^= 1;
            assert!(check(&mut watch(), HOUR_MS, &flipped).is_err(), "{at_byte}");
        }
    }

    #[test]
    fn card_older_than_one_seen_is_refused() {
        let mut watch = watch();
        let old = issue(at(HOUR_MS), content(4), &key(1)).unwrap();
        let new = issue(at(HOUR_MS), content(5), &key(1)).unwrap();
        assert!(check(&mut watch, HOUR_MS, &new).is_ok());
        assert!(check(&mut watch, HOUR_MS, &new).is_ok());
        assert_eq!(check(&mut watch, HOUR_MS, &old), Err(AlarmCode::CardOld));
    }
}
