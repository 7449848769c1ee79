//! What can be spoiled on purpose in test builds, to show that it is noticed.

use incamera_transport::{Candidates, Through};

/// Variable with two addresses, `PUBLISH,PLAY`, that stand for the SFU's media address.
const THROUGH: &str = "INCAMERA_CANDIDATES_THROUGH";

/// One kind of harm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sabotage {
    /// The embedded SFU of the meeting that is hosted here attacks it, once pictures flow.
    Attack(Attack),
    /// The key of the participant with this name is lost here.
    DropKey(String),
    /// Our picture stands still.
    Freeze,
}

/// What the embedded SFU does; people by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Attack {
    /// Flips a bit in every frame.
    FlipBits,
    /// Sends old frames again.
    Replay,
    /// Sends frames in another order.
    Reorder,
    /// Sends every frame twice.
    Duplicate,
    /// Cuts the end off every frame.
    Truncate,
    /// Puts empty frames between the real ones.
    InjectEmptyFrames,
    /// Delivers each of these two people's streams as the other's.
    SwapStreams(String, String),
    /// Delivers nothing of this person.
    DropStream(String),
    /// Delivers one frame of this person again and again.
    FreezeStream(String),
}

impl Sabotage {
    /// What the environment variable `INCAMERA_SABOTAGE` asks for: `freeze`, `drop-key:NAME`, or an attack.
    pub(crate) fn from_environment() -> Option<Self> {
        Self::parse(&std::env::var("INCAMERA_SABOTAGE").ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        match text.split_once(':') {
            Some(("drop-key", name)) => Some(Self::DropKey(name.to_owned())),
            None if text == "freeze" => Some(Self::Freeze),
            _ => Attack::parse(text).map(Self::Attack),
        }
    }
}

impl Attack {
    fn parse(text: &str) -> Option<Self> {
        let (kind, whom) = text.split_once(':').unwrap_or((text, ""));
        Some(match kind {
            "flip-bits" => Self::FlipBits,
            "replay" => Self::Replay,
            "reorder" => Self::Reorder,
            "duplicate" => Self::Duplicate,
            "truncate" => Self::Truncate,
            "inject-empty-frames" => Self::InjectEmptyFrames,
            "swap-streams" => {
                let (one, other) = whom.split_once(',')?;
                Self::SwapStreams(one.to_owned(), other.to_owned())
            }
            "drop-stream" => Self::DropStream(whom.to_owned()),
            "freeze-stream" => Self::FreezeStream(whom.to_owned()),
            _ => return None,
        })
    }
}

/// Which way media takes: through a bad network between here and the SFU if the environment names one.
pub(crate) fn candidates_from_environment() -> Candidates {
    let through = std::env::var(THROUGH).ok().and_then(|text| parse_through(&text));
    through.map_or(Candidates::Offered, Candidates::Through)
}

fn parse_through(text: &str) -> Option<Through> {
    let (publish, play) = text.split_once(',')?;
    Some(Through { publish: publish.parse().ok()?, play: play.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sabotage_is_named_strictly() {
        assert_eq!(Sabotage::parse("freeze"), Some(Sabotage::Freeze));
        assert_eq!(Sabotage::parse("drop-key:Ada"), Some(Sabotage::DropKey("Ada".into())));
        assert_eq!(Sabotage::parse("flip-bits"), Some(Sabotage::Attack(Attack::FlipBits)));
        let swap = Attack::SwapStreams("Ada".into(), "Ben".into());
        assert_eq!(Sabotage::parse("swap-streams:Ada,Ben"), Some(Sabotage::Attack(swap)));
        assert_eq!(Sabotage::parse("swap-streams:Ada"), None);
        assert_eq!(Sabotage::parse("nothing"), None);
    }

    #[test]
    fn a_bad_network_is_named_by_two_addresses() {
        let through = parse_through("10.0.0.1:5,10.0.0.1:6")
            .map(|through| (through.publish.port(), through.play.port()));
        assert_eq!(through, Some((5, 6)));
        assert!(parse_through("10.0.0.1:5").is_none() && parse_through("10.0.0.1,10.0.0.2").is_none());
    }
}
