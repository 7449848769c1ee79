//! Frames from sealing to delivery, between members of a made-up group, on virtual time.

mod allocations;
mod epochs;
mod order;
mod room;
mod sealing;
mod seeded;
mod trouble;
