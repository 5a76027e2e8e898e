//! The one owner of all state: every input reaches it in order, and nobody else changes anything.
//!
//! ```text
//!   signal ─────────────┐
//!   child's pipe ───────┤              ┌─▶ act: spawn, kill, log
//!   client's request ───┼─▶ run ─▶ step ─▶ events ─▶ pools ─▶ listeners' stdin
//!   deadline ───────────┘              └─▶ waits: answers to clients
//! ```

mod act;
mod answer;
mod askers;
mod backlog;
mod chronicle;
mod clock;
mod ears;
mod endings;
mod ends;
mod events;
mod groups;
mod hear;
mod heirs;
mod lookups;
mod names;
mod output;
mod population;
mod pressure;
mod shutdown;
mod spawning;
mod state_folders;
mod status;
mod stdin;
mod tidy;
mod waits;

use std::collections::HashMap;
use std::ffi::OsString;
use std::future::ready;
use std::io;
use std::path::PathBuf;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use ironlance_config::{self as config, Overrides, Settings, Surroundings};
use ironlance_core::GroupName;
use ironlance_core::bus::Bus;
use ironlance_core::kind::EventKind;
use ironlance_core::level::Level;
use ironlance_core::lifecycle::{Input as LifeInput, Mood};
use ironlance_core::notice::{Channel, Notice};
use ironlance_core::tick::Ticks;
use ironlance_host::clock::Clock as LocalTime;
use ironlance_host::state::Owner;
use tokio::sync::mpsc;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until};

use crate::asker::Asker;
use crate::child::identity::Identities;
use crate::child::oom::OomWatch;
use crate::child::report::Reports;
use crate::daemonize::Pidfile;
use crate::http::{Kept, Listening};
use crate::inbox::Input;
use crate::log::main::MainLog;
use crate::log::own_stdout::OwnStdout;
use crate::log::syslog::Syslog;
use crate::reload::Reload;
use crate::signals::{Signal, Signals};
use backlog::Leftover;
use chronicle::Chronicle;
use clock::Clock;
use ears::Ears;
use events::Errand;
use heirs::Estate;
use lookups::{Found, Lookups};
use names::Names;
use population::{Population, ProcessId};
use pressure::Holding;
use shutdown::Shutdown;
use tidy::Tidiness;
use waits::{Batches, OrderedStop};

pub(crate) use answer::SUPERVISOR_VERSION;
pub(crate) use heirs::Legacy;

/// Our name in the system's log.
const IDENT: &str = "supervisord";
/// So many requests are answered before the children get their turn.
const INPUTS_AT_ONCE: usize = 64;
/// So many processes are woken before clients and children get their turn.
const WAKES_AT_ONCE: usize = 16;

/// What the daemon has found out before the owner takes over.
pub(crate) struct Beginning {
    /// The configuration.
    pub(crate) config: config::Config,
    /// What the command line said; it holds when the file is read again.
    pub(crate) overrides: Overrides,
    /// What the configuration depends on beside its files.
    pub(crate) surroundings: Surroundings,
    /// The main log, open.
    pub(crate) log: MainLog,
    /// The soft limit of descriptors that children are given.
    pub(crate) nofile_of_children: Option<u64>,
    /// The channel of children that fail before they are what they shall be.
    pub(crate) reports: Reports,
    /// The servers' sockets, in their order, for a life after this one.
    pub(crate) sockets: Vec<Kept>,
    /// What the life before has left.
    pub(crate) legacy: Legacy,
    /// Takes servers whose sockets had to be made again, for somebody to answer on them.
    pub(crate) doors: mpsc::UnboundedSender<Listening>,
    /// The file with our pid, if it could be written.
    pub(crate) pidfile: Option<Pidfile>,
}

/// What comes after the owner's work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The daemon ends.
    End,
    /// The daemon begins anew, with the configuration as it is then.
    Restart,
}

