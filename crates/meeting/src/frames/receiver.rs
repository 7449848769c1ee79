//! The receiving side, in the order of wire.md §4: parse, key known, member there, allowed, replay window,
//! open, fresh, deliver by key id.

use core::time::Duration;
use std::collections::VecDeque;

use incamera_sframe::{BaseKey, OpenError, Safeguards as SealedSafeguards, UnopenedFrame};
use incamera_types::{FrameBuf, Kid, LeafIndex, MAX_LEAVES, MediaKind, MemberId, Mono, Now};

use super::clock::FRESH_FOR;
use super::counts::{MemberCounts, UnattributedCounts};
use super::epoch::{EpochEnd, ReceivingEpoch};
use super::error::InstallError;
use super::hold::{HeldFrame, HeldFrames};
use super::member::Sender;
use super::output::{DeliveredFrame, FrameOutput};
use super::senders::Senders;
use super::streak::Streak;
use crate::{EpochKeys, KeyHolder, MediaReport, Safeguards, Unopened};

/// How long keys of others live after the switch to a later epoch (wire.md §5).
pub const OLD_KEYS_LIVE_FOR: Duration = Duration::from_millis(500);

/// Media under unknown epochs for this long is reported: the meeting may be split (SEC-09).
const UNKNOWN_EPOCH_AFTER: Duration = Duration::from_secs(2);

/// How often members in trouble are looked at.
const WATCH_EVERY: Duration = Duration::from_millis(125);

/// Epochs that a key id tells apart.
const EPOCHS: usize = 64;

/// Unknown epochs up to this far ahead of the newest are waited for; all others are long over.
const EPOCHS_AHEAD: u8 = 32;

/// Outputs that wait at most; the owner drains them after each input.
const OUTPUTS: usize = 64;

/// Opens what comes from the network and says who sent it.
///
/// Stopped until [`Self::start`]. Owned by one thread: feed it with [`Self::handle_frame`], drain
/// [`Self::poll_output`], and call [`Self::handle_timeout`] at [`Self::next_deadline`].
pub struct FrameReceiver {
    epochs: [Option<Box<ReceivingEpoch>>; EPOCHS],
    newest: Option<u8>,
    own_leaf: Option<LeafIndex>,
    senders: Senders,
    held: HeldFrames,
    unknown_epoch: Option<UnknownEpoch>,
    unattributed: UnattributedCounts,
    outputs: VecDeque<FrameOutput>,
    /// When the next epoch dies.
    next_end: Option<Mono>,
    /// When members in trouble are looked at again.
    watch_at: Option<Mono>,
    /// A member was dropped since the last keys came.
    was_restricted: bool,
    flow: Flow,
    safeguards: Safeguards,
    /// Those of sealed frames.
    sealed: SealedSafeguards,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    Stopped,
    Running,
}

struct UnknownEpoch {
    bits: u8,
    streak: Streak,
}

/// One member's media as statistics show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemberMedia {
    /// Who.
    pub member: MemberId,
    /// What became of its frames.
    pub counts: MemberCounts,
    /// Since when frames of one of its sources have come without one that could be played.
    pub undecryptable_since: Option<Mono>,
}

impl Default for FrameReceiver {
    fn default() -> Self {
        Self::new()
    }
}

impl FrameReceiver {
    /// A receiver without keys, stopped.
    #[must_use]
    pub fn new() -> Self {
        Self {
            epochs: core::array::from_fn(|_| None),
            newest: None,
            own_leaf: None,
            senders: Senders::default(),
            held: HeldFrames::new(),
            unknown_epoch: None,
            unattributed: UnattributedCounts::default(),
            outputs: VecDeque::with_capacity(OUTPUTS),
            next_end: None,
            watch_at: None,
            was_restricted: false,
            flow: Flow::Stopped,
            safeguards: Safeguards::default(),
            sealed: SealedSafeguards::default(),
        }
    }

    /// The same receiver with these safeguards in force for all keys to come.
    #[must_use]
    pub fn with_safeguards(self, sealed: SealedSafeguards) -> Self {
        Self { sealed, ..self }
    }

    /// Lets frames in.
    pub fn start(&mut self) {
        self.flow = Flow::Running;
    }

    /// Drops everything that comes, and what waits, until the next [`Self::start`] (SEC-08, SEC-19).
    pub fn stop(&mut self) {
        self.flow = Flow::Stopped;
        while self.held.pop().is_some() {
            bump(&mut self.unattributed.stopped);
        }
    }

