//! A synthetic guest for somebody who is alone at a fresh computer: a client of its own that joins by the invite, as
//! anybody would, and sends a moving picture and a voice-like sound.

use incamera_client::devices::{AudioBlock, AudioSource, DeviceError, Polled, SenderMark, ToneSource};
use incamera_client::{ClientError, DisplayName, Invite, JoinOptions, MediaOptions, Meeting, Mono};

use crate::media;

/// What the guest is called.
const NAME: &str = "Test guest";

/// Joins by `link`; the guest stays until the meeting ends.
pub(crate) async fn join(link: &str) -> Result<(), ClientError> {
    let options = JoinOptions { invite: Invite::parse(link)?, name: DisplayName::new(NAME)? };
    let voice = Syllables { tone: ToneSource::new(SenderMark::from_name(NAME)), block: 0 };
    let media = MediaOptions { audio: Box::new(voice), video: media::pattern(NAME), ..media::unheard(1) };
    let (mut guest, mut events) = Meeting::join(options, media).await?;
    while events.recv().await.is_some() {}
    guest.finished().await
}

/// A quiet tone in the rhythm of speech: syllables of 200 ms, and pauses.
struct Syllables {
    tone: ToneSource,
    block: usize,
}

/// One phrase in steps of 100 ms, how loud each is in 64ths.
const PHRASE: [i16; 32] =
    [0, 4, 6, 2, 0, 5, 7, 3, 4, 6, 1, 0, 3, 5, 6, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// Blocks of 20 ms in a step.
const BLOCKS_PER_STEP: usize = 5;

impl AudioSource for Syllables {
    fn poll_block(&mut self, now: Mono, block: &mut AudioBlock) -> Result<Polled, DeviceError> {
        let polled = self.tone.poll_block(now, block)?;
        if polled == Polled::Ready {
            let loudness = PHRASE[self.block / BLOCKS_PER_STEP % PHRASE.len()];
            for sample in &mut block.samples {
                *sample = *sample / 64 * loudness;
            }
            self.block += 1;
        }
        Ok(polled)
    }
}
