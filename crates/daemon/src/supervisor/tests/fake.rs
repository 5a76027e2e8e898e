//! An owner without processes: children that a test plays, and a clock that it sets. Pipes, poller and logs are real.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

use ironlance_config::{self as config, HostEnv, Overrides};
use ironlance_core::process::exit_status::ExitStatus;
use ironlance_core::process::lifecycle::{Now, SignalTarget};
use ironlance_core::signal;
use ironlance_rpc::{Fault, Value};
use nix::sys::signal::Signal;
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot};

use crate::child::exec_errors::ExecErrorPipe;
use crate::child::spawn::{SpawnError, SpawnOptions, SpawnedChild, StderrTarget, StdinSource};
use crate::inbox::Input;
use crate::io::children::Children;
use crate::log::main_log::MainLog;
use crate::reload::Reload;
use crate::request::{MethodCall, RpcRequest};
use crate::requester::Requester;
use crate::supervisor::{InheritedPools, Startup, Supervisor};

/// A child that the test plays: the other ends of its pipes.
pub(super) struct FakeChild {
    pub(super) stdin: Option<OwnedFd>,
    pub(super) stdout: Option<OwnedFd>,
    pub(super) stderr: Option<OwnedFd>,
    /// The value of `IRONLANCE_EVENTS`, which only listeners have.
    pub(super) is_listener: bool,
    pub(super) name: String,
}

/// All children of an owner, and what became of them.
#[derive(Default)]
pub(super) struct World {
    pub(super) alive: BTreeMap<u32, FakeChild>,
    /// Exited and not reaped.
    pub(super) exited: Vec<(u32, ExitStatus)>,
    pub(super) reaped: Vec<u32>,
    pub(super) signals: Vec<(u32, i32)>,
    pub(super) started: u32,
    /// How many of the next spawns fail.
    pub(super) failing_spawns: usize,
    /// The next signal cannot be sent.
    pub(super) failing_kill: bool,
}

impl World {
    pub(super) fn exit(&mut self, pid: u32, status: ExitStatus) {
        if self.alive.remove(&pid).is_some() {
            self.exited.push((pid, status));
        }
    }
}

struct FakeChildren(Rc<RefCell<World>>);

fn pipe() -> (OwnedFd, OwnedFd) {
    pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).unwrap()
}

impl Children for FakeChildren {
    fn spawn(&mut self, options: &SpawnOptions<'_>) -> Result<SpawnedChild, SpawnError> {
        let mut world = self.0.borrow_mut();
        if world.failing_spawns > 0 {
            world.failing_spawns -= 1;
            return Err(SpawnError::Fork(io::Error::from(Errno::AGAIN)));
        }
        world.started += 1;
        let pid = 1_000_000 + world.started;
        let (stdout, their_stdout) = pipe();
        let stderr = matches!(options.stderr, StderrTarget::Pipe).then(pipe);
        let stdin = matches!(options.stdin, StdinSource::Pipe).then(pipe);
        let variable = |name: &str| options.environment.iter().find(|(key, _)| key == name);
        let name = variable("SUPERVISOR_PROCESS_NAME").unwrap().1.to_string_lossy().into_owned();
        let is_listener = variable("IRONLANCE_EVENTS").is_some();
        let (stderr, their_stderr) = stderr.unzip();
        let (their_stdin, stdin) = stdin.unzip();
        let child = FakeChild {
            stdin: their_stdin,
            stdout: Some(their_stdout),
            stderr: their_stderr,
            is_listener,
            name,
        };
        world.alive.insert(pid, child);
        Ok(SpawnedChild { pid, stdin, stdout, stderr })
    }

    fn kill(&mut self, pid: u32, signal: i32, _: SignalTarget) -> io::Result<()> {
        let mut world = self.0.borrow_mut();
        if std::mem::take(&mut world.failing_kill) {
            return Err(Errno::PERM.into());
        }
        let is_zombie = world.exited.iter().any(|(exited, _)| *exited == pid);
        if !is_zombie && !world.alive.contains_key(&pid) {
            return Err(Errno::SRCH.into());
        }
        world.signals.push((pid, signal));
        if signal == signal::KILL {
            world.exit(pid, ExitStatus::Signal { number: signal, core: false });
        }
        Ok(())
    }

    fn reap(&mut self) -> Vec<(u32, ExitStatus)> {
        let mut world = self.0.borrow_mut();
        let exited = std::mem::take(&mut world.exited);
        world.reaped.extend(exited.iter().map(|(pid, _)| *pid));
        exited
    }

    fn exec_error(&mut self, _: u32) -> Option<String> {
        None
    }
}

/// An owner, its children and its clock.
pub(super) struct Fake {
    pub(super) owner: Supervisor,
    pub(super) world: Rc<RefCell<World>>,
    clock: Rc<Cell<Now>>,
    pub(super) folder: tempfile::TempDir,
    runtime: Runtime,
}

/// A call that may not be answered yet.
pub(super) type Answer = oneshot::Receiver<Result<Value, Fault>>;

impl Fake {
    /// An owner with these sections beside `[supervisord]`, in which `FOLDER` is its folder. Nothing is started yet.
    pub(super) fn new(sections: &str) -> Self {
        Self::in_folder(tempfile::tempdir().unwrap(), sections)
    }