    /// Takes over the keys of an epoch and its members, begins the end of earlier epochs, and opens what
    /// waited for these keys. Members that are gone lose their keys at once (SEC-05).
    ///
    /// The same keys again keep their replay windows and take over only the members' rights.
    ///
    /// # Errors
    /// [`InstallError`]; nothing changes.
    pub fn install(&mut self, now: Now, keys: EpochKeys) -> Result<(), InstallError> {
        let newest = self.newest_epoch().map(|newest| newest.epoch());
        if newest.is_some_and(|newest| keys.epoch < newest) {
            return Err(InstallError::StaleEpoch);
        }
        if keys.own_leaf.0 >= MAX_LEAVES || keys.members.iter().any(|holder| holder.leaf.0 >= MAX_LEAVES) {
            return Err(InstallError::LeafOutOfRange);
        }
        let EpochKeys { epoch, suite, base_key, authenticator, own_leaf, members, .. } = keys;
        let (switch_at, since) = (keys.switch_at, (keys.made_after, now.mono));
        let base = BaseKey::new(suite, base_key).ok_or(InstallError::BaseKeyLength)?;
        let why = self.take_over_members(&members);
        let bits = epoch_bits(epoch.0);
        let end = switch_at.max(now.mono).plus(OLD_KEYS_LIVE_FOR);
        self.end_epochs_before(epoch.0, why, end);

        let known = self.epochs.get_mut(usize::from(bits));
        let slot = known.ok_or(InstallError::LeafOutOfRange)?;
        let same = slot
            .as_ref()
            .is_some_and(|known| known.epoch() == epoch && known.authenticator() == &authenticator);
        if !same {
            let table = self.senders.by_leaf();
            let epoch = ReceivingEpoch::new(base, epoch, authenticator, table, since, self.sealed);
            *slot = Some(Box::new(epoch));
        }
        self.newest = Some(bits);
        self.own_leaf = Some(own_leaf);
        self.unknown_epoch.take_if(|unknown| unknown.bits == bits);
        self.retry_held(now);
        Ok(())
    }

    /// Erases all keys of a member (SEC-05).
    pub fn drop_member(&mut self, member: MemberId) {
        if let Some(leaf) = self.senders.remove(member) {
            self.erase_leaf(leaf);
            self.was_restricted = true;
        }
    }

    /// Plays nothing of a member until it is released (SEC-08).
    pub fn hold_member(&mut self, member: MemberId) {
        if let Some(sender) = self.senders.find_mut(member) {
            sender.is_held = true;
        }
    }

    /// Plays a member again.
    pub fn release_member(&mut self, member: MemberId) {
        if let Some(sender) = self.senders.find_mut(member) {
            sender.is_held = false;
        }
    }

    /// Takes a reassembled frame that came on a track of `track` kind.
    pub fn handle_frame(&mut self, now: Now, track: MediaKind, buf: FrameBuf) {
        if self.flow == Flow::Stopped {
            return bump(&mut self.unattributed.stopped);
        }
        if self.next_end.is_some_and(|end| end <= now.mono) {
            self.retire_epochs(now.mono);
        }
        match UnopenedFrame::parse(track, buf) {
            Ok(frame) => self.judge(now, frame, now.mono),
            Err(_) => bump(&mut self.unattributed.injected),
        }
    }

    /// Does what is due: ends epochs, gives up on frames that waited, reports members in trouble.
    pub fn handle_timeout(&mut self, now: Now) {
        if self.next_end.is_some_and(|end| end <= now.mono) {
            self.retire_epochs(now.mono);
        }
        self.expire_held(now.mono);
        if self.watch_at.is_some_and(|at| at <= now.mono) {
            self.report_troubles(now.mono);
        }
    }

