//! Waits until a file may have changed: [`FileWatch`], by inotify or, without it, by polling.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::inotify::WatchFlags;
use rustix::io::Errno;
use tokio::time::sleep;

use crate::inotify::Inotify;

/// Polling interval without inotify.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// Reports that the file at a path may have changed or been replaced.
pub(super) struct FileWatch {
    path: PathBuf,
    inotify: Option<CountedInotify>,
}

/// One of the few inotify descriptors.
struct CountedInotify(Inotify);

impl FileWatch {
    /// Watches the file at `path` from now on. No change that happens after this call is missed.
    pub(super) fn new(path: &Path) -> Self {
        let mut watch = Self { path: path.to_owned(), inotify: open_inotify(path) };
        watch.rearm();
        watch
    }

    /// Watches the file that is at the path now, after the old one was replaced.
    pub(super) fn rearm(&mut self) {
        let Some(counted) = &self.inotify else { return };
        let wanted =
            WatchFlags::MODIFY | WatchFlags::ATTRIB | WatchFlags::MOVE_SELF | WatchFlags::DELETE_SELF;
        // Without a file only its folder is watched.
        if counted.0.watch(&self.path, wanted).is_err_and(|error| error != Errno::NOENT) {
            self.inotify = None;
        }
    }

    /// Waits until something may have changed.
    pub(super) async fn changed(&mut self) {
        let Some(counted) = &self.inotify else { return sleep(POLL_INTERVAL).await };
        if counted.0.changed().await.is_err() {
            self.inotify = None;
        }
    }
}

thread_local! {
    /// How many inotify descriptors are in use.
    static IN_USE: Cell<usize> = const { Cell::new(0) };
}

/// The kernel allows few per user (128 by default), and other programs need them too.
const MAX_IN_USE: usize = 16;

impl Drop for CountedInotify {
    fn drop(&mut self) {
        IN_USE.set(IN_USE.get().saturating_sub(1));
    }
}

/// An inotify descriptor that watches the folder of `path`: a rotated log is created anew under its name.
fn open_inotify(path: &Path) -> Option<CountedInotify> {
    if IN_USE.get() >= MAX_IN_USE {
        return None;
    }
    let inotify = Inotify::new().ok()?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    inotify.watch(folder, WatchFlags::CREATE | WatchFlags::MOVED_TO).ok()?;
    IN_USE.set(IN_USE.get() + 1);
    Some(CountedInotify(inotify))
}
