//! Several meeting machines around one relay on virtual time.

mod chatting;
#[cfg(feature = "danger-sabotage")]
mod hostile_member;
mod hostile_relay;
mod joining;
mod leaving;
mod lobby;
mod long;
mod outages;
mod relay;
#[cfg(feature = "danger-sabotage")]
mod sabotage;
mod world;
