//! One behaviour each: what the owner does with its children, listeners, logs and clients.

use std::fs;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use ironlance_core::event::OutputChannel;
use ironlance_core::process::exit_status::ExitStatus;
use ironlance_core::{ProcessState, signal};
use ironlance_rpc::{FaultKind, Value};
use nix::sys::signal::Signal;
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat, open};
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

use super::Fake;
use super::fake::Answer;
use crate::inbox::Input;
use crate::request::{MethodCall, ProcessTarget, ReplyTiming, RpcRequest};
use crate::requester::Requester;
use crate::state::command::Command;
use crate::state::ids::ProcessId;
use crate::state::timers::{Timer, Timers};

const CAT: &str = "[program:a]\ncommand=cat\nstartsecs=1\nstdout_logfile=FOLDER/a.log\nstderr_logfile=NONE\n";

fn started(sections: &str) -> Fake {
    let mut fake = Fake::new(sections);
    fake.start_all();
    fake.turn();
    fake
}

fn id_of(fake: &Fake, name: &str) -> ProcessId {
    let mut processes = fake.owner.state.table.processes();
    processes.find(|(_, process)| process.namespec().process.0 == name).unwrap().0
}

fn state_of(fake: &Fake, name: &str) -> ProcessState {
    fake.owner.state.table.process(id_of(fake, name)).unwrap().lifecycle.state()
}

fn start(name: &str) -> RpcRequest {
    RpcRequest::Start { target: ProcessTarget::Named(name.into()), wait: ReplyTiming::WhenDone }
}

fn stop(name: &str) -> RpcRequest {
    RpcRequest::Stop { target: ProcessTarget::Named(name.into()), wait: ReplyTiming::WhenDone }
}

fn is_true(answer: &mut Answer) -> bool {
    answer.try_recv() == Ok(Ok(Value::Bool(true)))
}

fn fault_of(answer: &mut Answer) -> i64 {
    answer.try_recv().unwrap().unwrap_err().code
}

#[test]
fn after_a_panic_in_the_middle_of_reading_pipes_are_read_on() {
    let mut fake = started(CAT);
    let (id, pid) = (id_of(&fake, "a"), fake.pid_of("a").unwrap());
    fake.owner.panic_on = Some(b"boom");
    fake.write_output(pid, false, b"boom");
    catch_unwind(AssertUnwindSafe(|| fake.owner.drain(id))).unwrap_err();
    fake.owner.emergency_stop("a test");
    fake.write_output(pid, false, b"last words\n");
    fake.owner.drain(id);
    let output = fake.owner.io.pipes.output(id, OutputChannel::Stdout).unwrap();
    assert!(output.fd().is_some(), "the pipe is still open");
    assert_eq!(fs::read_to_string(fake.folder.path().join("a.log")).unwrap(), "last words\n");
    assert!(fake.main_log().contains("a test"));
}

#[test]
fn a_client_whose_call_is_cut_by_a_panic_does_not_wait_for_the_end_of_the_daemon() {
    let mut fake = started(CAT);
    let pid = fake.pid_of("a").unwrap();
    fake.owner.panic_on = Some(b"boom");
    fake.write_output(pid, false, b"boom");
    fake.world.borrow_mut().exit(pid, ExitStatus::Code(0));
    let (reply, mut answer) = oneshot::channel();
    let call = MethodCall { request: stop("a"), requester: Requester::Unknown, reply };
    catch_unwind(AssertUnwindSafe(|| fake.receive(Input::Call(call)))).unwrap_err();
    assert_eq!(answer.try_recv(), Err(TryRecvError::Empty));
    fake.owner.emergency_stop("a test");
    assert_eq!(answer.try_recv(), Err(TryRecvError::Closed));
}

#[test]
fn after_a_panic_pools_have_their_timers_again() {
    let mut fake = started(POOL);
    let pid = fake.pid_of("pool").unwrap();
    fake.write_output(pid, false, b"READY\n");
    fake.turn();
    fake.world.borrow_mut().alive.get_mut(&pid).unwrap().stdin = None;
    drop(fake.call(remote("to be delivered again")));
    let pool = Timer::Pool(fake.owner.state.table.pool_ids()[0]);
    assert!(fake.owner.timers.get(pool).is_some());
    fake.owner.timers = Timers::default();
    fake.owner.emergency_stop("a test");
    assert!(fake.owner.timers.get(pool).is_some());
}

