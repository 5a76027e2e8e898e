//! pidproxy, the original and ours: the same signals at the same pidfiles, and what came of them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use ironlance_e2e::daemon::{run_command, send};
use ironlance_e2e::wait::pause;
use ironlance_e2e::{Daemon, Implementation, TIMEOUT, TestDir, until};
use rustix::process::Signal;

/// A pidproxy with a program that does nothing, and another process for its file to name.
struct ProxyFixture {
    dir: TestDir,
    proxy: Child,
    target: Child,
}

impl ProxyFixture {
    /// Both have begun; there is no file yet.
    fn set(implementation: Implementation) -> Self {
        let dir = TestDir::new().unwrap();
        let target = dir.command("sleep", implementation).unwrap().arg("654").spawn().unwrap();
        // A marker of its own says that the program has begun, and that signals are therefore listened to.
        dir.script("program", "echo begun > begun\nexec sleep 321").unwrap();
        let proxy = dir
            .command(implementation.path("pidproxy").unwrap(), implementation)
            .unwrap()
            .args(["the.pid", "/bin/sh", "program"])
            .env("PYTHONUNBUFFERED", "1")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let fixture = Self { dir, proxy, target };
        fixture.wait_file("begun");
        fixture
    }

    fn wait_file(&self, name: &str) {
        until(name, TIMEOUT, || Ok(self.dir.path(name).exists().then_some(()))).unwrap();
    }

    fn hit(&self, signal: Signal) {
        send(i64::from(self.proxy.id()), signal).unwrap();
    }

    /// The end of the proxy, its stdout, and the last line of its stderr.
    fn end(&mut self) -> (ExitStatus, String, String) {
        let status = wait(&mut self.proxy);
        // The program runs on, and has the pipes too.
        self.dir.processes_named("sleep 321").into_iter().for_each(|pid| {
            let _ = rustix::process::kill_process(pid, Signal::KILL);
        });
        let (mut out, mut err) = (String::new(), String::new());
        self.proxy.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        self.proxy.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        (status, out, err)
    }
}

fn wait(child: &mut Child) -> ExitStatus {
    until("the end of a process", TIMEOUT, || Ok(child.try_wait()?)).unwrap()
}

#[test]
fn every_signal_is_passed_on_to_the_pid_in_the_file() {
    for implementation in Implementation::BOTH {
        for signal in [Signal::HUP, Signal::USR1, Signal::USR2, Signal::TERM, Signal::INT, Signal::QUIT] {
            let mut fixture = ProxyFixture::set(implementation);
            // The file comes late, and is written as people write it.
            fixture.dir.write("the.pid", &format!(" {}\n\n", fixture.target.id())).unwrap();
            fixture.hit(signal);
            let end = wait(&mut fixture.target);
            assert_eq!(end.signal(), Some(signal.as_raw()), "{implementation}: {signal:?}");
            if matches!(signal, Signal::TERM | Signal::INT | Signal::QUIT) {
                assert_eq!(wait(&mut fixture.proxy).code(), Some(0), "{implementation}: {signal:?}");
            } else {
                pause(Duration::from_millis(100));
                assert_eq!(fixture.proxy.try_wait().unwrap(), None, "{implementation}: {signal:?}");
            }
            // The program is left alone either way.
            assert_eq!(fixture.dir.processes_named("sleep 321").len(), 1, "{implementation}: {signal:?}");
        }
    }
}

#[test]
fn a_file_that_names_nobody_is_told_and_changes_nothing() {
    for implementation in Implementation::BOTH {
        let mut fixture = ProxyFixture::set(implementation);
        for (text, signal) in [(None, Signal::TERM), (Some("soon"), Signal::HUP), (Some(""), Signal::QUIT)] {
            if let Some(text) = text {
                fixture.dir.write("the.pid", text).unwrap();
            }
            fixture.hit(signal);
            pause(Duration::from_millis(300));
            assert_eq!(fixture.proxy.try_wait().unwrap(), None, "{implementation}: {text:?}");
        }
        fixture.dir.write("the.pid", &fixture.target.id().to_string()).unwrap();
        fixture.hit(Signal::TERM);
        let (status, out, err) = fixture.end();
        assert_eq!(status.code(), Some(0), "{implementation}: {err}");
        assert_eq!(out, "Can't read child pidfile the.pid!\n".repeat(3), "{implementation}");
    }
}

