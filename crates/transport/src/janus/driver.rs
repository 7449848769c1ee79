//! The loop that keeps us in the room: one session, whose loss in any part begins all of it anew. Only a screen that
//! the server does not take leaves the rest as it is.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;

use super::Command;
use super::messages::RoomEvent;
use super::room::Room;
use super::socket::keepalive_timer;
use crate::outbox::{Outgoing, PerOwnStream};
use crate::peer::{Player, Publication};
use crate::shared::Shared;
use crate::sink::Sink;
use crate::supervise::{FirstResult, Next, Supervisor, at_or_never, pause_or_never};
use crate::{Direction, LossReason, OwnStream, PublishPlan, SfuError, SfuEvent, Want};

/// Why a session ended.
enum Stop {
    /// Both directions, for this reason.
    Lost(LossReason),
    Failed(SfuError),
    Close(oneshot::Sender<()>),
    Abandoned,
}

/// What became of a media connection.
enum MediaEvent {
    Connected(Direction),
    Failed(SfuError),
    Lost(LossReason),
}

/// The media connections of a session; all end with it.
struct Media {
    events: mpsc::Receiver<MediaEvent>,
    told: mpsc::Sender<MediaEvent>,
    tasks: JoinSet<()>,
    screen: Option<AbortHandle>,
}

pub(super) struct JanusDriver {
    shared: Arc<Shared>,
    commands: mpsc::Receiver<Command>,
    outgoing: PerOwnStream<Arc<Mutex<Outgoing>>>,
    plans: PerOwnStream<Option<PublishPlan>>,
    wants: Vec<Want>,
    publishing: PerOwnStream<Supervisor>,
    playing: Supervisor,
    /// When a screen that was refused is tried again.
    screen_again: Option<Instant>,
    /// Directions that were connected in this session.
    up: Vec<Direction>,
}

impl JanusDriver {
    pub(super) fn new(
        shared: Arc<Shared>,
        commands: mpsc::Receiver<Command>,
        outgoing: PerOwnStream<Outgoing>,
    ) -> Self {
        let supervisor = |direction| Supervisor::new(direction, shared.sink.clone(), None);
        Self {
            publishing: PerOwnStream::make(|stream| supervisor(Direction::Publish(stream))),
            playing: supervisor(Direction::Play),
            shared,
            commands,
            outgoing: outgoing.map(|outgoing| Arc::new(Mutex::new(outgoing))),
            plans: PerOwnStream::make(|_| None),
            wants: Vec::new(),
            screen_again: None,
            up: Vec::new(),
        }
    }

    pub(super) async fn run(mut self) {
        loop {
            let mut changes = self.shared.changes();
            let stop = self.stay().await;
            for stream in OwnStream::ALL {
                self.outgoing.of(stream).lock().await.close();
            }
            let pause = match stop {
                Stop::Lost(why) => Some(self.lost(why).await),
                Stop::Failed(error) => self.failed(error).await,
                Stop::Close(done) => {
                    done.send(()).ok();
                    return;
                }
                Stop::Abandoned => return,
            };
            let pausing = async {
                tokio::select! {
                    () = pause_or_never(pause) => {}
                    Ok(()) = changes.changed() => {}
                }
            };
            match self.listen_while(pausing).await {
                Ok(()) | Err(Stop::Lost(_) | Stop::Failed(_)) => {}
                Err(Stop::Close(done)) => {
                    done.send(()).ok();
                    return;
                }
                Err(Stop::Abandoned) => return,
            }
        }
    }

    /// One session from joining to its end.
    async fn stay(&mut self) -> Stop {
        self.up.clear();
        self.screen_again = None;
        let shared = Arc::clone(&self.shared);
        let mut room = match self.listen_while(Room::join(&shared)).await {
            Ok(Ok(room)) => room,
            Ok(Err(error)) => return Stop::Failed(error),
            Err(stop) => return stop,
        };
        let (told, events) = mpsc::channel(8);
        let mut media = Media { events, told, tasks: JoinSet::new(), screen: None };
        self.shared.sink.tell(SfuEvent::StreamsChanged { available: room.available() }).await;
        let stop = match self.begin(&mut room, &mut media).await {
            Ok(()) => self.follow(&mut room, &mut media).await,
            Err(error) => Stop::Failed(error),
        };
        media.tasks.abort_all();
        if !matches!(stop, Stop::Lost(LossReason::Signalling | LossReason::Silence)) {
            room.socket.destroy().await;
        }
        stop
    }

