//! One stay in a Janus room: joining, publishing, and a subscription that follows what is wanted.

use std::collections::HashMap;

use incamera_relay_proto::Ticket;
use incamera_types::MediaKind;
use serde_json::{Value, json};

use super::messages::{
    Feed, FeedLine, MAX_FEEDS, Refusal, RoomEvent, SubscribedLine, create_room, description, feeds,
    is_put_off, plugin_data, refusal, subscribed_lines,
};
use super::socket::JanusSocket;
use crate::peer::{PeerPlan, PeerSignalling, Player, PlayerHandle, Publication, Retransmission};
use crate::shared::Shared;
use crate::ticket::{self, Endpoint};
use crate::whip::layer_index;
use crate::{AudioWant, Direction, OwnStream, PublishPlan, RemoteStream, SfuError, VideoWant, Want};

/// Our presence in a room.
pub(super) struct Room {
    pub(super) socket: JanusSocket,
    ticket: Ticket,
    endpoint: Endpoint,
    publisher: u64,
    /// The handle of our screen, a publisher of its own, while it is shared.
    screen: Option<u64>,
    /// The handle for receiving, once there was something to receive.
    subscriber: Option<u64>,
    feeds: HashMap<u64, Feed>,
    subscription: Option<SubscriptionState>,
}

/// The subscriber handle and its connection's signalling.
struct SubscriptionState {
    handle: u64,
    signalling: PeerSignalling,
    player: PlayerHandle,
    lines: Vec<SubscribedLine>,
    /// Substream asked for, by m-line.
    substreams: HashMap<String, u8>,
}

/// A feed's line that is to be received.
#[derive(Clone, Debug, PartialEq, Eq)]
struct WantedLine {
    feed: u64,
    line: FeedLine,
    /// Janus' number of the layer: 2 is the largest.
    substream: Option<u8>,
}

impl Room {
    /// Joins, making the room if there is none.
    pub(super) async fn join(shared: &Shared) -> Result<Self, SfuError> {
        let ticket = shared.ticket();
        let endpoint = ticket::endpoint(&ticket.publish_url, &shared.settings)?;
        let socket = JanusSocket::open(&endpoint, shared.settings.cleartext, ticket.bearer.expose()).await?;
        let publisher = socket.attach().await?;
        let mut room = Self {
            socket,
            ticket,
            endpoint,
            publisher,
            screen: None,
            subscriber: None,
            feeds: HashMap::new(),
            subscription: None,
        };
        let joined = match room.try_join(publisher, OwnStream::Person).await {
            Err(Refusal::NoSuchRoom) => {
                room.create().await?;
                room.try_join(publisher, OwnStream::Person).await?
            }
            other => other?,
        };
        room.note_feeds(plugin_data(&joined).map(feeds).unwrap_or_default());
        Ok(room)
    }

    async fn try_join(&self, handle: u64, stream: OwnStream) -> Result<Value, Refusal> {
        let mut body = self.in_room("join")?;
        set(&mut body, "ptype", json!("publisher"));
        set(&mut body, "display", json!(ticket::published_id(&self.ticket, stream)?.as_str()));
        checked(self.socket.message(handle, body, None).await?)
    }

    /// Somebody else may be quicker: then the room is there as well.
    async fn create(&self) -> Result<(), SfuError> {
        let (room, pin) = self.number_and_pin()?;
        let created = self.socket.message(self.publisher, create_room(room, pin), None).await?;
        match refusal(&created) {
            None | Some(Refusal::RoomExists) => Ok(()),
            Some(refusal) => Err(refusal.into()),
        }
    }

    /// Begins to publish; the connection is then on its way to come about.
    pub(super) async fn publish(
        &mut self,
        shared: &Shared,
        stream: OwnStream,
        plan: &PublishPlan,
    ) -> Result<Publication, SfuError> {
        let handle = match stream {
            OwnStream::Person => self.publisher,
            OwnStream::Screen => self.join_for_screen().await?,
        };
        let peer_plan = self.peer_plan(shared, Direction::Publish(stream));
        let publication = Publication::new(&peer_plan, stream, plan).await?;
        let offer = publication.signalling().offer().await?;
        let body = json!({
            "request": "configure",
            "audio": plan.audio.is_some(),
            "video": plan.video.is_some(),
        });
        let answer = checked(self.socket.message(handle, body, Some(("offer", offer))).await?)?;
        let answer = description(&answer).ok_or(SfuError::Protocol("no answer to our offer"))?;
        publication.signalling().accept(answer).await?;
        Ok(publication)
    }

    /// The handle that publishes our screen, new in each session.
    async fn join_for_screen(&mut self) -> Result<u64, SfuError> {
        self.end_screen().await;
        let handle = *self.screen.insert(self.socket.attach().await?);
        self.try_join(handle, OwnStream::Screen).await?;
        Ok(handle)
    }

