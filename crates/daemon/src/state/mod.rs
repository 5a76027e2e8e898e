//! What the owner knows, and what it decides: [`State`] is plain data, and its methods take an input and the time, set
//! timers and give commands. It has no descriptor and no channel, makes no system call and reads no clock.
//!
//! ```text
//!   input, now ──▶ State ──▶ timers
//!                    ▲ └───▶ commands ──▶ supervisor/effects: spawn, kill, write, answer, log
//!                    └────────────────────── what came of them
//! ```

pub(crate) mod command;
pub(crate) mod event_log;
pub(crate) mod exit_record;
pub(crate) mod groups;
pub(crate) mod ids;
pub(crate) mod journal;
pub(crate) mod listeners;
pub(crate) mod paused_output;
pub(crate) mod pending_calls;
pub(crate) mod pool_condition;
pub(crate) mod process_table;
pub(crate) mod retired_pools;
pub(crate) mod shutdown;
pub(crate) mod start_stop;
pub(crate) mod state_folder;
pub(crate) mod step;
pub(crate) mod timers;

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use ironlance_core::event::Event;
use ironlance_core::listener::bus::Bus;
use ironlance_core::log_level::Level;
use ironlance_core::process::lifecycle::{DaemonState, Now};
use ironlance_core::time::tick::TickSchedule;

use crate::requester::Requester;
use command::Command;
use event_log::EventLog;
use ids::ProcessId;
use journal::JournalScope;
use listeners::RecycleRequest;
use paused_output::PausedOutput;
use pending_calls::{OrderedStop, PendingBatches};
use process_table::ProcessTable;
use retired_pools::RetiredPool;
use shutdown::ShutdownPlan;
use timers::Timers;

/// Everything that the owner knows of processes, listeners and clients.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct State {
    pub(crate) daemon_state: DaemonState,
    /// When the owner took over, since 1970.
    pub(crate) started: Duration,
    pub(crate) table: ProcessTable,
    pub(crate) bus: Bus,
    pub(crate) event_log: EventLog,
    /// What is recorded in the journal, where there is one.
    pub(crate) journal: Option<Box<JournalScope>>,
    pub(crate) ticks: TickSchedule,
    pub(crate) batches: PendingBatches,
    /// Stops that go by priority and are not through.
    pub(crate) ordered_stops: Vec<OrderedStop>,
    /// Processes whose stop a client waits for, and when the log reports them next (monotonic).
    pub(crate) stop_reports: Vec<(ProcessId, Duration)>,
    /// Listeners that are to be stopped and started again.
    pub(crate) recycle_requests: Vec<RecycleRequest>,
    /// Output that is not read, as its listeners are behind.
    pub(crate) paused: Vec<PausedOutput>,
    /// Pools that are out of service, with the events that wait in them.
    pub(crate) retired_pools: Vec<RetiredPool>,
    pub(crate) shutdown: Option<ShutdownPlan>,
    /// Who asked for what is being done right now.
    pub(crate) requester: Option<Rc<Requester>>,
}

/// One decision: the time it is made at, the timers it sets and the commands it gives.
pub(crate) struct Turn<'a> {
    pub(crate) now: Now,
    pub(crate) timers: &'a mut Timers,
    pub(crate) commands: &'a mut VecDeque<Command>,
}

impl Turn<'_> {
    pub(crate) fn push(&mut self, command: Command) {
        self.commands.push_back(command);
    }

    pub(crate) fn log(&mut self, level: Level, line: impl Into<String>) {
        self.push(Command::Log(level, line.into()));
    }
}

impl State {
    /// A daemon without groups that starts at `wall` (since 1970).
    pub(crate) fn new(wall: Duration) -> Self {
        Self {
            daemon_state: DaemonState::Running,
            started: wall,
            table: ProcessTable::default(),
            bus: Bus::default(),
            event_log: EventLog::default(),
            journal: None,
            ticks: TickSchedule::new(wall),
            batches: PendingBatches::default(),
            ordered_stops: Vec::new(),
            stop_reports: Vec::new(),
            recycle_requests: Vec::new(),
            paused: Vec::new(),
            retired_pools: Vec::new(),
            shutdown: None,
            requester: None,
        }
    }

    /// Who asked for what is being done right now.
    pub(crate) fn current_requester(&self) -> Rc<Requester> {
        self.requester.clone().unwrap_or_else(|| Rc::new(Requester::Unknown))
    }

    /// Publishes the ticks that are due by the wall clock.
    pub(crate) fn tick(&mut self, turn: &mut Turn<'_>) {
        for (seconds, when) in self.ticks.due(turn.now.wall) {
            self.publish(&Event::Tick { seconds, when }, turn);
        }
    }

    /// When a tick is due that a pool wants, by the monotonic clock. The wall clock may be set, so a tick that is far away
    /// is looked for in between.
    pub(crate) fn tick_deadline(&self, now: Now) -> Option<Duration> {
        let is_wanted = |seconds| self.bus.wants(Event::Tick { seconds, when: 0 }.kind());
        let wall = self.ticks.next_deadline(now.wall, is_wanted)?;
        Some(now.mono + wall.saturating_sub(now.wall).min(CLOCK_CHECK_EVERY))
    }
}

/// How often the wall clock is looked at for a tick that is far away.
const CLOCK_CHECK_EVERY: Duration = Duration::from_secs(60);
