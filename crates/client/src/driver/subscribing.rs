//! The connection to the SFU: made when a ticket comes, told what is wanted, watched.

use std::sync::Arc;
use std::time::Duration;

use incamera_meeting::{Input, MeetingState};
use incamera_relay_proto::{Ticket, TicketIdentity};
use incamera_transport::{
    Clock, Direction as SfuDirection, Discovery, MediaServer, OwnStream, PublishPlan, Sfu, SfuError,
    SfuEvent, SfuSettings, SfuStatistics, StreamId, Want, connect_sfu, media_server,
};
use incamera_types::{Fault as _, Mono, Retry};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::{MeetingDriver, sharing};
use crate::clock;
use crate::event::{Direction, Event, LocalEvent, Problem, SharingEnd, millis};
use crate::outgoing::Outbound;
use crate::statistics::MediaServerStatistics;

/// The present SFU connection, if there is one.
pub(crate) struct SfuLink {
    settings: SfuSettings,
    present: Option<Present>,
    /// The first failure is told; the same code again is not.
    told: Option<&'static str>,
    playing: Playing,
    tickets: TicketAsks,
}

/// When another ticket is asked for because the SFU refused the present one: at once, then ever more seldom, so that
/// a server that refuses everything is not asked in a loop.
#[derive(Clone, Copy)]
struct TicketAsks {
    due: Option<Mono>,
    pause: Duration,
}

/// Longest pause between two tickets that are refused.
const LONGEST_TICKET_PAUSE: Duration = Duration::from_secs(32);

impl TicketAsks {
    const NONE: Self = Self { due: None, pause: Duration::ZERO };

    fn refused(&mut self, now: Mono) {
        self.due.get_or_insert(now.plus(self.pause));
    }

    /// Whether one is due; the next waits longer.
    fn take_due(&mut self, now: Mono) -> bool {
        let is_due = self.due.take_if(|due| *due <= now).is_some();
        if is_due {
            self.pause = (self.pause * 2).clamp(Duration::from_secs(1), LONGEST_TICKET_PAUSE);
        }
        is_due
    }
}

/// Whether media of others can reach us.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Playing {
    Connected,
    NotConnected,
}

struct Present {
    identity: TicketIdentity,
    server: MediaServer,
    sfu: Arc<dyn Sfu>,
    events: mpsc::Receiver<SfuEvent>,
    wants: watch::Sender<Vec<Want>>,
    /// How many streams the SFU carries, while more are wanted.
    most_streams: watch::Receiver<Option<u8>>,
    publishing: Option<JoinHandle<()>>,
    screen: watch::Sender<Option<PublishPlan>>,
    sharing: JoinHandle<()>,
    subscribing: JoinHandle<()>,
}

impl SfuLink {
    pub(crate) const fn new(settings: SfuSettings) -> Self {
        Self {
            settings,
            present: None,
            told: None,
            playing: Playing::NotConnected,
            tickets: TicketAsks::NONE,
        }
    }

    /// The next event; waits for ever while there is no connection.
    pub(super) async fn next_event(&mut self) -> Option<SfuEvent> {
        match &mut self.present {
            Some(present) => present.events.recv().await,
            None => std::future::pending().await,
        }
    }

    /// Whether media of others can reach us.
    pub(super) fn is_playing(&self) -> bool {
        self.playing == Playing::Connected
    }

    /// Whether another ticket is to be asked for.
    pub(super) fn is_ticket_due(&mut self, now: Mono) -> bool {
        self.tickets.take_due(now)
    }

    /// How many streams the SFU carries, while more are wanted.
    pub(super) fn most_streams(&self) -> Option<u8> {
        self.present.as_ref().and_then(|present| *present.most_streams.borrow())
    }

    fn set_playing(&mut self, direction: SfuDirection, playing: Playing) {
        if direction == SfuDirection::Play {
            self.playing = playing;
        }
    }

    /// Makes the present connection anew.
    pub(super) fn restart(&self) {
        if let Some(present) = &self.present {
            present.sfu.restart();
        }
    }

    pub(super) fn ask_key_frame(&self, stream: &StreamId) {
        if let Some(present) = &self.present {
            present.sfu.ask_key_frame(stream);
        }
    }

    /// Packets sent again over the present connection.
    pub(super) fn packets_resent(&self) -> u64 {
        self.present.as_ref().map_or(0, |present| present.sfu.statistics().packets_resent)
    }

