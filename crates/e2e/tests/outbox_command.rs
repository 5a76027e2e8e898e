//! `ironlance outbox` on alerts that cannot go, and the password that only systemd knows.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use ironlance_e2e::mail_server::{Certificate, FakeMailServerOptions};
use ironlance_e2e::{FakeMailServer, Implementation, Listener, TIMEOUT, TestDir, WireEvent, until};
use rustix::process::{Signal, kill_process};

/// A test directory in which crashmail has stored alerts about the pids 1 to `count`, and nobody delivers them any more.
struct Waiting {
    dir: TestDir,
    server: FakeMailServer,
    /// The server's own: it lives longer than what is killed in `test directory`.
    _surroundings: TestDir,
}

impl Waiting {
    fn new(trouble: &str, count: u32) -> Self {
        let (dir, surroundings) = (TestDir::new().unwrap(), TestDir::new().unwrap());
        let mut server = FakeMailServer::start(&surroundings, &FakeMailServerOptions::default()).unwrap();
        server.set_behaviour(trouble).unwrap();
        let url = format!("smtp://127.0.0.1:{}", server.port());
        let mut command = dir.ours("crashmail").unwrap();
        command.args(["-m", "ops@example.com", "--brief", "--smtp", &url]);
        command.env("SUPERVISOR_SERVER_URL", "unix:///nowhere");
        let mut listener = Listener::start(command, dir.path("stderr")).unwrap();
        for pid in 1..=count {
            listener.handle(&WireEvent::crashed("cat", pid)).unwrap();
        }
        let this = Self { dir, server, _surroundings: surroundings };
        let tried = |list: String| list.lines().filter(|line| line.contains(" 1 failure ")).count();
        until("a try of each", TIMEOUT, || {
            Ok((tried(this.outbox(&["list"]).1) == usize::try_from(count)?).then_some(()))
        })
        .unwrap();
        listener.kill().unwrap();
        for pid in this.dir.processes() {
            let _ = kill_process(pid, Signal::KILL);
        }
        // A process that dies has its locks longer than its environment, and its threads longer than itself.
        until("nobody to hold the lock", TIMEOUT, || Ok(this.is_unlocked()?.then_some(()))).unwrap();
        this
    }

    /// Asked by a process of its own: a lock of ours would be inherited by whatever another test starts just then.
    fn is_unlocked(&self) -> anyhow::Result<bool> {
        let mut command = self.dir.command("flock", Implementation::Ours)?;
        Ok(command.arg("--nonblock").arg(self.dir.path("state/outbox/lock")).arg("true").status()?.success())
    }

    /// The exit code, and what it said on stdout and stderr.
    fn outbox(&self, args: &[&str]) -> (Option<i32>, String) {
        let mut command = self.dir.ours("ironlance").unwrap();
        let output = command.arg("outbox").args(args).output().unwrap();
        let printed = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        (output.status.code(), printed)
    }

    /// The ids of the alerts, oldest first.
    fn ids(&self) -> Vec<String> {
        let (_, list) = self.outbox(&["list"]);
        let alerts = list.lines().filter(|line| line.contains("ops@example.com"));
        alerts.map(|line| line.split_whitespace().nth(1).unwrap().to_owned()).collect()
    }

    /// The pids of which the server has heard.
    fn arrived(&self) -> Vec<String> {
        let mails = self.server.mails().unwrap();
        let pid =
            |content: &str| content.split_once("(pid ")?.1.split_once(')').map(|(pid, _)| pid.to_owned());
        mails.iter().map(|mail| pid(&mail.content).unwrap_or_default()).collect()
    }
}

