//! What each member says it sends. Hints only: who sent a frame is proved by its key id, never by this.

use std::collections::BTreeMap;

use incamera_relay_proto::TicketIdentity;
use incamera_types::{Context, MemberId, Pii};
use serde::{Deserialize, Serialize};
use tls_codec::{TlsDeserializeBytes, TlsSerialize, TlsSize};

use crate::error::CommandError;
use crate::wire::Bounded;

/// Most streams of one member: one for each media context.
pub const MAX_STREAMS: usize = 8;

/// Longest SFU id of a stream in bytes.
pub const MAX_SFU_ID: usize = 64;

/// Largest width or height in pixels.
pub const MAX_EDGE: u16 = incamera_types::MAX_PICTURE_EDGE;

/// A stream on the wire.
#[derive(Clone, Debug, PartialEq, Eq, TlsSerialize, TlsDeserializeBytes, TlsSize)]
pub struct AnnouncedStream {
    /// [`Context::number`]; 0 to 7.
    pub context: u8,
    /// Pixels; 0 for audio.
    pub width: u16,
    /// Pixels; 0 for audio.
    pub height: u16,
}

/// Everything that a member sends, on the wire.
#[derive(Clone, Debug, Default, PartialEq, Eq, TlsSerialize, TlsDeserializeBytes, TlsSize)]
pub struct Announcement {
    /// Under which pseudonym the SFU knows the member; at most 64 bytes of printable ASCII.
    pub sfu_id: Vec<u8>,
    /// Its streams; at most 8, one for each context.
    pub streams: Vec<AnnouncedStream>,
}

impl Bounded for Announcement {
    fn is_bounded(&self) -> bool {
        self.sfu_id.len() <= MAX_SFU_ID
            && self.sfu_id.iter().all(u8::is_ascii_graphic)
            && self.streams.len() <= MAX_STREAMS
            && self.streams.iter().all(AnnouncedStream::is_bounded)
            && self.streams.is_sorted_by(|a, b| a.context < b.context)
    }
}

impl AnnouncedStream {
    fn is_bounded(&self) -> bool {
        usize::from(self.context) < MAX_STREAMS && self.width <= MAX_EDGE && self.height <= MAX_EDGE
    }
}

/// A stream as the user and the media driver see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamView {
    /// What it is.
    pub context: Context,
    /// Pixels; 0 for audio.
    pub width: u16,
    /// Pixels; 0 for audio.
    pub height: u16,
}

/// Everything a member sends, as the media driver sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberStreams {
    /// The member's pseudonym at the SFU.
    pub sfu_id: Pii<String>,
    /// Its streams, by context.
    pub streams: Vec<StreamView>,
}

impl MemberStreams {
    /// The member's ticket, if its pseudonym is one.
    #[must_use]
    pub fn ticket_identity(&self) -> Option<TicketIdentity> {
        TicketIdentity::from_hex(self.sfu_id.reveal())
    }
}

/// The announcements of all members, our own included.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    own: Announcement,
    own_due: Announce,
    members: BTreeMap<MemberId, MemberStreams>,
    /// The latest of each sender, heard before we were in.
    early: BTreeMap<MemberId, Announcement>,
}

/// Whether the own announcement has to go out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Announce {
    /// It was sent and nobody came since.
    #[default]
    Done,
    /// It is new, or somebody joined who does not know it.
    Due,
}

impl Streams {
    /// Sets what we send.
    ///
    /// # Errors
    /// [`CommandError::Streams`] when it is more than can be announced.
    pub(crate) fn announce(&mut self, own: &[StreamView]) -> Result<(), CommandError> {
        let mut streams: Vec<_> = own
            .iter()
            .map(|s| AnnouncedStream { context: s.context.number(), width: s.width, height: s.height })
            .collect();
        streams.sort_unstable_by_key(|stream| stream.context);
        let announcement = Announcement { sfu_id: self.own.sfu_id.clone(), streams };
        if !announcement.is_bounded() {
            return Err(CommandError::Streams);
        }
        self.own = announcement;
        self.own_due = Announce::Due;
        Ok(())
    }

    /// Sets under which pseudonym the SFU knows us: that of the ticket. It is announced even while nothing is
    /// sent, so that the ticket can be revoked when we are removed.
    pub(crate) fn set_own_identity(&mut self, identity: TicketIdentity) {
        let sfu_id = identity.to_string().into_bytes();
        if self.own.sfu_id != sfu_id {
            self.own.sfu_id = sfu_id;
            self.own_due = Announce::Due;
        }
    }

