//! The loop that joins the meeting's state machine to the relay, the SFU, the media threads and the user.

mod absence;
mod ending;
mod link;
mod people;
mod publishing;
mod reports;
mod sharing;
#[cfg(feature = "danger-sabotage")]
pub(crate) mod spoiling;
mod subscribing;
mod video_stream;

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;
use std::time::Duration;

use incamera_devices::{AudioSink, DeviceId, DriverHandle, watch_devices};
use incamera_meeting::{Event as MeetingEvent, Input, MeetingMachine, MeetingState, Output, Who};
use incamera_transport::{RelayEvent, RelayHandle, SfuEvent, StreamId};
use incamera_types::Mono;
use tokio::sync::mpsc::{Receiver, UnboundedReceiver, UnboundedSender};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::clock;
use crate::command::Command;
use crate::event::{Event, LocalEvent, Problem, SharingEnd};
use crate::exchange::{Opener, Order};
use crate::incoming::{Inbound, IncomingHandle, IncomingReport, SoundStage, TopSizes};
use crate::outgoing::{Flow, Outbound, SealingHandle};
pub(crate) use absence::Attendance;
pub(crate) use link::RelayWatch;
pub(crate) use people::People;
pub(crate) use publishing::Publishing;
pub(crate) use reports::StatisticsMeter;
pub(crate) use subscribing::SfuLink;

/// Figures are told this often.
const STATISTICS_EVERY: Duration = Duration::from_secs(1);

/// Longest time the loop sleeps when the machine has no deadline.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

/// The threads that end with the meeting.
pub(crate) struct MediaThreads {
    pub(crate) playback: DriverHandle,
    pub(crate) sealing: JoinHandle<()>,
    pub(crate) opening: JoinHandle<()>,
}

impl MediaThreads {
    fn has_ended(&self) -> bool {
        self.sealing.is_finished() || self.opening.is_finished()
    }

    fn join(self) {
        for thread in [self.sealing, self.opening] {
            // Reported when it happened.
            let _ = thread.join();
        }
        drop(self.playback);
    }
}

/// Everything the loop owns. Made by [`crate::Meeting`].
pub(crate) struct MeetingDriver {
    pub(crate) machine: MeetingMachine,
    pub(crate) relay: RelayHandle,
    pub(crate) relay_events: Receiver<RelayEvent>,
    pub(crate) commands: UnboundedReceiver<Command>,
    pub(crate) reports: UnboundedReceiver<IncomingReport>,
    pub(crate) events: UnboundedSender<Event>,
    /// The invite, told once the room is there: whoever has the link before that finds no meeting.
    pub(crate) hosting: Option<LocalEvent>,
    pub(crate) incoming: IncomingHandle,
    pub(crate) sealing: SealingHandle,
    pub(crate) sound: SoundStage,
    pub(crate) publishing: Publishing,
    pub(crate) link: SfuLink,
    pub(crate) people: People,
    pub(crate) watch: RelayWatch,
    pub(crate) attendance: Attendance,
    pub(crate) meter: StatisticsMeter,
    pub(crate) threads: MediaThreads,
    pub(crate) speaker: Sender<Order<dyn AudioSink>>,
    pub(crate) device_watch: Option<DriverHandle>,
    pub(crate) is_over: bool,
    #[cfg(feature = "danger-sabotage")]
    pub(crate) sabotage: Vec<crate::sabotage::Sabotage>,
    #[cfg(feature = "danger-sabotage")]
    pub(crate) hosted: Option<Arc<incamera_relay::RelayHandle>>,
}

impl MeetingDriver {
    /// Runs until the meeting is over for us.
    pub(crate) async fn run(mut self) {
        let mut statistics = interval(STATISTICS_EVERY);
        statistics.set_missed_tick_behavior(MissedTickBehavior::Skip);
        self.drain();
        while !self.is_over {
            if self.attendance.was_absent(clock::now().mono) {
                self.connect_anew();
            }
            let deadlines = self.machine.next_deadline().into_iter().chain(self.publishing.next_key_frame());
            let deadline = deadlines.min().unwrap_or(Mono::from_micros(u64::MAX));
            let sleep = deadline.since(clock::now().mono).min(LONGEST_SLEEP);
            tokio::select! {
                event = self.relay_events.recv() => match event {
                    Some(event) => self.relay_event(event),
                    None => self.relay_gone(),
                },
                Some(event) = self.link.next_event() => self.sfu_event(event),
                () = self.publishing.screen_ended() => self.stop_sharing(SharingEnd::SourceEnded),
                command = self.commands.recv() => match command {
                    Some(command) => self.command(command),
                    // Every handle was dropped: nobody is interested any more.
                    None => self.close(),
                },
                Some(report) = self.reports.recv() => self.report(report),
                _ = statistics.tick() => self.every_second(),
                () = sleep_until(Instant::now() + sleep) => {
                    self.publishing.make_key_frames(clock::now().mono);
                    self.input(Input::Tick);
                }
            }
        }
        self.shut_down().await;
    }

