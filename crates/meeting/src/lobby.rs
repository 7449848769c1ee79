//! Who waits to be let in, as those who may admit see it (wire.md §5, §8). Everything here comes from
//! strangers: sealed knocks are opened, checked, deduplicated and bounded.

use std::collections::{BTreeMap, VecDeque};

use incamera_group::AdmissionId;
use incamera_group::hpke::{HpkePrivateKey, HpkePublicKey};
use incamera_identity::VerifyingKey;
use incamera_relay_proto::KnockId;
use incamera_types::{MemberId, Mono, Pii};

use crate::event::KnockNumber;
use crate::heartbeat::MAX_NONCES;
use crate::knock::{KNOCK_WINDOW_MS, KnockBody};

/// Most knocks that wait at a time, besides those of members that come back: as many as a relay keeps for a room.
pub const MAX_WAITING_KNOCKS: usize = 300;

/// Nonces of knocks that were let into the lobby, remembered while such a knock would still be fresh.
const MAX_NONCES_SEEN: usize = 8_192;

/// Nonces of refused knocks, the newest: a flood of them makes room for itself and for nothing else.
const MAX_REFUSED: usize = 8_192;

/// How long an admitter's heartbeats echo a joiner's nonce.
const ECHO_FOR: core::time::Duration = core::time::Duration::from_secs(30);

/// A knock that was opened and believed.
pub(crate) struct Knocker {
    pub(crate) number: KnockNumber,
    pub(crate) knock: KnockId,
    pub(crate) nonce: [u8; 16],
    pub(crate) reply_key: HpkePublicKey,
    pub(crate) key_package: Vec<u8>,
    pub(crate) leaf_key: VerifyingKey,
    pub(crate) rejoin_key: Option<VerifyingKey>,
    pub(crate) name: Pii<String>,
    /// The member that this knock replaces, proved by its leaf key.
    pub(crate) replaces: Option<MemberId>,
    pub(crate) decision: Decision,
}

/// What was decided about a knock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Nothing yet.
    Waiting,
    /// It is to be added; the commit is on its way.
    Admitted,
}

/// Why a knock does not get into the lobby.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turned {
    /// It waits already; the relay tells of it after each connection.
    Known,
    /// Its nonce came before: a replay.
    Replayed,
    /// Too many wait.
    Full,
}

/// The lobby key, the one before, and who waits.
pub(crate) struct Lobby {
    keys: VecDeque<HpkePrivateKey>,
    waiting: BTreeMap<KnockId, Knocker>,
    nonces: VecDeque<(u64, [u8; 16])>,
    refused: VecDeque<[u8; 16]>,
    next_number: u32,
    echoes: VecDeque<(Mono, [u8; 16])>,
    rejoin_keys: BTreeMap<VerifyingKey, VerifyingKey>,
}

impl Lobby {
    /// A lobby; `key` is `None` for who may not admit.
    pub(crate) fn new(key: Option<HpkePrivateKey>) -> Self {
        Self {
            keys: key.into_iter().collect(),
            waiting: BTreeMap::new(),
            nonces: VecDeque::new(),
            refused: VecDeque::new(),
            next_number: 0,
            echoes: VecDeque::new(),
            rejoin_keys: BTreeMap::new(),
        }
    }

    /// Replaces the lobby key. The one before still opens knocks that were sealed to the old card.
    pub(crate) fn replace_key(&mut self, key: HpkePrivateKey) {
        self.keys.truncate(1);
        self.keys.push_front(key);
    }

