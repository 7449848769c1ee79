//! What processes of one person on one computer say to each other without anybody else: which of them has the window, and
//! what later ones were asked.
//!
//! **Shell.** Sockets and a lock in a folder that only the person may enter. Knows nothing of meetings; what is handed over
//! is bytes.
//!
//! Read first: [`claim`], [`LaterStarts`]; [`own_folder`], which the command line uses too.

mod claim;
mod folder;

pub use claim::{Heard, LaterStarts, Start, claim};
pub use folder::own_folder;
