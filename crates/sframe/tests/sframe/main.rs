//! Sealed frames from outside the crate: vectors, an independent implementation, and what servers may try.

mod allocations;
mod header;
mod oracle;
mod sealed_frame;
mod support;
