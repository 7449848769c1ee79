//! What the driver must know of the others: names, their ids at the SFU, and which picture of each is wanted.

use std::collections::HashMap;
use std::time::Duration;

use incamera_devices::VideoSize;
use incamera_meeting::{MemberView, StreamView};
use incamera_transport::{AudioWant, RemoteStream, StreamId, VideoWant, Want};
use incamera_types::{Blame, Context, MemberId, Mono};

use crate::command::PictureWant;
use crate::event::{LocalEvent, Problem, millis};
use crate::incoming::TopSizes;
use crate::outgoing::Switch;
use crate::reception::Remote;

/// One other participant.
struct Person {
    name: String,
    joined: Mono,
    stream: Option<StreamId>,
    sends_pictures: bool,
    shares_screen: bool,
    want: PictureWant,
    watched: Switch,
    packets: PacketCounts,
    heard: Heard,
}

impl Person {
    /// The picture to receive: servers may refuse to play what nobody sends.
    fn picture(&self) -> PictureWant {
        if self.sends_pictures { self.want } else { PictureWant::Nothing }
    }

    /// The stream of the screen that is shared and watched.
    fn screen(&self) -> Option<StreamId> {
        let is_watched = self.shares_screen && self.watched == Switch::On;
        self.stream.as_ref().filter(|_| is_watched)?.screen()
    }
}

/// RTP packets of a participant that did not come in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PacketCounts {
    /// Came after a later one.
    pub(super) late: u64,
    /// Never came.
    pub(super) lost: u64,
}

/// Whether media of a participant came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MediaCame {
    SinceLastAsked,
    Not,
}

/// When media of a participant came last, and whether its absence was told.
#[derive(Clone, Copy)]
enum Heard {
    At(Mono),
    MissingAndTold,
}

/// Everybody sends sound all the time, silence too; nothing at all for this long is a fault on the way.
const NOTHING_COMES_AFTER: Duration = Duration::from_secs(5);

/// Everybody else.
pub(crate) struct People {
    people: HashMap<MemberId, Person>,
    /// Streams that the SFU lists.
    available: Vec<StreamId>,
    default_want: PictureWant,
    admitted: Option<Mono>,
    /// How many streams the SFU carries, while more are wanted.
    most_streams: Option<u8>,
}

impl People {
    pub(crate) fn new(default_want: PictureWant) -> Self {
        Self {
            people: HashMap::new(),
            available: Vec::new(),
            default_want,
            admitted: None,
            most_streams: None,
        }
    }

    /// We were let in.
    pub(super) fn admitted(&mut self, now: Mono) {
        self.admitted = Some(now);
    }

    pub(super) fn joined(&mut self, member: &MemberView, now: Mono) -> Remote {
        let name = member.name.reveal().clone();
        let person = Person {
            name: name.clone(),
            joined: now,
            stream: None,
            sends_pictures: false,
            shares_screen: false,
            want: self.default_want,
            watched: Switch::On,
            packets: PacketCounts::default(),
            heard: Heard::At(now),
        };
        self.people.insert(member.member, person);
        Remote { member: member.member, name }
    }

    pub(super) fn left(&mut self, member: MemberId) {
        self.people.remove(&member);
    }

    pub(super) fn remote(&self, member: MemberId) -> Option<Remote> {
        self.people.get(&member).map(|person| Remote { member, name: person.name.clone() })
    }

    pub(super) fn name(&self, member: MemberId) -> Option<String> {
        self.people.get(&member).map(|person| person.name.clone())
    }

    /// A member said what it sends and under which id the SFU knows it: a hint.
    pub(super) fn announced(&mut self, member: MemberId, stream: Option<StreamId>, streams: &[StreamView]) {
        if let Some(person) = self.people.get_mut(&member) {
            person.stream = stream;
            let sends = |contexts: [Context; 3]| streams.iter().any(|s| contexts.contains(&s.context));
            // Whose camera is off keeps its place, so that the picture is back at once.
            person.sends_pictures |= sends(Context::CAMERA);
            person.shares_screen = sends(Context::SCREEN);
        }
    }

    /// Whether this member shares a screen.
    pub(super) fn is_sharing(&self, member: MemberId) -> bool {
        self.people.get(&member).is_some_and(|person| person.shares_screen)
    }

    /// Who shares a screen; of several, whose id is the smallest.
    pub(super) fn sharer(&self) -> Option<(MemberId, String)> {
        let sharing = self.people.iter().filter(|(_, person)| person.shares_screen);
        sharing.min_by_key(|(member, _)| **member).map(|(member, person)| (*member, person.name.clone()))
    }

