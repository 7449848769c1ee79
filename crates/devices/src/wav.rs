//! WAV files: a strict parser, a source that plays one, a sink that records one.

mod header;
mod read;
mod sink;
mod source;
mod write;

pub use header::{MAX_HEADER_BYTES, SampleEncoding, WavError, WavFormat, parse_wav_header};
pub use read::WavReader;
pub use sink::WavSink;
pub use source::WavSource;
pub use write::WavWriter;
