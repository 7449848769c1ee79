use std::sync::Mutex;

use incamera_devices::{
    AudioBlock, AudioSink, AudioSource, BLOCK_SAMPLES, BlockSamples, DeviceChoice, FrameRate, Polled,
    VideoFormat, VideoFrame, VideoSize, VideoSource,
};
use incamera_media::vp8::Layer;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::opener::Otherwise;
use super::*;
use crate::outgoing::PictureControls;

const FORMAT: VideoFormat = VideoFormat { size: VideoSize::P360, rate: FrameRate::VIDEO_30 };

/// The devices of a computer that are plugged in, and the last one that was used.
#[derive(Clone, Default)]
struct Desk {
    plugged: Arc<Mutex<BTreeSet<String>>>,
    used: Arc<Mutex<Option<String>>>,
}

struct Plugged {
    desk: Desk,
    name: String,
}

impl Plugged {
    fn act(&self) -> Result<(), DeviceError> {
        if !self.desk.has(&self.name) {
            return Err(DeviceError::Lost);
        }
        *self.desk.used.lock().unwrap() = Some(self.name.clone());
        Ok(())
    }
}

impl Drop for Plugged {
    fn drop(&mut self) {
        *self.desk.used.lock().unwrap() = None;
    }
}

impl AudioSource for Plugged {
    fn poll_block(&mut self, now: Mono, block: &mut AudioBlock) -> Result<Polled, DeviceError> {
        self.act()?;
        block.captured = now;
        Ok(Polled::Ready)
    }
}

impl AudioSink for Plugged {
    fn poll_wanted(&mut self, _now: Mono) -> Result<Polled, DeviceError> {
        self.act().map(|()| Polled::Ready)
    }

    fn write_block(&mut self, _samples: &BlockSamples) -> Result<(), DeviceError> {
        self.act()
    }

    fn delay(&self) -> Duration {
        Duration::ZERO
    }
}

impl VideoSource for Plugged {
    fn format(&self) -> VideoFormat {
        FORMAT
    }

    fn poll_frame(&mut self, now: Mono, frame: &mut VideoFrame) -> Result<Polled, DeviceError> {
        self.act()?;
        frame.captured = now;
        Ok(Polled::Ready)
    }
}

impl Desk {
    fn with(names: &[&str]) -> Self {
        let desk = Self::default();
        names.iter().for_each(|name| desk.plug(name));
        desk
    }

    fn plug(&self, name: &str) {
        self.plugged.lock().unwrap().insert(name.to_owned());
    }

    fn unplug(&self, name: &str) {
        self.plugged.lock().unwrap().remove(name);
    }

    fn has(&self, name: &str) -> bool {
        self.plugged.lock().unwrap().contains(name)
    }

    fn used(&self) -> Option<String> {
        self.used.lock().unwrap().clone()
    }

    fn present<T: ?Sized>(&self) -> Order<T> {
        let plugged = self.plugged.lock().unwrap();
        Order::Present(Arc::new(plugged.iter().cloned().map(DeviceId::new).collect()))
    }

    fn opener<T: ?Sized + 'static>(
        &self,
        name: &str,
        otherwise: Otherwise,
        boxed: fn(Plugged) -> Box<T>,
    ) -> Order<T> {
        let desk = self.clone();
        let choice = DeviceChoice::Device(DeviceId::new(name.to_owned()));
        Order::Use(Some(Opener::new(choice, otherwise, move |choice| {
            let name = match choice {
                DeviceChoice::Device(id) => id.as_str().to_owned(),
                DeviceChoice::SystemDefault => "built-in".to_owned(),
            };
            let device = Plugged { desk: desk.clone(), name };
            if desk.has(&device.name) { Ok(boxed(device)) } else { Err(DeviceError::Missing) }
        })))
    }

    fn microphone(&self, name: &str) -> Order<dyn AudioSource> {
        self.opener(name, Otherwise::SystemDefault, |device| Box::new(device))
    }
}

/// Polls every 20 ms of virtual time until something is told, and once more.
fn next_event(
    mut poll: impl FnMut(Mono) -> Result<Polled, DeviceError>,
    now: &mut Mono,
    events: &mut UnboundedReceiver<Event>,
) -> LocalEvent {
    loop {
        poll(*now).unwrap();
        *now = now.plus(Duration::from_millis(20));
        if let Ok(Event::Local(event)) = events.try_recv() {
            poll(*now).unwrap();
            return event;
        }
        // A device is opened by another thread.
        std::thread::yield_now();
    }
}

fn opened(which: Which) -> impl Fn(&LocalEvent) -> bool {
    move |event| matches!(event, LocalEvent::DeviceOpened { which: told, .. } if *told == which)
}

fn lost(event: &LocalEvent) -> bool {
    matches!(event, LocalEvent::DeviceLost { .. })
}

