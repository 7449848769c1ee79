//! Which safeguards of the meeting are in force. In every ordinary build all of them are, and this type has
//! no way to say otherwise.

/// The safeguards that a control run may switch off, one by one, in builds with the feature
/// `danger-sabotage`, to show that the attack which each of them stops would succeed without it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Safeguards {
    /// Takes any card, whoever signed it and however old it is.
    #[cfg(feature = "danger-sabotage")]
    pub skip_card_check: bool,
    /// Counts a join as confirmed without an admitter's echo of the nonce (SEC-19).
    #[cfg(feature = "danger-sabotage")]
    pub skip_nonce_echo: bool,
    /// Never notices silence: nobody is lost, no media stops (SEC-08).
    #[cfg(feature = "danger-sabotage")]
    pub skip_liveness: bool,
    /// Does not compare log heads, authenticators and rosters (SEC-09).
    #[cfg(feature = "danger-sabotage")]
    pub skip_fork_detection: bool,
    /// Takes knocks without the proof of the link's secret and without freshness.
    #[cfg(feature = "danger-sabotage")]
    pub skip_knock_check: bool,
    /// Takes log entries in any order, twice, and with gaps.
    #[cfg(feature = "danger-sabotage")]
    pub skip_log_order: bool,
    /// Keeps the relay capability and the lobby key when somebody is removed.
    #[cfg(feature = "danger-sabotage")]
    pub skip_rotation: bool,
    /// Believes a heartbeat's arrival instead of its content, so that a relay can stretch time.
    #[cfg(feature = "danger-sabotage")]
    pub skip_freshness: bool,
    /// Plays frames however late they come (SEC-18).
    #[cfg(feature = "danger-sabotage")]
    pub skip_frame_freshness: bool,
    /// Plays frames of members that are silent (SEC-08).
    #[cfg(feature = "danger-sabotage")]
    pub skip_frame_hold: bool,
}

macro_rules! safeguard {
    ($($(#[$doc:meta])* $check:ident = $skip:ident;)*) => {
        impl Safeguards {
            /// Switches off the safeguard with this field; whether there is one.
            #[cfg(feature = "danger-sabotage")]
            pub(crate) fn switch_off(&mut self, name: &str) -> bool {
                match name {
                    $(stringify!($skip) => self.$skip = true,)*
                    _ => return false,
                }
                true
            }

            $(
                $(#[$doc])*
                pub(crate) const fn $check(&self) -> bool {
                    #[cfg(feature = "danger-sabotage")]
                    { !self.$skip }
                    #[cfg(not(feature = "danger-sabotage"))]
                    { true }
                }
            )*
        }
    };
}

safeguard! {
    /// Whether cards are checked.
    checks_card = skip_card_check;
    /// Whether a join needs the echo of its nonce.
    wants_nonce_echo = skip_nonce_echo;
    /// Whether silence counts.
    watches_liveness = skip_liveness;
    /// Whether views are compared.
    detects_forks = skip_fork_detection;
    /// Whether knocks are checked.
    checks_knocks = skip_knock_check;
    /// Whether the log's order is enforced.
    enforces_log_order = skip_log_order;
    /// Whether removals rotate the capability and the lobby key.
    rotates = skip_rotation;
    /// Whether heartbeats must be fresh.
    checks_freshness = skip_freshness;
    /// Whether frames must be fresh.
    checks_frame_freshness = skip_frame_freshness;
    /// Whether nothing of silent members is played.
    holds_frames = skip_frame_hold;
}
