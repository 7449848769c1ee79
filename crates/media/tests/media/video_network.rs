//! Encoder → packets → bad network → reassembler → decoder.

use incamera_media::picture::{Picture, psnr_db};
use incamera_media::rtp::{ReassemblerConfig, ReassemblerEvent, RtpPacket, Vp8Packetizer, Vp8Reassembler};
use incamera_media::vp8::{
    DecodeError, Decoder, EncodeError, EncodedFrame, Encoder, EncoderConfig, KeyFrame, Quality,
    TemporalLayers,
};
use incamera_types::FrameBuf;

use crate::support::{Seeded, moving_picture, ms, packets};

const WIDTH: u32 = 320;
const HEIGHT: u32 = 180;

fn config(temporal_layers: TemporalLayers) -> EncoderConfig {
    EncoderConfig {
        width: WIDTH,
        height: HEIGHT,
        frames_per_second: 30,
        bitrate_kbps: 600,
        quality: Quality::File,
        temporal_layers,
    }
}

/// Sender and receiver joined by a network that a test describes per packet: `None` drops it, else the delay in ms.
struct Call {
    encoder: Encoder,
    packetizer: Vp8Packetizer,
    sequence: u64,
    in_flight: Vec<(u64, RtpPacket<Vec<u8>>)>,
    reassembler: Vp8Reassembler<Vec<u8>>,
    decoder: Decoder,
    key_frame_wanted: bool,
    /// Index and PSNR of each picture shown.
    shown: Vec<(u32, f64)>,
    losses: u32,
}

impl Call {
    fn new() -> Self {
        Self {
            encoder: Encoder::new(config(TemporalLayers::One)).unwrap(),
            packetizer: Vp8Packetizer::new(0x7ff0),
            sequence: 70_000,
            in_flight: Vec::new(),
            reassembler: Vp8Reassembler::new(ReassemblerConfig::default()),
            decoder: Decoder::new().unwrap(),
            key_frame_wanted: false,
            shown: Vec::new(),
            losses: 0,
        }
    }

    fn run(&mut self, frames: u32, mut network: impl FnMut() -> Option<u64>) {
        let mut buf = FrameBuf::default();
        for index in 0..frames {
            let at = u64::from(index) * 33;
            let wanted = core::mem::take(&mut self.key_frame_wanted);
            let key_frame = if wanted { KeyFrame::Forced } else { KeyFrame::WhenDue };
            let picture = moving_picture(WIDTH, HEIGHT, index);
            self.encoder.encode(&picture.view(), ms(at), key_frame, &mut buf).unwrap().unwrap();
            for packet in packets(&mut self.packetizer, &mut self.sequence, index, buf.as_slice()) {
                if let Some(delay) = network() {
                    self.in_flight.push((at + delay, packet));
                }
            }
            self.receive_until(at + 33);
        }
        self.receive_until(u64::from(frames) * 33 + 2_000);
    }

    fn receive_until(&mut self, until: u64) {
        self.in_flight.sort_by_key(|(at, _)| *at);
        let due = self.in_flight.partition_point(|(at, _)| *at < until);
        for (at, packet) in self.in_flight.drain(..due).collect::<Vec<_>>() {
            self.reassembler.handle_packet(ms(at), packet);
            self.drain(at);
        }
        self.drain(until);
    }

    fn drain(&mut self, at: u64) {
        while let Some(event) = self.reassembler.poll(ms(at)) {
            let ReassemblerEvent::Frame(frame) = event else {
                self.losses += 1;
                self.decoder.note_loss();
                self.key_frame_wanted = true;
                continue;
            };
            match self.decoder.decode(frame.frame.as_slice()) {
                Ok(Some(picture)) => {
                    let sent = moving_picture(WIDTH, HEIGHT, frame.timestamp);
                    self.shown.push((frame.timestamp, psnr_db(&picture, &sent.view()).unwrap()));
                }
                Ok(None) => panic!("every frame is shown"),
                Err(error) => assert_eq!(error, DecodeError::KeyFrameNeeded),
            }
            self.reassembler.recycle(frame.frame);
        }
    }

    fn worst_psnr(&self) -> f64 {
        self.shown.iter().map(|(_, psnr)| *psnr).fold(f64::INFINITY, f64::min)
    }
}

#[test]
fn every_picture_arrives_through_reordering_and_delay() {
    let mut random = Seeded::new(1);
    let mut call = Call::new();
    call.run(120, || Some(20 + random.below(60)));
    assert_eq!(call.losses, 0);
    assert!(call.shown.iter().map(|(index, _)| *index).eq(0..120));
    assert!(call.worst_psnr() > 30.0, "{}", call.worst_psnr());
}

#[test]
fn retransmitted_packets_close_every_gap() {
    let mut random = Seeded::new(2);
    let mut call = Call::new();
    call.run(120, || Some(if random.happens(10) { 150 } else { 10 }));
    assert_eq!((call.losses, call.shown.len()), (0, 120));
}

#[test]
fn lost_packets_never_show_a_broken_picture_and_a_key_frame_repairs() {
    let mut random = Seeded::new(3);
    let mut call = Call::new();
    call.run(300, || (!random.happens(2)).then_some(10));
    assert!(call.losses >= 2, "{}", call.losses);
    assert!(call.shown.len() > 60 && call.shown.len() < 300, "{}", call.shown.len());
    assert!(call.shown.is_sorted_by_key(|(index, _)| *index));
    // A picture decoded from a wrong reference falls far below this.
    assert!(call.worst_psnr() > 27.0, "{}", call.worst_psnr());
}