    /// The keys that open knocks, newest first.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &HpkePrivateKey> {
        self.keys.iter()
    }

    /// The present lobby key; `None` for who may not admit.
    pub(crate) fn key(&self) -> Option<&HpkePrivateKey> {
        self.keys.front()
    }

    /// Whether somebody who proved to be this member is being let in again.
    pub(crate) fn lets_back(&self, member: MemberId) -> bool {
        self.waiting
            .values()
            .any(|knocker| knocker.replaces == Some(member) && knocker.decision == Decision::Admitted)
    }

    /// Whether a knock is new. Remembers nothing yet: who floods with knocks that are not let in costs nobody a place.
    ///
    /// Each nonce is taken once. A knock that waits no more was answered, or its knocker has given up: shown again, be it
    /// under its own id, it adds nobody (SEC-19).
    ///
    /// # Errors
    /// [`Turned::Known`], [`Turned::Replayed`].
    pub(crate) fn check(&self, knock: KnockId, body: &KnockBody) -> Result<(), Turned> {
        if self.waiting.contains_key(&knock) {
            return Err(Turned::Known);
        }
        let let_in = self.nonces.iter().map(|(_, nonce)| nonce);
        if let_in.chain(&self.refused).any(|nonce| *nonce == body.nonce) {
            return Err(Turned::Replayed);
        }
        Ok(())
    }

    /// Remembers a knock that was answered with a refusal: shown again when the door may be open, it is a replay
    /// (SEC-19).
    pub(crate) fn refuse(&mut self, body: &KnockBody) {
        if self.refused.len() >= MAX_REFUSED {
            self.refused.pop_front();
        }
        self.refused.push_back(body.nonce);
    }

    /// Whether there is a place for a knock. A member that comes back has one of its own: nobody can fill the
    /// lobby before it.
    ///
    /// # Errors
    /// [`Turned::Full`].
    pub(crate) fn find_place(&mut self, unix_ms: u64, replaces: Option<MemberId>) -> Result<(), Turned> {
        // A knock is fresh for the window on either side of its own time.
        let keep_from = unix_ms.saturating_sub(KNOCK_WINDOW_MS.saturating_mul(2));
        while self.nonces.front().is_some_and(|(at, ..)| *at < keep_from) {
            self.nonces.pop_front();
        }
        if replaces.is_some() && !self.waiting.values().any(|knocker| knocker.replaces == replaces) {
            // At most one for each member, and each costs the memory of one that is older than most.
            if self.nonces.len() >= MAX_NONCES_SEEN {
                self.nonces.pop_front();
            }
            return Ok(());
        }
        let is_full = self.waiting.len() >= MAX_WAITING_KNOCKS || self.nonces.len() >= MAX_NONCES_SEEN;
        if is_full { Err(Turned::Full) } else { Ok(()) }
    }

    /// Lets a checked knock wait, and remembers it: it is not let in again.
    pub(crate) fn add(
        &mut self,
        unix_ms: u64,
        knock: KnockId,
        body: KnockBody,
        (leaf_key, name): (VerifyingKey, Pii<String>),
        replaces: Option<MemberId>,
    ) -> KnockNumber {
        self.next_number = self.next_number.saturating_add(1);
        let number = KnockNumber(self.next_number);
        self.nonces.push_back((unix_ms, body.nonce));
        let knocker = Knocker {
            number,
            knock,
            nonce: body.nonce,
            reply_key: HpkePublicKey(body.reply_key),
            key_package: body.key_package,
            leaf_key,
            rejoin_key: VerifyingKey::from_bytes(body.rejoin_key).ok(),
            name,
            replaces,
            decision: Decision::Waiting,
        };
        self.waiting.insert(knock, knocker);
        number
    }

    /// The knock with this number.
    pub(crate) fn get(&self, number: KnockNumber) -> Option<&Knocker> {
        self.waiting.values().find(|knocker| knocker.number == number)
    }

    /// The knock with this number, to decide about it.
    pub(crate) fn get_mut(&mut self, number: KnockNumber) -> Option<&mut Knocker> {
        self.waiting.values_mut().find(|knocker| knocker.number == number)
    }

    /// Takes a knock out of the lobby.
    pub(crate) fn remove(&mut self, knock: KnockId) -> Option<Knocker> {
        self.waiting.remove(&knock)
    }

    /// Takes the knock of an admission out of the lobby.
    pub(crate) fn remove_admission(&mut self, admission: AdmissionId) -> Option<Knocker> {
        let knock = self.get(number_of(admission))?.knock;
        self.waiting.remove(&knock)
    }

    /// Everybody who waits, in the order of their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Knocker> {
        let mut knockers: Vec<_> = self.waiting.values().collect();
        knockers.sort_unstable_by_key(|knocker| knocker.number);
        knockers.into_iter()
    }

    /// Notes who was added: echoes its nonce in the heartbeats to come (SEC-19), and remembers which key will
    /// prove that it rejoins. Tells whether there is anything to echo.
    pub(crate) fn joined(&mut self, now: Mono, leaf_keys: &[VerifyingKey]) -> bool {
        let joined = self.waiting.values().filter(|knocker| leaf_keys.contains(&knocker.leaf_key));
        let mut nonces = Vec::new();
        for knocker in joined {
            nonces.push(knocker.nonce);
            if let Some(rejoin_key) = knocker.rejoin_key {
                self.rejoin_keys.insert(knocker.leaf_key, rejoin_key);
            }
        }
        nonces.iter().for_each(|nonce| self.echo(now, *nonce));
        !nonces.is_empty()
    }

    /// Echoes a nonce from now on: its knocker is only now being told that it was added.
    pub(crate) fn echo(&mut self, now: Mono, nonce: [u8; 16]) {
        self.echoes.retain(|(_, known)| *known != nonce);
        self.echoes.push_back((now, nonce));
        while self.echoes.len() > MAX_NONCES {
            self.echoes.pop_front();
        }
    }

    /// Forgets the rejoin keys of everybody but these leaves.
    pub(crate) fn keep_rejoin_keys(&mut self, is_member: impl Fn(&VerifyingKey) -> bool) {
        self.rejoin_keys.retain(|leaf_key, _| is_member(leaf_key));
    }

    /// The key that proves a rejoin of this leaf.
    pub(crate) fn rejoin_key(&self, leaf_key: &VerifyingKey) -> Option<VerifyingKey> {
        self.rejoin_keys.get(leaf_key).copied()
    }

    /// The nonces that a heartbeat now echoes.
    pub(crate) fn nonces_to_echo(&mut self, now: Mono) -> Vec<[u8; 16]> {
        self.echoes.retain(|(since, _)| now.since(*since) < ECHO_FOR);
        self.echoes.iter().map(|(_, nonce)| *nonce).collect()
    }
}

