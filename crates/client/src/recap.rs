//! What an edge that begins anew has to know of a meeting that is going on: the page of a window can end by itself, and
//! the meeting does not.

use incamera_meeting::Event as Meeting;

use crate::clock;
use crate::command::Command;
use crate::event::{Event, LocalEvent};
use crate::outgoing::Switch;

/// Troubles beyond this are more of the same.
const MOST_TROUBLES: usize = 20;

/// Events that still count, and what of our own is on.
#[derive(Clone, Debug)]
pub struct Recap {
    past: Vec<PastEvent>,
    /// Whether we are heard.
    pub microphone: Switch,
    /// Whether we are seen.
    pub camera: Switch,
}

/// An event that still counts.
#[derive(Clone, Debug)]
pub struct PastEvent {
    /// When it happened, in milliseconds of Unix time.
    pub at_unix_ms: u64,
    /// What happened.
    pub event: Event,
}

impl Recap {
    /// Before the first event.
    #[must_use]
    pub const fn new() -> Self {
        Self { past: Vec::new(), microphone: Switch::On, camera: Switch::On }
    }

    /// Everything that still counts, in the order in which it happened.
    #[must_use]
    pub fn past(&self) -> &[PastEvent] {
        &self.past
    }

    /// Notes what was asked for.
    pub const fn note_command(&mut self, command: &Command) {
        match command {
            Command::Microphone(switch) => self.microphone = *switch,
            Command::Camera(switch) => self.camera = *switch,
            _ => {}
        }
    }

    /// Adds `event`, and takes out what it makes void: of a meeting of hours there is no more to know than who was there,
    /// what was written, and how things are.
    pub fn note_event(&mut self, event: &Event) {
        self.past.retain(|earlier| !is_void_after(&earlier.event, event));
        if is_trouble(event) {
            self.make_room_for_trouble();
        }
        if !is_of_the_moment(event) {
            self.past.push(PastEvent { at_unix_ms: clock::now().unix_ms, event: event.clone() });
        }
    }

    fn make_room_for_trouble(&mut self) {
        let mut troubles = (0..self.past.len()).filter(|index| is_trouble(&self.past[*index].event));
        if let Some(oldest) = troubles.next()
            && troubles.count() + 1 >= MOST_TROUBLES
        {
            self.past.remove(oldest);
        }
    }
}

impl Default for Recap {
    fn default() -> Self {
        Self::new()
    }
}

const fn is_trouble(event: &Event) -> bool {
    matches!(event, Event::Meeting(Meeting::Alarm { .. }) | Event::Local(LocalEvent::Problem(_)))
}

const fn is_of_the_moment(event: &Event) -> bool {
    matches!(
        event,
        Event::Local(
            LocalEvent::Statistics(_)
                | LocalEvent::FirstPicture { .. }
                | LocalEvent::SourceEnded { .. }
                | LocalEvent::SharingStopped { .. }
        ) | Event::Meeting(Meeting::KnockEnded { .. } | Meeting::Admitted { .. })
    )
}

/// Whether `earlier` no longer says anything once `event` has happened.
fn is_void_after(earlier: &Event, event: &Event) -> bool {
    match (earlier, event) {
        (Event::Meeting(earlier), Event::Meeting(event)) => is_void_in_meeting(earlier, event),
        (Event::Local(earlier), Event::Local(event)) => is_void_here(earlier, event),
        _ => false,
    }
}

