//! Letting in: the admitter's side of the lobby.

use incamera_group::hpke::{HpkePrivateKey, HpkePublicKey};
use incamera_group::{AdmissionId, Applicant, CommitTurn, GroupInput, Refusal};
use incamera_identity::{IdentityStatus, VerifyingKey};
use incamera_relay_proto::{
    Blob, ClientRef, KnockId, LobbyPublicKey, RelayFault, RelayFaultCode, Request, Standing as ReplyStanding,
};
use incamera_types::{MemberId, Now, PROTOCOL_VERSION, Pii};

use super::MeetingMachine;
use super::relay::pause_of;
use crate::answers::Answer;
use crate::codes::AlarmCode;
use crate::error::CommandError;
use crate::event::{Event, KnockNumber};
use crate::input::LobbyMode;
use crate::knock::KnockBody;
use crate::lobby::{Decision, Knocker, Turned, admission_of};
use crate::reply::{Admission, Denial, Reply};
use crate::roster::Presence;
use crate::rules::LockState;
use crate::session::Purpose;

impl MeetingMachine {
    pub(super) fn lobby_public_key(&self) -> Option<LobbyPublicKey> {
        self.lobby.key().map(|key| LobbyPublicKey(key.public_key().0))
    }

    /// Who knew the lobby key is gone: knocks to come are sealed to another one.
    pub(super) fn replace_lobby_key(&mut self, now: Now) {
        if self.founder.is_some()
            && let Ok(key) = HpkePrivateKey::generate(&mut self.entropy)
        {
            self.lobby.replace_key(key);
            self.renew_card(now);
        }
    }

    /// Somebody knocks. Only who holds the lobby key can tell who.
    pub(super) fn knocked(&mut self, now: Now, knock: KnockId, blob: &Blob) {
        // What was answered is shown again where the relay had not read the answer yet.
        if self.lobby.key().is_none() || self.answers.contains(knock) {
            return;
        }
        let Some(body) = self.open_knock(blob) else {
            return self.alarm(now, AlarmCode::KnockRefused, None);
        };
        match self.lobby.check(knock, &body) {
            Err(Turned::Known) => return,
            Err(_) if self.safeguards.checks_knocks() => {
                return self.alarm(now, AlarmCode::KnockStale, None);
            }
            Ok(()) | Err(_) => {}
        }
        if self.safeguards.checks_knocks() && !body.is_fresh(now) {
            // Its clock may be off, or it waited for us to come back: it may knock anew.
            self.alarm(now, AlarmCode::KnockStale, None);
            return self.refuse_knock(knock, &body, Denial::Stale);
        }
        if body.version != PROTOCOL_VERSION {
            return self.refuse_knock(knock, &body, Denial::Version);
        }
        let Ok(applicant) = Applicant::read(&body.key_package) else {
            self.alarm(now, AlarmCode::KnockRefused, None);
            return self.refuse_knock(knock, &body, Denial::Host);
        };
        let replaces = self.replaced_by(&body, &applicant);
        let locked = self.rules.as_ref().is_some_and(|rules| rules.lock == LockState::Locked);
        if locked && replaces.is_none() {
            return self.refuse_knock(knock, &body, Denial::Locked);
        }
        if self.lobby.find_place(now.unix_ms, replaces).is_err() {
            self.alarm(now, AlarmCode::KnockFlood, None);
            return self.refuse_knock(knock, &body, Denial::Full);
        }
        let name = Pii::new(applicant.credential.name().reveal().to_owned());
        let accused = self.accused_by(&body);
        let number = self.lobby.add(now.unix_ms, knock, body, (applicant.leaf_key, name.clone()), replaces);
        self.emit(Event::Knocked { knock: number, name });
        if let Some(committer) = accused {
            self.alarm(now, AlarmCode::CommitUnfollowed, Some(committer));
        }
    }

