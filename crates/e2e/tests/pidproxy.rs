//! pidproxy, the original and ours: the same signals at the same pidfiles, and what came of them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use ironlance_e2e::daemon::{run_command, send};
use ironlance_e2e::patience::pause;
use ironlance_e2e::{Daemon, Flavour, PATIENCE, Scene, until};
use rustix::process::Signal;

/// A pidproxy with a program that does nothing, and another process for its file to name.
struct Stage {
    scene: Scene,
    proxy: Child,
    target: Child,
}

impl Stage {
    /// Both have begun; there is no file yet.
    fn set(flavour: Flavour) -> Self {
        let scene = Scene::new().unwrap();
        let target = scene.command("sleep", flavour).unwrap().arg("654").spawn().unwrap();
        // A marker of its own says that the program has begun, and that signals are therefore listened to.
        scene.script("program", "echo begun > begun\nexec sleep 321").unwrap();
        let proxy = scene
            .command(flavour.path("pidproxy").unwrap(), flavour)
            .unwrap()
            .args(["the.pid", "/bin/sh", "program"])
            .env("PYTHONUNBUFFERED", "1")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stage = Self { scene, proxy, target };
        stage.wait_file("begun");
        stage
    }

    fn wait_file(&self, name: &str) {
        until(name, PATIENCE, || Ok(self.scene.path(name).exists().then_some(()))).unwrap();
    }

    fn hit(&self, signal: Signal) {
        send(i64::from(self.proxy.id()), signal).unwrap();
    }

    /// The end of the proxy, its stdout, and the last line of its stderr.
    fn end(&mut self) -> (ExitStatus, String, String) {
        let status = wait(&mut self.proxy);
        // The program runs on, and has the pipes too.
        self.scene.processes_named("sleep 321").into_iter().for_each(|pid| {
            let _ = rustix::process::kill_process(pid, Signal::KILL);
        });
        let (mut out, mut err) = (String::new(), String::new());
        self.proxy.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        self.proxy.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        (status, out, err)
    }
}

fn wait(child: &mut Child) -> ExitStatus {
    until("the end of a process", PATIENCE, || Ok(child.try_wait()?)).unwrap()
}

#[test]
fn every_signal_is_passed_on_to_the_pid_in_the_file() {
    for flavour in Flavour::BOTH {
        for signal in [Signal::HUP, Signal::USR1, Signal::USR2, Signal::TERM, Signal::INT, Signal::QUIT] {
            let mut stage = Stage::set(flavour);
            // The file comes late, and is written as people write it.
            stage.scene.write("the.pid", &format!(" {}\n\n", stage.target.id())).unwrap();
            stage.hit(signal);
            let end = wait(&mut stage.target);
            assert_eq!(end.signal(), Some(signal.as_raw()), "{flavour}: {signal:?}");
            if matches!(signal, Signal::TERM | Signal::INT | Signal::QUIT) {
                assert_eq!(wait(&mut stage.proxy).code(), Some(0), "{flavour}: {signal:?}");
            } else {
                pause(Duration::from_millis(100));
                assert_eq!(stage.proxy.try_wait().unwrap(), None, "{flavour}: {signal:?}");
            }
            // The program is left alone either way.
            assert_eq!(stage.scene.processes_named("sleep 321").len(), 1, "{flavour}: {signal:?}");
        }
    }
}

#[test]
fn a_file_that_names_nobody_is_told_and_changes_nothing() {
    for flavour in Flavour::BOTH {
        let mut stage = Stage::set(flavour);
        for (text, signal) in [(None, Signal::TERM), (Some("soon"), Signal::HUP), (Some(""), Signal::QUIT)] {
            if let Some(text) = text {
                stage.scene.write("the.pid", text).unwrap();
            }
            stage.hit(signal);
            pause(Duration::from_millis(300));
            assert_eq!(stage.proxy.try_wait().unwrap(), None, "{flavour}: {text:?}");
        }
        stage.scene.write("the.pid", &stage.target.id().to_string()).unwrap();
        stage.hit(Signal::TERM);
        let (status, out, err) = stage.end();
        assert_eq!(status.code(), Some(0), "{flavour}: {err}");
        assert_eq!(out, "Can't read child pidfile the.pid!\n".repeat(3), "{flavour}");
    }
}

