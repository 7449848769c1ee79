//! Driving sinks: ask, fetch, write, sleep until the next one is wanted.

use incamera_types::Mono;

use super::thread::{DriverHandle, Waiter};
use crate::DeviceError;
use crate::audio::{AudioSink, BLOCK_SAMPLES, BlockSamples, Polled};

/// Runs `sink` in real time on a thread of its own: `mix` fills each block that the sink wants (it starts out
/// silent) and is told when its first sample will be heard; `failed` is told when the sink failed.
///
/// # Errors
/// [`DeviceError::Thread`].
pub fn play_audio(
    mut sink: impl AudioSink + 'static,
    mut mix: impl FnMut(Mono, &mut BlockSamples) + Send + 'static,
    failed: impl FnOnce(DeviceError) + Send + 'static,
) -> Result<DriverHandle, DeviceError> {
    DriverHandle::spawn("audio-playback", move |waiter| {
        let mut samples = [0; BLOCK_SAMPLES];
        while let Some(now) = waiter.now() {
            let step = match sink.poll_wanted(now) {
                Ok(Polled::Ready) => {
                    samples.fill(0);
                    mix(now.plus(sink.delay()), &mut samples);
                    sink.write_block(&samples)
                }
                Ok(Polled::NotBefore(due)) => {
                    Waiter::sleep_until(due);
                    Ok(())
                }
                Ok(Polled::Ended) => return,
                Err(error) => Err(error),
            };
            if let Err(error) = step {
                return failed(error);
            }
        }
    })
}