    async fn begin(&mut self, room: &mut Room, media: &mut Media) -> Result<(), SfuError> {
        for stream in OwnStream::ALL {
            self.begin_stream(room, media, stream).await?;
        }
        Ok(())
    }

    async fn begin_stream(
        &mut self,
        room: &mut Room,
        media: &mut Media,
        stream: OwnStream,
    ) -> Result<(), SfuError> {
        let Some(plan) = self.plans.of(stream) else { return Ok(()) };
        match room.publish(&self.shared, stream, plan).await {
            Ok(publication) => {
                let outgoing = Arc::clone(self.outgoing.of(stream));
                media.publish(stream, publication, outgoing, self.shared.sink.clone());
                Ok(())
            }
            Err(error) if stream == OwnStream::Screen => {
                self.screen_again = match self.publishing.of_mut(stream).failed(error).await {
                    Next::Pause(pause) => Some(Instant::now() + pause),
                    Next::WaitForChange => None,
                };
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Takes a plan. Whether there was one before.
    fn plan(&mut self, stream: OwnStream, plan: PublishPlan, first: FirstResult) -> bool {
        let (direction, sink) = (Direction::Publish(stream), self.shared.sink.clone());
        *self.publishing.of_mut(stream) = Supervisor::new(direction, sink, Some(first));
        self.plans.of_mut(stream).replace(plan).is_some()
    }

    async fn end_screen(&mut self, room: &mut Room, media: &mut Media) {
        if let Some(task) = media.screen.take() {
            task.abort();
        }
        self.screen_again = None;
        self.up.retain(|direction| *direction != Direction::Publish(OwnStream::Screen));
        self.outgoing.of(OwnStream::Screen).lock().await.close();
        room.end_screen().await;
    }

    async fn follow(&mut self, room: &mut Room, media: &mut Media) -> Stop {
        let mut keepalive = keepalive_timer();
        let mut arrange = true;
        loop {
            if core::mem::take(&mut arrange) {
                match room.subscribe(&self.shared, &self.wants).await {
                    Ok(Some(player)) => media.play(player),
                    Ok(None) => {}
                    Err(error) => return Stop::Failed(error),
                }
            }
            tokio::select! {
                event = room.socket.events.recv() => match event {
                    None => return Stop::Lost(LossReason::Signalling),
                    Some(RoomEvent::Ended { handle }) => if room.uses(handle) {
                        return Stop::Lost(LossReason::ClosedByServer);
                    },
                    Some(event) => if room.note(event) {
                        self.shared.sink.tell(SfuEvent::StreamsChanged { available: room.available() }).await;
                        arrange = true;
                    },
                },
                Some(event) = media.events.recv() => match event {
                    MediaEvent::Connected(direction) => {
                        self.up.push(direction);
                        self.supervisor(direction).connected().await;
                    }
                    MediaEvent::Failed(error) => return Stop::Failed(error),
                    MediaEvent::Lost(why) => return Stop::Lost(why),
                },
                _ = keepalive.tick() => if room.socket.keepalive().await.is_err() {
                    return Stop::Lost(LossReason::Signalling);
                },
                () = at_or_never(self.screen_again) => {
                    self.screen_again = None;
                    if let Err(error) = self.begin_stream(room, media, OwnStream::Screen).await {
                        return Stop::Failed(error);
                    }
                }
                command = self.commands.recv() => {
                    if let Err(stop) = self.take(command, room, media).await {
                        return stop;
                    }
                }
            }
        }
    }

    /// Does what was asked for, in a session that stands.
    async fn take(
        &mut self,
        command: Option<Command>,
        room: &mut Room,
        media: &mut Media,
    ) -> Result<(), Stop> {
        match command {
            Some(Command::Publish { stream, plan, first }) => {
                if self.plan(stream, plan, first) {
                    match stream {
                        OwnStream::Person => return Err(Stop::Lost(LossReason::Requested)),
                        OwnStream::Screen => self.end_screen(room, media).await,
                    }
                }
                self.begin_stream(room, media, stream).await.map_err(Stop::Failed)
            }
            Some(Command::Unpublish { stream, done }) => {
                let was_planned = self.plans.of_mut(stream).take().is_some();
                if stream == OwnStream::Screen {
                    self.end_screen(room, media).await;
                }
                done.send(()).ok();
                let ends_session = was_planned && stream == OwnStream::Person;
                if ends_session { Err(Stop::Lost(LossReason::Requested)) } else { Ok(()) }
            }
            Some(Command::Subscribe { wants, done }) => {
                self.wants = wants;
                match room.subscribe(&self.shared, &self.wants).await {
                    Ok(player) => {
                        player.into_iter().for_each(|player| media.play(player));
                        drop(done.send(Ok(())));
                        Ok(())
                    }
                    // What Janus and we think of the subscription may differ now: begin anew.
                    Err(error) => {
                        drop(done.send(Err(error.clone())));
                        Err(Stop::Failed(error))
                    }
                }
            }
            Some(Command::AskKeyFrame(stream)) => {
                room.ask_key_frame(&stream);
                Ok(())
            }
            Some(Command::Restart) => Err(Stop::Lost(LossReason::Requested)),
            Some(Command::Close { done }) => Err(Stop::Close(done)),
            None => Err(Stop::Abandoned),
        }
    }

    /// Runs `work` and takes commands meanwhile.
    async fn listen_while<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Stop> {
        tokio::pin!(work);
        loop {
            tokio::select! {
                result = &mut work => return Ok(result),
                command = self.commands.recv() => match command {
                    Some(Command::Publish { stream, plan, first }) => {
                        self.plan(stream, plan, first);
                    }
                    Some(Command::Unpublish { stream, done }) => {
                        *self.plans.of_mut(stream) = None;
                        done.send(()).ok();
                    }
                    Some(Command::Subscribe { wants, done }) => {
                        self.wants = wants;
                        drop(done.send(Ok(())));
                    }
                    Some(Command::AskKeyFrame(_)) => {}
                    Some(Command::Restart) => return Err(Stop::Lost(LossReason::Requested)),
                    Some(Command::Close { done }) => return Err(Stop::Close(done)),
                    None => return Err(Stop::Abandoned),
                },
            }
        }
    }

    fn supervisor(&mut self, direction: Direction) -> &mut Supervisor {
        match direction {
            Direction::Publish(stream) => self.publishing.of_mut(stream),
            Direction::Play => &mut self.playing,
        }
    }

    async fn lost(&mut self, why: LossReason) -> Duration {
        let mut pause = Duration::ZERO;
        for direction in core::mem::take(&mut self.up) {
            pause = pause.max(self.supervisor(direction).lost(why).await);
        }
        pause
    }

    async fn failed(&mut self, error: SfuError) -> Option<Duration> {
        if !self.up.is_empty() {
            self.lost(LossReason::Signalling).await;
        }
        let person = OwnStream::Person;
        let publishes = self.plans.of(person).is_some();
        let direction = if publishes { Direction::Publish(person) } else { Direction::Play };
        match self.supervisor(direction).failed(error).await {
            Next::Pause(pause) => Some(pause),
            Next::WaitForChange => None,
        }
    }
}

impl Media {
    fn publish(
        &mut self,
        stream: OwnStream,
        mut publication: Publication,
        outgoing: Arc<Mutex<Outgoing>>,
        sink: Sink,
    ) {
        let told = self.told.clone();
        let task = self.tasks.spawn(async move {
            let end = match publication.connected().await {
                Ok(()) => {
                    let mut outgoing = outgoing.lock().await;
                    outgoing.open(publication.contexts());
                    drop(told.send(MediaEvent::Connected(Direction::Publish(stream))).await);
                    MediaEvent::Lost(publication.run(&mut outgoing, &sink).await)
                }
                Err(error) => MediaEvent::Failed(error),
            };
            drop(told.send(end).await);
        });
        if stream == OwnStream::Screen {
            self.screen = Some(task);
        }
    }

    fn play(&mut self, mut player: Player) {
        let told = self.told.clone();
        self.tasks.spawn(async move {
            let end = match player.connected().await {
                Ok(()) => {
                    drop(told.send(MediaEvent::Connected(Direction::Play)).await);
                    MediaEvent::Lost(player.run().await)
                }
                Err(error) => MediaEvent::Failed(error),
            };
            drop(told.send(end).await);
        });
    }
}
