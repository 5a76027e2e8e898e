//! Bodies, byte for byte.

use super::*;

fn cat() -> Rc<Namespec> {
    Rc::new(Namespec::new("pets", "cat"))
}

#[test]
fn state_events_carry_what_their_type_promises() {
    use ProcessState as S;
    let body = |from, to, detail| Notice::state(&cat(), from, to, detail).body.text().to_string();
    assert_eq!(
        body(S::Stopped, S::Starting, StateDetail::Tries(0)),
        "processname:cat groupname:pets from_state:STOPPED tries:0"
    );
    assert_eq!(
        body(S::Starting, S::Running, StateDetail::Pid(2766)),
        "processname:cat groupname:pets from_state:STARTING pid:2766"
    );
    assert_eq!(
        body(S::Running, S::Exited, StateDetail::Exit { expected: false, pid: 2766 }),
        "processname:cat groupname:pets from_state:RUNNING expected:0 pid:2766"
    );
    assert_eq!(
        body(S::Backoff, S::Fatal, StateDetail::Nothing),
        "processname:cat groupname:pets from_state:BACKOFF"
    );
    assert_eq!(
        Notice::state(&cat(), S::Backoff, S::Fatal, StateDetail::Nothing).kind,
        EventKind::ProcessStateFatal
    );
}

#[test]
fn output_is_passed_on_as_text_and_what_is_no_text_as_python_shows_bytes() {
    let log = Notice::log(OutputChannel::Stderr, &cat(), 9, "grüß\n".as_bytes());
    assert_eq!(log.kind, EventKind::ProcessLogStderr);
    assert_eq!(&*log.body.text(), "processname:cat groupname:pets pid:9 channel:stderr\ngrüß\n");
    let raw = Notice::log(OutputChannel::Stdout, &cat(), 9, b"it's \xff\n\"");
    assert_eq!(
        &*raw.body.text(),
        "processname:cat groupname:pets pid:9 channel:stdout\nUndecodable: b'it\\'s \\xff\\n\"'"
    );
    let comm = Notice::communication(OutputChannel::Stdout, &cat(), 9, b"Hello!");
    assert_eq!(comm.kind, EventKind::ProcessCommunicationStdout);
    assert_eq!(&*comm.body.text(), "processname:cat groupname:pets pid:9\nHello!");
}

#[test]
fn the_other_bodies_are_those_of_the_original() {
    assert_eq!(&*Notice::remote("deploy", "v2\n").body.text(), "type:deploy\nv2\n");
    assert_eq!(&*Notice::supervisor_running().body.text(), "");
    assert_eq!(Notice::supervisor_stopping().kind, EventKind::SupervisorStateChangeStopping);
    let tick = Notice::tick(60, 1_763_899_980);
    assert_eq!((tick.kind, &*tick.body.text()), (EventKind::Tick60, "when:1763899980"));
    assert_eq!(Notice::tick(5, 0).kind, EventKind::Tick5);
    assert_eq!(Notice::tick(3600, 0).kind, EventKind::Tick3600);
    assert_eq!(&*Notice::group_added(&GroupName("web".into())).body.text(), "groupname:web\n");
    assert_eq!(Notice::group_removed(&GroupName("web".into())).kind, EventKind::ProcessGroupRemoved);
}
