//! One table of the event codes that a meeting can raise; `docs/errors.md` is generated from it.

use serde::{Deserialize, Serialize, Serializer};

macro_rules! alarm_codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $meaning:literal, $advice:literal;)*) => {
        /// A stable code of something that a safeguard refused or noticed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum AlarmCode {
            $($(#[$doc])* #[doc = concat!("`", $code, "`: ", $meaning)] $name,)*
        }

        impl AlarmCode {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The stable dotted code.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// What happened, in plain words.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning,)* }
            }

            /// What the user can do.
            #[must_use]
            pub const fn advice(self) -> &'static str {
                match self { $(Self::$name => $advice,)* }
            }
        }

        /// `(code, meaning, advice)` of every alarm.
        pub const EVENT_CODES: &[(&str, &str, &str)] = &[$(($code, $meaning, $advice),)*];
    };
}

alarm_codes! {
    CardRefused = "meeting.card.refused",
        "The meeting server showed a card that does not belong to the link or is not validly signed.",
        "Do not join; ask the host for a new link by another way.";
    CardOld = "meeting.card.old",
        "The meeting server showed an older card than one seen before.",
        "Try again in a minute; if it stays, ask the host for a new link.";
    CardExpired = "meeting.card.expired",
        "The meeting server showed a card whose time is over.",
        "Check this computer's clock; otherwise the host may be gone.";
    WelcomeRefused = "meeting.join.welcome_refused",
        "An invitation into a group was refused because it does not lead to the room of the link.",
        "The meeting server may be dishonest; ask the host.";
    JoinUnconfirmed = "meeting.join.unconfirmed",
        "Nobody who may admit confirmed that you are in the meeting.",
        "The meeting server may have invented a room; ask the host.";
    KnockRefused = "meeting.knock.refused",
        "A request to join was dropped because it was malformed or did not prove the link.",
        "Nothing needs to be done.";
    KnockStale = "meeting.knock.stale",
        "A request to join was dropped because it was repeated or too old.",
        "If somebody cannot get in, ask them to check their clock and try again.";
    KnockFlood = "meeting.knock.flood",
        "More people ask to join than can wait; the rest were dropped.",
        "Make a new link if the present one was spread.";
    LogGap = "meeting.log.gap",
        "The meeting server left out a part of the meeting's log.",
        "The program asks again; if it stays, end the meeting.";
    LogReplay = "meeting.log.replay",
        "The meeting server sent a part of the log twice.",
        "Nothing needs to be done; repetitions are ignored.";
    MessageRefused = "meeting.message.refused",
        "A message of a member could not be read.",
        "If it repeats, ask that person to update the program.";
    MessageReplayed = "meeting.message.replayed",
        "A message of a member was repeated and ignored.",
        "Nothing needs to be done.";
    CommitRefused = "meeting.commit.refused",
        "A change of the group was refused because its author has no right to it or it is not validly made.",
        "If it repeats, remove the person who made it.";
    CommitWithheld = "meeting.commit.withheld",
        "Messages arrive under keys that this client was not given: a change of the group is being withheld.",
        "Wait a few seconds; then leave and join again.";
    CommitUnfollowed = "meeting.commit.unfollowed",
        "A member says that it could not follow a change of the group that this member made, and asks to be added again.",
        "If it repeats, remove one of the two.";
    KeysLost = "meeting.keys.lost",
        "This client could not follow a change of the group and asks to be added again.",
        "Wait a few seconds.";
    RemovalFailed = "meeting.removal.failed",
        "A member that was to be removed could not be.",
        "Try again; if it stays, end the meeting and make a new one.";
    RulesFailed = "meeting.rules.failed",
        "A change of the rules could not be made.",
        "Look at the rules and change them again.";
    ForkLog = "meeting.fork.log",
        "The meeting server shows different logs to different members.",
        "Do not trust this meeting server; compare the room code and meet elsewhere.";
    ForkUncompared = "meeting.fork.uncompared",
        "For ten seconds this client could not compare its log of the meeting with that of a member.",
        "The meeting server may hide that it shows different logs; compare the room code.";
    ForkState = "meeting.fork.state",
        "A member has another list of people or other rules than this client in the same epoch.",
        "Compare the room code aloud.";
    ForkAuthenticator = "meeting.fork.authenticator",
        "A member has other group keys than this client in the same epoch.",
        "Compare the room code aloud.";
    PartitionSuspected = "meeting.partition.suspected",
        "Several members went silent at once while others are heard: the meeting may be split.",
        "Check by another way whether they are still in the meeting.";
    PartitionMedia = "meeting.partition.media",
        "Media arrives under keys of an epoch that this client does not know.",
        "Wait a few seconds; then leave and join again.";
    ViewUnconfirmed = "meeting.view.unconfirmed",
        "No member who may admit confirms this client's view of the meeting.",
        "Media stops when the countdown ends; check the connection.";
    KeyMissing = "meeting.key.missing",
        "Media of a member cannot be opened.",
        "The program asks for new keys by itself; otherwise ask that person to rejoin.";
    RepairAsked = "meeting.repair.asked",
        "A member says that it cannot open this client's media, which therefore asks to be added again.",
        "Nothing needs to be done; if it repeats, the host should remove that member.";
    MediaForged = "meeting.media.forged",
        "Media that claims to be from a member failed its check.",
        "Compare the room code; remove the person if it continues.";
    MediaRefused = "meeting.media.refused",
        "A member sent media that the rules do not allow it to send.",
        "Nothing is shown of it; remove the person if it continues.";
    RelayRefused = "meeting.relay.refused",
        "The meeting server refused a request.",
        "The program goes on; if it repeats, ask who runs the meeting server.";
    RelayMalformed = "meeting.relay.malformed",
        "The meeting server sent something that makes no sense at this point.",
        "Nothing needs to be done; if it repeats, use another meeting server.";
    RelayRestarted = "meeting.relay.restarted",
        "The meeting server lost its memory of the room.",
        "The room is founded again where possible.";
    TicketRefused = "meeting.ticket.refused",
        "The meeting server gave no ticket for the media server.",
        "The program tries again; otherwise ask who runs the meeting server.";
    ClockWrong = "meeting.clock.wrong",
        "A member's clock or this computer's clock is wrong by more than a minute.",
        "Set the clock of this computer automatically.";
}

impl AlarmCode {
    /// Whether it says that members may not see the same meeting (SEC-09): nothing may hide that.
    pub(crate) const fn tells_of_a_split(self) -> bool {
        matches!(
            self,
            Self::ForkLog
                | Self::ForkUncompared
                | Self::ForkState
                | Self::ForkAuthenticator
                | Self::PartitionSuspected
                | Self::PartitionMedia
        )
    }
}

impl Serialize for AlarmCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for AlarmCode {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let known = Self::ALL.iter().copied().find(|code| code.code() == text);
        known.ok_or_else(|| serde::de::Error::custom("unknown event code"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_dotted_and_explained() {
        let mut codes: Vec<_> = EVENT_CODES.iter().map(|(code, ..)| *code).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), AlarmCode::ALL.len());
        for (code, meaning, advice) in EVENT_CODES {
            assert!(code.starts_with("meeting.") && code.split('.').count() == 3, "{code}");
            assert!(meaning.ends_with('.') && advice.ends_with('.'), "{code}");
        }
    }
}
