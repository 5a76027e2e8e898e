//! The one owner of all state: every input reaches it in order, and nothing else changes the state.
//!
//! ```text
//!   signal ─────────────┐
//!   child's pipe ───────┤           ┌─▶ timers
//!   client's request ───┼─▶ run ─▶ State ─▶ commands ─▶ effects: spawn, kill, write, answer, log
//!   expired timer ──────┘           └──── what came of them ◀──┘
//! ```

mod effects;
mod env;
mod exit;
mod journal;
mod pipe_io;
mod reconfigure;
mod requesters;
mod restore_paths;
mod rpc;
mod spawn;
mod state_folders;
mod watch_pool;

use std::collections::{HashMap, VecDeque};
use std::future::ready;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use ironlance_config::{self as config, HostEnv, Overrides};
use ironlance_core::event::Event;
use ironlance_core::log_level::Level;
use ironlance_core::process::lifecycle::{DaemonState, Input as LifeInput};
use ironlance_host::code_pages::CodePageTrimmer;
use ironlance_host::heap;
use ironlance_host::local_time::LocalClock as LocalTime;
use nix::sys::signal::Signal;
use tokio::sync::mpsc;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until};

use crate::child::exec_errors::ExecErrorPipe;
use crate::child::identity::IdentityCache;
use crate::child::oom::OomMonitor;
use crate::http::{BoundServer, InheritedSocket};
use crate::inbox::Input;
use crate::io::children::KernelChildren;
use crate::io::clock::DaemonClock;
use crate::io::host_lookup::HostLookups;
use crate::io::path_watch::PathWatch;
use crate::io::pipes::Pipes;
use crate::io::slow_logs::{RETRY_EVERY, SlowLogs};
use crate::io::subscribers::Subscribers;
use crate::io::{Calls, Io};
use crate::log::main_log::MainLog;
use crate::log::syslog::Syslog;
use crate::reload::Reload;
use crate::requester::Requester;
use crate::signals::SignalReceiver;
use crate::startup::pidfile::Pidfile;
use crate::state::State;
use crate::state::command::Command;
use crate::state::timers::{Timer, Timers};
use env::Env;

pub(crate) use crate::state::retired_pools::InheritedPools;
pub(crate) use rpc::SUPERVISOR_VERSION;

/// Our name in the system's log.
const SYSLOG_IDENT: &str = "supervisord";
/// How many requests are answered before the children get their turn.
const INPUTS_PER_TURN: usize = 64;
/// How many processes are woken before clients and children get their turn.
const WAKES_PER_TURN: usize = 16;
/// How long after the first activity memory is given back. Longer than the default `startsecs`, so that the programs of a
/// start are RUNNING by then.
const TRIM_AFTER: Duration = Duration::from_millis(1500);
/// The longest wait of the loop; a bound for timers that are far away, on which nothing depends.
const LONGEST_SLEEP: Duration = Duration::from_secs(24 * 60 * 60);

/// What the daemon has found out before the owner takes over.
pub(crate) struct Startup {
    /// The configuration.
    pub(crate) config: config::Config,
    /// What the command line said; it holds when the file is read again.
    pub(crate) overrides: Overrides,
    /// What the configuration depends on beside its files.
    pub(crate) host_env: HostEnv,
    /// The main log, open.
    pub(crate) log: MainLog,
    /// The soft limit of descriptors that children are given.
    pub(crate) nofile_of_children: Option<u64>,
    /// Tells why a child failed between fork and exec.
    pub(crate) exec_errors: ExecErrorPipe,
    /// The servers' sockets, in their order, for the generation after this one.
    pub(crate) sockets: Vec<InheritedSocket>,
    /// What the generation before has left.
    pub(crate) inherited: InheritedPools,
    /// Takes servers whose sockets had to be made again, so that they are served.
    pub(crate) reopened_sockets: mpsc::UnboundedSender<BoundServer>,
    /// The file with our pid, if it could be written.
    pub(crate) pidfile: Option<Pidfile>,
}

