//! A receiver that changes its mind about the layer while the meeting runs.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use incamera_client::devices::{DeviceError, SilenceSource};
use incamera_client::{
    Begin, Command, DecodedPicture, DecodedSound, DisplayName, IcePolicy, Invite, JoinOptions, Listening,
    MediaOptions, Meeting as JoinedMeeting, MemberId, PictureWant, Reception, Remote, SentFrame,
};
use tokio::runtime::Handle;

use super::meeting::{Cast, Meeting, Place};

/// How long a layer may take to come, a key frame of the sender included.
const SWITCH_LIMIT: Duration = Duration::from_secs(3);
/// How long the first picture may take.
const FIRST_LIMIT: Duration = Duration::from_secs(20);
/// The first pictures of a new size may be mixed with the last of the old one; this many must follow in a row.
const SETTLED: usize = 30;
/// Longest time without any picture across a switch.
const LONGEST_GAP: Duration = Duration::from_millis(500);
/// Layers in the order of the switches, with their widths.
const STEPS: [(u8, u32); 5] = [(0, 640), (2, 160), (1, 320), (0, 640), (2, 160)];

/// A picture that was decoded.
struct Seen {
    member: MemberId,
    width: u32,
    at: Instant,
}

/// Passes on what is seen.
struct Watching(Sender<Seen>);

impl Reception for Watching {
    fn sent(&mut self, _frame: &SentFrame) -> Result<(), DeviceError> {
        Ok(())
    }

    fn picture(&mut self, from: &Remote, picture: &DecodedPicture<'_>) -> Result<(), DeviceError> {
        let seen = Seen { member: from.member, width: picture.picture.width(), at: Instant::now() };
        // Nobody watches any more: the case is over.
        let _ = self.0.send(seen);
        Ok(())
    }

    fn sound(&mut self, _from: &Remote, _sound: &DecodedSound<'_>) -> Result<(), DeviceError> {
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<(), DeviceError> {
        Ok(())
    }
}

/// Ada sends three layers; we want one after the other.
pub(super) fn run(place: &Place) -> Result<String, String> {
    let ada = Cast::with("Ada", &["--layers", "3", "--video-kbps", "1200"]);
    let sending = Meeting::begin(place, &[ada])?;
    let (sees, seen) = channel();
    let options = JoinOptions {
        invite: Invite::parse(sending.invite()).map_err(|why| why.to_string())?,
        name: DisplayName::new("Ben").map_err(|why| why.to_string())?,
    };
    let media = MediaOptions {
        audio: Some(Box::new(SilenceSource::new())),
        video: None,
        camera: None,
        video_kbps: 800,
        layers: 1,
        wanted_layer: 0,
        speaker: None,
        listening: Listening::Nobody,
        reception: Some(Box::new(Watching(sees))),
        begin: Begin::AtOnce,
        bind: Some(place.bind),
        ice_policy: IcePolicy::All,
    };
    let runtime = Handle::current();
    let joining = runtime.block_on(JoinedMeeting::join(options, media));
    let (mut joined, _events) = joining.map_err(|why| why.to_string())?;
    let watched = watch(&joined, &seen);
    let finished = runtime.block_on(joined.finished()).map_err(|why| why.to_string());
    drop(sending);
    watched.and_then(|words| finished.map(|()| words))
}

fn watch(joined: &JoinedMeeting, seen: &Receiver<Seen>) -> Result<String, String> {
    let first = seen.recv_timeout(FIRST_LIMIT).map_err(|_| "no picture came".to_owned())?;
    let mut last = first.at;
    let mut words = Vec::new();
    for (layer, width) in STEPS {
        let asked = Instant::now();
        joined.command(Command::Picture { member: first.member, want: PictureWant::Layer(layer) });
        let (came, gap) = settle(seen, width, &mut last)?;
        let took = came.saturating_duration_since(asked);
        if gap > LONGEST_GAP {
            return Err(format!("{} ms without a picture on the way to {width}", gap.as_millis()));
        }
        words.push(format!("{width} wide after {} ms", took.as_millis()));
    }
    Ok(words.join(", "))
}

/// Waits until pictures of this width come and nothing else. Gives when the first came and the longest gap until then.
fn settle(seen: &Receiver<Seen>, width: u32, last: &mut Instant) -> Result<(Instant, Duration), String> {
    let until = Instant::now() + SWITCH_LIMIT;
    let (mut in_a_row, mut first, mut gap) = (0, *last, Duration::ZERO);
    while in_a_row < SETTLED {
        let next = match seen.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(next) => next,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                return Err(format!("pictures {width} wide did not come in {} s", SWITCH_LIMIT.as_secs()));
            }
        };
        gap = gap.max(next.at.saturating_duration_since(*last));
        *last = next.at;
        if next.width != width {
            in_a_row = 0;
            continue;
        }
        if in_a_row == 0 {
            first = next.at;
        }
        in_a_row += 1;
    }
    Ok((first, gap))
}
