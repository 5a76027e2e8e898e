//! Keeps a deliverer of the outbox running: [`DelivererLauncher`] starts the process, waits for it, and ends a stalled one.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::delivery::lock_holder::{LockHolder, StallDetector, stall_timeout};
use crate::delivery::schedule::pause;
use crate::log;
use crate::outbox::Outbox;
use crate::readiness::is_readable_within;

/// The stack of our threads, in bytes: they start processes and wait.
pub(super) const STACK: usize = 256 * 1024;

/// How long to wait for the lock while its holder is not known: it has just started, or runs in another container.
const UNKNOWN_HOLDER: Duration = Duration::from_secs(1);
/// How long to wait for a thread that is being started.
const START: Duration = Duration::from_secs(1);

/// What the thread shares with the listener.
#[derive(Debug, Default)]
struct Shared {
    /// The thread exists.
    has_thread: bool,
    /// It has waited for an order once.
    is_idle: bool,
    /// The outbox to deliver next.
    order: Option<(Outbox, StartReason)>,
    is_busy: bool,
    /// Something was stored since the deliverer was started.
    again: bool,
}

/// Why a deliverer is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StartReason {
    /// An alert is in the outbox.
    Stored,
    /// An alert is about to be stored.
    Prewarm,
}

/// Starts the process that delivers, when there is something for it to do.
#[derive(Clone, Debug)]
pub(super) struct DelivererLauncher {
    program: PathBuf,
    shared: Arc<Mutex<Shared>>,
    /// Notified whenever something in `shared` changes.
    changed: Arc<Condvar>,
}

impl DelivererLauncher {
    /// Starts the thread now: when it is needed, the machine may be out of threads.
    pub(super) fn new(program: PathBuf) -> Self {
        let deliverer = Self { program, shared: Arc::default(), changed: Arc::default() };
        let mut shared = deliverer.shared();
        deliverer.ensure_thread(&mut shared);
        // The listener trims its memory before it waits: by then the thread must have started.
        let starting = |shared: &mut Shared| shared.has_thread && !shared.is_idle;
        drop(deliverer.changed.wait_timeout_while(shared, START, starting));
        deliverer
    }

    fn ensure_thread(&self, shared: &mut Shared) {
        if !shared.has_thread {
            let own = self.clone();
            shared.has_thread = start("deliverer", move || own.serve());
        }
    }

    /// Waits until nothing is left to do, or the time is up.
    pub(super) fn wait(&self, time: Duration) {
        let is_busy = |shared: &mut Shared| shared.is_busy || shared.order.is_some();
        drop(self.changed.wait_timeout_while(self.shared(), time, is_busy));
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the outbox delivered. A thread takes the lock, passes it to a process, and waits for that process; it is idle
    /// again when nothing waits any more.
    pub(super) fn deliver(&self, outbox: &Outbox) {
        self.start(outbox, StartReason::Stored);
    }

    pub(super) fn start(&self, outbox: &Outbox, reason: StartReason) {
        let mut shared = self.shared();
        shared.again |= reason == StartReason::Stored;
        if !shared.is_busy && shared.order.is_none() {
            shared.order = Some((outbox.clone(), reason));
            self.changed.notify_all();
        }
        self.ensure_thread(&mut shared);
    }

    /// The thread: takes one order after the other.
    fn serve(&self) {
        self.shared().is_idle = true;
        self.changed.notify_all();
        loop {
            let idle = |shared: &mut Shared| shared.order.is_none();
            let waited = self.changed.wait_while(self.shared(), idle);
            let mut shared = waited.unwrap_or_else(PoisonError::into_inner);
            let Some((outbox, reason)) = shared.order.take() else { continue };
            shared.is_busy = true;
            drop(shared);
            self.deliver_until_empty(&outbox, reason);
        }
    }

    fn deliver_until_empty(&self, outbox: &Outbox, mut reason: StartReason) {
        let mut breakdowns = 0;
        loop {
            self.shared().again = false;
            match self.run_on(outbox, std::mem::replace(&mut reason, StartReason::Stored)) {
                Ok(status) if status.success() => breakdowns = 0,
                Ok(status) => self.pause_after_failure(&mut breakdowns, &format!("it ended with {status}")),
                Err(error) => self.pause_after_failure(&mut breakdowns, &error.to_string()),
            }
            let mut shared = self.shared();
            if !shared.again && outbox.is_empty() {
                shared.is_busy = false;
                self.changed.notify_all();
                return;
            }
        }
    }

    /// Logs that the deliverer failed, and waits before the next.
    pub(super) fn pause_after_failure(&self, breakdowns: &mut u32, reason: &str) {
        *breakdowns += 1;
        let delay = pause(*breakdowns, 0.5);
        let program = self.program.display();
        log(&format!("the deliverer {program} failed: {reason}; starting another in {} s", delay.as_secs()));
        thread::park_timeout(delay);
    }

    fn run_on(&self, outbox: &Outbox, reason: StartReason) -> io::Result<ExitStatus> {
        let lock = take_lock(outbox)?;
        if outbox.is_empty() && reason == StartReason::Stored {
            return Ok(ExitStatus::default());
        }
        // Its standard output is a pipe that breaks when the listener dies.
        let (alive, leash): (OwnedFd, OwnedFd) = pipe_with(PipeFlags::CLOEXEC)?;
        let mut command = self.command();
        command.arg(outbox.dir()).stdin(lock).stdout(leash);
        let mut child = command.spawn()?;
        // The command holds our copies of the child's descriptors, the lock among them.
        drop(command);
        if let Ok(process) = pidfd_open(Pid::from_child(&child), PidfdFlags::empty()) {
            let mut detector = StallDetector::new(stall_timeout());
            while !is_readable_within(&process, stall_timeout() / 4) {
                watch(LockHolder::find(outbox).as_ref(), &mut detector);
            }
        }
        let status = child.wait();
        drop(alive);
        status
    }

    /// The command of a deliverer, without its last arguments.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.arg0("ironlance").arg("deliver");
        command
    }
}

/// Waits for the lock of an outbox. A holder without a listener is asked for it; one that stalls is ended.
fn take_lock(outbox: &Outbox) -> io::Result<File> {
    let mut detector = StallDetector::new(stall_timeout());
    loop {
        let lock = outbox.lock_file().map_err(io::Error::other)?;
        if lock.try_lock().is_ok() {
            // The folder may have been removed meanwhile, with its lock.
            if outbox.is_locked_by(&lock) {
                return Ok(lock);
            }
            continue;
        }
        outbox.request_handover();
        let holder = LockHolder::find(outbox);
        watch(holder.as_ref(), &mut detector);
        match holder {
            Some(holder) => drop(is_readable_within(&holder.handle, stall_timeout() / 4)),
            None => thread::park_timeout(UNKNOWN_HOLDER),
        }
    }
}

/// Looks at the heartbeat of the lock's holder, and ends a holder that stalls.
fn watch(holder: Option<&LockHolder>, detector: &mut StallDetector<(Pid, u64)>) {
    match holder {
        Some(holder) => holder.apply(detector.judge(holder.heartbeat_sample(), Instant::now())),
        None => detector.forget(),
    }
}

/// Starts a thread; where that fails, it is tried again with the next alert.
pub(super) fn start(name: &str, work: impl FnOnce() + Send + 'static) -> bool {
    match thread::Builder::new().name(name.to_owned()).stack_size(STACK).spawn(work) {
        Ok(_) => true,
        Err(error) => {
            log(&format!("cannot start a thread ({name}): {error}; the alert is kept"));
            false
        }
    }
}
