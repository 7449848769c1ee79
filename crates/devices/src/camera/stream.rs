//! The thread that gets a camera's pictures from PipeWire.

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};

use core::time::Duration;

use incamera_media::picture::Picture;
use incamera_types::Mono;
use pipewire as pw;
use pw::core::PW_ID_CORE;
use pw::properties::properties;
use pw::spa;
use pw::stream::{Stream, StreamFlags, StreamRc, StreamState};
use rustix::time::{ClockId, clock_gettime};
use spa::buffer::meta::{MetaHeader, MetaHeaderFlags};
use spa::param::ParamType;
use spa::pod::Pod;

use super::latest::Latest;
use super::nodes::{Connection, VideoNode};
use super::offer::Parameters;
use super::pixels::{Agreed, Converter};
use crate::DeviceError;
use crate::clock::SystemClock;
use crate::host::DeviceChoice;
use crate::video::VideoFormat;

/// How long a camera may take until it has agreed to a format.
const OPEN_TIMEOUT: Duration = Duration::from_secs(5);

/// A picture that is said to be older than this has a time of another clock.
const OLDEST: Duration = Duration::from_secs(1);

/// Asks the thread to end.
struct Quit;

/// The running thread. Dropping it closes the camera and waits until that is done.
pub(super) struct CameraStream {
    quit: pw::channel::Sender<Quit>,
    thread: Option<JoinHandle<()>>,
}

impl CameraStream {
    /// Connects to a camera; returns when it has agreed to a format.
    pub(super) fn open(
        choice: DeviceChoice,
        wanted: VideoFormat,
        latest: Arc<Latest>,
    ) -> Result<(Self, VideoFormat), DeviceError> {
        pw::init();
        let (quit, asked_to_quit) = pw::channel::channel();
        let (agreed, agreement) = channel();
        let thread = thread::Builder::new()
            .name("camera".to_owned())
            .spawn(move || {
                let refused = agreed.clone();
                if let Err(error) = run(&choice, wanted, latest, agreed, asked_to_quit) {
                    // Nobody waits any more when the camera took too long.
                    let _ = refused.send(Err(error));
                }
            })
            .map_err(|error| DeviceError::Thread(error.kind()))?;
        let stream = Self { quit, thread: Some(thread) };
        let format = agreement.recv_timeout(OPEN_TIMEOUT).map_err(|_| DeviceError::Lost)??;
        Ok((stream, format))
    }
}

impl Drop for CameraStream {
    fn drop(&mut self) {
        // A thread that has ended by itself does not listen.
        let _ = self.quit.send(Quit);
        if let Some(thread) = self.thread.take() {
            // A panic was reported when it happened.
            let _ = thread.join();
        }
    }
}

/// Where the end of a camera is told: to whoever takes pictures, and to whoever still waits for the agreement.
#[derive(Clone)]
struct Ending {
    latest: Arc<Latest>,
    agreed: Sender<Result<VideoFormat, DeviceError>>,
    main_loop: pw::main_loop::MainLoopRc,
}

impl Ending {
    fn end(&self, why: DeviceError) {
        self.latest.end(why.clone());
        let _ = self.agreed.send(Err(why));
        self.main_loop.quit();
    }
}

/// Serves one camera until it is gone or nobody wants it any more.
fn run(
    choice: &DeviceChoice,
    wanted: VideoFormat,
    latest: Arc<Latest>,
    agreed: Sender<Result<VideoFormat, DeviceError>>,
    asked_to_quit: pw::channel::Receiver<Quit>,
) -> Result<(), DeviceError> {
    let connection = Connection::open()?;
    let node = VideoNode::chosen(connection.list()?, choice).ok_or(DeviceError::Missing)?;
    let Connection { main_loop, core, registry } = &connection;
    let ending = Ending { latest, agreed, main_loop: main_loop.clone() };
    let quit = main_loop.clone();
    let _quits = asked_to_quit.attach(main_loop.loop_(), move |Quit| quit.quit());
    let (lost, camera) = (ending.clone(), node.number);
    let _removals = registry
        .add_listener_local()
        .global_remove(move |number| {
            if number == camera {
                lost.end(DeviceError::Lost);
            }
        })
        .register();
    let lost = ending.clone();
    let _errors = core
        .add_listener_local()
        .error(move |id, _, code, _| {
            // Only a broken connection concerns the core itself.
            if id == PW_ID_CORE && code == -rustix::io::Errno::PIPE.raw_os_error() {
                lost.end(DeviceError::Lost);
            }
        })
        .register();
    let stream = StreamRc::new(
        core.clone(),
        "Incamera",
        properties! {
            *pw::keys::MEDIA_TYPE => "Video",
            *pw::keys::MEDIA_CATEGORY => "Capture",
            *pw::keys::MEDIA_ROLE => "Camera",
            *pw::keys::TARGET_OBJECT => node.name.as_str(),
            // When this camera goes, another one is not shown in its place.
            *pw::keys::NODE_DONT_RECONNECT => "true",
        },
    )?;
    let _events = listen(&stream, ending)?;
    let formats = Parameters::of_formats(wanted)?;
    let flags = StreamFlags::AUTOCONNECT | StreamFlags::MAP_BUFFERS;
    stream.connect(spa::utils::Direction::Input, None, flags, &mut formats.pods())?;
    main_loop.run();
    // A refusal to disconnect leaves the same state: the stream is destroyed next.
    let _ = stream.disconnect();
    Ok(())
}

