//! The reaper takes every child that has ended, so its test has a process of its own.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use ironlance_core::process::exit_status::ExitStatus;
use ironlance_daemon::child::exec_errors::ExecErrorPipe;
use ironlance_daemon::child::reap::{has_children, keep_exit_statuses, reap};
use ironlance_daemon::child::spawn::{SpawnOptions, StderrTarget, StdinSource, spawn};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

#[test]
fn every_child_is_reaped_once_with_its_status() {
    keep_exit_statuses();
    let error_pipe = ExecErrorPipe::new().unwrap();
    let mut reaped = BTreeMap::new();
    reap(&mut |pid, status| assert!(reaped.insert(pid, status).is_none()));
    assert!(reaped.is_empty() && !has_children());

    let cases =
        [("exit 0", 0), ("exit 3", 3 << 8), ("exit 255", 255 << 8), ("kill -9 $$", 9), ("kill -15 $$", 15)];
    let mut wanted = BTreeMap::new();
    let mut pipes = Vec::new();
    for (script, raw) in cases {
        let argv = ["sh", "-c", script].map(str::to_owned);
        let child = spawn(
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
            &error_pipe,
        )
        .unwrap();
        wanted.insert(child.pid, ExitStatus::from_wait(raw));
        pipes.push(child.stdout);
    }
    assert!(has_children());
    // Nothing is ever written to it: polling it is waiting.
    let (silent, _kept_open) = rustix::pipe::pipe().unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while reaped.len() < wanted.len() {
        assert!(Instant::now() < deadline, "{reaped:?}");
        // The end of a pipe comes a little before the end of its process.
        let moment = Timespec { tv_sec: 0, tv_nsec: 5_000_000 };
        poll(&mut [PollFd::new(&silent, PollFlags::IN)], Some(&moment)).unwrap();
        reap(&mut |pid, status| assert!(reaped.insert(pid, status).is_none(), "{pid} twice"));
    }
    assert_eq!(reaped, wanted);
    assert!(!has_children());
}
