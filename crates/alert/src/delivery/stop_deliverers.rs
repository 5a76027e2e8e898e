//! Stops deliverers from outside: [`stop_deliverers`] lets them finish the mail in hand, before a service manager kills the rest of a
//! service or before the folder is removed.

use std::fs;
use std::time::{Duration, Instant};

use rustix::process::{Signal, pidfd_send_signal};

use super::lock_holder::LockHolder;
use crate::outbox::Outbox;
use crate::readiness::is_readable_within;

/// The deliverers to stop.
#[derive(Clone, Copy, Debug)]
pub enum StopScope<'a> {
    /// The one of an outbox.
    Outbox(&'a Outbox),
    /// All in our own control group, of all users: those of the service that this process is part of.
    Service,
}

/// The result of [`stop_deliverers`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// How many deliverers were asked to end.
    pub asked: usize,
    /// How many of them had not ended when the time was up.
    pub remaining: usize,
}

/// Sends SIGTERM to deliverers, and waits for their ends, at most for `wait`.
pub fn stop_deliverers(scope: StopScope<'_>, wait: Duration) -> Stopped {
    let deliverers = match scope {
        StopScope::Outbox(outbox) => LockHolder::find(outbox).into_iter().collect(),
        StopScope::Service => in_own_cgroup(),
    };
    for deliverer in &deliverers {
        // It may have ended just now.
        let _ = pidfd_send_signal(&deliverer.handle, Signal::TERM);
    }
    let until = Instant::now() + wait;
    let lives = |deliverer: &&LockHolder| {
        !is_readable_within(&deliverer.handle, until.saturating_duration_since(Instant::now()))
    };
    Stopped { asked: deliverers.len(), remaining: deliverers.iter().filter(lives).count() }
}

fn in_own_cgroup() -> Vec<LockHolder> {
    let Ok(own) = fs::read_to_string("/proc/self/cgroup") else { return Vec::new() };
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    let ids = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let in_group = |id: &i32| {
        fs::read_to_string(format!("/proc/{id}/cgroup")).is_ok_and(|theirs| is_within(&theirs, &own))
    };
    ids.filter(in_group).filter_map(LockHolder::of_any_kind).collect()
}

/// Whether a process is in our control group, by the `/proc/PID/cgroup` of both; systemd may put us into a group
/// `.control` below that of the service. The root group belongs to no service.
fn is_within(theirs: &str, own: &str) -> bool {
    let path = |text: &str| text.lines().find_map(|line| line.strip_prefix("0::")).map(str::to_owned);
    let (Some(theirs), Some(own)) = (path(theirs), path(own)) else { return false };
    let service = own.strip_suffix("/.control").unwrap_or(&own);
    service.len() > 1 && (theirs == service || theirs.starts_with(&format!("{service}/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_known_by_its_control_group() {
        let service = "0::/system.slice/supervisor.service\n";
        assert!(is_within(service, service));
        assert!(is_within(service, "0::/system.slice/supervisor.service/.control\n"));
        assert!(is_within("0::/system.slice/supervisor.service/web\n", service));
        assert!(!is_within("0::/system.slice/supervisor2.service\n", service));
        assert!(!is_within("0::/\n", "0::/\n"), "without control groups nothing is ours");
        assert!(!is_within(service, "1:name=systemd:/\n"));
    }
}
