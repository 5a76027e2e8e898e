//! The deliverer: asked to end, orphaned, stuck, stopped in the middle of a mail.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::Context;
use ironlance_e2e::daemon::{BASE, send, write_config};
use ironlance_e2e::mail_server::FakeMailServerOptions;
use ironlance_e2e::{
    Daemon, FakeMailServer, Implementation, Listener, Mailer, TIMEOUT, TestDir, WireEvent, until,
};
use rustix::process::{Signal, kill_process};

/// A test directory for listeners, and a mail server that outlives what is ended there.
struct DelivererFixture {
    dir: TestDir,
    server: FakeMailServer,
    _surroundings: TestDir,
}

impl DelivererFixture {
    fn new() -> Self {
        let (dir, surroundings) = (TestDir::new().unwrap(), TestDir::new().unwrap());
        let server = FakeMailServer::start(&surroundings, &FakeMailServerOptions::default()).unwrap();
        Self { dir, server, _surroundings: surroundings }
    }

    fn crashmail(&self, environment: &[(&str, &str)]) -> Listener {
        let url = format!("smtp://127.0.0.1:{}", self.server.port());
        let mut command = crashmail(&self.dir, &["--brief", "--smtp", &url]);
        command.envs(environment.iter().copied());
        Listener::start(command, self.dir.path("stderr")).unwrap()
    }

    /// A crashmail that has got the events of so many crashes, with a mail server that behaves so.
    fn after_crashes(&mut self, behaviour: &str, environment: &[(&str, &str)], crashes: u32) -> Listener {
        self.server.set_behaviour(behaviour).unwrap();
        let mut listener = self.crashmail(environment);
        for number in 1..=crashes {
            listener.handle(&WireEvent::crashed("cat", number)).unwrap();
        }
        listener
    }

    /// Sees to it that no outbox can be made: no folder can be made below a file.
    fn take_the_disk(&self) {
        fs::write(self.dir.path("state"), "").unwrap();
    }

    fn stderr(&self) -> String {
        fs::read_to_string(self.dir.path("stderr")).unwrap_or_default()
    }

    fn wait_stderr(&self, needle: &str) {
        until(&format!("{needle:?} on stderr"), TIMEOUT, || Ok(self.stderr().contains(needle).then_some(())))
            .with_context(|| self.stderr())
            .unwrap();
    }

    fn wait_no_deliverer(&self) {
        until("the deliverer to end", TIMEOUT, || {
            Ok(self.dir.processes_named(" deliver ").is_empty().then_some(()))
        })
        .with_context(|| self.stderr())
        .unwrap();
    }

    fn wait_mails(&mut self, count: usize) {
        let stderr = self.stderr();
        until(&format!("{count} mails"), TIMEOUT, || Ok((self.server.count_mails()? >= count).then_some(())))
            .context(stderr)
            .unwrap();
        assert_eq!(self.server.count_mails().unwrap(), count);
    }
}

fn crashmail(dir: &TestDir, args: &[&str]) -> Command {
    let mut command = dir.ours("crashmail").unwrap();
    command.args(["-m", "ops@example.com"]).args(args).env("SUPERVISOR_SERVER_URL", "unix:///nowhere");
    command
}

/// A mailer that has its mail and then waits, and the FIFO that it waits for.
fn gated_mailer(dir: &TestDir) -> (Mailer, PathBuf) {
    let gate = dir.path("gate");
    assert!(Command::new("mkfifo").arg(&gate).status().unwrap().success());
    let mailer = Mailer::that(dir, "slow", &format!("read line < {}", gate.display())).unwrap();
    (mailer, gate)
}

fn end(mut listener: Listener) {
    listener.ready().unwrap();
    listener.close().unwrap();
}

const LEAVE_AT_ONCE: &[(&str, &str)] = &[("IRONLANCE_OUTBOX_LINGER", "0")];

#[test]
fn an_alert_put_off_by_a_server_that_is_slow_to_say_goodbye_does_not_keep_a_deliverer_for_ever() {
    let mut fixture = DelivererFixture::new();
    fixture.server.set_behaviour("mail 451 later").unwrap();
    let listener = fixture.after_crashes("goodbye 1.5", LEAVE_AT_ONCE, 1);
    fixture.wait_stderr("451");
    end(listener);
    fixture.wait_no_deliverer();
    fixture.server.set_behaviour("ok").unwrap();
    let listener = fixture.crashmail(LEAVE_AT_ONCE);
    fixture.wait_mails(1);
    end(listener);
    fixture.wait_no_deliverer();
}

