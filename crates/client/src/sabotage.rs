//! What can be spoiled on purpose in test builds, to show that it is noticed.

/// One kind of harm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sabotage {
    /// The embedded SFU flips bits in everything of the publisher that came as number N (from 0).
    FlipBits(usize),
    /// The key of the participant with this name is lost here.
    DropKey(String),
    /// Our picture stands still.
    Freeze,
}

impl Sabotage {
    /// What the environment variable `INCAMERA_SABOTAGE` asks for.
    pub(crate) fn from_environment() -> Option<Self> {
        Self::parse(&std::env::var("INCAMERA_SABOTAGE").ok()?)
    }

    /// Reads `flip-bits:N`, `drop-key:NAME` or `freeze`.
    fn parse(text: &str) -> Option<Self> {
        match text.split_once(':') {
            Some(("flip-bits", number)) => number.parse().ok().map(Self::FlipBits),
            Some(("drop-key", name)) => Some(Self::DropKey(name.to_owned())),
            None if text == "freeze" => Some(Self::Freeze),
            _ => None,
        }
    }
}
