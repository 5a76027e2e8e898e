//! What the originals do not have: choice, reasons, ways to send, and the test alert.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use ironlance_e2e::mail_server::{Certificate, FakeMailServerOptions};
use ironlance_e2e::web_server::closed_port;
use ironlance_e2e::{
    FakeMailServer, FakeSupervisor, Listener, ListenerScenario, MailText, Mailer, ServerBehaviour, TestDir,
    Transcript, WebServer, WireEvent,
};

fn ours(command: &str, args: &str, events: &[WireEvent], mails: usize) -> Transcript {
    ListenerScenario::new(command, args, events).ours(mails).unwrap()
}

/// Runs a command to its end, without a supervisord; gives exit code, stdout and stderr.
fn run(dir: &TestDir, name: &str, args: &[&str], env: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let mut command = dir.ours(name).unwrap();
    let output = command.args(args).envs(env.iter().copied()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn programs_and_groups_are_chosen_alike_on_the_crash_mailers() {
    let events = [
        WireEvent::crashed("cat", 1),
        WireEvent::crashed("shop:web", 2),
        WireEvent::crashed("shop:db", 3),
        WireEvent::tick(60),
    ];
    let batch = "-t a@example.com -f b@example.com -H {smtp}";
    for (choice, names) in [
        ("--program cat", vec!["cat"]),
        ("--program shop:web --program cat", vec!["cat", "web"]),
        ("--group shop", vec!["web", "db"]),
        ("--group !shop", vec!["cat"]),
        ("--program !web --program !cat", vec!["db"]),
    ] {
        for command in ["crashmailbatch", "crashsms"] {
            let transcript = ours(command, &format!("{batch} {choice}"), &events, 1);
            for name in ["cat", "web", "db"] {
                let is_named = transcript.mails[0].contains(&format!(":{name}"));
                assert_eq!(is_named, names.contains(&name), "{command} {choice} {name}");
            }
        }
        let args = format!("-m a@example.com -s {{mailer}} {choice}");
        assert_eq!(ours("crashmail", &args, &events, names.len()).mails.len(), names.len(), "{choice}");
    }
}

#[test]
fn on_chooses_what_is_worth_a_mail() {
    let events = [
        WireEvent::crashed("crashed", 1),
        WireEvent::finished("finished", 2),
        WireEvent::fatal("fatal"),
        WireEvent::state("BACKOFF", "backoff", "STARTING", " tries:1"),
        WireEvent::state("STOPPED", "stopped", "STOPPING", " pid:5"),
        WireEvent::state("RUNNING", "running", "STARTING", " pid:6"),
    ];
    for (list, names) in [
        ("exited", vec!["crashed"]),
        ("expected", vec!["finished"]),
        ("fatal,backoff", vec!["fatal", "backoff"]),
        ("exited,expected,stopped,running", vec!["crashed", "finished", "stopped", "running"]),
    ] {
        let args = format!("-m a@example.com -s {{mailer}} --on {list}");
        let transcript = ours("crashmail", &args, &events, names.len());
        let all = transcript.mails.join("\n");
        for name in ["crashed", "finished", "fatal", "backoff", "stopped", "running"] {
            assert_eq!(
                all.contains(&format!("rocess {name} ")),
                names.contains(&name),
                "{list} {name}\n{all}"
            );
        }
    }
}

#[test]
fn an_sms_fits_and_counts_what_it_leaves_out() {
    let mut events: Vec<WireEvent> = (1..=9).map(|pid| WireEvent::crashed("shop:web", pid)).collect();
    events.push(WireEvent::tick(60));
    for (option, limit) in [("--max-length", 160), ("--max-length 100", 100), ("--max-length=70", 70)] {
        let args = format!("-t a@example.com -f b@example.com -H {{smtp}} {option}");
        let transcript = ours("crashsms", &args, &events, 1);
        // Times were redacted to a shorter word, so the text can only have become shorter.
        let text = transcript.mails[0].split_once("\n[").map(|(_, text)| format!("[{text}")).unwrap();
        assert!(text.len() <= limit && text.contains(" more") && text.contains('+'), "{option}: {text}");
    }
}

#[test]
fn every_one_of_the_six_can_send_by_command_and_by_smtp() {
    let page = WebServer::start(ServerBehaviour::Answer("500 No", "")).unwrap();
    let url = format!("{}/", page.url());
    let own = std::process::id();
    let cases: [(&str, Vec<&str>); 6] = [
        ("crashmail", vec!["-m", "ops@example.com"]),
        ("crashmailbatch", vec!["-t", "ops@example.com", "-f", "sup@example.com"]),
        ("fatalmailbatch", vec!["-t", "ops@example.com", "-f", "sup@example.com"]),
        ("crashsms", vec!["-t", "ops@example.com", "-f", "sup@example.com"]),
        ("httpok", vec!["-m", "ops@example.com", "-p", "cat"]),
        ("memmon", vec!["-m", "ops@example.com", "-a", "1", "--notify-only"]),
    ];
    for (name, args) in cases {
        for by_smtp in [false, true] {
            let dir = TestDir::new().unwrap();
            let surroundings = TestDir::new().unwrap();
            let supervisor = FakeSupervisor::start(&surroundings).unwrap();
            supervisor.running("cat", own);
            let mailer = Mailer::new(&surroundings).unwrap();
            let server = FakeMailServer::start(&surroundings, &FakeMailServerOptions::default()).unwrap();
            let smtp = format!("smtp://127.0.0.1:{}", server.port());
            let host = if name.ends_with("batch") || name == "crashsms" { "--smtpHost" } else { "--smtp" };
            let mut command = dir.ours(name).unwrap();
            command.args(&args).env("SUPERVISOR_SERVER_URL", supervisor.url());
            let way = if by_smtp { [host, &smtp] } else { ["--sendmail_program", mailer.command()] };
            command.args(way);
            if name == "httpok" {
                command.arg(&url);
            }
            let mut listener = Listener::start(command, dir.path("stderr")).unwrap();
            for event in [WireEvent::crashed("cat", 7), WireEvent::fatal("cat"), WireEvent::tick(60)] {
                listener.handle(&event).unwrap();
            }
            let mail = if by_smtp {
                server.wait(1).unwrap()[0].content.clone()
            } else {
                mailer.wait(1).unwrap()[0].clone()
            };
            let mail = MailText::parse(&mail);
            assert_eq!(mail.header("To"), Some("ops@example.com"), "{name}");
            for header in ["Date", "Message-ID"] {
                assert!(mail.header(header).is_some(), "{name}: {header}");
            }
            assert_eq!(mail.header("Auto-Submitted"), Some("auto-generated"), "{name}");
        }
    }
}

#[test]
fn names_and_output_from_outside_cannot_write_headers() {
    let dir = TestDir::new().unwrap();
    let mailer = Mailer::new(&dir).unwrap();
    let mut command = dir.ours("crashmail").unwrap();
    command.args(["-m", "ops@example.com", "-o", "x\nBcc: evil@example.com", "-s", mailer.command()]);
    command.env("SUPERVISOR_SERVER_URL", "unix:///nowhere");
    let mut listener = Listener::start(command, dir.path("stderr")).unwrap();
    listener.handle(&WireEvent::crashed("cat", 7)).unwrap();
    let mails = mailer.wait(1).unwrap();
    let head = mails[0].split("\n\n").next().unwrap();
    assert!(!head.lines().any(|line| line.starts_with("Bcc")), "{head}");
}

#[test]
fn the_test_alert_tells_each_step_and_ends_with_0_or_1() {
    let dir = TestDir::new().unwrap();
    let setup = FakeMailServerOptions::default().auth("ops:secret").require_starttls();
    let server = FakeMailServer::start(&dir, &setup).unwrap();
    let authority = Certificate::of(&dir).unwrap().authority.display().to_string();
    let url = format!("smtp://ops@localhost:{}", server.port());
    let args = ["-m", "a@example.com", "--smtp", &url, "--tls", "--ca-file", &authority, "--test-alert"];
    let (code, printed, stderr) = run(&dir, "crashmail", &args, &[("IRONLANCE_SMTP_PASSWORD", "secret")]);
    assert_eq!(code, Some(0), "{printed}{stderr}");
    for step in ["resolved localhost", "connected to 127.0.0.1", "TLS", "authenticated as ops", "accepted"] {
        assert!(printed.contains(step), "{step} in\n{printed}");
    }
    assert_eq!(server.mails().unwrap()[0].tls, "yes");
    assert!(!printed.contains("secret"));

    let (code, printed, stderr) = run(&dir, "crashmail", &args, &[("IRONLANCE_SMTP_PASSWORD", "wrong")]);
    assert_eq!(code, Some(1), "{printed}{stderr}");
    // Without the authority the certificate is not to be trusted.
    let args = ["-m", "a@example.com", "--smtp", &url, "--tls", "--test-alert"];
    let (code, printed, stderr) = run(&dir, "crashmail", &args, &[("IRONLANCE_SMTP_PASSWORD", "secret")]);
    assert_eq!(code, Some(1), "{printed}{stderr}");
    let refused = format!("smtp://127.0.0.1:{}", closed_port().unwrap());
    let (code, printed, stderr) =
        run(&dir, "memmon", &["-m", "a@b.c", "--smtp", &refused, "--test-alert"], &[]);
    assert_eq!(code, Some(1), "{printed}{stderr}");
    assert!((printed + &stderr).contains("Connection refused"));
    let (code, _, _) = run(&dir, "httpok", &["-m", "a@b.c", "-s", "cat >/dev/null", "--test-alert"], &[]);
    assert_eq!(code, Some(0));
    let (code, _, _) = run(
        &dir,
        "crashsms",
        &["-t", "a@b.c", "-f", "x@y", "--sendmail_program", "false", "--test-alert"],
        &[],
    );
    assert_eq!(code, Some(1));
    assert_eq!(server.mails().unwrap().len(), 1);
}

#[test]
fn httpok_waits_for_retries_and_grace_and_counts_restarts() {
    let page = WebServer::start(ServerBehaviour::Answer("500 No", "")).unwrap();
    let ticks = vec![WireEvent::tick(60); 4];
    let restarts = |args: &str, uptime: i64, mails: usize| {
        let args = format!("-m a@example.com -s {{mailer}} -p cat {args} {}/", page.url());
        let listener_scenario = ListenerScenario::new("httpok", &args, &ticks)
            .with(|supervisor| supervisor.process("cat", 7, 20, uptime));
        let transcript = listener_scenario.ours(mails).unwrap();
        // A restart is told each time, what lasts only once.
        assert_eq!(transcript.mails.len(), mails, "{args}: {:#?}", transcript.mails);
        transcript.actions.iter().filter(|action| action.contains("startProcess")).count()
    };
    assert_eq!(restarts("", 600, 4), 4);
    assert_eq!(restarts("--retries 4", 600, 1), 1);
    assert_eq!(restarts("--retries 5", 600, 0), 0);
    assert_eq!(restarts("--max-restarts 2/1h", 600, 3), 2);
    assert_eq!(restarts("--notify-only", 600, 1), 0);
    assert_eq!(restarts("--notify-only --remind 0", 600, 4), 0);
    assert_eq!(restarts("--grace 20m", 600, 0), 0);
}

#[test]
fn httpok_sends_the_request_that_it_is_told() {
    let page = WebServer::start(ServerBehaviour::Answer("200 OK", "fine")).unwrap();
    let dir = TestDir::new().unwrap();
    let login = dir.write("login", "user:word\n").unwrap();
    let args = format!(
        "-p cat --method PUT --data a=b --header X-Test:␣yes --auth-file {} {}/x",
        login.display(),
        page.url()
    );
    ours("httpok", &args, &[WireEvent::tick(60)], 0);
    let request = page.requests().remove(0);
    assert!(request.starts_with("PUT /x HTTP/1.1\r\n"), "{request}");
    let lower = request.to_lowercase();
    for part in ["x-test: yes\r\n", "authorization: basic dxnlcjp3b3jk\r\n", "\r\n\r\na=b"] {
        assert!(lower.contains(part), "{part} in\n{request}");
    }
}

#[test]
fn memmon_waits_signals_and_only_tells() {
    let own = std::process::id();
    let run = |args: &str, ticks: usize, mails: usize| {
        let args = format!("-m a@example.com -s {{mailer}} -a 1 {args}");
        let events = vec![WireEvent::tick(60); ticks];
        ListenerScenario::new("memmon", &args, &events)
            .with(|supervisor| supervisor.running("cat", own))
            .ours(mails)
            .unwrap()
    };
    assert!(run("--for 3", 2, 0).actions.is_empty());
    assert_eq!(run("--for 3", 3, 1).actions.len(), 2);
    assert!(run("--notify-only", 1, 1).actions.is_empty());
    assert_eq!(run("", 3, 3).mails.len(), 3);
    for (args, mails) in [("--notify-only", 1), ("--signal USR2", 1), ("--notify-only --remind=0", 3)] {
        let transcript = run(args, 3, mails);
        assert_eq!(transcript.mails.len(), mails, "{args}: {:#?}", transcript.mails);
    }
    assert_eq!(run("--pss", 1, 1).actions.len(), 2);
    let signalled = run("--signal USR1", 1, 1).actions;
    assert_eq!(signalled, ["supervisor.signalProcess(cat:cat, 10)"]);
}