fn is_void_in_meeting(earlier: &Meeting, event: &Meeting) -> bool {
    match (earlier, event) {
        (
            Meeting::Knocked { knock: before, .. },
            Meeting::KnockEnded { knock: after } | Meeting::Admitted { knock: after },
        ) => before == after,
        (Meeting::StreamsChanged { member: before, .. }, Meeting::StreamsChanged { member: after, .. })
        | (
            Meeting::KeyMissing { member: before } | Meeting::KeyRestored { member: before },
            Meeting::KeyMissing { member: after } | Meeting::KeyRestored { member: after },
        ) => before == after,
        (Meeting::RoomCodeChanged { .. }, Meeting::RoomCodeChanged { .. })
        | (Meeting::EpochChanged { .. }, Meeting::EpochChanged { .. })
        | (Meeting::RulesChanged { .. }, Meeting::RulesChanged { .. })
        | (
            Meeting::LinkDegraded { .. } | Meeting::LinkRestored,
            Meeting::LinkDegraded { .. } | Meeting::LinkRestored,
        )
        | (
            Meeting::MediaStopped { .. } | Meeting::MediaStarted,
            Meeting::MediaStopped { .. } | Meeting::MediaStarted,
        ) => true,
        _ => false,
    }
}

fn is_void_here(earlier: &LocalEvent, event: &LocalEvent) -> bool {
    match (earlier, event) {
        (LocalEvent::SharingStarted, LocalEvent::SharingStarted | LocalEvent::SharingStopped { .. }) => true,
        _ => {
            direction(earlier).is_some_and(|way| direction(event) == Some(way))
                || device(earlier).is_some_and(|one| device(event) == Some(one))
        }
    }
}

/// The connection whose state an event tells.
const fn direction(event: &LocalEvent) -> Option<crate::Direction> {
    match event {
        LocalEvent::SfuConnected { direction, .. }
        | LocalEvent::SfuLost { direction }
        | LocalEvent::SfuReconnected { direction, .. } => Some(*direction),
        _ => None,
    }
}

/// The device whose state an event tells.
const fn device(event: &LocalEvent) -> Option<crate::event::Device> {
    match event {
        LocalEvent::DeviceOpened { device, .. } | LocalEvent::DeviceLost { device, .. } => Some(*device),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use incamera_meeting::{AlarmCode, KnockNumber};
    use incamera_types::{Epoch, Pii};

    use super::*;
    use crate::event::SharingEnd;

    fn remembered(events: &[Meeting]) -> Vec<String> {
        let mut recap = Recap::new();
        for event in events {
            recap.note_event(&event.clone().into());
        }
        recap.past().iter().map(|past| format!("{:?}", past.event)).collect()
    }

    #[test]
    fn what_is_over_is_not_told_again() {
        let knock = |number| Meeting::Knocked { knock: KnockNumber(number), name: Pii::new(String::new()) };
        let keys = |epoch| Meeting::EpochChanged { epoch: Epoch(epoch) };
        let end = Meeting::KnockEnded { knock: KnockNumber(1) };
        let left = remembered(&[knock(1), knock(2), keys(1), end, keys(2)]);
        assert_eq!(left, [knock(2), keys(2)].map(|event| format!("{:?}", Event::from(event))));
    }

    #[test]
    fn whether_the_screen_is_shared_is_told_as_it_is() {
        let mut recap = Recap::new();
        let stopped = || LocalEvent::SharingStopped { why: SharingEnd::Asked };
        for event in [LocalEvent::SharingStarted, stopped(), LocalEvent::SharingStarted] {
            recap.note_event(&event.into());
        }
        let past = recap.past();
        assert!(matches!(past, [PastEvent { event: Event::Local(LocalEvent::SharingStarted), .. }]));
        recap.note_event(&stopped().into());
        assert!(recap.past().is_empty());
    }

    #[test]
    fn of_the_same_trouble_over_and_over_the_latest_are_told() {
        let alarms: Vec<_> =
            (0..1_000).map(|_| Meeting::Alarm { code: AlarmCode::LogReplay, member: None }).collect();
        assert_eq!(remembered(&alarms).len(), MOST_TROUBLES);
    }

    #[test]
    fn what_is_on_is_what_was_asked_for_last() {
        let mut recap = Recap::new();
        recap.note_command(&Command::Microphone(Switch::Off));
        recap.note_command(&Command::Close);
        assert_eq!((recap.microphone, recap.camera), (Switch::Off, Switch::On));
    }
}
