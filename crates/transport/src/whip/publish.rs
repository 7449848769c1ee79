//! The loop that keeps one of our publications up over WHIP.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::PublishCommand;
use super::session::{Opened, Opening, Session};
use crate::outbox::Outgoing;
use crate::peer::{Publication, Retransmission, takes_layers};
use crate::shared::Shared;
use crate::supervise::{Next, Supervisor, pause_or_never};
use crate::{Direction, LossReason, OwnStream, PublishPlan, SfuError, ticket};

/// Why the work on one plan ended.
enum End {
    Command(PublishCommand),
    Abandoned,
}

pub(super) struct PublishDriver {
    shared: Arc<Shared>,
    stream: OwnStream,
    commands: mpsc::Receiver<PublishCommand>,
    outgoing: Outgoing,
}

impl PublishDriver {
    pub(super) fn new(
        shared: Arc<Shared>,
        stream: OwnStream,
        commands: mpsc::Receiver<PublishCommand>,
        outgoing: Outgoing,
    ) -> Self {
        Self { shared, stream, commands, outgoing }
    }

    pub(super) async fn run(mut self) {
        let mut next = self.commands.recv().await;
        while let Some(command) = next {
            next = match command {
                PublishCommand::Publish { plan, first } => {
                    let direction = Direction::Publish(self.stream);
                    let supervisor = Supervisor::new(direction, self.shared.sink.clone(), Some(first));
                    match self.keep_up(plan, supervisor).await {
                        End::Command(command) => Some(command),
                        End::Abandoned => None,
                    }
                }
                PublishCommand::Unpublish { done } => {
                    done.send(()).ok();
                    self.commands.recv().await
                }
                PublishCommand::Restart => self.commands.recv().await,
                PublishCommand::Close { done } => {
                    done.send(()).ok();
                    return;
                }
            };
        }
    }

    /// Publishes `plan` until another command than a restart comes.
    async fn keep_up(&mut self, plan: PublishPlan, mut supervisor: Supervisor) -> End {
        loop {
            let mut changes = self.shared.changes();
            let attempt = tokio::select! {
                attempt = connect(&self.shared, self.stream, &plan) => attempt,
                command = self.commands.recv() => match command {
                    Some(PublishCommand::Restart) => continue,
                    other => return ended(other),
                },
            };
            let pause = match attempt {
                Ok((mut publication, session)) => {
                    self.outgoing.open(publication.contexts());
                    supervisor.connected().await;
                    if let Some(refused) = publication.refused(&plan) {
                        supervisor.told(refused).await;
                    }
                    let stop = tokio::select! {
                        why = publication.run(&mut self.outgoing, &self.shared.sink) => Err(why),
                        command = self.commands.recv() => match command {
                            Some(PublishCommand::Restart) => Err(LossReason::Requested),
                            other => Ok(other),
                        },
                    };
                    self.outgoing.close();
                    let why = match stop {
                        Ok(command) => {
                            publication.close().await;
                            session.end().await;
                            return ended(command);
                        }
                        Err(why) => why,
                    };
                    // The server may be gone: its session is ended aside, so that this does not hold us up.
                    tokio::spawn(async move {
                        publication.close().await;
                        session.end().await;
                    });
                    Some(supervisor.lost(why).await)
                }
                Err(error) => match supervisor.failed(error).await {
                    Next::Pause(pause) => Some(pause),
                    Next::WaitForChange => None,
                },
            };
            tokio::select! {
                () = pause_or_never(pause) => {}
                Ok(()) = changes.changed() => {}
                command = self.commands.recv() => match command {
                    Some(PublishCommand::Restart) => {}
                    other => return ended(other),
                },
            }
        }
    }
}

fn ended(command: Option<PublishCommand>) -> End {
    command.map_or(End::Abandoned, End::Command)
}

async fn connect(
    shared: &Arc<Shared>,
    stream: OwnStream,
    plan: &PublishPlan,
) -> Result<(Publication, Session), SfuError> {
    let (mut publication, mut session) = open(shared, stream, plan).await?;
    let layers = plan.video.as_ref().map_or(0, |video| video.layers.len());
    if layers > 1 && !takes_layers(&session.agreed) {
        // It would not know what belongs to which layer: it is offered the largest alone.
        publication.close().await;
        session.end().await;
        (publication, session) = open(shared, stream, &largest_layer(plan)).await?;
    }
    publication.keep_accepted(&session.agreed);
    publication.connected().await?;
    Ok((publication, session))
}

fn largest_layer(plan: &PublishPlan) -> PublishPlan {
    let mut plan = plan.clone();
    if let Some(video) = &mut plan.video {
        video.layers.truncate(1);
    }
    plan
}

async fn open(
    shared: &Arc<Shared>,
    stream: OwnStream,
    plan: &PublishPlan,
) -> Result<(Publication, Session), SfuError> {
    let ticket = shared.ticket();
    let id = ticket::published_id(&ticket, stream)?;
    let endpoint = ticket::publish_endpoint(&ticket, stream, &id, &shared.settings)?;
    // RTX packets of simulcast need a mid and a repaired rid that many servers do not read; plain copies have them all.
    let peer_plan = shared.peer_plan(Direction::Publish(stream), &endpoint, &ticket, Retransmission::Plain);
    let publication = Publication::new(&peer_plan, stream, plan).await?;
    let bearer = ticket::stream_bearer(&ticket, &id);
    let opening = Opening { endpoint: endpoint.clone(), bearer, shared: Arc::clone(shared) };
    match opening.open(publication.signalling()).await? {
        Opened::Session(session) => Ok((publication, session)),
        Opened::CounterOffer { session, offer } => {
            let publication = Publication::new(&peer_plan, stream, plan).await?;
            session.answer(publication.signalling(), &offer).await?;
            Ok((publication, session))
        }
    }
}