/// The owner: its state, its environment, its I/O and its timers.
pub(crate) struct Supervisor {
    state: State,
    env: Env,
    io: Io,
    timers: Timers,
    /// What decisions have asked for and is not carried out yet; empty between any two inputs.
    commands: VecDeque<Command>,
    /// All commands that were carried out.
    #[cfg(test)]
    trace: Vec<Command>,
    /// Output at which the owner panics.
    #[cfg(test)]
    panic_on: Option<&'static [u8]>,
}

impl Supervisor {
    /// Takes over. Must be called inside the runtime.
    ///
    /// Errors: the kernel gives no poller.
    pub(crate) fn new(startup: Startup) -> io::Result<Self> {
        let clock = DaemonClock::start();
        let now = clock.now();
        let server_url = startup.config.server_url();
        let watch_pool = watch_pool::built_in_pool(&startup.config, &startup.host_env.cwd).map(Rc::new);
        let config::Config { file, settings, groups, servers, watch, notes, .. } = startup.config;
        let env = Env {
            settings: Rc::new(settings),
            configured_groups: groups.into_iter().map(Rc::new).collect(),
            watch_pool,
            listener_warnings: notes.listeners,
            watch,
            servers,
            config_file: file,
            overrides: startup.overrides,
            host_env: startup.host_env,
            environment: std::env::vars_os().collect(),
            server_url,
            nofile_of_children: startup.nofile_of_children,
            identities: IdentityCache::default(),
            owners: HashMap::new(),
            local_time: LocalTime::new(),
        };
        let io = Io {
            clock,
            children: Box::new(KernelChildren(startup.exec_errors)),
            pipes: Pipes::new()?,
            slow_logs: SlowLogs::default(),
            log: startup.log,
            syslog: Syslog::open(SYSLOG_IDENT),
            subscribers: Subscribers::default(),
            calls: Calls::default(),
            oom: OomMonitor::new(now),
            lookups: HostLookups::default(),
            sockets: startup.sockets,
            reopened_sockets: startup.reopened_sockets,
            pidfile: startup.pidfile,
            path_watch: PathWatch::new(),
            reload: None,
            residency: CodePageTrimmer::default(),
            journal: None,
        };
        let mut supervisor = Self {
            state: State::new(now.wall),
            env,
            io,
            timers: Timers::default(),
            commands: VecDeque::new(),
            #[cfg(test)]
            trace: Vec::new(),
            #[cfg(test)]
            panic_on: None,
        };
        supervisor.decide(|state, turn| state.import_pools(startup.inherited, turn));
        Ok(supervisor)
    }

    /// Takes all groups of the configuration into service, and publishes that the daemon runs.
    pub(crate) fn start_all(&mut self) {
        self.set_up_journal(self.env.watch.clone());
        self.update_watch_pool();
        for group in self.env.configured_groups.clone() {
            self.add_group(&group);
        }
        self.decide(|state, turn| state.publish(&Event::SupervisorRunning, turn));
        self.watch_paths();
        // Children that were left to us before SIGCHLD was received.
        self.reap();
        self.schedule_trim();
    }

    /// The owner has panicked: all children are stopped in order, and the daemon ends.
    pub(crate) fn emergency_stop(&mut self, what: &str) {
        self.io.log.log(Level::Critical, &format!("stopping everything after a fault of our own: {what}"));
        self.state.requester = Some(Rc::new(Requester::Daemon));
        self.io.calls.drop_current();
        self.resume_all_reads();
        self.decide(State::reschedule_pools);
        self.end_lost_children();
        self.decide(|state, turn| state.begin_shutdown(DaemonState::Shutdown, turn));
    }