#[test]
fn five_hundred_alerts_put_off_by_a_fast_server_do_not_keep_a_deliverer_for_ever() {
    let mut fixture = DelivererFixture::new();
    // In memory: what is tested is not the speed of this machine's disk.
    let state = tempfile::Builder::new().prefix("e2e-").tempdir_in("/dev/shm").unwrap();
    let environment = &[LEAVE_AT_ONCE[0], ("IRONLANCE_STATE", state.path().to_str().unwrap())];
    let listener = fixture.after_crashes("mail 451 later", environment, 500);
    fixture.wait_stderr("451");
    end(listener);
    fixture.wait_no_deliverer();
    fixture.server.set_behaviour("ok").unwrap();
    let listener = fixture.crashmail(environment);
    fixture.wait_mails(500);
    end(listener);
    fixture.wait_no_deliverer();
}

#[test]
fn a_deliverer_that_is_left_alone_goes_on_with_what_waits() {
    let mut fixture = DelivererFixture::new();
    let listener = fixture.after_crashes("mail 451 later", &[], 1);
    fixture.wait_stderr("451");
    end(listener);
    fixture.server.set_behaviour("ok").unwrap();
    fixture.wait_mails(1);
    fixture.wait_no_deliverer();
}

#[test]
fn a_deliverer_that_leaves_says_how_many_alerts_stay() {
    let mut fixture = DelivererFixture::new();
    let listener = fixture.after_crashes("refuse", &[("IRONLANCE_OUTBOX_LINGER", "1")], 3);
    fixture.wait_stderr("Connection refused");
    let state = fixture.dir.path("state/outbox/last-error");
    assert!(fs::read_to_string(&state).unwrap().contains("Connection refused"));
    end(listener);
    fixture.wait_stderr("3 alert(s) stay in the outbox");
    fixture.wait_no_deliverer();
    // Under supervisord nobody reads what it says after its listener has ended.
    let noted = fs::read_to_string(&state).unwrap();
    assert!(noted.contains(" 3 alert(s) stay in the outbox") && noted.contains("refused"), "{noted}");
    fixture.server.set_behaviour("listen").unwrap();
    let listener = fixture.crashmail(&[]);
    fixture.wait_mails(3);
    until("the last error to be forgotten", TIMEOUT, || Ok((!state.exists()).then_some(()))).unwrap();
    end(listener);
}

#[test]
fn a_deliverer_that_is_left_alone_gives_way_to_the_next_listener_s() {
    let mut fixture = DelivererFixture::new();
    let listener = fixture.after_crashes("mail 451 later", &[], 1);
    fixture.wait_stderr("451");
    end(listener);
    let first = fixture.dir.processes_named(" deliver ");
    assert_eq!(first.len(), 1);
    let second = fixture.crashmail(&[]);
    until("another deliverer", TIMEOUT, || {
        let now = fixture.dir.processes_named(" deliver ");
        Ok((now.len() == 1 && now != first).then_some(()))
    })
    .unwrap();
    fixture.server.set_behaviour("ok").unwrap();
    fixture.wait_mails(1);
    end(second);
}

#[test]
fn a_deliverer_that_does_not_get_on_is_taken_over() {
    let mut fixture = DelivererFixture::new();
    fixture.server.set_behaviour("mail 451 later").unwrap();
    let impatient = &[("IRONLANCE_OUTBOX_STALLED", "1")];
    let mut listener = fixture.crashmail(impatient);
    listener.handle(&WireEvent::crashed("cat", 1)).unwrap();
    fixture.wait_stderr("451");
    // What a process does that hangs: nothing.
    for pid in fixture.dir.processes_named(" deliver ") {
        kill_process(pid, Signal::STOP).unwrap();
    }
    fixture.server.set_behaviour("ok").unwrap();
    fixture.wait_mails(1);
    fixture.wait_stderr("does not get on");
    end(listener);
    fixture.wait_no_deliverer();
}