/// All state of the daemon.
pub(crate) struct Supervisor {
    settings: Settings,
    /// The groups of the configuration as it was last read; those in service are in `population`.
    available: Vec<Rc<config::Group>>,
    /// Why listeners cannot do their work as they are configured there, by their pools.
    doubts: Vec<(GroupName, String)>,
    file: PathBuf,
    overrides: Overrides,
    surroundings: Surroundings,
    /// The daemon's environment, which children inherit.
    environment: Vec<(OsString, OsString)>,
    path: Option<String>,
    server_url: Option<String>,
    nofile_of_children: Option<u64>,
    /// Users that were looked up.
    identities: Identities,
    /// The same users, as owners of state folders.
    owners: HashMap<u32, Rc<Owner>>,
    mood: Mood,
    /// Who asks for what is being done right now.
    asker: Option<Rc<Asker>>,
    log: MainLog,
    /// The system's log, for the output of programs that want it there.
    syslog: Syslog,
    clock: Clock,
    /// When the owner took over, since 1970.
    since: Duration,
    population: Population,
    bus: Bus,
    chronicle: Chronicle,
    ticks: Ticks,
    batches: Batches,
    /// Stops that go by priority and are not through.
    ordered_stops: Vec<OrderedStop>,
    ears: Ears,
    reports: Reports,
    out_of_memory: OomWatch,
    /// Output that is not read at present: its listeners are behind.
    held: Vec<Holding>,
    /// Output that is not read at present: its log is a stream that takes no more.
    backed_up: Vec<(ProcessId, Channel)>,
    /// What the logs of children that have ended have not taken.
    leftovers: Vec<Leftover>,
    own_stdout: OwnStdout,
    /// Events of pools that are no more.
    estates: Vec<Estate>,
    /// When logs that took no more are asked again (monotonic).
    offer_at: Option<Duration>,
    /// Until when the end waits for that (monotonic).
    leave_at: Option<Duration>,
    shutdown: Option<Shutdown>,
    /// The servers' sockets, for a life after this one.
    sockets: Vec<Kept>,
    /// How they are configured, in the same order.
    servers: Vec<config::Server>,
    doors: mpsc::UnboundedSender<Listening>,
    pidfile: Option<Pidfile>,
    /// Tells when a socket or the pidfile is removed.
    names: Names,
    /// What that life begins with, once it has been asked for and everything it needs is there.
    reload: Option<Box<Reload>>,
    tidiness: Tidiness,
    /// Whose stop is waited for by a client, and when the log is told so next (monotonic).
    stop_reports: Vec<(ProcessId, Duration)>,
    local_time: LocalTime,
    /// Names that processes wait for.
    lookups: Lookups,
    /// Listeners that are to be stopped and started again, and why.
    errands: Vec<Errand>,
    /// What all pipes are read into.
    buffer: Vec<u8>,
    /// Which pipes are ready; kept for its room.
    tokens: Vec<u64>,
    /// How many of them have been served.
    served: usize,
    /// Output at which the owner breaks.
    #[cfg(test)]
    break_at: Option<&'static [u8]>,
}

impl Supervisor {
    /// Takes over. Must be called inside the runtime.
    ///
    /// Errors: the kernel gives no poller.
    pub(crate) fn new(beginning: Beginning) -> io::Result<Self> {
        let clock = Clock::start();
        let wall = clock.now().wall;
        let server_url = beginning.config.server_url();
        let config::Config { file, settings, groups, servers, notes, .. } = beginning.config;
        let path = std::env::var("PATH").ok();
        let mut supervisor = Self {
            settings,
            available: groups.into_iter().map(Rc::new).collect(),
            doubts: notes.listeners,
            file,
            overrides: beginning.overrides,
            surroundings: beginning.surroundings,
            environment: std::env::vars_os().collect(),
            path,
            server_url,
            nofile_of_children: beginning.nofile_of_children,
            identities: Identities::default(),
            owners: HashMap::new(),
            mood: Mood::Running,
            asker: None,
            log: beginning.log,
            syslog: Syslog::open(IDENT),
            clock,
            since: wall,
            population: Population::default(),
            bus: Bus::default(),
            chronicle: Chronicle::default(),
            ticks: Ticks::new(wall),
            batches: Batches::default(),
            ordered_stops: Vec::new(),
            ears: Ears::new()?,
            reports: beginning.reports,
            out_of_memory: OomWatch::new(clock.now()),
            held: Vec::new(),
            backed_up: Vec::new(),
            leftovers: Vec::new(),
            own_stdout: OwnStdout::default(),
            estates: Vec::new(),
            offer_at: None,
            leave_at: None,
            shutdown: None,
            sockets: beginning.sockets,
            servers,
            doors: beginning.doors,
            pidfile: beginning.pidfile,
            names: Names::new(),
            reload: None,
            tidiness: Tidiness::default(),
            stop_reports: Vec::new(),
            local_time: LocalTime::new(),
            lookups: Lookups::default(),
            errands: Vec::new(),
            buffer: vec![0; hear::BUFFER],
            tokens: Vec::new(),
            served: 0,
            #[cfg(test)]
            break_at: None,
        };
        supervisor.take_legacy(beginning.legacy);
        Ok(supervisor)
    }

