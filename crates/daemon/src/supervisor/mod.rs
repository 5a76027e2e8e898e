//! The one owner of all state: every input reaches it in order, and nobody else changes anything.
//!
//! ```text
//!   signal ─────────────┐
//!   child's pipe ───────┤              ┌─▶ act: spawn, kill, log
//!   client's request ───┼─▶ run ─▶ step ─▶ events ─▶ pools ─▶ listeners' stdin
//!   deadline ───────────┘              └─▶ waits: answers to clients
//! ```

mod effects;
mod exit;
mod flow_control;
mod listeners;
mod memory_trim;
mod path_watch;
mod pipe_io;
mod reconfigure;
mod requesters;
mod retired_pools;
mod rpc;
mod shutdown;
mod spawn;
mod state_folders;

use std::collections::HashMap;
use std::ffi::OsString;
use std::future::ready;
use std::io;
use std::path::PathBuf;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use ironlance_config::{self as config, HostEnv, Overrides, Settings};
use ironlance_core::GroupName;
use ironlance_core::event::kind::EventKind;
use ironlance_core::event::{Event, OutputChannel};
use ironlance_core::listener::bus::Bus;
use ironlance_core::log_level::Level;
use ironlance_core::process::lifecycle::{DaemonState, Input as LifeInput};
use ironlance_core::time::tick::TickSchedule;
use ironlance_host::local_time::LocalClock as LocalTime;
use ironlance_host::state_folder::UserIdentity;
use tokio::sync::mpsc;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until};

use crate::child::exec_errors::ExecErrorPipe;
use crate::child::identity::IdentityCache;
use crate::child::oom::OomMonitor;
use crate::http::{BoundServer, InheritedSocket};
use crate::inbox::Input;
use crate::io::host_lookup::{HostLookups, LookupResult};
use crate::io::log_backlog::OrphanedLog;
use crate::io::poller::OutputPoller;
use crate::log::daemon_stdout::DaemonStdout;
use crate::log::main_log::MainLog;
use crate::log::syslog::Syslog;
use crate::reload::Reload;
use crate::requester::Requester;
use crate::signals::{DaemonSignal, SignalReceiver};
use crate::startup::pidfile::Pidfile;
use crate::state::clock::DaemonClock;
use crate::state::event_log::EventLog;
use crate::state::ids::ProcessId;
use crate::state::pending_calls::{OrderedStop, PendingBatches};
use crate::state::process_table::ProcessTable;
use crate::supervisor::flow_control::PausedOutput;
use crate::supervisor::listeners::RecycleRequest;
use crate::supervisor::memory_trim::TrimState;
use crate::supervisor::path_watch::PathWatch;
use crate::supervisor::retired_pools::RetiredPool;
use shutdown::ShutdownPlan;

pub(crate) use retired_pools::InheritedPools;
pub(crate) use rpc::SUPERVISOR_VERSION;

/// Our name in the system's log.
const SYSLOG_IDENT: &str = "supervisord";
/// So many requests are answered before the children get their turn.
const INPUTS_PER_TURN: usize = 64;
/// So many processes are woken before clients and children get their turn.
const WAKES_PER_TURN: usize = 16;

/// What the daemon has found out before the owner takes over.
pub(crate) struct Startup {
    /// The configuration.
    pub(crate) config: config::Config,
    /// What the command line said; it holds when the file is read again.
    pub(crate) overrides: Overrides,
    /// What the configuration depends on beside its files.
    pub(crate) surroundings: HostEnv,
    /// The main log, open.
    pub(crate) log: MainLog,
    /// The soft limit of descriptors that children are given.
    pub(crate) nofile_of_children: Option<u64>,
    /// The channel of children that fail before they are what they shall be.
    pub(crate) reports: ExecErrorPipe,
    /// The servers' sockets, in their order, for a life after this one.
    pub(crate) sockets: Vec<InheritedSocket>,
    /// What the life before has left.
    pub(crate) legacy: InheritedPools,
    /// Takes servers whose sockets had to be made again, for somebody to answer on them.
    pub(crate) doors: mpsc::UnboundedSender<BoundServer>,
    /// The file with our pid, if it could be written.
    pub(crate) pidfile: Option<Pidfile>,
}

/// What comes after the owner's work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AfterRun {
    /// The daemon ends.
    End,
    /// The daemon begins anew, with the configuration as it is then.
    Restart,
}