    /// Leaves the room with our screen.
    pub(super) async fn end_screen(&mut self) {
        if let Some(handle) = self.screen.take() {
            self.socket.detach(handle).await;
        }
    }

    /// Whether a handle of which Janus says that it is gone was in use; without one it is the session that is gone.
    pub(super) fn uses(&self, handle: Option<u64>) -> bool {
        let in_use = [Some(self.publisher), self.screen, self.subscriber];
        handle.is_none() || in_use.contains(&handle)
    }

    /// Notes what happened. Whether the list of streams has changed.
    pub(super) fn note(&mut self, event: RoomEvent) -> bool {
        match event {
            RoomEvent::Published(feeds) => {
                self.note_feeds(feeds);
                true
            }
            RoomEvent::Left(feed) => {
                if let Some(subscription) = &mut self.subscription {
                    subscription.lines.retain(|line| line.feed != feed);
                }
                self.feeds.remove(&feed).is_some()
            }
            RoomEvent::Ended { .. } => false,
        }
    }

    /// Everybody's streams but ours.
    pub(super) fn available(&self) -> Vec<RemoteStream> {
        let all = self.feeds.values().map(|feed| &feed.stream);
        all.filter(|stream| !ticket::is_own(&self.ticket, &stream.id)).cloned().collect()
    }

    /// Asks for a key frame of everything that a stream sends.
    pub(super) fn ask_key_frame(&self, stream: &crate::StreamId) {
        if let Some(subscription) = &self.subscription {
            subscription.player.ask_key_frame(stream);
        }
    }

    /// Brings the subscription in line with `wants`. Gives the player when this was the first line.
    pub(super) async fn subscribe(
        &mut self,
        shared: &Shared,
        wants: &[Want],
    ) -> Result<Option<Player>, SfuError> {
        match self.arrange(shared, wants).await {
            // Somebody left meanwhile. Janus tells us in a moment, and then this is called again.
            Err(Refusal::NoSuchFeed) => Ok(None),
            other => Ok(other?),
        }
    }

    async fn arrange(&mut self, shared: &Shared, wants: &[Want]) -> Result<Option<Player>, Refusal> {
        let wanted = self.wanted_lines(wants);
        let player = match &mut self.subscription {
            None if wanted.is_empty() => None,
            None => Some(self.begin(shared, &wanted).await?),
            Some(_) => {
                self.update(&wanted).await?;
                None
            }
        };
        self.choose_layers(&wanted).await?;
        Ok(player)
    }

    async fn begin(&mut self, shared: &Shared, wanted: &[WantedLine]) -> Result<Player, Refusal> {
        let handle = match self.subscriber {
            Some(handle) => handle,
            None => *self.subscriber.insert(self.socket.attach().await?),
        };
        let mut body = self.in_room("join")?;
        set(&mut body, "ptype", json!("subscriber"));
        // Janus is not to offer by itself when a publisher leaves: it would put off our changes until that is answered.
        // Versions before 1.1.1 do all the same: then we begin anew.
        set(&mut body, "autoupdate", json!(false));
        set(&mut body, "streams", json!(wanted.iter().map(WantedLine::name).collect::<Vec<_>>()));
        let attached = checked(self.socket.message(handle, body, None).await?)?;
        let plan = self.peer_plan(shared, Direction::Play);
        let player = Player::new(&plan, shared.sink.clone(), shared.clock).await?;
        self.subscription = Some(SubscriptionState {
            handle,
            signalling: player.signalling().clone(),
            player: player.handle(),
            lines: Vec::new(),
            substreams: HashMap::new(),
        });
        self.take_offer(&attached).await?;
        Ok(player)
    }

    async fn update(&mut self, wanted: &[WantedLine]) -> Result<(), Refusal> {
        let Some(subscription) = &self.subscription else { return Ok(()) };
        let have = |line: &WantedLine| subscription.lines.iter().any(|known| line.is(known));
        let new: Vec<_> = wanted.iter().filter(|line| !have(line)).map(WantedLine::name).collect();
        let gone = subscription.lines.iter().filter(|known| !wanted.iter().any(|line| line.is(known)));
        let gone: Vec<_> = gone.map(|line| json!({"sub_mid": line.mid})).collect();
        if new.is_empty() && gone.is_empty() {
            return Ok(());
        }
        let mut body = json!({"request": "update"});
        if !new.is_empty() {
            set(&mut body, "subscribe", json!(new));
        }
        if !gone.is_empty() {
            set(&mut body, "unsubscribe", json!(gone));
        }
        let updated = checked(self.socket.message(subscription.handle, body, None).await?)?;
        if is_put_off(&updated) {
            return Err(SfuError::Protocol("a change of what is received was put off").into());
        }
        self.take_offer(&updated).await
    }

