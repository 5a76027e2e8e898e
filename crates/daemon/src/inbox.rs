//! What reaches the owner: one enum of all inputs, taken in order.

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
    /// Somebody beside the owner has something for the main log.
    Log {
        /// How important it is.
        level: Level,
        /// The line.
        line: String,
    },
    /// A page is to be made.
    View(oneshot::Sender<DaemonView>),
    /// Somebody wants to look into the outboxes of listeners.
    StateFolders(oneshot::Sender<Vec<StateFolderView>>),
    /// A client wants to hear what happens from now on.
    Subscribe {
        /// These types, and all below them in the tree.
        kinds: Vec<EventKind>,
        /// Takes the stream; it ends when its reader is too far behind, or with the daemon.
        reply: oneshot::Sender<EventStream>,
    },
    /// A client wants to read or follow a log. The owner tells where it is; reading it is not his work.
    LocateLog {
        /// Which one.
        what: LogId,
        /// Takes the place of the file.
        reply: oneshot::Sender<LogLocation>,
    },
}