/// All state of the daemon.
pub(crate) struct Supervisor {
    settings: Settings,
    /// The groups of the configuration as it was last read; those in service are in `population`.
    configured_groups: Vec<Rc<config::Group>>,
    /// Why listeners cannot do their work as they are configured there, by their pools.
    listener_warnings: Vec<(GroupName, String)>,
    file: PathBuf,
    overrides: Overrides,
    host_env: HostEnv,
    /// The daemon's environment, which children inherit.
    environment: Vec<(OsString, OsString)>,
    path: Option<String>,
    server_url: Option<String>,
    nofile_of_children: Option<u64>,
    /// Users that were looked up.
    identities: IdentityCache,
    /// The same users, as owners of state folders.
    owners: HashMap<u32, Rc<UserIdentity>>,
    daemon_state: DaemonState,
    /// Who asks for what is being done right now.
    requester: Option<Rc<Requester>>,
    log: MainLog,
    /// The system's log, for the output of programs that want it there.
    syslog: Syslog,
    clock: DaemonClock,
    /// When the owner took over, since 1970.
    started: Duration,
    table: ProcessTable,
    bus: Bus,
    event_log: EventLog,
    ticks: TickSchedule,
    batches: PendingBatches,
    /// Stops that go by priority and are not through.
    ordered_stops: Vec<OrderedStop>,
    poller: OutputPoller,
    exec_errors: ExecErrorPipe,
    oom_watch: OomMonitor,
    /// Output that is not read at present: its listeners are behind.
    paused: Vec<PausedOutput>,
    /// Output that is not read at present: its log is a stream that takes no more.
    slow_logs: Vec<(ProcessId, OutputChannel)>,
    /// What the logs of children that have ended have not taken.
    orphaned_logs: Vec<OrphanedLog>,
    own_stdout: DaemonStdout,
    /// Events of pools that are no more.
    retired_pools: Vec<RetiredPool>,
    /// When logs that took no more are asked again (monotonic).
    retry_logs_at: Option<Duration>,
    /// Until when the end waits for that (monotonic).
    exit_by: Option<Duration>,
    shutdown: Option<ShutdownPlan>,
    /// The servers' sockets, for a life after this one.
    sockets: Vec<InheritedSocket>,
    /// How they are configured, in the same order.
    servers: Vec<config::HttpServer>,
    reopened_sockets: mpsc::UnboundedSender<BoundServer>,
    pidfile: Option<Pidfile>,
    /// Tells when a socket or the pidfile is removed.
    path_watch: PathWatch,
    /// What that life begins with, once it has been asked for and everything it needs is there.
    reload: Option<Box<Reload>>,
    memory_trim: TrimState,
    /// Whose stop is waited for by a client, and when the log is told so next (monotonic).
    stop_reports: Vec<(ProcessId, Duration)>,
    local_time: LocalTime,
    /// Names that processes wait for.
    lookups: HostLookups,
    /// Listeners that are to be stopped and started again, and why.
    recycle_requests: Vec<RecycleRequest>,
    /// What all pipes are read into.
    buffer: Vec<u8>,
    /// Which pipes are ready; kept for its room.
    tokens: Vec<u64>,
    /// How many of them have been served.
    served: usize,
    /// Output at which the owner breaks.
    #[cfg(test)]
    panic_on: Option<&'static [u8]>,
}

impl Supervisor {
    /// Takes over. Must be called inside the runtime.
    ///
    /// Errors: the kernel gives no poller.
    pub(crate) fn new(beginning: Startup) -> io::Result<Self> {
        let clock = DaemonClock::start();
        let wall = clock.now().wall;
        let server_url = beginning.config.server_url();
        let config::Config { file, settings, groups, servers, notes, .. } = beginning.config;
        let path = std::env::var("PATH").ok();
        let mut supervisor = Self {
            settings,
            configured_groups: groups.into_iter().map(Rc::new).collect(),
            listener_warnings: notes.listeners,
            file,
            overrides: beginning.overrides,
            host_env: beginning.surroundings,
            environment: std::env::vars_os().collect(),
            path,
            server_url,
            nofile_of_children: beginning.nofile_of_children,
            identities: IdentityCache::default(),
            owners: HashMap::new(),
            daemon_state: DaemonState::Running,
            requester: None,
            log: beginning.log,
            syslog: Syslog::open(SYSLOG_IDENT),
            clock,
            started: wall,
            table: ProcessTable::default(),
            bus: Bus::default(),
            event_log: EventLog::default(),
            ticks: TickSchedule::new(wall),
            batches: PendingBatches::default(),
            ordered_stops: Vec::new(),
            poller: OutputPoller::new()?,
            exec_errors: beginning.reports,
            oom_watch: OomMonitor::new(clock.now()),
            paused: Vec::new(),
            slow_logs: Vec::new(),
            orphaned_logs: Vec::new(),
            own_stdout: DaemonStdout::default(),
            retired_pools: Vec::new(),
            retry_logs_at: None,
            exit_by: None,
            shutdown: None,
            sockets: beginning.sockets,
            servers,
            reopened_sockets: beginning.doors,
            pidfile: beginning.pidfile,
            path_watch: PathWatch::new(),
            reload: None,
            memory_trim: TrimState::default(),
            stop_reports: Vec::new(),
            local_time: LocalTime::new(),
            lookups: HostLookups::default(),
            recycle_requests: Vec::new(),
            buffer: vec![0; pipe_io::READ_BUFFER],
            tokens: Vec::new(),
            served: 0,
            #[cfg(test)]
            panic_on: None,
        };
        supervisor.import_pools(beginning.legacy);
        Ok(supervisor)
    }