    fn refuse_knock(&mut self, knock: KnockId, body: &KnockBody, why: Denial) {
        self.lobby.refuse(body);
        let reply_key = HpkePublicKey(body.reply_key);
        self.answer(knock, body.nonce, &reply_key, &Reply::Denied(why));
    }

    fn open_knock(&self, blob: &Blob) -> Option<KnockBody> {
        let sealed = blob.unpad().ok()?;
        let room = self.invite.room;
        let open = |key| KnockBody::open(room, key, &self.proof_key, sealed, self.safeguards).ok();
        self.lobby.keys().find_map(open)
    }

    /// The member whose leaf this knock takes over: proved by the key of its earlier knock, or a lost member
    /// with the same verified identity (a crashed client that came back).
    fn replaced_by(&self, body: &KnockBody, applicant: &Applicant) -> Option<MemberId> {
        let group = self.group.as_ref()?;
        let proved = body.rejoins(|member| self.rejoin_key_of(member));
        proved.map(|rejoin| MemberId(rejoin.member)).or_else(|| {
            let IdentityStatus::Verified(identity) = applicant.identity else { return None };
            let same =
                |member: &&incamera_group::Member| member.identity == IdentityStatus::Verified(identity);
            let lost = |member: &&incamera_group::Member| {
                self.roster.get(member.id).is_some_and(|view| view.presence != Presence::Here)
            };
            group.roster().iter().filter(same).find(lost).map(|member| member.id)
        })
    }

    fn rejoin_key_of(&self, member: MemberId) -> Option<VerifyingKey> {
        let leaf_key = self.group.as_ref()?.roster().by_id(member)?.leaf_key;
        self.lobby.rejoin_key(&leaf_key)
    }

    /// The member whose commit was sound for all others but not for the member that comes back with this knock.
    fn accused_by(&self, body: &KnockBody) -> Option<MemberId> {
        let committer = body.rejoins(|member| self.rejoin_key_of(member))?.committer?;
        self.roster.get(MemberId(committer)).map(|view| view.member)
    }

    /// A knock was settled, withdrawn or has expired: whoever made it waits no more.
    pub(super) fn knock_closed(&mut self, now: Now, knock: KnockId) {
        self.answers.closed(knock);
        self.take_out(now, knock);
    }

    /// The relay was restarted and knows of no knock any more: who still wants to come in knocks again.
    pub(super) fn forget_knocks(&mut self, now: Now) {
        self.answers.clear();
        let waiting: Vec<KnockId> = self.lobby.iter().map(|knocker| knocker.knock).collect();
        waiting.into_iter().for_each(|knock| drop(self.take_out(now, knock)));
    }

    /// Takes a knock out of the lobby. Whoever was admitted is not added after all.
    fn take_out(&mut self, now: Now, knock: KnockId) -> Option<Knocker> {
        let knocker = self.lobby.remove(knock)?;
        if knocker.decision == Decision::Admitted {
            self.tell_group(now, GroupInput::WithdrawAdmission(admission_of(knocker.number))).ok();
        }
        self.emit(Event::KnockEnded { knock: knocker.number });
        Some(knocker)
    }

    /// Lets in everybody who needs no decision: who comes back, or all when there is no lobby.
    pub(super) fn admit_by_rule(&mut self, now: Now) {
        let open = self.rules.as_ref().is_some_and(|rules| rules.lobby == LobbyMode::Open);
        let due: Vec<KnockNumber> = self
            .lobby
            .iter()
            .filter(|knocker| knocker.decision == Decision::Waiting && (open || knocker.replaces.is_some()))
            .map(|knocker| knocker.number)
            .collect();
        for number in due {
            self.admit(now, number, CommitTurn::Shared).ok();
        }
    }

    /// Plans the addition of a knocker, once.
    pub(super) fn admit(
        &mut self,
        now: Now,
        number: KnockNumber,
        turn: CommitTurn,
    ) -> Result<(), CommandError> {
        let knocker = self.lobby.get_mut(number).ok_or(CommandError::NoSuchKnock)?;
        if core::mem::replace(&mut knocker.decision, Decision::Admitted) == Decision::Admitted {
            return Ok(());
        }
        let input = GroupInput::Admit {
            admission: admission_of(number),
            key_package: knocker.key_package.clone(),
            replaces: knocker.replaces,
            turn,
        };
        let planned = self.tell_group(now, input);
        if planned.is_err() {
            self.deny(now, number).ok();
        }
        planned
    }