    /// When [`Self::handle_timeout`] has something to do.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Mono> {
        [self.next_end, self.held.next_expiry(), self.watch_at].into_iter().flatten().min()
    }

    /// What there is to do for the owner; drain it after each call.
    #[inline]
    pub fn poll_output(&mut self) -> Option<FrameOutput> {
        self.outputs.pop_front()
    }

    /// What became of each present member's frames.
    pub fn members(&self, now: Now) -> impl Iterator<Item = MemberMedia> + '_ {
        self.senders.iter().map(move |sender| MemberMedia {
            member: sender.member,
            counts: sender.counts,
            undecryptable_since: sender.undecryptable_since(now.mono),
        })
    }

    /// What became of frames that belong to nobody.
    #[must_use]
    pub const fn unattributed(&self) -> UnattributedCounts {
        self.unattributed
    }

    /// Switches safeguards of media off.
    #[cfg(feature = "danger-sabotage")]
    pub fn set_safeguards(&mut self, safeguards: Safeguards) {
        self.safeguards = safeguards;
    }

    /// Loses the keys of a member in the newest epoch, as a defect would.
    #[cfg(feature = "danger-sabotage")]
    pub fn lose_keys(&mut self, member: MemberId) {
        let leaf = self.senders.find_mut(member).map(|sender| sender.leaf);
        let newest =
            self.newest.and_then(|bits| self.epochs.get_mut(usize::from(bits))).and_then(Option::as_mut);
        if let (Some(leaf), Some(epoch)) = (leaf, newest) {
            epoch.lose_leaf(leaf);
        }
    }

    /// Everything after the strict parse. A frame handed on by a call would be stored and read again.
    #[inline(always)]
    fn judge(&mut self, now: Now, frame: UnopenedFrame, arrival: Mono) {
        let kid = frame.kid();
        let context = kid.context();
        let slot = self.epochs.get_mut(usize::from(kid.epoch_bits())).and_then(Option::as_mut);
        let Some(epoch) = slot else {
            return self.wait_for_key(now, HeldFrame { frame, arrival });
        };
        let place = epoch.sender(kid.leaf());
        let Some(sender) = place.and_then(|place| self.senders.get_mut(place)) else {
            return self.note_stranger(kid.leaf());
        };
        if sender.is_held && self.safeguards.holds_frames() {
            return bump(&mut sender.counts.held_back);
        }
        if !sender.contexts.contains(context) {
            bump(&mut sender.counts.not_permitted);
            let report = sender.note_not_allowed(now.mono);
            return self.report(report);
        }
        match epoch.open(frame, now.mono) {
            Ok(frame) => {
                let judgement = sender.clock.judge(&frame, arrival, epoch.age(now.mono));
                let age = judgement.age.saturating_add(now.mono.since(arrival));
                if age > FRESH_FOR && self.safeguards.checks_frame_freshness() {
                    // Authentic but late: the way is slow, and nothing is wrong with the sender or its key.
                    return bump(&mut sender.counts.stale);
                }
                let report = sender.note_opened(context);
                let (member, epoch) = (sender.member, epoch.epoch());
                let capture = judgement.capture;
                if frame.is_first_of_key() {
                    self.supersede(kid, epoch.0);
                }
                self.report(report);
                self.outputs.push_back(FrameOutput::Frame(DeliveredFrame {
                    member,
                    epoch,
                    arrival,
                    capture,
                    frame,
                }));
            }
            Err(error) => self.note_failure(now.mono, kid, error),
        }
    }

    /// A frame under a key of a known epoch did not open.
    #[cold]
    fn note_failure(&mut self, now: Mono, kid: Kid, error: OpenError) {
        let epoch = self.epochs.get(usize::from(kid.epoch_bits())).and_then(Option::as_ref);
        let place = epoch.and_then(|epoch| epoch.sender(kid.leaf()));
        let Some(sender) = place.and_then(|place| self.senders.get_mut(place)) else {
            return;
        };
        let mut report = None;
        // Every key of the newest epoch can be derived: one that is missing there is lost. In epochs that end,
        // missing keys are the rule.
        let is_newest = self.newest == Some(kid.epoch_bits());
        let cause = match error {
            OpenError::MissingKey if is_newest => Unopened::KeyLost,
            _ => Unopened::Spoilt,
        };
        match error {
            // Copies by retransmission or from two slots are normal and say nothing about keys.
            OpenError::Replay(_) => return bump(&mut sender.counts.replayed),
            OpenError::MissingKey => bump(&mut sender.counts.missing_key),
            OpenError::Format(_) => bump(&mut sender.counts.malformed),
            OpenError::AuthenticationFailed => {
                bump(&mut sender.counts.authentication_failed);
                report = sender.note_forged(now);
            }
        }
        sender.note_trouble(kid.context(), now, cause);
        self.report(report);
        self.watch(now);
    }

    /// No epoch is known for the key id: waits for a later one, gives up on an earlier one.
    #[cold]
    fn wait_for_key(&mut self, now: Now, held: HeldFrame) {
        let kid = held.frame.kid();
        if self.own_leaf == Some(kid.leaf()) {
            return bump(&mut self.unattributed.reflected);
        }
        if !self.is_ahead(kid.epoch_bits()) {
            return self.note_missing_key(kid, now.mono);
        }
        let streak = self.unknown_epoch.take().map(|unknown| unknown.streak);
        let streak = Streak::extended(streak, now.mono, Unopened::Spoilt);
        self.unknown_epoch = Some(UnknownEpoch { bits: kid.epoch_bits(), streak });
        if let Some(sender) = self.holder_of(kid.leaf()) {
            sender.note_trouble(kid.context(), now.mono, Unopened::Spoilt);
        }
        self.watch(now.mono);
        if self.held.push(held).is_err() {
            bump(&mut self.unattributed.hold_overflow);
            self.note_missing_key(kid, now.mono);
        }
    }

    fn is_ahead(&self, bits: u8) -> bool {
        self.newest.is_none_or(|newest| bits.wrapping_sub(newest) & 0x3f <= EPOCHS_AHEAD)
    }

    /// Blames a frame without key on whoever holds its leaf now; that is a hint, nothing in it is authentic.
    fn note_missing_key(&mut self, kid: Kid, now: Mono) {
        let Some(sender) = self.holder_of(kid.leaf()) else {
            return self.note_stranger(kid.leaf());
        };
        bump(&mut sender.counts.missing_key);
        sender.note_trouble(kid.context(), now, Unopened::Spoilt);
        self.watch(now);
    }

    #[cold]
    fn note_stranger(&mut self, leaf: LeafIndex) {
        if self.own_leaf == Some(leaf) {
            bump(&mut self.unattributed.reflected);
        } else {
            bump(&mut self.unattributed.no_member);
        }
    }

    fn expire_held(&mut self, now: Mono) {
        while let Some(held) = self.held.pop_expired(now) {
            self.note_missing_key(held.frame.kid(), now);
        }
    }

    /// Opens what waits and can be opened now; the rest waits on, in the same order.
    fn retry_held(&mut self, now: Now) {
        self.expire_held(now.mono);
        for _ in 0..self.held.len() {
            if let Some(HeldFrame { frame, arrival }) = self.held.pop() {
                self.judge(now, frame, arrival);
            }
        }
    }

    /// The first frame of a key ends the sender's earlier keys of that stream where they must die early.
    #[cold]
    fn supersede(&mut self, kid: Kid, epoch: u64) {
        for earlier in self.epochs.iter_mut().flatten().filter(|earlier| earlier.epoch().0 < epoch) {
            earlier.superseded(kid.leaf(), kid.context());
        }
    }

    /// Takes over who is a member and what each may send; says whether anybody lost something.
    fn take_over_members(&mut self, members: &[KeyHolder]) -> EpochEnd {
        let changes = self.senders.take_over(members);
        for leaf in &changes.gone {
            self.erase_leaf(*leaf);
        }
        let was_restricted = core::mem::take(&mut self.was_restricted);
        if was_restricted || changes.rights_lost || !changes.gone.is_empty() {
            EpochEnd::Restricted
        } else {
            EpochEnd::Extended
        }
    }

    fn erase_leaf(&mut self, leaf: LeafIndex) {
        for epoch in self.epochs.iter_mut().flatten() {
            epoch.drop_leaf(leaf);
        }
    }

    fn end_epochs_before(&mut self, epoch: u64, why: EpochEnd, at: Mono) {
        for earlier in self.epochs.iter_mut().flatten().filter(|earlier| earlier.epoch().0 < epoch) {
            earlier.end(why, at);
        }
        self.next_end = self.epochs.iter().flatten().filter_map(|epoch| epoch.ends_at()).min();
    }

    #[cold]
    fn retire_epochs(&mut self, now: Mono) {
        for slot in &mut self.epochs {
            let over = slot.as_ref().and_then(|epoch| epoch.ends_at()).is_some_and(|end| end <= now);
            if over {
                *slot = None;
            }
        }
        self.next_end = self.epochs.iter().flatten().filter_map(|epoch| epoch.ends_at()).min();
    }

    fn report_troubles(&mut self, now: Mono) {
        let mut troubled = false;
        for sender in self.senders.iter_mut() {
            if let Some(report) = sender.report_trouble(now) {
                self.outputs.push_back(FrameOutput::Report(report));
            }
            troubled |= sender.is_troubled();
        }
        self.unknown_epoch.take_if(|unknown| unknown.streak.is_over(now));
        if let Some(unknown) = &mut self.unknown_epoch {
            troubled = true;
            if let Some(for_time) = unknown.streak.due(now, UNKNOWN_EPOCH_AFTER) {
                self.outputs.push_back(FrameOutput::Report(MediaReport::UnknownEpoch { for_time }));
            }
        }
        self.watch_at = troubled.then(|| now.plus(WATCH_EVERY));
    }

    fn watch(&mut self, now: Mono) {
        self.watch_at = self.watch_at.or(Some(now.plus(WATCH_EVERY)));
    }

    #[inline]
    fn report(&mut self, report: Option<MediaReport>) {
        if let Some(report) = report {
            self.outputs.push_back(FrameOutput::Report(report));
        }
    }

    /// The member that holds a leaf now.
    fn holder_of(&mut self, leaf: LeafIndex) -> Option<&mut Sender> {
        let place = self.newest_epoch()?.sender(leaf)?;
        self.senders.get_mut(place)
    }

    fn newest_epoch(&self) -> Option<&ReceivingEpoch> {
        self.epochs.get(usize::from(self.newest?))?.as_deref()
    }
}

const fn epoch_bits(epoch: u64) -> u8 {
    (epoch & 0x3f) as u8
}

#[inline]
fn bump(count: &mut u64) {
    *count = count.saturating_add(1);
}
