//! One behaviour each: what the owner does with its children, listeners, logs and clients.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use ironlance_core::event::OutputChannel;
use ironlance_core::{ProcessState, signal};

use super::Fake;
use crate::signals::DaemonSignal;
use crate::state::ids::ProcessId;

fn only_process(fake: &Fake) -> ProcessId {
    fake.owner.state.table.processes().next().unwrap().0
}

fn state_of(fake: &Fake, id: ProcessId) -> ProcessState {
    fake.owner.state.table.process(id).unwrap().lifecycle.state()
}

const CAT: &str = "[program:a]\ncommand=cat\nstartsecs=1\nstdout_logfile=FOLDER/a.log\n";

#[test]
fn after_a_panic_in_the_middle_of_reading_pipes_are_read_on() {
    let mut fake = Fake::new(CAT);
    fake.start_all();
    fake.turn();
    let (id, pid) = (only_process(&fake), fake.pid_of("a").unwrap());
    fake.owner.panic_on = Some(b"boom");
    fake.write_output(pid, false, b"boom");
    catch_unwind(AssertUnwindSafe(|| fake.owner.drain(id))).unwrap_err();
    fake.owner.emergency_stop("a test");
    fake.write_output(pid, false, b"last words\n");
    fake.owner.drain(id);
    assert!(
        fake.owner.io.pipes.output(id, OutputChannel::Stdout).unwrap().fd().is_some(),
        "the pipe is still open"
    );
    assert_eq!(std::fs::read_to_string(fake.folder.path().join("a.log")).unwrap(), "last words\n");
    assert!(fake.main_log().contains("a test"));
}

#[test]
fn a_program_is_running_after_its_startsecs_and_not_before() {
    let mut fake = Fake::new(CAT);
    fake.start_all();
    fake.turn();
    let id = only_process(&fake);
    assert_eq!(state_of(&fake, id), ProcessState::Starting);
    fake.advance(Duration::from_millis(999));
    fake.turn();
    assert_eq!(state_of(&fake, id), ProcessState::Starting);
    fake.advance(Duration::from_millis(1));
    fake.turn();
    assert_eq!(state_of(&fake, id), ProcessState::Running);
}

#[test]
fn a_shutdown_kills_a_child_that_ignores_its_stop_signal_and_ends_then() {
    let mut fake = Fake::new(CAT);
    fake.start_all();
    fake.turn();
    let pid = fake.pid_of("a").unwrap();
    let begin = fake.now().mono;
    fake.signal(DaemonSignal::Terminate);
    fake.turn_until(|fake| {
        fake.signal(DaemonSignal::Child);
        fake.world.borrow().alive.is_empty()
    });
    assert_eq!(fake.world.borrow().signals, [(pid, signal::TERM), (pid, signal::KILL)]);
    assert_eq!(fake.now().mono - begin, Duration::from_secs(10), "stopwaitsecs");
    assert!(fake.turn(), "it is over");
}
