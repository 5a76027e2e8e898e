//! Alerts that cannot be stored: [`MemoryHandover`] passes them by a pipe to one process that delivers from memory.
//!
//! ```text
//! listener ── length, alert ──▶ deliver --memory STATE ──▶ channels
//!    ▲                                │     └── the disk can be used again ──▶ outbox
//!    └── done ID, stored ID, beat ────┘
//! ```
//!
//! The listener keeps each alert until the process reports its end; if the process dies, the next one gets what is left.
//! When the listener ends, the process goes on.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{ChildStdout, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::launcher::{DelivererLauncher, start};
use crate::alert::Alert;
use crate::delivery::lock_holder::{StallDetector, stall_timeout};
use crate::log;
use crate::outbox::{Outbox, record};
use crate::readiness::is_readable_within;

/// How long the listener waits until an alert is in the pipe.
const HAND_OVER: Duration = Duration::from_secs(2);
/// How long the process is kept without an alert.
const IDLE: Duration = Duration::from_secs(1);
/// The most bytes of alerts that are kept in memory.
const MAX_BYTES: usize = 64 * 1024 * 1024;

#[derive(Debug, Default)]
struct Shared {
    has_thread: bool,
    /// Alerts that the process does not have yet, oldest first.
    queue: VecDeque<Alert>,
    /// One is being written to the pipe.
    is_writing: bool,
    /// Alerts that the process has, by their ids.
    in_flight: BTreeMap<String, Alert>,
    /// The size of all alerts, in bytes.
    size: usize,
    /// The process has closed its standard output.
    has_ended: bool,
}

/// Hands alerts to a process that delivers from memory.
#[derive(Clone, Debug)]
pub(super) struct MemoryHandover {
    deliverer: DelivererLauncher,
    state_dir: PathBuf,
    shared: Arc<Mutex<Shared>>,
    changed: Arc<Condvar>,
}

