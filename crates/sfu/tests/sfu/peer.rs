//! A WebRTC client: its own stack instance, UDP socket and task.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use incamera_sfu::Layer;
use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::format::Codec;
use str0m::media::{Direction, KeyframeRequestKind, MediaKind, Mid, Rid, Simulcast, SimulcastLayer};
use str0m::net::{Protocol, Receive};
use str0m::rtp::RtpWrite;
use str0m::{Candidate, Event, Input, Output, Rtc};
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;

use crate::media::{self, Tag};

/// Longest wait for anything in these tests.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// An RTP packet that arrived.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) mid: String,
    pub(crate) sequence: u64,
    pub(crate) time: u32,
    pub(crate) payload: Vec<u8>,
    /// `None` if the payload is not bit-exact.
    pub(crate) tag: Option<Tag>,
}

/// Everything a peer saw.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) connected: bool,
    pub(crate) closed: bool,
    pub(crate) packets: Vec<Received>,
    /// When key frames of which rid were asked for.
    pub(crate) key_frame_requests: Vec<(Option<String>, Instant)>,
    pub(crate) datagrams_dropped: u64,
    pub(crate) remb: Vec<u64>,
}

impl Seen {
    pub(crate) fn in_slot<'a>(&'a self, mid: &'a str) -> impl Iterator<Item = &'a Received> {
        self.packets.iter().filter(move |p| p.mid == mid)
    }

    pub(crate) fn tags<'a>(&'a self, mid: &'a str) -> impl Iterator<Item = Tag> + 'a {
        self.in_slot(mid).filter_map(|p| p.tag)
    }
}

enum Command {
    Publish(Publication),
    Layers(Vec<Layer>),
    KeyFrame(Mid),
    Lose(u64),
    Raw(Vec<u8>),
}

/// What a publisher generates, paced by a 20 ms clock: audio on each tick, video on every second one.
#[derive(Clone)]
pub(crate) struct Publication {
    pub(crate) who: u8,
    pub(crate) audio: Mid,
    pub(crate) video: Mid,
    pub(crate) layers: Vec<(Option<Rid>, Layer)>,
}

/// M-lines of a publisher's audio and video, and its layers.
type Lines = (Mid, Mid, Vec<(Option<Rid>, Layer)>);

/// A connected client.
pub(crate) struct Peer {
    commands: mpsc::UnboundedSender<Command>,
    seen: watch::Receiver<Seen>,
    pub(crate) mids: Vec<String>,
    publication: Option<Lines>,
}

/// A client that has made its offer.
pub(crate) struct Offering {
    rtc: Box<Rtc>,
    socket: UdpSocket,
    pending: SdpPendingOffer,
    pub(crate) offer: String,
    mids: Vec<Mid>,
    layers: Vec<(Option<Rid>, Layer)>,
}

async fn stack() -> (Box<Rtc>, UdpSocket) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut rtc = Rtc::builder()
        .set_rtp_mode(true)
        .clear_codecs()
        .enable_opus(true, false)
        .enable_vp8(true)
        .build(Instant::now());
    let candidate = Candidate::host(socket.local_addr().unwrap(), "udp").unwrap();
    rtc.add_local_candidate(candidate).unwrap();
    (Box::new(rtc), socket)
}

impl Offering {
    /// Audio and video to send; several rids make simulcast.
    pub(crate) async fn publisher(rids: &[&str]) -> Self {
        let (mut rtc, socket) = stack().await;
        let mut simulcast = Simulcast::new();
        for rid in rids {
            simulcast.add_send_layer(SimulcastLayer::new(rid));
        }
        let simulcast = (!rids.is_empty()).then_some(simulcast);
        let mut api = rtc.sdp_api();
        let audio = api.add_media(MediaKind::Audio, Direction::SendOnly, None, None, None);
        let video = api.add_media(MediaKind::Video, Direction::SendOnly, None, None, simulcast);
        let (offer, pending) = api.apply().unwrap();
        let layers = if rids.is_empty() {
            vec![(None, Layer::High)]
        } else {
            let layer = |rid: &str| match rid {
                "h" => Layer::High,
                "m" => Layer::Medium,
                _ => Layer::Low,
            };
            rids.iter().map(|r| (Some(Rid::from(*r)), layer(r))).collect()
        };
        Self::new(rtc, socket, pending, &offer, vec![audio, video], layers)
    }

    /// `slots` audio and as many video lines to receive.
    pub(crate) async fn player(slots: usize) -> Self {
        let (mut rtc, socket) = stack().await;
        let mut api = rtc.sdp_api();
        let kinds = [MediaKind::Audio, MediaKind::Video];
        let mids = (0..slots)
            .flat_map(|_| kinds)
            .map(|kind| api.add_media(kind, Direction::RecvOnly, None, None, None))
            .collect();
        let (offer, pending) = api.apply().unwrap();
        Self::new(rtc, socket, pending, &offer, mids, Vec::new())
    }

