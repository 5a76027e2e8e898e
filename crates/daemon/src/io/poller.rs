//! Polls the pipes of children: [`OutputPoller`], two nested epoll sets, of which the inner one may wait.
//!
//! Output of listeners, and output that becomes events, is read at once. Output that only goes to a file is deferred, so
//! that more is read at a time: by a delay that grows while reads are small and shrinks when a pipe was found full.
//!
//! ```text
//!            small reads: twice as long, up to 8 ms  
//!    ┌────────────────────────────────────────────────────┐
//!    ▼                                                    │
//!  delay ──▶ all that can be read is read ──▶ how much was it?
//!    ▲                                                    │
//!    └────────────────────────────────────────────────────┘
//!            a pipe was full: half as long, down to none
//! ```

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use crate::child::pipes::{Epoll, Interest, MAX_EVENTS};
use crate::readable_fd::ReadableFd;

/// The shortest delay above zero. The runtime's clock counts milliseconds, so the owner waits for this one in poll(2).
const SHORTEST_SPIN: Duration = Duration::from_micros(150);
/// The shortest delay that the runtime can time.
const SHORTEST_DELAY: Duration = Duration::from_millis(1);
/// The longest delay: how much later a log may be written than it could be.
const LONGEST_DELAY: Duration = Duration::from_millis(8);
/// A pipe that yields this much at once was as good as full (bytes).
const FULL: usize = 48 * 1024;
/// The same for one that was made larger.
const FULL_GROWN: usize = 768 * 1024;

/// Whether a pipe is read as soon as it is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReadPriority {
    Immediate,
    Deferred,
}

/// The token of the nested epoll set (`deferred`) inside `urgent`.
const DEFERRED_SET: u64 = u64::MAX;

/// All pipes of all children.
pub(crate) struct OutputPoller {
    urgent: Epoll,
    /// The runtime's registration of `urgent`.
    readiness: ReadableFd,
    /// `urgent` may have more ready members: it is registered edge-triggered, and was not drained yet.
    ready: bool,
    /// A member of `urgent` with EPOLLONESHOT: it is armed again when the delay is over.
    deferred: Epoll,
    delay: Duration,
    /// When deferred pipes are read next, if one of them is ready (monotonic).
    read_deferred_at: Option<Duration>,
    /// Deferred pipes with much output: read after each delay and not watched, as a watched pipe makes each write more
    /// expensive.
    hot: Vec<u64>,
    /// The deferred set has been drained in this pass. What comes later waits for the next delay.
    drained: bool,
    /// Since the delay: the most that was read from one pipe, and whether one was full.
    most_read: usize,
    saw_full: bool,
    /// One of them had been made larger.
    saw_grown: bool,
}

impl OutputPoller {
    /// To be called in the runtime.
    pub(crate) fn new() -> io::Result<Self> {
        let (urgent, deferred) = (Epoll::new()?, Epoll::new()?);
        urgent.add(deferred.as_fd(), DEFERRED_SET, Interest::ReadOnce)?;
        Ok(Self {
            readiness: ReadableFd::new(urgent.as_fd())?,
            urgent,
            ready: false,
            deferred,
            delay: Duration::ZERO,
            read_deferred_at: None,
            hot: Vec::new(),
            drained: false,
            most_read: 0,
            saw_full: false,
            saw_grown: false,
        })
    }

    pub(crate) fn add(
        &self,
        fd: BorrowedFd<'_>,
        token: u64,
        interest: Interest,
        urgency: ReadPriority,
    ) -> io::Result<()> {
        self.poller(urgency).add(fd, token, interest)
    }

    pub(crate) fn remove(&self, fd: BorrowedFd<'_>, urgency: ReadPriority) {
        self.poller(urgency).remove(fd);
    }

    const fn poller(&self, urgency: ReadPriority) -> &Epoll {
        match urgency {
            ReadPriority::Immediate => &self.urgent,
            ReadPriority::Deferred => &self.deferred,
        }
    }

    /// Waits until a pipe is ready that was not. Cancel safe.
    pub(crate) async fn wait(&self) -> io::Result<()> {
        self.readiness.readable().await
    }

    /// A pipe is ready.
    pub(crate) const fn mark_ready(&mut self) {
        self.ready = true;
    }

    /// When the delay ends, if a deferred pipe is ready (monotonic).
    pub(crate) const fn deadline(&self) -> Option<Duration> {
        self.read_deferred_at
    }

    /// Whether a pipe may be ready to be served now.
    pub(crate) fn is_due(&self, now: Duration) -> bool {
        self.ready || self.read_deferred_at.is_some_and(|at| at <= now)
    }

