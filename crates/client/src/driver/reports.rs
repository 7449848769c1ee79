//! What the media threads report, and the figures made of it once a second.

use std::sync::atomic::Ordering;
use std::time::Duration;

use incamera_meeting::Input;
use incamera_meeting::frames::MemberCounts;
use incamera_transport::RelayTraffic;
use incamera_types::{MemberId, Mono, RelayAddress};

use super::MeetingDriver;
use super::people::MediaCame;
use crate::clock;
use crate::event::{LocalEvent, Problem};
use crate::incoming::{IncomingReport, PictureTally, RemoteTally};
use crate::process::ProcessMeter;
use crate::statistics::{
    ReceivedStatistics, RelayStatistics, ScreenStatistics, SentStatistics, ServerStatistics, Statistics,
};

/// One block of sound in milliseconds.
const BLOCK_MS: u64 = 20;

/// What has to be remembered between two readings.
pub(crate) struct StatisticsMeter {
    process: ProcessMeter,
    read_at: Mono,
    sent_bytes: u64,
    relay: RelayAddress,
}

impl StatisticsMeter {
    pub(crate) fn start(now: Mono, relay: RelayAddress) -> Self {
        Self { process: ProcessMeter::start(), read_at: now, sent_bytes: 0, relay }
    }
}

impl MeetingDriver {
    pub(super) fn report(&mut self, report: IncomingReport) {
        match report {
            IncomingReport::Media(report) => self.input(Input::Media(report)),
            IncomingReport::KeyFrameNeeded { member, stream } => {
                if let Some(stream) = stream.as_ref().or_else(|| self.people.stream(member)) {
                    self.link.ask_key_frame(stream);
                }
            }
            IncomingReport::FirstPicture(member) => {
                #[cfg(feature = "danger-sabotage")]
                self.spoil_sfu();
                if let Some(event) = self.people.first_picture(member, clock::now().mono) {
                    self.tell(event);
                }
            }
            IncomingReport::Tallies(tallies) => {
                let now = clock::now().mono;
                // While our own side is down, the absence of others says nothing.
                let may_come = self.publishing.is_flowing() && self.link.is_playing();
                self.people.carried(self.link.most_streams());
                for (member, tally, _) in &tallies {
                    let came = tally.recent_bytes > 0 || !may_come;
                    let came = if came { MediaCame::SinceLastAsked } else { MediaCame::Not };
                    if let Some(problem) = self.people.media_came(*member, came, now) {
                        self.problem(problem);
                    }
                }
                let statistics = self.statistics(tallies);
                self.tell(LocalEvent::Statistics(statistics));
            }
            IncomingReport::ReceptionFailed(error) => {
                let problem = Problem::of(&error);
                let what = format!("what is received cannot be kept: {}", problem.what);
                self.problem(Problem { code: "client.output.failed", what, ..problem });
            }
        }
    }

    fn statistics(&mut self, tallies: Vec<(MemberId, RemoteTally, MemberCounts)>) -> Statistics {
        let now = clock::now().mono;
        let passed = now.since(self.meter.read_at).max(Duration::from_millis(1));
        self.meter.read_at = now;
        let process = self.meter.process.read();
        let counts = self.sealing.counts();
        let bytes = counts.bytes.load(Ordering::Relaxed);
        let sent = SentStatistics {
            video_frames: counts.video_frames.load(Ordering::Relaxed),
            audio_frames: counts.audio_frames.load(Ordering::Relaxed),
            dropped: counts.dropped.load(Ordering::Relaxed),
            resent_packets: self.link.packets_resent(),
            kbps: kbps(bytes - self.meter.sent_bytes, passed),
            estimate_kbps: u64::from(self.publishing.estimate_kbps()),
        };
        self.meter.sent_bytes = bytes;
        let rows = tallies.into_iter().filter_map(|(member, tally, counts)| {
            let from = self.people.name(member)?;
            Some(self.received(member, from, &tally, &counts, passed))
        });
        let received = rows.collect();
        let servers = ServerStatistics { relay: self.relay_statistics(), media: self.link.media_server() };
        Statistics { cpu_percent: process.cpu_percent, rss_mb: process.rss_mb, sent, servers, received }
    }

    fn relay_statistics(&self) -> RelayStatistics {
        let RelayTraffic { messages_sent, bytes_sent, messages_received, bytes_received } =
            self.relay.traffic();
        let address = self.meter.relay.to_string();
        RelayStatistics { address, messages_sent, bytes_sent, messages_received, bytes_received }
    }

    fn received(
        &self,
        member: MemberId,
        from: String,
        tally: &RemoteTally,
        counts: &MemberCounts,
        passed: Duration,
    ) -> ReceivedStatistics {
        let (sound, level_dbov) = self.sound.tally(member);
        let RemoteTally { camera, screen, recent_bytes } = tally;
        let fps = |tally: &PictureTally| tally.recent_pictures as f64 / passed.as_secs_f64();
        let packets = self.people.packets_of(member);
        ReceivedStatistics {
            member,
            from,
            video_frames_opened: camera.pictures,
            video_fps: fps(camera),
            layer: camera.layer,
            width: camera.size.0,
            height: camera.size.1,
            screen: screen.as_ref().map(|screen| ScreenStatistics {
                frames_opened: screen.pictures,
                fps: fps(screen),
                width: screen.size.0,
                height: screen.size.1,
                latency_ms_p50: screen.latency_ms_p50(),
            }),
            kbps: kbps(*recent_bytes, passed),
            audio_ms: sound.decoded_blocks * BLOCK_MS,
            audible_ms: sound.audible_blocks * BLOCK_MS,
            concealed_ms: sound.concealed_blocks * BLOCK_MS,
            level_dbov,
            late_packets: packets.late,
            lost_packets: packets.lost,
            undecryptable: counts.missing_key + counts.authentication_failed + counts.malformed,
            refused: counts.replayed + counts.stale + counts.not_permitted,
            latency_ms_p50: camera.latency_ms_p50(),
        }
    }
}

fn kbps(bytes: u64, passed: Duration) -> f64 {
    bytes as f64 * 8.0 / 1_000.0 / passed.as_secs_f64()
}
