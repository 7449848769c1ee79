//! `--out` and `--frame-log`: what was received of each sender, and what was sent, in files.
//!
//! ```text
//! DIR/sent.jsonl                     every frame that was sealed here
//! DIR/<name>-<member>/name.txt       the sender's name as it is shown
//! DIR/<name>-<member>/frames.jsonl   every frame that was opened and decoded
//! DIR/<name>-<member>/audio.wav      its own sound, before the mix; silence where nothing came
//! DIR/<name>-<member>/video.y4m      its picture at its top size; smaller layers scaled up
//! DIR/<name>-<member>/screen.y4m     the screen that it shares, likewise
//! ```

mod rate;

use std::collections::HashMap;
use std::fs::DirBuilder;
use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use incamera_client::devices::wav::WavWriter;
use incamera_client::devices::y4m::Y4mWriter;
use incamera_client::devices::{DeviceError, FrameRate, PartFile, VideoFormat, VideoSize, read_frame_number};
use incamera_client::media::picture::{Picture, Scaler};
use incamera_client::{
    Context, DecodedPicture, DecodedSound, FrameFacts, MemberId, Mono, Reception, Remote, SentFrame,
};
use serde_json::{Value, json};

use rate::RateMeter;

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    /// Sound, picture and frame log.
    Everything,
    /// The frame log alone.
    FrameLog,
}

/// All files of one run.
pub(crate) struct Takes {
    folder: PathBuf,
    keep: Keep,
    sent: JsonLines,
    senders: HashMap<MemberId, Take>,
}

impl Takes {
    /// Makes the folder and the log of what is sent.
    pub(crate) fn create(folder: &Path, keep: Keep) -> Result<Self, DeviceError> {
        create_folder(folder)?;
        let sent = JsonLines::create(&folder.join("sent.jsonl"))?;
        Ok(Self { folder: folder.to_owned(), keep, sent, senders: HashMap::new() })
    }

    fn take(&mut self, remote: &Remote) -> Result<&mut Take, DeviceError> {
        match self.senders.entry(remote.member) {
            std::collections::hash_map::Entry::Occupied(known) => Ok(known.into_mut()),
            std::collections::hash_map::Entry::Vacant(new) => {
                let folder = self.folder.join(folder_name(&remote.name, remote.member));
                Ok(new.insert(Take::create(&folder, &remote.name, self.keep)?))
            }
        }
    }
}

impl Reception for Takes {
    fn sent(&mut self, frame: &SentFrame) -> Result<(), DeviceError> {
        self.sent.write(&json!({
            "kind": frame.context.kind(),
            "context": frame.context,
            "counter": frame.counter,
            "captured_us": frame.captured.as_micros(),
            "key_frame": frame.key_frame,
            "bytes": frame.bytes,
        }))
    }

    fn picture(&mut self, remote: &Remote, decoded: &DecodedPicture<'_>) -> Result<(), DeviceError> {
        self.take(remote)?.picture(decoded)
    }

    fn sound(&mut self, remote: &Remote, decoded: &DecodedSound<'_>) -> Result<(), DeviceError> {
        self.take(remote)?.sound(decoded)
    }

    fn finish(self: Box<Self>) -> Result<(), DeviceError> {
        let mut first_error = self.sent.finish();
        for take in self.senders.into_values() {
            first_error = first_error.and(take.finish());
        }
        first_error
    }
}

/// The files of one sender.
struct Take {
    folder: PathBuf,
    keep: Keep,
    frames: JsonLines,
    sound: Option<WavWriter>,
    picture: Option<PictureFile>,
    screen: Option<PictureFile>,
}

impl Take {
    fn create(folder: &Path, name: &str, keep: Keep) -> Result<Self, DeviceError> {
        create_folder(folder)?;
        let mut name_file = PartFile::create(&folder.join("name.txt"))?;
        name_file.append(name.as_bytes())?;
        name_file.finish()?;
        let frames = JsonLines::create(&folder.join("frames.jsonl"))?;
        Ok(Self { folder: folder.to_owned(), keep, frames, sound: None, picture: None, screen: None })
    }

    fn picture(&mut self, decoded: &DecodedPicture<'_>) -> Result<(), DeviceError> {
        let index = match self.keep {
            Keep::FrameLog => None,
            Keep::Everything => Some(self.write_picture(decoded)?),
        };
        let mut line = facts_line(&decoded.facts);
        line["width"] = decoded.picture.width().into();
        line["height"] = decoded.picture.height().into();
        line["pattern"] = read_frame_number(&decoded.picture).into();
        line["index"] = index.into();
        line["due_us"] = decoded.due.map(Mono::as_micros).into();
        self.frames.write(&line)
    }

    /// The position of the picture in the file.
    fn write_picture(&mut self, decoded: &DecodedPicture<'_>) -> Result<u64, DeviceError> {
        let (file, name) = if Context::SCREEN.contains(&decoded.facts.context) {
            (&mut self.screen, "screen.y4m")
        } else {
            (&mut self.picture, "video.y4m")
        };
        let file = match file {
            Some(file) => file,
            none => none.insert(PictureFile::create(&self.folder.join(name), decoded.top_size)?),
        };
        file.write(decoded)
    }

