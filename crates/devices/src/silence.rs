//! How long a device that is open gives nothing.

use core::time::Duration;

use incamera_types::Mono;

/// Silence after which a device counts as lost. PulseAudio lets a device that only slow streams use sleep for two seconds, also
/// when a faster one has just begun, and a busy machine adds to that; cheap cameras take as long to begin in the dark.
pub(crate) const LOST_AFTER: Duration = Duration::from_secs(4);

/// The silence of one device, as far as somebody listened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Silence {
    begins: Mono,
    asked: Mono,
}

impl Silence {
    /// A device that is to give something from `begins` on.
    pub(crate) const fn from(begins: Mono) -> Self {
        Self { begins, asked: begins }
    }

    /// It gave something.
    pub(crate) const fn broken(&mut self, now: Mono) {
        *self = Self::from(now);
    }

    /// It gave nothing: whether it has for too long. While nobody asked it was not silent: the computer slept, or this
    /// program was stopped.
    pub(crate) fn is_loss(&mut self, now: Mono) -> bool {
        if now.since(core::mem::replace(&mut self.asked, now)) > LOST_AFTER {
            self.begins = now;
        }
        now.since(self.begins) > LOST_AFTER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Mono {
        Mono::default().plus(Duration::from_secs(seconds))
    }

    #[test]
    fn silence_that_nobody_listened_to_does_not_count() {
        let mut silence = Silence::from(at(0));
        let losses: Vec<u64> =
            [1, 2, 42, 44, 46, 47].into_iter().filter(|now| silence.is_loss(at(*now))).collect();
        assert_eq!(losses, [47]);
    }

    #[test]
    fn silence_begins_when_something_was_heard_last() {
        let mut silence = Silence::from(at(0));
        assert!(!silence.is_loss(at(3)));
        silence.broken(at(4));
        assert!(!silence.is_loss(at(8)));
        assert!(silence.is_loss(at(9)));
    }
}
