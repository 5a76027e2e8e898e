//! Waiting until a file may have changed, without looking at it all the time.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use tokio::net::unix::pipe;
use tokio::time::sleep;

/// Where the kernel does not tell us, we look this often.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// Tells when a file, or what stands at its path, may have changed.
pub(super) struct FileWatch {
    path: PathBuf,
    /// An inotify descriptor: it is waited for and read as a pipe is.
    inotify: Option<Inotify>,
}

/// The kernel's notices, of which there are not many to be had.
struct Inotify(pipe::Receiver);

impl FileWatch {
    /// Watches what is at `path` now. Whoever reads the file after this misses nothing.
    pub(super) fn new(path: &Path) -> Self {
        let mut watch = Self { path: path.to_owned(), inotify: open_inotify(path) };
        watch.rearm();
        watch
    }

    /// Watches what is at the path now, after the file has been replaced.
    pub(super) fn rearm(&mut self) {
        let Some(kernel) = &self.inotify else { return };
        let wanted =
            WatchFlags::MODIFY | WatchFlags::ATTRIB | WatchFlags::MOVE_SELF | WatchFlags::DELETE_SELF;
        // A path with nothing at it is watched by its folder alone.
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
        // What changed does not matter: the file is looked at anyway.
        let mut notices = [0; 4096];
        while kernel.0.try_read(&mut notices).is_ok_and(|read| read > 0) {}
    }
}

thread_local! {
    /// How many followers have the kernel's notices.
    static TOLD: Cell<usize> = const { Cell::new(0) };
}

/// The kernel has few of these for each user (128 by default), and others need them as well.
const MAX_IN_USE: usize = 16;

impl Drop for Inotify {
    fn drop(&mut self) {
        TOLD.set(TOLD.get().saturating_sub(1));
    }
}

/// The kernel's notices about the folder of `path`: a log that rotates comes back under its name.
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