#[test]
fn a_pid_that_nobody_has_ends_it_with_a_failure() {
    for flavour in Flavour::BOTH {
        let mut stage = Stage::set(flavour);
        // The greatest pid that Linux gives is one less.
        stage.scene.write("the.pid", "4194304").unwrap();
        stage.hit(Signal::HUP);
        let (status, _, err) = stage.end();
        assert_eq!(status.code(), Some(1), "{flavour}");
        assert!(err.trim_end().ends_with("No such process"), "{flavour}: {err}");
        if flavour == Flavour::Ours {
            assert_eq!(err, "pidproxy: cannot send SIGHUP to 4194304 of the.pid: No such process\n");
        }
    }
}

#[test]
fn it_ends_with_0_when_the_program_has_ended_however_that_was() {
    for flavour in Flavour::BOTH {
        for program in [["/bin/sh", "-c", "exit 7"], ["/bin/sh", "-c", "kill -9 $$"], ["/no/such", "", ""]] {
            let scene = Scene::new().unwrap();
            let mut command = scene.command(flavour.path("pidproxy").unwrap(), flavour).unwrap();
            command.arg("the.pid").args(program);
            let output = run_command(command).unwrap();
            assert_eq!(output.status.code(), Some(0), "{flavour}: {program:?}");
            assert_eq!(output.stdout, b"", "{flavour}: {program:?}");
        }
    }
}

#[test]
fn the_program_is_a_path_and_keeps_the_name_it_was_called_by() {
    for flavour in Flavour::BOTH {
        let scene = Scene::new().unwrap();
        let script = scene.path("bin/tool");
        scene.write("bin/other", "").unwrap();
        fs::copy("/bin/sh", &script).unwrap();
        let run = |program: &str| {
            let mut command = scene.command(flavour.path("pidproxy").unwrap(), flavour).unwrap();
            command.args(["the.pid", program, "-c", "echo called $0"]);
            String::from_utf8(run_command(command).unwrap().stdout).unwrap()
        };
        assert_eq!(run("bin/tool"), "called bin/tool\n", "{flavour}");
        // PATH is not searched: there is no ./sh.
        assert_eq!(run("sh"), "", "{flavour}");
    }
}

#[test]
fn without_a_program_the_usage_is_shown() {
    for flavour in Flavour::BOTH {
        for args in [&[][..], &["-h"], &["the.pid"]] {
            let scene = Scene::new().unwrap();
            let path = flavour.path("pidproxy").unwrap();
            let mut command: Command = scene.command(&path, flavour).unwrap();
            command.args(args);
            let output = run_command(command).unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            assert_eq!(output.status.code(), Some(1), "{flavour}: {args:?}");
            let usage = format!("\nUsage: {} <pidfile name> <command> [<cmdarg1> ...]\n\n", path.display());
            assert!(text.ends_with(&usage), "{flavour}: {text}");
        }
    }
}

#[test]
fn under_a_supervisord_a_stop_reaches_the_daemon_behind_the_file() {
    for flavour in Flavour::BOTH {
        let scene = Scene::new().unwrap();
        // As a wrapper does: the daemon is its child, and the wrapper ends with it.
        scene.script("wrapper", "sleep 321 &\necho $! > $1\nwait").unwrap();
        let pidproxy = flavour.path("pidproxy").unwrap();
        let program = format!(
            "[program:behind]\ncommand={} {{dir}}/d.pid /bin/sh {{dir}}/wrapper {{dir}}/d.pid\n",
            pidproxy.display()
        );
        let daemon = Daemon::start(&scene, flavour, &program).unwrap();
        daemon.wait_state("behind", "RUNNING").unwrap();
        until("the pidfile", PATIENCE, || Ok((!daemon.file("d.pid").is_empty()).then_some(()))).unwrap();
        assert_eq!(scene.processes_named("sleep 321").len(), 1, "{flavour}");
        daemon.call("stopProcess", &["behind".into()]).unwrap().unwrap();
        until("the daemon's end", PATIENCE, || {
            Ok(scene.processes_named("sleep 321").is_empty().then_some(()))
        })
        .unwrap();
        assert_eq!(daemon.info("behind", "exitstatus").unwrap().as_int(), Some(0), "{flavour}");
    }
}
