//! Events as no supervisord writes them, and pages that are none: what the originals do with them, ours do.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::Write;
use std::process::Stdio;

use ironlance_e2e::mailer::Mailer;
use ironlance_e2e::transcript::{redact_times, without_additions};
use ironlance_e2e::web_server::{ServerBehaviour, WebServer};
use ironlance_e2e::{FakeSupervisor, Implementation, ListenerScenario, TestDir, Transcript, WireEvent};

/// What a page says that is out of order.
const OOPS: &[u8] = b"HTTP/1.1 500 Oops\r\n\r\n";
const MAIL: &str = "-m ops@example.com -s {mailer}";

/// What both write to stdout and stderr when their input is these bytes.
fn agree_on_bytes(line: &str, input: &[u8]) -> (String, String) {
    let printed = Implementation::BOTH.map(|implementation| {
        let dir = TestDir::new().unwrap();
        let mailer = Mailer::new(&dir).unwrap();
        let mut words = line.split_whitespace().map(|word| word.replace("{mailer}", mailer.command()));
        let mut command =
            dir.command(implementation.path(&words.next().unwrap()).unwrap(), implementation).unwrap();
        command.args(words).env("SUPERVISOR_SERVER_URL", "unix:///nobody/listens.sock");
        let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = pipes.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = |bytes: &[u8]| redact_times(&String::from_utf8_lossy(bytes), dir.folder());
        if implementation == Implementation::Ours {
            assert_eq!(output.status.code(), Some(0), "{line}: {}", text(&output.stderr));
        }
        (text(&output.stdout), without_additions(&text(&output.stderr)))
    });
    let [original, ours] = printed;
    assert_eq!(ours, original, "{line}");
    ours
}

const CRASHMAIL: &str = "crashmail -m ops@example.com -s {mailer}";
const BATCH: &str = "crashmailbatch -t a@example.com -f b@example.com";
const FATAL: &str = "fatalmailbatch -t a@example.com -f b@example.com";

#[test]
fn events_that_are_none_of_its_business_need_not_be_right() {
    let exited = WireEvent::new("PROCESS_STATE_EXITED", "processname:cat groupname:cat");
    let junk = |name: &str| WireEvent::new(name, "junk");
    for (line, events) in [
        (CRASHMAIL, [junk("PROCESS_STATE_STARTING"), WireEvent::new("PROCESS_STATE_FATAL", "")]),
        (BATCH, [junk("PROCESS_STATE_FATAL"), junk("PROCESS_STATE_DANCING")]),
        (FATAL, [exited.clone(), junk("PROCESS_STATE_BACKOFF")]),
        ("memmon -a 1GB", [exited.clone(), junk("PROCESS_STATE_RUNNING")]),
        ("httpok -p cat http://127.0.0.1:1/", [exited.clone(), junk("PROCESS_COMMUNICATION_STDOUT")]),
    ] {
        let input: Vec<u8> = (0..).zip(&events).flat_map(|(serial, event)| event.encode(serial)).collect();
        let (stdout, stderr) = agree_on_bytes(line, &input);
        assert_eq!(stdout.matches("OK").count(), 2, "{line}");
        assert_eq!(stderr, "", "{line}");
    }
}

#[test]
fn a_body_that_the_end_of_input_cuts_short_is_dealt_with() {
    let body = "processname:cat groupname:cat from_state:RUNNING expected:0 pid:7";
    // As from somebody who counts bytes, and not characters, of another name.
    let input = format!("ver:3.0 eventname:PROCESS_STATE_EXITED len:{}\n{body}", body.len() + 5);
    for (line, words) in [(CRASHMAIL, "unexpected exit, mailing"), (BATCH, "Process cat:cat (pid 7) died")] {
        let (stdout, stderr) = agree_on_bytes(line, input.as_bytes());
        assert!(stdout.ends_with("OKREADY\n") && stderr.contains(words), "{line}: {stdout}{stderr}");
    }
}

fn listener_scenario<'a>(command: &'a str, args: &str, events: &[WireEvent]) -> ListenerScenario<'a> {
    let shop = |supervisor: &FakeSupervisor| {
        supervisor.running("cat", std::process::id());
        supervisor.stopped("shop:db");
    };
    ListenerScenario::new(command, &format!("{MAIL} {args}"), events).with(shop)
}

#[test]
fn whatever_begins_with_tick_is_a_tick() {
    let events = ["TICK", "TICK_X", "TICKLE", "TOCK", "TICK_5"].map(|name| WireEvent::new(name, ""));
    let server = WebServer::start(ServerBehaviour::Raw(OOPS)).unwrap();
    let page = format!("-p cat -t 1 {}/", server.url());
    for (command, args) in [("memmon", "-p cat=1KB -n x"), ("httpok", page.as_str())] {
        let listener_scenario = listener_scenario(command, args, &events);
        // How much memory the test takes differs from one to the other.
        let [original, ours] = [listener_scenario.original().unwrap(), listener_scenario.ours(4).unwrap()]
            .map(|seen| seen.actions);
        assert_eq!((ours.len(), &ours), (8, &original), "{command}");
    }
}

#[test]
fn a_supervisor_without_programs_is_told_about() {
    let server = WebServer::start(ServerBehaviour::Raw(OOPS)).unwrap();
    let page = format!("{}/", server.url());
    for args in ["-p cat", "-a", ""] {
        let args = format!("{MAIL} {args} {page}");
        let transcript = ListenerScenario::new("httpok", &args, &[WireEvent::tick(60)]).compare().unwrap();
        assert_eq!(transcript.mails.len(), 1, "{args}");
    }
}

#[test]
fn what_a_page_says_instead_of_http_is_told_in_the_originals_words() {
    let answers: [(&'static [u8], &str); 7] = [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "\n\n SSH-2.0-OpenSSH_9.2"),
        (b"HTTP/1.1 abc OK\r\n\r\n", "\n\n HTTP/1.1 abc OK"),
        (b"HTTP/2.0 200 OK\r\n\r\n", "\n\n HTTP/2.0\n"),
        (b"HTTP/1.1 500 Gr\xf6\xdfe\r\n\r\n", ": 500 Größe\n"),
        (b"HTTP/1.1 500   out  to lunch \r\n\r\n", ": 500 out  to lunch\n"),
        (b"HTTP/1.0 404\r\n\r\n", ": 404 \n"),
        (b"", "Remote end closed connection without response"),
    ];
    for (answer, words) in answers {
        let server = WebServer::start(ServerBehaviour::Raw(answer)).unwrap();
        let args = format!("-p cat {}/", server.url());
        let [original, ours] = {
            let listener_scenario = listener_scenario("httpok", &args, &[WireEvent::tick(60)]);
            // Ours has no carriage return within a mail.
            [listener_scenario.original().unwrap(), listener_scenario.ours(1).unwrap()].map(without_returns)
        };
        assert_eq!(ours, original, "{answer:?}");
        assert!(ours.mails[0].contains(words), "{answer:?}: {}", ours.mails[0]);
    }
}

fn without_returns(transcript: Transcript) -> Transcript {
    let mails = transcript.mails.iter().map(|mail| mail.replace("\r\n", "\n")).collect();
    Transcript { mails, ..transcript }
}
