//! Inputs of the owner from the HTTP server: [`Input`], taken in order.

use std::path::PathBuf;

use ironlance_core::event::kind::EventKind;
use ironlance_core::log_level::Level;
use tokio::sync::oneshot;

use crate::request::{LogId, LogLocation, MethodCall};
use crate::view::DaemonView;
use crate::view::outboxes::StateFolderView;
use crate::view::stream::EventStream;

/// One input.
#[derive(Debug)]
pub enum Input {
    /// A client calls a method.
    Call(MethodCall),
    /// A line for the main log.
    Log {
        /// Its level.
        level: Level,
        /// The line.
        line: String,
    },
    /// A page needs a snapshot.
    View(oneshot::Sender<DaemonView>),
    /// The outboxes of listeners are to be read.
    StateFolders(oneshot::Sender<Vec<StateFolderView>>),
    /// The journal is to be read.
    JournalFolder(oneshot::Sender<Option<PathBuf>>),
    /// A client subscribes to events.
    Subscribe {
        /// These types, and all below them in the tree.
        kinds: Vec<EventKind>,
        /// Takes the stream; it ends when its reader is too far behind, or with the daemon.
        reply: oneshot::Sender<EventStream>,
    },
    /// A client wants to read or follow a log. The owner says where it is, and does not read it.
    LocateLog {
        /// Which one.
        what: LogId,
        /// Takes the place of the file.
        reply: oneshot::Sender<LogLocation>,
    },
}
