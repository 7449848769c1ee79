//! The log, entry by entry.

use incamera_types::{LeafIndex, MemberId, Mono, Pii};
use openmls::prelude::{
    ContentType, ProcessMessageError, ProcessedMessage, ProcessedMessageContent, ProtocolMessage, Sender,
    StageCommitError, StagedCommit,
};
use openmls::treesync::errors::ApplyUpdatePathError;
use openmls_traits::OpenMlsProvider as _;
use zeroize::Zeroizing;

use super::{GroupMachine, committer_tag, epoch_of};
use crate::authority::{EpochView, Verdict};
use crate::error::Refusal;
use crate::facts::CommitFacts;
use crate::filter::{Admissible, admit_entry};
use crate::message::GroupOutput;

impl GroupMachine {
    /// Processes the next entry. The first valid commit of an epoch wins; whatever else is for that epoch and
    /// comes later is for another epoch by then and skipped.
    pub(super) fn process_entry(&mut self, now: Mono, seq: u64, blob: &[u8]) {
        if self.last_seq.is_some_and(|last| seq <= last) {
            return self.skip(seq, Refusal::Replayed, None);
        }
        self.last_seq = Some(seq);
        if self.settle_application(seq, blob) || self.adopt_own(now, seq, blob) {
            return;
        }
        let admissible = match self.admit(blob) {
            Ok(admissible) => admissible,
            Err(reason) => return self.skip(seq, reason, None),
        };
        let aad = admissible.aad;
        if admissible.content == ContentType::Commit {
            self.provider.crypto().keep_verified();
        }
        let processed = self.group.process_message(&self.provider, admissible.message);
        let signed = self.provider.crypto().take_verified();
        match (processed, signed) {
            (Ok(processed), _) => self.take_message(now, seq, processed, &aad),
            (Err(error), Some(signed)) if fails_for_us_alone(&error) => self.left_behind(seq, &signed),
            (Err(error), _) => self.skip(seq, refusal_of(&error), None),
        }
    }

    fn admit(&self, blob: &[u8]) -> Result<Admissible, Refusal> {
        let admissible = self.parse(blob)?;
        if admissible.message.group_id().as_slice() != self.group_id {
            return Err(Refusal::OtherGroup);
        }
        let in_reach =
            admissible.message.epoch() == self.group.epoch() || self.may_be_late(&admissible.message);
        if in_reach { Ok(admissible) } else { Err(Refusal::OtherEpoch) }
    }

    #[cfg(not(feature = "danger-sabotage"))]
    fn parse(&self, blob: &[u8]) -> Result<Admissible, Refusal> {
        admit_entry(blob)
    }

    #[cfg(feature = "danger-sabotage")]
    fn parse(&self, blob: &[u8]) -> Result<Admissible, Refusal> {
        if self.safeguards.filter() { admit_entry(blob) } else { crate::filter::admit_anything(blob) }
    }

    /// Old application messages are never read, so that a removed member's are not either (SEC-05).
    fn may_be_late(&self, message: &ProtocolMessage) -> bool {
        !self.safeguards.past_epoch_erasure() && message.content_type() == ContentType::Application
    }

    fn take_message(&mut self, now: Mono, seq: u64, processed: ProcessedMessage, aad: &[u8]) {
        let sender = match processed.sender() {
            Sender::Member(leaf) => Some(LeafIndex(leaf.u32())),
            _ => None,
        };
        let member = sender.and_then(|leaf| self.roster.at(leaf)).map(|member| member.id);
        // Unreachable while past epochs are erased; with that safeguard off, a sender that is gone speaks too.
        let ghost = (!self.safeguards.past_epoch_erasure()).then_some(MemberId([0; 16]));
        match processed.into_content() {
            ProcessedMessageContent::ApplicationMessage(message) => match (sender, member.or(ghost)) {
                (Some(leaf), Some(sender)) => self.outputs.push_back(GroupOutput::ApplicationReceived {
                    seq,
                    sender,
                    leaf,
                    bytes: Pii::new(Zeroizing::new(message.into_bytes())),
                }),
                _ => self.skip(seq, Refusal::Sender, None),
            },
            ProcessedMessageContent::StagedCommitMessage(staged) => {
                self.take_commit(now, seq, *staged, sender, aad);
            }
            // Whoever writes our leaf into the sender data gets here unauthenticated.
            ProcessedMessageContent::OwnPrivateMessage | ProcessedMessageContent::OwnPendingCommit => {
                self.refuse_echo(now, seq);
            }
            _ => self.skip(seq, Refusal::StandaloneProposal, member),
        }
    }