    /// Does the daemon's work until it ends, or begins anew with what this gives.
    pub(crate) async fn run(
        &mut self,
        inbox: &mut mpsc::Receiver<Input>,
        signals: &mut SignalReceiver,
    ) -> Option<Box<Reload>> {
        let mut alarm = pin!(sleep_until(Instant::now()));
        while !self.run_due() {
            let deadline = self.next_deadline();
            let deadline = Instant::from_std(self.io.clock.instant(deadline));
            let more = self.io.pipes.has_ready(self.io.clock.mono());
            if more || deadline <= Instant::now() {
                // The runtime would not look at clients, signals and the clock as long as there is something to do.
                yield_now().await;
            }
            if alarm.deadline() != deadline {
                alarm.as_mut().reset(deadline);
            }
            tokio::select! {
                biased;
                signal = signals.next() => match signal {
                    Ok(signal) => self.on_signal(signal),
                    Err(error) => self.log_failure("take a signal", Err(error)),
                },
                input = inbox.recv() => input.into_iter().for_each(|input| self.receive(input)),
                ready = self.io.pipes.poller.wait() => {
                    if ready.is_ok() {
                        self.io.pipes.poller.mark_ready();
                    }
                    self.log_failure("watch the children", ready);
                }
                () = self.io.oom.changed() => self.check_oom_kills(),
                found = self.io.lookups.next() => self.on_lookup_done(&found),
                () = self.io.path_watch.changed() => self.check_paths_soon(),
                () = &mut alarm => {}
                () = ready(()), if more => {}
            }
            for _ in 0..INPUTS_PER_TURN {
                let Ok(input) = inbox.try_recv() else { break };
                self.receive(input);
            }
        }
        self.finish()
    }

    fn finish(&mut self) -> Option<Box<Reload>> {
        let lines = self.io.slow_logs.flush_all();
        self.log_lines(lines);
        self.io.subscribers.close();
        self.state.event_log.set_subscribed(Vec::new());
        self.finish_journal();
        if self.state.daemon_state == DaemonState::Restarting {
            let mut reload = self.io.reload.take()?;
            reload.pools = self.state.export_pools();
            return Some(reload);
        }
        self.decide(State::log_lost_events);
        None
    }

    /// Does what is due. Returns whether the work is over.
    fn run_due(&mut self) -> bool {
        self.poll_output();
        self.decide(State::tick);
        let mut wakes = WAKES_PER_TURN;
        // The second time is for programs without startsecs: they run once all that were due have been started.
        for _ in 0..2 {
            for timer in self.timers.expired(self.io.clock.mono(), wakes) {
                wakes -= usize::from(matches!(timer, Timer::Process(_)));
                self.on_timer(timer);
            }
        }
        self.continue_stops();
        self.state.shutdown.is_some() && self.continue_shutdown()
    }

    fn on_timer(&mut self, timer: Timer) {
        match timer {
            Timer::Process(id) => self.step(id, LifeInput::Wake),
            Timer::Pool(id) => self.decide(|state, turn| state.wake_pool(id, turn)),
            Timer::Recycle => {
                // A listener that has just exited by itself is not stopped.
                self.reap();
                self.decide(State::recycle_listeners);
            }
            Timer::RetiredPools => self.decide(State::discard_retired_pools),
            Timer::Pauses => self.decide(State::expire_pauses),
            Timer::RetryLogs => {
                let lines = self.io.slow_logs.retry(&mut self.io.pipes, self.io.clock.mono());
                self.log_lines(lines);
            }
            Timer::StopReports => self.decide(State::log_slow_stops),
            Timer::CheckPaths => self.check_paths(),
            Timer::TrimMemory => {
                heap::trim();
                self.io.residency.before_wait();
            }
            // Looked at in each turn.
            Timer::DeferredOutput | Timer::Tick | Timer::Shutdown => {}
        }
    }

    /// Stops what is next in the shutdown. Returns whether it is over: everything has stopped, and slow readers have what
    /// children have left, or had their time for it.
    fn continue_shutdown(&mut self) -> bool {
        loop {
            let is_over = self.decide_only(State::continue_shutdown);
            if self.carry_out() == 0 {
                let has_orphaned = self.io.slow_logs.has_orphaned();
                return is_over && !(has_orphaned && self.decide(State::awaits_orphaned_logs));
            }
        }
    }

