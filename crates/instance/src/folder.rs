//! A folder of this computer that only the person may enter: for sockets between the person's own processes.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::PathBuf;

/// The folder, made if need be: `incamera` below `XDG_RUNTIME_DIR`, or below `~/.local/state` without one.
///
/// # Errors
/// When there is no such place, or somebody else could enter it.
pub fn own_folder() -> io::Result<PathBuf> {
    // What is empty or relative would be another folder for each place that a process is started from.
    let named = |variable| std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = named("XDG_RUNTIME_DIR").filter(|path| path.is_dir());
    let home = named("HOME").map(|home| home.join(".local/state"));
    let base = base.or(home).ok_or_else(|| io::Error::other("neither XDG_RUNTIME_DIR nor HOME is set"))?;
    let folder = base.join("incamera");
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
    let found = fs::metadata(&folder)?;
    if found.uid() != rustix::process::getuid().as_raw() || found.mode() & 0o077 != 0 {
        let text = format!("{} is open to other users; close it with chmod 700", folder.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
    }
    Ok(folder)
}
