//! Carries out sabotage in test builds.

use incamera_devices::{DeviceError, Polled, VideoFormat, VideoFrame, VideoSource};
use incamera_identity::DisplayName;
use incamera_media::picture::Picture;
use incamera_sfu::{Hostility, Pseudonym};
use incamera_types::Mono;

use super::MeetingDriver;
use crate::incoming::Inbound;
use crate::reception::Remote;
use crate::sabotage::{Attack, Sabotage};

impl MeetingDriver {
    /// Loses the key of a member, or lets somebody in behind it, if that is what was asked for.
    pub(super) fn spoil_joining_of(&mut self, remote: &Remote) {
        if self.sabotage.contains(&Sabotage::ExternalCommit(remote.name.clone()))
            && let Ok(mallory) = DisplayName::new("Mallory")
        {
            self.machine.let_outsider_in(mallory);
        }
        if self.sabotage.contains(&Sabotage::DropKey(remote.name.clone())) {
            self.incoming.order(Inbound::Sabotage(remote.member));
        }
    }

    /// Makes the SFU of this meeting attack it, if that was asked for; called when pictures flow.
    pub(super) fn spoil_sfu(&mut self) {
        let attack = self.sabotage.iter().find_map(|sabotage| match sabotage {
            Sabotage::Attack(attack) => Some(attack),
            _ => None,
        });
        let (Some(attack), Some(relay)) = (attack, &self.hosted) else { return };
        if let Some(hostility) = self.hostility(attack) {
            relay.set_hostility(self.machine.invite().room, Some(hostility));
            self.sabotage.retain(|sabotage| !matches!(sabotage, Sabotage::Attack(_)));
        }
    }

    fn hostility(&self, attack: &Attack) -> Option<Hostility> {
        let stream = |name: &String| Pseudonym::parse(self.people.stream_of_name(name)?.as_str()).ok();
        Some(match attack {
            Attack::FlipBits => Hostility::FlipBits,
            Attack::Replay => Hostility::Replay,
            Attack::Reorder => Hostility::Reorder,
            Attack::Duplicate => Hostility::Duplicate,
            Attack::Truncate => Hostility::Truncate,
            Attack::InjectEmptyFrames => Hostility::InjectEmptyFrames,
            Attack::SwapStreams(one, other) => Hostility::SwapStreams(stream(one)?, stream(other)?),
            Attack::DropStream(name) => Hostility::DropStream(stream(name)?),
            Attack::FreezeStream(name) => Hostility::Freeze(stream(name)?),
        })
    }
}

/// A source whose picture stands still.
pub(crate) struct Frozen {
    source: Box<dyn VideoSource>,
    picture: Option<Picture>,
}

impl Frozen {
    pub(crate) fn new(source: Box<dyn VideoSource>) -> Self {
        Self { source, picture: None }
    }
}

impl VideoSource for Frozen {
    fn format(&self) -> VideoFormat {
        self.source.format()
    }

    fn poll_frame(&mut self, now: Mono, frame: &mut VideoFrame) -> Result<Polled, DeviceError> {
        let polled = self.source.poll_frame(now, frame)?;
        if polled == Polled::Ready {
            frame.picture = self.picture.get_or_insert_with(|| frame.picture.clone()).clone();
        }
        Ok(polled)
    }
}
