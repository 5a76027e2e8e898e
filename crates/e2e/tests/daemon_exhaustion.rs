//! Our daemon where something runs out or is taken away: disk, folders, descriptors, processes; and as PID 1.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::process::{Command, Stdio};

use ironlance_e2e::daemon::{BASE, send, write_config};
use ironlance_e2e::{Daemon, Implementation, TIMEOUT, TestDir, until};
use rustix::process::Signal;

/// A command of ours in the test directory, run by another one: `prlimit --nofile=40 supervisord …`.
fn under(dir: &TestDir, prefix: &[&str], config: &str) -> Daemon {
    let config = write_config(dir, config).unwrap();
    let mut command = dir.command(prefix[0], Implementation::Ours).unwrap();
    command
        .args(&prefix[1..])
        .arg(Implementation::Ours.path("supervisord").unwrap())
        .arg("-c")
        .arg(config)
        .stdin(Stdio::null());
    let daemon = Daemon::spawn(dir, command).unwrap();
    until("an answer", TIMEOUT, || Ok(daemon.call("getState", &[]).ok().map(drop))).unwrap();
    daemon
}

/// Unmounts when dropped.
struct Mount(std::path::PathBuf);

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// A file system of 256 KB, where root may mount one.
fn small_disk(dir: &TestDir) -> Option<Mount> {
    let folder = dir.path("small");
    fs::create_dir(&folder).unwrap();
    let mounted =
        Command::new("mount").args(["-t", "tmpfs", "-o", "size=256k", "none"]).arg(&folder).status();
    if mounted.is_ok_and(|status| status.success()) {
        return Some(Mount(folder));
    }
    eprintln!("cannot mount a small disk here: a full disk is not tested");
    None
}

#[test]
fn a_full_disk_blocks_no_child_and_the_loss_is_said() {
    let dir = TestDir::new().unwrap();
    let Some(_disk) = small_disk(&dir) else { return };
    let daemon = Daemon::start(&dir, Implementation::Ours, "[supervisord]\nloglevel=info\n[program:cat]\ncommand=cat\nstartsecs=0\nstdout_logfile={dir}/small/cat.log\nstdout_logfile_maxbytes=0\nstderr_logfile=NONE\n").unwrap();
    daemon.wait_state("cat", "RUNNING").unwrap();
    let line = "x".repeat(32 * 1024 - 1) + "\n";
    for _ in 0..16 {
        daemon.write_stdin("cat", &line).unwrap();
    }
    until("a word of the loss", TIMEOUT, || {
        Ok(daemon.log_lines().iter().any(|line| line.contains("cat.log")).then_some(()))
    })
    .unwrap();
    // There is room again: what comes now is written, and the sum of what was lost is said.
    fs::write(dir.path("small/cat.log"), "").unwrap();
    until("a line after the loss", TIMEOUT, || {
        daemon.write_stdin("cat", "after\n")?;
        Ok(daemon.file("small/cat.log").contains("after\n").then_some(()))
    })
    .unwrap();
    until("the sum", TIMEOUT, || {
        Ok(daemon
            .log_lines()
            .iter()
            .any(|line| line.contains("cat.log") && line.contains("byte"))
            .then_some(()))
    })
    .unwrap();
    assert_eq!(daemon.state("cat").unwrap(), "RUNNING");
}

#[test]
fn a_main_log_on_a_full_disk_stops_nothing() {
    let dir = TestDir::new().unwrap();
    let Some(_disk) = small_disk(&dir) else { return };
    let daemon = Daemon::start_on(
        &dir,
        Implementation::Ours,
        &format!(
            "{}[program:cat]\ncommand=cat\nstartsecs=0\nstdout_logfile=NONE\n",
            BASE.replace("{dir}/supervisord.log", "{dir}/small/main.log")
        ),
        &[],
    )
    .unwrap();
    daemon.wait_state("cat", "RUNNING").unwrap();
    let line = "x".repeat(32 * 1024 - 1) + "\n";
    for _ in 0..16 {
        daemon.write_stdin("cat", &line).unwrap();
    }
    let pid = daemon.hit("cat", Signal::KILL).unwrap();
    until("a restart", TIMEOUT, || Ok((![0, pid].contains(&daemon.pid_of("cat")?)).then_some(()))).unwrap();
}