/// How the group calls the admission of a knock.
pub(crate) fn admission_of(number: KnockNumber) -> AdmissionId {
    AdmissionId(u64::from(number.0))
}

fn number_of(admission: AdmissionId) -> KnockNumber {
    KnockNumber(u32::try_from(admission.0).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(nonce: u64) -> KnockBody {
        let mut wide = [0; 16];
        wide[..8].copy_from_slice(&nonce.to_be_bytes());
        KnockBody {
            version: 1,
            nonce: wide,
            time_ms: 0,
            reply_key: [0; 32],
            rejoin_key: [9; 32],
            key_package: vec![1],
            rejoin: None,
        }
    }

    fn id(number: u64) -> KnockId {
        let mut wide = [0; 16];
        wide[..8].copy_from_slice(&number.to_be_bytes());
        KnockId(wide)
    }

    fn leaf(seed: u8) -> VerifyingKey {
        incamera_identity::SigningKey::from_seed(&[seed; 32]).unwrap().verifying_key()
    }

    fn come(
        lobby: &mut Lobby,
        number: u64,
        nonce: u64,
        replaces: Option<MemberId>,
    ) -> Result<KnockNumber, Turned> {
        lobby.check(id(number), &body(nonce))?;
        lobby.find_place(1_000_000, replaces)?;
        Ok(lobby.add(1_000_000, id(number), body(nonce), (leaf(1), Pii::default()), replaces))
    }

    fn knock(lobby: &mut Lobby, number: u64, nonce: u64) -> Result<KnockNumber, Turned> {
        come(lobby, number, nonce, None)
    }

    /// SEC-19
    #[test]
    fn knock_that_waits_no_more_is_a_replay_under_any_id() {
        let mut lobby = Lobby::new(None);
        assert_eq!(knock(&mut lobby, 1, 5), Ok(KnockNumber(1)));
        assert_eq!(knock(&mut lobby, 1, 5), Err(Turned::Known), "told again after a reconnection");
        assert_eq!(knock(&mut lobby, 2, 5), Err(Turned::Replayed));
        lobby.remove(id(1));
        assert_eq!(knock(&mut lobby, 1, 5), Err(Turned::Replayed));
        assert_eq!(knock(&mut lobby, 2, 5), Err(Turned::Replayed));
    }

    #[test]
    fn flood_of_knocks_costs_bounded_memory() {
        let mut lobby = Lobby::new(None);
        let admitted = (0..100_000).filter(|n| knock(&mut lobby, *n, *n).is_ok()).count();
        assert_eq!(admitted, MAX_WAITING_KNOCKS);
        assert!(lobby.nonces.len() <= MAX_NONCES_SEEN);
    }

    #[test]
    fn member_that_comes_back_finds_a_place_in_a_full_lobby_but_only_one() {
        let mut lobby = Lobby::new(None);
        for n in 0..2 * u64::try_from(MAX_NONCES_SEEN).unwrap() {
            let _ = knock(&mut lobby, n, n);
            lobby.remove(id(n));
        }
        for n in 20_000..21_000 {
            let _ = knock(&mut lobby, n, n);
        }
        assert_eq!(knock(&mut lobby, 30_000, 30_000), Err(Turned::Full));
        let ada = Some(MemberId([1; 16]));
        assert!(come(&mut lobby, 30_001, 30_001, ada).is_ok());
        assert_eq!(come(&mut lobby, 30_002, 30_002, ada), Err(Turned::Full));
        assert!(come(&mut lobby, 30_003, 30_003, Some(MemberId([2; 16]))).is_ok());
        assert!(lobby.nonces.len() <= MAX_NONCES_SEEN);
    }

    /// SEC-19
    #[test]
    fn refused_knock_is_a_replay_under_any_id_and_takes_nobodys_place() {
        let mut lobby = Lobby::new(None);
        for n in 0..20_000 {
            assert_eq!(lobby.check(id(n), &body(n)), Ok(()));
            lobby.refuse(&body(n));
        }
        assert_eq!(lobby.check(id(19_999), &body(19_999)), Err(Turned::Replayed));
        assert_eq!(lobby.check(id(20_001), &body(19_999)), Err(Turned::Replayed));
        assert_eq!(lobby.find_place(0, None), Ok(()));
        assert!(lobby.nonces.is_empty() && lobby.refused.len() == MAX_REFUSED);
    }

    #[test]
    fn nonce_of_a_joiner_is_echoed_for_a_while() {
        let mut lobby = Lobby::new(None);
        knock(&mut lobby, 1, 5).unwrap();
        let start = Mono::from_micros(0);
        assert!(!lobby.joined(start, &[leaf(2)]));
        assert!(lobby.joined(start, &[leaf(1)]));
        lobby.remove(id(1));
        assert_eq!(lobby.nonces_to_echo(start), [body(5).nonce]);
        assert!(lobby.nonces_to_echo(start.plus(ECHO_FOR)).is_empty());
    }
}
