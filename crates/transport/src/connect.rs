//! Chooses the adapter.

use std::sync::Arc;

use incamera_relay_proto::{SfuKind, Ticket};
use tokio::sync::mpsc;

use crate::janus::JanusSfu;
use crate::sink::Sink;
use crate::whip::WhipSfu;
use crate::{Clock, Sfu, SfuError, SfuEvent, SfuSettings};

/// Prepares the connection to the SFU that a ticket is for, and begins to connect what needs no further word.
///
/// Returns at once; what happens is reported through the receiver, which must be read: media that nobody takes is
/// dropped. Everything ends when the SFU is closed or dropped. Must be called within a tokio runtime.
///
/// # Errors
/// [`SfuError::Address`] or [`SfuError::Cleartext`] for a ticket whose addresses cannot be used.
pub fn connect_sfu(
    ticket: Ticket,
    settings: SfuSettings,
    clock: Clock,
) -> Result<(Arc<dyn Sfu>, mpsc::Receiver<SfuEvent>), SfuError> {
    let (sink, events) = Sink::new();
    let sfu: Arc<dyn Sfu> = match ticket.sfu {
        SfuKind::Janus => Arc::new(JanusSfu::start(ticket, settings, sink, clock)?),
        SfuKind::Embedded | SfuKind::Whip => Arc::new(WhipSfu::start(ticket, settings, sink, clock)?),
    };
    Ok((sfu, events))
}
