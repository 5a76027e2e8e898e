//! The process that holds the lock of an outbox: [`LockHolder`] finds it, [`StallDetector`] says when to end it. Listeners call it.
//!
//! A deliverer has the lock as its standard input. Its heartbeat is the offset of that descriptor, which the kernel shows in
//! `/proc/PID/fdinfo/0`: the seconds of the monotonic clock at the last heartbeat. Nothing is written, so it also works on a
//! full disk.
//!
//! ```text
//!         no new heartbeat for `stalled`         none for `grace` more
//! working ────────────────────▶ asked (SIGTERM) ─────────────▶ killed
//!    ▲   a new heartbeat or holder     │
//!    └─────────────────────────────────┘
//! ```

use std::fs;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use rustix::fs::{SeekFrom, seek};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use rustix::time::{ClockId, clock_gettime};

use crate::outbox::Outbox;
use crate::{log, number_of_env};

/// A deliverer without a heartbeat for this time is stalled, unless `IRONLANCE_OUTBOX_STALLED` says otherwise (seconds).
const STALLED: u64 = 180;
/// How long after SIGTERM a stalled deliverer gets SIGKILL, at most.
const GRACE: Duration = Duration::from_secs(10);

/// After how long without a heartbeat a deliverer is stalled, by the environment.
pub fn stall_timeout() -> Duration {
    let seconds = number_of_env("IRONLANCE_OUTBOX_STALLED");
    Duration::from_secs(seconds.filter(|seconds| (1..86_400).contains(seconds)).unwrap_or(STALLED))
}

/// Sets the heartbeat, in a deliverer.
pub fn heartbeat() {
    let seconds = clock_gettime(ClockId::Monotonic).tv_sec;
    // Standard input that is no regular file has no offset, and no process reads it.
    let _ = seek(io::stdin(), SeekFrom::Start(seconds.unsigned_abs()));
}

/// Writes the heartbeat to the listener, in a deliverer from memory.
pub(super) fn heartbeat_to_listener() {
    let mut out = io::stdout().lock();
    // Without a listener no process waits for it.
    let _ = writeln!(out, "beat").and_then(|()| out.flush());
}

/// A process that holds the lock of an outbox and delivers.
#[derive(Debug)]
pub struct LockHolder {
    pid: Pid,
    /// A pidfd.
    pub(crate) handle: OwnedFd,
    heartbeat: u64,
}

impl LockHolder {
    /// The deliverer that holds the lock of this outbox. `None` when there is none, or when it runs in another container.
    pub fn find(outbox: &Outbox) -> Option<Self> {
        let lock = fs::symlink_metadata(outbox.dir().join("lock")).ok()?;
        let lock = (lock.dev(), lock.ino());
        let processes = fs::read_dir("/proc").ok()?;
        let mut ids = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        ids.find_map(|id| Self::examine(id, lock))
    }

    /// The deliverer with this process id, of an outbox or from memory, of any user; `None` if the process is no
    /// deliverer.
    pub(super) fn of_any_kind(id: i32) -> Option<Self> {
        let pid = Pid::from_raw(id)?;
        let handle = pidfd_open(pid, PidfdFlags::empty()).ok()?;
        let command = fs::read(format!("/proc/{id}/cmdline")).ok()?;
        let mut words = command.split(|byte| *byte == 0);
        let is_deliverer = words.next() == Some(b"ironlance") && words.next() == Some(b"deliver");
        is_deliverer.then_some(Self { pid, handle, heartbeat: 0 })
    }

    fn examine(id: i32, lock: (u64, u64)) -> Option<Self> {
        let has_lock = || {
            let input = fs::metadata(format!("/proc/{id}/fd/0"));
            input.is_ok_and(|input| (input.dev(), input.ino()) == lock)
        };
        if !has_lock() {
            return None;
        }
        let pid = Pid::from_raw(id)?;
        // The pidfd means this process and no later one with the same id.
        let handle = pidfd_open(pid, PidfdFlags::empty()).ok().filter(|_| has_lock())?;
        let owner = fs::metadata(format!("/proc/{id}")).ok()?.uid();
        let own = rustix::process::geteuid().as_raw();
        let command = fs::read(format!("/proc/{id}/cmdline")).ok()?;
        // `outbox retry` delivers as well, and may have been stopped by ^Z.
        let verb = command.split(|byte| *byte == 0).nth(1);
        let is_deliverer = verb.is_some_and(|verb| verb == b"deliver" || verb == b"outbox");
        let info = fs::read_to_string(format!("/proc/{id}/fdinfo/0")).ok()?;
        (owner == own && is_deliverer && holds(&info)).then(|| Self { pid, handle, heartbeat: offset(&info) })
    }

    /// Carries out an action.
    pub fn apply(&self, action: StallAction) {
        action.apply(&self.handle, &format!("the deliverer (pid {})", self.pid.as_raw_nonzero()));
    }

    /// The process and its last heartbeat.
    pub const fn heartbeat_sample(&self) -> (Pid, u64) {
        (self.pid, self.heartbeat)
    }
}