    /// After a time in which nothing here has run nobody waits for servers to be found silent.
    fn connect_anew(&self) {
        tracing::info!("this program has not run for a while: everything is connected anew");
        self.relay.reconnect();
        self.link.restart();
    }

    fn tell(&self, event: impl Into<Event>) {
        // Nobody listens any more: the meeting ends by the commands' channel.
        let _ = self.events.send(event.into());
    }

    fn problem(&self, problem: Problem) {
        self.tell(LocalEvent::Problem(problem));
    }

    fn input(&mut self, input: Input) {
        if let Err(error) = self.machine.handle_input(clock::now(), input) {
            self.problem(Problem::of(&error));
        }
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.machine.poll_output() {
            self.output(output);
        }
    }

    fn output(&mut self, output: Output) {
        match output {
            Output::Send(message) => {
                if let Err(why) = self.relay.send(message) {
                    // The connection is lost with it: the machine is told of that and asks again.
                    tracing::debug!(code = incamera_types::Fault::code(&why), "a message was not sent");
                }
            }
            Output::Reconnect => self.relay.reconnect(),
            Output::InstallEpochKeys(keys) => {
                #[cfg(feature = "danger-retain-keys")]
                crate::retained::retain(&keys);
                self.sealing.order(Outbound::Keys(keys));
            }
            Output::DropMember { member } => self.opening(Inbound::DropMember(member)),
            Output::HoldMember { member } => self.opening(Inbound::HoldMember(member)),
            Output::ReleaseMember { member } => self.opening(Inbound::ReleaseMember(member)),
            Output::UseTicket(ticket) => self.use_ticket(&ticket),
            Output::StartMedia => self.flow(Flow::Open),
            Output::StopMedia { .. } => self.flow(Flow::Stopped),
            Output::ForceKeyFrames => {
                self.publishing.force_key_frames(clock::now().mono);
                self.expect_players();
            }
            Output::Event(event) => self.meeting_event(event),
        }
    }

    /// Orders about members take the way that keys take, so that they arrive in the order in which they were decided.
    fn opening(&self, order: Inbound) {
        self.sealing.order(Outbound::Opening(order));
    }

    fn flow(&mut self, flow: Flow) {
        self.sealing.order(Outbound::Flow(flow));
        self.publishing.set_flow(flow);
        self.start_capture();
    }

    fn meeting_event(&mut self, event: MeetingEvent) {
        let now = clock::now().mono;
        match &event {
            MeetingEvent::StateChanged { state: MeetingState::Joining } => self.people.admitted(now),
            MeetingEvent::StateChanged { state: MeetingState::Stopped } => self.is_over = true,
            MeetingEvent::Stopped { why } => {
                if let Some(problem) = ending::problem(*why) {
                    self.problem(problem);
                }
            }
            MeetingEvent::Joined { member } if member.who == Who::Other => {
                let remote = self.people.joined(member, now);
                #[cfg(feature = "danger-sabotage")]
                self.spoil_joining_of(&remote);
                self.opening(Inbound::Known(remote, TopSizes::default()));
            }
            MeetingEvent::Left { member, .. } | MeetingEvent::Removed { member, .. } => {
                self.people.left(*member);
                self.update_subscriptions();
            }
            MeetingEvent::StreamsChanged { member, streams } => {
                if let Some(remote) = self.people.remote(*member) {
                    self.opening(Inbound::Known(remote, people::top_sizes(streams)));
                }
                let sfu_id = self
                    .machine
                    .streams_of(*member)
                    .and_then(|streams| StreamId::parse(streams.sfu_id.reveal()));
                #[cfg(feature = "danger-sabotage")]
                self.opening(Inbound::Announced(*member, sfu_id.clone()));
                self.people.announced(*member, sfu_id, streams);
                if self.people.is_sharing(*member) {
                    self.yield_screen_to(*member);
                }
                self.update_subscriptions();
                if self.people.remote(*member).is_some() {
                    self.publishing.set_in_company();
                    self.publish();
                    self.start_capture();
                }
            }
            _ => {}
        }
        let is_in = matches!(event, MeetingEvent::StateChanged { state: MeetingState::InMeeting });
        if let Some(hosting) = self.hosting.take_if(|_| is_in) {
            self.tell(hosting);
        }
        self.tell(event);
        if is_in {
            self.announce();
        }
    }

