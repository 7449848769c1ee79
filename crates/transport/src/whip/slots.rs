//! The loop that keeps the player with slots up, on our own SFU.

use std::sync::Arc;
use std::time::Duration;

use incamera_types::MediaKind;
use reqwest::Method;
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::session::{Opened, Opening, Session};
use super::slot_table::{SlotBinding, SlotTable};
use super::{PlayCommand, http, streams};
use crate::peer::{Player, PlayerHandle, Retransmission, media_lines};
use crate::shared::Shared;
use crate::supervise::{Next, Supervisor, at_or_never, pause_or_never};
use crate::ticket::{self, Endpoint, PlayEndpoint};
use crate::{AudioWant, Direction, LossReason, SfuError, Slots, VideoWant, Want};

/// A server that took no binding, being busy, is asked again after this long.
const APPLY_AGAIN: Duration = Duration::from_secs(1);

#[derive(Serialize)]
struct SlotsBody {
    slots: Vec<SlotBinding>,
}

/// A connected player and what belongs to it.
struct Show {
    player: Player,
    board: SlotBoard,
    streams: Option<JoinHandle<()>>,
}

/// The slots of a session, without its media.
struct SlotBoard {
    handle: PlayerHandle,
    session: Session,
    resource: Endpoint,
    table: SlotTable,
}

impl Drop for Show {
    fn drop(&mut self) {
        if let Some(streams) = &self.streams {
            streams.abort();
        }
    }
}

enum Stop {
    Lost(LossReason),
    Close(oneshot::Sender<()>),
    Abandoned,
}

pub(super) struct SlotsDriver {
    shared: Arc<Shared>,
    commands: mpsc::Receiver<PlayCommand>,
    slots: Slots,
    wants: Vec<Want>,
}

impl SlotsDriver {
    pub(super) fn new(shared: Arc<Shared>, commands: mpsc::Receiver<PlayCommand>, slots: Slots) -> Self {
        Self { shared, commands, slots, wants: Vec::new() }
    }

    pub(super) async fn run(mut self) {
        let mut supervisor = Supervisor::new(Direction::Play, self.shared.sink.clone(), None);
        loop {
            let mut changes = self.shared.changes();
            let (shared, slots) = (Arc::clone(&self.shared), self.slots);
            let attempt = match self.listen_while(connect(&shared, slots)).await {
                Ok(attempt) => attempt,
                Err(Stop::Lost(_)) => continue,
                Err(stop) => return finish(stop),
            };
            let pause = match attempt {
                Ok(mut show) => {
                    // Binding what is wanted already counts as connecting.
                    if let Err(error) = show.board.apply(&self.wants).await {
                        tracing::info!(%error, "slots were not bound");
                    }
                    supervisor.connected().await;
                    let stop = self.play(&mut show).await;
                    let session = show.board.session.clone();
                    match stop {
                        Stop::Lost(why) => {
                            tokio::spawn(async move {
                                show.player.close().await;
                                session.end().await;
                            });
                            Some(supervisor.lost(why).await)
                        }
                        stop => {
                            show.player.close().await;
                            session.end().await;
                            return finish(stop);
                        }
                    }
                }
                Err(error) => match supervisor.failed(error).await {
                    Next::Pause(pause) => Some(pause),
                    Next::WaitForChange => None,
                },
            };
            let pausing = async {
                tokio::select! {
                    () = pause_or_never(pause) => {}
                    Ok(()) = changes.changed() => {}
                }
            };
            match self.listen_while(pausing).await {
                Ok(()) | Err(Stop::Lost(_)) => {}
                Err(stop) => return finish(stop),
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
                    Some(PlayCommand::Subscribe { wants, done }) => {
                        drop(done.send(fits(&wants, self.slots)));
                        self.wants = wants;
                    }
                    Some(PlayCommand::AskKeyFrame(_)) => {}
                    Some(PlayCommand::Restart) => return Err(Stop::Lost(LossReason::Requested)),
                    Some(PlayCommand::Close { done }) => return Err(Stop::Close(done)),
                    None => return Err(Stop::Abandoned),
                },
            }
        }
    }

    async fn play(&mut self, show: &mut Show) -> Stop {
        let Show { player, board, .. } = show;
        let running = player.run();
        tokio::pin!(running);
        // The binding that came with the connection may have failed; what is bound is not bound again.
        let mut again = Some(Instant::now() + APPLY_AGAIN);
        loop {
            let asked = tokio::select! {
                why = &mut running => return Stop::Lost(why),
                () = at_or_never(again) => None,
                command = self.commands.recv() => match command {
                    Some(PlayCommand::Subscribe { wants, done }) => {
                        self.wants = wants;
                        Some(done)
                    }
                    Some(PlayCommand::AskKeyFrame(stream)) => {
                        board.handle.ask_key_frame(&stream);
                        continue;
                    }
                    Some(PlayCommand::Restart) => return Stop::Lost(LossReason::Requested),
                    Some(PlayCommand::Close { done }) => return Stop::Close(done),
                    None => return Stop::Abandoned,
                },
            };
            // Media goes on while the server is asked.
            let applied = tokio::select! {
                applied = board.apply(&self.wants) => applied,
                why = &mut running => {
                    if let Some(done) = asked {
                        drop(done.send(Ok(())));
                    }
                    return Stop::Lost(why);
                }
            };
            again = applied.is_err().then(|| Instant::now() + APPLY_AGAIN);
            if let Some(done) = asked {
                drop(done.send(applied.and_then(|()| fits(&self.wants, board.table.slots()))));
            }
        }
    }
}

