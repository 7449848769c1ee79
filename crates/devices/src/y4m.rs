//! Y4M files: a strict parser, a source that plays one, a writer.

mod header;
mod read;
mod source;
mod write;

pub use header::{MAX_HEADER_BYTES, Y4mError, parse_frame_header, parse_y4m_header};
pub use read::Y4mReader;
pub use source::Y4mSource;
pub use write::Y4mWriter;
