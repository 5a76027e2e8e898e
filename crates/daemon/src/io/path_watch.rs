//! Tells when a file of ours is removed or renamed: inotify on the inode, so changes of other files wake nothing.

use std::future::pending;
use std::path::Path;

use rustix::fs::inotify::WatchFlags;
use rustix::io::Errno;

use crate::inotify::Inotify;

/// Watches on our files.
pub(crate) struct PathWatch {
    inotify: Option<Inotify>,
    /// The last check failed, and the log says so.
    pub(crate) is_failing: bool,
}

impl PathWatch {
    /// To be called in the runtime. Where the kernel has no inotify descriptor left, only SIGUSR2 helps.
    pub(crate) fn new() -> Self {
        Self { inotify: Inotify::new().ok(), is_failing: false }
    }

    /// Watches the file that is at the path now. Returns whether there is none.
    pub(crate) fn watch(&mut self, path: &Path) -> bool {
        let wanted =
            WatchFlags::ATTRIB | WatchFlags::MOVE_SELF | WatchFlags::DELETE_SELF | WatchFlags::DONT_FOLLOW;
        self.inotify.as_ref().is_some_and(|inotify| inotify.watch(path, wanted) == Err(Errno::NOENT))
    }

    /// Waits until something has happened to one of the files. Cancel safe.
    pub(crate) async fn changed(&self) {
        match &self.inotify {
            Some(inotify) if inotify.changed().await.is_ok() => {}
            _ => pending().await,
        }
    }
}
