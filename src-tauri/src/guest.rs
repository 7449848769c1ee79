//! A synthetic guest for somebody who is alone at a fresh computer: a client of its own that joins by the invite, as
//! anybody would, and sends a moving picture and a voice-like sound.

use incamera_client::devices::{SenderMark, SyllableSource};
use incamera_client::{ClientError, DisplayName, Invite, JoinOptions, MediaOptions, Meeting};

use crate::media;

/// What the guest is called.
const NAME: &str = "Test guest";

/// Joins by `link`; the guest stays until the meeting ends.
pub(crate) async fn join(link: &str) -> Result<(), ClientError> {
    let options = JoinOptions { invite: Invite::parse(link)?, name: DisplayName::new(NAME)? };
    let voice = SyllableSource::new(SenderMark::from_name(NAME));
    let media = MediaOptions {
        audio: Some(Box::new(voice)),
        video: Some(Box::new(media::pattern(NAME))),
        ..media::unheard(1)
    };
    let (mut guest, mut events) = Meeting::join(options, media).await?;
    while events.recv().await.is_some() {}
    guest.finished().await
}
