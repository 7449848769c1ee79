//! The sending side: one sender per stream and epoch, and the moment of the switch.

use incamera_sframe::{BaseKey, FrameNumber, FrameSender, MediaFrame, SealedFrame};
use incamera_types::{Context, Epoch, Kid, Mono, Now};

use super::error::{FrameSealError, InstallError};
use crate::EpochKeys;

const CONTEXTS: usize = Context::ALL.len();

/// Replaced keys of one epoch that are remembered; more competing commits of one epoch than this end sending.
const MAX_SPENT: usize = 16;

/// Seals everything that this participant sends (SEC-01, SEC-17).
///
/// Stopped until [`Self::start`]. Senders are named by epoch and epoch authenticator (which no two groups
/// share): installing the same keys again changes nothing, and keys that were replaced never come back.
pub struct FrameSealer {
    current: Option<SealingEpoch>,
    next: Option<SealingEpoch>,
    /// Keys of the newest epoch that other keys took the place of.
    spent: Vec<[u8; 32]>,
    frames_sealed: [u64; CONTEXTS],
    flow: Flow,
    /// Keys came that could not be taken over: those that are here are outdated.
    is_behind: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    Stopped,
    Running,
}

struct SealingEpoch {
    epoch: Epoch,
    authenticator: [u8; 32],
    switch_at: Mono,
    senders: [Option<Box<FrameSender>>; CONTEXTS],
}

impl Default for FrameSealer {
    fn default() -> Self {
        Self::new()
    }
}

impl FrameSealer {
    /// A sealer without keys, stopped. One for each group, for as long as the group lives.
    #[must_use]
    pub fn new() -> Self {
        Self {
            current: None,
            next: None,
            spent: Vec::new(),
            frames_sealed: [0; CONTEXTS],
            flow: Flow::Stopped,
            is_behind: false,
        }
    }

    /// Takes over the keys of an epoch; they seal from [`EpochKeys::switch_at`] on, the first ever at once.
    ///
    /// The same keys again change nothing but the time of the switch, which can only come earlier.
    ///
    /// # Errors
    /// [`InstallError`]. Unless it is [`InstallError::StaleEpoch`], nothing is sealed until later keys come: who
    /// was removed may have the keys that are here (SEC-05).
    pub fn install(&mut self, keys: &EpochKeys) -> Result<(), InstallError> {
        let taken = self.take_over(keys);
        if taken.is_err_and(|error| error != InstallError::StaleEpoch) {
            self.is_behind = true;
        }
        taken
    }

    fn take_over(&mut self, keys: &EpochKeys) -> Result<(), InstallError> {
        if let Some(known) = self.epochs_mut().find(|known| known.is(keys)) {
            known.switch_at = known.switch_at.min(keys.switch_at);
            return Ok(());
        }
        let newest = self.epochs_mut().map(|known| known.epoch).max();
        if newest.is_some_and(|newest| keys.epoch < newest) {
            return Err(InstallError::StaleEpoch);
        }
        let mut epoch = SealingEpoch::derive(keys)?;
        if newest == Some(keys.epoch) {
            self.make_room(keys)?;
        } else {
            self.spent.clear();
        }
        if self.current.is_none() {
            self.current = Some(epoch);
        } else {
            // A switch away from a removed member's key is not put off by an addition after it (SEC-05).
            if let Some(passed_over) = &self.next {
                epoch.switch_at = epoch.switch_at.min(passed_over.switch_at);
            }
            self.next = Some(epoch);
        }
        self.is_behind = false;
        Ok(())
    }

    /// Other keys of the newest epoch take over: those before them are spent for good (SEC-17).
    fn make_room(&mut self, keys: &EpochKeys) -> Result<(), InstallError> {
        if self.spent.contains(&keys.authenticator) || self.spent.len() >= MAX_SPENT {
            return Err(InstallError::SpentKeys);
        }
        for slot in [&mut self.current, &mut self.next] {
            if let Some(replaced) = slot.take_if(|known| known.epoch == keys.epoch) {
                self.spent.push(replaced.authenticator);
            }
        }
        Ok(())
    }

    fn epochs_mut(&mut self) -> impl Iterator<Item = &mut SealingEpoch> {
        self.current.iter_mut().chain(&mut self.next)
    }

    /// Lets frames out.
    pub fn start(&mut self) {
        self.flow = Flow::Running;
    }

    /// Seals nothing until the next [`Self::start`]; counters stay (SEC-08).
    pub fn stop(&mut self) {
        self.flow = Flow::Stopped;
    }

    /// The epoch that seals at `now`.
    #[must_use]
    pub fn epoch(&self, now: Now) -> Option<Epoch> {
        let due = self.next.as_ref().filter(|next| next.switch_at <= now.mono);
        due.or(self.current.as_ref()).map(|known| known.epoch)
    }

    /// Seals a frame of `context` in its own buffer, without allocating or copying.
    ///
    /// # Errors
    /// [`FrameSealError`]; the frame is dropped.
    #[inline]
    pub fn seal(
        &mut self,
        now: Now,
        context: Context,
        frame: MediaFrame,
    ) -> Result<SealedFrame, FrameSealError> {
        if self.flow == Flow::Stopped {
            return Err(FrameSealError::Stopped);
        }
        if self.is_behind {
            return Err(FrameSealError::NoKeys);
        }
        if self.next.as_ref().is_some_and(|next| next.switch_at <= now.mono) {
            self.switch();
        }
        let index = usize::from(context.number());
        let epoch = self.current.as_mut().ok_or(FrameSealError::NoKeys)?;
        let sender = epoch.senders.get_mut(index).and_then(Option::as_mut);
        let sender = sender.ok_or(FrameSealError::NotPermitted)?;
        let sealed_before = self.frames_sealed.get_mut(index).ok_or(FrameSealError::NotPermitted)?;
        let sealed = sender.seal(frame, FrameNumber::of(*sealed_before))?;
        *sealed_before = sealed_before.saturating_add(1);
        Ok(sealed)
    }

    #[cold]
    fn switch(&mut self) {
        self.current = self.next.take();
    }
}

impl SealingEpoch {
    /// Takes a sender for each context that the rules let us send (SEC-10); the base key is erased after that.
    fn derive(keys: &EpochKeys) -> Result<Self, InstallError> {
        let mut base = BaseKey::new(keys.suite, keys.base_key.clone()).ok_or(InstallError::BaseKeyLength)?;
        let mut senders: [Option<Box<FrameSender>>; CONTEXTS] = core::array::from_fn(|_| None);
        for context in &keys.own_contexts {
            let kid = Kid::new(*context, keys.own_leaf, keys.epoch).ok_or(InstallError::LeafOutOfRange)?;
            let slot = senders.get_mut(usize::from(context.number())).filter(|slot| slot.is_none());
            if let Some(slot) = slot {
                let sender = base.take_sender(kid).map_err(|_| InstallError::Derivation)?;
                *slot = Some(Box::new(sender));
            }
        }
        Ok(Self { epoch: keys.epoch, authenticator: keys.authenticator, switch_at: keys.switch_at, senders })
    }

    fn is(&self, keys: &EpochKeys) -> bool {
        self.epoch == keys.epoch && self.authenticator == keys.authenticator
    }
}
