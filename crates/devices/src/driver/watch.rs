//! Noticing what is plugged in and out.

use core::time::Duration;

use super::thread::{DriverHandle, Waiter};
use crate::DeviceError;
use crate::host::{AudioHost, DeviceInfo};

/// How often it is looked: with opening another device, nobody is silent for a second. Asking costs the audio system
/// about a millisecond.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Tells which microphones and speakers there are, at once and whenever that has changed, on a thread of its own. While
/// no audio system answers nothing is told: what is open fails by itself then. When one answers again it is told anew,
/// since what was opened meanwhile may stand for something else.
///
/// # Errors
/// [`DeviceError::Thread`].
pub fn watch_devices(
    mut changed: impl FnMut(&[DeviceInfo]) + Send + 'static,
) -> Result<DriverHandle, DeviceError> {
    DriverHandle::spawn("device-watch", move |waiter| {
        let mut known = None;
        while let Some(now) = waiter.now() {
            let found = AudioHost::open().and_then(|host| host.devices()).ok();
            if let Some(found) = &found
                && known.as_ref() != Some(found)
            {
                changed(found);
            }
            known = found;
            Waiter::sleep_until(now.plus(LOOK_EVERY));
        }
    })
}