    fn new(
        rtc: Box<Rtc>,
        socket: UdpSocket,
        pending: SdpPendingOffer,
        offer: &SdpOffer,
        mids: Vec<Mid>,
        layers: Vec<(Option<Rid>, Layer)>,
    ) -> Self {
        Self { rtc, socket, pending, offer: offer.to_sdp_string(), mids, layers }
    }

    /// Takes the answer and runs in a task of its own.
    pub(crate) fn connect(mut self, answer: &str) -> Peer {
        let answer = SdpAnswer::from_sdp_string(answer).unwrap();
        self.rtc.sdp_api().accept_answer(self.pending, answer).unwrap();
        let (commands, queue) = mpsc::unbounded_channel();
        let (seen, watching) = watch::channel(Seen::default());
        let local = self.socket.local_addr().unwrap();
        let task = PeerTask {
            rtc: self.rtc,
            socket: self.socket,
            local,
            queue,
            seen,
            mids: HashMap::new(),
            publication: None,
            flowing: Vec::new(),
            frame: 0,
            sequences: HashMap::new(),
            wanted_keys: Vec::new(),
            lose_every: 0,
            received: 0,
        };
        tokio::spawn(task.run());
        let names = self.mids.iter().map(ToString::to_string).collect();
        let publication = match self.mids.as_slice() {
            [audio, video] if !self.layers.is_empty() => Some((*audio, *video, self.layers)),
            _ => None,
        };
        Peer { commands, seen: watching, mids: names, publication }
    }
}

impl Peer {
    /// Starts sending audio and all layers, marked as `who`.
    pub(crate) fn publish(&self, who: u8) {
        let (audio, video, layers) = self.publication.clone().unwrap();
        self.send(Command::Publish(Publication { who, audio, video, layers }));
    }

    /// Sends only these layers from now on.
    pub(crate) fn only_layers(&self, layers: &[Layer]) {
        self.send(Command::Layers(layers.to_vec()));
    }

    pub(crate) fn ask_for_key_frame(&self, mid: &str) {
        self.send(Command::KeyFrame(Mid::from(mid)));
    }

    /// Loses every `n`th datagram that arrives.
    pub(crate) fn lose_every(&self, n: u64) {
        self.send(Command::Lose(n));
    }

    /// Sends a video payload as it is.
    pub(crate) fn send_raw(&self, payload: Vec<u8>) {
        self.send(Command::Raw(payload));
    }

    fn send(&self, command: Command) {
        assert!(self.commands.send(command).is_ok(), "the peer runs");
    }

    pub(crate) fn seen(&self) -> Seen {
        self.seen.borrow().clone()
    }

    /// Waits until `condition` holds of what was seen.
    pub(crate) async fn until(&self, what: &str, condition: impl FnMut(&Seen) -> bool) -> Seen {
        let mut seen = self.seen.clone();
        let waited = tokio::time::timeout(PATIENCE, seen.wait_for(condition)).await;
        waited.unwrap_or_else(|_| panic!("in vain waited for: {what}")).unwrap().clone()
    }

    pub(crate) async fn connected(&self) {
        self.until("a connection", |s| s.connected).await;
    }
}

struct PeerTask {
    rtc: Box<Rtc>,
    socket: UdpSocket,
    local: SocketAddr,
    queue: mpsc::UnboundedReceiver<Command>,
    seen: watch::Sender<Seen>,
    mids: HashMap<u32, String>,
    publication: Option<Publication>,
    flowing: Vec<Layer>,
    frame: u32,
    sequences: HashMap<u8, u64>,
    wanted_keys: Vec<Layer>,
    lose_every: u64,
    received: u64,
}

impl PeerTask {
    async fn run(mut self) {
        let mut tick = tokio::time::interval(Duration::from_millis(20));
        // As a camera would: after a stall there is no burst of what was missed.
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut buffer = vec![0; 2_000];
        loop {
            let Some(deadline) = self.drain() else {
                self.seen.send_modify(|s| s.closed = true);
                return;
            };
            tokio::select! {
                command = self.queue.recv() => match command {
                    Some(command) => self.obey(command),
                    None => return,
                },
                Ok((length, source)) = self.socket.recv_from(&mut buffer) => {
                    self.receive(&buffer[..length], source);
                }
                _ = tick.tick() => self.generate(),
                () = tokio::time::sleep_until(deadline.into()) => self.pass_time(),
            }
        }
    }

    fn pass_time(&mut self) {
        // An error ends the connection, which `drain` sees.
        let _ = self.rtc.handle_input(Input::Timeout(Instant::now()));
    }