    /// Takes all groups of the configuration into service, and tells that the daemon runs.
    pub(crate) fn start_all(&mut self) {
        for group in self.configured_groups.clone() {
            self.add_group(&group);
        }
        self.publish(&Event::SupervisorRunning);
        self.watch_paths();
        // Children that were left to us before we were told of any.
        self.reap();
        self.schedule_trim();
    }

    /// Something in here is broken: all children are stopped in order, and the daemon ends.
    pub(crate) fn emergency_stop(&mut self, what: &str) {
        self.log.log(Level::Critical, &format!("stopping everything after a fault of our own: {what}"));
        self.requester = Some(Rc::new(Requester::Daemon));
        self.resume_all_reads();
        self.begin_shutdown(DaemonState::Shutdown);
    }

    /// What the next life begins with.
    pub(crate) fn take_reload(&mut self) -> Option<Box<Reload>> {
        self.reload.take()
    }

    /// Does the daemon's work until it ends or begins anew.
    pub(crate) async fn run(
        &mut self,
        inbox: &mut mpsc::Receiver<Input>,
        signals: &mut SignalReceiver,
    ) -> AfterRun {
        let mut alarm = pin!(sleep_until(Instant::now()));
        while !self.run_due() {
            let deadline = self.deadline();
            let more = self.has_ready_output();
            if more || deadline <= Instant::now() {
                // The runtime would not look at clients, signals and the clock as long as there is something to do.
                yield_now().await;
            }
            if alarm.deadline() != deadline {
                alarm.as_mut().reset(deadline);
            }
            let woken = tokio::select! {
                biased;
                signal = signals.next() => Wakeup::Signal(signal),
                input = inbox.recv() => Wakeup::Input(input),
                said = self.poller.wait() => Wakeup::OutputReady(said),
                () = self.oom_watch.changed() => Wakeup::OomKills,
                found = self.lookups.next() => Wakeup::LookupDone(found),
                () = self.path_watch.changed() => Wakeup::PathChanged,
                () = &mut alarm => Wakeup::Deadline,
                () = ready(()), if more => Wakeup::Deadline,
            };
            self.handle_wakeup(woken);
            for _ in 0..INPUTS_PER_TURN {
                let Ok(input) = inbox.try_recv() else { break };
                self.receive(Some(input));
            }
        }
        self.flush_orphaned_logs();
        self.event_log.close();
        if self.daemon_state == DaemonState::Restarting {
            AfterRun::Restart
        } else {
            self.log_lost_events();
            AfterRun::End
        }
    }

    fn handle_wakeup(&mut self, woken: Wakeup) {
        match woken {
            Wakeup::Signal(Ok(on_signal)) => {
                self.signal(on_signal);
                self.requester = None;
            }
            Wakeup::Signal(Err(error)) => {
                self.log.log(Level::Critical, &format!("cannot take a signal: {error}"));
            }
            Wakeup::Input(input) => self.receive(input),
            Wakeup::OutputReady(Ok(())) => self.poller.mark_ready(),
            Wakeup::OutputReady(Err(error)) => {
                self.log.log(Level::Critical, &format!("cannot watch the children: {error}"));
            }
            Wakeup::OomKills => self.check_oom_kills(),
            Wakeup::LookupDone(found) => self.on_lookup_done(&found),
            Wakeup::PathChanged => self.on_path_change(),
            Wakeup::Deadline => {}
        }
    }

    /// Does what is due without anybody asking; says whether the work is over.
    fn run_due(&mut self) -> bool {
        self.poll_output();
        self.tick();
        self.wake_processes();
        self.wake_pools();
        self.recycle_listeners();
        self.discard_retired_pools();
        self.expire_pauses();
        self.retry_logs();
        self.continue_stops();
        self.log_slow_stops();
        self.trim_if_due();
        self.check_paths();
        self.shutdown.is_some() && self.continue_shutdown()
    }

    fn tick(&mut self) {
        let due = self.ticks.due(self.clock.now().wall);
        for (seconds, when) in due {
            self.publish(&Event::Tick { seconds, when });
        }
    }

