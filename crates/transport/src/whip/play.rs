//! Playing over plain WHEP: one connection for each stream.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use incamera_types::MediaKind;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::PlayCommand;
use super::session::{Opened, Opening, Session};
use crate::peer::{PeerPlan, Player, PlayerHandle, Retransmission, media_lines};
use crate::shared::Shared;
use crate::supervise::{Next, Supervisor, pause_or_never};
use crate::ticket::{self, PlayEndpoint};
use crate::{AudioWant, Direction, SfuError, StreamId, VideoWant, Want};

/// Connections at once: more is for slots or an SFU with many streams on one connection.
const MAX_CONNECTIONS: usize = 16;

/// A stream that nobody publishes yet is looked for at least this often: the first picture of whoever joins waits for
/// it.
const LONGEST_ABSENCE: Duration = Duration::from_millis(400);

/// The connection of one stream.
struct Connection {
    lines: Lines,
    commands: mpsc::Sender<StreamCommand>,
    task: JoinHandle<()>,
}

/// Which m-lines a stream needs; another choice is another connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Lines {
    audio: bool,
    video: bool,
}

impl Lines {
    fn of(want: &Want) -> Self {
        Self { audio: want.audio == AudioWant::Play, video: want.video != VideoWant::Skip }
    }

    fn any(self) -> bool {
        self.audio || self.video
    }
}

enum StreamCommand {
    AskKeyFrame,
    Restart,
    End { done: oneshot::Sender<()> },
}

pub(super) struct PlayDriver {
    shared: Arc<Shared>,
    commands: mpsc::Receiver<PlayCommand>,
    connections: HashMap<StreamId, Connection>,
}

impl PlayDriver {
    pub(super) fn new(shared: Arc<Shared>, commands: mpsc::Receiver<PlayCommand>) -> Self {
        Self { shared, commands, connections: HashMap::new() }
    }

    pub(super) async fn run(mut self) {
        while let Some(command) = self.commands.recv().await {
            match command {
                PlayCommand::Subscribe { wants, done } => drop(done.send(self.subscribe(&wants))),
                PlayCommand::AskKeyFrame(stream) => {
                    if let Some(connection) = self.connections.get(&stream) {
                        drop(connection.commands.try_send(StreamCommand::AskKeyFrame));
                    }
                }
                PlayCommand::Restart => {
                    for connection in self.connections.values() {
                        drop(connection.commands.try_send(StreamCommand::Restart));
                    }
                }
                PlayCommand::Close { done } => {
                    let ending: Vec<_> =
                        self.connections.drain().map(|(_, connection)| end(&connection)).collect();
                    for ended in ending {
                        drop(ended.await);
                    }
                    done.send(()).ok();
                    return;
                }
            }
        }
        for connection in self.connections.values() {
            connection.task.abort();
        }
    }

    fn subscribe(&mut self, wants: &[Want]) -> Result<(), SfuError> {
        let mut wanted: Vec<(&StreamId, Lines)> = Vec::new();
        for want in wants {
            let lines = Lines::of(want);
            if lines.any() && !wanted.iter().any(|(stream, _)| **stream == want.stream) {
                wanted.push((&want.stream, lines));
            }
        }
        let fits = wanted.len() <= MAX_CONNECTIONS;
        wanted.truncate(MAX_CONNECTIONS);
        self.connections.retain(|stream, connection| {
            let kept = wanted.contains(&(stream, connection.lines));
            if !kept {
                drop(end(connection));
            }
            kept
        });
        for (stream, lines) in wanted {
            if self.connections.contains_key(stream) {
                continue;
            }
            let (commands, receiver) = mpsc::channel(super::COMMAND_QUEUE);
            let player = StreamPlayer { shared: Arc::clone(&self.shared), stream: stream.clone(), lines };
            let task = tokio::spawn(player.run(receiver));
            self.connections.insert(stream.clone(), Connection { lines, commands, task });
        }
        if fits { Ok(()) } else { Err(SfuError::TooManyStreams(MAX_CONNECTIONS as u8)) }
    }
}

fn end(connection: &Connection) -> oneshot::Receiver<()> {
    let (done, ended) = oneshot::channel();
    if connection.commands.try_send(StreamCommand::End { done }).is_err() {
        connection.task.abort();
    }
    ended
}