    pub(super) fn available(&mut self, available: Vec<RemoteStream>) {
        let people = available.into_iter().map(|stream| stream.id).filter(|id| !id.is_screen());
        self.available = people.collect();
        self.available.sort_unstable();
    }

    pub(super) fn wants(&mut self, member: MemberId, want: PictureWant) {
        if let Some(person) = self.people.get_mut(&member) {
            person.want = want;
        }
    }

    pub(super) fn watches_screen(&mut self, member: MemberId, switch: Switch) {
        if let Some(person) = self.people.get_mut(&member) {
            person.watched = switch;
        }
    }

    pub(super) fn stream(&self, member: MemberId) -> Option<&StreamId> {
        self.people.get(&member)?.stream.as_ref()
    }

    #[cfg(feature = "danger-sabotage")]
    pub(super) fn stream_of_name(&self, name: &str) -> Option<&StreamId> {
        self.people.values().find(|person| person.name == name)?.stream.as_ref()
    }

    pub(super) fn packets(&mut self, stream: Option<&StreamId>, counts: PacketCounts) {
        let person =
            self.people.values_mut().find(|person| stream.is_some() && person.stream.as_ref() == stream);
        if let Some(person) = person {
            person.packets.late += counts.late;
            person.packets.lost += counts.lost;
        }
    }

    pub(super) fn packets_of(&self, member: MemberId) -> PacketCounts {
        self.people.get(&member).map(|person| person.packets).unwrap_or_default()
    }

    /// Notes whether media of a member came since the last call; tells, once, that none has come for too long.
    pub(super) fn media_came(&mut self, member: MemberId, came: MediaCame, now: Mono) -> Option<Problem> {
        let person = self.people.get_mut(&member)?;
        if came == MediaCame::SinceLastAsked {
            person.heard = Heard::At(now);
            return None;
        }
        let Heard::At(at) = person.heard else { return None };
        if now.since(at) < NOTHING_COMES_AFTER {
            return None;
        }
        person.heard = Heard::MissingAndTold;
        let name = person.name.clone();
        let (code, blame, what, advice) = if self.is_carried(member) {
            (
                "client.stream.missing",
                Blame::Sfu,
                format!("nothing of what {name} sends arrives here"),
                "Wait a few seconds; if it stays, use another media server.",
            )
        } else {
            (
                "client.stream.not_carried",
                Blame::Policy,
                format!("{name} is neither heard nor seen: more people send than are received at once"),
                "Use a media server with slots, such as the embedded one.",
            )
        };
        Some(Problem { code, blame, what, advice, member: Some(member), name: Some(name) })
    }

    /// The SFU carries so many of the streams that are wanted; `None`: all of them.
    pub(super) fn carried(&mut self, most_streams: Option<u8>) {
        self.most_streams = most_streams;
    }

    fn is_carried(&self, member: MemberId) -> bool {
        let Some(most) = self.most_streams else { return true };
        let wanted = self.wanted();
        let mut first = wanted.iter().take(usize::from(most));
        self.stream(member).is_none_or(|stream| first.any(|want| want.stream == *stream))
    }

    /// Everything that is to be received, most important first: screens, of which a person shares one at a time; what
    /// members announced, who came first before who came later, so that whoever is received stays so; then what the SFU
    /// lists beside it. A listed stream whose owner is not known yet is received too: its frames say whose it is. A
    /// screen is not, without a word of its owner.
    pub(super) fn wanted(&self) -> Vec<Want> {
        let mut wants: Vec<Want> = Vec::new();
        let mut people: Vec<_> = self.people.iter().collect();
        people.sort_by_key(|(member, person)| (person.joined, **member));
        for screen in people.iter().filter_map(|(_, person)| person.screen()) {
            wants.push(Want { stream: screen, audio: AudioWant::Skip, video: VideoWant::Layer(0) });
        }
        let announced =
            people.iter().filter_map(|(_, person)| Some((person.stream.as_ref()?, person.picture())));
        let listed = self.available.iter().map(|stream| (stream, self.default_want));
        for (stream, want) in announced.chain(listed) {
            if !wants.iter().any(|known| known.stream == *stream) {
                wants.push(Want { stream: stream.clone(), audio: AudioWant::Play, video: video_want(want) });
            }
        }
        wants
    }

