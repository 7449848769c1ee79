//! The driver of a relay that may be hostile: everything passes the attack's stage. Adversary tests only.

use incamera_relay_proto::ClientMessage;

use super::RelayDriver;
use crate::hostility::{HostilityStage, RelayHostility};
use crate::{ConnectionId, RelayInput, Transmit};

impl RelayDriver {
    pub(crate) fn set_hostility(&self, hostility: RelayHostility) {
        self.lock().hostility = Some(HostilityStage::new(hostility));
    }

    /// The attack begins.
    pub(crate) fn begin_hostility(&self) {
        let now = self.now().mono;
        let mut state = self.lock();
        let Some(room) = state.hostility.as_ref().and_then(HostilityStage::room) else { return };
        let head = state.machine.head(room);
        if let Some(stage) = &mut state.hostility {
            stage.begin(now, head);
        }
    }

    /// Lets each connection look whether there is something for it.
    pub(crate) fn wake_all(&self) {
        self.lock().wakers.values().for_each(|waker| waker.notify_one());
    }

    pub(crate) fn receive(&self, connection: ConnectionId, message: ClientMessage, wire_bytes: usize) {
        let messages = match &mut self.lock().hostility {
            Some(stage) => stage.receive(connection, message),
            None => vec![message],
        };
        for message in messages {
            self.input(RelayInput::Received { connection, message, wire_bytes });
        }
        let state = self.lock();
        for waiting in state.hostility.iter().flat_map(HostilityStage::to_wake) {
            if let Some(waker) = state.wakers.get(&waiting) {
                waker.notify_one();
            }
        }
    }

    /// What the machine has for the connection comes first, then what the stage has.
    pub(crate) fn poll_message(&self, connection: ConnectionId) -> Transmit {
        let now = self.now().mono;
        let mut state = self.lock();
        loop {
            let transmit = state.machine.poll_message(connection);
            let Some(stage) = &mut state.hostility else { return transmit };
            match transmit {
                Transmit::Message(message) => {
                    if let Some(message) = stage.deliver(now, connection, message) {
                        return Transmit::Message(message);
                    }
                }
                Transmit::Idle => {
                    return stage.next(now, connection).map_or(Transmit::Idle, Transmit::Message);
                }
                Transmit::Close => return Transmit::Close,
            }
        }
    }
}
