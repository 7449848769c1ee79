//! What a direction of the relay does to its packets.

use core::str::FromStr;
use core::time::Duration;

/// A value of a setting that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Not a number from 0 to 1, or a percentage from 0% to 100%.
    #[error("not a probability: write for example 5% or 0.05")]
    Probability,
    /// Not a time.
    #[error("not a time: write for example 10ms, 250us or 2s")]
    Duration,
    /// Not a bit rate, or zero.
    #[error("not a bit rate: write for example 800k, 2.5M or 64000 (bits per second)")]
    BitRate,
    /// Not a description of bursts.
    #[error("not a description of bursts: write for example 1%/30% (enter/leave per packet)")]
    Burst,
}

/// How likely something is, from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Probability(f64);

impl Probability {
    /// It never happens.
    pub const NEVER: Self = Self(0.0);

    /// It always happens.
    pub const ALWAYS: Self = Self(1.0);

    /// `percent` of 100.
    ///
    /// # Errors
    /// [`SettingsError::Probability`] outside of 0 to 100.
    pub fn percent(percent: f64) -> Result<Self, SettingsError> {
        if (0.0..=100.0).contains(&percent) {
            Ok(Self(percent / 100.0))
        } else {
            Err(SettingsError::Probability)
        }
    }

    /// The probability as a number from 0 to 1.
    #[must_use]
    pub const fn fraction(self) -> f64 {
        self.0
    }
}

impl FromStr for Probability {
    type Err = SettingsError;

    fn from_str(text: &str) -> Result<Self, SettingsError> {
        let (number, scale) = text.strip_suffix('%').map_or((text, 100.0), |number| (number, 1.0));
        let number: f64 = number.parse().map_err(|_| SettingsError::Probability)?;
        Self::percent(number * scale)
    }
}

/// Losses that come together (Gilbert 1960): a good state, and a bad one in which every packet is lost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Burst {
    /// How likely a packet in the good state begins a burst.
    pub enter: Probability,
    /// How likely the burst is over before the next packet; its mean length is 1 / `leave` packets.
    pub leave: Probability,
}

impl FromStr for Burst {
    type Err = SettingsError;

    fn from_str(text: &str) -> Result<Self, SettingsError> {
        let (enter, leave) = text.split_once('/').ok_or(SettingsError::Burst)?;
        let parse = |part: &str| part.parse().map_err(|_| SettingsError::Burst);
        Ok(Self { enter: parse(enter)?, leave: parse(leave)? })
    }
}

/// Bits per second, at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BitRate(u64);

impl BitRate {
    /// `None` for 0.
    #[must_use]
    pub const fn from_bits_per_second(bits: u64) -> Option<Self> {
        if bits == 0 { None } else { Some(Self(bits)) }
    }

    /// How long `bytes` bytes occupy the link.
    pub(crate) fn time_of(self, bytes: usize) -> Duration {
        let nanos = bytes as u128 * 8 * 1_000_000_000 / u128::from(self.0);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

impl FromStr for BitRate {
    type Err = SettingsError;

    fn from_str(text: &str) -> Result<Self, SettingsError> {
        let (number, scale) = match text.char_indices().last() {
            Some((at, 'k')) => (&text[..at], 1e3),
            Some((at, 'M')) => (&text[..at], 1e6),
            _ => (text, 1.0),
        };
        let bits: f64 = number.parse().map_err(|_| SettingsError::BitRate)?;
        let bits = bits * scale;
        if !(1.0..=1e12).contains(&bits) {
            return Err(SettingsError::BitRate);
        }
        Self::from_bits_per_second(bits as u64).ok_or(SettingsError::BitRate)
    }
}

/// Reads a time such as `10ms`, `250us` or `2s`, at most an hour.
///
/// # Errors
/// [`SettingsError::Duration`].
pub fn parse_duration(text: &str) -> Result<Duration, SettingsError> {
    let (number, scale) = if let Some(number) = text.strip_suffix("ms") {
        (number, 1e-3)
    } else if let Some(number) = text.strip_suffix("us") {
        (number, 1e-6)
    } else {
        (text.strip_suffix('s').ok_or(SettingsError::Duration)?, 1.0)
    };
    let seconds = number.parse::<f64>().map_err(|_| SettingsError::Duration)? * scale;
    if !(0.0..=3_600.0).contains(&seconds) {
        return Err(SettingsError::Duration);
    }
    Ok(Duration::from_secs_f64(seconds))
}

/// What one direction does to its packets. The default passes everything at once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinkSettings {
    /// Loss of single packets, each by itself.
    pub loss: Probability,
    /// Loss of several packets in a row, beside [`LinkSettings::loss`].
    pub burst: Option<Burst>,
    /// Time that every packet takes.
    pub delay: Duration,
    /// Each packet takes up to this much longer; packets still arrive in order.
    pub jitter: Duration,
    /// How likely a packet is held back, so that later ones overtake it.
    pub reorder: Probability,
    /// How long such a packet is held back beyond its time.
    pub reorder_by: Duration,
    /// How likely a packet is sent twice.
    pub duplicate: Probability,
    /// The rate of the bottleneck; `None` for no limit.
    pub rate: Option<BitRate>,
    /// The queue before the bottleneck as the longest wait in it; what would wait longer is dropped.
    pub queue: Duration,
}

impl Default for LinkSettings {
    fn default() -> Self {
        Self {
            loss: Probability::NEVER,
            burst: None,
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
            reorder: Probability::NEVER,
            reorder_by: Duration::from_millis(30),
            duplicate: Probability::NEVER,
            rate: None,
            queue: Duration::from_millis(200),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_are_read_as_percent_or_fraction() {
        assert_eq!("5%".parse::<Probability>().unwrap(), "0.05".parse().unwrap());
        for text in ["101%", "-1%", "1.5", "NaN", "", "%"] {
            assert_eq!(text.parse::<Probability>(), Err(SettingsError::Probability), "{text}");
        }
    }

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(parse_duration("10ms"), Ok(Duration::from_millis(10)));
        assert_eq!(parse_duration("1.5s"), Ok(Duration::from_millis(1_500)));
        assert_eq!(parse_duration("250us"), Ok(Duration::from_micros(250)));
        for text in ["10", "-1ms", "ms", "2h", "4000s", "infs"] {
            assert_eq!(parse_duration(text), Err(SettingsError::Duration), "{text}");
        }
    }

    #[test]
    fn rates_take_suffixes() {
        assert_eq!("2.5M".parse(), Ok(BitRate(2_500_000)));
        assert_eq!("800k".parse(), Ok(BitRate(800_000)));
        assert_eq!("64000".parse(), Ok(BitRate(64_000)));
        for text in ["0", "-5k", "M", "", "é", "1e99"] {
            assert_eq!(text.parse::<BitRate>(), Err(SettingsError::BitRate), "{text}");
        }
    }

    #[test]
    fn bursts_are_two_probabilities() {
        let burst: Burst = "1%/25%".parse().unwrap();
        assert_eq!((burst.enter.fraction(), burst.leave.fraction()), (0.01, 0.25));
        assert_eq!("1%".parse::<Burst>(), Err(SettingsError::Burst));
    }
}
