//! The knock: what a joiner says to those who may admit, readable by nobody else (wire.md §5).
//!
//! ```text
//! knock = HPKE(lobby key, info = "Incamera 1.0 knock" || room id, body || HMAC-SHA-256(link key, body))
//! ```

use core::fmt;

use incamera_group::GroupError;
use incamera_group::hpke::{HpkePrivateKey, HpkePublicKey};
use incamera_identity::{Signature, SigningKey, VerifyingKey};
use incamera_types::{Entropy, MemberId, Now, RoomId};
use tls_codec::{Serialize as _, TlsDeserializeBytes, TlsSerialize, TlsSize};

use crate::codes::AlarmCode;
use crate::error::MeetingError;
use crate::link_keys::KnockProofKey;
use crate::safeguards::Safeguards;
use crate::wire::{Bounded, exact};

/// Largest key package in a knock; the group takes none that is larger.
pub const MAX_KEY_PACKAGE: usize = 4 * 1_024;

/// How far the clocks of knocker and admitter may be apart; a knock that is older is a replay (wire.md §5:
/// freshness is checked in the knock, not in MLS).
pub(crate) const KNOCK_WINDOW_MS: u64 = 300_000;

const INFO: &[u8] = b"Incamera 1.0 knock";
const REJOIN_LABEL: &[u8] = b"Incamera 1.0 rejoin";
const PROOF_LEN: usize = 32;

/// A member's leaf that wants to be replaced by the knock's key package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, TlsSerialize, TlsDeserializeBytes, TlsSize)]
pub struct Rejoin {
    /// Which member.
    pub member: [u8; 16],
    /// Whose commit it could not follow, if that is why it comes back; a claim like any other.
    pub committer: Option<[u8; 16]>,
    /// By the rejoin key of the knock that brought the member in, over all of this, the nonce and the key package.
    pub signature: [u8; 64],
}

/// The member that a knock replaces, as that member knows itself.
pub(crate) struct Replaced {
    pub(crate) member: MemberId,
    pub(crate) rejoin_key: SigningKey,
    /// Whose commit it could not follow; those who may admit are told.
    pub(crate) committer: Option<MemberId>,
}

/// What a knock says.
#[derive(Clone, PartialEq, Eq, TlsSerialize, TlsDeserializeBytes, TlsSize)]
pub struct KnockBody {
    /// [`incamera_types::PROTOCOL_VERSION`] of the knocker.
    pub version: u16,
    /// Random; an admitter's heartbeat echoes it (SEC-19).
    pub nonce: [u8; 16],
    /// The knocker's wall clock, milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// X25519 key to which replies are sealed.
    pub reply_key: [u8; 32],
    /// Ed25519 key that will sign a later [`Rejoin`] of this leaf.
    pub rejoin_key: [u8; 32],
    /// The MLS key package, with the name and identity in its credential; at most 4 KiB.
    pub key_package: Vec<u8>,
    /// Set when a member lost the group's keys and wants to be added again.
    pub rejoin: Option<Rejoin>,
}

impl fmt::Debug for KnockBody {
    /// The key package holds the name: it is not shown (SEC-12).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KnockBody").field("version", &self.version).finish_non_exhaustive()
    }
}

impl Bounded for KnockBody {
    fn is_bounded(&self) -> bool {
        (1..=MAX_KEY_PACKAGE).contains(&self.key_package.len())
    }
}

impl KnockBody {
    /// The claim that this knock replaces a member, signed with the rejoin key of the knock before.
    pub(crate) fn claim_rejoin(&mut self, replaced: &Replaced) {
        let (member, committer) = (replaced.member.0, replaced.committer.map(|committer| committer.0));
        let signature = replaced.rejoin_key.sign(&self.rejoin_message(member, committer)).0;
        self.rejoin = Some(Rejoin { member, committer, signature });
    }

    /// The claim to replace a member, if `rejoin_key_of` knows the key of its earlier knock and that made it.
    pub(crate) fn rejoins(&self, rejoin_key_of: impl Fn(MemberId) -> Option<VerifyingKey>) -> Option<Rejoin> {
        let rejoin = self.rejoin?;
        let rejoin_key = rejoin_key_of(MemberId(rejoin.member))?;
        let message = self.rejoin_message(rejoin.member, rejoin.committer);
        rejoin_key.verify(&message, &Signature(rejoin.signature)).ok().map(|()| rejoin)
    }

    fn rejoin_message(&self, member: [u8; 16], committer: Option<[u8; 16]>) -> Vec<u8> {
        let committer = committer.map_or_else(Vec::new, |committer| committer.to_vec());
        let has_committer = u8::from(!committer.is_empty());
        [REJOIN_LABEL, &member, &[has_committer], &committer, &self.nonce, &self.key_package].concat()
    }

    /// The sealed knock.
    ///
    /// # Errors
    /// [`MeetingError::Internal`] when the lobby key is one under which nothing is secret.
    pub(crate) fn seal(
        &self,
        room: RoomId,
        lobby_key: &HpkePublicKey,
        proof_key: &KnockProofKey,
        entropy: &mut dyn Entropy,
    ) -> Result<Vec<u8>, MeetingError> {
        let mut plain = self.tls_serialize_detached().map_err(|_| MeetingError::Internal)?;
        let proof = proof_key.prove(&plain);
        plain.extend_from_slice(&proof);
        lobby_key.seal(entropy, &info(room), &[], &plain).map_err(|_: GroupError| MeetingError::Internal)
    }