#[test]
fn a_child_that_was_reaped_before_a_panic_is_not_waited_for() {
    let mut fake = started(CAT);
    let pid = fake.pid_of("a").unwrap();
    fake.owner.panic_on = Some(b"boom");
    fake.write_output(pid, false, b"boom");
    fake.world.borrow_mut().exit(pid, ExitStatus::Code(0));
    catch_unwind(AssertUnwindSafe(|| fake.signal(Signal::SIGCHLD))).unwrap_err();
    assert_eq!(fake.world.borrow().reaped, [pid]);
    fake.owner.emergency_stop("a test");
    assert!(fake.turn(), "it is over: {:?}", state_of(&fake, "a"));
}

#[test]
fn a_program_is_running_after_its_startsecs_and_not_before() {
    let mut fake = started(CAT);
    assert_eq!(state_of(&fake, "a"), ProcessState::Starting);
    fake.advance(Duration::from_millis(999));
    fake.turn();
    assert_eq!(state_of(&fake, "a"), ProcessState::Starting);
    fake.advance(Duration::from_millis(1));
    fake.turn();
    assert_eq!(state_of(&fake, "a"), ProcessState::Running);
}

#[test]
fn a_spawn_that_fails_is_tried_again_until_the_program_is_fatal() {
    let mut fake = Fake::new(CAT);
    fake.world.borrow_mut().failing_spawns = 100;
    fake.start_all();
    fake.turn_until(|fake| state_of(fake, "a") == ProcessState::Fatal);
    let spawns = fake.owner.trace.iter().filter(|command| matches!(command, Command::Spawn(_))).count();
    assert_eq!((spawns, fake.world.borrow().started), (4, 0), "startretries=3");
    assert!(fake.main_log().contains("Too many processes in process table to spawn 'a'"));
}

#[test]
fn a_client_that_waits_for_a_start_is_answered_when_the_program_runs() {
    let mut fake = started(&CAT.replace("startsecs=1", "startsecs=1\nautostart=false"));
    let mut answer = fake.call(start("a"));
    assert!(answer.try_recv().is_err(), "not yet");
    fake.turn_until(|fake| state_of(fake, "a") == ProcessState::Running);
    assert!(is_true(&mut answer));
    assert_eq!(fault_of(&mut fake.call(start("a"))), FaultKind::AlreadyStarted.code());
    assert_eq!(fault_of(&mut fake.call(start("b"))), FaultKind::BadName.code());
}

#[test]
fn a_client_that_waits_for_a_start_is_told_when_the_program_ends_instead() {
    let mut fake = started(&CAT.replace("startsecs=1", "startsecs=1\nautostart=false"));
    let mut answer = fake.call(start("a"));
    fake.exit(fake.pid_of("a").unwrap(), 1);
    assert_eq!(fault_of(&mut answer), FaultKind::SpawnError.code());
    assert_eq!(state_of(&fake, "a"), ProcessState::Backoff);
}

#[test]
fn a_stop_is_answered_when_the_child_is_reaped_and_logged_meanwhile() {
    let mut fake = started(CAT);
    let pid = fake.pid_of("a").unwrap();
    let mut answer = fake.call(stop("a"));
    fake.advance(Duration::from_secs(5));
    fake.turn();
    assert!(answer.try_recv().is_err(), "not yet");
    assert!(fake.main_log().contains("waiting for a to stop"));
    assert_eq!(fake.world.borrow().signals, [(pid, signal::TERM)]);
    fake.world.borrow_mut().exit(pid, ExitStatus::Signal { number: signal::TERM, core: false });
    fake.signal(Signal::SIGCHLD);
    assert!(is_true(&mut answer));
    assert_eq!(state_of(&fake, "a"), ProcessState::Stopped);
}

