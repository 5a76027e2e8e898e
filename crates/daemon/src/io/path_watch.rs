//! Tells when a file of ours is removed or renamed: inotify on the inode, so that nothing is looked at in vain.

use std::future::pending;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};

use crate::readable_fd::ReadableFd;

/// The kernel's notices about our files.
pub(crate) struct PathWatch {
    kernel: Option<(OwnedFd, ReadableFd)>,
    /// The last check failed, and the log says so.
    pub(crate) is_failing: bool,
}

impl PathWatch {
    /// To be called in the runtime. Where the kernel has no notices left, only SIGUSR2 helps.
    pub(crate) fn new() -> Self {
        let make = || -> io::Result<_> {
            let fd = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
            let readable = ReadableFd::new(fd.as_fd())?;
            Ok((fd, readable))
        };
        Self { kernel: make().ok(), is_failing: false }
    }

    /// Watches the file that is at the path now. Returns whether there is none.
    pub(crate) fn watch(&mut self, path: &Path) -> bool {
        let Some((kernel, _)) = &self.kernel else { return false };
        let wanted =
            WatchFlags::ATTRIB | WatchFlags::MOVE_SELF | WatchFlags::DELETE_SELF | WatchFlags::DONT_FOLLOW;
        inotify::add_watch(kernel, path, wanted) == Err(rustix::io::Errno::NOENT)
    }

    /// Waits until something has happened to one of the files. Nothing is lost if the waiting is given up.
    pub(crate) async fn changed(&self) {
        let readable = match &self.kernel {
            Some((_, readable)) => readable.readable().await,
            None => pending().await,
        };
        if readable.is_err() {
            pending::<()>().await;
        }
    }

    /// Forgets what happened: all files are looked at anyway.
    pub(crate) fn drain(&self) {
        let Some((kernel, _)) = &self.kernel else { return };
        let mut notices = [0; 4096];
        while rustix::io::read(kernel, &mut notices).is_ok_and(|read| read > 0) {}
    }
}
