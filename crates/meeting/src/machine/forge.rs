//! What a modified client hands to the relay: forged commits, and admissions into phantom rooms.
//!
//! For simulations only: the feature `danger-sabotage` is refused in release builds.

use incamera_group::{Forgery, PhantomRules};
use incamera_relay_proto::Blob;
use incamera_types::{MemberId, Now};

use super::MeetingMachine;
use crate::event::KnockNumber;
use crate::reply::{Admission, Reply};

impl MeetingMachine {
    /// A forged commit for the commit lane; `None` when this member cannot make it now, or when it would be valid.
    pub fn forge_commit(&mut self, forgery: &Forgery) -> Option<Blob> {
        Blob::pad(&self.group.as_mut()?.forge(forgery)?).ok()
    }

    /// Commits so that one member alone cannot follow. Tells whether such a commit could be made now.
    pub fn commit_without(&mut self, now: Now, victim: MemberId) -> bool {
        let made = self.group.as_mut().is_some_and(|group| group.commit_without(now, victim));
        self.advance(now);
        made
    }

    /// Renews the own leaf at once, whatever its turn; whether a commit is on its way.
    pub fn renew_leaf(&mut self, now: Now) -> bool {
        let renewed = self.group.as_mut().is_some_and(|group| group.renew_leaf(now));
        self.advance(now);
        renewed
    }

    /// The reply to a knock, as somebody who has the lobby key but may not admit could make it: it leads into a
    /// group that is not the room's.
    pub fn forge_admission(&mut self, knock: KnockNumber, rules: PhantomRules) -> Option<Blob> {
        let (group, membership) = (self.group.as_ref()?, self.membership.as_ref()?);
        let knocker = self.lobby.get(knock)?;
        let welcome = group.phantom_welcome(&knocker.key_package, rules, Box::new(self.entropy.clone()))?;
        let reply = Reply::Admitted(Admission {
            commit_seq: self.log.last().0,
            log_hash: self.log.head().hash,
            secrets: membership.secrets().clone(),
            welcome,
        });
        let sealed =
            reply.seal(self.invite.room, knocker.nonce, &knocker.reply_key, &mut self.entropy).ok()?;
        Blob::pad(&sealed).ok()
    }
}
