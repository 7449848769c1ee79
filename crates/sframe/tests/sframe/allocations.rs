//! Sealing and opening allocate nothing and leave the frame where it is.

use crate::support::{INSTALLED, frame, key_frame, keyring, open, seal, sender};
use incamera_sframe::{FrameNumber, UnopenedFrame};
use incamera_types::{Context, FrameBuf, FrameSuite};

#[test]
fn sealing_and_opening_a_frame_allocate_nothing_and_move_nothing() {
    for suite in FrameSuite::ALL {
        let mut sender = sender(suite, Context::CameraHigh);
        let mut keyring = keyring(suite);
        open(&mut keyring, Context::CameraHigh, seal(&mut sender, key_frame(), b"first").payload()).unwrap();

        let media = frame(key_frame(), &[7; 5_000]);
        let address = media.buf.as_slice().as_ptr();
        let mut sealed = None;
        let sealing = allocation_counter::measure(|| sealed = sender.seal(media, FrameNumber::of(1)).ok());
        let buf: FrameBuf = sealed.unwrap().into_buffer();

        let mut opened = None;
        let opening = allocation_counter::measure(|| {
            let frame = UnopenedFrame::parse(Context::CameraHigh.kind(), buf).unwrap();
            opened = keyring.open(frame, INSTALLED).ok();
        });
        assert_eq!((sealing.count_total, opening.count_total), (0, 0));
        assert_eq!(opened.unwrap().payload().as_ptr(), address);
    }
}
