//! The end of the daemon as PID 1 or subreaper: [`terminate`] gives reparented processes a moment to finish.
//!
//! When PID 1 ends, the kernel kills all processes of the container. One of them may be the process that delivers a
//! listener's alerts: if it is killed within a mail, it sends the mail twice or not at all. So each child that is left
//! gets SIGTERM and is waited for, for three seconds or what `IRONLANCE_STOP_WAIT` says. Processes that are reparented
//! meanwhile are waited for without a signal: one may be a mailer at work.

use std::env;
use std::fs;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, child_subreaper, getpid, pidfd_open, pidfd_send_signal};

use crate::child::reap;

/// The default of `IRONLANCE_STOP_WAIT`, in seconds.
const DEFAULT_WAIT: u64 = 3;
/// The highest value that is taken, in seconds.
const MAX_WAIT: u64 = 3600;
/// The polling interval where there is no pidfd to wait for.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Ends the children that are left. Does nothing where orphans are not reparented to this process.
pub(crate) fn terminate() {
    let adopts = getpid().is_init() || child_subreaper().is_ok_and(|reaper| reaper.is_some());
    if !adopts {
        return;
    }
    let wait = wait_of(env::var("IRONLANCE_STOP_WAIT").ok().as_deref());
    let until = Instant::now() + wait;
    reap::reap(&mut |_, _| {});
    for child in children() {
        let _ = pidfd_send_signal(&child, Signal::TERM);
    }
    while reap::has_children() {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            let seconds = wait.as_secs();
            let _ = writeln!(
                std::io::stderr(),
                "supervisord: processes are still running after {seconds} s (IRONLANCE_STOP_WAIT)"
            );
            return;
        }
        wait_for_one(left);
        reap::reap(&mut |_, _| {});
    }
}

/// The time to wait, by the variable's value.
fn wait_of(setting: Option<&str>) -> Duration {
    let seconds = setting.and_then(|seconds| seconds.trim().parse::<u64>().ok());
    Duration::from_secs(seconds.unwrap_or(DEFAULT_WAIT).min(MAX_WAIT))
}

/// Waits until a child ends, or for `left`.
fn wait_for_one(left: Duration) {
    let children = children();
    let mut watched: Vec<PollFd<'_>> =
        children.iter().map(|child| PollFd::new(child, PollFlags::IN)).collect();
    let time = if watched.is_empty() { left.min(POLL_INTERVAL) } else { left };
    let time = Timespec::try_from(time).ok();
    // The caller looks at all children, whatever has ended the wait.
    let _ = poll(&mut watched, time.as_ref());
}

/// Our children as pidfds. Empty where /proc is missing or belongs to another pid namespace.
fn children() -> Vec<OwnedFd> {
    let own = getpid().as_raw_nonzero().get();
    let shown = fs::read_link("/proc/self").ok();
    let shown = shown.and_then(|link| link.to_str()?.parse::<i32>().ok());
    if shown != Some(own) {
        return Vec::new();
    }
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let ids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let is_ours = |id: &i32| {
        fs::read_to_string(format!("/proc/{id}/stat")).is_ok_and(|stat| parent_of(&stat) == Some(own))
    };
    let ours = ids.filter(is_ours).filter_map(Pid::from_raw);
    // A pid is not reused before we reap the child.
    ours.filter_map(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()).collect()
}

/// The parent's pid in `/proc/PID/stat`; the name in it may hold any character.
fn parent_of(stat: &str) -> Option<i32> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn the_parent_is_found_whatever_the_name_holds() {
        assert_eq!(parent_of("7 (a) S 1) b) S 4711 7 7 0"), Some(4711));
        assert_eq!(parent_of("nonsense"), None);
    }

    #[test]
    fn the_wait_is_three_seconds_by_default() {
        assert_eq!(wait_of(None), Duration::from_secs(3));
        assert_eq!(wait_of(Some("x")), Duration::from_secs(3));
        assert_eq!(wait_of(Some("0")), Duration::ZERO);
        assert_eq!(wait_of(Some("20")), Duration::from_secs(20));
    }

    #[test]
    fn children_are_found_and_the_end_of_one_ends_the_wait() {
        let mut child = Command::new("/bin/cat").stdin(Stdio::piped()).spawn().unwrap();
        assert!(reap::has_children() && !children().is_empty());
        drop(child.stdin.take());
        let deadline = Instant::now() + Duration::from_secs(20);
        while child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "cat has not ended");
            wait_for_one(deadline.saturating_duration_since(Instant::now()));
        }
    }
}
