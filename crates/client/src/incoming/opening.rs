//! The thread that opens: everything that comes from the network passes here, in the order of the protocol, and
//! nothing reaches a decoder that did not open (SEC-01, SEC-02).

use std::collections::HashMap;
use std::thread::JoinHandle;
use std::time::Duration;

use incamera_devices::{DeviceError, SystemClock, VideoSize};
use incamera_meeting::frames::{DeliveredFrame, FrameOutput, FrameReceiver, MemberCounts};
use incamera_meeting::{EpochKeys, MediaReport};
use incamera_transport::{ReceivedFrame, StreamId};
use incamera_types::{Context, MediaKind, MemberId, Now};
use tokio::sync::mpsc::UnboundedSender;

use super::pictures::{PictureDecoder, Pictured};
use super::sound::SoundStage;
#[cfg(feature = "danger-sabotage")]
use super::spoiling::SpoiledOpening;
use super::tally::{PictureTally, RemoteTally};
use crate::ClientError;
use crate::clock;
use crate::inbox::{Inbox, InboxHandle, Next, inbox};
use crate::outgoing::Flow;
use crate::reception::{DecodedPicture, FrameFacts, Remote, SharedReception};

/// Frames that may wait: half a second of a full room.
const QUEUE: usize = 1_024;

/// Longest sleep, so that deadlines that appear meanwhile are not missed by much.
const LONGEST_WAIT: Duration = Duration::from_millis(100);

/// How often a missing key frame is asked for.
const KEY_FRAME_ASK_EVERY: Duration = Duration::from_millis(300);

/// What the thread is told, beside frames.
pub(crate) enum Inbound {
    /// Keys of an epoch; already known to the sealing thread.
    Keys(Box<EpochKeys>),
    /// Erase everything of a removed member.
    DropMember(MemberId),
    /// Play nothing of a member.
    HoldMember(MemberId),
    /// Play it again.
    ReleaseMember(MemberId),
    /// Whether anything may be played.
    Flow(Flow),
    /// What is known of a member: its name, and the sizes of its largest pictures.
    Known(Remote, TopSizes),
    /// Give counts of everybody.
    Tallies,
    /// A file could not be written on another thread.
    ReceptionFailed(DeviceError),
    /// Lose the key of this member, in every epoch (test builds only).
    #[cfg(feature = "danger-sabotage")]
    Sabotage(MemberId),
    /// Under which id the SFU is said to know a member (test builds only).
    #[cfg(feature = "danger-sabotage")]
    Announced(MemberId, Option<StreamId>),
    /// End.
    Stop,
}

/// What the thread tells the driver.
pub(crate) enum IncomingReport {
    /// For the meeting.
    Media(MediaReport),
    /// Nothing of this member's picture decodes until a key frame comes.
    KeyFrameNeeded {
        /// Whose.
        member: MemberId,
        /// The stream that its last frame came on.
        stream: Option<StreamId>,
    },
    /// The first picture of a member was decoded.
    FirstPicture(MemberId),
    /// Counts of everybody.
    Tallies(Vec<(MemberId, RemoteTally, MemberCounts)>),
    /// A file cannot be written; nothing more is.
    ReceptionFailed(DeviceError),
}

/// Talks to the opening thread.
#[derive(Clone)]
pub(crate) struct IncomingHandle {
    inbox: InboxHandle<Inbound, ReceivedFrame>,
}

impl IncomingHandle {
    /// Starts the thread.
    pub(crate) fn start(
        sound: SoundStage,
        reception: Option<SharedReception>,
        reports: UnboundedSender<IncomingReport>,
    ) -> Result<(Self, JoinHandle<()>), ClientError> {
        let (handle, inbox) = inbox(QUEUE);
        let receiver = FrameReceiver::new();
        #[cfg(feature = "danger-sabotage")]
        let safeguards = crate::sabotage::FrameSafeguards::from_environment();
        #[cfg(feature = "danger-sabotage")]
        let receiver = receiver.with_safeguards(safeguards.sealed);
        let opening = OpeningThread {
            receiver,
            remotes: HashMap::new(),
            sound,
            reception,
            reports,
            stream: None,
            #[cfg(feature = "danger-sabotage")]
            spoiled: SpoiledOpening::new(safeguards),
        };
        let thread = std::thread::Builder::new()
            .name("opening".to_owned())
            .spawn(move || opening.run(inbox))
            .map_err(|why| ClientError::Thread(why.kind()))?;
        Ok((Self { inbox: handle }, thread))
    }