    /// The same in a folder that is there already.
    pub(super) fn in_folder(folder: tempfile::TempDir, sections: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let path = folder.path().display().to_string();
        let file = folder.path().join("supervisord.conf");
        let sections = sections.replace("FOLDER", &path);
        let text = format!(
            "[supervisord]\nnodaemon=true\nsilent=true\nlogfile={path}/log\npidfile={path}/pid\nchildlogdir={path}\n\
             loglevel=debug\n{sections}"
        );
        fs::write(&file, text).unwrap();
        let config = config::load(&file, &Overrides::default(), &HostEnv::current()).unwrap();
        let log = MainLog::open(&config.settings, "test").unwrap();
        let mut owner = {
            let _inside = runtime.enter();
            Supervisor::new(Startup {
                config,
                overrides: Overrides::default(),
                host_env: HostEnv::current(),
                log,
                nofile_of_children: None,
                exec_errors: ExecErrorPipe::new().unwrap(),
                sockets: Vec::new(),
                inherited: InheritedPools::default(),
                reopened_sockets: mpsc::unbounded_channel().0,
                pidfile: None,
            })
            .unwrap()
        };
        let begin = Now { mono: Duration::from_secs(1), wall: Duration::from_secs(1_700_000_001) };
        let clock = Rc::new(Cell::new(begin));
        owner.io.clock.virtual_time = Some(Rc::clone(&clock));
        owner.state = crate::state::State::new(begin.wall);
        owner.timers = crate::state::timers::Timers::default();
        owner.io.oom = crate::child::oom::OomMonitor::without_counter(begin);
        let world = Rc::<RefCell<World>>::default();
        owner.io.children = Box::new(FakeChildren(Rc::clone(&world)));
        Self { owner, world, clock, folder, runtime }
    }

    pub(super) fn now(&self) -> Now {
        self.clock.get()
    }

    /// Lets time pass, by both clocks.
    pub(super) fn advance(&self, time: Duration) {
        let Now { mono, wall } = self.clock.get();
        self.clock.set(Now { mono: mono + time, wall: wall + time });
    }

    pub(super) fn start_all(&mut self) {
        let _inside = self.runtime.enter();
        self.owner.start_all();
    }

    pub(super) fn finish(&mut self) -> Option<Box<Reload>> {
        self.owner.finish()
    }

    pub(super) fn signal(&mut self, signal: Signal) {
        let _inside = self.runtime.enter();
        self.owner.on_signal(signal);
    }

    /// Waits for the lookup of a host's name.
    pub(super) fn finish_lookup(&mut self) {
        let found = self.runtime.block_on(self.owner.io.lookups.next());
        self.owner.on_lookup_done(&found);
    }

    /// One turn of the loop: everything that is ready or due. Returns whether the work is over.
    pub(super) fn turn(&mut self) -> bool {
        let _inside = self.runtime.enter();
        self.owner.io.pipes.poller.mark_ready();
        let is_over = self.owner.run_due();
        self.owner.next_deadline();
        is_over
    }

    /// Lets a day pass at most, deadline by deadline, until `is_done`.
    pub(super) fn turn_until(&mut self, mut is_done: impl FnMut(&mut Self) -> bool) {
        for _ in 0..10_000 {
            self.turn();
            if is_done(self) {
                return;
            }
            let next = self.owner.next_deadline();
            self.advance(next.saturating_sub(self.now().mono));
        }
        panic!("it is not done after ten thousand deadlines");
    }

    pub(super) fn receive(&mut self, input: Input) {
        let _inside = self.runtime.enter();
        self.owner.receive(input);
    }

    pub(super) fn call(&mut self, request: RpcRequest) -> Answer {
        let (reply, answer) = oneshot::channel();
        self.receive(Input::Call(MethodCall { request, requester: Requester::Unknown, reply }));
        answer
    }

    /// What a child finds on its standard input.
    pub(super) fn read_stdin(&self, pid: u32) -> Vec<u8> {
        let world = self.world.borrow();
        let mut all = Vec::new();
        let Some(stdin) = world.alive.get(&pid).and_then(|child| child.stdin.as_ref()) else { return all };
        let mut buffer = [0; 65536];
        while let Ok(size @ 1..) = rustix::io::read(stdin, &mut buffer) {
            all.extend_from_slice(&buffer[..size]);
        }
        all
    }

    /// Writes to an output of a child, as much as its pipe takes. Returns how many bytes that was.
    pub(super) fn write_output(&self, pid: u32, on_stderr: bool, bytes: &[u8]) -> usize {
        let world = self.world.borrow();
        let Some(child) = world.alive.get(&pid) else { return 0 };
        let pipe = if on_stderr { &child.stderr } else { &child.stdout };
        pipe.as_ref().map_or(0, |pipe| rustix::io::write(pipe.as_fd(), bytes).unwrap_or(0))
    }

    /// The only child of this name.
    pub(super) fn pid_of(&self, name: &str) -> Option<u32> {
        self.world.borrow().alive.iter().find(|(_, child)| child.name == name).map(|(pid, _)| *pid)
    }

    pub(super) fn exit(&mut self, pid: u32, code: i32) {
        self.world.borrow_mut().exit(pid, ExitStatus::Code(code));
        self.signal(Signal::SIGCHLD);
    }

    pub(super) fn main_log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}