#[test]
fn a_child_that_cannot_be_killed_is_unknown_and_the_client_is_told() {
    let mut fake = started(CAT);
    fake.world.borrow_mut().failing_kill = true;
    assert_eq!(fault_of(&mut fake.call(stop("a"))), FaultKind::Failed.code());
    assert_eq!(state_of(&fake, "a"), ProcessState::Unknown);
}

#[test]
fn a_stop_of_all_goes_from_the_highest_priority_down() {
    let program = |name: &str, priority| {
        format!(
            "[program:{name}]\ncommand=cat\nstartsecs=0\npriority={priority}\nstdout_logfile=NONE\nstderr_logfile=NONE\n"
        )
    };
    let mut fake = started(&(program("low", 1) + &program("high", 9)));
    let (low, high) = (fake.pid_of("low").unwrap(), fake.pid_of("high").unwrap());
    let mut answer = fake.call(RpcRequest::Stop { target: ProcessTarget::All, wait: ReplyTiming::WhenDone });
    assert_eq!(fake.world.borrow().signals, [(high, signal::TERM)]);
    fake.exit(high, 0);
    fake.turn();
    assert_eq!(fake.world.borrow().signals, [(high, signal::TERM), (low, signal::TERM)]);
    fake.exit(low, 0);
    let Ok(Ok(Value::Array(results))) = answer.try_recv() else { panic!("not answered") };
    assert_eq!(results.len(), 2);
}

#[test]
fn the_last_output_of_a_child_is_logged_before_its_exit_and_kept_with_it() {
    let mut fake = started(CAT);
    let (id, pid) = (id_of(&fake, "a"), fake.pid_of("a").unwrap());
    fake.write_output(pid, false, b"one\ntwo\n");
    fake.exit(pid, 3);
    assert_eq!(fs::read_to_string(fake.folder.path().join("a.log")).unwrap(), "one\ntwo\n");
    let exit = fake.owner.state.table.process(id).unwrap().last_exit.clone().unwrap();
    assert_eq!((exit.pid, exit.cause.status, &*exit.stdout_tail), (pid, ExitStatus::Code(3), "one\ntwo"));
    assert!(fake.owner.io.pipes.output(id, OutputChannel::Stdout).is_none(), "its pipes are closed");
}

#[test]
fn what_a_client_writes_to_a_child_waits_until_the_child_reads() {
    let mut fake = started(CAT);
    let (id, pid) = (id_of(&fake, "a"), fake.pid_of("a").unwrap());
    let input = vec![b'x'; 200_000];
    let mut answer = fake.call(RpcRequest::SendProcessStdin { name: "a".into(), chars: input.clone() });
    assert!(is_true(&mut answer));
    let mut read = Vec::new();
    for _ in 0..10 {
        read.extend(fake.read_stdin(pid));
        fake.turn();
    }
    assert_eq!(read, input);
    fake.exit(pid, 0);
    assert!(fake.owner.io.pipes.output(id, OutputChannel::Stdout).is_none());
    let gone = fake.call(RpcRequest::SendProcessStdin { name: "a".into(), chars: input });
    assert_eq!(fault_of(&mut { gone }), FaultKind::NotRunning.code());
}

/// An owner of two processes that share a socket, whose host is being looked up.
fn with_lookup() -> Fake {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let fake = started(&format!(
        "[fcgi-program:f]\ncommand=cat\nprocess_name=f%(process_num)s\nnumprocs=2\nstartsecs=0\n\
         socket=tcp://localhost:{port}\nstdout_logfile=NONE\nstderr_logfile=NONE\n"
    ));
    assert_eq!(state_of(&fake, "f1"), ProcessState::Starting, "its host is looked up");
    fake
}

#[test]
fn a_program_whose_host_is_found_in_a_shutdown_is_not_started() {
    let mut fake = with_lookup();
    fake.signal(Signal::SIGTERM);
    fake.finish_lookup();
    assert_eq!(fake.world.borrow().started, 0);
    assert!(fake.turn(), "it is over");
}

