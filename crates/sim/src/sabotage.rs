//! The safeguards that a run can be made without.

use incamera_group::Safeguards as GroupSafeguards;
use incamera_meeting::frames::FrameReceiver;
use incamera_meeting::{MeetingMachine, Safeguards as MeetingSafeguards};

/// A safeguard to switch off in every participant.
#[derive(Clone, Copy)]
pub struct Rule {
    /// Its name: the field of the safeguards that it switches.
    pub name: &'static str,
    switch: Switch,
}

#[derive(Clone, Copy)]
enum Switch {
    Meeting(fn(&mut MeetingSafeguards)),
    Group(fn(&mut GroupSafeguards)),
}

macro_rules! rules {
    (meeting: $($meeting:ident)*; group: $($group:ident)*;) => {
        const RULES: &[Rule] = &[
            $(Rule { name: stringify!($meeting), switch: Switch::Meeting(|all| all.$meeting = true) },)*
            $(Rule { name: stringify!($group), switch: Switch::Group(|all| all.$group = false) },)*
        ];
    };
}

rules! {
    meeting: skip_card_check skip_nonce_echo skip_liveness skip_fork_detection skip_knock_check skip_log_order
        skip_rotation skip_freshness skip_frame_freshness skip_frame_hold;
    group: filter authority first_valid_wins welcome_signer rules_chain confirmation past_epoch_erasure
        own_echo_bytes path_leaf commit_spacing;
}

impl Rule {
    /// Every rule.
    #[must_use]
    pub const fn all() -> &'static [Self] {
        RULES
    }

    /// The rule of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        RULES.iter().copied().find(|rule| rule.name == name)
    }

    pub(crate) fn switch_off(self, machine: &mut MeetingMachine, receiver: &mut FrameReceiver) {
        match self.switch {
            Switch::Meeting(change) => {
                let mut safeguards = MeetingSafeguards::default();
                change(&mut safeguards);
                machine.set_safeguards(safeguards);
                receiver.set_safeguards(safeguards);
            }
            Switch::Group(change) => {
                let mut safeguards = GroupSafeguards::default();
                change(&mut safeguards);
                machine.set_group_safeguards(safeguards);
            }
        }
    }
}
