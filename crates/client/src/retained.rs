//! Every media key that this client was ever given, in a file that outlives it: what a participant with a modified
//! client would keep. Test builds only.

use std::fs::OpenOptions;
use std::io::Write as _;

use incamera_meeting::EpochKeys;

/// Variable that names the file.
const FILE: &str = "INCAMERA_RETAINED_KEYS";

/// Appends a line with the number of the suite, the epoch and the base key in hexadecimal digits, if a file is named.
pub(crate) fn retain(keys: &EpochKeys) {
    let Some(path) = std::env::var_os(FILE) else { return };
    let key: String = keys.base_key.iter().map(|byte| format!("{byte:02x}")).collect();
    let line = format!("{} {} {key}\n", keys.suite.number(), keys.epoch.0);
    let written = OpenOptions::new().create(true).append(true).open(path);
    if let Err(error) = written.and_then(|mut file| file.write_all(line.as_bytes())) {
        tracing::error!(%error, "a key was not retained");
    }
}
