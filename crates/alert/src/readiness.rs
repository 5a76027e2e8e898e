//! Waiting for a descriptor: [`is_readable_within`]. A pidfd is readable once its process has ended.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// Whether a descriptor is readable, or closed at its other end, before the time is up.
pub(crate) fn is_readable_within(fd: &impl AsFd, time: Duration) -> bool {
    let end = Instant::now() + time;
    loop {
        let left = Timespec::try_from(end.saturating_duration_since(Instant::now())).ok();
        match poll(&mut [PollFd::new(fd, PollFlags::IN)], left.as_ref()) {
            Err(Errno::INTR) => {}
            ready => return ready != Ok(0),
        }
    }
}