    /// Announces again: members were added who do not know it, or a commit overtook the announcement.
    pub(crate) fn repeat(&mut self) {
        self.own_due = Announce::Due;
    }

    /// The own announcement, if it has to go out now.
    pub(crate) fn take_due(&mut self) -> Option<Announcement> {
        if self.own_due == Announce::Done {
            return None;
        }
        self.own_due = Announce::Done;
        Some(self.own.clone())
    }

    /// Notes what a member sends; `None` when nothing changed, or when it claims the pseudonym of another (whose
    /// ticket would be revoked with its own).
    pub(crate) fn receive(
        &mut self,
        member: MemberId,
        announcement: &Announcement,
    ) -> Option<&MemberStreams> {
        let heard = MemberStreams {
            sfu_id: Pii::new(String::from_utf8_lossy(&announcement.sfu_id).into_owned()),
            streams: announcement
                .streams
                .iter()
                .filter_map(|s| {
                    let context = Context::from_number(s.context)?;
                    Some(StreamView { context, width: s.width, height: s.height })
                })
                .collect(),
        };
        let claimed = |(other, streams): (&MemberId, &MemberStreams)| {
            *other != member && !heard.sfu_id.reveal().is_empty() && streams.sfu_id == heard.sfu_id
        };
        if self.members.get(&member) == Some(&heard) || self.members.iter().any(claimed) {
            return None;
        }
        self.members.insert(member, heard);
        self.members.get(&member)
    }

    /// Keeps an announcement for when we are in.
    pub(crate) fn hear_early(&mut self, member: MemberId, announcement: Announcement) {
        self.early.insert(member, announcement);
    }

    /// What was heard before we were in, once.
    pub(crate) fn take_early(&mut self) -> BTreeMap<MemberId, Announcement> {
        core::mem::take(&mut self.early)
    }

    /// Forgets a member that is gone, and gives back what it had announced.
    pub(crate) fn remove(&mut self, member: MemberId) -> Option<MemberStreams> {
        self.members.remove(&member)
    }

    /// What a member sends, as far as it said.
    pub(crate) fn of(&self, member: MemberId) -> Option<&MemberStreams> {
        self.members.get(&member)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::MeetingMessage;

    fn camera(context: Context) -> StreamView {
        StreamView { context, width: 640, height: 360 }
    }

    #[test]
    fn announcements_go_out_once_and_again_after_an_add() {
        let mut streams = Streams::default();
        assert!(streams.take_due().is_none());
        let identity = TicketIdentity([0xab; 16]);
        let own = MemberStreams {
            sfu_id: Pii::new(identity.to_string()),
            streams: vec![camera(Context::CameraHigh)],
        };
        streams.set_own_identity(identity);
        streams.announce(&own.streams).unwrap();
        let sent = streams.take_due().unwrap();
        assert!(streams.take_due().is_none());
        streams.repeat();
        assert_eq!(streams.take_due(), Some(sent.clone()));
        assert_eq!(streams.receive(MemberId([1; 16]), &sent), Some(&own));
        assert_eq!(streams.receive(MemberId([1; 16]), &sent), None);
        assert_eq!(streams.receive(MemberId([2; 16]), &sent), None, "the pseudonym is another's");
    }

    #[test]
    fn announcements_out_of_range_are_refused() {
        let stream = |context| AnnouncedStream { context, width: 1, height: 1 };
        for bad in [
            Announcement { sfu_id: vec![b'a'; 65], streams: vec![] },
            Announcement { sfu_id: b"a b".to_vec(), streams: vec![] },
            Announcement { sfu_id: vec![], streams: vec![stream(8)] },
            Announcement { sfu_id: vec![], streams: vec![stream(1), stream(1)] },
            Announcement { sfu_id: vec![], streams: vec![AnnouncedStream { width: 9_000, ..stream(1) }] },
        ] {
            let bytes = MeetingMessage::Streams(bad).to_bytes().unwrap();
            assert!(MeetingMessage::parse(&bytes).is_err());
        }
    }

    #[test]
    fn attestation_contexts_cannot_be_announced() {
        let own = [camera(Context::MicrophoneAttestation)];
        assert_eq!(Streams::default().announce(&own), Err(CommandError::Streams));
    }
}