#[test]
fn a_program_that_waited_for_an_address_is_stopped_without_a_word_about_it() {
    let mut fake = with_lookup();
    fake.finish_lookup();
    fake.turn();
    let (pid, answer) = (fake.pid_of("f1").unwrap(), fake.call(stop("f:f1")));
    fake.exit(pid, 0);
    assert!(is_true(&mut { answer }));
    assert!(!fake.main_log().contains("looked up"), "{}", fake.main_log());
    assert_eq!(fake.world.borrow().started, 2);
}

const POOL: &str = "[eventlistener:pool]\ncommand=cat\nstartsecs=0\nevents=PROCESS_LOG,REMOTE_COMMUNICATION\n\
     buffer_size=4\nstdout_logfile=NONE\nstderr_logfile=NONE\n\
     [program:loud]\ncommand=cat\nstartsecs=0\nstdout_events_enabled=true\nstdout_logfile=NONE\nstderr_logfile=NONE\n";

fn remote(data: &str) -> RpcRequest {
    RpcRequest::SendRemoteCommEvent { kind: "test".into(), data: data.into() }
}

#[test]
fn a_listener_gets_one_event_at_a_time_and_the_next_after_its_result() {
    let mut fake = started(POOL);
    let pid = fake.pid_of("pool").unwrap();
    fake.write_output(pid, false, b"READY\n");
    fake.turn();
    (0..2).for_each(|number| drop(fake.call(remote(&format!("number {number}")))));
    let first = String::from_utf8(fake.read_stdin(pid)).unwrap();
    assert!(first.ends_with("number 0") && first.contains("poolserial:0 "), "{first}");
    fake.write_output(pid, false, b"RESULT 2\nOKREADY\n");
    fake.turn();
    let second = String::from_utf8(fake.read_stdin(pid)).unwrap();
    assert!(second.ends_with("number 1"), "{second}");
}

#[test]
fn an_event_of_a_listener_that_closed_its_stdin_goes_to_the_next_process() {
    let mut fake = started(POOL);
    let pid = fake.pid_of("pool").unwrap();
    fake.write_output(pid, false, b"READY\n");
    fake.turn();
    fake.world.borrow_mut().alive.get_mut(&pid).unwrap().stdin = None;
    drop(fake.call(remote("precious")));
    fake.turn_until(|fake| {
        fake.signal(Signal::SIGCHLD);
        fake.world.borrow().signals.first() == Some(&(pid, signal::TERM))
    });
    fake.exit(pid, 0);
    fake.turn_until(|fake| fake.pid_of("pool").is_some());
    let next = fake.pid_of("pool").unwrap();
    fake.write_output(next, false, b"READY\n");
    fake.turn();
    assert!(String::from_utf8(fake.read_stdin(next)).unwrap().ends_with("precious"));
}

#[test]
fn output_is_not_read_while_its_listener_is_behind_and_is_after_two_seconds_without_progress() {
    let mut fake = started(POOL);
    let (id, pid) = (id_of(&fake, "loud"), fake.pid_of("loud").unwrap());
    for _ in 0..10 {
        fake.write_output(pid, false, b"noise\n");
        fake.turn();
    }
    let is_paused = |fake: &Fake| {
        let output = fake.owner.io.pipes.output(id, OutputChannel::Stdout).unwrap();
        output.is_paused() && fake.owner.state.is_paused(id, OutputChannel::Stdout)
    };
    assert!(is_paused(&fake), "three quarters of the buffer are full");
    let waits = rustix::io::ioctl_fionread(
        fake.owner.io.pipes.output(id, OutputChannel::Stdout).unwrap().fd().unwrap(),
    );
    assert!(waits.unwrap() > 0, "the rest waits in the pipe");
    fake.advance(Duration::from_millis(1_999));
    fake.turn();
    assert!(is_paused(&fake));
    fake.advance(Duration::from_millis(1));
    fake.turn();
    assert!(!is_paused(&fake));
}