    fn sound(&mut self, decoded: &DecodedSound<'_>) -> Result<(), DeviceError> {
        if self.keep == Keep::Everything {
            let file = match &mut self.sound {
                Some(file) => file,
                none => none.insert(WavWriter::create(&self.folder.join("audio.wav"))?),
            };
            for _ in 0..decoded.missing_before {
                file.write(&SILENCE)?;
            }
            file.write(decoded.samples)?;
        }
        self.frames.write(&facts_line(&decoded.facts))
    }

    fn finish(self) -> Result<(), DeviceError> {
        let frames = self.frames.finish();
        let sound = self.sound.map_or(Ok(()), WavWriter::finish);
        let picture = self.picture.map_or(Ok(()), PictureFile::finish);
        let screen = self.screen.map_or(Ok(()), PictureFile::finish);
        frames.and(sound).and(picture).and(screen)
    }
}

/// A Y4M file of one size, whatever layer comes.
struct PictureFile {
    writer: Y4mWriter,
    size: VideoSize,
    scaler: Scaler,
    scaled: Picture,
    written: u64,
    meter: RateMeter,
}

impl PictureFile {
    /// The rate is not known yet: 30 pictures a second is what most send.
    fn create(path: &Path, size: VideoSize) -> Result<Self, DeviceError> {
        let format = VideoFormat { size, rate: FrameRate::VIDEO_30 };
        let writer = Y4mWriter::create(path, format)?;
        let (scaler, scaled, meter) = (Scaler::new(), Picture::default(), RateMeter::default());
        Ok(Self { writer, size, scaler, scaled, written: 0, meter })
    }

    fn write(&mut self, decoded: &DecodedPicture<'_>) -> Result<u64, DeviceError> {
        let picture = &decoded.picture;
        let (width, height) = (self.size.width(), self.size.height());
        if (picture.width(), picture.height()) == (width, height) {
            self.writer.write(picture)?;
        } else {
            let scaled = self.scaler.scale(picture, width, height, &mut self.scaled);
            scaled.map_err(|_| DeviceError::PictureSize)?;
            self.writer.write(&self.scaled.view())?;
        }
        self.meter.take(&decoded.facts);
        self.written += 1;
        Ok(self.written - 1)
    }

    fn finish(mut self) -> Result<(), DeviceError> {
        if let Some(rate) = self.meter.rate() {
            self.writer.set_rate(rate)?;
        }
        self.writer.finish()
    }
}

/// What is logged of every frame; times in microseconds of the machine's monotonic clock.
fn facts_line(facts: &FrameFacts) -> Value {
    json!({
        "kind": facts.context.kind(),
        "layer": facts.context,
        "epoch": facts.epoch_bits,
        "counter": facts.counter,
        "captured_us": facts.captured.as_micros(),
        "arrived_us": facts.arrived.as_micros(),
        "opened_us": facts.opened.as_micros(),
        "decoded_us": facts.decoded.as_micros(),
    })
}

/// 20 ms of nothing.
const SILENCE: [i16; 960] = [0; 960];

/// A file of one JSON object a line.
struct JsonLines {
    file: PartFile,
    line: Vec<u8>,
}

impl JsonLines {
    fn create(path: &Path) -> Result<Self, DeviceError> {
        Ok(Self { file: PartFile::create(path)?, line: Vec::new() })
    }

    fn write(&mut self, value: &Value) -> Result<(), DeviceError> {
        self.line.clear();
        // Writing into memory cannot fail.
        let _ = writeln!(self.line, "{value}");
        self.file.append(&self.line)
    }

    fn finish(self) -> Result<(), DeviceError> {
        self.file.finish()
    }
}

/// Makes a folder that its owner alone may enter; one that is there stays as it is.
fn create_folder(folder: &Path) -> Result<(), DeviceError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|why| DeviceError::Write(why.kind()))
}

/// A folder name that is safe on every file system, whatever the participant is called.
fn folder_name(name: &str, member: MemberId) -> String {
    let safe: String = name.chars().filter(|c| c.is_ascii_alphanumeric()).take(32).collect();
    if safe.is_empty() { member.to_string() } else { format!("{safe}-{member}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_received_is_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let home = tempfile::tempdir().unwrap();
        let out = home.path().join("deep").join("out");
        let mut takes = Box::new(Takes::create(&out, Keep::FrameLog).unwrap());
        let remote = Remote { member: MemberId([1; 16]), name: "Ada".to_owned() };
        takes.take(&remote).unwrap();
        let folder = out.join(folder_name(&remote.name, remote.member));
        takes.finish().unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!([mode(&out), mode(&folder)], [0o700; 2]);
        assert_eq!([mode(&out.join("sent.jsonl")), mode(&folder.join("name.txt"))], [0o600; 2]);
    }

    #[test]
    fn hostile_names_become_safe_folders() {
        let member = MemberId([1; 16]);
        assert_eq!(folder_name("../../etc/passwd", member), "etcpasswd-01010101");
        assert_eq!(folder_name("\u{202e}", member), "01010101");
        assert!(folder_name(&"a".repeat(10_000), member).len() < 64);
    }
}
