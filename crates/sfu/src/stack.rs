//! The wall around the WebRTC stack. It panics on bugs of its own, by policy: such a bug may cost the connection that
//! met it, never the task that serves all rooms (SEC-15).

use std::panic::{AssertUnwindSafe, catch_unwind};

use str0m::Rtc;

/// Runs code of the stack that belongs to no connection, such as its parsers; `None` if it panicked. `run` changes
/// nothing that is looked at afterwards but what it returns.
pub(crate) fn guarded<R>(run: impl FnOnce() -> R) -> Option<R> {
    catch_unwind(AssertUnwindSafe(run)).ok()
}

/// The stack of one connection. Its methods are reached through [`Self::guarded`] only.
pub(crate) struct Stack {
    /// Some 30 kB, so not inline in the table of connections.
    rtc: Box<Rtc>,
}

impl Stack {
    pub(crate) fn new(rtc: Rtc) -> Self {
        Self { rtc: Box::new(rtc) }
    }

    /// Runs the stack; `None` if it panicked. Nothing outside the connection is touched by `run` but queues, so only
    /// this connection has to go.
    pub(crate) fn guarded<R>(&mut self, run: impl FnOnce(&mut Rtc) -> R) -> Option<R> {
        guarded(|| run(&mut self.rtc))
    }

    /// Whether the connection has not ended.
    pub(crate) fn is_alive(&self) -> bool {
        self.rtc.is_alive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_panic_of_the_stack_ends_here() {
        assert_eq!(guarded(|| -> u8 { panic!("a bug") }), None);
        let mut stack = Stack::new(Rtc::builder().build(Instant::now()));
        assert_eq!(stack.guarded(|_| -> u8 { panic!("a bug") }), None);
        assert!(stack.is_alive());
    }
}
