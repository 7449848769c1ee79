//! Carries out sabotage in test builds.

use super::MeetingDriver;
use crate::Sabotage;
use crate::incoming::Inbound;
use crate::reception::Remote;

impl MeetingDriver {
    /// Loses the key of a member, if that is what was asked for.
    pub(super) fn spoil_key_of(&self, remote: &Remote) {
        if self.sabotage == Some(Sabotage::DropKey(remote.name.clone())) {
            self.incoming.send(Inbound::Sabotage(remote.member));
        }
    }
}
