//! Media from end to end: real codecs, real packets, bad networks, hostile bytes.

mod audio_network;
mod chrome_capture;
mod hostile;
mod jitter_network;
mod reassembly;
mod simulcast;
mod support;
mod video_network;