    fn wake_processes(&mut self) {
        let mut left = WAKES_PER_TURN;
        // The second time is for programs without startsecs: they run once all that were due have been started.
        for _ in 0..2 {
            let now = self.clock.mono();
            let due = self.table.take_due(now, left);
            if due.is_empty() {
                return;
            }
            left -= due.len();
            for id in due {
                self.step(id, LifeInput::Wake);
            }
        }
    }

    /// When something is due next, if nobody asks before.
    fn deadline(&self) -> Instant {
        let now = self.clock.now();
        let tick = self.ticks.next_deadline_of(now.wall, |seconds| self.bus.wants(tick_kind(seconds)));
        // Somebody may set the clock meanwhile.
        let tick = tick.map(|wall| now.mono + wall.saturating_sub(now.wall).min(CLOCK_CHECK_EVERY));
        let stop_report = self.stop_reports.iter().map(|(_, due)| *due).min();
        let own = [
            (!self.recycle_requests.is_empty()).then_some(now.mono),
            self.pools_deadline(),
            self.retired_pools_deadline(),
            self.retry_logs_at,
            self.shutdown_deadline(),
            self.pressure_deadline(),
            self.trim_deadline(),
            self.paths_deadline(),
            self.poller.deadline(),
            stop_report,
        ];
        let next = own.into_iter().chain([self.table.next_due(), tick]);
        let next = next.flatten().min().unwrap_or(now.mono + LONGEST_SLEEP);
        Instant::from_std(self.clock.instant(next.min(now.mono + LONGEST_SLEEP)))
    }

    fn receive(&mut self, input: Option<Input>) {
        match input {
            Some(Input::Call(call)) => {
                self.schedule_trim();
                self.answer(call);
                self.requester = None;
            }
            Some(Input::LocateLog { what, reply }) => {
                // A client that has gone misses nothing.
                let _ = reply.send(self.log_location(&what));
            }
            Some(Input::Log { level, line }) => self.log.log(level, &line),
            Some(Input::View(reply)) => {
                self.schedule_trim();
                // A client that has gone misses nothing, here and below.
                let _ = reply.send(self.view());
            }
            Some(Input::StateFolders(reply)) => drop(reply.send(self.state_folders())),
            Some(Input::Subscribe { kinds, reply }) => {
                self.schedule_trim();
                let _ = reply.send(self.event_log.subscribe(kinds));
            }
            None => {}
        }
    }

    /// What the original does on each signal (supervisord.py, handle_signal).
    fn signal(&mut self, signal: DaemonSignal) {
        let name = signal.name();
        self.requester = (signal != DaemonSignal::Child).then(|| Rc::new(Requester::Signal(name)));
        match signal {
            DaemonSignal::Child => {
                // What the child said and how it ended come before the line about the signal, as in the original.
                self.reap();
                self.log.log(Level::Debug, &format!("received {name} indicating a child quit"));
            }
            DaemonSignal::Terminate | DaemonSignal::Interrupt | DaemonSignal::Quit => {
                self.log.log(Level::Warn, &format!("received {name} indicating exit request"));
                self.request_shutdown(DaemonState::Shutdown);
            }
            DaemonSignal::HangUp if self.daemon_state == DaemonState::Shutdown => {
                let line = format!("ignored {name} indicating restart request (shutdown in progress)");
                self.log.log(Level::Warn, &line);
            }
            DaemonSignal::HangUp => {
                self.log.log(Level::Warn, &format!("received {name} indicating restart request"));
                self.restart();
            }
            DaemonSignal::User2 => {
                self.log.log(Level::Info, &format!("received {name} indicating log reopen request"));
                self.reopen_logs();
                self.check_paths_now();
            }
        }
    }
}

/// Why the owner has something to do.
enum Wakeup {
    Signal(io::Result<DaemonSignal>),
    Input(Option<Input>),
    OutputReady(io::Result<()>),
    /// A host's name has been looked up.
    LookupDone(LookupResult),
    /// The kernel may have killed somebody for want of memory.
    OomKills,
    /// One of our files was removed, or changed.
    PathChanged,
    /// It is time, or there was no time to finish.
    Deadline,
}

/// A tick that is far away is looked for so often.
const CLOCK_CHECK_EVERY: Duration = Duration::from_secs(60);
/// The loop looks around at least so often; nothing depends on it.
const LONGEST_SLEEP: Duration = Duration::from_secs(24 * 60 * 60);

fn tick_kind(seconds: u32) -> EventKind {
    match seconds {
        5 => EventKind::Tick5,
        60 => EventKind::Tick60,
        _ => EventKind::Tick3600,
    }
}

#[cfg(test)]
mod tests;
