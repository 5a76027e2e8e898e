//! The whole owner over random inputs: children that start, write, answer and exit as they like, clients that call, slow
//! readers of logs, sockets that are shared, looked up and removed, restarts, panics, and a clock that jumps. After each
//! input the rules of the house must hold.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use ironlance_core::ProcessState;
use ironlance_core::event::OutputChannel;
use ironlance_core::event::kind::EventKind;
use ironlance_core::journal::JournalEntry;
use ironlance_core::process::exit_status::ExitStatus;
use ironlance_core::process::lifecycle::DaemonState;
use nix::sys::signal::Signal;
use proptest::prelude::*;
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat, open};
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

use super::Fake;
use super::fake::Answer;
use crate::inbox::Input;
use crate::request::{MethodCall, ProcessTarget, ReplyTiming, RequestedSignal, RpcRequest};
use crate::requester::Requester;
use crate::state::command::Command;
use crate::state::pending_calls::is_stopped;
use crate::state::timers::Timer;
use crate::view::stream::EventStream;

/// Programs of all kinds, a log with a slow reader, and two pools: one with a small buffer, one that may be taken out of
/// service.
const SECTIONS: &str = "
[program:plain]
command=cat
process_name=plain_%(process_num)s
numprocs=2
startsecs=0
exitcodes=0
stdout_logfile=NONE
stderr_logfile=NONE
priority=5

[program:eager]
command=cat
startsecs=1
startretries=2
autorestart=true
stopwaitsecs=2
stdout_logfile=FOLDER/eager.log
stdout_events_enabled=true
stderr_capture_maxbytes=1000
stderr_logfile=NONE

[program:slow]
command=cat
startsecs=0
autostart=false
redirect_stderr=true
stdout_logfile=FOLDER/fifo
stdout_logfile_maxbytes=0

[eventlistener:pool]
command=cat
process_name=pool_%(process_num)s
numprocs=2
startsecs=0
events=PROCESS_STATE,PROCESS_LOG,PROCESS_COMMUNICATION,PROCESS_GROUP,TICK_5,REMOTE_COMMUNICATION,SUPERVISOR_STATE_CHANGE
buffer_size=8
stdout_logfile=NONE
stderr_logfile=NONE

[eventlistener:aside]
command=cat
startsecs=0
autorestart=true
events=EVENT
stdout_logfile=NONE
stderr_logfile=NONE

[fcgi-program:shared]
command=cat
process_name=shared_%(process_num)s
numprocs=2
startsecs=0
socket=unix://FOLDER/shared.sock
stdout_logfile=NONE
stderr_logfile=NONE

[fcgi-program:looked_up]
command=cat
process_name=looked_up_%(process_num)s
numprocs=2
startsecs=0
user=USER
socket=tcp://localhost:PORT
stdout_logfile=NONE
stderr_logfile=NONE
";

/// Names that clients use; some are groups, one is unknown.
const NAMES: [&str; 11] = [
    "plain:plain_0",
    "plain:*",
    "eager",
    "slow",
    "pool:*",
    "pool:pool_1",
    "aside",
    "shared:*",
    "looked_up:*",
    "looked_up:looked_up_0",
    "nothing",
];
const GROUPS: [&str; 7] = ["plain", "eager", "slow", "pool", "aside", "shared", "looked_up"];
/// Output at which the owner panics.
const PANIC: &str = "panic";
/// The children that an action may mean.
const CHILDREN: std::ops::Range<usize> = 0..12;

/// Something that happens to the owner.
#[derive(Clone, Debug)]
enum Action {
    Advance(u64),
    ToNextDeadline,
    /// A child writes so many bytes.
    Write {
        child: usize,
        on_stderr: bool,
        bytes: usize,
    },
    /// A listener reads its events, and writes this.
    Listen {
        child: usize,
        says: &'static str,
    },
    CloseStdin {
        child: usize,
    },
    CloseStdout {
        child: usize,
    },
    Exit {
        child: usize,
        code: i32,
    },
    FailSpawns(usize),
    FailKill,
    /// The slow log is read, up to so many bytes.
    ReadLog(usize),
    Start {
        name: usize,
        wait: ReplyTiming,
    },
    Stop {
        name: usize,
        wait: ReplyTiming,
    },
    StartAll,
    StopAll,
    Signal {
        name: usize,
    },
    Remove {
        group: usize,
    },
    Add {
        group: usize,
    },
    Remote,
    SendStdin {
        name: usize,
    },
    ReadInfo,
    ReloadConfig,
    ReopenLogs,
    /// The file of a FastCGI socket is removed, and the owner looks.
    RemoveSocket,
    /// The host of a FastCGI socket has been looked up.
    FinishLookup,
    /// A child writes what makes the owner panic.
    Panic {
        child: usize,
    },
    Restart {
        by_signal: bool,
    },
    Shutdown,
}