    fn drain(&mut self) -> Option<Instant> {
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Timeout(at)) => return self.rtc.is_alive().then_some(at),
                Ok(Output::Transmit(t)) => {
                    let _ = self.socket.try_send_to(&t.contents, t.destination);
                }
                Ok(Output::Event(event)) => self.note(event),
                Err(_) => return None,
            }
        }
    }

    fn receive(&mut self, datagram: &[u8], source: SocketAddr) {
        self.received += 1;
        let is_media = datagram.first().is_some_and(|b| b & 0xc0 == 0x80);
        if is_media && self.lose_every > 0 && self.received.is_multiple_of(self.lose_every) {
            self.seen.send_modify(|s| s.datagrams_dropped += 1);
            return;
        }
        let Ok(contents) = datagram.try_into() else { return };
        let receive = Receive { proto: Protocol::Udp, source, destination: self.local, contents };
        let _ = self.rtc.handle_input(Input::Receive(Instant::now(), receive));
    }

    fn note(&mut self, event: Event) {
        match event {
            Event::Connected => self.seen.send_modify(|s| s.connected = true),
            Event::KeyframeRequest(request) => {
                if let Some(publication) = &self.publication {
                    let mut layers = publication.layers.iter();
                    let layer = layers.find(|(rid, _)| *rid == request.rid);
                    self.wanted_keys.extend(layer.map(|(_, l)| *l));
                }
                let rid = request.rid.map(|r| r.to_string());
                self.seen.send_modify(|s| s.key_frame_requests.push((rid, Instant::now())));
            }
            Event::EgressBitrateEstimate(str0m::bwe::BweKind::Remb { estimate, .. }) => {
                self.seen.send_modify(|s| s.remb.push(estimate.as_u64()));
            }
            Event::RtpPacket(packet) => {
                let ssrc = packet.header.ssrc;
                let mut api = self.rtc.direct_api();
                let mid = api.stream_rx(&ssrc).map(|s| s.mid());
                let Some(mid) = mid.map(|m| m.to_string()).or_else(|| self.mids.get(&ssrc).cloned()) else {
                    return;
                };
                self.mids.insert(*ssrc, mid.clone());
                let is_video = packet.time.frequency().get() == 90_000;
                let received = Received {
                    mid,
                    sequence: *packet.seq_no,
                    time: packet.header.timestamp,
                    tag: media::check(&packet.payload, is_video),
                    payload: packet.payload.to_vec(),
                };
                self.seen.send_modify(|s| s.packets.push(received));
            }
            _ => {}
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Publish(publication) => {
                self.flowing = publication.layers.iter().map(|(_, l)| *l).collect();
                self.wanted_keys.clone_from(&self.flowing);
                self.publication = Some(publication);
            }
            Command::Layers(layers) => {
                self.wanted_keys.extend(layers.iter().filter(|l| !self.flowing.contains(l)));
                self.flowing = layers;
            }
            Command::KeyFrame(mid) => {
                let mut api = self.rtc.direct_api();
                let stream = api.stream_rx_by_mid(mid, None).unwrap();
                stream.request_keyframe(KeyframeRequestKind::Pli);
                self.pass_time();
            }
            Command::Lose(n) => self.lose_every = n,
            Command::Raw(payload) => {
                let Some(publication) = self.publication.clone() else { return };
                let (rid, layer) = publication.layers[0];
                let encoding = media::encoding(layer);
                self.write(publication.video, rid, encoding, Codec::Vp8, (self.frame * 1_800, true), payload);
            }
        }
    }

    fn generate(&mut self) {
        let Some(publication) = self.publication.clone() else { return };
        if !self.seen.borrow().connected {
            return;
        }
        self.frame += 1;
        let audio = media::audio(publication.who, self.frame);
        let time = (self.frame * 960, false);
        self.write(publication.audio, None, media::AUDIO, Codec::Opus, time, audio);
        if !self.frame.is_multiple_of(2) {
            return;
        }
        for (rid, layer) in publication.layers {
            if !self.flowing.contains(&layer) {
                continue;
            }
            let key = self.wanted_keys.contains(&layer);
            self.wanted_keys.retain(|l| *l != layer);
            let packets = media::video(publication.who, layer, self.frame, key);
            let last = packets.len() - 1;
            for (index, payload) in packets.into_iter().enumerate() {
                let time = (self.frame * 1_800, index == last);
                let encoding = media::encoding(layer);
                self.write(publication.video, rid, encoding, Codec::Vp8, time, payload);
            }
        }
    }

    fn write(
        &mut self,
        mid: Mid,
        rid: Option<Rid>,
        encoding: u8,
        codec: Codec,
        (time, marker): (u32, bool),
        payload: Vec<u8>,
    ) {
        let mut params = self.rtc.codec_config().params().iter();
        let payload_type = params.find(|p| p.spec().codec == codec).unwrap().pt();
        let sequence = self.sequences.entry(encoding).or_insert(1_000 * u64::from(encoding));
        *sequence += 1;
        let write = RtpWrite::new(payload_type, (*sequence).into(), time, Instant::now(), payload)
            .marker(marker)
            .nackable(codec == Codec::Vp8);
        let mut api = self.rtc.direct_api();
        if let Some(stream) = api.stream_tx_by_mid(mid, rid) {
            stream.write_rtp(write);
        }
        self.pass_time();
        self.drain();
    }
}