    /// Takes all groups of the configuration into service, and tells that the daemon runs.
    pub(crate) fn begin(&mut self) {
        for group in self.available.clone() {
            self.add_group(&group);
        }
        self.publish(&Notice::supervisor_running());
        self.watch_names();
        // Children that were left to us before we were told of any.
        self.reap();
        self.untidy();
    }

    /// Something in here is broken: all children are stopped in order, and the daemon ends.
    pub(crate) fn give_up(&mut self, what: &str) {
        self.log.log(Level::Critical, &format!("stopping everything after a fault of our own: {what}"));
        self.asker = Some(Rc::new(Asker::Itself));
        self.hear_everybody_again();
        self.begin_shutdown(Mood::Shutdown);
    }

    /// What the next life begins with.
    pub(crate) fn take_reload(&mut self) -> Option<Box<Reload>> {
        self.reload.take()
    }

    /// Does the daemon's work until it ends or begins anew.
    pub(crate) async fn run(&mut self, inbox: &mut mpsc::Receiver<Input>, signals: &mut Signals) -> Outcome {
        let mut alarm = pin!(sleep_until(Instant::now()));
        while !self.go_on() {
            let deadline = self.deadline();
            let more = self.has_more_to_hear();
            if more || deadline <= Instant::now() {
                // The runtime would not look at clients, signals and the clock as long as there is something to do.
                yield_now().await;
            }
            if alarm.deadline() != deadline {
                alarm.as_mut().reset(deadline);
            }
            let woken = tokio::select! {
                biased;
                signal = signals.next() => Woken::Signal(signal),
                input = inbox.recv() => Woken::Input(input),
                said = self.ears.wait() => Woken::Pipes(said),
                () = self.out_of_memory.changed() => Woken::Memory,
                found = self.lookups.next() => Woken::Found(found),
                () = self.names.changed() => Woken::Names,
                () = &mut alarm => Woken::Again,
                () = ready(()), if more => Woken::Again,
            };
            self.take(woken);
            for _ in 0..INPUTS_AT_ONCE {
                let Ok(input) = inbox.try_recv() else { break };
                self.receive(Some(input));
            }
        }
        self.write_leftovers();
        self.chronicle.close();
        if self.mood == Mood::Restarting {
            Outcome::Restart
        } else {
            self.say_what_ends_with_us();
            Outcome::End
        }
    }

    fn take(&mut self, woken: Woken) {
        match woken {
            Woken::Signal(Ok(signal)) => {
                self.signal(signal);
                self.asker = None;
            }
            Woken::Signal(Err(error)) => {
                self.log.log(Level::Critical, &format!("cannot take a signal: {error}"));
            }
            Woken::Input(input) => self.receive(input),
            Woken::Pipes(Ok(())) => self.ears.noticed(),
            Woken::Pipes(Err(error)) => {
                self.log.log(Level::Critical, &format!("cannot watch the children: {error}"));
            }
            Woken::Memory => self.look_at_memory(),
            Woken::Found(found) => self.found(&found),
            Woken::Names => self.names_changed(),
            Woken::Again => {}
        }
    }

