//! Bodies, byte for byte, and back.

use proptest::prelude::*;

use super::*;

fn cat() -> Rc<Namespec> {
    Rc::new(Namespec::new("pets", "cat"))
}

fn state(from: ProcessState, to: ProcessState, detail: StateDetail) -> Event {
    Event::state(cat(), from, to, detail)
}

#[test]
fn state_events_carry_what_their_type_promises() {
    use ProcessState as S;
    let body = |from, to, detail| encode(&state(from, to, detail));
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
    assert_eq!(state(S::Backoff, S::Fatal, StateDetail::Nothing).kind(), EventKind::ProcessStateFatal);
}

#[test]
fn output_is_passed_on_as_text_and_what_is_no_text_as_python_shows_bytes() {
    let log = Event::Log(OutputChannel::Stderr, ProcessOutput::new(&cat(), 9, "grüß\n".as_bytes()));
    assert_eq!(log.kind(), EventKind::ProcessLogStderr);
    assert_eq!(encode(&log), "processname:cat groupname:pets pid:9 channel:stderr\ngrüß\n");
    let raw = Event::Log(OutputChannel::Stdout, ProcessOutput::new(&cat(), 9, b"it's \xff\n\""));
    assert_eq!(
        encode(&raw),
        "processname:cat groupname:pets pid:9 channel:stdout\nUndecodable: b'it\\'s \\xff\\n\"'"
    );
    let communication = Event::Communication(OutputChannel::Stdout, ProcessOutput::new(&cat(), 9, b"Hello!"));
    assert_eq!(communication.kind(), EventKind::ProcessCommunicationStdout);
    assert_eq!(encode(&communication), "processname:cat groupname:pets pid:9\nHello!");
}

#[test]
fn the_other_bodies_are_those_of_the_original() {
    assert_eq!(encode(&Event::remote("deploy", "v2\n")), "type:deploy\nv2\n");
    assert_eq!(encode(&Event::SupervisorRunning), "");
    assert_eq!(Event::SupervisorStopping.kind(), EventKind::SupervisorStateChangeStopping);
    let tick = Event::Tick { seconds: 60, when: 1_763_899_980 };
    assert_eq!((tick.kind(), encode(&tick).as_str()), (EventKind::Tick60, "when:1763899980"));
    assert_eq!(Event::Tick { seconds: 5, when: 0 }.kind(), EventKind::Tick5);
    assert_eq!(Event::Tick { seconds: 3600, when: 0 }.kind(), EventKind::Tick3600);
    let group = Rc::new(GroupName("web".into()));
    assert_eq!(encode(&Event::GroupAdded(Rc::clone(&group))), "groupname:web\n");
    assert_eq!(Event::GroupRemoved(group).kind(), EventKind::ProcessGroupRemoved);
}

#[test]
fn an_exit_that_does_not_say_whether_it_was_expected_is_refused() {
    let body = "processname:cat groupname:pets from_state:RUNNING pid:2766";
    let error = decode(EventKind::ProcessStateExited, body).unwrap_err();
    assert_eq!(error.to_string(), "cannot read the body of PROCESS_STATE_EXITED: no expected: token");
}

