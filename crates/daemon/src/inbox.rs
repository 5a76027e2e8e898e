//! What reaches the owner: one enum of all inputs, taken in order.

use std::path::PathBuf;

use ironlance_core::level::Level;
use ironlance_core::notice::Channel;
use tokio::sync::oneshot;

use crate::request::Call;

/// One input.
#[derive(Debug)]
pub enum Input {
    /// A client calls a method.
    Call(Call),
    /// Somebody beside the owner has something for the main log.
    Log {
        /// How important it is.
        level: Level,
        /// The line.
        line: String,
    },
    /// A client wants to follow a log.
    LogPath {
        /// Which one.
        what: LogPathOf,
        /// Takes the file; nothing where there is no such process, or its log is no file.
        reply: oneshot::Sender<Option<PathBuf>>,
    },
}

/// The log that is to be followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogPathOf {
    /// The daemon's own.
    Main,
    /// That of a process.
    Process {
        /// As the client gave it: `NAME` or `GROUP:NAME`.
        name: String,
        /// Which output.
        channel: Channel,
    },
}