    /// The media server of the present connection, and what it was given.
    pub(super) fn media_server(&self) -> Option<MediaServerStatistics> {
        let Present { server, sfu, .. } = self.present.as_ref()?;
        let SfuStatistics { packets_sent, payload_bytes_sent, .. } = sfu.statistics();
        Some(MediaServerStatistics {
            kind: server.kind.into(),
            address: server.address.clone(),
            is_cleartext: server.is_cleartext,
            packets_sent,
            payload_bytes_sent,
        })
    }

    pub(super) async fn close(&mut self) {
        if let Some(present) = self.present.take() {
            present.end().await;
        }
    }
}

impl Present {
    /// Whether the SFU is somebody else's WHIP server, of which nothing but the standard can be expected.
    fn is_plain(&self) -> bool {
        self.sfu.capabilities().discovery == Discovery::ByGroup
    }

    async fn end(self) {
        self.subscribing.abort();
        self.sharing.abort();
        if let Some(publishing) = self.publishing {
            publishing.abort();
        }
        self.sfu.close().await;
    }
}

impl MeetingDriver {
    /// Connects with a new ticket: publishing and playing begin in parallel. A renewed ticket of the same identity
    /// serves for later connections.
    pub(super) fn use_ticket(&mut self, ticket: &Ticket) {
        if let Some(present) = self.link.present.take_if(|present| present.identity != ticket.identity) {
            tokio::spawn(present.end());
        }
        if let Some(present) = &self.link.present {
            return present.sfu.renew(ticket.clone());
        }
        let settings = self.link.settings.clone();
        let connected = media_server(ticket, &settings).and_then(|server| {
            let clock = Clock::new(|| clock::now().mono);
            connect_sfu(ticket.clone(), settings, clock).map(|(sfu, events)| (server, sfu, events))
        });
        let (server, sfu, events) = match connected {
            Ok(connected) => connected,
            Err(error) => return self.problem(Problem::of(&error)),
        };
        let (wants, wanted) = watch::channel(self.people.wanted());
        let (most, most_streams) = watch::channel(None);
        let subscribing = tokio::spawn(subscribe(Arc::clone(&sfu), wanted, most, self.events.clone()));
        let (screen, planned) = watch::channel(None);
        let sharing = tokio::spawn(sharing::follow(Arc::clone(&sfu), planned));
        self.sealing.order(Outbound::Publisher(Arc::clone(&sfu)));
        self.link.present = Some(Present {
            identity: ticket.identity,
            server,
            sfu,
            events,
            wants,
            most_streams,
            publishing: None,
            screen,
            sharing,
            subscribing,
        });
        self.publish();
    }

    /// Begins to publish, once, when it is time. A plain WHIP server may take what comes in the first two seconds for all
    /// that there is, and end a connection on which nothing comes (MediaMTX does): it gets ours when we have something to
    /// send.
    pub(super) fn publish(&mut self) {
        let Some(present) = &mut self.link.present else { return };
        let waits = present.is_plain() && self.publishing.waits_for_company();
        if present.publishing.is_none() && !waits {
            let publishing = publish(Arc::clone(&present.sfu), self.publishing.plan());
            present.publishing = Some(tokio::spawn(publishing));
        }
        self.publish_screen();
    }

    /// Begins or ends to publish the screen, as it is shared now.
    pub(super) fn publish_screen(&self) {
        let Some(present) = &self.link.present else { return };
        let waits = present.is_plain() && self.publishing.waits_for_company();
        let plan = self.publishing.screen_plan().filter(|_| !waits);
        present.screen.send_if_modified(|planned| {
            let changed = *planned != plan;
            *planned = plan;
            changed
        });
    }

    /// Players are about to connect to what we publish. A plain WHIP server may not pass on that they ask for a key frame
    /// (MediaMTX does not): they get some unasked.
    pub(super) fn expect_players(&mut self) {
        if self.link.present.as_ref().is_some_and(Present::is_plain) {
            self.publishing.repeat_key_frames(clock::now().mono);
        }
    }

    /// Tells the others what we send, once we are in the meeting.
    pub(super) fn announce(&mut self) {
        if self.machine.state() != MeetingState::InMeeting {
            return;
        }
        let streams = self.publishing.announcement();
        self.publishing.announced(clock::now().mono);
        self.input(Input::Command(incamera_meeting::Command::AnnounceStreams { streams }));
    }