    fn refuse_echo(&mut self, now: Mono, seq: u64) {
        if self.safeguards.own_echo_bytes() || self.own_commit.is_none() {
            self.skip(seq, Refusal::NotOurs, None);
        } else {
            self.merge_own(now, seq);
        }
    }

    fn take_commit(
        &mut self,
        now: Mono,
        seq: u64,
        staged: StagedCommit,
        sender: Option<LeafIndex>,
        aad: &[u8],
    ) {
        let committer = sender.and_then(|leaf| self.roster.at(leaf)).map(|member| member.id);
        let verdict = match (sender, self.safeguards.filter()) {
            (Some(leaf), _) => CommitFacts::read(&staged, leaf, aad).and_then(|facts| self.judge(&facts)),
            (None, true) => Err(Refusal::Sender),
            (None, false) => Ok(Verdict { committer: MemberId([0; 16]), removed: Vec::new(), rules: None }),
        };
        match verdict {
            Err(reason) => self.skip(seq, reason, committer),
            Ok(_) if self.own_commit.is_some() && !self.safeguards.first_valid_wins() => {
                self.skip(seq, Refusal::OtherEpoch, committer);
            }
            Ok(verdict) => self.adopt_foreign(now, seq, staged, &verdict),
        }
    }

    /// A commit whose signature verified but whose path does not open here: when its public part is valid, all
    /// others follow it and we are left behind; when it is not, nobody does, and it changes nothing.
    fn left_behind(&mut self, seq: u64, signed: &[u8]) {
        let facts = match CommitFacts::read_signed(signed, self.provider.crypto()) {
            Ok(facts) => facts,
            Err(reason) => return self.skip(seq, reason, None),
        };
        match self.judge(&facts) {
            Ok(verdict) => self.leave(GroupOutput::MustRejoin { committer: verdict.committer }),
            Err(reason) => {
                let committer = self.roster.at(facts.committer).map(|member| member.id);
                self.skip(seq, reason, committer);
            }
        }
    }

    /// Judges a commit under the current epoch.
    pub(crate) fn judge(&self, facts: &CommitFacts) -> Result<Verdict, Refusal> {
        let tag_of = |member| committer_tag(&self.tag_key, member);
        let view = EpochView {
            roster: &self.roster,
            rules: &self.rules,
            tag_of: &tag_of,
            safeguards: self.safeguards,
        };
        view.judge(facts)
    }

    /// The epoch as openmls counts it, for comparison with staged commits.
    pub(super) fn epoch_after(staged: &StagedCommit) -> incamera_types::Epoch {
        epoch_of(staged.epoch())
    }
}

/// Whether a commit that verified may still be valid for others: its path does not open or fit here. Everything
/// else that openmls refuses, it refuses for everybody alike. A wrong confirmation tag after a path that opened
/// is one of those, since the opened path fixes the commit secret.
fn fails_for_us_alone<E>(error: &ProcessMessageError<E>) -> bool {
    matches!(
        error,
        ProcessMessageError::InvalidCommit(
            StageCommitError::MissingDecryptionKey
                | StageCommitError::UpdatePathError(
                    ApplyUpdatePathError::UnableToDecrypt
                        | ApplyUpdatePathError::PathMismatch
                        | ApplyUpdatePathError::MissingCiphertext
                        // openmls' name for having no private key that the path was encrypted to
                        | ApplyUpdatePathError::MissingSender
                )
        )
    )
}

fn refusal_of<E>(error: &ProcessMessageError<E>) -> Refusal {
    match error {
        ProcessMessageError::ValidationError(_) => Refusal::Unauthentic,
        ProcessMessageError::IncompatibleWireFormat => Refusal::WireFormat,
        _ => Refusal::Protocol,
    }
}
