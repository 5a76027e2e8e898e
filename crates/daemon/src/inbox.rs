//! What reaches the owner: one enum of all inputs, taken in order.

use ironlance_core::kind::EventKind;
use ironlance_core::level::Level;
use tokio::sync::oneshot;

use crate::request::{Call, LogPathOf, LogPlace};
use crate::view::View;
use crate::view::outboxes::StateFolderView;
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
    /// Somebody wants to look into the outboxes of listeners.
    StateFolders(oneshot::Sender<Vec<StateFolderView>>),
    /// A client wants to hear what happens from now on.
    Watch {
        /// These types, and all below them in the tree.
        kinds: Vec<EventKind>,
        /// Takes the stream; it ends when its reader is too far behind, or with the daemon.
        reply: oneshot::Sender<Happenings>,
    },
    /// A client wants to read or follow a log. The owner tells where it is; reading it is not his work.
    LogPath {
        /// Which one.
        what: LogPathOf,
        /// Takes the place of the file.
        reply: oneshot::Sender<LogPlace>,
    },
}
