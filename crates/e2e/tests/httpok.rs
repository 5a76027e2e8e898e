//! httpok: every option of the original, held against it, and pages that misbehave.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use ironlance_e2e::web_server::closed_port;
use ironlance_e2e::{
    FakeAnswer, FakeSupervisor, ListenerScenario, ServerBehaviour, Transcript, WebServer, WireEvent,
};

const MAIL: &str = "-m ops@example.com -s {mailer}";

fn shop(supervisor: &FakeSupervisor) {
    supervisor.running("httpok:httpok", 99);
    supervisor.running("cat", 1001);
    supervisor.running("shop:web", 1002);
    supervisor.stopped("shop:db");
}

fn listener_scenario<'a>(args: &str, events: &[WireEvent]) -> ListenerScenario<'a> {
    ListenerScenario::new("httpok", args, events).with(shop)
}

fn agree(args: &str, behaviour: ServerBehaviour) -> Transcript {
    let page = WebServer::start(behaviour).unwrap();
    let args = args.replace("{url}", &page.url());
    listener_scenario(&args, &[WireEvent::tick(60)]).compare().unwrap()
}

#[test]
fn a_good_page_is_left_alone() {
    for args in [
        "-p cat {url}/",
        "-p cat {url}",
        "-p cat -t 3 -m ops@example.com {url}/a/b?c=d&e#fragment",
        "-p cat -c 200 -c 204 -b welcome {url}/",
        "--program=cat --timeout=3 --code 200 {url}/",
        "-a -e {url}/",
    ] {
        // The original cannot look for text in a body on Python 3: see the test below.
        let args = args.replace("-b welcome ", "");
        let transcript =
            agree(&format!("{MAIL} {args}"), ServerBehaviour::Answer("200 OK", "you are welcome"));
        assert_eq!((transcript.actions.len(), transcript.mails.len()), (0, 0), "{args}");
    }
}

#[test]
fn a_bad_status_restarts_what_was_chosen_and_mails() {
    for (args, restarts) in [
        ("-p cat {url}/", 1),
        ("-p cat -p shop:web {url}/x", 2),
        ("-p shop:db {url}/", 0),
        ("-p shop:web -p nobody -p no:body {url}/", 1),
        ("--program cat --name main {url}/", 1),
        ("--prog=cat --not-eager {url}/", 1),
        ("-p cat -n web␣1 {url}/", 1),
        ("-p cat -c 200 -c 404 {url}/", 1),
        ("{url}/", 0),
        ("-Ep cat {url}/", 1),
        ("-E -p db {url}/", 0),
    ] {
        let transcript =
            agree(&format!("{MAIL} {args}"), ServerBehaviour::Answer("500 Internal Server Error", "oops"));
        assert_eq!(transcript.actions.len(), 2 * restarts, "{args}");
    }
}

#[test]
fn a_status_may_be_expected() {
    for (status, args) in
        [("404 Not Found", "-c 404"), ("302 Found", "-c 200 -c 302"), ("500 Oh no", "--code=500")]
    {
        let transcript =
            agree(&format!("{MAIL} -p cat {args} {{url}}/"), ServerBehaviour::Answer(status, ""));
        assert!(transcript.actions.is_empty(), "{args}");
    }
}

#[test]
fn a_page_that_hangs_or_hangs_up_is_a_bad_page() {
    for (behaviour, args) in [
        (ServerBehaviour::Hang, "-t 1"),
        (ServerBehaviour::Close, "-t 2"),
        (ServerBehaviour::Answer("204 No Content", ""), ""),
    ] {
        let transcript = agree(&format!("{MAIL} {args} -p cat {{url}}/"), behaviour);
        assert_eq!((transcript.actions.len(), transcript.mails.len()), (2, 1), "{args}");
    }
}

#[test]
fn a_page_that_drips_holds_the_original_and_not_us() {
    let page = WebServer::start(ServerBehaviour::Drip).unwrap();
    let args = format!("{MAIL} -t 1 -p cat {}/", page.url());
    let ours = listener_scenario(&args, &[WireEvent::tick(60)]).ours(1).unwrap();
    assert_eq!(ours.actions.len(), 2);
    assert!(ours.mails[0].contains("timed out"), "{}", ours.mails[0]);
}

#[test]
fn a_refused_connection_is_a_bad_page() {
    let args = format!("{MAIL} -t 1 -p cat http://127.0.0.1:{}/", closed_port().unwrap());
    let listener_scenario = listener_scenario(&args, &[WireEvent::tick(60)]);
    let original = listener_scenario.original().unwrap();
    let ours = listener_scenario.ours(1).unwrap();
    assert_eq!(ours.actions, original.actions);
    assert!(ours.mails[0].contains("[Errno 111] Connection refused"), "{}", ours.mails[0]);
}

