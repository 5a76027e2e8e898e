//! Waits until a file may have changed: [`FileWatch`], by inotify or, without it, by polling.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use tokio::net::unix::pipe;
use tokio::time::sleep;

/// Polling interval without inotify.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// Reports that the file at a path may have changed or been replaced.
pub(super) struct FileWatch {
    path: PathBuf,
    /// The inotify descriptor. It is read like a pipe.
    inotify: Option<Inotify>,
}

/// One of the few inotify descriptors.
struct Inotify(pipe::Receiver);

impl FileWatch {
    /// Watches the file at `path` from now on. No change that happens after this call is missed.
    pub(super) fn new(path: &Path) -> Self {
        let mut watch = Self { path: path.to_owned(), inotify: open_inotify(path) };
        watch.rearm();
        watch
    }

    /// Watches the file that is at the path now, after the old one was replaced.
    pub(super) fn rearm(&mut self) {
        let Some(kernel) = &self.inotify else { return };
        let wanted =
            WatchFlags::MODIFY | WatchFlags::ATTRIB | WatchFlags::MOVE_SELF | WatchFlags::DELETE_SELF;
        // Without a file only its folder is watched.
        if let Err(error) = inotify::add_watch(&kernel.0, &self.path, wanted)
            && error != rustix::io::Errno::NOENT
        {
            self.inotify = None;
        }
    }

    /// Waits until something may have changed.
    pub(super) async fn changed(&mut self) {
        let Some(kernel) = &self.inotify else { return sleep(POLL_INTERVAL).await };
        if kernel.0.readable().await.is_err() {
            self.inotify = None;
            return;
        }
        // The events themselves do not matter: the file is examined in any case.
        let mut notices = [0; 4096];
        while kernel.0.try_read(&mut notices).is_ok_and(|read| read > 0) {}
    }
}

thread_local! {
    /// How many inotify descriptors are in use.
    static TOLD: Cell<usize> = const { Cell::new(0) };
}

/// The kernel allows few per user (128 by default), and other programs need them too.
const MAX_IN_USE: usize = 16;

impl Drop for Inotify {
    fn drop(&mut self) {
        TOLD.set(TOLD.get().saturating_sub(1));
    }
}

/// An inotify descriptor that watches the folder of `path`: a rotated log is created anew under its name.
fn open_inotify(path: &Path) -> Option<Inotify> {
    if TOLD.get() >= MAX_IN_USE {
        return None;
    }
    let fd = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).ok()?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    inotify::add_watch(&fd, folder, WatchFlags::CREATE | WatchFlags::MOVED_TO).ok()?;
    let notices = pipe::Receiver::from_owned_fd_unchecked(fd).ok()?;
    TOLD.set(TOLD.get() + 1);
    Some(Inotify(notices))
}
