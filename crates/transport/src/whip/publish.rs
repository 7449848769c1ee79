//! The loop that keeps our publication up over WHIP.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::sleep;

use super::session::{Opened, Opening, Session};
use super::{PublishCommand, Shared};
use crate::outbox::Outgoing;
use crate::peer::{PeerPlan, Publication, Retransmission};
use crate::supervise::{Next, Supervisor};
use crate::{Direction, LossReason, PublishPlan, SfuError, ticket};

/// Why the work on one plan ended.
enum End {
    Command(PublishCommand),
    Abandoned,
}

pub(super) struct PublishDriver {
    shared: Arc<Shared>,
    commands: mpsc::Receiver<PublishCommand>,
    outgoing: Outgoing,
}

impl PublishDriver {
    pub(super) fn new(
        shared: Arc<Shared>,
        commands: mpsc::Receiver<PublishCommand>,
        outgoing: Outgoing,
    ) -> Self {
        Self { shared, commands, outgoing }
    }

    pub(super) async fn run(mut self) {
        let mut next = self.commands.recv().await;
        while let Some(command) = next {
            next = match command {
                PublishCommand::Publish { plan, first } => {
                    let supervisor =
                        Supervisor::new(Direction::Publish, self.shared.sink.clone(), Some(first));
                    match self.keep_up(plan, supervisor).await {
                        End::Command(command) => Some(command),
                        End::Abandoned => None,
                    }
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
                attempt = connect(&self.shared, &plan) => attempt,
                command = self.commands.recv() => match command {
                    Some(PublishCommand::Restart) => continue,
                    other => return ended(other),
                },
            };
            let pause = match attempt {
                Ok((mut publication, session)) => {
                    self.outgoing.open(&plan);
                    supervisor.connected().await;
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

/// Sleeps, or for ever.
pub(super) async fn pause_or_never(pause: Option<Duration>) {
    match pause {
        Some(pause) => sleep(pause).await,
        None => core::future::pending().await,
    }
}

async fn connect(shared: &Shared, plan: &PublishPlan) -> Result<(Publication, Session), SfuError> {
    let ticket = shared.ticket();
    let endpoint = ticket::endpoint(&ticket.publish_url, &shared.settings)?;
    let mut peer_plan = PeerPlan {
        direction: Direction::Publish,
        settings: shared.settings.clone(),
        server_host: endpoint.url.host_str().unwrap_or_default().to_owned(),
        ice_servers: ticket.ice_servers.clone(),
        // With simulcast the stack's RTX packets lack mid and rid and are useless; plain copies have them.
        retransmission: Retransmission::Plain,
    };
    let publication = Publication::new(&peer_plan, plan).await?;
    let opening = Opening { endpoint, bearer: ticket.bearer.clone(), settings: &shared.settings };
    let (mut publication, session) = match opening.open(publication.signalling()).await? {
        Opened::Session(session) => (publication, session),
        Opened::CounterOffer { mut session, offer } => {
            peer_plan.ice_servers.extend(session.ice_servers());
            let publication = Publication::new(&peer_plan, plan).await?;
            session.answer(publication.signalling(), &offer).await?;
            (publication, session)
        }
    };
    match publication.connected().await {
        Ok(()) => Ok((publication, session)),
        Err(error) => {
            session.end().await;
            Err(error)
        }
    }
}
