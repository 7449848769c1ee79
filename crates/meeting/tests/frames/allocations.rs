//! A frame costs no allocation on either side.

use incamera_types::Context;

use crate::room::{Room, START, drain, media, millis};

#[test]
fn frames_are_sealed_and_delivered_without_an_allocation() {
    let room = Room::of(3);
    let (mut sealer, mut receiver) = (room.sealer(1), room.receiver(0));
    for step in 0..100 {
        let now = START.plus(millis(step * 20));
        let frame = media(now, Context::CameraHigh);
        let mut sealed = None;
        let sealing = allocation_counter::measure(|| {
            sealed = sealer.seal(now, Context::CameraHigh, frame).ok();
        });
        let buf = sealed.unwrap().into_buffer();
        let opening = allocation_counter::measure(|| {
            receiver.handle_frame(now, Context::CameraHigh.kind(), buf);
        });
        assert_eq!(drain(&mut receiver).frames.len(), 1);
        assert_eq!(sealing.count_total, 0);
        // The first frame of a key brings the key itself.
        assert!(step == 0 || opening.count_total == 0, "{step}");
    }
}