/// Keeps one stream's connection up.
struct StreamPlayer {
    shared: Arc<Shared>,
    stream: StreamId,
    lines: Lines,
}

impl StreamPlayer {
    async fn run(self, mut commands: mpsc::Receiver<StreamCommand>) {
        let mut supervisor = Supervisor::new(Direction::Play, self.shared.sink.clone(), None);
        loop {
            let mut changes = self.shared.changes();
            let attempt = tokio::select! {
                attempt = self.connect() => attempt,
                command = commands.recv() => match command {
                    Some(StreamCommand::AskKeyFrame | StreamCommand::Restart) => continue,
                    other => return finish(other),
                },
            };
            let pause = match attempt {
                Ok((mut player, session)) => {
                    supervisor.connected().await;
                    let handle = player.handle();
                    let stop = tokio::select! {
                        why = player.run() => Ok(why),
                        command = self.take(&mut commands, &handle) => Err(command),
                    };
                    player.close().await;
                    match stop {
                        Ok(why) => {
                            tokio::spawn(async move { session.end().await });
                            Some(supervisor.lost(why).await)
                        }
                        Err(Some(StreamCommand::Restart)) => {
                            session.end().await;
                            Some(supervisor.lost(crate::LossReason::Requested).await)
                        }
                        Err(command) => {
                            session.end().await;
                            return finish(command);
                        }
                    }
                }
                // Nobody publishes it yet, or no longer: 404, or 409 of servers that know it will come.
                Err(SfuError::Refused(404 | 409)) => Some(supervisor.not_there_yet().min(LONGEST_ABSENCE)),
                Err(error) => match supervisor.failed(error).await {
                    Next::Pause(pause) => Some(pause),
                    Next::WaitForChange => None,
                },
            };
            tokio::select! {
                () = pause_or_never(pause) => {}
                Ok(()) = changes.changed() => {}
                command = commands.recv() => match command {
                    Some(StreamCommand::AskKeyFrame | StreamCommand::Restart) => {}
                    other => return finish(other),
                },
            }
        }
    }

    /// Takes commands until one ends the connection.
    async fn take(
        &self,
        commands: &mut mpsc::Receiver<StreamCommand>,
        handle: &PlayerHandle,
    ) -> Option<StreamCommand> {
        loop {
            match commands.recv().await {
                Some(StreamCommand::AskKeyFrame) => handle.ask_key_frame(&self.stream),
                other => return other,
            }
        }
    }

    async fn connect(&self) -> Result<(Player, Session), SfuError> {
        let ticket = self.shared.ticket();
        let settings = &self.shared.settings;
        let PlayEndpoint::PerStream(template) = ticket::play_endpoint(&ticket, settings)? else {
            return Err(SfuError::Address("no address for single streams in the new ticket"));
        };
        let endpoint = ticket::stream_endpoint(&template, &self.stream, settings)?;
        let plan = || self.shared.peer_plan(Direction::Play, &endpoint, &ticket, Retransmission::Rtx);
        let player = self.player(&plan()).await?;
        let bearer = ticket::stream_bearer(&ticket, &self.stream);
        let opening = Opening { endpoint: endpoint.clone(), bearer, shared: Arc::clone(&self.shared) };
        let (mut player, session) = match opening.open(player.signalling()).await? {
            Opened::Session(session) => (player, session),
            Opened::CounterOffer { session, offer } => {
                // The server's own lines are taken as they come.
                let player = Player::new(&plan(), self.shared.sink.clone(), self.shared.clock).await?;
                session.answer(player.signalling(), &offer).await?;
                (player, session)
            }
        };
        for line in media_lines(&session.agreed) {
            player.handle().bind(&line.mid, Some(self.stream.clone()));
        }
        player.connected().await?;
        Ok((player, session))
    }

    async fn player(&self, plan: &PeerPlan) -> Result<Player, SfuError> {
        let player = Player::new(plan, self.shared.sink.clone(), self.shared.clock).await?;
        player.add_lines(MediaKind::Audio, u8::from(self.lines.audio)).await?;
        player.add_lines(MediaKind::Video, u8::from(self.lines.video)).await?;
        Ok(player)
    }
}

fn finish(command: Option<StreamCommand>) {
    if let Some(StreamCommand::End { done }) = command {
        done.send(()).ok();
    }
}