#[test]
fn a_pid_that_nobody_has_ends_it_with_a_failure() {
    for implementation in Implementation::BOTH {
        let mut fixture = ProxyFixture::set(implementation);
        // The greatest pid that Linux gives is one less.
        fixture.dir.write("the.pid", "4194304").unwrap();
        fixture.hit(Signal::HUP);
        let (status, _, err) = fixture.end();
        assert_eq!(status.code(), Some(1), "{implementation}");
        assert!(err.trim_end().ends_with("No such process"), "{implementation}: {err}");
        if implementation == Implementation::Ours {
            assert_eq!(err, "pidproxy: cannot send SIGHUP to 4194304 of the.pid: No such process\n");
        }
    }
}

#[test]
fn it_ends_with_0_when_the_program_has_ended_however_that_was() {
    for implementation in Implementation::BOTH {
        for program in [["/bin/sh", "-c", "exit 7"], ["/bin/sh", "-c", "kill -9 $$"], ["/no/such", "", ""]] {
            let dir = TestDir::new().unwrap();
            let mut command = dir.command(implementation.path("pidproxy").unwrap(), implementation).unwrap();
            command.arg("the.pid").args(program);
            let output = run_command(command).unwrap();
            assert_eq!(output.status.code(), Some(0), "{implementation}: {program:?}");
            assert_eq!(output.stdout, b"", "{implementation}: {program:?}");
        }
    }
}

#[test]
fn the_program_is_a_path_and_keeps_the_name_it_was_called_by() {
    for implementation in Implementation::BOTH {
        let dir = TestDir::new().unwrap();
        let script = dir.path("bin/tool");
        dir.write("bin/other", "").unwrap();
        fs::copy("/bin/sh", &script).unwrap();
        let run = |program: &str| {
            let mut command = dir.command(implementation.path("pidproxy").unwrap(), implementation).unwrap();
            command.args(["the.pid", program, "-c", "echo called $0"]);
            String::from_utf8(run_command(command).unwrap().stdout).unwrap()
        };
        assert_eq!(run("bin/tool"), "called bin/tool\n", "{implementation}");
        // PATH is not searched: there is no ./sh.
        assert_eq!(run("sh"), "", "{implementation}");
    }
}

#[test]
fn without_a_program_the_usage_is_shown() {
    for implementation in Implementation::BOTH {
        for args in [&[][..], &["-h"], &["the.pid"]] {
            let dir = TestDir::new().unwrap();
            let path = implementation.path("pidproxy").unwrap();
            let mut command: Command = dir.command(&path, implementation).unwrap();
            command.args(args);
            let output = run_command(command).unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            assert_eq!(output.status.code(), Some(1), "{implementation}: {args:?}");
            let usage = format!("\nUsage: {} <pidfile name> <command> [<cmdarg1> ...]\n\n", path.display());
            assert!(text.ends_with(&usage), "{implementation}: {text}");
        }
    }
}

#[test]
fn under_a_supervisord_a_stop_reaches_the_daemon_behind_the_file() {
    for implementation in Implementation::BOTH {
        let dir = TestDir::new().unwrap();
        // As a wrapper does: the daemon is its child, and the wrapper ends with it.
        dir.script("wrapper", "sleep 321 &\necho $! > $1\nwait").unwrap();
        let pidproxy = implementation.path("pidproxy").unwrap();
        let program = format!(
            "[program:behind]\ncommand={} {{dir}}/d.pid /bin/sh {{dir}}/wrapper {{dir}}/d.pid\n",
            pidproxy.display()
        );
        let daemon = Daemon::start(&dir, implementation, &program).unwrap();
        daemon.wait_state("behind", "RUNNING").unwrap();
        until("the pidfile", TIMEOUT, || Ok((!daemon.file("d.pid").is_empty()).then_some(()))).unwrap();
        assert_eq!(dir.processes_named("sleep 321").len(), 1, "{implementation}");
        daemon.call("stopProcess", &["behind".into()]).unwrap().unwrap();
        until("the daemon's end", TIMEOUT, || Ok(dir.processes_named("sleep 321").is_empty().then_some(())))
            .unwrap();
        assert_eq!(daemon.info("behind", "exitstatus").unwrap().as_int(), Some(0), "{implementation}");
    }
}
