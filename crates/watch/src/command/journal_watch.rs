//! The journal of the supervisor that has started this process: whether it writes one, and [`JournalWatch`], when it does.

use std::fs;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use inotify::{Inotify, WatchMask};

/// Reports that records were appended.
#[derive(Debug)]
pub(crate) struct JournalWatch {
    inotify: Inotify,
}

impl JournalWatch {
    /// `None` where the kernel gives no watch: events on standard input are a reason to look as well.
    pub(crate) fn new(folder: &Path) -> Option<Self> {
        let inotify = Inotify::init().ok()?;
        let changes = WatchMask::MODIFY | WatchMask::CREATE | WatchMask::ONLYDIR;
        inotify.watches().add(folder, changes).ok()?;
        Some(Self { inotify })
    }

    /// To be polled for reading.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }

    /// Takes what was reported.
    pub(crate) fn drain(&mut self) {
        let mut buffer = [0; 4096];
        while self.inotify.read_events(&mut buffer).is_ok_and(|mut events| events.next().is_some()) {}
    }
}

/// Whether the process that has started this one writes the journal, by its lock.
pub(crate) fn is_written_by_parent(journal: &Path) -> bool {
    let holder = fs::read_to_string(journal.join("lock")).unwrap_or_default();
    holder.trim() == parent().to_string()
}

/// Names the run of the supervisor that has started this process: its process id, when that started, and the boot of the host.
pub(crate) fn parent_run() -> String {
    let stat = fs::read_to_string(format!("/proc/{}/stat", parent())).unwrap_or_default();
    // The name in parentheses may hold anything; the 20th field behind it is the start (proc(5)).
    let start = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(19)).unwrap_or_default();
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    format!("{:08x}", crc32fast::hash(format!("{} {start} {boot}", parent()).as_bytes()))
}

fn parent() -> u32 {
    rustix::process::getppid().map_or(0, |pid| pid.as_raw_nonzero().get().unsigned_abs())
}