/// What the callbacks of a stream share. They all run on the thread of the loop.
struct Receiving {
    ending: Ending,
    agreed: Option<Agreed>,
    converter: Converter,
    picture: Picture,
}

fn listen(stream: &StreamRc, ending: Ending) -> Result<pw::stream::StreamListener<Receiving>, DeviceError> {
    let mut is_connecting = false;
    let receiving =
        Receiving { ending, agreed: None, converter: Converter::default(), picture: Picture::default() };
    let events = stream
        .add_local_listener_with_user_data(receiving)
        .state_changed(move |_, receiving, _, state| match state {
            StreamState::Connecting => is_connecting = true,
            // The words of the server name the camera, so they are not kept (SEC-12).
            StreamState::Error(_) => receiving.ending.end(DeviceError::Lost),
            StreamState::Unconnected if is_connecting => receiving.ending.end(DeviceError::Lost),
            StreamState::Unconnected | StreamState::Paused | StreamState::Streaming => {}
        })
        .param_changed(|stream, receiving, id, parameter| {
            if let Some(format) = parameter.filter(|_| id == ParamType::Format.as_raw()) {
                receiving.agree(stream, format);
            }
        })
        .process(|stream, receiving| receiving.receive(stream))
        .register()?;
    Ok(events)
}

impl Receiving {
    fn agree(&mut self, stream: &Stream, format: &Pod) {
        let Some(agreed) = Agreed::read(format) else { return self.ending.end(DeviceError::Unsupported) };
        // A source never changes its format: whoever opens the camera again gets the new one.
        if self.agreed.is_some_and(|before| before.format() != agreed.format()) {
            return self.ending.end(DeviceError::Lost);
        }
        let asked =
            Parameters::of_buffers().and_then(|buffers| Ok(stream.update_params(&mut buffers.pods())?));
        if let Err(error) = asked {
            return self.ending.end(error);
        }
        if self.agreed.replace(agreed).is_none() {
            let _ = self.ending.agreed.send(Ok(agreed.format()));
        }
    }

    /// Takes the newest picture and gives the others back unseen.
    fn receive(&mut self, stream: &Stream) {
        let Some(agreed) = self.agreed else { return };
        let mut newest = stream.dequeue_buffer();
        while let Some(newer) = stream.dequeue_buffer() {
            newest = Some(newer);
        }
        let Some(mut buffer) = newest else { return };
        let header = buffer.find_meta::<MetaHeader>();
        if header.is_some_and(|header| header.flags().contains(MetaHeaderFlags::CORRUPTED)) {
            return;
        }
        let captured = captured(header.map(MetaHeader::pts));
        if self.converter.convert(agreed, buffer.datas_mut(), &mut self.picture).is_some() {
            self.ending.latest.give(captured, &mut self.picture);
        }
    }
}

/// When a picture was captured, by the time in nanoseconds that its buffer carries.
fn captured(stamp: Option<i64>) -> Mono {
    let now = SystemClock.now();
    let clock = clock_gettime(ClockId::Monotonic);
    let clock = i128::from(clock.tv_sec) * 1_000_000_000 + i128::from(clock.tv_nsec);
    let age = stamp.and_then(|stamp| u64::try_from(clock - i128::from(stamp)).ok()).map(Duration::from_nanos);
    now.minus(age.filter(|age| *age <= OLDEST).unwrap_or_default())
}
