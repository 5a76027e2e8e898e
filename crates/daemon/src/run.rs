//! The life of the daemon: from the command line to the configuration, into the background, to the owner, and out.

use std::any::Any;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;

use ironlance_config::{self as config, CheckResult, Config, ConfigFaults, HostEnv};
use ironlance_core::log_level::Level;
use ironlance_host::heap;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio::task::LocalSet;

use crate::child::exec_errors::ExecErrorPipe;
use crate::http::{self, BoundServer, DaemonLog, HttpLimits, InheritedSocket, ServerHandle};
use crate::inbox::Input;
use crate::log::auto_logs;
use crate::log::main_log::MainLog;
use crate::options::{self, Command, Options};
use crate::orphans;
use crate::reload::{COMMAND, Reload};
use crate::signals::SignalReceiver;
use crate::startup::daemonize::{self, Pidfile, WaitingParent};
use crate::startup::limits;
use crate::startup::privileges;
use crate::supervisor::{AfterRun, InheritedPools, SUPERVISOR_VERSION, Startup, Supervisor};

/// Faults of the command line or of the configuration, as in the original.
const EXIT_USAGE: u8 = 2;
/// A fault of our own (sysexits.h, EX_SOFTWARE).
const EXIT_SOFTWARE: u8 = 70;
/// So much may lie free at the end of the heap (bytes): buffers of 64 KiB come and go with every large event.
const HEAP_TOP_PAD: i32 = 4 * 1024 * 1024;
/// So many requests wait for the owner; more wait in their connections.
const INBOX_CAPACITY: usize = 256;

/// The daemon, or what its command line asks for instead. `args` are without the command's name.
///
/// Gives 0 after an ordinary end, 2 where the command line or the configuration is refused.
pub fn main(args: &[String]) -> ExitCode {
    let surroundings = HostEnv::current();
    match options::parse(&progname(), args, &surroundings) {
        Command::Help(text) => print(&text),
        Command::Version => print(&format!("{SUPERVISOR_VERSION}\n")),
        Command::Refused { message } => refuse(&message),
        Command::Check(options) => check(&options, &surroundings),
        Command::Run(options) => run(&options, &surroundings),
    }
}