#[test]
fn a_body_of_a_strange_supervisor_is_read_as_far_as_it_goes() {
    let change = decode_state(
        EventKind::ProcessStateExited,
        "groupname:a processname:b expected:1 more:x from_state:ODD\nand more",
    );
    let detail = StateDetail::Exit { expected: true, pid: 0 };
    let process = Rc::new(Namespec::new("a", "b"));
    assert_eq!(change, Ok(StateChange { process, from: None, to: ProcessState::Exited, detail }));
    assert_eq!(detail.pid(), None);
    for (kind, body, words) in [
        (EventKind::Tick5, "when:never", "cannot read the body of TICK_5: when:never is not a number"),
        (EventKind::ProcessLogStdout, "processname:a:b", "\"processname:a:b\" is not key:value"),
        (EventKind::RemoteCommunication, "kind:x\n", "no type: token"),
        (EventKind::ProcessStateExited, "expected:2", "expected:2 is neither 0 nor 1"),
        (EventKind::Event, "", "no event has this type itself"),
    ] {
        let error = decode(kind, body).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}

fn word() -> impl Strategy<Value = String> {
    "[^\\s:]{1,12}"
}

fn any_event() -> impl Strategy<Value = Event> {
    let process = || (word(), word()).prop_map(|(group, process)| Rc::new(Namespec::new(group, process)));
    let channel = prop_oneof![Just(OutputChannel::Stdout), Just(OutputChannel::Stderr)];
    let output = || {
        (process(), any::<u32>(), any::<String>())
            .prop_map(|(process, pid, text)| Rc::new(ProcessOutput { process, pid, text: text.into() }))
    };
    let known_state = || prop::sample::select(ProcessState::ALL.to_vec());
    let detail = prop_oneof![
        Just(StateDetail::Nothing),
        any::<u32>().prop_map(StateDetail::Tries),
        any::<u32>().prop_map(StateDetail::Pid),
    ];
    let exit = (any::<bool>(), any::<u32>()).prop_map(|(expected, pid)| StateDetail::Exit { expected, pid });
    let change = (process(), prop::option::of(known_state()), known_state(), detail, exit).prop_map(
        |(process, from, to, detail, exit)| {
            let detail = if to == ProcessState::Exited { exit } else { detail };
            StateChange { process, from, to, detail }
        },
    );
    let group = || word().prop_map(|name| Rc::new(GroupName(name)));
    prop_oneof![
        change.prop_map(Event::State),
        (channel.clone(), output()).prop_map(|(channel, output)| Event::Log(channel, output)),
        (channel, output()).prop_map(|(channel, output)| Event::Communication(channel, output)),
        ("[^\n]{0,9}", any::<String>()).prop_map(|(kind, data)| Event::remote(&kind, &data)),
        Just(Event::SupervisorRunning),
        Just(Event::SupervisorStopping),
        (prop::sample::select(vec![5_u32, 60, 3600]), any::<u64>())
            .prop_map(|(seconds, when)| Event::Tick { seconds, when }),
        group().prop_map(Event::GroupAdded),
        group().prop_map(Event::GroupRemoved),
    ]
}

proptest! {
    #[test]
    fn what_was_encoded_is_decoded_to_the_same_event(event in any_event()) {
        prop_assert_eq!(decode(event.kind(), &encode(&event)), Ok(event));
    }

    #[test]
    fn a_shortened_event_has_the_beginning_of_the_body(event in any_event(), max in 0_usize..200) {
        let body = encode(&event);
        match event.shortened(max) {
            Some(short) => {
                let short = encode(&short);
                prop_assert!(body.len() > max && short.len() < body.len().max(1) + 1);
                prop_assert!(short.lines().next().is_none_or(|line| body.starts_with(line)));
            }
            None => prop_assert!(body.len() <= max || !event_has_text(&event)),
        }
    }

    #[test]
    fn no_body_makes_the_decoder_panic(kind in prop::sample::select(EventKind::ALL.to_vec()), body in "(?s).*") {
        let _ = decode(kind, &body);
    }

    #[test]
    fn nearly_right_bodies_make_no_panic_either(
        kind in prop::sample::select(EventKind::ALL.to_vec()),
        body in "(processname:[a-z]{0,3} |groupname:[a-z]* |pid:[0-9a-z]{0,12} |expected:[0-9] |when:[0-9]* |\n|type:.)*",
    ) {
        if let Ok(event) = decode(kind, &body) {
            prop_assert_eq!(event.kind(), kind);
        }
    }
}

fn event_has_text(event: &Event) -> bool {
    matches!(event, Event::Log(..) | Event::Communication(..) | Event::Remote(_))
}
