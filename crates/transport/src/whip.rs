//! WHIP and WHEP (RFC 9725, draft-ietf-wish-whep): any third party's server, and slots on our own.

#[cfg(feature = "fuzz")]
pub(crate) mod fuzz;
mod http;
mod link;
mod play;
mod publish;
mod session;
mod slot_table;
mod slots;
mod streams;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use incamera_relay_proto::Ticket;
use incamera_sframe::SealedFrame;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::outbox::{Outbox, PerOwnStream, outbox};
use crate::shared::Shared;
use crate::sink::Sink;
use crate::supervise::FirstResult;
use crate::ticket::{self, PlayEndpoint};
use crate::{
    Capabilities, Clock, Discovery, OwnStream, PublishPlan, SendOutcome, Sfu, SfuError, SfuSettings,
    SfuStatistics, StreamId, Subscription, Want,
};
pub(crate) use http::Clients;
use play::PlayDriver;
use publish::PublishDriver;
pub(crate) use slot_table::layer_index;
use slots::SlotsDriver;

/// Time to end all sessions in an orderly way.
const CLOSE_LIMIT: Duration = Duration::from_millis(1_000);

/// Commands that may wait for a driver.
const COMMAND_QUEUE: usize = 16;

/// What the publishing driver is told.
pub(crate) enum PublishCommand {
    Publish { plan: PublishPlan, first: FirstResult },
    Unpublish { done: oneshot::Sender<()> },
    Restart,
    Close { done: oneshot::Sender<()> },
}

/// What a playing driver is told.
pub(crate) enum PlayCommand {
    Subscribe { wants: Vec<Want>, done: oneshot::Sender<Result<(), SfuError>> },
    AskKeyFrame(StreamId),
    Restart,
    Close { done: oneshot::Sender<()> },
}

/// The adapter.
pub(crate) struct WhipSfu {
    shared: Arc<Shared>,
    outboxes: PerOwnStream<Outbox>,
    publish: PerOwnStream<mpsc::Sender<PublishCommand>>,
    play: mpsc::Sender<PlayCommand>,
    subscription: Subscription,
    /// The latest of [`Sfu::subscribe`], so that answers come in order.
    subscribing: tokio::sync::Mutex<()>,
    closing: Mutex<bool>,
}

impl WhipSfu {
    /// Starts the drivers. With slots the player connects at once, in parallel with whatever the caller does next.
    pub(crate) fn start(
        ticket: Ticket,
        settings: SfuSettings,
        sink: Sink,
        clock: Clock,
    ) -> Result<Self, SfuError> {
        let own = ticket::own_stream(&ticket);
        ticket::publish_endpoint(&ticket, OwnStream::Person, &own, &settings)?;
        let endpoint = ticket::play_endpoint(&ticket, &settings)?;
        let slots = settings.slots;
        let shared = Shared::new(ticket, settings, sink, clock);
        let publishers = PerOwnStream::make(|stream| {
            let (outbox, outgoing) = outbox(Arc::clone(&shared.sink.counters));
            let (publish, commands) = mpsc::channel(COMMAND_QUEUE);
            tokio::spawn(PublishDriver::new(Arc::clone(&shared), stream, commands, outgoing).run());
            (outbox, publish)
        });
        let (outboxes, publish) = publishers.unzip();
        let (play, play_commands) = mpsc::channel(COMMAND_QUEUE);
        let subscription = match endpoint {
            PlayEndpoint::Slots(_) => {
                tokio::spawn(SlotsDriver::new(Arc::clone(&shared), play_commands, slots).run());
                Subscription::Slots(slots)
            }
            PlayEndpoint::PerStream(_) => {
                tokio::spawn(PlayDriver::new(Arc::clone(&shared), play_commands).run());
                Subscription::PerStream
            }
        };
        let subscribing = tokio::sync::Mutex::new(());
        Ok(Self { shared, outboxes, publish, play, subscription, subscribing, closing: Mutex::new(false) })
    }
}

#[async_trait]
impl Sfu for WhipSfu {
    fn capabilities(&self) -> Capabilities {
        let discovery = match self.subscription {
            Subscription::Slots(_) => Discovery::BySfu,
            Subscription::PerStream => Discovery::ByGroup,
        };
        Capabilities { layers: 3, subscription: self.subscription, discovery }
    }

    fn own_stream(&self) -> Option<StreamId> {
        Some(ticket::own_stream(&self.shared.ticket()))
    }

    async fn publish(&self, stream: OwnStream, plan: PublishPlan) -> Result<(), SfuError> {
        let (first, result) = oneshot::channel();
        let command = PublishCommand::Publish { plan, first };
        self.publish.of(stream).send(command).await.map_err(|_| SfuError::Closed)?;
        result.await.map_err(|_| SfuError::Closed)?
    }

    async fn unpublish(&self, stream: OwnStream) {
        let (done, ended) = oneshot::channel();
        drop(self.publish.of(stream).send(PublishCommand::Unpublish { done }).await);
        drop(ended.await);
    }

    fn send(&self, frame: SealedFrame) -> SendOutcome {
        self.outboxes.send(frame)
    }

    async fn subscribe(&self, wants: &[Want]) -> Result<(), SfuError> {
        let _turn = self.subscribing.lock().await;
        let (done, result) = oneshot::channel();
        let command = PlayCommand::Subscribe { wants: wants.to_vec(), done };
        self.play.send(command).await.map_err(|_| SfuError::Closed)?;
        result.await.map_err(|_| SfuError::Closed)?
    }

    fn ask_key_frame(&self, stream: &StreamId) {
        // A full queue means that the driver is busy connecting: nothing to ask yet.
        drop(self.play.try_send(PlayCommand::AskKeyFrame(stream.clone())));
    }

    fn renew(&self, ticket: Ticket) {
        self.shared.renew(ticket);
    }

    fn restart(&self) {
        self.shared.changed();
        for stream in OwnStream::ALL {
            drop(self.publish.of(stream).try_send(PublishCommand::Restart));
        }
        drop(self.play.try_send(PlayCommand::Restart));
    }

    fn statistics(&self) -> SfuStatistics {
        self.shared.sink.counters.read()
    }

    async fn close(&self) {
        if core::mem::replace(&mut *self.closing.lock().unwrap_or_else(PoisonError::into_inner), true) {
            return;
        }
        let all = async {
            let mut closed = Vec::new();
            for stream in OwnStream::ALL {
                let (done, published) = oneshot::channel();
                drop(self.publish.of(stream).send(PublishCommand::Close { done }).await);
                closed.push(published);
            }
            let (done, played) = oneshot::channel();
            drop(self.play.send(PlayCommand::Close { done }).await);
            closed.push(played);
            for ended in closed {
                drop(ended.await);
            }
        };
        drop(timeout(CLOSE_LIMIT, all).await);
    }
}