    /// Takes a knocker out of the lobby and tells it so, even if it was admitted a moment ago.
    pub(super) fn deny(&mut self, now: Now, number: KnockNumber) -> Result<(), CommandError> {
        let knock = self.lobby.get_mut(number).ok_or(CommandError::NoSuchKnock)?.knock;
        if let Some(knocker) = self.take_out(now, knock) {
            self.answer_knocker(&knocker, &Reply::Denied(Denial::Host));
        }
        Ok(())
    }

    /// The group could not add a knocker.
    pub(super) fn admission_failed(&mut self, admission: AdmissionId, reason: Refusal) {
        if let Some(knocker) = self.lobby.remove_admission(admission) {
            let denial = match reason {
                Refusal::Locked => Denial::Locked,
                Refusal::Full => Denial::Full,
                _ => Denial::Host,
            };
            self.answer_knocker(&knocker, &Reply::Denied(denial));
            self.emit(Event::KnockEnded { knock: knocker.number });
        }
    }

    /// The commit that adds a knocker won: the Welcome leaves now.
    pub(super) fn send_welcome(&mut self, admission: AdmissionId, welcome: &[u8]) {
        let Some(membership) = &self.membership else { return };
        let reply = Reply::Admitted(Admission {
            commit_seq: self.log.last().0,
            log_hash: self.log.head().hash,
            secrets: membership.secrets().clone(),
            welcome: welcome.to_vec(),
        });
        if let Some(knocker) = self.lobby.remove_admission(admission) {
            self.answer_knocker(&knocker, &reply);
            self.emit(Event::Admitted { knock: knocker.number });
        }
    }

    fn answer_knocker(&mut self, knocker: &Knocker, reply: &Reply) {
        self.answer(knocker.knock, knocker.nonce, &knocker.reply_key, reply);
    }

    fn answer(&mut self, knock: KnockId, nonce: [u8; 16], reply_key: &HpkePublicKey, reply: &Reply) {
        // A reply key under which nothing is secret is the knocker's own fault: it gets no answer.
        let Ok(sealed) = reply.seal(self.invite.room, nonce, reply_key, &mut self.entropy) else { return };
        let Ok(blob) = Blob::pad(&sealed) else { return };
        let echo = matches!(reply, Reply::Admitted(_)).then_some(nonce);
        self.answers.keep(Answer { knock, blob, echo });
    }

    /// Sends the replies that the relay may not have yet.
    pub(super) fn send_answers(&mut self, now: Now) {
        if self.timers.resend_at.is_some() {
            return;
        }
        for Answer { knock, blob, echo } in self.answers.due() {
            let request = Request::Reply { knock, standing: ReplyStanding::Final, blob };
            let client_ref = self.ask(Purpose::Reply, request);
            self.answers.sent(knock, client_ref);
            if let Some(nonce) = echo {
                self.lobby.echo(now.mono, nonce);
            }
        }
    }

    /// The relay did not take a reply. While somebody waits for it, it is sent again.
    pub(super) fn reply_refused(&mut self, now: Now, in_reply_to: ClientRef, fault: RelayFault) {
        if fault.code == RelayFaultCode::NoKnock {
            return self.answers.unwanted(in_reply_to);
        }
        self.timers.resend_at = Some(now.mono.plus(pause_of(fault)));
    }

    /// Notes who was added: heartbeats echo their nonces at once, so that they are not kept waiting.
    pub(super) fn note_joined(&mut self, now: Now, leaf_keys: &[VerifyingKey]) {
        if self.lobby.joined(now.mono, leaf_keys) {
            self.clock.send_now(now.mono);
        }
    }
}
