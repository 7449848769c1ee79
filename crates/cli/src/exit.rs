//! How the program ends: one number for each kind of ending, listed in `--help` and `docs/cli.md`.

use std::process::ExitCode;

/// Every way in which the program can end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// It did what was asked.
    Done = 0,
    /// The command line makes no sense.
    Usage = 2,
    /// The link cannot be read.
    BadLink = 10,
    /// The relay cannot be reached or is not the one of the link.
    RelayUnreachable = 11,
    /// The hosts did not let this participant in.
    NotAdmitted = 12,
    /// A host removed this participant.
    Removed = 13,
    /// No media could be sent or received through the SFU.
    SfuFailed = 14,
    /// Media of somebody could not be opened.
    NotOpened = 15,
    /// A microphone, speaker, camera or input file failed.
    DeviceFailed = 16,
    /// The meeting was lost while in it.
    MeetingLost = 17,
    /// What was received could not be written.
    OutputFailed = 18,
    /// A defect of this program.
    Defect = 70,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