    /// Opens and checks a knock: sealed to this lobby key, proves the link. Whether it is fresh and of our
    /// version are other questions, so that the knocker can be told.
    ///
    /// # Errors
    /// [`AlarmCode::KnockRefused`].
    pub(crate) fn open(
        room: RoomId,
        lobby_key: &HpkePrivateKey,
        proof_key: &KnockProofKey,
        sealed: &[u8],
        safeguards: Safeguards,
    ) -> Result<Self, AlarmCode> {
        let plain = lobby_key.open(&info(room), &[], sealed).map_err(|_| AlarmCode::KnockRefused)?;
        let (body, proof) = plain.split_last_chunk::<PROOF_LEN>().ok_or(AlarmCode::KnockRefused)?;
        if safeguards.checks_knocks() && !proof_key.proves(body, proof) {
            return Err(AlarmCode::KnockRefused);
        }
        exact(body).map_err(|_| AlarmCode::KnockRefused)
    }

    /// Whether the knock was made lately; else it is a replay, or one of the clocks is wrong.
    pub(crate) const fn is_fresh(&self, now: Now) -> bool {
        now.unix_ms.abs_diff(self.time_ms) <= KNOCK_WINDOW_MS
    }
}

fn info(room: RoomId) -> Vec<u8> {
    [INFO, &room.0].concat()
}

#[cfg(test)]
mod tests {
    use incamera_types::{LinkSecret, Mono, PROTOCOL_VERSION};

    use super::*;

    struct Counting(u8);

    impl Entropy for Counting {
        fn fill(&mut self, out: &mut [u8]) {
            self.0 = self.0.wrapping_add(1);
            out.fill(self.0);
        }
    }

    const ROOM: RoomId = RoomId([1; 16]);
    const NOON: Now = Now { mono: Mono::from_micros(0), unix_ms: 43_200_000 };

    fn body() -> KnockBody {
        KnockBody {
            version: PROTOCOL_VERSION,
            nonce: [2; 16],
            time_ms: NOON.unix_ms,
            reply_key: [3; 32],
            rejoin_key: [4; 32],
            key_package: vec![5; 700],
            rejoin: None,
        }
    }

    fn keys() -> (HpkePrivateKey, KnockProofKey) {
        let lobby = HpkePrivateKey::generate(&mut Counting(0)).unwrap();
        (lobby, KnockProofKey::derive(&LinkSecret::new([7; 16]), ROOM).unwrap())
    }

    fn open(sealed: &[u8]) -> Result<KnockBody, AlarmCode> {
        let (lobby, proof) = keys();
        KnockBody::open(ROOM, &lobby, &proof, sealed, Safeguards::default())
    }

    fn seal(body: &KnockBody, secret: u8) -> Vec<u8> {
        let proof = KnockProofKey::derive(&LinkSecret::new([secret; 16]), ROOM).unwrap();
        body.seal(ROOM, &keys().0.public_key(), &proof, &mut Counting(9)).unwrap()
    }

    #[test]
    fn knock_with_the_link_opens_and_without_it_is_refused() {
        assert_eq!(open(&seal(&body(), 7)), Ok(body()));
        assert_eq!(open(&seal(&body(), 8)), Err(AlarmCode::KnockRefused));
    }

    #[test]
    fn any_flipped_bit_of_a_knock_is_refused() {
        let sealed = seal(&body(), 7);
        for at in (0..sealed.len()).step_by(7) {
            let mut flipped = sealed.clone();
            flipped[at] ^= 0x10;
            assert_eq!(open(&flipped), Err(AlarmCode::KnockRefused), "{at}");
        }
        assert_eq!(open(&sealed[..40]), Err(AlarmCode::KnockRefused));
    }

    #[test]
    fn sec_12_debug_shows_no_key_package() {
        assert_eq!(format!("{:?}", body()), format!("KnockBody {{ version: {PROTOCOL_VERSION}, .. }}"));
    }

    #[test]
    fn knock_is_fresh_for_five_minutes_in_either_direction() {
        let later = |seconds| NOON.plus(core::time::Duration::from_secs(seconds));
        assert!(body().is_fresh(later(300)));
        assert!(!body().is_fresh(later(301)));
        assert!(!KnockBody { time_ms: NOON.unix_ms + 300_001, ..body() }.is_fresh(NOON));
    }

    #[test]
    fn only_the_rejoin_key_of_a_member_replaces_it() {
        let (ada, eve) = (1, 2);
        let member = MemberId([8; 16]);
        let known = |id| (id == member).then(|| SigningKey::from_seed(&[ada; 32]).unwrap().verifying_key());
        let replaced = |seed: u8, committer| {
            let rejoin_key = SigningKey::from_seed(&[seed; 32]).unwrap();
            Replaced { member, rejoin_key, committer }
        };
        let mut knock = body();
        for committer in [None, Some(MemberId([9; 16]))] {
            knock.claim_rejoin(&replaced(ada, committer));
            let rejoin = knock.rejoins(known).unwrap();
            assert_eq!((rejoin.member, rejoin.committer), (member.0, committer.map(|committer| committer.0)));
        }
        knock.rejoin.as_mut().unwrap().committer = Some([7; 16]);
        assert_eq!(knock.rejoins(known), None, "nobody else names the committer");
        knock.claim_rejoin(&replaced(eve, None));
        assert_eq!(knock.rejoins(known), None);
        knock.claim_rejoin(&replaced(ada, None));
        knock.key_package.push(0);
        assert_eq!(knock.rejoins(known), None);
    }
}
