//! `tail -f`, `maintail -f` and `fg` of supervisorctl in a pipe: what comes, when it comes, and how it ends.

use std::fs::{self, File};
use std::process::{Child, ExitStatus, Stdio};

use anyhow::ensure;
use ironlance_e2e::ctl::{shown, supervisorctl};
use ironlance_e2e::daemon::send;
use ironlance_e2e::web_server::closed_port;
use ironlance_e2e::{Daemon, Implementation, Scenario, TIMEOUT, compare_ctl_matrix, until};
use rustix::process::Signal;

/// A supervisorctl whose output goes to a file; killed when it is dropped.
struct Follower {
    child: Child,
    out: String,
}

impl Follower {
    fn start(scenario: &Scenario, args: &[&str], out: &str) -> anyhow::Result<Self> {
        Self::start_with(scenario, args, out, Stdio::null())
    }

    fn start_with(scenario: &Scenario, args: &[&str], out: &str, stdin: Stdio) -> anyhow::Result<Self> {
        let config = scenario.dir.path("supervisord.conf").display().to_string();
        let mut command = supervisorctl(
            &scenario.dir,
            scenario.implementation,
            &[&["-c", config.as_str()], args].concat(),
        )?;
        let file = File::create(scenario.dir.path(out))?;
        // Python keeps what goes to a file until it has much of it.
        command.env("PYTHONUNBUFFERED", "1").stdin(stdin).stderr(file.try_clone()?).stdout(file);
        Ok(Self { child: command.spawn()?, out: out.to_owned() })
    }

    fn wait(&self, daemon: &Daemon, needle: &str) -> anyhow::Result<()> {
        daemon.wait_file(&self.out, needle).map(drop)
    }

    fn interrupt(mut self) -> anyhow::Result<ExitStatus> {
        send(i64::from(self.child.id()), Signal::INT)?;
        self.end()
    }

