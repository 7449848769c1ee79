//! Janus' VideoRoom, multistream, over WebSocket (Janus 1.x).

mod driver;
#[cfg(feature = "fuzz")]
pub(crate) mod fuzz;
mod messages;
mod room;
mod socket;

use std::sync::Arc;
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
use crate::{
    Capabilities, Clock, Discovery, OwnStream, PublishPlan, SendOutcome, Sfu, SfuError, SfuSettings,
    SfuStatistics, StreamId, Subscription, Want, ticket,
};
use driver::JanusDriver;

/// Time to end the session in an orderly way.
const CLOSE_LIMIT: Duration = Duration::from_millis(1_000);

/// Commands that may wait for the driver.
const COMMAND_QUEUE: usize = 16;

/// What the driver is told.
enum Command {
    Publish { stream: OwnStream, plan: PublishPlan, first: FirstResult },
    Unpublish { stream: OwnStream, done: oneshot::Sender<()> },
    Subscribe { wants: Vec<Want>, done: oneshot::Sender<Result<(), SfuError>> },
    AskKeyFrame(StreamId),
    Restart,
    Close { done: oneshot::Sender<()> },
}

/// The adapter.
pub(crate) struct JanusSfu {
    shared: Arc<Shared>,
    outboxes: PerOwnStream<Outbox>,
    commands: mpsc::Sender<Command>,
    /// Answers of [`Sfu::subscribe`] come in order.
    subscribing: tokio::sync::Mutex<()>,
}

impl JanusSfu {
    /// Starts the driver, which joins the room at once.
    pub(crate) fn start(
        ticket: Ticket,
        settings: SfuSettings,
        sink: Sink,
        clock: Clock,
    ) -> Result<Self, SfuError> {
        ticket::endpoint(&ticket.publish_url, &settings)?;
        if ticket.janus.is_none() {
            return Err(SfuError::Address("no room in the ticket"));
        }
        let boxes = PerOwnStream::make(|_| outbox(Arc::clone(&sink.counters)));
        let (outboxes, outgoing) = boxes.unzip();
        let shared = Shared::new(ticket, settings, sink, clock);
        let (commands, receiver) = mpsc::channel(COMMAND_QUEUE);
        tokio::spawn(JanusDriver::new(Arc::clone(&shared), receiver, outgoing).run());
        Ok(Self { shared, outboxes, commands, subscribing: tokio::sync::Mutex::new(()) })
    }
}

#[async_trait]
impl Sfu for JanusSfu {
    fn capabilities(&self) -> Capabilities {
        Capabilities { layers: 3, subscription: Subscription::PerStream, discovery: Discovery::BySfu }
    }

    fn own_stream(&self) -> Option<StreamId> {
        Some(ticket::own_stream(&self.shared.ticket()))
    }

    async fn publish(&self, stream: OwnStream, plan: PublishPlan) -> Result<(), SfuError> {
        let (first, result) = oneshot::channel();
        let command = Command::Publish { stream, plan, first };
        self.commands.send(command).await.map_err(|_| SfuError::Closed)?;
        result.await.map_err(|_| SfuError::Closed)?
    }

    async fn unpublish(&self, stream: OwnStream) {
        let (done, ended) = oneshot::channel();
        drop(self.commands.send(Command::Unpublish { stream, done }).await);
        drop(ended.await);
    }

    fn send(&self, frame: SealedFrame) -> SendOutcome {
        self.outboxes.send(frame)
    }

    async fn subscribe(&self, wants: &[Want]) -> Result<(), SfuError> {
        let _turn = self.subscribing.lock().await;
        let (done, result) = oneshot::channel();
        let command = Command::Subscribe { wants: wants.to_vec(), done };
        self.commands.send(command).await.map_err(|_| SfuError::Closed)?;
        result.await.map_err(|_| SfuError::Closed)?
    }

    fn ask_key_frame(&self, stream: &StreamId) {
        // A full queue means that the driver is busy connecting: nothing to ask yet.
        drop(self.commands.try_send(Command::AskKeyFrame(stream.clone())));
    }

    fn renew(&self, ticket: Ticket) {
        self.shared.renew(ticket);
    }

    fn restart(&self) {
        drop(self.commands.try_send(Command::Restart));
    }

    fn statistics(&self) -> SfuStatistics {
        self.shared.sink.counters.read()
    }

    async fn close(&self) {
        let (done, closed) = oneshot::channel();
        let closing = async {
            drop(self.commands.send(Command::Close { done }).await);
            drop(closed.await);
        };
        drop(timeout(CLOSE_LIMIT, closing).await);
    }
}