/// Whether a descriptor holds a lock of its whole file, by its `fdinfo`.
fn holds(info: &str) -> bool {
    let locks = info.lines().filter_map(|line| line.strip_prefix("lock:"));
    locks.into_iter().any(|lock| lock.contains("FLOCK") && lock.contains("WRITE"))
}

/// The offset of a descriptor, by its `fdinfo`.
fn offset(info: &str) -> u64 {
    let position = info.lines().find_map(|line| line.strip_prefix("pos:"));
    position.and_then(|position| position.trim().parse().ok()).unwrap_or_default()
}

/// What to do about a lock holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StallAction {
    /// Nothing: it works, or still has time.
    Wait,
    /// SIGTERM.
    Terminate,
    /// SIGKILL.
    Kill,
}

impl StallAction {
    /// Carries it out on a process, and logs it.
    pub fn apply(self, process: &OwnedFd, name: &str) {
        let (signal, words) = match self {
            Self::Wait => return,
            Self::Terminate => (Signal::TERM, "does not get on; it was told to end"),
            Self::Kill => (Signal::KILL, "does not end; it was killed, and another is started"),
        };
        // The process may have ended just now.
        let _ = pidfd_send_signal(process, signal);
        log(&format!("{name} {words}"));
    }
}

/// Watches the heartbeats of a lock holder; see the diagram above. Pure: time is an argument.
#[derive(Debug)]
pub struct StallDetector<S> {
    stalled: Duration,
    /// The last heartbeat, and when it was first seen.
    last: Option<(S, Instant)>,
    asked: Option<Instant>,
}

impl<S: PartialEq> StallDetector<S> {
    /// No lock holder has been seen yet.
    pub const fn new(stalled: Duration) -> Self {
        Self { stalled, last: None, asked: None }
    }

    /// Takes the present heartbeat of the present lock holder.
    pub fn judge(&mut self, sign: S, now: Instant) -> StallAction {
        let since = match &self.last {
            Some((last, since)) if *last == sign => *since,
            _ => {
                (self.last, self.asked) = (Some((sign, now)), None);
                return StallAction::Wait;
            }
        };
        match self.asked {
            None if now >= since + self.stalled => {
                self.asked = Some(now);
                StallAction::Terminate
            }
            Some(asked) if now >= asked + GRACE.min(self.stalled) => {
                self.asked = Some(now);
                StallAction::Kill
            }
            None | Some(_) => StallAction::Wait,
        }
    }

    /// There is no lock holder now.
    pub fn forget(&mut self) {
        (self.last, self.asked) = (None, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: &str = "pos:\t4711\nflags:\t02100001\nmnt_id:\t29\nino:\t99\n\
        lock:\t1: FLOCK  ADVISORY  WRITE 1234 fe:00:99 0 EOF\n";

    #[test]
    fn a_holder_is_known_by_the_lock_on_its_descriptor() {
        assert!(holds(INFO));
        assert!(!holds(&INFO.replace("FLOCK", "POSIX")));
        assert!(!holds("pos:\t0\n"));
        assert_eq!((offset(INFO), offset("")), (4711, 0));
    }

    #[test]
    fn a_holder_without_a_heartbeat_is_asked_and_then_killed() {
        let now = Instant::now();
        let at = |seconds| now + Duration::from_secs(seconds);
        let mut detector = StallDetector::new(Duration::from_secs(180));
        assert_eq!(detector.judge("a 1", at(0)), StallAction::Wait);
        assert_eq!(detector.judge("a 1", at(179)), StallAction::Wait);
        assert_eq!(detector.judge("a 1", at(180)), StallAction::Terminate);
        assert_eq!(detector.judge("a 1", at(185)), StallAction::Wait, "it finishes its mail");
        assert_eq!(detector.judge("a 1", at(190)), StallAction::Kill);
    }

    #[test]
    fn a_heartbeat_or_another_holder_begins_anew() {
        let now = Instant::now();
        let at = |seconds| now + Duration::from_secs(seconds);
        let mut detector = StallDetector::new(Duration::from_secs(180));
        detector.judge("a 1", at(0));
        assert_eq!(detector.judge("a 2", at(179)), StallAction::Wait);
        assert_eq!(detector.judge("a 2", at(300)), StallAction::Wait);
        assert_eq!(detector.judge("a 2", at(359)), StallAction::Terminate);
        assert_eq!(detector.judge("b 2", at(400)), StallAction::Wait);
        assert_eq!(detector.judge("b 2", at(500)), StallAction::Wait);
        detector.forget();
        assert_eq!(detector.judge("b 2", at(600)), StallAction::Wait);
    }

    #[test]
    fn a_process_that_only_opened_the_lock_is_not_its_holder() {
        let dir = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(dir.path()).unwrap();
        let lock = outbox.lock_file().unwrap();
        assert!(LockHolder::find(&outbox).is_none());
        // It holds the lock, and is no deliverer.
        lock.lock().unwrap();
        let mut other = std::process::Command::new("sleep").arg("1000").stdin(lock).spawn().unwrap();
        assert!(LockHolder::find(&outbox).is_none());
        other.kill().unwrap();
        other.wait().unwrap();
    }
}