#[test]
fn lost_microphone_is_told_replaced_by_the_default_and_used_again_when_it_is_back() {
    let desk = Desk::with(&["built-in", "set"]);
    let (told, mut events) = unbounded_channel();
    let (mut heard, orders) = Heard::new(None, told);
    let (mut now, mut block) = (Mono::from_micros(1_000_000), AudioBlock::silent());
    let mut next = || next_event(|now| heard.poll_block(now, &mut block), &mut now, &mut events);
    orders.send(desk.microphone("set")).unwrap();
    assert!(opened(Which::Chosen)(&next()));
    assert_eq!(desk.used().as_deref(), Some("set"));
    desk.unplug("set");
    assert!(lost(&next()));
    assert!(opened(Which::Instead)(&next()));
    assert_eq!(desk.used().as_deref(), Some("built-in"));
    desk.plug("set");
    orders.send(desk.present()).unwrap();
    assert!(opened(Which::Chosen)(&next()));
    assert_eq!(desk.used().as_deref(), Some("set"));
}

#[test]
fn device_whose_stream_the_server_moved_is_told_too() {
    let desk = Desk::with(&["built-in", "set"]);
    let (told, mut events) = unbounded_channel();
    let (mut heard, orders) = Heard::new(None, told);
    let (mut now, mut block) = (Mono::from_micros(1_000_000), AudioBlock::silent());
    let mut next = || next_event(|now| heard.poll_block(now, &mut block), &mut now, &mut events);
    orders.send(desk.microphone("set")).unwrap();
    next();
    // The list is told first: the stream itself goes on.
    desk.unplug("set");
    orders.send(desk.present()).unwrap();
    assert!(opened(Which::Instead)(&next()));
}

/// A microphone whose openings go as `outcomes` say, and well after that.
fn trying(outcomes: Vec<DeviceError>, otherwise: Otherwise, desk: &Desk) -> Order<dyn AudioSource> {
    let (outcomes, desk) = (Mutex::new(outcomes.into_iter()), desk.clone());
    let choice = DeviceChoice::Device(DeviceId::new("set".to_owned()));
    Order::Use(Some(Opener::new(choice, otherwise, move |choice| {
        let is_chosen = matches!(choice, DeviceChoice::Device(_));
        if is_chosen && let Some(error) = outcomes.lock().unwrap().next() {
            return Err(error);
        }
        let name = if is_chosen { "set" } else { "built-in" };
        Ok(Box::new(Plugged { desk: desk.clone(), name: name.to_owned() }) as Box<dyn AudioSource>)
    })))
}

#[test]
fn device_that_is_back_while_its_stand_in_is_being_opened_is_used_after_all() {
    let desk = Desk::with(&["built-in", "set"]);
    let (told, mut events) = unbounded_channel();
    let (mut heard, orders) = Heard::new(None, told);
    let (mut now, mut block) = (Mono::from_micros(1_000_000), AudioBlock::silent());
    let mut next = || next_event(|now| heard.poll_block(now, &mut block), &mut now, &mut events);
    orders.send(trying(vec![DeviceError::Missing], Otherwise::SystemDefault, &desk)).unwrap();
    orders.send(desk.present()).unwrap();
    assert!(opened(Which::Instead)(&next()));
    assert!(opened(Which::Chosen)(&next()));
}

#[test]
fn every_reason_why_there_is_no_device_is_told_once() {
    let desk = Desk::with(&["set"]);
    let (told, mut events) = unbounded_channel();
    let (mut heard, orders) = Heard::new(None, told);
    let (mut now, mut block) = (Mono::from_micros(1_000_000), AudioBlock::silent());
    let mut next = || next_event(|now| heard.poll_block(now, &mut block), &mut now, &mut events);
    let outcomes = vec![DeviceError::Lost, DeviceError::NoAudioSystem, DeviceError::NoAudioSystem];
    orders.send(trying(outcomes, Otherwise::Nothing, &desk)).unwrap();
    for expected in ["device.lost", "device.no_audio_system"] {
        let event = next();
        assert!(
            matches!(&event, LocalEvent::DeviceLost { problem, .. } if problem.code == expected),
            "{event:?}"
        );
    }
    assert!(opened(Which::Chosen)(&next()));
}

#[test]
fn sound_goes_on_being_asked_for_while_there_is_no_speaker() {
    let desk = Desk::with(&["set"]);
    let (told, mut events) = unbounded_channel();
    let (mut loud, orders) = Loud::new(None, told);
    let mut now = Mono::from_micros(1_000_000);
    let mut next = |loud: &mut Loud| next_event(|now| loud.poll_wanted(now), &mut now, &mut events);
    orders.send(desk.opener("set", Otherwise::SystemDefault, |device| Box::new(device))).unwrap();
    assert!(opened(Which::Chosen)(&next(&mut loud)));
    loud.write_block(&[1; BLOCK_SAMPLES]).unwrap();
    assert_eq!(desk.used().as_deref(), Some("set"));
    desk.unplug("set");
    loud.write_block(&[1; BLOCK_SAMPLES]).unwrap();
    assert!(lost(&next(&mut loud)));
    let from = now;
    for _ in 0..20 {
        match loud.poll_wanted(now).unwrap() {
            Polled::NotBefore(due) => now = due,
            _ => loud.write_block(&[1; BLOCK_SAMPLES]).unwrap(),
        }
    }
    assert!(now.since(from) >= Duration::from_millis(100), "it is asked for more slowly than it is played");
    assert!(now.since(from) <= Duration::from_millis(400), "it is asked for faster than it is played");
}

