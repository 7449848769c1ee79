//! What the SFU sends, bounded as a whole and shared among its rooms (SEC-15).
//!
//! A room always has its even share of the ceiling, and what others leave of theirs is for whoever asks first. One
//! room, however greedy, takes nothing that another needs within its share.

use std::time::Instant;

use crate::forward::Medium;
use crate::rate::{Bucket, Rate};

/// A datagram counts for at least so many bytes: small ones are as much work as large ones.
const LEAST_COST: usize = 500;

/// Pictures leave this part of a burst to speech, which goes on when they no longer fit.
const SPEECH_PART: f64 = 0.25;

/// What is left of the ceiling.
pub(super) struct Egress {
    ceiling: Rate,
    left: Bucket,
}

impl Egress {
    pub(super) fn new(now: Instant, ceiling: Rate) -> Self {
        Self { ceiling, left: Bucket::full(now, ceiling) }
    }

    /// A room's own share, for a room that begins.
    pub(super) fn share_of_room(&self, now: Instant) -> Bucket {
        Bucket::full(now, self.ceiling)
    }

    /// Whether a packet goes out to the players of a room with this share, one of so many rooms.
    pub(super) fn admits(&self, now: Instant, share: &Bucket, rooms: usize, medium: Medium) -> bool {
        let reserve = match medium {
            Medium::Audio => 0.0,
            Medium::Video(_) => SPEECH_PART,
        };
        let has_room =
            |bucket: &Bucket, rate: Rate| bucket.level(now, rate) > reserve * f64::from(rate.burst);
        has_room(share, self.even_share(rooms)) || has_room(&self.left, self.ceiling)
    }

    /// Datagrams that cost so much went out to players of a room.
    pub(super) fn spend(&mut self, now: Instant, share: &mut Bucket, rooms: usize, bytes: u32) {
        share.spend(now, self.even_share(rooms), bytes, 0.0);
        // What rooms take of their shares is owed by whoever takes more than that.
        self.left.spend(now, self.ceiling, bytes, -f64::from(self.ceiling.burst));
    }

    fn even_share(&self, rooms: usize) -> Rate {
        let rooms = u32::try_from(rooms.max(1)).unwrap_or(u32::MAX);
        Rate { burst: self.ceiling.burst / rooms, per_second: self.ceiling.per_second / rooms }
    }
}

/// What a datagram of this length costs, in bytes.
pub(super) fn cost(length: usize) -> u32 {
    u32::try_from(length.max(LEAST_COST)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::forward::Layer;

    const PICTURE: Medium = Medium::Video(Layer::High);
    const CEILING: Rate = Rate { burst: 200_000, per_second: 1_000_000 };

    /// What each of two rooms gets through in ten seconds, in bytes, when it sends so many packets of a
    /// picture every 5 ms.
    fn sent(packets: [u32; 2]) -> [f64; 2] {
        let start = Instant::now();
        let mut egress = Egress::new(start, CEILING);
        let mut shares = [egress.share_of_room(start), egress.share_of_room(start)];
        let mut sent = [0.0; 2];
        for round in 0..2_000 {
            let now = start + Duration::from_millis(5) * round;
            for room in [0, 1] {
                for _ in 0..packets[room] {
                    if egress.admits(now, &shares[room], 2, PICTURE) {
                        egress.spend(now, &mut shares[room], 2, cost(1_000));
                        sent[room] += 1_000.0;
                    }
                }
            }
        }
        sent
    }

    #[test]
    fn a_greedy_room_takes_nothing_of_another_ones_share_and_all_that_is_left() {
        let [greedy, modest] = sent([100, 2]);
        assert!((modest - 4e6).abs() < 1.0, "{modest}");
        assert!((5.8e6..=6.3e6).contains(&greedy), "{greedy}");
    }

    #[test]
    fn two_greedy_rooms_share_the_ceiling() {
        let both = sent([100, 100]);
        assert!(both.iter().all(|sent| (4.9e6..=5.4e6).contains(sent)), "{both:?}");
    }

    #[test]
    fn speech_goes_on_when_pictures_no_longer_fit() {
        let now = Instant::now();
        let mut egress = Egress::new(now, CEILING);
        let mut share = egress.share_of_room(now);
        egress.spend(now, &mut share, 1, 160_000);
        assert!(!egress.admits(now, &share, 1, PICTURE));
        assert!(egress.admits(now, &share, 1, Medium::Audio));
        egress.spend(now, &mut share, 1, 40_000);
        assert!(!egress.admits(now, &share, 1, Medium::Audio));
    }

    #[test]
    fn small_datagrams_count_like_larger_ones() {
        assert_eq!([cost(20), cost(1_200)], [500, 1_200]);
    }
}