#[test]
fn text_in_the_body_is_looked_for() {
    let page = WebServer::start(ServerBehaviour::Answer("200 OK", "you are welcome")).unwrap();
    let line = |text: &str| format!("{MAIL} -p cat -b {text} {}/", page.url());
    assert!(listener_scenario(&line("welcome"), &[WireEvent::tick(60)]).ours(0).unwrap().actions.is_empty());
    let ours = listener_scenario(&line("goodbye"), &[WireEvent::tick(60)]).ours(1).unwrap();
    assert_eq!(ours.actions, ["supervisor.stopProcess(cat)", "supervisor.startProcess(cat)"]);
    assert!(ours.mails[0].contains("bad body returned"), "{}", ours.mails[0]);
}

#[test]
fn any_restarts_every_running_program_but_itself() {
    let page = WebServer::start(ServerBehaviour::Answer("500 Oh no", "")).unwrap();
    let args = format!("{MAIL} -a {}/", page.url());
    let listener_scenario = listener_scenario(&args, &[WireEvent::tick(60)]);
    assert!(listener_scenario.original().unwrap().actions.iter().any(|action| action.contains("httpok")));
    let ours = listener_scenario.ours(1).unwrap();
    assert_eq!(ours.actions.len(), 4, "{:?}", ours.actions);
    assert!(ours.actions.iter().all(|action| !action.contains("httpok")), "{:?}", ours.actions);
}

#[test]
fn a_core_is_taken_first_and_its_output_mailed() {
    for args in ["-d {dir} -g echo␣gcore", "--coredir={dir} --gcore=echo␣gcore"] {
        let transcript =
            agree(&format!("{MAIL} {args} -p cat {{url}}/"), ServerBehaviour::Answer("500 No", ""));
        assert!(transcript.mails[0].contains("gcore output for cat:"), "{}", transcript.mails[0]);
        assert!(transcript.mails[0].contains("1001"), "{}", transcript.mails[0]);
    }
}

#[test]
fn faults_of_supervisord_are_told() {
    let page = WebServer::start(ServerBehaviour::Answer("500 No", "")).unwrap();
    let args = format!("{MAIL} -p cat -p shop:web {}/", page.url());
    let cases: [fn(&FakeSupervisor); 3] = [
        |supervisor| {
            supervisor.answer_next("supervisor.stopProcess", FakeAnswer::Fault(70, "NOT_RUNNING: cat"));
        },
        |supervisor| {
            supervisor
                .answer_next("supervisor.startProcess", FakeAnswer::Fault(50, "SPAWN_ERROR: it's \"odd\""));
        },
        |supervisor| {
            supervisor.answer_next("supervisor.stopProcess", FakeAnswer::Fault(10, "BAD_NAME"));
            supervisor.answer_next("supervisor.startProcess", FakeAnswer::Fault(10, "BAD_NAME: cat"));
        },
    ];
    for case in cases {
        let listener_scenario =
            ListenerScenario::new("httpok", &args, &[WireEvent::tick(60)]).with(|supervisor| {
                shop(supervisor);
                case(supervisor);
            });
        listener_scenario.compare().unwrap();
    }
}

#[test]
fn only_ticks_count_and_each_checks_anew() {
    let page = WebServer::start(ServerBehaviour::Answer("500 No", "")).unwrap();
    let args = format!("{MAIL} -p cat {}/", page.url());
    let events =
        [WireEvent::crashed("cat", 1), WireEvent::tick(5), WireEvent::fatal("cat"), WireEvent::tick(3600)];
    let transcript = listener_scenario(&args, &events).compare().unwrap();
    assert_eq!((transcript.actions.len(), transcript.mails.len()), (4, 2));
}

#[test]
fn without_an_address_it_restarts_and_is_silent() {
    let transcript = agree("-s {mailer} -p cat {url}/", ServerBehaviour::Answer("500 No", ""));
    assert_eq!((transcript.actions.len(), transcript.mails.len()), (2, 0));
}

#[test]
fn the_request_is_the_originals() {
    for path in ["/", "", "/a/b?c=d&e", "/a#fragment", "/?x"] {
        let request = |ours: bool| {
            let page = WebServer::start(ServerBehaviour::Answer("200 OK", "")).unwrap();
            let args = format!("-p cat {}{path}", page.url());
            let listener_scenario = listener_scenario(&args, &[WireEvent::tick(60)]);
            let _ = if ours { listener_scenario.ours(0) } else { listener_scenario.original() }.unwrap();
            let request = page.requests().remove(0).replace(&page.url()["http://".len()..], "HOST");
            let mut lines: Vec<String> = request.lines().map(str::to_lowercase).collect();
            lines[1..].sort();
            lines
        };
        let (original, ours) = (request(false), request(true));
        assert_eq!(original[0], ours[0], "{path}");
        for header in ["host: host", "user-agent: httpok"] {
            assert!(
                original.contains(&header.to_owned()) && ours.contains(&header.to_owned()),
                "{path}: {ours:?}"
            );
        }
    }
}