#[test]
fn a_child_that_was_paused_is_read_after_its_restart_and_can_be_paused_again() {
    let mut fake = started(POOL);
    let id = id_of(&fake, "loud");
    for _ in 0..2 {
        let pid = fake.pid_of("loud").unwrap();
        for _ in 0..10 {
            fake.write_output(pid, false, b"noise\n");
            fake.turn();
        }
        assert!(fake.owner.io.pipes.output(id, OutputChannel::Stdout).unwrap().is_paused());
        fake.exit(pid, 1);
        fake.turn();
    }
}

#[test]
fn a_group_is_removed_when_it_has_stopped_and_can_be_added_again() {
    let mut fake = started(CAT);
    let remove = || RpcRequest::RemoveProcessGroup { name: "a".into() };
    let add = || RpcRequest::AddProcessGroup { name: "a".into() };
    assert_eq!(fault_of(&mut fake.call(remove())), FaultKind::StillRunning.code());
    assert_eq!(fault_of(&mut fake.call(add())), FaultKind::AlreadyAdded.code());
    let pid = fake.pid_of("a").unwrap();
    drop(fake.call(stop("a")));
    fake.exit(pid, 0);
    assert!(is_true(&mut fake.call(remove())));
    assert!(fake.owner.state.table.processes().next().is_none());
    assert_eq!(fault_of(&mut fake.call(remove())), FaultKind::BadName.code());
    assert!(is_true(&mut fake.call(add())));
    fake.turn();
    assert!(fake.pid_of("a").is_some(), "it starts automatically");
}

#[test]
fn a_child_that_cannot_be_killed_has_no_pipes_when_its_group_is_removed() {
    let mut fake = started(CAT);
    let id = id_of(&fake, "a");
    fake.world.borrow_mut().failing_kill = true;
    drop(fake.call(stop("a")));
    assert!(fake.owner.io.pipes.output(id, OutputChannel::Stdout).is_some());
    assert!(is_true(&mut fake.call(RpcRequest::RemoveProcessGroup { name: "a".into() })));
    assert!(fake.owner.io.pipes.output(id, OutputChannel::Stdout).is_none());
}

#[test]
fn the_events_of_a_pool_that_is_replaced_are_for_the_new_one() {
    let mut fake = started(POOL);
    let pid = fake.pid_of("pool").unwrap();
    drop(fake.call(remote("before")));
    drop(fake.call(stop("pool")));
    fake.exit(pid, 0);
    assert!(is_true(&mut fake.call(RpcRequest::RemoveProcessGroup { name: "pool".into() })));
    drop(fake.call(remote("between")));
    assert!(is_true(&mut fake.call(RpcRequest::AddProcessGroup { name: "pool".into() })));
    fake.turn();
    let next = fake.pid_of("pool").unwrap();
    for expected in ["before", "between"] {
        fake.write_output(
            next,
            false,
            if expected == "before" { b"READY\n" } else { b"RESULT 2\nOKREADY\n" },
        );
        fake.turn();
        assert!(String::from_utf8(fake.read_stdin(next)).unwrap().ends_with(expected), "{expected}");
    }
}

#[test]
fn a_shutdown_kills_a_child_that_ignores_its_stop_signal_and_ends_then() {
    let mut fake = started(CAT);
    let pid = fake.pid_of("a").unwrap();
    let begin = fake.now().mono;
    fake.signal(Signal::SIGTERM);
    fake.turn_until(|fake| {
        fake.signal(Signal::SIGCHLD);
        fake.world.borrow().alive.is_empty()
    });
    assert_eq!(fake.world.borrow().signals, [(pid, signal::TERM), (pid, signal::KILL)]);
    assert_eq!(fake.now().mono - begin, Duration::from_secs(10), "stopwaitsecs");
    assert!(fake.turn(), "it is over");
}

#[test]
fn in_a_shutdown_listeners_stop_last_and_get_a_moment_for_their_events() {
    let mut fake = started(POOL);
    let (listener, program) = (fake.pid_of("pool").unwrap(), fake.pid_of("loud").unwrap());
    drop(fake.call(remote("an alert")));
    fake.signal(Signal::SIGTERM);
    fake.turn();
    assert_eq!(fake.world.borrow().signals, [(program, signal::TERM)]);
    fake.exit(program, 0);
    let begin = fake.now().mono;
    fake.turn_until(|fake| fake.world.borrow().signals.len() == 2);
    assert_eq!(fake.world.borrow().signals[1], (listener, signal::TERM));
    assert_eq!(fake.now().mono - begin, Duration::from_millis(1_500));
}

