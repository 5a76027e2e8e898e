//! The reaper takes whatever child has ended, so its test has a process of its own.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use ironlance_core::process::exit_status::ExitStatus;
use ironlance_daemon::child::exec_errors::ExecErrorPipe;
use ironlance_daemon::child::reap::{keep_exit_statuses, reap};
use ironlance_daemon::child::spawn::{SpawnOptions, StderrTarget, StdinSource, spawn};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

#[test]
fn every_child_is_told_of_once_with_its_status() {
    keep_exit_statuses();
    let reports = ExecErrorPipe::new().unwrap();
    let mut told = BTreeMap::new();
    reap(&mut |pid, status| assert!(told.insert(pid, status).is_none()));
    assert!(told.is_empty());

    let cases =
        [("exit 0", 0), ("exit 3", 3 << 8), ("exit 255", 255 << 8), ("kill -9 $$", 9), ("kill -15 $$", 15)];
    let mut wanted = BTreeMap::new();
    let mut pipes = Vec::new();
    for (script, raw) in cases {
        let argv = ["sh", "-c", script].map(str::to_owned);
        let born = spawn(
            &SpawnOptions {
                file: Path::new("/bin/sh"),
                argv: &argv,
                environment: &[],
                directory: None,
                umask: None,
                identity: None,
                stdin: StdinSource::Pipe,
                stderr: StderrTarget::SameAsStdout,
                nofile: None,
            },
            &reports,
        )
        .unwrap();
        wanted.insert(born.pid, ExitStatus::from_wait(raw));
        pipes.push(born.stdout);
    }
    // Nothing is ever written to it: it is waited for in vain, for as long as a poll may last.
    let (silent, _kept_open) = rustix::pipe::pipe().unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while told.len() < wanted.len() {
        assert!(Instant::now() < deadline, "{told:?}");
        // The end of a pipe comes a little before the end of its process.
        let moment = Timespec { tv_sec: 0, tv_nsec: 5_000_000 };
        poll(&mut [PollFd::new(&silent, PollFlags::IN)], Some(&moment)).unwrap();
        reap(&mut |pid, status| assert!(told.insert(pid, status).is_none(), "{pid} twice"));
    }
    assert_eq!(told, wanted);
}
