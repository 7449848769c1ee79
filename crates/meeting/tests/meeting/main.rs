//! Several meeting machines around one relay on virtual time.

mod chatting;
mod hostile_relay;
mod joining;
mod leaving;
mod outages;
mod relay;
#[cfg(feature = "danger-sabotage")]
mod sabotage;
mod world;
