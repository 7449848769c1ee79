//! The loop that keeps us in the room: one session, whose loss in any part begins all of it anew.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinSet;

use super::Command;
use super::messages::RoomEvent;
use super::room::Room;
use super::socket::keepalive_timer;
use crate::outbox::Outgoing;
use crate::peer::{Player, Publication};
use crate::shared::Shared;
use crate::sink::Sink;
use crate::supervise::{Next, Supervisor, pause_or_never};
use crate::{Direction, LossReason, PublishPlan, SfuError, SfuEvent, Want};

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
}

pub(super) struct JanusDriver {
    shared: Arc<Shared>,
    commands: mpsc::Receiver<Command>,
    outgoing: Arc<Mutex<Outgoing>>,
    plan: Option<PublishPlan>,
    wants: Vec<Want>,
    publishing: Supervisor,
    playing: Supervisor,
    /// Directions that were connected in this session.
    up: Vec<Direction>,
}

impl JanusDriver {
    pub(super) fn new(shared: Arc<Shared>, commands: mpsc::Receiver<Command>, outgoing: Outgoing) -> Self {
        let supervisor = |direction| Supervisor::new(direction, shared.sink.clone(), None);
        Self {
            publishing: supervisor(Direction::Publish),
            playing: supervisor(Direction::Play),
            shared,
            commands,
            outgoing: Arc::new(Mutex::new(outgoing)),
            plan: None,
            wants: Vec::new(),
            up: Vec::new(),
        }
    }

    pub(super) async fn run(mut self) {
        loop {
            let mut changes = self.shared.changes();
            let stop = self.stay().await;
            self.outgoing.lock().await.close();
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
        let shared = Arc::clone(&self.shared);
        let mut room = match self.listen_while(Room::join(&shared)).await {
            Ok(Ok(room)) => room,
            Ok(Err(error)) => return Stop::Failed(error),
            Err(stop) => return stop,
        };
        let (told, events) = mpsc::channel(8);
        let mut media = Media { events, told, tasks: JoinSet::new() };
        self.shared.sink.tell(SfuEvent::StreamsChanged { available: room.available() }).await;
        let stop = match self.begin(&room, &mut media).await {
            Ok(()) => self.follow(&mut room, &mut media).await,
            Err(error) => Stop::Failed(error),
        };
        media.tasks.abort_all();
        if !matches!(stop, Stop::Lost(LossReason::Signalling | LossReason::Silence)) {
            room.socket.destroy().await;
        }
        stop
    }

    async fn begin(&mut self, room: &Room, media: &mut Media) -> Result<(), SfuError> {
        let Some(plan) = &self.plan else { return Ok(()) };
        let publication = room.publish(&self.shared, plan).await?;
        media.publish(publication, Arc::clone(&self.outgoing), self.shared.sink.clone());
        Ok(())
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
                    Some(RoomEvent::Ended) => return Stop::Lost(LossReason::ClosedByServer),
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
                command = self.commands.recv() => match command {
                    Some(Command::Publish { plan, first }) => {
                        let replaced = self.plan.replace(plan).is_some();
                        self.publishing =
                            Supervisor::new(Direction::Publish, self.shared.sink.clone(), Some(first));
                        if replaced {
                            return Stop::Lost(LossReason::Requested);
                        }
                        if let Err(error) = self.begin(room, media).await {
                            return Stop::Failed(error);
                        }
                    }
                    Some(Command::Subscribe { wants, done }) => {
                        self.wants = wants;
                        match room.subscribe(&self.shared, &self.wants).await {
                            Ok(player) => {
                                player.into_iter().for_each(|player| media.play(player));
                                drop(done.send(Ok(())));
                            }
                            // What Janus and we think of the subscription may differ now: begin anew.
                            Err(error) => {
                                drop(done.send(Err(error.clone())));
                                return Stop::Failed(error);
                            }
                        }
                    }
                    Some(Command::AskKeyFrame(stream)) => room.ask_key_frame(&stream),
                    Some(Command::Restart) => return Stop::Lost(LossReason::Requested),
                    Some(Command::Close { done }) => return Stop::Close(done),
                    None => return Stop::Abandoned,
                },
            }
        }
    }

    /// Runs `work` and takes commands meanwhile.
    async fn listen_while<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Stop> {
        tokio::pin!(work);
        loop {
            tokio::select! {
                result = &mut work => return Ok(result),
                command = self.commands.recv() => match command {
                    Some(Command::Publish { plan, first }) => {
                        self.plan = Some(plan);
                        self.publishing =
                            Supervisor::new(Direction::Publish, self.shared.sink.clone(), Some(first));
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
            Direction::Publish => &mut self.publishing,
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
        let direction = if self.plan.is_some() { Direction::Publish } else { Direction::Play };
        match self.supervisor(direction).failed(error).await {
            Next::Pause(pause) => Some(pause),
            Next::WaitForChange => None,
        }
    }
}

impl Media {
    fn publish(&mut self, mut publication: Publication, outgoing: Arc<Mutex<Outgoing>>, sink: Sink) {
        let told = self.told.clone();
        self.tasks.spawn(async move {
            let end = match publication.connected().await {
                Ok(()) => {
                    let mut outgoing = outgoing.lock().await;
                    outgoing.open(publication.contexts());
                    drop(told.send(MediaEvent::Connected(Direction::Publish)).await);
                    MediaEvent::Lost(publication.run(&mut outgoing, &sink).await)
                }
                Err(error) => MediaEvent::Failed(error),
            };
            drop(told.send(end).await);
        });
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