fn print(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// How the daemon was called, as the original's messages have it.
fn progname() -> String {
    let called = std::env::args().next().unwrap_or_default();
    let by_own_name = Path::new(&called).file_name().is_some_and(|name| name == COMMAND);
    if by_own_name { called } else { COMMAND.to_owned() }
}

/// What the original says before it ends with 2.
fn refuse(message: &str) -> ExitCode {
    let _ = write!(io::stderr(), "Error: {message}\nFor help, use {} -h\n", progname());
    ExitCode::from(EXIT_USAGE)
}

/// The original's words for the first fault, and each fault on a line of its own.
fn refuse_config(faults: &ConfigFaults) -> ExitCode {
    let _ = write!(io::stderr(), "Error: {}\n{faults}\nFor help, use {} -h\n", faults.original(), progname());
    ExitCode::from(EXIT_USAGE)
}

fn check(options: &Options, surroundings: &HostEnv) -> ExitCode {
    let file = match config_file(options) {
        Ok(file) => file,
        Err(message) => return refuse(&message),
    };
    let checked = config::check(&file, &options.overrides, surroundings);
    for remark in &checked.remarks {
        let _ = writeln!(io::stderr(), "{remark}");
    }
    match checked.result {
        CheckResult::Sound(line) => print(&format!("{line}\n")),
        CheckResult::Faulty => ExitCode::from(EXIT_USAGE),
    }
}

fn config_file(options: &Options) -> Result<PathBuf, String> {
    match &options.configuration {
        Some(file) => Ok(file.clone()),
        None => options::find_configuration(&progname()),
    }
}

fn run(options: &Options, surroundings: &HostEnv) -> ExitCode {
    heap::set_trim_threshold(HEAP_TOP_PAD);
    let file = match config_file(options) {
        Ok(file) => file,
        Err(message) => return refuse(&message),
    };
    let config = match config::load(&file, &options.overrides, surroundings) {
        Ok(config) => config,
        Err(faults) => return refuse_config(&faults),
    };
    let mut end = cold_start(config, options, surroundings);
    loop {
        let code = match end {
            Ok(GenerationEnd::Restart(next, nofile)) => {
                end = restart(*next, nofile, options, surroundings);
                continue;
            }
            Ok(GenerationEnd::Exit) => ExitCode::SUCCESS,
            Err(code) => code,
        };
        orphans::terminate();
        return code;
    }
}

/// How one life of the daemon ends.
enum GenerationEnd {
    Exit,
    /// With what the next life begins with, and the soft limit of descriptors that children were given: ours has been
    /// raised since.
    Restart(Box<NextGeneration>, u64),
}

/// What the next life begins with.
struct NextGeneration {
    reload: Reload,
    /// Events that wait.
    legacy: InheritedPools,
}

/// The life that begins at the command line. What cannot be had is said on stderr, and the daemon ends.
fn cold_start(config: Config, options: &Options, surroundings: &HostEnv) -> Result<GenerationEnd, ExitCode> {
    let mut notes = early_lines(&config);
    if let Some(user) = &config.settings.user {
        notes.infos.push(privileges::drop_privileges(user.uid).map_err(|words| refuse(&words))?);
    }
    let raised =
        limits::raise(config.settings.minfds, config.settings.minprocs).map_err(|words| refuse(&words))?;
    notes.infos.extend(raised.infos);
    let mut log = MainLog::open(&config.settings, COMMAND).map_err(|error| refuse(&error.to_string()))?;
    let ours = env!("CARGO_PKG_VERSION");
    let line = format!("ironlance {ours}, in the place of Supervisor {SUPERVISOR_VERSION}");
    log.log(Level::Info, &line);
    notes.write(&mut log);
    // First the sockets: if another daemon has them, its logs are not ours to clear.
    let opened = http::open(&config.servers, &[], &DirectLog(RefCell::new(&mut log)));
    let sockets = opened.map_err(|error| refuse(&error.to_string()))?;
    let settings = config.settings.clone();
    let mut daemon =
        Generation { config, sockets, log, nofile: raised.nofile, legacy: InheritedPools::default() };
    daemon.announce();
    let signals = new_signals()?;
    let mut foreground = None;
    if !settings.nodaemon {
        let log = &mut daemon.log;
        let forked =
            daemonize::daemonize(settings.directory.as_deref(), settings.umask, &mut |level, line| {
                log.log(level, line);
            });
        let forked = forked.map_err(|error| refuse(&format!("cannot go into the background: {error}")))?;
        foreground = Some(forked);
    }
    daemon.run_generation(signals, foreground, options, surroundings)
}

/// A life after a restart. All it needs has been tried and is there.
fn restart(
    next: NextGeneration,
    nofile: u64,
    options: &Options,
    surroundings: &HostEnv,
) -> Result<GenerationEnd, ExitCode> {
    let NextGeneration { reload: Reload { config, mut sockets, mut log }, legacy } = next;
    let mut notes = early_lines(&config);
    if let Some(user) = &config.settings.user {
        notes.infos.push(privileges::drop_privileges(user.uid).map_err(|words| refuse(&words))?);
    }
    // Tried as well, but the limit of all processes may have come nearer. We have as many as before.
    if let Err(words) = limits::raise(config.settings.minfds, config.settings.minprocs) {
        notes.criticals.push(words);
    }
    notes.write(&mut log);
    let journal = DirectLog(RefCell::new(&mut log));
    sockets.iter_mut().for_each(|listening| listening.take_over_path(&journal));
    let nofile = nofile.max(config.settings.minfds);
    let mut daemon = Generation { config, sockets, log, nofile, legacy };
    daemon.announce();
    daemon.run_generation(new_signals()?, None, options, surroundings)
}

fn new_signals() -> Result<SignalReceiver, ExitCode> {
    SignalReceiver::new().map_err(|error| refuse(&format!("cannot take signals: {error}")))
}

/// What is found out before there is a log.
struct EarlyLines {
    criticals: Vec<String>,
    warnings: Vec<String>,
    infos: Vec<String>,
}

fn early_lines(config: &Config) -> EarlyLines {
    let mut criticals = config.notes.criticals.clone();
    if config.settings.user.is_none() && privileges::is_root() {
        criticals.push(privileges::RUNNING_AS_ROOT.into());
    }
    EarlyLines { criticals, warnings: config.notes.warnings.clone(), infos: config.notes.infos.clone() }
}

impl EarlyLines {
    fn write(&self, log: &mut MainLog) {
        let notes =
            [(Level::Critical, &self.criticals), (Level::Warn, &self.warnings), (Level::Info, &self.infos)];
        for (level, lines) in notes {
            lines.iter().for_each(|line| log.log(level, line));
        }
    }
}

/// All that a life begins with.
struct Generation {
    config: Config,
    sockets: Vec<BoundServer>,
    log: MainLog,
    /// The soft limit of descriptors that children are given.
    nofile: u64,
    /// Events that waited in the life before.
    legacy: InheritedPools,
}

impl Generation {
    /// Logs which servers there are.
    fn announce(&mut self) {
        let journal = DirectLog(RefCell::new(&mut self.log));
        self.sockets.iter().for_each(|listening| listening.log_opened(&self.config.interfaces, &journal));
    }

    /// One life of the daemon, until it ends or begins anew. `foreground` is who waits for the pidfile.
    fn run_generation(
        self,
        signals: SignalReceiver,
        foreground: Option<WaitingParent>,
        options: &Options,
        surroundings: &HostEnv,
    ) -> Result<GenerationEnd, ExitCode> {
        let Self { config, sockets, mut log, nofile, legacy } = self;
        if !config.settings.nocleanup {
            let warnings = auto_logs::remove_old(&config.settings.childlogdir, &config.settings.identifier);
            warnings.iter().for_each(|line| log.log(Level::Warn, line));
        }
        let pidfile = Pidfile::write(&config.settings.pidfile, &mut |level, line| log.log(level, line));
        if let Some(foreground) = foreground {
            foreground.release();
        }
        let kept: io::Result<Vec<InheritedSocket>> = sockets.iter().map(BoundServer::duplicate).collect();
        let (doors, new_sockets) = mpsc::unbounded_channel();
        let (interfaces, level) = (config.interfaces.clone(), config.settings.loglevel);
        let house = RuntimeParts { sockets, new_sockets, signals, interfaces, level };
        let beginning = Startup {
            config,
            overrides: options.overrides.clone(),
            surroundings: surroundings.clone(),
            log,
            nofile_of_children: Some(nofile),
            reports: ExecErrorPipe::new().map_err(|error| refuse(&format!("cannot make a pipe: {error}")))?,
            sockets: kept.map_err(|error| refuse(&format!("cannot keep a socket: {error}")))?,
            legacy,
            doors,
            pidfile: pidfile.clone(),
        };
        let outcome = serve(beginning, house);
        if let Some(pidfile) = pidfile {
            pidfile.remove();
        }
        Ok(match outcome? {
            Some(next) => GenerationEnd::Restart(next, nofile),
            None => GenerationEnd::Exit,
        })
    }
}

/// What the owner's runtime needs beside the owner.
struct RuntimeParts {
    sockets: Vec<BoundServer>,
    /// Those that the owner has made again.
    new_sockets: mpsc::UnboundedReceiver<BoundServer>,
    signals: SignalReceiver,
    interfaces: Vec<String>,
    level: Level,
}

/// The owner and the HTTP server, on one thread.
///
/// Gives what the next life begins with, where there shall be one.
fn serve(beginning: Startup, house: RuntimeParts) -> Result<Option<Box<NextGeneration>>, ExitCode> {
    let cannot = |error: io::Error| refuse(&format!("cannot start the event loop: {error}"));
    // The owner may have work for many turns: clients, signals and the clock are looked at between any two.
    let runtime =
        Builder::new_current_thread().enable_io().enable_time().event_interval(1).build().map_err(cannot)?;
    let local = LocalSet::new();
    let mut signals = house.signals;
    let mut owner = {
        let _inside = runtime.enter();
        signals.enter_runtime().map_err(cannot)?;
        Supervisor::new(beginning).map_err(cannot)?
    };
    owner.start_all();
    let (sender, mut inbox) = mpsc::channel(INBOX_CAPACITY);
    let journal: Rc<dyn DaemonLog> = Rc::new(InboxLog { sender: sender.clone(), level: house.level });
    let doors =
        HttpServers { open: RefCell::default(), interfaces: house.interfaces, owner: sender, journal };
    let doors = Rc::new(doors);
    let serve = async { house.sockets.into_iter().try_for_each(|listening| doors.serve(listening)) };
    local.block_on(&runtime, serve).map_err(cannot)?;
    let replacing = local.spawn_local(serve_rebound_sockets(Rc::clone(&doors), house.new_sockets));
    let outcome = run_owner(&runtime, &local, &mut owner, &mut inbox, &mut signals);
    // Who still asks, as a multicall does after its shutdown, is told so instead of waiting for nobody.
    drop(inbox);
    replacing.abort();
    local.block_on(&runtime, async {
        for (_, serving) in doors.open.take() {
            serving.close().await;
        }
    });
    Ok(match outcome? {
        AfterRun::Restart => {
            let legacy = owner.export_pools();
            owner.take_reload().map(|reload| Box::new(NextGeneration { reload: *reload, legacy }))
        }
        AfterRun::End => None,
    })
}

/// The servers at work, by their sections.
struct HttpServers {
    open: RefCell<BTreeMap<String, ServerHandle>>,
    interfaces: Vec<String>,
    owner: mpsc::Sender<Input>,
    journal: Rc<dyn DaemonLog>,
}

impl HttpServers {
    /// Answers on this socket, in the place of one that the section had before. The error is that of the runtime.
    fn serve(&self, listening: BoundServer) -> io::Result<()> {
        let section = listening.section().to_owned();
        let limits = HttpLimits::default();
        let serving = http::serve(vec![listening], &self.interfaces, &self.owner, &self.journal, limits)?;
        self.open.borrow_mut().insert(section, serving);
        Ok(())
    }
}

/// Answers on sockets that come later.
async fn serve_rebound_sockets(doors: Rc<HttpServers>, mut sockets: mpsc::UnboundedReceiver<BoundServer>) {
    while let Some(listening) = sockets.recv().await {
        if let Err(error) = doors.serve(listening) {
            doors
                .journal
                .log(Level::Error, &format!("cannot answer on a socket that was made again: {error}"));
        }
    }
}

/// Runs the owner. A fault of our own is said, and the children are stopped in order.
fn run_owner(
    runtime: &Runtime,
    local: &LocalSet,
    owner: &mut Supervisor,
    inbox: &mut mpsc::Receiver<Input>,
    signals: &mut SignalReceiver,
) -> Result<AfterRun, ExitCode> {
    let mut once = |owner: &mut Supervisor| {
        catch_unwind(AssertUnwindSafe(|| local.block_on(runtime, owner.run(inbox, signals))))
    };
    match once(owner) {
        Ok(outcome) => Ok(outcome),
        Err(fault) => {
            owner.emergency_stop(&panic_message(&*fault));
            // A second fault ends it: there is nobody left to stop the children in order.
            let _ = once(owner);
            Err(ExitCode::from(EXIT_SOFTWARE))
        }
    }
}

/// What a panic said.
fn panic_message(fault: &(dyn Any + Send)) -> String {
    let text = fault.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| fault.downcast_ref::<String>().cloned()).unwrap_or_else(|| "it said nothing".into())
}

/// The main log while there is no owner yet.
struct DirectLog<'a>(RefCell<&'a mut MainLog>);

impl DaemonLog for DirectLog<'_> {
    fn enabled(&self, level: Level) -> bool {
        self.0.borrow().enabled(level)
    }

    fn log(&self, level: Level, text: &str) {
        self.0.borrow_mut().log(level, text);
    }
}

/// The main log for the HTTP server: lines go through the owner, who has the log.
struct InboxLog {
    sender: mpsc::Sender<Input>,
    level: Level,
}

impl DaemonLog for InboxLog {
    fn enabled(&self, level: Level) -> bool {
        level >= self.level
    }

    fn log(&self, level: Level, text: &str) {
        // With a full inbox the owner has more urgent things to do than lines about clients.
        let _ = self.sender.try_send(Input::Log { level, line: text.to_owned() });
    }
}