impl MemoryHandover {
    pub(super) fn new(deliverer: DelivererLauncher, state_dir: PathBuf) -> Self {
        Self { deliverer, state_dir, shared: Arc::default(), changed: Arc::default() }
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an alert that could not be stored. When this returns, the process has it, unless the time was up: it outlives
    /// the listener.
    pub(super) fn deliver(&self, alert: &Alert) {
        let mut shared = self.shared();
        let size = alert.size();
        if shared.size.saturating_add(size) > MAX_BYTES {
            log(&format!(
                "lost, as it could neither be stored nor kept with {} others in memory: to {}: {}",
                shared.queue.len() + shared.in_flight.len(),
                alert.receiver,
                alert.subject.as_deref().unwrap_or_default()
            ));
            return;
        }
        shared.size += size;
        shared.queue.push_back(alert.clone());
        self.changed.notify_all();
        self.ensure_thread(&mut shared);
        let on_its_way =
            |shared: &mut Shared| shared.has_thread && (shared.is_writing || !shared.queue.is_empty());
        drop(self.changed.wait_timeout_while(shared, HAND_OVER, on_its_way));
    }

    fn ensure_thread(&self, shared: &mut Shared) {
        if !shared.has_thread {
            let own = self.clone();
            shared.has_thread = start("memory", move || own.serve());
        }
    }

    /// Starts the thread, if alerts wait and it could not be started before.
    pub(super) fn kick_stale(&self) {
        let mut shared = self.shared();
        if !shared.queue.is_empty() {
            self.ensure_thread(&mut shared);
        }
    }

    /// Waits until everything is delivered or stored, or the time is up, and logs what is not.
    pub(super) fn wait(&self, time: Duration) {
        let some = |shared: &mut Shared| !shared.queue.is_empty() || !shared.in_flight.is_empty();
        let waited = self.changed.wait_timeout_while(self.shared(), time, some);
        let (shared, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let (lost, in_flight) = (shared.queue.len(), shared.in_flight.len());
        if lost > 0 {
            log(&format!("{lost} alert(s) are lost: they could neither be stored nor handed to a deliverer"));
        }
        if in_flight > 0 {
            log(&format!("{in_flight} alert(s) are only in memory; the deliverer goes on with them"));
        }
    }

    /// The thread: runs one process after the other until nothing is left.
    fn serve(&self) {
        let mut breakdowns = 0;
        loop {
            let outcome = self.run();
            let mut shared = self.shared();
            // The next process gets what this one has not reported.
            let left = std::mem::take(&mut shared.in_flight);
            for alert in left.into_values().rev() {
                shared.queue.push_front(alert);
            }
            if shared.queue.is_empty() {
                shared.has_thread = false;
                self.changed.notify_all();
                return;
            }
            drop(shared);
            if let Ok(true) = outcome {
                continue;
            }
            let error =
                outcome.err().map_or_else(|| "it ended too early".to_owned(), |error| error.to_string());
            self.deliverer.pause_after_failure(&mut breakdowns, &error);
        }
    }

    /// Runs one process until it ends, or nothing is left for a moment. Returns whether it was the latter.
    fn run(&self) -> io::Result<bool> {
        self.shared().has_ended = false;
        let mut command = self.deliverer.command();
        command.arg("--memory").arg(&self.state_dir).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        // Without this handle a stalled process is not ended.
        let handle = pidfd_open(Pid::from_child(&child), PidfdFlags::empty()).ok();
        let output = child.stdout.take();
        let own = self.clone();
        let reads = output
            .is_some_and(|output| start("memory answers", move || own.read_reports(output, handle.as_ref())));
        let fed = match child.stdin.take() {
            Some(mut input) if reads => self.feed(&mut input),
            _ => Err(io::Error::other("cannot talk to it")),
        };
        // Its standard input is closed, so it ends when nothing is left.
        let status = child.wait()?;
        let heard = |shared: &mut Shared| reads && !shared.has_ended;
        drop(self.changed.wait_timeout_while(self.shared(), IDLE, heard));
        let is_idle = fed?;
        if status.success() { Ok(is_idle) } else { Err(io::Error::other(format!("it ended with {status}"))) }
    }

    /// Writes alerts as they come. Returns whether it ended as nothing was left.
    fn feed(&self, input: &mut impl Write) -> io::Result<bool> {
        loop {
            let shared = self.shared();
            let busy = |shared: &mut Shared| {
                shared.queue.is_empty() && !shared.in_flight.is_empty() && !shared.has_ended
            };
            let shared = self.changed.wait_while(shared, busy).unwrap_or_else(PoisonError::into_inner);
            let idle = |shared: &mut Shared| shared.queue.is_empty() && !shared.has_ended;
            let waited = self.changed.wait_timeout_while(shared, IDLE, idle);
            let (mut shared, _) = waited.unwrap_or_else(PoisonError::into_inner);
            if shared.has_ended {
                return Ok(false);
            }
            let Some(alert) = shared.queue.pop_front() else {
                if shared.in_flight.is_empty() {
                    return Ok(true);
                }
                continue;
            };
            let content = record::file(&alert, None);
            shared.in_flight.insert(alert.id.clone(), alert);
            shared.is_writing = true;
            drop(shared);
            let written = input.write_all(format!("{}\n{content}", content.len()).as_bytes());
            self.shared().is_writing = false;
            self.changed.notify_all();
            written?;
        }
    }

    /// Reads the reports of the process, of which each is a heartbeat, and ends it when it stalls.
    fn read_reports(&self, output: ChildStdout, process: Option<&OwnedFd>) {
        let mut output = BufReader::new(output);
        let mut detector = StallDetector::new(stall_timeout());
        let mut heartbeats = 0_u64;
        loop {
            if output.buffer().is_empty() && !is_readable_within(output.get_ref(), stall_timeout() / 4) {
                let action = detector.judge(heartbeats, Instant::now());
                process.iter().for_each(|process| action.apply(process, "the deliverer from memory"));
                continue;
            }
            let mut line = String::new();
            if !output.read_line(&mut line).is_ok_and(|length| length > 0) {
                break;
            }
            heartbeats = heartbeats.wrapping_add(1);
            let (what, id) = line.trim_end().split_once(' ').unwrap_or_default();
            let mut shared = self.shared();
            if let Some(alert) = shared.in_flight.remove(id) {
                let size = alert.size();
                shared.size = shared.size.saturating_sub(size);
            }
            drop(shared);
            self.changed.notify_all();
            if what == "stored" {
                self.deliverer.deliver(&Outbox::at(&self.state_dir));
            }
        }
        self.shared().has_ended = true;
        self.changed.notify_all();
    }
}
