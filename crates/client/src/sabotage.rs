//! What can be spoiled on purpose in test builds, to show that it is noticed.

use incamera_transport::{Candidates, Through};
use incamera_types::Invite;

/// Variable with two addresses, `PUBLISH,PLAY`, that stand for the SFU's media address.
const THROUGH: &str = "INCAMERA_CANDIDATES_THROUGH";

/// Variable with the link of a room that the one hosted here passes for.
const PHANTOM_OF: &str = "INCAMERA_PHANTOM_OF";

/// One kind of harm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sabotage {
    /// The embedded SFU of the meeting that is hosted here attacks it, once pictures flow.
    Attack(Attack),
    /// The key of the participant with this name is lost here.
    DropKey(String),
    /// Our picture stands still.
    Freeze,
    /// When the participant with this name has joined, Mallory enters by an external commit that is made here.
    ExternalCommit(String),
    /// This safeguard does not hold here: one that `./dev sim --sabotage` knows, or one of [`FrameSafeguards`].
    SafeguardOff(String),
}

/// What protects received frames on their way to the eye, as control runs switch it off.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FrameSafeguards {
    /// Those of sealed frames.
    pub(crate) sealed: incamera_sframe::Safeguards,
    /// Shows pictures in the order in which they come, however old.
    pub(crate) skip_picture_order: bool,
    /// Believes the stream that a frame came on instead of the key that opened it.
    pub(crate) skip_sender_by_key: bool,
}

impl FrameSafeguards {
    /// What `safeguard-off:NAME` in the environment leaves.
    pub(crate) fn from_environment() -> Self {
        let mut left = Self::default();
        for sabotage in Sabotage::from_environment() {
            if let Sabotage::SafeguardOff(name) = sabotage {
                left.switch_off(&name);
            }
        }
        left
    }

    /// Switches one off by its name; whether there is one.
    fn switch_off(&mut self, name: &str) -> bool {
        let switch = match name {
            "replay_window" => &mut self.sealed.skip_replay_window,
            "authentication" => &mut self.sealed.skip_authentication,
            "picture_order" => &mut self.skip_picture_order,
            "sender_by_key" => &mut self.skip_sender_by_key,
            _ => return false,
        };
        *switch = true;
        true
    }
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
    /// What the environment variable `INCAMERA_SABOTAGE` asks for, separated by `;`: `freeze`, `drop-key:NAME`,
    /// `external-commit:NAME`, `safeguard-off:NAME`, or an attack.
    pub(crate) fn from_environment() -> Vec<Self> {
        let asked = std::env::var("INCAMERA_SABOTAGE").unwrap_or_default();
        asked.split(';').filter_map(Self::parse).collect()
    }

    fn parse(text: &str) -> Option<Self> {
        match text.split_once(':') {
            Some(("drop-key", name)) => Some(Self::DropKey(name.to_owned())),
            Some(("external-commit", name)) => Some(Self::ExternalCommit(name.to_owned())),
            Some(("safeguard-off", name)) => Some(Self::SafeguardOff(name.to_owned())),
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

/// The link of the genuine room that the one hosted here is to pass for, if the environment names one.
pub(crate) fn phantom_of() -> Option<Invite> {
    Invite::parse(&std::env::var(PHANTOM_OF).ok()?).ok()
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
        let off = Sabotage::SafeguardOff("filter".into());
        assert_eq!(Sabotage::parse("safeguard-off:filter"), Some(off));
    }

    #[test]
    fn a_bad_network_is_named_by_two_addresses() {
        let through = parse_through("10.0.0.1:5,10.0.0.1:6")
            .map(|through| (through.publish.port(), through.play.port()));
        assert_eq!(through, Some((5, 6)));
        assert!(parse_through("10.0.0.1:5").is_none() && parse_through("10.0.0.1,10.0.0.2").is_none());
    }
}
