//! What has to be said again after a reconnection: the open room and the waiting knock.

use incamera_relay_proto::{
    Access, ClientMessage, ClientRef, EndReason, Request, ResumeSecret, ServerMessage, Standing,
};

/// Number of the requests that the driver makes by itself; handles count from 1.
const OWN_REF: ClientRef = ClientRef(0);

/// Watches both directions and knows how to go on.
#[derive(Default)]
pub(super) struct ResumeState {
    open: Option<Request>,
    knock: Option<Knock>,
}

struct Knock {
    resume: ResumeSecret,
    replies_seen: u16,
}

impl ResumeState {
    /// Notes a request that is being sent.
    pub(super) fn note_request(&mut self, request: &Request) {
        match request {
            Request::Open { .. } => self.open = Some(request.clone()),
            Request::CreateRoom(_) => self.open = None,
            Request::Knock { resume, .. } => {
                self.knock = Some(Knock { resume: resume.clone(), replies_seen: 0 })
            }
            Request::ResumeKnock { resume, replies_seen } => {
                self.knock = Some(Knock { resume: resume.clone(), replies_seen: *replies_seen });
            }
            Request::WithdrawKnock => self.knock = None,
            _ => {}
        }
    }

    /// Notes a message that arrived.
    pub(super) fn note_message(&mut self, message: &ServerMessage) {
        match message {
            ServerMessage::Entry { seq, .. } => {
                if let Some(Request::Open { from, .. }) = &mut self.open {
                    *from = seq.next();
                }
            }
            ServerMessage::Replied { number, standing, .. } => match (&mut self.knock, standing) {
                (Some(knock), Standing::Open) => knock.replies_seen = *number,
                _ => self.knock = None,
            },
            // A relay that restarts may get the room back from its host: go on asking.
            ServerMessage::RoomEnded(EndReason::RelayStopped) => {}
            ServerMessage::RoomEnded(EndReason::Ordered | EndReason::Expired) => *self = Self::default(),
            _ => {}
        }
    }

    /// What to send after hello on a new connection.
    pub(super) fn requests(&self) -> Vec<ClientMessage> {
        let knocks = matches!(self.open, Some(Request::Open { access: Access::Knock, .. }));
        let knock = self.knock.as_ref().filter(|_| knocks).map(|knock| Request::ResumeKnock {
            resume: knock.resume.clone(),
            replies_seen: knock.replies_seen,
        });
        self.open.clone().into_iter().chain(knock).map(own).collect()
    }
}

/// A request of the driver itself.
pub(super) fn own(request: Request) -> ClientMessage {
    ClientMessage { client_ref: OWN_REF, request }
}

#[cfg(test)]
mod tests {
    use super::*;
    use incamera_relay_proto::{Blob, CapabilitySecret, Lane, Seq};
    use incamera_types::RoomId;

    fn open(access: Access, from: u64) -> Request {
        let capability = CapabilitySecret::new([1; 32]);
        Request::Open { room: RoomId([2; 16]), access, capability, from: Seq(from) }
    }

    fn blob() -> Blob {
        Blob::pad(b"x").unwrap()
    }

    #[test]
    fn room_is_opened_again_after_the_last_entry_received() {
        let mut state = ResumeState::default();
        assert!(state.requests().is_empty());
        state.note_request(&open(Access::Member, 1));
        state.note_message(&ServerMessage::Entry { seq: Seq(7), lane: Lane::Commit, blob: blob() });
        let requests: Vec<_> = state.requests().into_iter().map(|message| message.request).collect();
        assert_eq!(requests, [open(Access::Member, 8)]);
    }

    #[test]
    fn unsettled_knock_is_resumed_with_the_replies_seen() {
        let mut state = ResumeState::default();
        let resume = ResumeSecret::new([3; 16]);
        state.note_request(&open(Access::Knock, 1));
        state.note_request(&Request::Knock { blob: blob(), resume: resume.clone() });
        state.note_message(&ServerMessage::Replied { number: 2, standing: Standing::Open, blob: blob() });
        let last = state.requests().pop().unwrap().request;
        assert_eq!(last, Request::ResumeKnock { resume, replies_seen: 2 });
        state.note_message(&ServerMessage::Replied { number: 3, standing: Standing::Final, blob: blob() });
        assert_eq!(state.requests().len(), 1);
    }

    #[test]
    fn withdrawn_knock_and_ended_room_are_forgotten() {
        let mut state = ResumeState::default();
        state.note_request(&open(Access::Knock, 1));
        state.note_request(&Request::Knock { blob: blob(), resume: ResumeSecret::new([3; 16]) });
        state.note_request(&Request::WithdrawKnock);
        assert_eq!(state.requests().len(), 1);
        state.note_message(&ServerMessage::RoomEnded(EndReason::Ordered));
        assert!(state.requests().is_empty());
    }
}