    pub(super) fn first_picture(&self, member: MemberId, now: Mono) -> Option<LocalEvent> {
        let person = self.people.get(&member)?;
        let since = self.admitted.map_or(person.joined, |admitted| admitted.max(person.joined));
        let after_admission_ms = millis(now.since(since));
        Some(LocalEvent::FirstPicture { member, name: person.name.clone(), after_admission_ms })
    }
}

const fn video_want(want: PictureWant) -> VideoWant {
    match want {
        PictureWant::Fit { width, height } => VideoWant::Fit { width, height },
        PictureWant::Layer(layer) => VideoWant::Layer(layer),
        PictureWant::Nothing => VideoWant::Skip,
    }
}

/// Sizes of the largest pictures that a member announced, of those that can be shown at all (SEC-15).
pub(super) fn top_sizes(streams: &[StreamView]) -> TopSizes {
    let largest = |contexts: [Context; 3]| {
        let layers = streams.iter().filter(|stream| contexts.contains(&stream.context));
        let sizes = layers.filter_map(|stream| VideoSize::new(stream.width.into(), stream.height.into()));
        sizes.max_by_key(|size| (size.width(), size.height()))
    };
    TopSizes { camera: largest(Context::CAMERA), screen: largest(Context::SCREEN) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT_ONCE: Mono = Mono::from_micros(0);

    fn member(number: u8) -> MemberId {
        MemberId([number; 16])
    }

    fn stream(number: u8) -> StreamId {
        StreamId::parse(&format!("stream-{number:03}")).unwrap()
    }

    /// So many people that joined one after the other, the last with the smallest stream id.
    fn crowd(size: u8) -> People {
        let mut people = People::new(PictureWant::Layer(0));
        for number in 0..size {
            let person = Person {
                name: format!("Person {number}"),
                joined: Mono::from_micros(u64::from(number)),
                stream: Some(stream(size - number)),
                sends_pictures: number != 0,
                shares_screen: false,
                want: PictureWant::Layer(0),
                watched: Switch::On,
                packets: PacketCounts::default(),
                heard: Heard::At(AT_ONCE),
            };
            people.people.insert(member(number), person);
        }
        people
    }

    #[test]
    fn who_came_first_is_wanted_first() {
        let mut people = crowd(20);
        people.available = vec![stream(1), stream(200)];
        let wanted: Vec<_> = people.wanted().into_iter().map(|want| want.stream).collect();
        let expected: Vec<_> = (1..=20).rev().chain([200]).map(stream).collect();
        assert_eq!(wanted, expected);
    }

    #[test]
    fn screen_that_is_announced_is_wanted_before_everything_and_one_that_is_only_listed_is_not() {
        let mut people = crowd(3);
        let view = |context| StreamView { context, width: 1_280, height: 720 };
        let streams = [view(Context::CameraHigh), view(Context::ScreenHigh)];
        people.announced(member(2), Some(stream(1)), &streams);
        let listed = [stream(1), stream(1).screen().unwrap(), stream(2).screen().unwrap()];
        people.available(listed.map(|id| RemoteStream { id, kinds: Vec::new() }).to_vec());
        let wanted = people.wanted();
        assert_eq!(wanted.len(), 4);
        assert_eq!((&wanted[0].stream, wanted[0].audio), (&stream(1).screen().unwrap(), AudioWant::Skip));
        assert_eq!(people.sharer(), Some((member(2), "Person 2".to_owned())));
        people.watches_screen(member(2), Switch::Off);
        assert_eq!((people.wanted().len(), people.is_sharing(member(2))), (3, true));
        people.watches_screen(member(2), Switch::On);
        assert_eq!(people.wanted(), wanted);
        people.announced(member(2), Some(stream(1)), &streams[..1]);
        assert_eq!((people.wanted().len(), people.sharer()), (3, None));
    }

    #[test]
    fn pictures_are_wanted_of_those_who_send_some() {
        let wanted: Vec<_> = crowd(3).wanted().into_iter().map(|want| want.video).collect();
        assert_eq!(wanted, [VideoWant::Skip, VideoWant::Layer(0), VideoWant::Layer(0)]);
    }

    #[test]
    fn the_media_server_is_not_blamed_for_whom_it_does_not_carry() {
        let mut people = crowd(20);
        people.carried(Some(16));
        let later = AT_ONCE.plus(NOTHING_COMES_AFTER);
        let mut told = |number| people.media_came(member(number), MediaCame::Not, later).unwrap();
        assert_eq!((told(15).code, told(16).code), ("client.stream.missing", "client.stream.not_carried"));
    }
}