#[test]
fn a_deliverer_that_is_told_to_end_finishes_its_mail_and_leaves_the_rest() {
    let dir = TestDir::new().unwrap();
    let (mailer, gate) = gated_mailer(&dir);
    let mut command = crashmail(&dir, &["-s", mailer.command()]);
    command.env("IRONLANCE_OUTBOX_LINGER", "1000");
    let mut listener = Listener::start(command, dir.path("stderr")).unwrap();
    for number in 1..=2 {
        listener.handle(&WireEvent::crashed("cat", number)).unwrap();
    }
    mailer.wait(1).unwrap();
    // No listener: nobody starts another.
    listener.kill().unwrap();
    let deliverers = dir.processes_named(" deliver ");
    assert_eq!(deliverers.len(), 1);
    kill_process(deliverers[0], Signal::TERM).unwrap();
    until("the deliverer to know that it shall end", TIMEOUT, || {
        Ok(fs::read_to_string(dir.path("stderr"))?.contains("asked to end").then_some(()))
    })
    .unwrap();
    let waiting = || fs::read_dir(dir.path("state/outbox/new")).unwrap().count();
    assert_eq!(waiting(), 2);
    fs::write(&gate, "\n").unwrap();
    until("the deliverer to end", TIMEOUT, || Ok(dir.processes_named(" deliver ").is_empty().then_some(())))
        .unwrap();
    assert_eq!((waiting(), mailer.mails().unwrap().len()), (1, 1));
}

#[test]
fn a_stop_by_hand_waits_for_the_mail_in_hand() {
    let dir = TestDir::new().unwrap();
    let (mailer, gate) = gated_mailer(&dir);
    let mut listener =
        Listener::start(crashmail(&dir, &["-s", mailer.command()]), dir.path("stderr")).unwrap();
    listener.handle(&WireEvent::crashed("cat", 1)).unwrap();
    mailer.wait(1).unwrap();
    listener.kill().unwrap();
    let stop = |seconds: &str| {
        let mut command = dir.ours("ironlance").unwrap();
        command.args(["outbox", "stop", "--wait", seconds]).stdout(Stdio::piped());
        command
    };
    let output = stop("0").output().unwrap();
    assert_eq!(output.stdout, b"0 deliverer(s) ended, 1 still in a mail\n");
    let waiting = stop("30").spawn().unwrap();
    fs::write(&gate, "\n").unwrap();
    let output = waiting.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(dir.processes_named(" deliver ").is_empty());
    assert_eq!(fs::read_dir(dir.path("state/outbox/new")).unwrap().count(), 0);
    assert_eq!(stop("0").output().unwrap().stdout, b"0 deliverer(s) ended, 0 still in a mail\n");
}

#[test]
fn alerts_without_a_disk_and_without_a_server_all_arrive_after_the_listener_has_ended() {
    const ALERTS: u32 = 300;
    let mut fixture = DelivererFixture::new();
    fixture.take_the_disk();
    let mut listener = fixture.after_crashes("refuse", &[], ALERTS);
    assert_eq!(fixture.dir.processes_named(" --memory ").len(), 1, "one process has them all");
    listener.kill().unwrap();
    fixture.server.set_behaviour("listen").unwrap();
    fixture.wait_mails(ALERTS as usize);
    fixture.wait_no_deliverer();
}

#[test]
fn alerts_in_memory_are_written_down_when_the_disk_is_well_again() {
    let mut fixture = DelivererFixture::new();
    fixture.take_the_disk();
    let mut listener = fixture.after_crashes("refuse", &[], 20);
    listener.kill().unwrap();
    fs::remove_file(fixture.dir.path("state")).unwrap();
    let new = fixture.dir.path("state/outbox/new");
    until("20 files", TIMEOUT, || {
        Ok(fs::read_dir(&new).is_ok_and(|files| files.count() == 20).then_some(()))
    })
    .with_context(|| fixture.stderr())
    .unwrap();
    // Who had them in memory delivers them from disk.
    fixture.server.set_behaviour("listen").unwrap();
    fixture.wait_mails(20);
    fixture.wait_no_deliverer();
}

