//! What reaches the owner: one enum of all inputs, taken in order.

use std::path::PathBuf;

use ironlance_core::kind::EventKind;
use ironlance_core::level::Level;
use ironlance_core::notice::Channel;
use tokio::sync::oneshot;

use crate::request::Call;
use crate::view::View;
use crate::view::stream::Happenings;

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
    /// A page is to be made.
    View(oneshot::Sender<View>),
    /// A client wants to hear what happens from now on.
    Watch {
        /// These types, and all below them in the tree.
        kinds: Vec<EventKind>,
        /// Takes the stream; it ends when its reader is too far behind, or with the daemon.
        reply: oneshot::Sender<Happenings>,
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