fn finish(stop: Stop) {
    if let Stop::Close(done) = stop {
        done.send(()).ok();
    }
}

fn fits(wants: &[Want], slots: Slots) -> Result<(), SfuError> {
    let heard = wants.iter().filter(|want| want.audio == AudioWant::Play).count();
    let seen = wants.iter().filter(|want| want.video != VideoWant::Skip).count();
    if heard > usize::from(slots.audio) {
        Err(SfuError::TooManyStreams(slots.audio))
    } else if seen > usize::from(slots.video) {
        Err(SfuError::TooManyPictures(slots.video))
    } else {
        Ok(())
    }
}

impl SlotBoard {
    /// Tells the server what has changed.
    async fn apply(&mut self, wants: &[Want]) -> Result<(), SfuError> {
        let mut table = self.table.clone();
        let slots = table.arrange(wants);
        if slots.is_empty() {
            return Ok(());
        }
        // Hints follow the binding at once; the first frames may still be the old stream's. Who sent a frame is
        // said by its key id.
        for (mid, stream) in table.bindings() {
            self.handle.bind(mid, stream.cloned());
        }
        let body = serde_json::to_string(&SlotsBody { slots }).map_err(crate::peer::local)?;
        let answer = self.session.request(Method::PUT, &self.resource, body).await?;
        if answer.status != 200 {
            return Err(http::refusal(&answer));
        }
        self.table = table;
        Ok(())
    }
}

async fn connect(shared: &Arc<Shared>, slots: Slots) -> Result<Show, SfuError> {
    let ticket = shared.ticket();
    let PlayEndpoint::Slots(endpoint) = ticket::play_endpoint(&ticket, &shared.settings)? else {
        return Err(SfuError::Address("no address for slots in the new ticket"));
    };
    let plan = shared.peer_plan(Direction::Play, &endpoint, &ticket, Retransmission::Rtx);
    let mut player = Player::new(&plan, shared.sink.clone(), shared.clock).await?;
    player.add_lines(MediaKind::Audio, slots.audio).await?;
    player.add_lines(MediaKind::Video, slots.video).await?;
    let opening = Opening { endpoint, bearer: ticket.bearer.clone(), shared: Arc::clone(shared) };
    let Opened::Session(session) = opening.open(player.signalling()).await? else {
        return Err(SfuError::Protocol("a counter-offer for slots"));
    };
    let resource = session.slots().ok_or(SfuError::Protocol("no slots"))?;
    player.connected().await?;
    let lines = media_lines(&session.agreed).into_iter().filter(|line| line.active);
    let table = SlotTable::new(lines.filter_map(|line| line.kind.map(|kind| (line.mid, kind))));
    let streams = session
        .streams()
        .map(|resource| tokio::spawn(streams::watch(Arc::clone(shared), session.clone(), resource)));
    let board = SlotBoard { handle: player.handle(), session, resource, table };
    Ok(Show { player, board, streams })
}
