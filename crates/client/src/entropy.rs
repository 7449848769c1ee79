//! The operating system's randomness, handed to every core machine.

use incamera_types::Entropy;
use ring::rand::{SecureRandom as _, SystemRandom};

/// Entropy of the operating system.
pub(crate) struct SystemEntropy(SystemRandom);

impl SystemEntropy {
    pub(crate) fn new() -> Self {
        Self(SystemRandom::new())
    }
}

impl Entropy for SystemEntropy {
    /// # Panics
    /// When the operating system has no randomness: going on would mean guessable keys (SEC-17).
    #[expect(clippy::expect_used, reason = "a machine without randomness must not hold a meeting")]
    fn fill(&mut self, out: &mut [u8]) {
        self.0.fill(out).expect("the operating system gives random bytes");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_fills_differ() {
        let mut entropy = SystemEntropy::new();
        let (mut one, mut other) = ([0; 32], [0; 32]);
        entropy.fill(&mut one);
        entropy.fill(&mut other);
        assert_ne!(one, other);
    }
}