fn action() -> impl Strategy<Value = Action> {
    let wait = prop_oneof![Just(ReplyTiming::WhenDone), Just(ReplyTiming::AtOnce)];
    let says = prop_oneof![
        6 => Just("READY\n"),
        6 => Just("RESULT 2\nOK"),
        2 => Just("RESULT 2\nOKREADY\n"),
        1 => Just("RESULT 4\nFAIL"),
        1 => Just("nonsense\n"),
        1 => Just("RESULT x\n"),
    ];
    prop_oneof![
        4 => (0..3000_u64).prop_map(Action::Advance),
        1 => (3000..70_000_u64).prop_map(Action::Advance),
        8 => Just(Action::ToNextDeadline),
        6 => (CHILDREN, any::<bool>(), 0..70_000_usize)
            .prop_map(|(child, on_stderr, bytes)| Action::Write { child, on_stderr, bytes }),
        12 => (CHILDREN, says).prop_map(|(child, says)| Action::Listen { child, says }),
        1 => (CHILDREN).prop_map(|child| Action::CloseStdin { child }),
        1 => (CHILDREN).prop_map(|child| Action::CloseStdout { child }),
        6 => (CHILDREN, 0..2_i32).prop_map(|(child, code)| Action::Exit { child, code }),
        1 => (1..4_usize).prop_map(Action::FailSpawns),
        1 => Just(Action::FailKill),
        3 => (0..200_000_usize).prop_map(Action::ReadLog),
        5 => (0..NAMES.len(), wait.clone()).prop_map(|(name, wait)| Action::Start { name, wait }),
        5 => (0..NAMES.len(), wait).prop_map(|(name, wait)| Action::Stop { name, wait }),
        1 => Just(Action::StartAll),
        1 => Just(Action::StopAll),
        1 => (0..NAMES.len()).prop_map(|name| Action::Signal { name }),
        2 => (0..GROUPS.len()).prop_map(|group| Action::Remove { group }),
        2 => (0..GROUPS.len()).prop_map(|group| Action::Add { group }),
        2 => Just(Action::Remote),
        1 => (0..NAMES.len()).prop_map(|name| Action::SendStdin { name }),
        1 => Just(Action::ReadInfo),
        1 => Just(Action::ReloadConfig),
        1 => Just(Action::ReopenLogs),
        1 => Just(Action::RemoveSocket),
        4 => Just(Action::FinishLookup),
        1 => CHILDREN.prop_map(|child| Action::Panic { child }),
        1 => any::<bool>().prop_map(|by_signal| Action::Restart { by_signal }),
        1 => Just(Action::Shutdown),
    ]
}

/// An owner at work, and what is known of it from outside.
struct Run {
    fake: Fake,
    /// The reading end of the slow log.
    log_reader: OwnedFd,
    /// Bytes written by children whose log is the slow one, and read from it.
    written: usize,
    read: usize,
    answers: Vec<(String, Answer)>,
    events: EventStream,
    /// How many children had been started when the shutdown began.
    started_at_shutdown: Option<u32>,
    has_failing_kill: bool,
    has_panicked: bool,
    /// The serials that are in the journal, and how many commands have been looked at for that.
    recorded: BTreeSet<u64>,
    /// Events with earlier serials came before there was a journal.
    recorded_from: u64,
    checked: usize,
}

