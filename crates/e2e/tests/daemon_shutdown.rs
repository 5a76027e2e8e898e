//! Coming up and going down: who is stopped before whom, who has crashed before, who is waited for.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use ironlance_e2e::daemon::{BASE, supervisord, write_config};
use ironlance_e2e::{Daemon, Implementation, TestDir, until};
use rustix::process::Signal;

const LIMIT: Duration = Duration::from_secs(30);

/// Three programs that stop one after the other, where priorities hold.
const TIERS: &str = "[program:db]\ncommand=sleep 1000\npriority=1\n[program:web]\ncommand=sleep 1000\npriority=9\n\
    [program:app]\ncommand=sleep 1000\npriority=5\n[program:app2]\ncommand=sleep 1000\npriority=5\n";

/// Whether the log says that `first` was down before `second` was told to stop.
fn is_down_before(log: &str, first: &str, second: &str) -> bool {
    let down = log.find(&format!("stopped: {first} ("));
    let killed = log.find(&format!("killing {second} (pid "));
    matches!((down, killed), (Some(down), Some(killed)) if down < killed)
}

#[test]
fn all_and_groups_are_stopped_from_the_highest_priority_down() {
    for (method, group) in
        [("stopAllProcesses", ""), ("stopProcessGroup", "tiers"), ("stopProcess", "tiers:*")]
    {
        let dir = TestDir::new().unwrap();
        let grouped = if group.is_empty() { "" } else { "[group:tiers]\nprograms=db,web,app,app2\n" };
        let daemon = Daemon::start(&dir, Implementation::Ours, &format!("{TIERS}{grouped}")).unwrap();
        let prefix = if group.is_empty() { "" } else { "tiers:" };
        for name in ["db", "web", "app", "app2"] {
            daemon.wait_state(&format!("{prefix}{name}"), "RUNNING").unwrap();
        }
        let params: &[_] = if group.is_empty() { &[] } else { &[group.into()] };
        let answer = daemon.call(method, params).unwrap().unwrap();
        assert_eq!(answer.items().len(), 4, "{answer}");
        assert!(
            answer.items().iter().all(|result| result.get("status").unwrap().as_int() == Some(80)),
            "{answer}"
        );
        let log = daemon.log();
        for (first, second) in [("web", "app"), ("web", "app2"), ("app", "db"), ("app2", "db")] {
            assert!(is_down_before(&log, first, second), "{method}: {first} before {second}:\n{log}");
        }
        // Equal ones do not wait for each other.
        assert!(!is_down_before(&log, "app", "app2"), "{log}");
    }
}

#[test]
fn a_process_that_goes_in_the_middle_of_an_ordered_stop_holds_nobody_up() {
    let dir = TestDir::new().unwrap();
    let slow = dir.script("slow", "#!/bin/sh\ntrap 'until [ -e go ]; do sleep 0.05; done; exit' TERM\nwhile :; do sleep 0.05; done\n").unwrap();
    let config = format!(
        "[program:slow]\ncommand={slow}\ndirectory={{dir}}\npriority=9\nstopwaitsecs=60\n[program:gone]\ncommand=sleep 1000\n\
         priority=1\nautorestart=false\n[program:other]\ncommand=sleep 1000\npriority=1\n"
    );
    let daemon = Daemon::start(&dir, Implementation::Ours, &config).unwrap();
    for name in ["slow", "gone", "other"] {
        daemon.wait_state(name, "RUNNING").unwrap();
    }
    let answer = std::thread::scope(|scope| {
        let asking = scope.spawn(|| daemon.call("stopAllProcesses", &[]).unwrap().unwrap());
        daemon.wait_state("slow", "STOPPING").unwrap();
        daemon.hit("gone", Signal::KILL).unwrap();
        daemon.wait_state("gone", "EXITED").unwrap();
        daemon.call("removeProcessGroup", &["gone".into()]).unwrap().unwrap();
        daemon.call("stopProcess", &["other".into()]).unwrap().unwrap();
        dir.write("go", "").unwrap();
        asking.join().unwrap()
    });
    assert_eq!(answer.items().len(), 3, "{answer}");
    // Before its turn, on its own: it was not stopped.
    assert!(daemon.log().contains("exited: gone (terminated by SIGKILL; not expected)"));
}

#[test]
fn who_has_crashed_before_the_daemon_was_told_to_end_is_not_called_stopped() {
    let dir = TestDir::new().unwrap();
    let mut daemon = Daemon::start(&dir, Implementation::Ours, "[program:a]\ncommand=sleep 1000\n").unwrap();
    let pid = daemon.wait_state("a", "RUNNING").unwrap();
    // Both signals wait for the daemon together.
    daemon.signal(Signal::STOP).unwrap();
    ironlance_e2e::daemon::send(pid, Signal::KILL).unwrap();
    until("the child to be dead", LIMIT, || {
        Ok(fs::read_to_string(format!("/proc/{pid}/stat"))?.contains(") Z ").then_some(()))
    })
    .unwrap();
    daemon.signal(Signal::TERM).unwrap();
    daemon.signal(Signal::CONT).unwrap();
    assert!(daemon.wait_end().unwrap().success());
    let log = daemon.log();
    assert!(log.contains("exited: a (terminated by SIGKILL; not expected)"), "{log}");
    assert!(!log.contains("stopped: a"), "{log}");
}

#[test]
fn what_nobody_reads_is_given_up_at_the_end_and_said() {
    let dir = TestDir::new().unwrap();
    let config = format!(
        "{BASE}[supervisord]\nsilent=true\n[program:loud]\ncommand=yes\nnumprocs=5\nprocess_name=%(program_name)s%(process_num)s\n\
         stdout_logfile=/dev/stdout\nstdout_logfile_maxbytes=0\nstartsecs=0\n"
    );
    write_config(&dir, &config).unwrap();
    let path = dir.path("supervisord.conf").display().to_string();
    let mut command = supervisord(&dir, Implementation::Ours, &["-c", &path]).unwrap();
    // The reader's end stays open, and nobody reads.
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let log = || fs::read_to_string(dir.path("supervisord.log")).unwrap_or_default();
    until("all to run", LIMIT, || Ok((log().matches("entered RUNNING state").count() == 5).then_some(())))
        .unwrap();
    ironlance_e2e::daemon::send(child.id().into(), Signal::TERM).unwrap();
    until("the end", LIMIT, || Ok(child.try_wait()?)).unwrap();
    assert!(log().contains("before the end: nobody reads"), "{}", log());
}

#[test]
fn the_pid_file_is_there_when_the_process_in_front_has_ended() {
    for _ in 0..5 {
        let dir = TestDir::new().unwrap();
        write_config(&dir, &BASE.replace("nodaemon=true", "nodaemon=false")).unwrap();
        let path = dir.path("supervisord.conf").display().to_string();
        let output = ironlance_e2e::daemon::run(&dir, Implementation::Ours, &["-c", &path]).unwrap();
        let pid = fs::read_to_string(dir.path("supervisord.pid"));
        assert!(output.status.success(), "{output:?}");
        let pid: i64 = pid.unwrap().trim().parse().unwrap();
        let command = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
        assert!(command.contains("supervisord"), "{command}");
        ironlance_e2e::daemon::send(pid, Signal::TERM).unwrap();
        until("its end", LIMIT, || Ok((!dir.path("supervisord.pid").exists()).then_some(()))).unwrap();
    }
}
