//! [`Inotify`]: an inotify(7) descriptor in tokio's poller. The events themselves do not matter: the owner examines the
//! files in any case.

use std::io;
use std::path::Path;

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::io::Errno;
use tokio::net::unix::pipe;

/// Reports that something happened to watched files. The descriptor is read like a pipe.
#[derive(Debug)]
pub(crate) struct Inotify(pipe::Receiver);

impl Inotify {
    /// One that watches nothing yet. To be called in the runtime.
    pub(crate) fn new() -> io::Result<Self> {
        let fd = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        pipe::Receiver::from_owned_fd_unchecked(fd).map(Self)
    }

    /// Watches the file or folder that is at the path now.
    pub(crate) fn watch(&self, path: &Path, events: WatchFlags) -> Result<(), Errno> {
        inotify::add_watch(&self.0, path, events).map(drop)
    }

    /// Waits for events and discards them. Cancel safe.
    pub(crate) async fn changed(&self) -> io::Result<()> {
        self.0.readable().await?;
        let mut events = [0; 4096];
        while self.0.try_read(&mut events).is_ok_and(|read| read > 0) {}
        Ok(())
    }
}
