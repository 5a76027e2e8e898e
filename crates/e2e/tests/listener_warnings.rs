//! What listeners say about their own wiring: names that match nothing, events of which they make nothing.

use ironlance_e2e::daemon::Daemon;
use ironlance_e2e::xmlrpc::XmlValue;
use ironlance_e2e::{FakeAnswer, FakeSupervisor, Implementation, Listener, TestDir, WireEvent};

/// The events of the article that everybody copies.
const ARTICLE: &str = "PROCESS_STATE_EXITED,PROCESS_STATE_STOPPED,PROCESS_STATE_FATAL,PROCESS_LOG_STDERR";

#[test]
fn a_name_that_matches_nothing_and_events_without_use_are_told_at_the_start() {
    let dir = TestDir::new().unwrap();
    let daemon = Daemon::start(
        &dir,
        Implementation::Ours,
        &format!(
            "[program:worker]\ncommand=sleep 1000\nnumprocs=2\nprocess_name=%(program_name)s_%(process_num)d\n\
             [eventlistener:crashmail]\ncommand=crashmail -p wroker -m a@b -s true\nevents={ARTICLE}\n\
             stderr_logfile={{dir}}/crashmail.err\n\
             [eventlistener:httpok]\ncommand=httpok -p worker -p 'worker:*' http://127.0.0.1:1/\nevents=TICK_3600\n\
             stderr_logfile={{dir}}/httpok.err\n\
             [eventlistener:memmon]\ncommand=memmon -g workers=1GB\nevents=TICK_3600\n\
             stderr_logfile={{dir}}/memmon.err\n"
        ),
    )
    .unwrap();
    for (file, line) in [
        ("crashmail.err", "note: --program wroker names nothing that is there: did you mean worker:*?\n"),
        ("crashmail.err", "note: no program that is named is there: this listener has nothing to do\n"),
        (
            "crashmail.err",
            "note: of PROCESS_STATE_STOPPED and PROCESS_STATE_FATAL no mail is made (--on exited): \
             --on exited,fatal,stopped would; PROCESS_LOG_STDERR can make no mail\n",
        ),
        ("httpok.err", "note: --program worker names nothing that is there: did you mean worker:*?\n"),
        ("memmon.err", "note: --group workers names nothing that is there: did you mean worker?\n"),
    ] {
        daemon.wait_file(file, line).unwrap();
    }
    // Whoever looks at the listeners sees it too.
    let listeners = format!("{:?}", daemon.ask("ironlance.getListeners", &[]).unwrap().unwrap());
    for name in
        ["wroker; did you mean worker:*?", "program that is not in this configuration: worker;", "workers"]
    {
        assert!(listeners.contains(name), "{name} in {listeners}");
    }
}

#[test]
fn under_another_supervisord_each_kind_without_use_is_told_when_it_comes_first() {
    let (dir, surroundings) = (TestDir::new().unwrap(), TestDir::new().unwrap());
    let supervisor = FakeSupervisor::start(&surroundings).unwrap();
    let info =
        |name: &str| XmlValue::Struct(vec![("group".into(), name.into()), ("name".into(), name.into())]);
    supervisor.answer_next(
        "supervisor.getAllConfigInfo",
        FakeAnswer::Value(XmlValue::Array(vec![info("cat"), info("dog")])),
    );
    let mut command = dir.ours("crashmail").unwrap();
    command.args(["-p", "cat", "-p", "dgo"]).env("SUPERVISOR_SERVER_URL", supervisor.url());
    let mut listener = Listener::start(command, dir.path("stderr")).unwrap();
    listener.wait_stderr("note: --program dgo names nothing that is there: did you mean dog?\n").unwrap();
    for _ in 0..2 {
        listener.handle(&WireEvent::fatal("cat")).unwrap();
        listener.handle(&WireEvent::state("RUNNING", "cat", "STARTING", " pid:7")).unwrap();
    }
    let stderr = listener.stderr().unwrap();
    let note = "note: of PROCESS_STATE_FATAL no mail is made (--on exited): --on exited,fatal would\n";
    assert_eq!(stderr.matches(note).count(), 1, "{stderr}");
    assert_eq!(stderr.matches("note: ").count(), 2, "{stderr}");
}

#[test]
fn a_supervisord_that_does_not_answer_holds_nobody_up() {
    let (dir, surroundings) = (TestDir::new().unwrap(), TestDir::new().unwrap());
    let supervisor = FakeSupervisor::start(&surroundings).unwrap();
    supervisor.answer_next("supervisor.getAllConfigInfo", FakeAnswer::Silence);
    let mut command = dir.ours("crashmail").unwrap();
    command.args(["-p", "dgo"]).env("SUPERVISOR_SERVER_URL", supervisor.url());
    let mut listener = Listener::start(command, dir.path("stderr")).unwrap();
    for pid in 1..4 {
        listener.handle(&WireEvent::crashed("cat", pid)).unwrap();
    }
    assert_eq!(listener.close().unwrap(), Some(0));
    assert_eq!(listener.stderr().unwrap(), "");
}
