//! A meeting in progress: started here, then reached by commands and events.

use std::sync::Arc;
use std::time::Duration;

use incamera_devices::play_audio;
use incamera_media::jitter::DelayLimits;
use incamera_media::mix::Mixer;
use incamera_media::vp8::Quality;
use incamera_meeting::{Knocking, MeetingMachine};
use incamera_relay::RelayHandle;
use incamera_transport::{Cleartext, RelaySettings, SfuSettings, TlsPin, TlsTrust, connect_relay};
use incamera_types::{Invite, RelayAddress};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use crate::ClientError;
use crate::clock;
use crate::command::{Command, PictureWant};
use crate::driver::{
    Attendance, MediaThreads, MeetingDriver, People, Publishing, RelayWatch, SfuLink, StatisticsMeter,
};
use crate::entropy::SystemEntropy;
use crate::event::{Event, LocalEvent};
use crate::exchange::Loud;
use crate::host::HostedRelay;
use crate::incoming::{Inbound, IncomingHandle, SoundStage};
use crate::options::{HostOptions, JoinOptions, Listening, MediaOptions};
use crate::outgoing::{PicturePlan, SealingHandle};
use crate::reception::SharedReception;

/// Bit rate of sound in kbit/s: full-band speech and good music.
const AUDIO_KBPS: u32 = 48;

/// Delay of sound that nobody listens to: late packets are still kept, at no cost to anybody.
const UNHEARD_DELAY: DelayLimits =
    DelayLimits { min: Duration::from_millis(200), max: Duration::from_millis(1_000) };

/// Events of a meeting, until it is over.
pub type EventStream = UnboundedReceiver<Event>;

/// A meeting in progress. Dropping it leaves.
pub struct Meeting {
    commands: UnboundedSender<Command>,
    driver: JoinHandle<()>,
    reception: Option<SharedReception>,
    relay: Option<Arc<RelayHandle>>,
}

impl Meeting {
    /// Makes a meeting and takes part in it. [`LocalEvent::Hosting`] tells the invite.
    ///
    /// # Errors
    /// [`ClientError`] when the relay cannot be started, the options are out of range, or a codec or thread fails.
    pub async fn host(options: HostOptions, media: MediaOptions) -> Result<(Self, EventStream), ClientError> {
        let prepared = HostedRelay::prepare(&options).await?;
        let founding = prepared.founding(&options);
        let entropy = Box::new(SystemEntropy::new());
        let reach = prepared.reach().await;
        let relay = prepared.into_running().map(Arc::new);
        #[cfg(feature = "danger-sabotage")]
        let (machine, invite) = match crate::sabotage::phantom_of() {
            Some(genuine) => MeetingMachine::found_phantom(clock::now(), founding, entropy, &genuine)?,
            None => MeetingMachine::found(clock::now(), founding, entropy)?,
        };
        #[cfg(not(feature = "danger-sabotage"))]
        let (machine, invite) = MeetingMachine::found(clock::now(), founding, entropy)?;
        let hosting = LocalEvent::Hosting { link: invite.to_link(), reach };
        let (commands, events, driver, reception) =
            start(machine, &invite, media, relay.as_ref(), Some(hosting))?;
        Ok((Self { commands, driver, reception, relay }, events))
    }

    /// Joins a meeting by its invite.
    ///
    /// # Errors
    /// [`ClientError`] when a codec or thread fails; everything later comes as an event.
    pub async fn join(options: JoinOptions, media: MediaOptions) -> Result<(Self, EventStream), ClientError> {
        let invite = options.invite.clone();
        let knocking = Knocking { invite: options.invite, name: options.name, identity: None };
        let machine = MeetingMachine::knock(clock::now(), knocking, Box::new(SystemEntropy::new()))?;
        let (commands, events, driver, reception) = start(machine, &invite, media, None, None)?;
        Ok((Self { commands, driver, reception, relay: None }, events))
    }

    /// Asks for something. After the end it has no effect.
    pub fn command(&self, command: impl Into<Command>) {
        // A meeting that is over takes no commands.
        let _ = self.commands.send(command.into());
    }

    /// Leaves, if that has not happened, and waits until everything is closed and written: threads, connections, files, the relay.
    ///
    /// # Errors
    /// [`ClientError::Device`] when a file could not be completed.
    pub async fn finished(&mut self) -> Result<(), ClientError> {
        self.command(Command::Close);
        // A panic in the loop was reported when it happened.
        let _ = (&mut self.driver).await;
        if let Some(relay) = self.relay.take().and_then(Arc::into_inner) {
            relay.stop().await;
        }
        self.reception.take().map_or(Ok(()), |reception| reception.finish())?;
        Ok(())
    }
}

type Started = (UnboundedSender<Command>, EventStream, JoinHandle<()>, Option<SharedReception>);