    /// Does what is due without anybody asking; says whether the work is over.
    fn go_on(&mut self) -> bool {
        self.hear();
        self.tick();
        self.wake();
        self.wake_pools();
        self.run_errands();
        self.give_up_estates();
        self.lose_patience();
        self.offer_again();
        self.continue_stops();
        self.report_stops();
        self.tidy();
        self.look_after_names();
        self.shutdown.is_some() && self.continue_shutdown()
    }

    fn tick(&mut self) {
        let due = self.ticks.due(self.clock.now().wall);
        for (seconds, when) in due {
            self.publish(&Notice::tick(seconds, when));
        }
    }

    fn wake(&mut self) {
        let mut left = WAKES_AT_ONCE;
        // The second time is for programs without startsecs: they run once all that were due have been started.
        for _ in 0..2 {
            let now = self.clock.mono();
            let due = self.population.take_due(now, left);
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
        let tick = tick.map(|wall| now.mono + wall.saturating_sub(now.wall).min(LONGEST_TICK_SLEEP));
        let stop_report = self.stop_reports.iter().map(|(_, due)| *due).min();
        let own = [
            (!self.errands.is_empty()).then_some(now.mono),
            self.pools_deadline(),
            self.estates_deadline(),
            self.offer_at,
            self.shutdown_deadline(),
            self.pressure_deadline(),
            self.tidy_deadline(),
            self.names_deadline(),
            self.ears.deadline(),
            stop_report,
        ];
        let next = own.into_iter().chain([self.population.next_due(), tick]);
        let next = next.flatten().min().unwrap_or(now.mono + LONGEST_SLEEP);
        Instant::from_std(self.clock.instant(next.min(now.mono + LONGEST_SLEEP)))
    }

    fn receive(&mut self, input: Option<Input>) {
        match input {
            Some(Input::Call(call)) => {
                self.untidy();
                self.answer(call);
                self.asker = None;
            }
            Some(Input::LogPath { what, reply }) => {
                // A client that has gone misses nothing.
                let _ = reply.send(self.log_place(&what));
            }
            Some(Input::Log { level, line }) => self.log.log(level, &line),
            Some(Input::View(reply)) => {
                self.untidy();
                // A client that has gone misses nothing, here and below.
                let _ = reply.send(self.view());
            }
            Some(Input::StateFolders(reply)) => drop(reply.send(self.state_folders())),
            Some(Input::Watch { kinds, reply }) => {
                self.untidy();
                let _ = reply.send(self.chronicle.watch(kinds));
            }
            None => {}
        }
    }

    /// What the original does on each signal (supervisord.py, handle_signal).
    fn signal(&mut self, signal: Signal) {
        let name = signal.name();
        self.asker = (signal != Signal::Child).then(|| Rc::new(Asker::Signal(name)));
        match signal {
            Signal::Child => {
                // What the child said and how it ended come before the line about the signal, as in the original.
                self.reap();
                self.log.log(Level::Debug, &format!("received {name} indicating a child quit"));
            }
            Signal::Terminate | Signal::Interrupt | Signal::Quit => {
                self.log.log(Level::Warn, &format!("received {name} indicating exit request"));
                self.end_on_request(Mood::Shutdown);
            }
            Signal::HangUp if self.mood == Mood::Shutdown => {
                let line = format!("ignored {name} indicating restart request (shutdown in progress)");
                self.log.log(Level::Warn, &line);
            }
            Signal::HangUp => {
                self.log.log(Level::Warn, &format!("received {name} indicating restart request"));
                self.restart();
            }
            Signal::User2 => {
                self.log.log(Level::Info, &format!("received {name} indicating log reopen request"));
                self.reopen_logs();
                self.look_at_names_now();
            }
        }
    }
}

/// Why the owner has something to do.
enum Woken {
    Signal(io::Result<Signal>),
    Input(Option<Input>),
    Pipes(io::Result<()>),
    /// A host's name has been looked up.
    Found(Found),
    /// The kernel may have killed somebody for want of memory.
    Memory,
    /// One of our files was removed, or changed.
    Names,
    /// It is time, or there was no time to finish.
    Again,
}

/// A tick that is far away is looked for so often.
const LONGEST_TICK_SLEEP: Duration = Duration::from_secs(60);
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
