//! What the machines decide to do about a program: [`Actions`] asks the supervisor in threads, as a stop and a start wait.
//!
//! A restart is recorded on disk before the stop: should `watch` be killed between stop and start, the next one starts
//! the program. A start that fails is tried again every [`RETRY`].

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread;
use std::time::Duration;

use ironlance_checks::restart::{PendingRestarts, RestartOutcome, restart};
use ironlance_config::alerting::Action;
use ironlance_core::Namespec;
use ironlance_rpc::Client;
use rustix::event::{EventfdFlags, eventfd};

use crate::machine::Input;

/// How many actions are carried out at the same time.
const MAX_WORKERS: usize = 8;
/// The stack of a thread, in bytes.
const STACK: usize = 512 * 1024;
/// How often a start that failed is tried again.
const RETRY: Duration = Duration::from_secs(10);

/// Carries actions out and keeps the record of restarts.
#[derive(Debug)]
pub struct Actions {
    shared: Arc<Shared>,
}

/// What the threads share.
#[derive(Debug)]
struct Shared {
    client: Client,
    restarts: PendingRestarts,
    /// A retry of failed starts excludes restarts: it would start what they have stopped.
    restarting: RwLock<()>,
    queue: Mutex<Queue>,
    /// Readable when an outcome is there.
    has_outcome: OwnedFd,
    log: fn(&str),
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<(Namespec, Action)>,
    outcomes: Vec<Input>,
    workers: usize,
    is_retrying: bool,
}

impl Actions {
    /// `pending` is the file of restarts. What an earlier `watch` stopped and did not start is started now.
    pub fn open(client: Client, pending: PathBuf, log: fn(&str)) -> io::Result<Self> {
        let shared = Shared {
            client,
            restarts: PendingRestarts::open(pending, log),
            restarting: RwLock::default(),
            queue: Mutex::default(),
            has_outcome: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            log,
        };
        let actions = Self { shared: Arc::new(shared) };
        actions.shared.keep_retrying(&actions.shared);
        Ok(actions)
    }

    /// Carries an action out; its outcome comes later.
    pub fn start(&self, program: Namespec, action: Action) {
        let mut queue = self.shared.queue();
        queue.waiting.push_back((program, action));
        if queue.workers >= MAX_WORKERS {
            return;
        }
        let own = Arc::clone(&self.shared);
        match spawn("action", move || own.work()) {
            Ok(()) => queue.workers += 1,
            Err(error) if queue.workers == 0 => {
                let reason = format!("cannot start a thread: {error}");
                for (program, _) in std::mem::take(&mut queue.waiting) {
                    queue.outcomes.push(Input::Acted { program, outcome: Err(reason.clone()) });
                }
                drop(queue);
                self.shared.wake();
            }
            // A worker takes it when it is done with its own.
            Err(_) => {}
        }
    }

    /// Readable when there are outcomes.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.shared.has_outcome.as_fd()
    }

    /// The outcomes that are there.
    pub fn outcomes(&self) -> Vec<Input> {
        let _ = rustix::io::read(&self.shared.has_outcome, &mut [0; 8]);
        std::mem::take(&mut self.shared.queue().outcomes)
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self) {
        // A counter that is full wakes as well.
        let _ = rustix::io::write(&self.has_outcome, &1_u64.to_ne_bytes());
    }

    /// A worker: one action after the other.
    fn work(self: Arc<Self>) {
        loop {
            let next = {
                let mut queue = self.queue();
                let next = queue.waiting.pop_front();
                queue.workers -= usize::from(next.is_none());
                next
            };
            let Some((program, action)) = next else { return };
            let outcome = self.act(&program.to_string(), &action);
            self.queue().outcomes.push(Input::Acted { program, outcome });
            self.wake();
            self.keep_retrying(&self);
        }
    }

    fn act(&self, name: &str, action: &Action) -> Result<(), String> {
        match action {
            Action::Notify => Ok(()),
            Action::Signal(signal) => {
                self.client.signal_process(name, signal).map_err(|error| error.to_string())
            }
            Action::Stop => self.client.stop_process(name).map_err(|error| error.to_string()),
            Action::Restart { .. } => {
                let _others = self.restarting.read().unwrap_or_else(PoisonError::into_inner);
                match restart(&self.client, &self.restarts, name, None) {
                    RestartOutcome::Done => Ok(()),
                    RestartOutcome::NotStopped(error) => Err(format!("not stopped: {error}")),
                    RestartOutcome::NotStarted(error) => {
                        Err(format!("stopped, and not started: {error}; trying again"))
                    }
                }
            }
        }
    }

    /// Starts the thread that tries failed starts again, if there are some and it is not running.
    fn keep_retrying(&self, own: &Arc<Self>) {
        let mut queue = self.queue();
        if queue.is_retrying || self.restarts.is_empty() {
            return;
        }
        let shared = Arc::clone(own);
        match spawn("restarts", move || shared.retry()) {
            Ok(()) => queue.is_retrying = true,
            Err(error) => (self.log)(&format!("cannot start a thread: {error}; programs stay stopped")),
        }
    }

    fn retry(&self) {
        loop {
            {
                let _alone = self.restarting.write().unwrap_or_else(PoisonError::into_inner);
                self.restarts.retry(&self.client, &mut |line| (self.log)(line));
            }
            let mut queue = self.queue();
            if self.restarts.is_empty() {
                queue.is_retrying = false;
                return;
            }
            drop(queue);
            thread::park_timeout(RETRY);
        }
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name(name.to_owned()).stack_size(STACK).spawn(work).map(drop)
}
