//! The relay's rules on virtual time, one file per concern.

#[path = "machine/world.rs"]
mod world;

#[path = "machine/access.rs"]
mod access;
#[path = "machine/lobby.rs"]
mod lobby;
#[path = "machine/ordering.rs"]
mod ordering;
#[path = "machine/rotation.rs"]
mod rotation;
#[path = "machine/tickets.rs"]
mod tickets;
