//! The daemon's children, descriptors and memory, as /proc shows them.

use std::collections::BTreeMap;
use std::fs;

use anyhow::Context;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::test_dir::{MARK, TestDir};

/// A child of the daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Child {
    pub(super) pid: i32,
    /// The group it belongs to; none for a zombie, and between fork and exec.
    pub(super) group: Option<String>,
    /// Whether it has ended and was not reaped.
    pub(super) is_zombie: bool,
}

/// All of them now: /proc/PID/task/TID/children (proc(5)).
pub(super) fn children(daemon: u32) -> anyhow::Result<Vec<Child>> {
    let tasks = fs::read_dir(format!("/proc/{daemon}/task")).context("cannot list the daemon's threads")?;
    let lists = tasks.flatten().filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    let pids: Vec<i32> = lists.flat_map(|list| numbers(&list)).collect();
    Ok(pids.into_iter().map(Child::look).collect())
}

fn numbers(list: &str) -> Vec<i32> {
    list.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

impl Child {
    fn look(pid: i32) -> Self {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let is_zombie = stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('Z'));
        let prefix = b"SUPERVISOR_GROUP_NAME=";
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let mut variables = environment.split(|byte| *byte == 0);
        let group = variables.find_map(|variable| variable.strip_prefix(prefix));
        Self { pid, group: group.map(|name| String::from_utf8_lossy(name).into_owned()), is_zombie }
    }

    /// Sends SIGKILL, if it is still a process of the test directory; says whether it did.
    pub(super) fn kill(&self, dir: &TestDir) -> bool {
        let Some(pid) = Pid::from_raw(self.pid) else { return false };
        let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else { return false };
        // The handle stays with this process: looked at after it was taken, it cannot be another one's.
        let mark = format!("{MARK}={}", dir.folder().display());
        let environment = fs::read(format!("/proc/{}/environ", self.pid)).unwrap_or_default();
        let is_ours = environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes());
        is_ours && pidfd_send_signal(handle, Signal::KILL).is_ok()
    }
}

/// The daemon's open descriptors by what they lead to; pipes and sockets have no names.
pub(super) fn descriptors(daemon: u32) -> anyhow::Result<BTreeMap<String, usize>> {
    let folder = format!("/proc/{daemon}/fd");
    let mut counts = BTreeMap::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("cannot list {folder}"))?.flatten() {
        let Ok(target) = fs::read_link(entry.path()) else { continue };
        let target = target.display().to_string();
        let kind = target.split_once(":[").map_or(target.as_str(), |(kind, _)| kind);
        *counts.entry(kind.to_owned()).or_insert(0) += 1;
    }
    Ok(counts)
}

/// Its resident memory in KiB: VmRSS of /proc/PID/status.
pub(super) fn memory(daemon: u32) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{daemon}/status")).context("cannot read its memory")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("cannot find VmRSS")?;
    line.trim().trim_end_matches(" kB").parse().context("cannot read VmRSS")
}