#[test]
fn a_deliverer_from_memory_that_does_not_get_on_is_replaced() {
    let mut fixture = DelivererFixture::new();
    fixture.take_the_disk();
    let listener = fixture.after_crashes("refuse", &[("IRONLANCE_OUTBOX_STALLED", "1")], 3);
    fixture.wait_stderr("Connection refused");
    for pid in fixture.dir.processes_named(" --memory ") {
        kill_process(pid, Signal::STOP).unwrap();
    }
    fixture.server.set_behaviour("listen").unwrap();
    fixture.wait_mails(3);
    assert!(!fixture.stderr().contains("lost"), "{}", fixture.stderr());
    end(listener);
}

#[test]
fn alerts_that_could_neither_be_stored_nor_sent_are_counted() {
    let mut fixture = DelivererFixture::new();
    fixture.take_the_disk();
    let listener = fixture.after_crashes("refuse", LEAVE_AT_ONCE, 5);
    end(listener);
    fixture.wait_stderr("5 alert(s) are only in memory");
    fixture.wait_stderr("5 alert(s) are lost");
}

#[test]
fn an_alert_that_was_sent_and_cannot_be_removed_is_not_sent_at_the_next_start() {
    let mut fixture = DelivererFixture::new();
    let listener = fixture.after_crashes("refuse", LEAVE_AT_ONCE, 1);
    fixture.wait_stderr("Connection refused");
    end(listener);
    fixture.wait_no_deliverer();
    fixture.server.set_behaviour("listen").unwrap();
    fs::create_dir(fixture.dir.path("run")).unwrap();
    let url = format!("smtp://127.0.0.1:{}", fixture.server.port());
    for turn in 1..=2 {
        // The folder with the alert is read-only, in a mount name space of its own.
        let script = "mount --bind state/outbox/new state/outbox/new && mount -o remount,bind,ro state/outbox/new && \
            exec crashmail \"$@\"";
        let mut command = fixture.dir.command("unshare", Implementation::Ours).unwrap();
        command.args(["--map-root-user", "--user", "--mount", "sh", "-c", script, "sh"]);
        command.args(["-m", "ops@example.com", "--brief", "--smtp", &url]);
        command
            .env("SUPERVISOR_SERVER_URL", "unix:///nowhere")
            .env("XDG_RUNTIME_DIR", fixture.dir.path("run"));
        command.envs(LEAVE_AT_ONCE.iter().copied());
        let listener = Listener::start(command, fixture.dir.path(&format!("stderr{turn}"))).unwrap();
        if turn == 1 {
            listener.wait_stderr("which is noted").unwrap();
        }
        end(listener);
        fixture.wait_no_deliverer();
        fixture.wait_mails(1);
    }
}

/// A user who has no other processes.
const AS_SOMEBODY: [&str; 3] = ["--reuid=64124", "--regid=64124", "--clear-groups"];

#[test]
fn at_the_limit_of_processes_an_alert_waits_for_room_and_not_for_the_next_event() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("cannot become another user here: a full process table is not tested");
        return;
    }
    let mut fixture = DelivererFixture::new();
    std::os::unix::fs::chown(fixture.dir.folder(), Some(64_124), Some(64_124)).unwrap();
    let url = format!("smtp://127.0.0.1:{}", fixture.server.port());
    let mut command = fixture.dir.command("setpriv", Implementation::Ours).unwrap();
    command.args(AS_SOMEBODY).arg(Implementation::Ours.path("crashmail").unwrap());
    command.args(["-m", "ops@example.com", "--brief", "--smtp", &url]);
    command.env("SUPERVISOR_SERVER_URL", "unix:///nowhere");
    let mut listener = Listener::start(command, fixture.dir.path("stderr")).unwrap();
    listener.ready().unwrap();
    let pid = listener.pid().to_string();
    let allow = |limit: &str| {
        let mut prlimit = Command::new("setpriv");
        prlimit.args(AS_SOMEBODY).args(["prlimit", &format!("--nproc={limit}:100"), "--pid", &pid]);
        assert!(prlimit.status().unwrap().success());
    };
    allow("1");
    listener.send(&WireEvent::crashed("cat", 1)).unwrap();
    listener.ok_within(TIMEOUT).unwrap();
    fixture.wait_stderr("Resource temporarily unavailable");
    assert_eq!(fixture.server.count_mails().unwrap(), 0);
    allow("100");
    fixture.wait_mails(1);
}

