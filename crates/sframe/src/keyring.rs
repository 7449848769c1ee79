//! The keys of one epoch on the receiving side: exactly one per key id, found without searching (SEC-02).

use incamera_types::{Context, Epoch, Kid, LeafIndex, MAX_LEAVES, Mono};

use crate::keys::FrameKey;
use crate::open::ReceivingKey;
use crate::{BaseKey, OpenError, OpenedFrame, Safeguards, UnopenedFrame};

/// Contexts that a key id can name.
const CONTEXTS: usize = Context::ALL.len();

/// One key id's key.
enum Slot {
    /// Not needed yet; derived from the base key when a frame comes.
    Underived,
    Live(Box<ReceivingKey>),
    /// Died, and is never derived again.
    Retired,
}

impl Slot {
    #[cold]
    fn derive(base: &BaseKey, kid: Kid) -> Result<Self, OpenError> {
        let key = FrameKey::derive(base, kid.value()).map_err(|_| OpenError::MissingKey)?;
        Ok(Self::Live(Box::new(ReceivingKey::new(kid.context(), key))))
    }
}

/// Opens the frames of one epoch.
///
/// Each key is derived when its first frame comes and then kept, so memory is bounded by leaves and contexts,
/// and a frame costs one array access.
pub struct EpochKeyring {
    epoch: Epoch,
    installed: Mono,
    base: Option<BaseKey>,
    slots: Vec<Slot>,
    safeguards: Safeguards,
}

impl EpochKeyring {
    /// The keys of `epoch` for leaves below `leaves` (at most [`MAX_LEAVES`]), known since `installed`.
    #[must_use]
    pub fn new(base: BaseKey, epoch: Epoch, leaves: u32, installed: Mono) -> Self {
        let leaves = usize::try_from(leaves.min(MAX_LEAVES)).unwrap_or_default();
        let mut slots = Vec::new();
        slots.resize_with(leaves.saturating_mul(CONTEXTS), || Slot::Underived);
        Self { epoch, installed, base: Some(base), slots, safeguards: Safeguards::default() }
    }

    /// The same keys with these safeguards in force.
    #[must_use]
    pub fn with_safeguards(self, safeguards: Safeguards) -> Self {
        Self { safeguards, ..self }
    }

    /// The epoch of the keys.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Opens a frame with the one key of its key id; the replay window moves only if that succeeds.
    ///
    /// # Errors
    /// [`OpenError`]; the frame is dropped. [`OpenError::MissingKey`] also for a key that died.
    // Always inlined: a frame handed on by a call is stored in parts and read whole, for which a processor waits.
    #[inline(always)]
    pub fn open(&mut self, frame: UnopenedFrame, now: Mono) -> Result<OpenedFrame, OpenError> {
        let kid = frame.kid();
        if kid.epoch_bits() != Self::bits(self.epoch) {
            return Err(OpenError::MissingKey);
        }
        let slot = slot_index(kid).and_then(|index| self.slots.get_mut(index));
        let slot = slot.ok_or(OpenError::MissingKey)?;
        if let Slot::Underived = slot {
            let base = self.base.as_ref().ok_or(OpenError::MissingKey)?;
            *slot = Slot::derive(base, kid)?;
        }
        let Slot::Live(key) = slot else {
            return Err(OpenError::MissingKey);
        };
        key.open(frame, now.since(self.installed), self.safeguards)
    }

    /// Erases the base key: keys in use stay, no further one is derived.
    pub fn retire_base_key(&mut self) {
        self.base = None;
    }

    /// Erases all keys of a leaf.
    pub fn retire_leaf(&mut self, leaf: LeafIndex) {
        for context in Context::ALL {
            self.retire_stream(leaf, context);
        }
    }

    /// Erases the key of one stream of a leaf.
    pub fn retire_stream(&mut self, leaf: LeafIndex, context: Context) {
        let index = Kid::new(context, leaf, self.epoch).and_then(slot_index);
        if let Some(slot) = index.and_then(|index| self.slots.get_mut(index)) {
            *slot = Slot::Retired;
        }
    }

    const fn bits(epoch: Epoch) -> u8 {
        (epoch.0 & 0x3f) as u8
    }
}

/// Leaf and context of the key id as a position among the slots.
#[inline]
fn slot_index(kid: Kid) -> Option<usize> {
    let leaf = usize::try_from(kid.leaf().0).ok()?;
    leaf.checked_mul(CONTEXTS)?.checked_add(usize::from(kid.context().number()))
}
