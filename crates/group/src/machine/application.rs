//! Application messages: sealing, and what became of the own ones.

use std::sync::Arc;

use tls_codec::Serialize as _;

use super::{GroupMachine, OutstandingApplication};
use crate::error::GroupError;
use crate::message::{ApplicationId, ApplicationOutcome, GroupOutput, SealedApplication};
use crate::parameters::{MAX_APPLICATION_LEN, MAX_OUTSTANDING};
use crate::provider::LeafSigner;

impl GroupMachine {
    /// Seals an application message in the current epoch. Its fate comes as
    /// [`GroupOutput::ApplicationSettled`] once the log shows it.
    ///
    /// # Errors
    /// [`GroupError::StillJoining`], [`GroupError::NotMember`], [`GroupError::TooLong`].
    pub fn seal_application(&mut self, bytes: &[u8]) -> Result<SealedApplication, GroupError> {
        self.active_member()?;
        if bytes.len() > MAX_APPLICATION_LEN {
            return Err(GroupError::TooLong);
        }
        let message = self
            .group
            .create_message(&self.provider, &LeafSigner(&self.leaf_key), bytes)
            .map_err(|error| GroupError::Library(error.to_string()))?;
        let blob: Arc<[u8]> =
            message.tls_serialize_detached().map_err(|error| GroupError::Library(error.to_string()))?.into();
        let id = ApplicationId(self.next_application);
        self.next_application = self.next_application.wrapping_add(1);
        self.outstanding.push_back(OutstandingApplication {
            id,
            epoch: self.epoch(),
            blob: Arc::clone(&blob),
        });
        if self.outstanding.len() > MAX_OUTSTANDING
            && let Some(oldest) = self.outstanding.pop_front()
        {
            self.settle(oldest.id, ApplicationOutcome::Missed);
        }
        Ok(SealedApplication { id, blob })
    }

    /// Recognises an own message by its bytes.
    pub(super) fn settle_application(&mut self, seq: u64, blob: &[u8]) -> bool {
        let Some(at) = self.outstanding.iter().position(|own| *own.blob == *blob) else { return false };
        if let Some(own) = self.outstanding.remove(at) {
            let in_time = own.epoch == self.epoch();
            let outcome =
                if in_time { ApplicationOutcome::Delivered { seq } } else { ApplicationOutcome::Missed };
            self.settle(own.id, outcome);
        }
        true
    }

    fn settle(&mut self, id: ApplicationId, outcome: ApplicationOutcome) {
        self.outputs.push_back(GroupOutput::ApplicationSettled { id, outcome });
    }
}
