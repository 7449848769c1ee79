//! Datagrams that the operating system does not take at once.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use str0m::net::DatagramSend;

/// Datagrams that may wait at one socket: a key frame towards two hundred players, or a tenth of a second of 800 Mbit/s.
/// What would come later than that is lost on a real network too.
const LONGEST: usize = 8_192;

/// What waits at one socket, in order.
#[derive(Default)]
pub(crate) struct Backlog {
    waiting: VecDeque<(SocketAddr, DatagramSend)>,
    /// Datagrams sent.
    pub(crate) sent: u64,
    /// Datagrams given up because too many waited.
    pub(crate) overflowed: u64,
    /// Datagrams that cannot be sent to where they are for.
    pub(crate) refused: u64,
}

impl Backlog {
    pub(crate) fn push(&mut self, destination: SocketAddr, contents: DatagramSend) {
        if self.waiting.len() < LONGEST {
            self.waiting.push_back((destination, contents));
        } else {
            self.overflowed += 1;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Hands over what waits until `send` says that it would block.
    pub(crate) fn flush(&mut self, mut send: impl FnMut(&[u8], SocketAddr) -> io::Result<usize>) {
        while let Some((destination, contents)) = self.waiting.front() {
            match send(contents, *destination) {
                Ok(_) => self.sent += 1,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => {
                    // It concerns this destination: a candidate of a client that no way leads to, say.
                    self.refused += 1;
                    tracing::trace!(%error, "a datagram was not sent");
                }
            }
            self.waiting.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn destination() -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 9))
    }

    #[test]
    fn what_a_full_socket_does_not_take_goes_out_later_in_order() {
        let mut backlog = Backlog::default();
        for byte in 0..5 {
            backlog.push(destination(), vec![byte].into());
        }
        let mut taken = Vec::new();
        for room in [2, 0, 9] {
            let mut left = room;
            backlog.flush(|contents, _| {
                if left == 0 {
                    return Err(ErrorKind::WouldBlock.into());
                }
                left -= 1;
                taken.extend_from_slice(contents);
                Ok(contents.len())
            });
        }
        assert_eq!(taken, [0, 1, 2, 3, 4]);
        assert_eq!((backlog.sent, backlog.overflowed, backlog.is_empty()), (5, 0, true));
    }

    #[test]
    fn what_cannot_be_sent_at_all_holds_nothing_up() {
        let mut backlog = Backlog::default();
        for byte in 0..2 {
            backlog.push(destination(), vec![byte].into());
        }
        backlog.flush(|contents, _| match contents {
            [0] => Err(ErrorKind::NetworkUnreachable.into()),
            _ => Ok(contents.len()),
        });
        assert_eq!((backlog.sent, backlog.refused, backlog.is_empty()), (1, 1, true));
    }

    #[test]
    fn a_socket_that_takes_nothing_holds_a_bounded_number() {
        let mut backlog = Backlog::default();
        for _ in 0..LONGEST + 10 {
            backlog.push(destination(), vec![0].into());
        }
        assert_eq!((backlog.waiting.len(), backlog.overflowed), (LONGEST, 10));
    }
}
