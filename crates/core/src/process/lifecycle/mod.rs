//! The state machine of one process: [`Lifecycle`], stepped by the owner with [`Input`]s, answers with [`Effect`]s. It starts
//! and signals nothing itself.
//!
//! ```text
//!                    start                    up for startsecs
//!   STOPPED ──────────────────────▶ STARTING ──────────────────▶ RUNNING
//!    ▲   ▲                          ▲  │   │ stop            stop │   │ ended
//!    │   │              after 1, 2, │  │   └───────┐   ┌──────────┘   ▼
//!    │   │              3 … seconds │  ▼ failed    ▼   ▼            EXITED ──▶ STARTING
//!    │   └─────── stop ──────────── BACKOFF       STOPPING               start, autorestart
//!    │                                 │           │  │ ▲
//!    │                  no tries left, │           │  │ │ stop
//!    │                     or given up ▼           │  ▼ │
//!    │                               FATAL         │ UNKNOWN  (kill failed)
//!    │                                 │ start     │  │
//!    │                                 ▼           │  │
//!    │                              STARTING       │  │
//!    └───────────────── ended ─────────────────────┴──┘
//! ```
//!
//! | from | to | on |
//! |---|---|---|
//! | STOPPED | STARTING | start, autostart |
//! | STARTING | RUNNING | up for startsecs |
//! | STARTING | BACKOFF | not spawned, or ended within startsecs |
//! | STARTING | STOPPING | stop |
//! | BACKOFF | STARTING | 1, 2, 3 … seconds later, start |
//! | BACKOFF | STOPPED | stop |
//! | BACKOFF | FATAL | more failures than startretries, or the daemon ends |
//! | FATAL | STARTING | start |
//! | RUNNING | EXITED | ended |
//! | RUNNING | STOPPING | stop |
//! | EXITED | STARTING | autorestart, start |
//! | EXITED | BACKOFF | autorestart of a listener that ended before its first READY |
//! | STOPPING | STOPPED | ended |
//! | STOPPING | BACKOFF | a listener that is recycled ended |
//! | STOPPING | FATAL | the same, and `autorestart=false` |
//! | STOPPING | UNKNOWN | the signal cannot be sent |
//! | UNKNOWN | STOPPING | stop |
//! | UNKNOWN | STOPPED | ended |
//!
//! After process.py and docs/subprocess.rst of the original. Deadlines are monotonic, so a wall clock that is set does
//! no harm; reports carry wall time. What a step gives is to be carried out in its order.

mod policy;
mod step;

use std::rc::Rc;
use std::time::Duration;

pub use self::policy::{Autorestart, Policy, ProcessRole};
use crate::event::StateDetail;
use crate::listener::pool::Milestone;
use crate::log_level::Level;
use crate::process::exit_status::ExitStatus;
use crate::process::name::Namespec;
use crate::process::state::ProcessState;

/// What time it is, by both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Since any fixed moment, and never going back.
    pub mono: Duration,
    /// Since 1970.
    pub wall: Duration,
}

/// The state of the daemon itself (`SupervisorStates` of states.py).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DaemonState {
    /// It runs (statecode 1).
    Running,
    /// It stops everything, to begin again (statecode 0).
    Restarting,
    /// It stops everything, to end (statecode -1).
    Shutdown,
}

impl DaemonState {
    /// Its `statename` (SupervisorStates of states.py).
    pub const fn name(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Restarting => "RESTARTING",
            Self::Shutdown => "SHUTDOWN",
        }
    }
}