fn start(
    machine: MeetingMachine,
    invite: &Invite,
    media: MediaOptions,
    hosted: Option<&Arc<RelayHandle>>,
    hosting: Option<LocalEvent>,
) -> Result<Started, ClientError> {
    #[cfg(feature = "danger-sabotage")]
    let (machine, media, sabotage) = spoil(machine, media);
    #[cfg(not(feature = "danger-sabotage"))]
    let _ = hosted;
    let (commands, commanded) = unbounded_channel();
    let (events, told) = unbounded_channel();
    let (report, reports) = unbounded_channel();
    let trust = invite.tls_pin.map_or(TlsTrust::Public, |pin| TlsTrust::Pinned(TlsPin(pin)));
    let reception = media.reception.map(SharedReception::start).transpose()?;
    let limits = match media.listening {
        Listening::Live => DelayLimits::default(),
        Listening::Nobody => UNHEARD_DELAY,
    };
    let sound = SoundStage::new(limits, reception.clone());
    let (incoming, opening_thread) = IncomingHandle::start(sound.clone(), reception.clone(), report)?;
    let (sealing, sealing_thread) = SealingHandle::start(incoming.clone(), reception.clone())?;
    let (loud, speaker) = Loud::new(media.speaker, events.clone());
    let playback = play(loud, sound.clone(), incoming.clone(), events.clone())?;
    let plan = |format, quality| PicturePlan::camera(format, quality, media.layers, media.video_kbps);
    let camera = match &media.video {
        Some(source) => Some(plan(source.format(), Quality::File)),
        None => media.camera.map(|format| plan(format, Quality::Camera)),
    };
    let publishing = Publishing::new(
        media.audio,
        media.video,
        media.begin,
        camera,
        AUDIO_KBPS,
        sealing.clone(),
        events.clone(),
    );
    let now = clock::now().mono;
    let (relay, relay_events) =
        connect_relay(RelaySettings { address: invite.relay.clone(), trust, cleartext: Cleartext::Refused });
    let driver = MeetingDriver {
        machine,
        relay,
        relay_events,
        commands: commanded,
        reports,
        events,
        hosting,
        incoming,
        sealing,
        sound,
        publishing,
        link: SfuLink::new(SfuSettings {
            relay_origin: Some(origin(&invite.relay)),
            relay_trust: trust,
            cleartext: Cleartext::PrivateNetworks,
            bind: media.bind,
            ice_policy: media.ice_policy,
            #[cfg(feature = "danger-sabotage")]
            candidates: crate::sabotage::candidates_from_environment(),
            ..SfuSettings::default()
        }),
        people: People::new(PictureWant::Layer(media.wanted_layer)),
        watch: RelayWatch::new(now),
        attendance: Attendance::new(now),
        meter: StatisticsMeter::start(now, invite.relay.clone()),
        speaker,
        device_watch: None,
        threads: MediaThreads { playback, sealing: sealing_thread, opening: opening_thread },
        is_over: false,
        #[cfg(feature = "danger-sabotage")]
        sabotage,
        #[cfg(feature = "danger-sabotage")]
        hosted: hosted.cloned(),
    };
    Ok((commands, told, tokio::spawn(driver.run()), reception))
}

/// Sabotage that was asked for, and what it does to the meeting's rules and to what is sent.
#[cfg(feature = "danger-sabotage")]
fn spoil(
    mut machine: MeetingMachine,
    mut media: MediaOptions,
) -> (MeetingMachine, MediaOptions, Vec<crate::sabotage::Sabotage>) {
    use crate::driver::spoiling::Frozen;
    use crate::sabotage::Sabotage;
    let sabotage = Sabotage::from_environment();
    for sabotage in &sabotage {
        match sabotage {
            Sabotage::Freeze => {
                media.video = media.video.map(|source| Box::new(Frozen::new(source)) as _);
            }
            Sabotage::SafeguardOff(name) => {
                // The names of the media's own safeguards are none of the meeting's.
                let _ = machine.switch_off(name);
            }
            Sabotage::Attack(_) | Sabotage::DropKey(_) | Sabotage::ExternalCommit(_) => {}
        }
    }
    (machine, media, sabotage)
}

fn origin(relay: &RelayAddress) -> String {
    format!("https://{relay}")
}

fn play(
    speaker: Loud,
    sound: SoundStage,
    incoming: IncomingHandle,
    events: UnboundedSender<Event>,
) -> Result<incamera_devices::DriverHandle, ClientError> {
    let mut mixer = Mixer::new();
    Ok(play_audio(
        speaker,
        move |now, block| {
            if let Err(error) = sound.mix(now, &mut mixer, block) {
                incoming.order(Inbound::ReceptionFailed(error));
            }
        },
        move |error| {
            // Nobody listens: the meeting is over.
            let _ = events.send(LocalEvent::Problem(crate::Problem::of(&error)).into());
        },
    )?)
}
