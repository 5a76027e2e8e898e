//! What a process has used so far, by /proc: processor time, sleeps, memory.

use std::fs;

use anyhow::Context;

/// Processor time and sleeps of all threads since they began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    /// Milliseconds on a processor: the first number of /proc/PID/task/TID/schedstat.
    pub(crate) cpu: f64,
    /// How often a thread went to sleep, and so woke up: `voluntary_ctxt_switches`.
    pub(crate) sleeps: f64,
}

impl Usage {
    /// Of the process up to now.
    pub(crate) fn of(pid: u32) -> anyhow::Result<Self> {
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).context("cannot list the daemon's threads")?;
        let mut sum = Self { cpu: 0.0, sleeps: 0.0 };
        for task in tasks.flatten() {
            let read = |name: &str| fs::read_to_string(task.path().join(name)).unwrap_or_default();
            let nanoseconds = read("schedstat").split(' ').next().and_then(|word| word.parse::<f64>().ok());
            sum.cpu += nanoseconds.unwrap_or(0.0) / 1e6;
            sum.sleeps += field(&read("status"), "voluntary_ctxt_switches:").unwrap_or(0.0);
        }
        Ok(sum)
    }

    /// What was used since then.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self { cpu: self.cpu - earlier.cpu, sleeps: self.sleeps - earlier.sleeps }
    }
}

/// Resident memory in units of 1,000,000 bytes: `Rss` of /proc/PID/smaps_rollup.
pub(crate) fn resident(pid: u32) -> anyhow::Result<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).context("cannot read its memory")?;
    Ok(field(&text, "Rss:").context("cannot find Rss")? * 1024.0 / 1e6)
}

/// The processes that have this parent and have not ended.
pub(crate) fn children(parent: u32) -> anyhow::Result<usize> {
    let parent = parent.to_string();
    let entries = fs::read_dir("/proc").context("cannot list /proc")?;
    let stats = entries.flatten().filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
    // After the name, which may hold anything: state and parent (proc(5)).
    let is_child = |stat: &String| {
        let mut words = stat.rsplit(") ").next().unwrap_or_default().split(' ');
        words.next() != Some("Z") && words.next() == Some(&parent)
    };
    Ok(stats.filter(is_child).count())
}

fn field(text: &str, name: &str) -> Option<f64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}