#[test]
fn a_log_folder_that_is_removed_does_no_harm() {
    let dir = TestDir::new().unwrap();
    fs::create_dir(dir.path("logs")).unwrap();
    let daemon = Daemon::start(&dir, Implementation::Ours, "[program:cat]\ncommand=cat\nstartsecs=0\nstdout_logfile={dir}/logs/cat.log\nstdout_logfile_maxbytes=20\nstderr_logfile=NONE\n").unwrap();
    daemon.wait_state("cat", "RUNNING").unwrap();
    let say = |words: &str| daemon.write_stdin("cat", words).unwrap();
    say("one\n");
    daemon.wait_file("logs/cat.log", "one\n").unwrap();
    fs::remove_dir_all(dir.path("logs")).unwrap();
    for _ in 0..5 {
        say("while it is gone\n");
    }
    assert_eq!(daemon.state("cat").unwrap(), "RUNNING");
    fs::create_dir(dir.path("logs")).unwrap();
    daemon.signal(Signal::USR2).unwrap();
    until("the new log", TIMEOUT, || {
        say("back\n");
        Ok(daemon.file("logs/cat.log").contains("back\n").then_some(()))
    })
    .unwrap();
    // A start without the folder is an error that names the log; with it, all is well again.
    fs::remove_dir_all(dir.path("logs")).unwrap();
    daemon.hit("cat", Signal::KILL).unwrap();
    until("a spawn error", TIMEOUT, || Ok(daemon.log().contains("spawnerr: ").then_some(()))).unwrap();
    fs::create_dir(dir.path("logs")).unwrap();
    daemon.wait_state("cat", "RUNNING").unwrap();
}

#[test]
fn without_descriptors_programs_wait_and_the_daemon_answers() {
    let dir = TestDir::new().unwrap();
    let config = format!(
        "{BASE}[supervisord]\nminfds=10\n[program:p]\ncommand=sleep 1000\nstartsecs=0\nstartretries=2\nnumprocs=40\nprocess_name=p%(process_num)02d\nstdout_logfile=NONE\nstderr_logfile=NONE\n"
    );
    let daemon = under(&dir, &["prlimit", "--nofile=60:60"], &config);
    daemon.wait_log("too many open files to spawn").unwrap();
    let all = daemon.call("getAllProcessInfo", &[]).unwrap().unwrap();
    let running = all
        .items()
        .iter()
        .filter(|info| info.get("state").and_then(|state| state.as_int()) == Some(20))
        .count();
    assert!((1..40).contains(&running), "{running} are running");
    // Room again: what waits in BACKOFF, or is started anew when all of that has been given up, finds it.
    for name in ["p:p00", "p:p01", "p:p02"] {
        daemon.call("stopProcess", &[name.into()]).unwrap().unwrap();
    }
    until("a start", TIMEOUT, || Ok(daemon.call("startProcess", &["p:p00".into()])?.ok())).unwrap();
}

#[test]
fn without_processes_a_start_is_an_error_and_is_tried_again() {
    let dir = TestDir::new().unwrap();
    if !rustix::process::geteuid().is_root() {
        eprintln!("cannot become another user here: a full process table is not tested");
        return;
    }
    std::os::unix::fs::chown(dir.folder(), Some(64_123), Some(64_123)).unwrap();
    let prefix = ["setpriv", "--reuid=64123", "--regid=64123", "--clear-groups", "prlimit", "--nproc=3:3"];
    let config = format!(
        "{BASE}[supervisord]\nminprocs=1\n[program:p]\ncommand=sleep 1000\nstartsecs=0\nstartretries=1\nnumprocs=6\nprocess_name=p%(process_num)d\n"
    );
    let daemon = under(&dir, &prefix, &config);
    daemon.wait_log("Too many processes in process table to spawn").unwrap();
    daemon.wait_state("p:p5", "FATAL").unwrap();
    assert!(daemon.info("p:p5", "spawnerr").unwrap().to_string().contains("Too many processes"));
    assert_eq!(daemon.state("p:p0").unwrap(), "RUNNING");
}

#[test]
fn as_the_first_process_it_reaps_orphans_and_ends_with_a_status() {
    let dir = TestDir::new().unwrap();
    let probe = Command::new("unshare").args(["--pid", "--fork", "--mount-proc", "true"]).status();
    if !probe.is_ok_and(|status| status.success()) {
        eprintln!("cannot make a process namespace here: PID 1 is not tested");
        return;
    }
    let orphans = "[program:orphans]\ncommand=sh -c 'i=0; while [ $i -lt 50 ]; do (sh -c \"sleep 0.05 & exit 0\" &); i=$((i+1)); done; exec sleep 1000'\nstartsecs=0\n";
    let mut daemon = under(
        &dir,
        &["unshare", "--pid", "--fork", "--mount-proc", "--kill-child=TERM"],
        &format!("{BASE}{orphans}"),
    );
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", daemon.pid())).unwrap();
    let init: i64 = children.trim().parse().unwrap();
    assert_eq!(daemon.call("getPID", &[]).unwrap().unwrap().as_int(), Some(1));
    daemon.wait_state("orphans", "RUNNING").unwrap();
    // It adopts and buries them all; the one program is left.
    until("the orphans to be gone", TIMEOUT, || {
        let children = fs::read_to_string(format!("/proc/{init}/task/{init}/children"))?;
        Ok((children.split_whitespace().count() == 1).then_some(()))
    })
    .unwrap();
    send(init, Signal::TERM).unwrap();
    assert_eq!(daemon.wait_end().unwrap().code(), Some(0));
    assert!(!daemon.log().contains("rror"), "{}", daemon.log());
}
