//! Randomness as cores see it: always passed in.

/// A source of cryptographically secure random bytes.
///
/// The shell implements it over the operating system; the simulator implements it over a seeded
/// generator which cannot be linked into a release build (SEC-17).
pub trait Entropy: Send {
    /// Fills `out` entirely with fresh random bytes.
    fn fill(&mut self, out: &mut [u8]);
}

impl<T: Entropy + ?Sized> Entropy for Box<T> {
    fn fill(&mut self, out: &mut [u8]) {
        (**self).fill(out);
    }
}
