//! One entry for each parser of outside input (SEC-15): any bytes give a value or an error, never a panic. The
//! fuzzer (`./dev fuzz NAME`) and the ordinary tests feed the same functions.

use std::hint::black_box;

use incamera_client::SfuChoice;
use incamera_devices::read_frame_number;
use incamera_devices::wav::parse_wav_header;
use incamera_devices::y4m::{parse_frame_header, parse_y4m_header};
use incamera_group::{Applicant, UnverifiedRules};
use incamera_identity::Credential;
use incamera_media::audio::SILENCE;
use incamera_media::picture::I420View;
use incamera_media::rtp::Vp8Descriptor;
use incamera_media::{opus, vp8};
use incamera_meeting::MeetingMessage;
use incamera_relay_proto::{Card, ClientMessage, ServerMessage};
use incamera_sframe::{Header, UnopenedFrame};
use incamera_sfu::fuzz as sfu;
use incamera_transport::fuzz as transport;
use incamera_types::{FrameBuf, Invite, Kid, MediaKind, RelayAddress};

/// `incamera-cli` is a program without a library: its source is read here once more.
#[path = "../../crates/cli/src/control/request.rs"]
mod control_request;

/// A parser under test.
#[derive(Clone, Copy)]
pub struct Target {
    /// Name of the fuzz target and of its corpus folder.
    pub name: &'static str,
    /// Feeds it.
    pub run: fn(&[u8]),
}

/// Every parser of network, link, file and peer input.
pub const TARGETS: &[Target] = &[
    Target { name: "invite", run: invite },
    Target { name: "frame", run: frame },
    Target { name: "relay_client_message", run: |bytes| ignore(ClientMessage::parse(bytes)) },
    Target { name: "relay_server_message", run: |bytes| ignore(ServerMessage::parse(bytes)) },
    Target { name: "card", run: |bytes| ignore(Card::parse(bytes)) },
    Target { name: "meeting_message", run: |bytes| ignore(MeetingMessage::parse(bytes)) },
    Target { name: "rules", run: |bytes| ignore(UnverifiedRules::parse(bytes)) },
    Target { name: "credential", run: |bytes| ignore(Credential::parse(bytes)) },
    Target { name: "key_package", run: |bytes| ignore(Applicant::read(bytes)) },
    Target { name: "vp8_payload", run: vp8_payload },
    Target { name: "vp8_decoder", run: vp8_decoder },
    Target { name: "opus_decoder", run: opus_decoder },
    Target { name: "wav", run: |bytes| ignore(parse_wav_header(bytes)) },
    Target { name: "y4m", run: y4m },
    Target { name: "pattern", run: pattern },
    Target { name: "sfu_choice", run: |bytes| ignore(SfuChoice::parse(&text(bytes))) },
    Target { name: "sfu_offer", run: |bytes| sfu::offer(&text(bytes)) },
    Target { name: "sfu_ice_fragment", run: |bytes| sfu::ice_fragment(&text(bytes)) },
    Target { name: "sfu_slot_bindings", run: |bytes| sfu::slot_bindings(&text(bytes)) },
    Target { name: "sfu_layer_selection", run: |bytes| sfu::layer_selection(&text(bytes)) },
    Target { name: "link_header", run: |bytes| transport::links(&text(bytes)) },
    Target { name: "stream_list", run: |bytes| transport::stream_list(&text(bytes)) },
    Target { name: "description", run: |bytes| transport::description(&text(bytes)) },
    Target { name: "janus_message", run: |bytes| transport::janus_message(&text(bytes)) },
    Target { name: "control_request", run: |bytes| ignore(control_request::Request::parse(&text(bytes))) },
];

/// The target with this name.
#[must_use]
pub fn target(name: &str) -> Option<Target> {
    TARGETS.iter().copied().find(|target| target.name == name)
}

/// What comes out is of no interest, that something comes out is.
fn ignore<T>(value: T) {
    drop(black_box([value]));
}

fn text(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// What parses must print a link that parses to the same.
fn invite(bytes: &[u8]) {
    ignore(RelayAddress::parse(&text(bytes)));
    if let Ok(invite) = Invite::parse(&text(bytes)) {
        assert_eq!(Invite::parse(&invite.to_link()).as_ref(), Ok(&invite));
    }
}

fn frame(bytes: &[u8]) {
    for track in [MediaKind::Audio, MediaKind::Video] {
        ignore(UnopenedFrame::parse(track, FrameBuf::from_slice(bytes)));
    }
    if let Ok((header, _)) = Header::parse(bytes) {
        let _ = black_box(Kid::from_wire(header.kid));
    }
}

fn vp8_payload(bytes: &[u8]) {
    ignore(Vp8Descriptor::parse(bytes));
    ignore(vp8::FrameHeader::parse(bytes));
}

fn vp8_decoder(bytes: &[u8]) {
    if let Ok(mut decoder) = vp8::Decoder::new() {
        for half in [bytes, bytes.get(bytes.len() / 2..).unwrap_or_default()] {
            let _ = black_box(decoder.decode(half).is_ok());
        }
    }
}

fn opus_decoder(bytes: &[u8]) {
    if let Ok(mut decoder) = opus::Decoder::new() {
        let mut block = SILENCE;
        let _ = black_box(decoder.decode(bytes, &mut block).is_ok());
        let _ = black_box(decoder.decode_previous(bytes, &mut block).is_ok());
    }
}

fn y4m(bytes: &[u8]) {
    ignore(parse_y4m_header(bytes));
    ignore(parse_frame_header(bytes));
}

fn pattern(bytes: &[u8]) {
    if let Ok(picture) = I420View::from_packed(64, 64, bytes) {
        let _ = black_box(read_frame_number(&picture));
    }
}