/// What has happened to a process, or is requested of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A deadline has passed. It may be sent at any time.
    Wake,
    /// A start is requested.
    Start,
    /// [`Effect::Spawn`] is done.
    Spawned {
        /// The new process.
        pid: u32,
    },
    /// [`Effect::Spawn`] cannot be done.
    SpawnFailed {
        /// The reason, for `spawnerr`.
        why: String,
    },
    /// A stop is requested.
    Stop,
    /// A listener broke the protocol: it is stopped, and started again `pause` after its end.
    Recycle {
        /// The pause before the next start.
        pause: Duration,
        /// What it did, for `spawnerr`.
        why: String,
    },
    /// A listener has shown for the first time that it works.
    Milestone(Milestone),
    /// The daemon is to end: a process in BACKOFF is not tried again.
    GiveUp,
    /// [`Effect::Kill`] cannot be done. A process that is gone already is no failure: its end is on the way.
    KillFailed {
        /// The reason.
        why: String,
    },
    /// The process ended.
    Ended {
        /// As waitpid reported it.
        status: ExitStatus,
    },
    /// The process ended between fork and exec: the program has never run.
    NeverRan {
        /// As waitpid reported it.
        status: ExitStatus,
        /// The step that failed and why, for `spawnerr`.
        why: String,
    },
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Start the program, and answer with [`Input::Spawned`] or [`Input::SpawnFailed`].
    Spawn,
    /// Send a signal that shall end the process.
    Kill {
        /// The process.
        pid: u32,
        /// The signal's number.
        signal: i32,
        /// Its target.
        reach: SignalTarget,
    },
    /// The state has changed: an event for the listeners.
    StateChanged {
        /// The state before.
        from: ProcessState,
        /// The state now.
        to: ProcessState,
        /// What the event says beyond.
        detail: StateDetail,
    },
    /// A line for the main log.
    Log(Level, String),
}

/// What a signal is sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignalTarget {
    /// The process alone.
    Process,
    /// Its whole process group.
    Group,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessExit {
    /// As waitpid reported it.
    pub status: ExitStatus,
    /// The id it had.
    pub pid: u32,
    /// How long it was up.
    pub up: Duration,
    /// When, since 1970.
    pub at: Duration,
}

/// One process of a program, running or not.
#[derive(Clone, Debug, PartialEq)]
pub struct Lifecycle {
    namespec: Rc<Namespec>,
    policy: Policy,
    phase: Phase,
    /// How often a start has failed in a row.
    backoff: u32,
    /// How often in a row it exited within [`CRASH_LOOP_UPTIME`] of its start, after it had been RUNNING.
    crash_loop_exits: u32,
    starts: u64,
    /// When the last start began, by the monotonic clock.
    start_began: Duration,
    started: Option<Duration>,
    stopped: Option<Duration>,
    spawnerr: Option<String>,
    exitstatus: Option<i32>,
    last_exit: Option<ProcessExit>,
    /// The last milestone that the listener has reached since its start.
    milestone: Option<Milestone>,
    /// How often in a row a listener ended before its first READY.
    exits_before_ready: u32,
}

/// A state, with what is known in this state only. Times are monotonic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Stopped,
    /// STARTING, and [`Effect::Spawn`] not answered yet.
    Spawning,
    Starting {
        pid: u32,
    },
    Running {
        pid: u32,
    },
    Backoff {
        until: Duration,
    },
    Stopping {
        pid: u32,
        kill_at: Duration,
        /// It is recycled: started again after this pause.
        restart_after: Option<Duration>,
    },
    Exited {
        restart_at: Option<Duration>,
    },
    Fatal,
    /// A process that could not be killed.
    Unknown {
        pid: u32,
    },
}

/// An uptime below this counts towards a crash loop.
pub const CRASH_LOOP_UPTIME: Duration = Duration::from_secs(1);

/// After more than this many such exits in a row, restarts are limited to one in each [`CRASH_LOOP_UPTIME`].
pub const CRASH_LOOP_EXITS: u32 = 5;

impl Lifecycle {
    /// A process that has never been started.
    pub fn new(namespec: Namespec, policy: Policy) -> Self {
        Self {
            namespec: Rc::new(namespec),
            policy,
            phase: Phase::Stopped,
            backoff: 0,
            crash_loop_exits: 0,
            starts: 0,
            start_began: Duration::ZERO,
            started: None,
            stopped: None,
            spawnerr: None,
            exitstatus: None,
            last_exit: None,
            milestone: None,
            exits_before_ready: 0,
        }
    }