    /// The pipes that are to be read or written now.
    pub(crate) fn next(&mut self, now: Duration, tokens: &mut Vec<u64>) -> io::Result<()> {
        tokens.clear();
        if self.ready {
            let found = self.urgent.wait(&mut |token| tokens.push(token));
            self.ready = found.as_ref().is_ok_and(|count| *count > 0);
            if let Some(at) = tokens.iter().position(|token| *token == DEFERRED_SET) {
                tokens.swap_remove(at);
                self.begin_delay(now, tokens.is_empty());
            }
            if !tokens.is_empty() || found.is_err() {
                return found.map(drop);
            }
        }
        if self.read_deferred_at.is_some_and(|at| at <= now) {
            if self.drained {
                return self.end_pass(now);
            }
            let found = self.deferred.wait(&mut |token| tokens.push(token));
            self.drained = found.as_ref().is_ok_and(|count| *count < MAX_EVENTS);
            if self.drained {
                tokens.extend(&self.hot);
            }
            found?;
        }
        Ok(())
    }

    fn begin_delay(&mut self, now: Duration, nothing_else: bool) {
        if self.delay > SHORTEST_SPIN {
            self.read_deferred_at = Some(now + self.delay);
            return;
        }
        if self.delay == SHORTEST_SPIN && nothing_else {
            self.urgent.wait_readable(SHORTEST_SPIN);
            self.ready = true;
        }
        self.read_deferred_at = Some(now);
    }

    /// Whether deferred output is read without any delay, as its pipes were found full.
    pub(crate) const fn has_no_delay(&self) -> bool {
        self.delay.is_zero()
    }

    /// Ends the delay: a client wants the output now.
    pub(crate) const fn expire_delay(&mut self) {
        self.read_deferred_at = Some(Duration::ZERO);
        self.drained = false;
    }

    /// Notes how much was read from one deferred pipe.
    pub(crate) fn record_read(&mut self, size: usize, grown: bool) {
        self.most_read = self.most_read.max(size);
        self.saw_full |= size >= if grown { FULL_GROWN } else { FULL };
        self.saw_grown |= grown;
    }

    /// Whether this pipe is read without being watched.
    pub(crate) fn is_hot(&self, token: u64) -> bool {
        self.hot.contains(&token)
    }

    /// Watches a pipe no more, and reads it after each delay.
    pub(crate) fn make_hot(&mut self, fd: BorrowedFd<'_>, token: u64) {
        self.deferred.remove(fd);
        self.hot.push(token);
    }

    /// Watches a pipe that was hot again.
    pub(crate) fn make_watched(&mut self, fd: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        self.remove_hot(token);
        self.deferred.add(fd, token, Interest::Read)
    }

    /// A pipe is closed, or paused.
    pub(crate) fn remove_hot(&mut self, token: u64) {
        self.hot.retain(|talker| *talker != token);
    }

    fn end_pass(&mut self, now: Duration) -> io::Result<()> {
        self.read_deferred_at = None;
        self.drained = false;
        self.delay = next_delay(self.delay, self.most_read, self.saw_full, self.saw_grown);
        (self.most_read, self.saw_full, self.saw_grown) = (0, false, false);
        if !self.hot.is_empty() {
            self.begin_delay(now, true);
        }
        self.urgent.modify(self.deferred.as_fd(), DEFERRED_SET, Interest::ReadOnce)
    }
}

fn next_delay(pause: Duration, most: usize, full: bool, roomy: bool) -> Duration {
    if full {
        return match pause / 2 {
            _ if pause <= SHORTEST_SPIN => Duration::ZERO,
            half if half < SHORTEST_DELAY => SHORTEST_SPIN,
            half => half,
        };
    }
    let (little, longer) = match pause {
        // A large pipe takes a while to fill, and gives more at a time then.
        Duration::ZERO if roomy => (FULL_GROWN / 3, SHORTEST_SPIN),
        Duration::ZERO => (2 * 1024, SHORTEST_SPIN),
        SHORTEST_SPIN => (4 * 1024, SHORTEST_DELAY),
        _ => (16 * 1024, (pause * 2).min(LONGEST_DELAY)),
    };
    if most < little { longer } else { pause }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_grows_while_little_is_said_and_shrinks_when_a_pipe_was_full() {
        let mut pause = Duration::ZERO;
        let mut pauses = Vec::new();
        for (most, full) in [(100, false); 6] {
            pause = next_delay(pause, most, full, false);
            pauses.push(pause.as_micros());
        }
        assert_eq!(pauses, [150, 1000, 2000, 4000, 8000, 8000]);
        assert_eq!(next_delay(pause, 20_000, false, false), pause);
        pauses.clear();
        for _ in 0..6 {
            pause = next_delay(pause, 65_536, true, false);
            pauses.push(pause.as_micros());
        }
        assert_eq!(pauses, [4000, 2000, 1000, 150, 0, 0]);
        // A child that writes much in small pieces is not read at each write.
        assert_eq!(next_delay(Duration::ZERO, 1_000, false, false), SHORTEST_SPIN);
        assert_eq!(next_delay(SHORTEST_SPIN, 36_000, false, false), SHORTEST_SPIN);
    }
}