    /// When something is due next if there is no input before, by the monotonic clock.
    fn next_deadline(&mut self) -> Duration {
        let now = self.io.clock.now();
        self.timers.set(Timer::Tick, self.state.tick_deadline(now));
        self.timers.set(Timer::DeferredOutput, self.io.pipes.poller.deadline());
        if self.io.slow_logs.is_waiting() {
            self.timers.set_earlier(Timer::RetryLogs, now.mono + RETRY_EVERY);
        }
        let latest = now.mono + LONGEST_SLEEP;
        self.timers.next().map_or(latest, |next| next.min(latest))
    }

    /// Something was done that may have needed memory: it is given back soon.
    fn schedule_trim(&mut self) {
        if self.timers.get(Timer::TrimMemory).is_none() {
            self.timers.set(Timer::TrimMemory, Some(self.io.clock.mono() + TRIM_AFTER));
        }
    }

    fn log_lines(&mut self, lines: Vec<(Level, String)>) {
        for (level, line) in lines {
            self.io.log.log(level, &line);
        }
    }

    /// Logs that a system call of the owner has failed.
    fn log_failure(&mut self, what: &str, done: io::Result<()>) {
        if let Err(error) = done {
            self.io.log.log(Level::Critical, &format!("cannot {what}: {error}"));
        }
    }

    fn receive(&mut self, input: Input) {
        match input {
            Input::Call(call) => {
                self.schedule_trim();
                self.answer(call);
                self.io.calls.end_current();
                self.state.requester = None;
            }
            Input::LocateLog { what, reply } => {
                // A client that has gone misses nothing, here and below.
                let _ = reply.send(self.log_location(&what));
            }
            Input::Log { level, line } => self.io.log.log(level, &line),
            Input::View(reply) => {
                self.schedule_trim();
                let _ = reply.send(self.view());
            }
            Input::StateFolders(reply) => drop(reply.send(self.state_folders())),
            Input::JournalFolder(reply) => {
                let _ = reply.send(self.io.journal.as_ref().map(|journal| journal.folder()));
            }
            Input::Subscribe { kinds, reply } => {
                self.schedule_trim();
                self.io.subscribers.drop_closed();
                let _ = reply.send(self.io.subscribers.add(kinds));
                self.state.event_log.set_subscribed(self.io.subscribers.kinds());
            }
        }
    }

    /// What the original does on each signal (supervisord.py, handle_signal).
    fn on_signal(&mut self, signal: Signal) {
        let name = signal.as_str();
        self.state.requester = (signal != Signal::SIGCHLD).then(|| Rc::new(Requester::Signal(name)));
        match signal {
            Signal::SIGCHLD => {
                // What the child said and how it ended come before the line about the signal, as in the original.
                self.reap();
                self.io.log.log(Level::Debug, &format!("received {name} indicating a child quit"));
            }
            Signal::SIGTERM | Signal::SIGINT | Signal::SIGQUIT => {
                self.io.log.log(Level::Warn, &format!("received {name} indicating exit request"));
                self.request_shutdown(DaemonState::Shutdown);
            }
            Signal::SIGHUP if self.state.daemon_state == DaemonState::Shutdown => {
                let line = format!("ignored {name} indicating restart request (shutdown in progress)");
                self.io.log.log(Level::Warn, &line);
            }
            Signal::SIGHUP => {
                self.io.log.log(Level::Warn, &format!("received {name} indicating restart request"));
                let _ = self.restart();
            }
            Signal::SIGUSR2 => {
                self.io.log.log(Level::Info, &format!("received {name} indicating log reopen request"));
                self.reopen_logs();
                self.timers.set_earlier(Timer::CheckPaths, self.io.clock.mono());
            }
            _ => {}
        }
        self.state.requester = None;
    }

    /// Begins a shutdown that was asked for. Children that have exited by themselves are reaped first: they were not
    /// stopped, and the log and the events say so.
    fn request_shutdown(&mut self, daemon_state: DaemonState) {
        self.reap();
        self.decide(|state, turn| state.begin_shutdown(daemon_state, turn));
    }
}

#[cfg(test)]
mod tests;
