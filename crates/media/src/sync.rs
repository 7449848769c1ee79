//! Sound and picture of one sender together: when a picture has to be shown so that it fits the sound.
//!
//! Both carry the sender's capture time, sealed with the frame; what a server says of time is not believed.

use core::time::Duration;

use incamera_types::Mono;

/// Without sound for this long there is nothing to fit.
const STALE_AFTER: Duration = Duration::from_millis(500);

/// Longest time that a picture is held back for the sound (SEC-18); more would not be live.
const MAX_HOLD: Duration = Duration::from_millis(500);

/// A change of the sound's delay above this (100 ms) is taken over at once: the stream started anew.
const JUMP_US: i64 = 100_000;

/// Follows how late one sender's sound is played. Sound is the master: gaps in it are heard, a picture shown 20 ms
/// earlier or later is not seen.
#[derive(Clone, Debug, Default)]
pub struct SyncClock {
    /// Local time minus sender time in microseconds, when heard.
    offset_us: Option<i64>,
    heard: Mono,
}

impl SyncClock {
    /// A clock that has heard nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self { offset_us: None, heard: Mono::from_micros(0) }
    }

    /// Sound captured at `captured`, on the sender's clock, is heard at `heard` (now plus the delay of the speaker).
    pub fn handle_sound(&mut self, heard: Mono, captured: Mono) {
        let offset = signed(heard.as_micros()).saturating_sub(signed(captured.as_micros()));
        self.heard = heard;
        self.offset_us = Some(match self.offset_us {
            Some(known) if known.abs_diff(offset) <= JUMP_US.unsigned_abs() => {
                // An eighth each block smooths the 20 ms steps of the jitter buffer.
                known.saturating_add(offset.saturating_sub(known).div_euclid(8))
            }
            _ => offset,
        });
    }

    /// When a picture captured at `captured` fits the sound, `now` or up to half a second later; `None` when no sound
    /// was heard lately: show it at once.
    #[must_use]
    pub fn due(&self, now: Mono, captured: Mono) -> Option<Mono> {
        if now.since(self.heard) > STALE_AFTER {
            return None;
        }
        let due = signed(captured.as_micros()).saturating_add(self.offset_us?);
        Some(Mono::from_micros(u64::try_from(due).unwrap_or(0)).clamp(now, now.plus(MAX_HOLD)))
    }
}

fn signed(micros: u64) -> i64 {
    i64::try_from(micros).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Mono {
        Mono::from_micros(ms * 1_000)
    }

    #[test]
    fn pictures_are_due_when_their_sound_is_heard() {
        let mut clock = SyncClock::new();
        assert_eq!(clock.due(ms(1), Mono::from_micros(0)), None);
        clock.handle_sound(ms(1_000), Mono::from_micros(5_000_000));
        assert_eq!(clock.due(ms(1_000), Mono::from_micros(5_040_000)), Some(ms(1_040)));
        assert_eq!(clock.due(ms(1_600), Mono::from_micros(5_640_000)), None);
    }

    #[test]
    fn small_steps_are_smoothed_and_jumps_taken_over() {
        let mut clock = SyncClock::new();
        clock.handle_sound(ms(1_000), Mono::from_micros(0));
        clock.handle_sound(ms(1_040), Mono::from_micros(0));
        assert_eq!(clock.due(ms(1_000), Mono::from_micros(0)), Some(ms(1_005)));
        clock.handle_sound(ms(3_000), Mono::from_micros(0));
        assert_eq!(clock.due(ms(3_000), Mono::from_micros(0)), Some(ms(3_000)));
    }

    // SEC-18: a forged clock cannot hold pictures back.
    #[test]
    fn pictures_are_never_held_back_for_long_and_late_ones_are_due_at_once() {
        let mut clock = SyncClock::new();
        clock.handle_sound(ms(1_000), Mono::from_micros(0));
        assert_eq!(clock.due(ms(1_000), ms(9_000)), Some(ms(1_500)));
        assert_eq!(clock.due(ms(1_400), Mono::from_micros(0)), Some(ms(1_400)));
    }
}
