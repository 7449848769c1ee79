use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

const FAR: u64 = u64::MAX;

#[test]
fn second_copy_of_every_frame_in_the_window_is_refused() {
    let mut window = ReplayWindow::default();
    for counter in 0..600 {
        assert_eq!(window.check(counter, FAR), Ok(()));
        window.commit(counter);
    }
    for counter in 600 - WINDOW_FRAMES..600 {
        assert_eq!(window.check(counter, FAR), Err(ReplayError::Replayed));
    }
    assert_eq!(window.check(600 - WINDOW_FRAMES - 1, FAR), Err(ReplayError::TooOld));
}

#[test]
fn checking_alone_moves_nothing() {
    let mut window = ReplayWindow::default();
    window.commit(5);
    assert_eq!(window.check(5_000, FAR), Ok(()));
    assert_eq!(window.check(4, FAR), Ok(()));
    assert_eq!(window.check(4, FAR), Ok(()));
}

#[test]
fn frame_at_the_ceiling_is_too_far_ahead() {
    let window = ReplayWindow::default();
    assert_eq!(window.check(99, 100), Ok(()));
    assert_eq!(window.check(100, 100), Err(ReplayError::TooFarAhead));
}

#[test]
fn highest_counter_is_remembered_over_a_jump_of_any_length() {
    for jump in [1, 63, 64, 65, 255, 256, 257, 10_000] {
        let mut window = ReplayWindow::default();
        window.commit(0);
        window.commit(jump);
        assert_eq!(window.check(jump, FAR), Err(ReplayError::Replayed), "{jump}");
        let expected = if jump < WINDOW_FRAMES { ReplayError::Replayed } else { ReplayError::TooOld };
        assert_eq!(window.check(0, FAR), Err(expected), "{jump}");
    }
}

proptest! {
    #[test]
    fn window_agrees_with_a_set_of_all_counters(counters in prop::collection::vec(0_u64..2_000, 1..400)) {
        let mut window = ReplayWindow::default();
        let mut accepted = BTreeSet::new();
        for counter in counters {
            let next = accepted.last().map_or(0, |highest| highest + 1);
            let expected = if accepted.contains(&counter) && next - counter <= WINDOW_FRAMES {
                Err(ReplayError::Replayed)
            } else if counter + WINDOW_FRAMES < next {
                Err(ReplayError::TooOld)
            } else {
                Ok(())
            };
            prop_assert_eq!(window.check(counter, FAR), expected);
            if expected.is_ok() {
                window.commit(counter);
                accepted.insert(counter);
            }
        }
    }
}