    /// When [`Input::Wake`] is due next, by the monotonic clock; a time in the past means at once.
    pub fn next_deadline(&self, daemon: DaemonState) -> Option<Duration> {
        let starts = daemon == DaemonState::Running;
        match self.phase {
            Phase::Stopped => (starts && self.is_to_autostart()).then_some(Duration::ZERO),
            Phase::Starting { .. } => Some(self.start_began.saturating_add(self.policy.startsecs)),
            Phase::Backoff { .. } if self.is_out_of_tries() => Some(Duration::ZERO),
            Phase::Backoff { until } => starts.then_some(until),
            Phase::Stopping { kill_at, .. } => Some(kill_at),
            Phase::Exited { restart_at } => restart_at.filter(|_| starts),
            Phase::Spawning | Phase::Running { .. } | Phase::Fatal | Phase::Unknown { .. } => None,
        }
    }

    /// The state.
    pub const fn state(&self) -> ProcessState {
        match self.phase {
            Phase::Stopped => ProcessState::Stopped,
            Phase::Spawning | Phase::Starting { .. } => ProcessState::Starting,
            Phase::Running { .. } => ProcessState::Running,
            Phase::Backoff { .. } => ProcessState::Backoff,
            Phase::Stopping { .. } => ProcessState::Stopping,
            Phase::Exited { .. } => ProcessState::Exited,
            Phase::Fatal => ProcessState::Fatal,
            Phase::Unknown { .. } => ProcessState::Unknown,
        }
    }

    /// The process, while there is one.
    pub const fn pid(&self) -> Option<u32> {
        match self.phase {
            Phase::Starting { pid }
            | Phase::Running { pid }
            | Phase::Stopping { pid, .. }
            | Phase::Unknown { pid } => Some(pid),
            _ => None,
        }
    }

    /// Which process this is.
    pub fn namespec(&self) -> &Namespec {
        &self.namespec
    }

    /// The same, to be kept.
    pub fn shared_namespec(&self) -> Rc<Namespec> {
        Rc::clone(&self.namespec)
    }

    /// The settings by which it is started and stopped.
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// When the last start began, since 1970; `None` before the first.
    pub const fn started(&self) -> Option<Duration> {
        self.started
    }

    /// When it last ended, since 1970.
    pub const fn stopped(&self) -> Option<Duration> {
        self.stopped
    }

    /// How often a start has failed in a row.
    pub const fn backoff(&self) -> u32 {
        self.backoff
    }

    /// What went wrong with the last start.
    pub fn spawnerr(&self) -> Option<&str> {
        self.spawnerr.as_deref()
    }

    /// The exit status of the last end; `None` while it runs and after an end within `startsecs`.
    pub const fn exitstatus(&self) -> Option<i32> {
        self.exitstatus
    }

    /// Whether a stop was requested and it has not ended yet.
    pub const fn is_stopping(&self) -> bool {
        matches!(self.phase, Phase::Stopping { .. })
    }

    /// Whether it is being stopped only to be started again: it is a listener that broke the protocol.
    pub const fn is_recycling(&self) -> bool {
        matches!(self.phase, Phase::Stopping { restart_after: Some(_), .. })
    }

    /// How often a process was made for it.
    pub const fn starts(&self) -> u64 {
        self.starts
    }

    /// How it last ended, in whichever state that resulted.
    pub const fn last_exit(&self) -> Option<&ProcessExit> {
        self.last_exit.as_ref()
    }

    fn is_to_autostart(&self) -> bool {
        self.policy.autostart && self.started.is_none()
    }

    const fn is_out_of_tries(&self) -> bool {
        self.backoff > self.policy.startretries || self.exits_before_ready > self.policy.startretries
    }
}

#[cfg(test)]
mod tests;