    /// Hands on a complete sealed frame from the network; it is dropped when too many wait.
    pub(crate) fn frame(&self, frame: ReceivedFrame) {
        if self.inbox.frame(frame).is_err() {
            tracing::warn!("the opening thread is behind: a frame was dropped");
        }
    }

    /// Gives an order.
    pub(crate) fn order(&self, order: Inbound) {
        self.inbox.order(order);
    }
}

/// Sizes of the largest pictures that a member announced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TopSizes {
    pub(crate) camera: Option<VideoSize>,
    /// `None` while no screen is shared.
    pub(crate) screen: Option<VideoSize>,
}

/// What is kept of one member.
#[derive(Default)]
struct RemoteState {
    remote: Option<Remote>,
    camera: RemotePictures,
    screen: RemotePictures,
    recent_bytes: u64,
}

/// What is kept of one member's camera or screen.
#[derive(Default)]
struct RemotePictures {
    top_size: Option<VideoSize>,
    decoder: Option<PictureDecoder>,
    key_frame_asked: Option<Now>,
    tally: PictureTally,
}

impl RemoteState {
    /// The counts so far; begins the next `recent_…` values.
    fn tally(&mut self) -> RemoteTally {
        RemoteTally {
            camera: self.camera.tally.read(),
            screen: self.screen.top_size.map(|_| self.screen.tally.read()),
            recent_bytes: core::mem::take(&mut self.recent_bytes),
        }
    }
}

struct OpeningThread {
    receiver: FrameReceiver,
    remotes: HashMap<MemberId, RemoteState>,
    sound: SoundStage,
    reception: Option<SharedReception>,
    reports: UnboundedSender<IncomingReport>,
    /// The stream that the present frame came on: a hint, good enough to ask for a key frame.
    stream: Option<StreamId>,
    #[cfg(feature = "danger-sabotage")]
    spoiled: SpoiledOpening,
}

impl OpeningThread {
    fn run(mut self, mut inbox: Inbox<Inbound, ReceivedFrame>) {
        loop {
            let due = self.receiver.next_deadline().map_or(LONGEST_WAIT, |at| at.since(clock::now().mono));
            match inbox.next(due.min(LONGEST_WAIT)) {
                Next::Order(Inbound::Stop) | Next::Abandoned => break,
                Next::Order(order) => self.order(order),
                Next::Frame(frame) => self.frame(frame),
                Next::Idle => {}
            }
            let now = clock::now();
            if self.receiver.next_deadline().is_some_and(|at| at <= now.mono) {
                self.receiver.handle_timeout(now);
            }
            self.drain();
        }
        for frame in inbox.into_frames() {
            self.frame(frame);
            self.drain();
        }
        if let Err(error) = self.sound.drain(clock::now().mono) {
            self.reception_failed(error);
        }
    }

    fn frame(&mut self, frame: ReceivedFrame) {
        self.stream = frame.stream;
        self.receiver.handle_frame(clock::now(), frame.kind, frame.payload);
    }