    pub(super) fn update_subscriptions(&self) {
        if let Some(present) = &self.link.present {
            let wanted = self.people.wanted();
            present.wants.send_if_modified(|wants| {
                let changed = *wants != wanted;
                *wants = wanted;
                changed
            });
        }
    }

    pub(super) fn start_capture(&mut self) {
        if let Err(error) = self.publishing.start_capture() {
            self.problem(Problem::of(&error));
        }
    }

    pub(super) fn connection_event(&mut self, event: SfuEvent) {
        match event {
            SfuEvent::Connected { direction, took } => {
                self.link.tickets = TicketAsks::NONE;
                self.link.set_playing(direction, Playing::Connected);
                if let SfuDirection::Publish(stream) = direction {
                    self.publishing.set_connected(stream);
                    self.start_capture();
                    self.expect_players();
                }
                if let Some(direction) = told(direction) {
                    self.tell(LocalEvent::SfuConnected { direction, took_ms: millis(took) });
                }
            }
            SfuEvent::Lost { direction, .. } => {
                self.link.set_playing(direction, Playing::NotConnected);
                if let Some(direction) = told(direction) {
                    self.tell(LocalEvent::SfuLost { direction });
                }
            }
            SfuEvent::Reconnected { direction, gap } => {
                self.link.set_playing(direction, Playing::Connected);
                self.link.told = None;
                if matches!(direction, SfuDirection::Publish(_)) {
                    self.expect_players();
                }
                if let Some(direction) = told(direction) {
                    self.tell(LocalEvent::SfuReconnected { direction, gap_ms: millis(gap) });
                }
            }
            SfuEvent::AttemptFailed { direction, error } => {
                if matches!(error, SfuError::Ticket) {
                    self.link.tickets.refused(clock::now().mono);
                } else if direction == SfuDirection::Publish(OwnStream::Screen)
                    && error.retry() == Retry::Never
                {
                    self.stop_sharing(SharingEnd::Refused);
                }
                if self.link.told.replace(error.code()) != Some(error.code()) {
                    self.problem(Problem::of(&error));
                }
            }
            _ => {}
        }
    }
}

async fn publish(sfu: Arc<dyn Sfu>, plan: PublishPlan) {
    // A failure is told as an event, and attempts go on.
    if let Err(error) = sfu.publish(OwnStream::Person, plan).await {
        tracing::debug!(code = error.code(), "publishing did not succeed at once");
    }
}

async fn subscribe(
    sfu: Arc<dyn Sfu>,
    mut wanted: watch::Receiver<Vec<Want>>,
    most: watch::Sender<Option<u8>>,
    told: UnboundedSender<Event>,
) {
    let mut known = None;
    loop {
        let wants = wanted.borrow_and_update().clone();
        let refused = sfu.subscribe(&wants).await.err();
        if let Some(error) = &refused {
            tracing::debug!(code = error.code(), "subscribing did not succeed at once");
        }
        let limit = refused
            .filter(|error| matches!(error, SfuError::TooManyStreams(_) | SfuError::TooManyPictures(_)));
        most.send_replace(match limit {
            Some(SfuError::TooManyStreams(most)) => Some(most),
            _ => None,
        });
        if let Some(error) = limit.as_ref().filter(|_| limit != known) {
            // Nobody listens: the meeting is over.
            let _ = told.send(LocalEvent::Problem(Problem::of(error)).into());
        }
        known = limit;
        if wanted.changed().await.is_err() {
            return;
        }
    }
}

/// What edges are told of. That a screen flows, or no longer does, is told by what concerns sharing.
const fn told(direction: SfuDirection) -> Option<Direction> {
    match direction {
        SfuDirection::Publish(OwnStream::Person) => Some(Direction::Publish),
        SfuDirection::Publish(OwnStream::Screen) => None,
        SfuDirection::Play => Some(Direction::Play),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tickets_are_asked_for_at_once_and_then_ever_more_seldom() {
        let mut asks = TicketAsks::NONE;
        let mut asked = Vec::new();
        for second in 0..120 {
            let now = Mono::default().plus(Duration::from_secs(second));
            asks.refused(now);
            if asks.take_due(now) {
                asked.push(second);
            }
        }
        assert_eq!(asked, [0, 2, 5, 10, 19, 36, 69, 102]);
    }
}