    fn end(&mut self) -> anyhow::Result<ExitStatus> {
        until("supervisorctl to end", TIMEOUT, || Ok(self.child.try_wait()?))
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn note_file(scenario: &mut Scenario, name: &str) -> anyhow::Result<()> {
    let bytes = fs::read(scenario.dir.path(name))?;
    for line in shown(&bytes, scenario.dir.folder()) {
        scenario.note(line);
    }
    Ok(())
}

const CAT: &str = "[program:cat]\ncommand=cat\nstartsecs=0\nstdout_logfile={dir}/cat.log\nstdout_logfile_maxbytes=2KB\nstdout_logfile_backups=2\n\
    [program:err]\ncommand=sh -c 'echo to stderr >&2; exec sleep 1000'\nstartsecs=0\nstderr_logfile={dir}/err.log\n";

#[test]
fn a_log_is_followed_through_its_rotation() {
    compare_ctl_matrix(|scenario| {
        let daemon = scenario.start(CAT)?;
        daemon.wait_state("cat", "RUNNING")?;
        daemon.wait_file("err.log", "to stderr")?;
        daemon.write_stdin("cat", "before é\n")?;
        daemon.wait_file("cat.log", "before")?;
        let stdout = Follower::start(scenario, &["tail", "-f", "cat"], "stdout.out")?;
        let stderr = Follower::start(scenario, &["tail", "-f", "err", "stderr"], "stderr.out")?;
        stdout.wait(&daemon, "before é\n")?;
        stderr.wait(&daemon, "to stderr\n")?;
        // Each line is seen before the next is said, through two rotations.
        let mut whole = "==> Press Ctrl-C to exit <==\nbefore é\n".to_owned();
        for number in 0..9 {
            let line = format!("{number} {}\n", "x".repeat(500));
            daemon.write_stdin("cat", &line)?;
            whole.push_str(&line);
            if scenario.daemon == Implementation::Ours {
                stdout.wait(&daemon, &line)?;
            } else {
                // What it had not seen before the rotation it does not show.
                daemon.wait_log(&line)?;
            }
        }
        daemon.write_stdin("cat", "the end\n")?;
        stdout.wait(&daemon, "the end\n")?;
        scenario.note(stdout.interrupt()?);
        scenario.note(stderr.interrupt()?);
        note_file(scenario, "stderr.out")?;
        if scenario.daemon == Implementation::Ours {
            let followed = daemon.file("stdout.out");
            ensure!(followed.trim_end() == format!("{whole}the end"), "{followed}");
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn following_ends_with_the_daemon_and_with_what_is_not_there() {
    compare_ctl_matrix(|scenario| {
        let port = closed_port()?.to_string();
        let mut daemon = scenario.start(&format!(
            "{CAT}[inet_http_server]\nport=127.0.0.1:{port}\nusername=me\npassword=secret\n"
        ))?;
        daemon.wait_state("cat", "RUNNING")?;
        daemon.write_stdin("cat", "hello\n")?;
        daemon.wait_file("cat.log", "hello")?;
        for line in [
            "tail -f none",
            "tail -f none stderr",
            "tail -f cat:none",
            "tail -f a/b",
            "tail -f ../x",
            "tail -f é",
            "tail -f cat%41",
            "tail -f err:err stdin",
            "tail -f cat stdout x",
        ] {
            let mut output = scenario.run_unrecorded(&line.split(' ').collect::<Vec<_>>(), b"")?;
            output.stderr = output.stderr_text().replace("status code 410", "status code 404").into_bytes();
            scenario.note_output(line, &output);
        }
        let url = format!("http://127.0.0.1:{port}");
        // Over TCP, with a name and password, and with wrong ones.
        let mut right = Follower::start(
            scenario,
            &["-s", &url, "-u", "me", "-p", "secret", "tail", "-f", "cat"],
            "right.out",
        )?;
        right.wait(&daemon, "hello\n")?;
        let output =
            scenario.run_unrecorded(&["-s", &url, "-u", "me", "-p", "wrong", "tail", "-f", "cat"], b"")?;
        scenario.note_output("with a wrong password", &output);
        let mut main = Follower::start(scenario, &["maintail", "-f"], "main.out")?;
        main.wait(&daemon, "cat")?;
        daemon.stop()?;
        scenario.note(right.end()?);
        scenario.note(main.end()?);
        note_file(scenario, "right.out")
    })
    .unwrap();
}

#[test]
fn every_byte_of_a_log_arrives() {
    // The original shows what is no text by Python's repr, in pieces that depend on when it reads.
    let dir = ironlance_e2e::TestDir::new().unwrap();
    let config = format!("{}{}{CAT}", ironlance_e2e::daemon::BASE, ironlance_e2e::differential::SECTION);
    let daemon = Daemon::start_on(&dir, Implementation::Ours, &config, &[]).unwrap();
    daemon.wait_state("cat", "RUNNING").unwrap();
    let bytes: Vec<u8> = (0..=255).collect();
    fs::write(dir.path("cat.log"), &bytes).unwrap();
    let mut command =
        supervisorctl(&dir, Implementation::Ours, &["-c", "supervisord.conf", "tail", "-f", "cat"]).unwrap();
    let mut child =
        command.stdin(Stdio::null()).stdout(File::create(dir.path("out")).unwrap()).spawn().unwrap();
    let seen = until("the bytes", TIMEOUT, || {
        let out = fs::read(dir.path("out"))?;
        Ok(out.ends_with(&bytes).then_some(()))
    });
    child.kill().unwrap();
    child.wait().unwrap();
    seen.unwrap();
}

#[test]
fn nobody_reads_on() {
    // What is cut off by `| head` ends, and shows no trace of it.
    let dir = ironlance_e2e::TestDir::new().unwrap();
    let programs: String = (0..400)
        .map(|number| format!("[program:p{number}]\ncommand=cat\nautostart=false\nstartsecs=0\n"))
        .collect();
    let config =
        format!("{}{}{CAT}{programs}", ironlance_e2e::daemon::BASE, ironlance_e2e::differential::SECTION);
    let daemon = Daemon::start_on(&dir, Implementation::Ours, &config, &[]).unwrap();
    daemon.wait_state("cat", "RUNNING").unwrap();
    daemon.write_stdin("cat", &"line\n".repeat(300)).unwrap();
    daemon.wait_file("cat.log", "line").unwrap();
    for line in ["status", "tail -f cat", "maintail -f", "avail", "help", "fg cat", "events"] {
        let mut command = supervisorctl(&dir, Implementation::Ours, &["-c", "supervisord.conf"]).unwrap();
        let mut child = command
            .args(line.split(' '))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(dir.path("err")).unwrap())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let ended = until(&format!("the end of {line}"), TIMEOUT, || {
            daemon.write_stdin("cat", "more\n")?;
            // An event, too.
            let _ = daemon.call("startProcess", &["p1".into()])?;
            let _ = daemon.call("stopProcess", &["p1".into()])?;
            Ok(child.try_wait()?)
        });
        if ended.is_err() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        ended.unwrap();
        assert!(!daemon.file("err").contains("panic"), "{line}: {}", daemon.file("err"));
    }
}

#[test]
fn the_foreground_in_a_pipe() {
    use std::io::Write;
    compare_ctl_matrix(|scenario| {
        let daemon = scenario.start(CAT)?;
        daemon.wait_state("cat", "RUNNING")?;
        daemon.write_stdin("cat", "before\n")?;
        daemon.wait_file("cat.log", "before\n")?;
        let mut fg = Follower::start_with(scenario, &["fg", "cat"], "fg.out", Stdio::piped())?;
        fg.wait(&daemon, "before\n")?;
        let mut stdin = fg.child.stdin.take().unwrap();
        stdin.write_all("first é\n".as_bytes())?;
        fg.wait(&daemon, "first é\n")?;
        stdin.write_all(b"second\nthird\n")?;
        fg.wait(&daemon, "third\n")?;
        drop(stdin);
        fg.wait(&daemon, "Exiting foreground\n")?;
        if scenario.implementation == Implementation::Ours {
            assert_eq!(fg.end()?.code(), Some(0));
        }
        note_file(scenario, "fg.out")?;
        // One that ends meanwhile.
        let mut fg = Follower::start_with(scenario, &["fg", "cat"], "gone.out", Stdio::piped())?;
        fg.wait(&daemon, "third\n")?;
        daemon.call("stopProcess", &["cat".into()])?.unwrap();
        let mut stdin = fg.child.stdin.take().unwrap();
        stdin.write_all(b"to nobody\n")?;
        fg.wait(&daemon, "Exiting foreground\n")?;
        if scenario.implementation == Implementation::Ours {
            assert_eq!(fg.end()?.code(), Some(0));
        }
        note_file(scenario, "gone.out")
    })
    .unwrap();
}