    fn order(&mut self, order: Inbound) {
        let now = clock::now();
        match order {
            Inbound::Keys(keys) => {
                if let Err(why) = self.receiver.install(now, *keys) {
                    tracing::warn!(code = incamera_types::Fault::code(&why), "keys were not installed");
                }
                #[cfg(feature = "danger-sabotage")]
                if let Some(member) = self.spoiled.without_key {
                    self.receiver.lose_keys(member);
                }
            }
            Inbound::DropMember(member) => {
                self.receiver.drop_member(member);
                self.remotes.remove(&member);
                if let Err(error) = self.sound.remove(now.mono, member) {
                    self.reception_failed(error);
                }
            }
            Inbound::HoldMember(member) => self.receiver.hold_member(member),
            Inbound::ReleaseMember(member) => self.receiver.release_member(member),
            Inbound::Flow(Flow::Open) => self.receiver.start(),
            Inbound::Flow(Flow::Stopped) => self.receiver.stop(),
            Inbound::Known(remote, top_sizes) => {
                let state = self.remotes.entry(remote.member).or_default();
                state.remote = Some(remote);
                state.camera.top_size = top_sizes.camera.or(state.camera.top_size);
                state.screen.top_size = top_sizes.screen;
                if top_sizes.screen.is_none() {
                    // What is shared next has nothing to do with what was.
                    state.screen.decoder = None;
                }
            }
            Inbound::Tallies => self.tallies(now),
            Inbound::ReceptionFailed(error) => self.reception_failed(error),
            #[cfg(feature = "danger-sabotage")]
            Inbound::Sabotage(member) => {
                self.spoiled.without_key = Some(member);
                self.receiver.lose_keys(member);
            }
            #[cfg(feature = "danger-sabotage")]
            Inbound::Announced(member, stream) => self.spoiled.announced(member, stream),
            Inbound::Stop => {}
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.receiver.poll_output() {
            match output {
                FrameOutput::Frame(delivered) => self.delivered(delivered),
                FrameOutput::Report(report) => self.report(IncomingReport::Media(report)),
            }
        }
    }

    fn report(&self, report: IncomingReport) {
        // Without a driver the meeting is over.
        let _ = self.reports.send(report);
    }

    fn delivered(&mut self, delivered: DeliveredFrame) {
        #[cfg(feature = "danger-sabotage")]
        let delivered = self.spoiled.deliver(delivered, self.stream.as_ref());
        let state = self.remotes.entry(delivered.member).or_default();
        state.recent_bytes += delivered.frame.payload().len() as u64;
        let remote = state
            .remote
            .get_or_insert_with(|| Remote { member: delivered.member, name: delivered.member.to_string() });
        match delivered.frame.context().kind() {
            MediaKind::Audio => {
                if let Err(why) = self.sound.packet(remote, delivered, SystemClock.now()) {
                    tracing::warn!(code = incamera_types::Fault::code(&why), "no decoder for sound");
                }
            }
            MediaKind::Video => self.picture(&delivered),
        }
    }

    fn picture(&mut self, delivered: &DeliveredFrame) {
        let opened = SystemClock.now();
        let frame = &delivered.frame;
        let Some(state) = self.remotes.get_mut(&delivered.member) else { return };
        let is_screen = Context::SCREEN.contains(&frame.context());
        let pictures = if is_screen { &mut state.screen } else { &mut state.camera };
        let decoder = match &mut pictures.decoder {
            Some(decoder) => decoder,
            none => match PictureDecoder::new() {
                #[cfg(feature = "danger-sabotage")]
                Ok(decoder) => none.insert(decoder.with_order(self.spoiled.order())),
                #[cfg(not(feature = "danger-sabotage"))]
                Ok(decoder) => none.insert(decoder),
                Err(why) => {
                    tracing::warn!(code = incamera_types::Fault::code(&why), "no decoder for pictures");
                    return;
                }
            },
        };
        match decoder.decode(frame) {
            Pictured::Nothing => {}
            Pictured::KeyFrameNeeded => {
                let now = clock::now();
                let asked = pictures.key_frame_asked;
                if asked.is_none_or(|at| now.mono.since(at.mono) >= KEY_FRAME_ASK_EVERY) {
                    pictures.key_frame_asked = Some(now);
                    let stream = self.stream.clone();
                    self.report(IncomingReport::KeyFrameNeeded { member: delivered.member, stream });
                }
            }
            Pictured::Picture(picture) => {
                let decoded = SystemClock.now();
                let Some(size) = VideoSize::new(picture.width(), picture.height()) else {
                    // Its sender is at fault, and nobody else's picture shall suffer from it (SEC-15).
                    tracing::debug!("a picture of no usable size was dropped");
                    return;
                };
                pictures.tally.picture(frame.context(), size, delivered.capture, decoded);
                let first = pictures.tally.pictures == 1 && !is_screen;
                let facts = FrameFacts {
                    context: frame.context(),
                    epoch_bits: frame.kid().epoch_bits(),
                    counter: u64::from(frame.counter()),
                    captured: delivered.capture,
                    arrived: delivered.arrival,
                    opened,
                    decoded,
                };
                let top_size = pictures.top_size.unwrap_or(size);
                let written = match (&self.reception, &state.remote) {
                    (Some(reception), Some(remote)) => {
                        let due = self.sound.due(remote.member, decoded, delivered.capture);
                        reception.picture(remote, &DecodedPicture { facts, picture, top_size, due })
                    }
                    _ => Ok(()),
                };
                if let Err(error) = written {
                    self.reception_failed(error);
                }
                if first {
                    self.report(IncomingReport::FirstPicture(delivered.member));
                }
            }
        }
    }

    fn reception_failed(&mut self, error: DeviceError) {
        if self.reception.take().is_some() {
            self.report(IncomingReport::ReceptionFailed(error));
        }
    }

    fn tallies(&mut self, now: Now) {
        let counts: HashMap<MemberId, MemberCounts> =
            self.receiver.members(now).map(|media| (media.member, media.counts)).collect();
        let tallies = self
            .remotes
            .iter_mut()
            .map(|(member, state)| (*member, state.tally(), counts.get(member).copied().unwrap_or_default()));
        let tallies = tallies.collect();
        self.report(IncomingReport::Tallies(tallies));
    }
}