#[test]
fn camera_is_closed_when_it_is_not_used_and_never_replaced_by_another() {
    let desk = Desk::with(&["built-in", "desk"]);
    let use_desk =
        || desk.opener("desk", Otherwise::Nothing, |device| Box::new(device) as Box<dyn VideoSource>);
    let (told, mut events) = unbounded_channel();
    let (mut seen, orders) = Seen::new(FORMAT, None, controls(), told);
    let (mut now, mut frame) = (Mono::from_micros(1_000_000), VideoFrame::black(FORMAT));
    orders.send(use_desk()).unwrap();
    let event = next_event(|now| seen.poll_frame(now, &mut frame), &mut now, &mut events);
    assert!(opened(Which::Chosen)(&event));
    assert_eq!(desk.used().as_deref(), Some("desk"));
    orders.send(Order::Use(None)).unwrap();
    assert!(matches!(seen.poll_frame(now, &mut frame), Ok(Polled::NotBefore(_))));
    assert_eq!(desk.used(), None);

    desk.unplug("desk");
    orders.send(use_desk()).unwrap();
    let event = next_event(|now| seen.poll_frame(now, &mut frame), &mut now, &mut events);
    assert!(lost(&event));
    assert_eq!(desk.used(), None);
    desk.plug("desk");
    let event = next_event(|now| seen.poll_frame(now, &mut frame), &mut now, &mut events);
    assert!(opened(Which::Chosen)(&event));
}

/// A recording of one picture.
struct OnePicture(Option<u8>);

impl VideoSource for OnePicture {
    fn format(&self) -> VideoFormat {
        FORMAT
    }

    fn poll_frame(&mut self, now: Mono, frame: &mut VideoFrame) -> Result<Polled, DeviceError> {
        let Some(grey) = self.0.take() else { return Ok(Polled::Ended) };
        frame.captured = now;
        frame.picture.planes_mut().into_iter().for_each(|plane| plane.fill(grey));
        Ok(Polled::Ready)
    }
}

fn controls() -> Arc<PictureControls> {
    Arc::new(PictureControls::new([800, 0, 0]))
}

#[test]
fn recording_stays_with_its_last_picture_for_whoever_comes_after_its_end() {
    let (controls, at) = (controls(), |ms: u64| Mono::from_micros(ms * 1_000));
    let (told, mut events) = unbounded_channel();
    let recording = Box::new(OnePicture(Some(77)));
    let (mut seen, orders) = Seen::new(FORMAT, Some(recording), Arc::clone(&controls), told);
    let mut frame = VideoFrame::black(FORMAT);
    assert_eq!(seen.poll_frame(at(0), &mut frame), Ok(Polled::Ready));
    assert_eq!(seen.poll_frame(at(33), &mut frame), Ok(Polled::NotBefore(at(33))));
    assert!(matches!(events.try_recv(), Ok(Event::Local(LocalEvent::SourceEnded { .. }))));
    assert!(matches!(seen.poll_frame(at(34), &mut frame), Ok(Polled::NotBefore(_))), "nobody asks");
    let last = frame.picture.clone();
    for asked_at in [at(9_000), at(20_000)] {
        controls.request_key_frame(Layer::High);
        assert_eq!(seen.poll_frame(asked_at, &mut frame), Ok(Polled::Ready));
        assert_eq!((frame.captured, &frame.picture), (asked_at, &last));
        assert_eq!(controls.take_key_frame_requests().count(), 1);
        assert!(matches!(seen.poll_frame(asked_at, &mut frame), Ok(Polled::NotBefore(_))));
    }
    orders.send(Order::Use(None)).unwrap();
    controls.request_key_frame(Layer::High);
    assert!(matches!(seen.poll_frame(at(30_000), &mut frame), Ok(Polled::NotBefore(_))), "it was closed");
}

#[test]
fn what_cannot_be_opened_again_fails_as_before() {
    let (told, _events) = unbounded_channel();
    let plugged = Plugged { desk: Desk::default(), name: "gone".to_owned() };
    let (mut heard, _orders) = Heard::new(Some(Box::new(plugged)), told);
    let mut block = AudioBlock::silent();
    assert_eq!(heard.poll_block(Mono::from_micros(1), &mut block), Err(DeviceError::Lost));
}