#[test]
fn a_full_outbox_loses_dead_letters_first_and_then_delivers_from_memory() {
    let mut fixture = DelivererFixture::new();
    let small = &[("IRONLANCE_OUTBOX_MB", "1")];
    let listener = fixture.crashmail(small);
    let outbox = fixture.dir.path("state/outbox");
    until("an outbox", TIMEOUT, || Ok(outbox.join("ways").exists().then_some(()))).unwrap();
    end(listener);
    let much = vec![b'x'; 700 * 1024];
    for id in ["1", "2"] {
        fs::write(outbox.join("dead").join(id), &much).unwrap();
    }
    let mut listener = fixture.crashmail(small);
    listener.handle(&WireEvent::crashed("cat", 1)).unwrap();
    fixture.wait_stderr("1 dead letter(s) were removed, the oldest first");
    fixture.wait_mails(1);
    assert!(!outbox.join("dead/1").exists() && outbox.join("dead/2").exists());
    end(listener);
    // What is collected is nothing that may go.
    fs::write(outbox.join("batch/other"), [&much[..], &much[..]].concat()).unwrap();
    let mut listener = fixture.crashmail(small);
    listener.handle(&WireEvent::crashed("cat", 2)).unwrap();
    fixture.wait_stderr("IRONLANCE_OUTBOX_MB); delivering from memory");
    fixture.wait_mails(2);
    assert!(outbox.join("batch/other").exists());
    end(listener);
}

/// A supervisord as PID 1 of a process name space, with crashmail and a program that is to crash; `None` where no such
/// space can be made.
fn as_first_process(dir: &TestDir, config: &str) -> Option<(Daemon, i64)> {
    let space = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child=TERM"];
    let probe = Command::new(space[0]).args(&space[1..]).arg("true").status();
    if !probe.is_ok_and(|status| status.success()) {
        eprintln!("cannot make a process namespace here: PID 1 is not tested");
        return None;
    }
    let config = write_config(dir, config).unwrap();
    let mut command = dir.command(space[0], Implementation::Ours).unwrap();
    command.args(&space[1..]).arg(Implementation::Ours.path("supervisord").unwrap()).arg("-c").arg(config);
    command.stdin(Stdio::null()).env("IRONLANCE_STOP_WAIT", "25");
    let daemon = Daemon::spawn(dir, command).unwrap();
    until("an answer", TIMEOUT, || Ok(daemon.call("getState", &[]).ok().map(drop))).unwrap();
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", daemon.pid())).unwrap();
    Some((daemon, children.trim().parse().unwrap()))
}

#[test]
fn as_pid_1_a_stop_during_a_delivery_sends_the_mail_once() {
    let dir = TestDir::new().unwrap();
    let (mailer, gate) = gated_mailer(&dir);
    let listener = Implementation::Ours.path("crashmail").unwrap();
    let config = format!(
        "{BASE}[eventlistener:crashmail]\ncommand={} -m ops@example.com -s '{}'\nevents=PROCESS_STATE_EXITED\n\
         [program:cat]\ncommand=sh -c 'exit 3'\nautorestart=false\nstartsecs=0\nautostart=false\n",
        listener.display(),
        mailer.command()
    );
    let Some((mut daemon, init)) = as_first_process(&dir, &config) else { return };
    daemon.wait_state("crashmail", "RUNNING").unwrap();
    let _ = daemon.call("startProcess", &["cat".into(), false.into()]).unwrap();
    let waiting = || fs::read_dir(dir.path("state/outbox/new")).map_or(0, Iterator::count);
    mailer.wait(1).unwrap();
    assert_eq!(waiting(), 1);
    send(init, Signal::TERM).unwrap();
    until("the listener to be gone", TIMEOUT, || {
        Ok(dir.processes_named("crashmail -m").is_empty().then_some(()))
    })
    .unwrap();
    fs::write(&gate, "\n").unwrap();
    assert_eq!(daemon.wait_end().unwrap().code(), Some(0));
    assert_eq!((waiting(), mailer.mails().unwrap().len()), (0, 1), "{}", daemon.log());
}
