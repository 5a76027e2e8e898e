//! What pages show of the daemon: [`DaemonView`], plain data that the owner makes in one turn.

pub mod outboxes;
pub mod settings;
pub mod stream;

use std::rc::Rc;
use std::time::Duration;

use ironlance_core::event::counts::EventCounts;
use ironlance_core::event::record::EventRecord;
use ironlance_core::listener::problem::{ListenerFacts, ListenerProblem};
use ironlance_core::listener::protocol::ListenerState;
use ironlance_core::process::lifecycle::DaemonState;
use ironlance_core::process::oom::TimeWindow;
use ironlance_core::{Namespec, ProcessState};
use outboxes::OutboxView;
use settings::ProgramSettings;

/// The whole daemon at one moment. Times are since 1970 unless they say otherwise.
#[derive(Clone, Debug)]
pub struct DaemonView {
    /// The `identifier` of the configuration.
    pub identifier: String,
    /// Whether it runs, restarts or shuts down.
    pub state: DaemonState,
    /// The daemon's own process.
    pub pid: u32,
    /// When this generation of the daemon started.
    pub since: Duration,
    /// When this view was made.
    pub now: Duration,
    /// In the order of `getAllProcessInfo`.
    pub programs: Vec<ProgramView>,
    /// Each process of each pool of event listeners.
    pub listeners: Vec<ListenerView>,
    /// Recent events, the newest first.
    pub recent: Vec<Rc<EventRecord>>,
}

impl DaemonView {
    /// Adds to each listener its outbox.
    pub fn add_outboxes(&mut self, outboxes: &[Rc<OutboxView>]) {
        for listener in &mut self.listeners {
            let is_its = |outbox: &&Rc<OutboxView>| outbox.folder.listeners.contains(&listener.namespec);
            listener.outbox = outboxes.iter().find(is_its).cloned();
        }
    }
}

/// One process.
#[derive(Clone, Debug)]
pub struct ProgramView {
    /// Group and name.
    pub namespec: Namespec,
    /// Its state.
    pub state: ProcessState,
    /// The `description` of `getProcessInfo`.
    pub description: String,
    /// The running child.
    pub pid: Option<u32>,
    /// When that child was started.
    pub started: Option<Duration>,
    /// How often it was started in this daemon's life.
    pub starts: u64,
    /// It is an event listener.
    pub is_listener: bool,
    /// Its standard output goes to a file that can be read.
    pub has_stdout: bool,
    /// Its standard error goes to a file that can be read.
    pub has_stderr: bool,
    /// How it last ended.
    pub end: Option<EndView>,
    /// How it is configured.
    pub settings: Option<ProgramSettings>,
}

/// How a process last ended.
#[derive(Clone, Debug)]
pub struct EndView {
    /// The exit reason, such as `exit status 1` or `terminated by SIGKILL`; or the step that failed before it ran.
    pub words: String,
    /// Its status is one of its `exitcodes`, or its stop was requested.
    pub expected: bool,
    /// Its stop was requested.
    pub stop_requested: bool,
    /// Who requested a signal to it, in words.
    pub by: Option<String>,
    /// The kernel killed it for want of memory.
    pub out_of_memory: bool,
    /// When the kernel killed a process of its control group for want of memory; whether it was this one is unknown.
    pub oom_window: Option<TimeWindow>,
    /// When it ended.
    pub at: Duration,
    /// How long it had been up.
    pub up: Duration,
    /// Its last lines of standard output.
    pub stdout_tail: String,
    /// Its last lines of standard error.
    pub stderr_tail: String,
}

/// One process of a pool of event listeners.
#[derive(Clone, Debug)]
pub struct ListenerView {
    /// Its name; its group is the pool.
    pub namespec: Namespec,
    /// Its state; `None` if its process does not run.
    pub state: Option<ListenerState>,
    /// The serial of the event that it is processing.
    pub event: Option<u64>,
    /// The last RESULT.
    pub last_result: Option<String>,
    /// How often it was restarted lately for breaking the protocol; the count falls by one per minute without a
    /// violation.
    pub recycled: u32,
    /// How often it wrote output outside the protocol.
    pub stray_outputs: u64,
    /// The beginning of the last such output.
    pub stray_output: String,
    /// Queued events of its pool.
    pub pending: usize,
    /// The capacity of the queue, if `buffer_size` is set.
    pub capacity: Option<usize>,
    /// Memory of the queued events (bytes).
    pub pending_bytes: usize,
    /// Memory that they may take (bytes).
    pub capacity_bytes: usize,
    /// The queue is full, or as good as.
    pub is_full: bool,
    /// Events of its pool that were dropped because the queue was full.
    pub dropped: EventCounts,
    /// Ticks of its pool that were merged.
    pub merged: u64,
    /// Events of its pool that were answered.
    pub answered: u64,
    /// Warnings of the configuration as it was last read.
    pub warnings: Vec<String>,
    /// Its outbox, if it has been read.
    pub outbox: Option<Rc<OutboxView>>,
    /// Events of its pool that all members rejected, after all attempts.
    pub dead: EventCounts,
}

impl ListenerView {
    /// The name of its state, as XML-RPC and pages give it.
    pub fn state_name(&self) -> &'static str {
        self.state.map_or("NOT_RUNNING", ListenerState::name)
    }

    /// All that is wrong with it, apart from its outbox.
    pub fn problems(&self) -> Vec<ListenerProblem> {
        let facts = ListenerFacts {
            state: self.state,
            pending: self.pending as u64,
            is_full: self.is_full,
            dropped: (self.dropped.total(), self.dropped.to_string()),
            rejected: (self.dead.total(), self.dead.to_string()),
            recycled: self.recycled.into(),
            stray_output: (self.stray_outputs > 0).then_some(self.stray_output.as_str()),
            warnings: &self.warnings,
        };
        facts.problems()
    }
}