    fn every_second(&mut self) {
        if let Some(problem) = self.watch.waited(clock::now().mono) {
            self.problem(problem);
        }
        if self.threads.has_ended() {
            // It reported its panic; without it nobody would be heard or seen, and nobody would be told.
            self.problem(ending::media_thread());
            self.close();
        }
        // Whoever is not in the meeting is given one when it comes in.
        if self.machine.state() == MeetingState::InMeeting && self.link.is_ticket_due(clock::now().mono) {
            self.input(Input::Command(incamera_meeting::Command::RequestTicket));
        }
        self.publishing.share_bandwidth(clock::now().mono);
        self.incoming.order(Inbound::Tallies);
    }

    /// Leaves, and takes no further part even where the rules would have us stay. It is over when the machine says so,
    /// which waits for the goodbye to be in the log; asked for once more, at once.
    fn close(&mut self) {
        let leave = Input::Command(incamera_meeting::Command::Leave);
        if let Err(refused) = self.machine.handle_input(clock::now(), leave) {
            tracing::debug!(code = incamera_types::Fault::code(&refused), "closed without leaving");
            self.is_over = true;
        }
        self.drain();
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Close => self.close(),
            Command::Meeting(command) => self.input(Input::Command(command)),
            Command::Microphone(switch) => {
                self.publishing.set_microphone(switch);
                self.announce();
            }
            Command::Camera(switch) => {
                self.publishing.set_camera(switch);
                self.announce();
            }
            Command::UseMicrophone(opener) => {
                self.look_out_for(opener.device());
                self.publishing.use_microphone(opener);
            }
            Command::UseSpeaker(opener) => {
                self.look_out_for(opener.as_ref().and_then(Opener::device));
                // The playback thread has ended: its problem was told.
                let _ = self.speaker.send(Order::Use(opener));
            }
            Command::UseCamera(opener) => self.publishing.use_camera(opener),
            Command::ShareScreen(source) => self.share_screen(source),
            Command::StopSharing => self.stop_sharing(SharingEnd::Asked),
            Command::Picture { member, want } => {
                self.people.wants(member, want);
                self.update_subscriptions();
            }
            Command::WatchScreen { member, switch } => {
                self.people.watches_screen(member, switch);
                self.update_subscriptions();
            }
        }
    }

    /// Begins to tell microphone and speaker what is plugged in, when that matters: a certain device was chosen.
    fn look_out_for(&mut self, chosen: Option<&DeviceId>) {
        if chosen.is_none() || self.device_watch.is_some() {
            return;
        }
        let (microphone, speaker) = (self.publishing.microphone_orders(), self.speaker.clone());
        let watch = watch_devices(move |devices| {
            let there = Arc::new(devices.iter().map(|device| device.id.clone()).collect());
            // Whoever has ended needs to know no more.
            let _ = microphone.send(Order::Present(Arc::clone(&there)));
            let _ = speaker.send(Order::Present(there));
        });
        match watch {
            Ok(watch) => self.device_watch = Some(watch),
            Err(error) => self.problem(Problem::of(&error)),
        }
    }

    fn relay_event(&mut self, event: RelayEvent) {
        match event {
            RelayEvent::Connected => self.input(Input::RelayConnected),
            RelayEvent::Message(message) => {
                self.watch.heard();
                self.input(Input::Relay(message));
            }
            RelayEvent::Lost { why } => {
                if let Some(problem) = self.watch.lost(&why, clock::now().mono) {
                    self.problem(problem);
                }
                self.input(Input::RelayLost);
            }
        }
    }

    /// The connection gave up for good.
    fn relay_gone(&mut self) {
        self.close();
    }

    fn sfu_event(&mut self, event: SfuEvent) {
        match event {
            SfuEvent::Received(frame) => self.incoming.frame(frame),
            SfuEvent::KeyFrameWanted { context } => {
                self.publishing.key_frame_wanted(clock::now().mono, context);
            }
            SfuEvent::Bandwidth { stream, target_bps } => {
                self.publishing.bandwidth(clock::now().mono, stream, target_bps);
            }
            SfuEvent::StreamsChanged { available } => {
                self.people.available(available);
                self.update_subscriptions();
            }
            SfuEvent::Reception { stream, late, lost, .. } => {
                self.people
                    .packets(stream.as_ref(), people::PacketCounts { late: late.into(), lost: lost.into() });
            }
            other => self.connection_event(other),
        }
    }

    /// Ends the threads in the order in which media flows, so that what had come is still decoded and kept.
    async fn shut_down(mut self) {
        self.publishing.stop();
        self.link.close().await;
        self.sealing.order(Outbound::Stop);
        self.incoming.order(Inbound::Stop);
        let (threads, device_watch) = (self.threads, self.device_watch);
        let ended = tokio::task::spawn_blocking(move || {
            threads.join();
            drop(device_watch);
        });
        // A thread that panicked has reported it when it happened.
        let _ = ended.await;
    }
}