    /// Answers Janus' offer and learns which line carries what.
    async fn take_offer(&mut self, message: &Value) -> Result<(), Refusal> {
        let Some(subscription) = &mut self.subscription else { return Ok(()) };
        if let Some(data) = plugin_data(message).filter(|data| data.get("streams").is_some()) {
            subscription.lines = subscribed_lines(data);
        }
        let known: Vec<_> = subscription.lines.iter().map(|line| line.mid.clone()).collect();
        subscription.substreams.retain(|mid, _| known.contains(mid));
        for line in &subscription.lines {
            let stream = self.feeds.get(&line.feed).map(|feed| feed.stream.id.clone());
            // Janus asks nobody for a key frame after an update.
            if subscription.player.stream(&line.mid) != stream {
                subscription.player.ask_key_frame_on(&line.mid);
            }
            subscription.player.bind(&line.mid, stream);
        }
        // A change without an offer needs no answer.
        let Some(offer) = description(message) else { return Ok(()) };
        let answer = subscription.signalling.answer(offer).await?;
        let body = json!({"request": "start"});
        checked(self.socket.message(subscription.handle, body, Some(("answer", answer))).await?)?;
        Ok(())
    }

    async fn choose_layers(&mut self, wanted: &[WantedLine]) -> Result<(), Refusal> {
        let Some(subscription) = &mut self.subscription else { return Ok(()) };
        let wish = |known: &SubscribedLine| {
            let wanted = wanted.iter().find(|line| line.is(known))?;
            Some((known.mid.clone(), wanted.substream?))
        };
        let mut wishes: Vec<_> = subscription.lines.iter().filter_map(wish).collect();
        wishes.retain(|(mid, substream)| subscription.substreams.get(mid) != Some(substream));
        if wishes.is_empty() {
            return Ok(());
        }
        let stream =
            |(mid, substream): &(String, u8)| json!({"mid": mid, "substream": substream, "temporal": 2});
        let streams: Vec<_> = wishes.iter().map(stream).collect();
        let body = json!({"request": "configure", "streams": streams});
        checked(self.socket.message(subscription.handle, body, None).await?)?;
        subscription.substreams.extend(wishes);
        Ok(())
    }

    fn wanted_lines(&self, wants: &[Want]) -> Vec<WantedLine> {
        let mut lines = Vec::new();
        for want in wants {
            let Some(feed) = self.feeds.values().find(|feed| feed.stream.id == want.stream) else { continue };
            for line in &feed.lines {
                let substream = match line.kind {
                    MediaKind::Audio if want.audio == AudioWant::Play => None,
                    MediaKind::Video if want.video != VideoWant::Skip => {
                        layer_index(want.video).map(|index| 2_u8.saturating_sub(index))
                    }
                    _ => continue,
                };
                lines.push(WantedLine { feed: feed.number, line: line.clone(), substream });
            }
        }
        lines
    }

    /// No more than a room can have: a server that invents publishers costs no memory (SEC-15).
    fn note_feeds(&mut self, feeds: Vec<Feed>) {
        for feed in feeds {
            if self.feeds.len() < MAX_FEEDS || self.feeds.contains_key(&feed.number) {
                self.feeds.insert(feed.number, feed);
            }
        }
    }

    fn number_and_pin(&self) -> Result<(u64, &str), SfuError> {
        let room = self.ticket.janus.as_ref().ok_or(SfuError::Address("no room in the ticket"))?;
        Ok((room.number, room.pin.expose()))
    }

    fn in_room(&self, request: &str) -> Result<Value, Refusal> {
        let (room, pin) = self.number_and_pin()?;
        Ok(json!({"request": request, "room": room, "pin": pin}))
    }

    fn peer_plan(&self, shared: &Shared, direction: Direction) -> PeerPlan {
        // Plain copies repair both directions at Janus; its RTX is wasted on simulcast.
        shared.peer_plan(direction, &self.endpoint, &self.ticket, Retransmission::Plain)
    }
}

impl WantedLine {
    fn name(&self) -> Value {
        json!({"feed": self.feed, "mid": self.line.mid})
    }

    fn is(&self, known: &SubscribedLine) -> bool {
        known.feed == self.feed && known.feed_mid == self.line.mid
    }
}

fn set(body: &mut Value, name: &str, value: Value) {
    if let Some(fields) = body.as_object_mut() {
        fields.insert(name.to_owned(), value);
    }
}

fn checked(answer: Value) -> Result<Value, Refusal> {
    match refusal(&answer) {
        Some(refusal) => Err(refusal),
        None => Ok(answer),
    }
}