#[test]
fn decoder_without_key_frame_shows_nothing() {
    let mut encoder = Encoder::new(config(TemporalLayers::One)).unwrap();
    let mut decoder = Decoder::new().unwrap();
    let mut buf = FrameBuf::default();
    for index in 0..4 {
        let picture = moving_picture(WIDTH, HEIGHT, index);
        encoder.encode(&picture.view(), ms(u64::from(index) * 33), KeyFrame::WhenDue, &mut buf).unwrap();
        if index > 0 {
            assert!(matches!(decoder.decode(buf.as_slice()), Err(DecodeError::KeyFrameNeeded)));
            assert!(decoder.is_awaiting_key_frame());
        }
    }
}

#[test]
fn dropping_the_upper_temporal_layer_keeps_the_rest_intact() {
    let mut encoder = Encoder::new(config(TemporalLayers::Two)).unwrap();
    let (mut all, mut base) = (Decoder::new().unwrap(), Decoder::new().unwrap());
    let mut buf = FrameBuf::default();
    let mut upper = 0;
    for index in 0..60 {
        let sent = moving_picture(WIDTH, HEIGHT, index);
        let encoded = encoder
            .encode(&sent.view(), ms(u64::from(index) * 33), KeyFrame::WhenDue, &mut buf)
            .unwrap()
            .unwrap();
        let whole = Picture::from_view(&all.decode(buf.as_slice()).unwrap().unwrap());
        if encoded.temporal.unwrap().id > 0 {
            upper += 1;
            continue;
        }
        // Bit by bit the same picture with and without the upper layer.
        assert_eq!(Picture::from_view(&base.decode(buf.as_slice()).unwrap().unwrap()), whole);
        assert!(psnr_db(&whole.view(), &sent.view()).unwrap() > 28.0);
    }
    assert_eq!(upper, 30);
}

fn encode_take(encoder: &mut Encoder, from: u32, frames: u32) -> (Vec<EncodedFrame>, usize) {
    let mut buf = FrameBuf::default();
    let mut bytes = 0;
    let encoded = (from..from + frames)
        .filter_map(|index| {
            let picture = moving_picture(WIDTH, HEIGHT, index);
            let at = ms(u64::from(index) * 33);
            let encoded = encoder.encode(&picture.view(), at, KeyFrame::WhenDue, &mut buf).unwrap();
            bytes += buf.len();
            encoded
        })
        .collect();
    (encoded, bytes)
}

#[test]
fn bitrate_follows_the_target_while_running() {
    let mut encoder = Encoder::new(config(TemporalLayers::One)).unwrap();
    let mut at = 0;
    let mut take = |encoder: &mut Encoder, frames| {
        let taken = encode_take(encoder, at, frames);
        at += frames;
        taken
    };
    take(&mut encoder, 60);
    let kbps = |bytes: usize| bytes as f64 * 8.0 / (60.0 * 0.033) / 1_000.0;
    for target in [300, 150, 500] {
        encoder.set_bitrate(target).unwrap();
        take(&mut encoder, 60);
        let (frames, bytes) = take(&mut encoder, 60);
        assert_eq!(frames.len(), 60, "a file drops no picture");
        let ratio = kbps(bytes) / f64::from(target);
        assert!((0.6..1.3).contains(&ratio), "{target}: {}", kbps(bytes));
    }
}

#[test]
fn key_frames_come_on_demand_only() {
    let mut encoder = Encoder::new(config(TemporalLayers::One)).unwrap();
    let (frames, _) = encode_take(&mut encoder, 0, 90);
    let keys: Vec<usize> = frames.iter().enumerate().filter(|(_, f)| f.key).map(|(i, _)| i).collect();
    assert_eq!(keys, [0]);
    let mut buf = FrameBuf::default();
    let picture = moving_picture(WIDTH, HEIGHT, 90);
    assert!(encoder.encode(&picture.view(), ms(2_970), KeyFrame::Forced, &mut buf).unwrap().unwrap().key);
}

#[test]
fn time_that_stands_still_or_steps_back_is_encoded() {
    let mut encoder = Encoder::new(config(TemporalLayers::One)).unwrap();
    let mut buf = FrameBuf::default();
    let picture = moving_picture(WIDTH, HEIGHT, 0);
    for at in [1_000, 1_000, 500, 0, 2_000] {
        let encoded = encoder.encode(&picture.view(), ms(at), KeyFrame::WhenDue, &mut buf).unwrap();
        assert_eq!(encoded.unwrap().captured, ms(at));
    }
}

#[test]
fn pictures_of_another_size_are_refused() {
    let mut encoder = Encoder::new(config(TemporalLayers::One)).unwrap();
    let picture = Picture::black(WIDTH, HEIGHT + 2).unwrap();
    let result = encoder.encode(&picture.view(), ms(0), KeyFrame::WhenDue, &mut FrameBuf::default());
    assert_eq!(result, Err(EncodeError::WrongSize { expected_width: WIDTH, expected_height: HEIGHT }));
}

#[test]
fn large_pictures_encode_on_two_threads() {
    let config = EncoderConfig {
        width: 1_280,
        height: 720,
        bitrate_kbps: 2_500,
        quality: Quality::Camera,
        ..config(TemporalLayers::One)
    };
    let mut encoder = Encoder::new(config).unwrap();
    let mut decoder = Decoder::new().unwrap();
    let mut buf = FrameBuf::default();
    for index in 0..5 {
        let sent = moving_picture(1_280, 720, index);
        let at = ms(u64::from(index) * 33);
        if encoder.encode(&sent.view(), at, KeyFrame::WhenDue, &mut buf).unwrap().is_some() {
            let shown = decoder.decode(buf.as_slice()).unwrap().unwrap();
            assert!(psnr_db(&shown, &sent.view()).unwrap() > 28.0);
        }
    }
}
