//! Which pipes to listen to at once, and which can wait a moment so that more is heard at a time.
//!
//! What a listener says, and output that becomes events, is heard at once. Output that only goes to a file is heard
//! after a pause, which grows while little is said and shrinks when a pipe was found full:
//!
//! ```text
//!            little was heard: twice as long, up to 8 ms
//!    ┌────────────────────────────────────────────────────┐
//!    ▼                                                    │
//!  pause ──▶ all that can be read is read ──▶ how much was it?
//!    ▲                                                    │
//!    └────────────────────────────────────────────────────┘
//!            a pipe was full: half as long, down to none
//! ```

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use crate::child::pipes::{BATCH, Interest, Poller};
use crate::readiness::Readiness;

/// The shortest pause but none: the runtime's clock counts milliseconds.
const SHORTEST: Duration = Duration::from_millis(1);
/// The longest. A log is written so much later than it could be, at most.
const LONGEST: Duration = Duration::from_millis(8);
/// Less than this from one child is little (bytes).
const LITTLE: usize = 16 * 1024;
/// A pipe that gives so much was as good as full (bytes).
const FULL: usize = 48 * 1024;
/// The same for one that was made larger.
const FULL_GROWN: usize = 768 * 1024;

/// Whether a pipe is heard at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Urgency {
    AtOnce,
    CanWait,
}

/// Stands for all pipes that can wait, among those that cannot.
const PATIENT: u64 = u64::MAX;

/// All pipes of all children.
pub(super) struct Ears {
    urgent: Poller,
    /// Told by the runtime that `urgent` has something.
    readiness: Readiness,
    /// `urgent` has not been asked to its end.
    ready: bool,
    /// A member of `urgent` that tells once, and not again before the pause is over.
    patient: Poller,
    pause: Duration,
    /// When the patient ones are heard next, if anything has been said (monotonic).
    hear_at: Option<Duration>,
    /// Every patient pipe that has something is being heard. What comes after that waits for the next pause.
    all_told: bool,
    /// What was heard since the pause: the most from one pipe, and whether one was full.
    most: usize,
    full: bool,
}

impl Ears {
    /// To be called in the runtime.
    pub(super) fn new() -> io::Result<Self> {
        let (urgent, patient) = (Poller::new()?, Poller::new()?);
        urgent.add(patient.as_fd(), PATIENT, Interest::ReadOnce)?;
        let readiness = Readiness::of(urgent.as_fd())?;
        let (pause, hear_at) = (Duration::ZERO, None);
        let (ready, all_told) = (false, false);
        Ok(Self { urgent, readiness, ready, patient, pause, hear_at, all_told, most: 0, full: false })
    }

    pub(super) fn add(
        &self,
        fd: BorrowedFd<'_>,
        token: u64,
        interest: Interest,
        urgency: Urgency,
    ) -> io::Result<()> {
        self.poller(urgency).add(fd, token, interest)
    }

    pub(super) fn remove(&self, fd: BorrowedFd<'_>, urgency: Urgency) {
        self.poller(urgency).remove(fd);
    }

    const fn poller(&self, urgency: Urgency) -> &Poller {
        match urgency {
            Urgency::AtOnce => &self.urgent,
            Urgency::CanWait => &self.patient,
        }
    }

    /// Waits until something has been said that was not known. Nothing is lost if the waiting is given up.
    pub(super) async fn wait(&self) -> io::Result<()> {
        self.readiness.ready().await
    }

    /// Something has been said.
    pub(super) const fn noticed(&mut self) {
        self.ready = true;
    }

    /// When the pause ends, if something has been said (monotonic).
    pub(super) const fn deadline(&self) -> Option<Duration> {
        self.hear_at
    }

    /// Whether there is something to be heard now.
    pub(super) fn is_due(&self, now: Duration) -> bool {
        self.ready || self.hear_at.is_some_and(|at| at <= now)
    }

    /// The pipes that are to be read or written now.
    pub(super) fn next(&mut self, now: Duration, tokens: &mut Vec<u64>) -> io::Result<()> {
        tokens.clear();
        if self.ready {
            let found = self.urgent.wait(&mut |token| tokens.push(token));
            self.ready = found.as_ref().is_ok_and(|count| *count > 0);
            if let Some(at) = tokens.iter().position(|token| *token == PATIENT) {
                tokens.swap_remove(at);
                self.hear_at = Some(now + self.pause);
            }
            if !tokens.is_empty() || found.is_err() {
                return found.map(drop);
            }
        }
        if self.hear_at.is_some_and(|at| at <= now) {
            if self.all_told {
                return self.end_of_round();
            }
            let found = self.patient.wait(&mut |token| tokens.push(token));
            self.all_told = found.as_ref().is_ok_and(|count| *count < BATCH);
            found?;
        }
        Ok(())
    }

    /// Ends the pause: somebody wants to know now what was said.
    pub(super) const fn hurry(&mut self) {
        self.hear_at = Some(Duration::ZERO);
        self.all_told = false;
    }

    /// So much was read from one pipe that could wait.
    pub(super) fn heard(&mut self, size: usize, grown: bool) {
        self.most = self.most.max(size);
        self.full |= size >= if grown { FULL_GROWN } else { FULL };
    }

    fn end_of_round(&mut self) -> io::Result<()> {
        self.hear_at = None;
        self.all_told = false;
        self.pause = next_pause(self.pause, self.most, self.full);
        (self.most, self.full) = (0, false);
        self.urgent.modify(self.patient.as_fd(), PATIENT, Interest::ReadOnce)
    }
}

fn next_pause(pause: Duration, most: usize, full: bool) -> Duration {
    if full {
        let half = pause / 2;
        return if half < SHORTEST { Duration::ZERO } else { half };
    }
    if most < LITTLE { (pause * 2).clamp(SHORTEST, LONGEST) } else { pause }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_grows_while_little_is_said_and_shrinks_when_a_pipe_was_full() {
        let mut pause = Duration::ZERO;
        let mut pauses = Vec::new();
        for (most, full) in
            [(100, false), (100, false), (100, false), (100, false), (100, false), (20_000, false)]
        {
            pause = next_pause(pause, most, full);
            pauses.push(pause.as_millis());
        }
        assert_eq!(pauses, [1, 2, 4, 8, 8, 8]);
        pauses.clear();
        for _ in 0..5 {
            pause = next_pause(pause, 65_536, true);
            pauses.push(pause.as_millis());
        }
        assert_eq!(pauses, [4, 2, 1, 0, 0]);
    }
}