impl Run {
    fn begin(folder: tempfile::TempDir) -> Self {
        let fifo = folder.path().join("fifo");
        let _ = std::fs::remove_file(&fifo);
        mknodat(CWD, &fifo, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let log_reader = open(&fifo, OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty()).unwrap();
        let user = rustix::process::getuid().as_raw().to_string();
        let sections = SECTIONS.replace("USER", &user).replace("PORT", &free_port().to_string());
        let mut fake = Fake::in_folder(folder, &sections);
        let (reply, stream) = oneshot::channel();
        fake.receive(Input::Subscribe { kinds: vec![EventKind::Event], reply });
        let events = { stream }.try_recv().unwrap();
        fake.start_all();
        Self {
            fake,
            log_reader,
            written: 0,
            read: 0,
            answers: Vec::new(),
            events,
            started_at_shutdown: None,
            has_failing_kill: false,
            has_panicked: false,
            recorded: BTreeSet::new(),
            recorded_from: 0,
            checked: 0,
        }
    }

    /// Its folder alone: all else of it is closed.
    fn into_folder(self) -> tempfile::TempDir {
        self.fake.folder
    }

    /// Has the owner do something. A panic is followed by the emergency stop, as in the daemon.
    fn guarded<T>(&mut self, act: impl FnOnce(&mut Fake) -> T) -> Option<T> {
        let done = catch_unwind(AssertUnwindSafe(|| act(&mut self.fake)));
        if done.is_err() {
            assert!(self.fake.owner.panic_on.take().is_some(), "a panic that no action has asked for");
            self.has_panicked = true;
            self.fake.owner.emergency_stop("a test");
        }
        done.ok()
    }

    fn pid(&self, child: usize) -> Option<u32> {
        let world = self.fake.world.borrow();
        let pids: Vec<u32> = world.alive.keys().copied().collect();
        (!pids.is_empty()).then(|| pids[child % pids.len()])
    }

    fn call(&mut self, request: RpcRequest) {
        let asked = format!("{request:?}");
        let (reply, answer) = oneshot::channel();
        self.answers.push((asked, answer));
        let call = MethodCall { request, requester: Requester::Unknown, reply };
        self.guarded(|fake| fake.receive(Input::Call(call)));
    }

    fn act(&mut self, action: &Action) {
        // Decisions are recorded; there is no folder to write to.
        let state = &mut self.fake.owner.state;
        if state.journal.is_none() {
            state.journal = Some(Box::default());
            self.recorded_from = state.bus.next_serial();
        }
        match *action {
            Action::Advance(time) => self.fake.advance(Duration::from_millis(time)),
            Action::ToNextDeadline => self.pass_to_next_deadline(),
            Action::Write { child, on_stderr, bytes } => self.write(child, on_stderr, bytes),
            Action::Listen { child, says } => self.listen(child, says),
            Action::CloseStdin { child } => self.with_child(child, |child| child.stdin = None),
            Action::CloseStdout { child } => self.with_child(child, |child| child.stdout = None),
            Action::Exit { child, code } => {
                if let Some(pid) = self.pid(child) {
                    self.guarded(|fake| fake.exit(pid, code));
                }
            }
            Action::FailSpawns(count) => self.fake.world.borrow_mut().failing_spawns = count,
            Action::FailKill => {
                self.has_failing_kill = true;
                self.fake.world.borrow_mut().failing_kill = true;
            }
            Action::ReadLog(bytes) => self.read_log(bytes),
            Action::Start { name, wait } => {
                self.call(RpcRequest::Start { target: ProcessTarget::Named(NAMES[name].into()), wait });
            }
            Action::Stop { name, wait } => {
                self.call(RpcRequest::Stop { target: ProcessTarget::Named(NAMES[name].into()), wait });
            }
            Action::StartAll => {
                self.call(RpcRequest::Start { target: ProcessTarget::All, wait: ReplyTiming::WhenDone });
            }
            Action::StopAll => {
                self.call(RpcRequest::Stop { target: ProcessTarget::All, wait: ReplyTiming::WhenDone });
            }
            Action::Signal { name } => self.call(RpcRequest::Signal {
                target: ProcessTarget::Named(NAMES[name].into()),
                signal: RequestedSignal::new("HUP"),
            }),
            Action::Remove { group } => {
                self.call(RpcRequest::RemoveProcessGroup { name: GROUPS[group].into() });
            }
            Action::Add { group } => self.call(RpcRequest::AddProcessGroup { name: GROUPS[group].into() }),
            Action::Remote => {
                self.call(RpcRequest::SendRemoteCommEvent { kind: "test".into(), data: "something".into() });
            }
            Action::SendStdin { name } => self
                .call(RpcRequest::SendProcessStdin { name: NAMES[name].into(), chars: b"input\n".to_vec() }),
            Action::ReadInfo => {
                self.call(RpcRequest::GetAllProcessInfo);
                self.call(RpcRequest::GetListeners);
                self.call(RpcRequest::GetAllProcessEnds);
            }
            Action::ReloadConfig => self.call(RpcRequest::ReloadConfig),
            Action::ReopenLogs => self.fake.signal(Signal::SIGUSR2),
            Action::RemoveSocket => {
                let _ = std::fs::remove_file(self.fake.folder.path().join("shared.sock"));
                self.fake.signal(Signal::SIGUSR2);
            }
            Action::FinishLookup => {
                let state = &self.fake.owner.state;
                let is_running = state.daemon_state == DaemonState::Running;
                if is_running && state.table.processes().any(|(_, process)| process.awaits_address) {
                    self.fake.finish_lookup();
                }
            }
            Action::Panic { child } => {
                // What is lost by it is not to be missed in the slow log.
                let is_slow = |pid: &u32| self.fake.world.borrow().alive[pid].name == "slow";
                if let Some(pid) = self.pid(child).filter(|pid| !is_slow(pid)) {
                    self.fake.owner.panic_on = Some(PANIC.as_bytes());
                    self.fake.write_output(pid, false, PANIC.as_bytes());
                }
            }
            Action::Restart { by_signal: true } => {
                self.guarded(|fake| fake.signal(Signal::SIGHUP));
            }
            Action::Restart { by_signal: false } => self.call(RpcRequest::Restart),
            Action::Shutdown => self.call(RpcRequest::Shutdown),
        }
        if self.fake.owner.state.daemon_state != DaemonState::Running && self.started_at_shutdown.is_none() {
            self.started_at_shutdown = Some(self.fake.world.borrow().started);
        }
    }

    fn with_child(&self, child: usize, change: impl FnMut(&mut super::fake::FakeChild)) {
        if let Some(pid) = self.pid(child) {
            self.fake.world.borrow_mut().alive.get_mut(&pid).into_iter().for_each(change);
        }
    }

    fn pass_to_next_deadline(&mut self) {
        let next = self.fake.owner.next_deadline();
        // A day's sleep is cut short: it would only let every timer expire at once.
        let time = next.saturating_sub(self.fake.now().mono).min(Duration::from_secs(30));
        self.fake.advance(time);
    }

    fn write(&mut self, child: usize, on_stderr: bool, bytes: usize) {
        let Some(pid) = self.pid(child) else { return };
        let (is_listener, is_slow) = {
            let world = self.fake.world.borrow();
            let child = &world.alive[&pid];
            (child.is_listener, child.name == "slow")
        };
        if is_listener && !on_stderr {
            return;
        }
        let mut text = "some output\n".repeat(bytes / 12 + 1);
        if bytes.is_multiple_of(7) {
            text.insert_str(0, "<!--XSUPERVISOR:BEGIN-->a message<!--XSUPERVISOR:END-->");
        }
        let size = self.fake.write_output(pid, on_stderr, text.as_bytes());
        self.written += if is_slow { size } else { 0 };
    }

    fn listen(&mut self, child: usize, says: &str) {
        let Some(pid) = self.pid(child) else { return };
        self.fake.read_stdin(pid);
        let is_listener = self.fake.world.borrow().alive[&pid].is_listener;
        if is_listener {
            self.fake.write_output(pid, false, says.as_bytes());
        }
    }

    fn read_log(&mut self, most: usize) {
        let mut buffer = vec![0; most.max(1)];
        while let Ok(size @ 1..) = rustix::io::read(&self.log_reader, &mut buffer) {
            self.read += size;
            if most < 100_000 {
                break;
            }
        }
    }

    /// Turns until nothing is due. Returns whether the owner's work is over.
    fn settle(&mut self) -> bool {
        for _ in 0..300 {
            if self.guarded(Fake::turn) == Some(true) {
                return true;
            }
            let now = self.fake.now().mono;
            let is_ready = self.fake.owner.io.pipes.has_ready(now);
            if self.fake.owner.next_deadline() > now && !is_ready {
                return false;
            }
        }
        panic!("something is due again and again: {:?}", self.fake.owner.timers);
    }

    fn check(&mut self) -> Result<(), TestCaseError> {
        self.check_books()?;
        self.check_timers()?;
        self.check_events()?;
        self.check_journal()?;
        self.check_pauses()?;
        let started = self.fake.world.borrow().started;
        prop_assert!(
            self.started_at_shutdown.is_none_or(|before| before == started),
            "started in a shutdown"
        );
        prop_assert!(self.fake.owner.commands.is_empty(), "a command is not carried out");
        Ok(())
    }

    /// Each child that lives or is not reaped is some process's, and no other is.
    fn check_books(&self) -> Result<(), TestCaseError> {
        let (table, world) = (&self.fake.owner.state.table, self.fake.world.borrow());
        let there: BTreeSet<u32> =
            world.alive.keys().copied().chain(world.exited.iter().map(|(pid, _)| *pid)).collect();
        let known: BTreeSet<u32> = table.pids.keys().copied().collect();
        prop_assert_eq!(&there, &known, "children and the pids in the books");
        let in_service = |id| table.process(id).is_some();
        prop_assert!(self.fake.owner.io.pipes.ids().all(in_service), "pipes of a process that is gone");
        for (id, process) in table.processes() {
            let pid = process.lifecycle.pid();
            prop_assert_eq!(pid.and_then(|pid| table.pids.get(&pid)), pid.map(|_| &id));
            if let Some(exit) = &process.last_exit {
                prop_assert!(world.reaped.contains(&exit.pid), "an exit of a child that was not reaped");
            }
        }
        let reaped: BTreeSet<u32> = world.reaped.iter().copied().collect();
        prop_assert_eq!(reaped.len(), world.reaped.len(), "a child is reaped twice");
        Ok(())
    }

    /// Each deadline of the state has a timer, and a timer that is served is later than now.
    fn check_timers(&self) -> Result<(), TestCaseError> {
        let (state, timers) = (&self.fake.owner.state, &self.fake.owner.timers);
        if self.has_panicked {
            // It has lost those that had expired together; everything is stopped without them.
            return Ok(());
        }
        for (id, process) in state.table.processes() {
            let due = process.lifecycle.next_deadline(state.daemon_state);
            prop_assert_eq!(timers.get(Timer::Process(id)), due, "of {}", process.namespec());
        }
        for (id, group) in state.table.groups() {
            let due = group.pool.as_ref().and_then(|pool| pool.next_deadline());
            prop_assert_eq!(timers.get(Timer::Pool(id)), due, "of the pool {}", group.config.name);
        }
        prop_assert_eq!(timers.get(Timer::Recycle).is_some(), !state.recycle_requests.is_empty());
        prop_assert_eq!(timers.get(Timer::RetiredPools).is_some(), !state.retired_pools.is_empty());
        prop_assert_eq!(timers.get(Timer::Pauses).is_some(), !state.paused.is_empty());
        prop_assert_eq!(timers.get(Timer::StopReports).is_some(), !state.stop_reports.is_empty());
        prop_assert!(timers.get(Timer::RetryLogs).is_some() || !self.fake.owner.io.slow_logs.is_waiting());
        Ok(())
    }

    /// Each event that a pool was offered is answered, waits, or is counted as given up; and each event of a type that it
    /// asked for was offered to it.
    fn check_events(&self) -> Result<(), TestCaseError> {
        for (_, group) in self.fake.owner.state.table.groups() {
            let Some(pool) = &group.pool else { continue };
            let kept = pool.answered() + pool.unanswered().total();
            let given_up = pool.dropped().total() + pool.merged() + pool.dead_letters().total();
            prop_assert_eq!(pool.next_serial(), kept + given_up, "events of {}", group.config.name);
        }
        Ok(())
    }

    /// A listener gets no event of a recorded type that is not in the journal yet, and none is there twice.
    fn check_journal(&mut self) -> Result<(), TestCaseError> {
        let trace = &self.fake.owner.trace;
        for command in &trace[self.checked..] {
            match command {
                Command::Journal(entry) => {
                    if let JournalEntry::Event(event) = &**entry
                        && let Some(serial) = event.serial
                    {
                        prop_assert!(self.recorded.insert(serial), "{:?} is recorded twice", event);
                    }
                }
                Command::WriteStdin { bytes, .. } if self.fake.owner.state.journal.is_some() => {
                    let header = String::from_utf8_lossy(bytes);
                    let token = |name: &str| {
                        let mut tokens =
                            header.lines().next()?.split(' ').filter_map(|token| token.split_once(':'));
                        tokens.find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
                    };
                    let kind = token("eventname").unwrap_or_default();
                    let is_recorded = ["PROCESS_STATE", "PROCESS_GROUP", "SUPERVISOR"]
                        .iter()
                        .any(|one| kind.starts_with(one));
                    let serial = token("serial").and_then(|serial| serial.parse().ok());
                    prop_assert!(
                        !is_recorded
                            || serial.is_some_and(
                                |serial| serial < self.recorded_from || self.recorded.contains(&serial)
                            ),
                        "{}",
                        header
                    );
                }
                _ => {}
            }
        }
        self.checked = trace.len();
        Ok(())
    }

    /// An output is paused exactly if a pool or a log is behind because of it.
    fn check_pauses(&self) -> Result<(), TestCaseError> {
        let owner = &self.fake.owner;
        for (id, _) in owner.state.table.processes() {
            for channel in [OutputChannel::Stdout, OutputChannel::Stderr] {
                let Some(output) = owner.io.pipes.output(id, channel).filter(|output| output.fd().is_some())
                else {
                    continue;
                };
                let waits = owner.state.is_paused(id, channel) || output.has_backlog();
                prop_assert_eq!(output.is_paused(), waits, "{:?} {:?}", id, channel);
            }
        }
        Ok(())
    }

    /// Ends the daemon as a user does: children exit when they are told to, logs are read, listeners answer.
    fn end(&mut self) -> Result<(), TestCaseError> {
        self.fake.world.borrow_mut().failing_kill = false;
        self.act(&Action::Shutdown);
        for _ in 0..5_000 {
            self.read_log(200_000);
            let signals = std::mem::take(&mut self.fake.world.borrow_mut().signals);
            for (pid, signal) in signals {
                let status = ExitStatus::Signal { number: signal, core: false };
                self.fake.world.borrow_mut().exit(pid, status);
            }
            self.guarded(|fake| fake.signal(Signal::SIGCHLD));
            if self.settle() {
                return self.check_end();
            }
            self.check()?;
            self.pass_to_next_deadline();
        }
        Err(TestCaseError::fail("the shutdown does not end"))
    }

    /// The events that wait in all pools, in service and out of it.
    fn waiting_events(&self) -> u64 {
        let state = &self.fake.owner.state;
        let pools = state.table.groups().filter_map(|(_, group)| group.pool.as_ref());
        let pools = pools.chain(state.retired_pools.iter().map(|retired| &retired.pool));
        pools.map(|pool| pool.unanswered().total()).sum()
    }

    fn check_end(&mut self) -> Result<(), TestCaseError> {
        let waiting = self.waiting_events();
        let next = self.fake.finish();
        if self.fake.owner.state.daemon_state == DaemonState::Restarting {
            let handed_on: u64 = next.unwrap().pools.pools.iter().map(|pool| pool.unanswered().total()).sum();
            prop_assert_eq!(waiting, handed_on, "events for the next life");
        }
        for (asked, answer) in &mut self.answers {
            let answer = answer.try_recv();
            let is_cut = self.has_panicked && answer == Err(TryRecvError::Closed);
            prop_assert!(answer.is_ok() || is_cut, "no answer to {}", asked);
        }
        let table = &self.fake.owner.state.table;
        prop_assert!(table.processes().all(|(_, process)| is_stopped(process.lifecycle.state())));
        // A child that could not be killed is UNKNOWN, and may have been taken out of service as such.
        let could_be_killed = |pid: &&u32| {
            let process = table.pids.get(pid).and_then(|id| table.process(*id));
            process.is_some_and(|process| process.lifecycle.state() != ProcessState::Unknown)
        };
        let left = self.fake.world.borrow().alive.keys().find(could_be_killed).copied();
        prop_assert_eq!(left, None, "a child is left");
        self.read_log(200_000);
        // Nothing is lost unless the log says so, or a child could not be killed.
        let log = self.fake.main_log();
        let is_lost = log.contains("is lost until") || log.contains("before the end: nobody reads");
        if !is_lost && !self.has_failing_kill && !self.has_panicked {
            prop_assert_eq!(self.read, self.written, "bytes in the slow log");
        }
        prop_assert!(!self.events.is_lost());
        Ok(())
    }
}

/// A port that the kernel gives to nobody by itself, and that other processes of these tests do not take.
fn free_port() -> u16 {
    let first = 20_000 + u16::try_from(std::process::id() % 10_000).unwrap();
    (first..).find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap()
}

fn run(folder: tempfile::TempDir, actions: &[Action]) -> Result<Run, TestCaseError> {
    let mut run = Run::begin(folder);
    for action in actions {
        run.act(action);
        if run.settle() {
            break;
        }
        run.check()?;
    }
    run.end()?;
    Ok(run)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_happens_no_event_child_client_or_deadline_is_forgotten(
        actions in prop::collection::vec(action(), 1..80),
    ) {
        let first = run(tempfile::tempdir().unwrap(), &actions)?;
        // The same inputs give the same commands and the same state.
        let (trace, state) = (first.fake.owner.trace.clone(), first.fake.owner.state.clone());
        let second = run(first.into_folder(), &actions)?;
        prop_assert_eq!(&second.fake.owner.trace, &trace);
        prop_assert!(second.fake.owner.state == state, "the states differ");
    }
}