#[test]
fn show_tells_all_of_an_alert() {
    let waiting = Waiting::new("mail 451 come back later", 1);
    let id = &waiting.ids()[0];
    let (code, printed) = waiting.outbox(&["show", id]);
    assert_eq!(code, Some(0), "{printed}");
    let port = format!("smtp://127.0.0.1:{}", waiting.server.port());
    for needle in [
        id.as_str(),
        "waiting",
        "crashmail",
        "ops@example.com",
        &port,
        "cat crashed at",
        "451 come back later",
        "Process cat in group cat exited unexpectedly (pid 1) from state RUNNING",
    ] {
        assert!(printed.contains(needle), "{needle:?} in\n{printed}");
    }
    let (code, again) = waiting.outbox(&["show", &id[..id.len() - 1]]);
    let same = code == Some(0) && again.lines().next() == printed.lines().next();
    assert!(same, "a unique beginning will do: {again}");
}

#[test]
fn list_for_programs_tells_what_waits_what_is_dead_and_what_is_collected() {
    let waiting = Waiting::new("mail 451 later", 2);
    let ids = waiting.ids();
    // What a batch mailer has left that is no longer configured.
    let outbox = waiting.dir.path("state/outbox");
    let text = std::fs::read_to_string(outbox.join("new").join(&ids[0])).unwrap();
    std::fs::write(outbox.join("batch/old-mailer"), text).unwrap();
    std::fs::write(outbox.join("dead/1"), "nonsense\n").unwrap();
    let (code, printed) = waiting.outbox(&["list", "--json"]);
    assert_eq!(code, Some(0), "{printed}");
    let list: serde_json::Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(list["waiting"][0]["id"], ids[0].as_str());
    assert_eq!(list["waiting"][1]["failures"], 1);
    assert_eq!(list["waiting"][0]["to"][0], "ops@example.com");
    assert!(list["waiting"][0]["last_error"]["reason"].as_str().unwrap().contains("451 later"));
    assert!(list["last_error"]["reason"].as_str().unwrap().contains("451 later"));
    assert_eq!(
        (&list["batches"][0]["id"], &list["batches"][0]["entries"]),
        (&"old-mailer".into(), &1.into())
    );
    assert!(list["dead"][0]["error"].as_str().unwrap().contains("no checksum"));
    let (_, printed) = waiting.outbox(&["list"]);
    assert!(
        printed.contains("batch    old-mailer") && printed.contains("2 waiting, 1 dead in "),
        "{printed}"
    );
}

#[test]
fn an_alert_that_is_not_there_is_named_and_nothing_done() {
    let waiting = Waiting::new("mail 451 later", 2);
    for verb in ["show", "retry", "drop"] {
        let (code, printed) = waiting.outbox(&[verb, "nonsense"]);
        assert_eq!(code, Some(1), "{printed}");
        assert!(printed.contains("cannot find the alert nonsense"), "{printed}");
    }
    // Every id begins like that.
    let ids = waiting.ids();
    let same = ids[0].chars().zip(ids[1].chars()).take_while(|(one, other)| one == other).count();
    let (code, printed) = waiting.outbox(&["drop", &ids[0][..same]]);
    if same > 0 {
        assert_eq!(code, Some(1), "{printed}");
        assert!(printed.contains("cannot tell which alert"), "{printed}");
    }
    assert_eq!(waiting.ids(), ids);
}

#[test]
fn drop_throws_away_what_is_named_and_only_that() {
    let mut waiting = Waiting::new("mail 451 later", 3);
    let ids = waiting.ids();
    let (code, printed) = waiting.outbox(&["drop", &ids[0], &ids[2]]);
    assert_eq!(code, Some(0), "{printed}");
    assert!(
        printed.contains(&ids[0]) && printed.contains(&ids[2]) && !printed.contains(&ids[1]),
        "{printed}"
    );
    assert_eq!(waiting.ids(), ids[1..2]);
    waiting.server.set_behaviour("ok").unwrap();
    let (code, printed) = waiting.outbox(&["retry"]);
    assert_eq!(code, Some(0), "{printed}");
    assert_eq!(waiting.arrived(), ["2"]);
}

