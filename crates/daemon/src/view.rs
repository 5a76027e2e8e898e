//! What a person is shown of the daemon: plain data, made by the owner in one turn and kept by whoever asked.

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
    /// When the owner took over.
    pub since: Duration,
    /// When this was looked at.
    pub now: Duration,
    /// In the order of `getAllProcessInfo`.
    pub programs: Vec<ProgramView>,
    /// Each process of each pool of event listeners.
    pub listeners: Vec<ListenerView>,
    /// What happened lately, the newest first.
    pub recent: Vec<Rc<EventRecord>>,
}

impl DaemonView {
    /// Tells each listener of its outbox.
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
    /// In words, such as `exit status 1` or `terminated by SIGKILL`; or the step that failed before it ran.
    pub words: String,
    /// One of its `exitcodes`, or somebody had told it to stop.
    pub expected: bool,
    /// Somebody had told it to stop.
    pub told: bool,
    /// Who had supervisord send it a signal, in words.
    pub by: Option<String>,
    /// The kernel killed it for want of memory.
    pub out_of_memory: bool,
    /// When the kernel killed a process of the control group; whether it was this one cannot be known.
    pub near_memory: Option<TimeWindow>,
    /// When.
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
    /// Who it is; its group is the pool.
    pub namespec: Namespec,
    /// Its state; `None` if its process does not run.
    pub state: Option<ListenerState>,
    /// The serial of the event that it works on.
    pub event: Option<u64>,
    /// The last RESULT it gave.
    pub last_result: Option<String>,
    /// How often it broke the protocol and was recycled; one is forgiven for each minute that passes well.
    pub offences: u32,
    /// How often its process had stray output.
    pub babbles: u64,
    /// The beginning of the last.
    pub babble: String,
    /// Events that wait in its pool.
    pub pending: usize,
    /// How many may, where `buffer_size` is set.
    pub capacity: Option<usize>,
    /// What they take in memory (bytes).
    pub pending_bytes: usize,
    /// What they may take (bytes).
    pub capacity_bytes: usize,
    /// There is no room for more, or as good as none.
    pub is_full: bool,
    /// Events of its pool that were given up because it was full.
    pub dropped: EventCounts,
    /// Ticks of its pool that were merged.
    pub merged: u64,
    /// Events of its pool that were answered.
    pub answered: u64,
    /// Why it cannot do its work as it is configured: warnings of the configuration as it was last read.
    pub doubts: Vec<String>,
    /// Where its alerts wait, where somebody has looked.
    pub outbox: Option<Rc<OutboxView>>,
    /// Events of its pool that nobody dealt with, however often they were given.
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
            recycled: self.offences.into(),
            stray_output: (self.babbles > 0).then_some(self.babble.as_str()),
            warnings: &self.doubts,
        };
        facts.problems()
    }
}
