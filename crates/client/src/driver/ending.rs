//! What a person is told when a meeting ended for us and nobody here wanted that.

use incamera_meeting::StopReason;
use incamera_types::Blame;

use crate::event::Problem;

/// `None` when the meeting ended as it was meant to.
pub(super) fn problem(why: StopReason) -> Option<Problem> {
    let (code, blame, what, advice) = match why {
        StopReason::Left | StopReason::Ended => return None,
        StopReason::EndUnconfirmed => (
            "client.ended.end_unconfirmed",
            Blame::Relay,
            "the meeting server did not confirm that the meeting is over for everybody",
            "Others may be in it for some time; without you nobody can be let in, and media stops by itself.",
        ),
        StopReason::Removed => {
            ("client.ended.removed", Blame::Policy, "a host removed you from the meeting", "Ask a host.")
        }
        StopReason::Denied => (
            "client.ended.denied",
            Blame::Policy,
            "the hosts did not let you in",
            "Ask a host by another way.",
        ),
        StopReason::Full => (
            "client.ended.full",
            Blame::Policy,
            "the meeting is full, or too many wait to be let in",
            "Try again when somebody has left.",
        ),
        StopReason::Locked => (
            "client.ended.locked",
            Blame::Policy,
            "the meeting is locked: nobody new gets in",
            "Ask a host to unlock it, and try again.",
        ),
        StopReason::NotAnswered => (
            "client.ended.not_answered",
            Blame::Peer,
            "nobody in the meeting answered your request to join",
            "Ask the host whether the meeting has begun, and try again.",
        ),
        StopReason::ClockWrong => (
            "client.ended.clock_wrong",
            Blame::Us,
            "the clocks of this computer and of the host are more than five minutes apart",
            "Set the clock of this computer automatically, and try again; else ask the host to do so.",
        ),
        StopReason::NoSuchRoom => (
            "client.ended.no_such_room",
            Blame::Input,
            "this meeting does not exist, or is over",
            "Ask the host for a new link.",
        ),
        StopReason::LinkRefused => (
            "client.ended.link_refused",
            Blame::Policy,
            "the link does not open this meeting, or was revoked",
            "Copy the whole link again, or ask the host for a new one.",
        ),
        StopReason::CardRefused => (
            "client.ended.card_refused",
            Blame::Relay,
            "what the meeting server shows is not the meeting of the link",
            "Do not join; ask the host for a new link by another way.",
        ),
        StopReason::WelcomeRefused => (
            "client.ended.welcome_refused",
            Blame::Relay,
            "an invitation into another room than that of the link was refused",
            "The meeting server may be dishonest; ask the host.",
        ),
        StopReason::NotConfirmed => (
            "client.ended.not_confirmed",
            Blame::Relay,
            "nobody who may admit confirmed that you are in the meeting",
            "The meeting server may have invented a room; ask the host.",
        ),
        StopReason::RoomLost => (
            "client.ended.room_lost",
            Blame::Relay,
            "the meeting is no longer at its server: it was closed or lost there, or the server was out of reach for ten minutes",
            "Ask the host for a new link.",
        ),
        StopReason::KeysLost => (
            "client.ended.keys_lost",
            Blame::Peer,
            "this device lost the meeting's keys, and nobody else could let it in again",
            "Make a new meeting; do not invite who is named in the alarm before.",
        ),
        StopReason::CreateRefused => (
            "client.ended.create_refused",
            Blame::Relay,
            "the meeting server does not let you make a meeting",
            "Check the token, or ask whoever runs the meeting server.",
        ),
        StopReason::Version => (
            "client.ended.version",
            Blame::Us,
            "the meeting server or the meeting has another version",
            "Update Incamera.",
        ),
    };
    Some(Problem { code, blame, what: what.to_owned(), advice, member: None, name: None })
}

/// A thread that seals or opens has panicked.
pub(super) fn media_thread() -> Problem {
    Problem {
        code: "client.media.ended",
        blame: Blame::Us,
        what: "the part of this program that handles sound and pictures has failed".to_owned(),
        advice: "Join again, and report this defect.",
        member: None,
        name: None,
    }
}
