//! One source in three sizes.

use incamera_media::picture::{Picture, Scaler, psnr_db};
use incamera_media::vp8::{
    Decoder, Layer, LayerRate, Quality, SimulcastConfig, SimulcastEncoder, TemporalLayers,
};

use crate::support::{moving_picture, ms};

const WIDTH: u32 = 320;
const HEIGHT: u32 = 180;

fn encoder(rates: [LayerRate; 3]) -> SimulcastEncoder {
    SimulcastEncoder::new(SimulcastConfig {
        width: WIDTH,
        height: HEIGHT,
        frames_per_second: 30,
        quality: Quality::File,
        temporal_layers: TemporalLayers::One,
        rates,
    })
    .unwrap()
}

const ALL_ON: [LayerRate; 3] = [LayerRate::Kbps(600), LayerRate::Kbps(250), LayerRate::Kbps(100)];

/// Encodes frame `index` and gives each layer's frame and whether it is a key frame.
fn encode(encoder: &mut SimulcastEncoder, index: u32) -> Vec<(Layer, bool, Vec<u8>)> {
    let mut frames = Vec::new();
    let picture = moving_picture(WIDTH, HEIGHT, index);
    encoder
        .encode(&picture.view(), ms(u64::from(index) * 33), &mut |layer, encoded, frame| {
            frames.push((layer, encoded.key, frame.as_slice().to_vec()));
        })
        .unwrap();
    frames
}

fn layers_and_keys(frames: &[(Layer, bool, Vec<u8>)]) -> Vec<(Layer, bool)> {
    frames.iter().map(|(layer, key, _)| (*layer, *key)).collect()
}

#[test]
fn every_layer_decodes_to_the_scaled_source() {
    let mut encoder = encoder(ALL_ON);
    let mut decoders = [(); 3].map(|()| Decoder::new().unwrap());
    let mut scaler = Scaler::new();
    let mut wanted = Picture::default();
    for index in 0..45 {
        let source = moving_picture(WIDTH, HEIGHT, index);
        for (layer, _, frame) in encode(&mut encoder, index) {
            let shown = decoders[layer.index()].decode(&frame).unwrap().unwrap();
            let (width, height) = layer.size_of(WIDTH, HEIGHT).unwrap();
            assert_eq!((shown.width(), shown.height()), (width, height));
            scaler.scale(&source.view(), width, height, &mut wanted).unwrap();
            let psnr = psnr_db(&shown, &wanted.view()).unwrap();
            assert!(psnr > 26.0, "{layer:?} frame {index}: {psnr}");
        }
    }
}

#[test]
fn layers_go_off_and_come_back_with_a_key_frame() {
    use Layer::{High, Low, Medium};
    let mut encoder = encoder(ALL_ON);
    assert_eq!(layers_and_keys(&encode(&mut encoder, 0)), [(High, true), (Medium, true), (Low, true)]);
    encoder.set_rate(High, LayerRate::Off).unwrap();
    assert_eq!(layers_and_keys(&encode(&mut encoder, 1)), [(Medium, false), (Low, false)]);
    encoder.set_rate(High, LayerRate::Kbps(500)).unwrap();
    assert_eq!(encoder.rate(High), LayerRate::Kbps(500));
    assert_eq!(layers_and_keys(&encode(&mut encoder, 2)), [(High, true), (Medium, false), (Low, false)]);
}

#[test]
fn a_key_frame_request_touches_one_layer() {
    use Layer::{High, Low, Medium};
    let mut encoder = encoder(ALL_ON);
    encode(&mut encoder, 0);
    encoder.request_key_frame(Medium);
    assert_eq!(layers_and_keys(&encode(&mut encoder, 1)), [(High, false), (Medium, true), (Low, false)]);
    assert_eq!(layers_and_keys(&encode(&mut encoder, 2)), [(High, false), (Medium, false), (Low, false)]);
}

#[test]
fn one_decoder_follows_a_switch_on_a_key_frame() {
    let mut encoder = encoder(ALL_ON);
    let mut decoder = Decoder::new().unwrap();
    for index in 0..20 {
        let layer = if index < 10 { Layer::Low } else { Layer::High };
        if index == 10 {
            encoder.request_key_frame(Layer::High);
        }
        let frames = encode(&mut encoder, index);
        let (_, _, frame) = frames.iter().find(|(of, _, _)| *of == layer).unwrap();
        let shown = decoder.decode(frame).unwrap().unwrap();
        assert_eq!((shown.width(), shown.height()), layer.size_of(WIDTH, HEIGHT).unwrap());
    }
}

#[test]
fn small_sources_have_fewer_layers() {
    assert_eq!(Layer::Low.size_of(640, 360), Some((160, 90)));
    assert_eq!(Layer::Low.size_of(100, 60), None);
    let mut encoder = SimulcastEncoder::new(SimulcastConfig {
        width: 40,
        height: 30,
        frames_per_second: 30,
        quality: Quality::Camera,
        temporal_layers: TemporalLayers::One,
        rates: ALL_ON,
    })
    .unwrap();
    let mut layers = Vec::new();
    let picture = Picture::black(40, 30).unwrap();
    encoder.encode(&picture.view(), ms(0), &mut |layer, _, _| layers.push(layer)).unwrap();
    assert_eq!(layers, [Layer::High]);
    assert_eq!(encoder.rate(Layer::Medium), LayerRate::Off);
}