#[test]
fn retry_of_a_dead_letter_by_its_id_sends_that_one() {
    let mut waiting = Waiting::new("data 554 spam", 2);
    let ids = waiting.ids();
    let list = waiting.outbox(&["list"]).1;
    assert_eq!(list.lines().filter(|line| line.starts_with("dead ")).count(), 2, "{list}");
    waiting.server.set_behaviour("ok").unwrap();
    let (code, printed) = waiting.outbox(&["retry", &ids[1]]);
    assert_eq!(code, Some(0), "{printed}");
    assert_eq!(waiting.arrived(), ["2"]);
    assert_eq!(waiting.ids(), ids[..1]);
    let (code, printed) = waiting.outbox(&["drop", "--all-dead"]);
    assert_eq!((code, waiting.ids().len()), (Some(0), 0), "{printed}");
}

#[test]
fn a_retry_that_was_stopped_by_its_terminal_does_not_keep_the_listeners_from_delivering() {
    let mut waiting = Waiting::new("mail 451 later", 1);
    waiting.server.set_behaviour("hang").unwrap();
    let mut retry = waiting.dir.ours("ironlance").unwrap();
    let mut retry = retry.args(["outbox", "retry"]).stdout(std::process::Stdio::null()).spawn().unwrap();
    until("the lock to be taken", TIMEOUT, || Ok((!waiting.is_unlocked()?).then_some(()))).unwrap();
    let pid = rustix::process::Pid::from_child(&retry);
    kill_process(pid, Signal::STOP).unwrap();
    waiting.server.set_behaviour("ok").unwrap();
    let mut command = waiting.dir.ours("crashmail").unwrap();
    let url = format!("smtp://127.0.0.1:{}", waiting.server.port());
    command.args(["-m", "ops@example.com", "--brief", "--smtp", &url]);
    command.env("SUPERVISOR_SERVER_URL", "unix:///nowhere").env("IRONLANCE_OUTBOX_STALLED", "1");
    let listener = Listener::start(command, waiting.dir.path("stderr"));
    waiting.server.wait(1).unwrap();
    retry.wait().unwrap();
    drop(listener);
}

#[test]
fn a_retry_in_vain_says_why_and_fails() {
    let waiting = Waiting::new("mail 451 still busy", 1);
    let (code, printed) = waiting.outbox(&["retry", &waiting.ids()[0]]);
    assert_eq!(code, Some(1), "{printed}");
    assert!(printed.contains("451 still busy") && printed.contains("1 still waiting"), "{printed}");
}

#[test]
fn the_password_may_be_a_systemd_credential() {
    let dir = TestDir::new().unwrap();
    let server =
        FakeMailServer::start(&dir, &FakeMailServerOptions::default().auth("ops:secret").implicit_tls())
            .unwrap();
    let authority = Certificate::of(&dir).unwrap().authority.display().to_string();
    let url = format!("smtps://ops@localhost:{}", server.port());
    let crashmail = || {
        let mut command = dir.ours("crashmail").unwrap();
        command.args(["-m", "a@example.com", "--smtp", &url, "--ca-file", &authority]);
        command.env("SUPERVISOR_SERVER_URL", "unix:///nowhere").env("CREDENTIALS_DIRECTORY", dir.path("run"));
        command
    };
    // No such credential: who asks for a user must not be left without a word.
    let output = crashmail().arg("--test-alert").output().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("ironlance-smtp-password"), "{output:?}");

    dir.write("run/ironlance-smtp-password", "secret\n").unwrap();
    let mut listener = Listener::start(crashmail(), dir.path("stderr")).unwrap();
    listener.handle(&WireEvent::crashed("cat", 7)).unwrap();
    let mails = server.wait(1).unwrap();
    assert!(mails[0].auth.ends_with(" ops"), "{}", mails[0].auth);
    assert!(!listener.stderr().unwrap().contains("secret"));
}