#[test]
fn nothing_restarts_in_a_shutdown() {
    let mut fake = started(&CAT.replace("startsecs=1", "startsecs=0\nautorestart=true"));
    fake.signal(Signal::SIGTERM);
    fake.exit(fake.pid_of("a").unwrap(), 1);
    assert!(fake.turn(), "it is over");
    assert_eq!(fake.world.borrow().started, 1);
}

/// An owner whose program `a` logs to a pipe, and the end of that pipe that a test reads.
fn with_slow_log() -> (Fake, OwnedFd) {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("a.log");
    mknodat(CWD, &fifo, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let reader = open(&fifo, OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty()).unwrap();
    let mut fake = Fake::in_folder(folder, CAT);
    fake.start_all();
    fake.turn();
    (fake, reader)
}

#[test]
fn a_shutdown_that_waits_for_the_reader_of_a_log_sleeps_between_its_attempts() {
    let (mut fake, _reader) = with_slow_log();
    let pid = fake.pid_of("a").unwrap();
    for _ in 0..10 {
        fake.write_output(pid, false, &[b'x'; 60_000]);
        fake.turn();
    }
    fake.signal(Signal::SIGTERM);
    assert!(!fake.turn(), "the log reports that a is waited for");
    fake.advance(Duration::from_secs(4));
    fake.exit(pid, 0);
    let begin = fake.now().mono;
    while !fake.turn() {
        let pause = fake.owner.next_deadline().saturating_sub(fake.now().mono);
        assert!(!pause.is_zero(), "it is not awake all the time");
        fake.advance(pause);
    }
    assert_eq!(fake.now().mono - begin, Duration::from_secs(3));
}

#[test]
fn a_fastcgi_socket_is_opened_by_the_first_process_and_closed_with_the_last() {
    let mut fake = Fake::new(
        "[fcgi-program:f]\ncommand=cat\nprocess_name=f%(process_num)s\nnumprocs=2\nstartsecs=0\n\
         socket=unix://FOLDER/f.sock\nstdout_logfile=NONE\nstderr_logfile=NONE\n",
    );
    fake.world.borrow_mut().failing_spawns = 2;
    fake.start_all();
    fake.turn();
    let opened = |fake: &Fake| fake.main_log().matches("Creating socket").count();
    assert_eq!(opened(&fake), 2, "a process that was not started does not keep it open");
    fake.turn_until(|fake| state_of(fake, "f1") == ProcessState::Running);
    assert_eq!(opened(&fake), 3);
    for (name, closed) in [("f0", 0), ("f1", 1)] {
        fake.exit(fake.pid_of(name).unwrap(), 0);
        assert_eq!(fake.main_log().matches("Closing socket").count(), closed);
    }
}

#[test]
fn a_slow_log_pauses_its_writer_and_gets_everything_in_the_end() {
    let (mut fake, reader) = with_slow_log();
    let (id, pid) = (id_of(&fake, "a"), fake.pid_of("a").unwrap());
    let mut written = 0;
    for _ in 0..60 {
        written += fake.write_output(pid, false, &[b'x'; 60_000]);
        fake.advance(Duration::from_millis(10));
        fake.turn();
    }
    let output = fake.owner.io.pipes.output(id, OutputChannel::Stdout).unwrap();
    assert!(output.is_paused() && output.has_backlog(), "{written} bytes were taken");
    assert!(written < 60 * 60_000);
    let (mut read, mut buffer) = (0, vec![0; 1 << 20]);
    fake.exit(pid, 0);
    fake.turn_until(|fake| {
        read += rustix::io::read(&reader, &mut buffer).unwrap_or(0);
        !fake.owner.io.slow_logs.is_waiting()
    });
    read += rustix::io::read(&reader, &mut buffer).unwrap_or(0);
    assert_eq!(read, written);
}
