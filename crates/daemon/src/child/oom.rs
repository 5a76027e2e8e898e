//! OOM kills in our control group: [`OomMonitor`] reads the kernel's count; the owner asks whether a child's end was
//! one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ironlance_core::process::lifecycle::Now;
use ironlance_core::process::oom::{CounterUpdates, ExitKind, OomKills, OomVerdict, TimeWindow};
use rustix::fs::inotify::WatchFlags;

use crate::inotify::Inotify;

/// The file of control groups version 2. inotify reports its changes.
const MEMORY_EVENTS: &str = "memory.events";

/// Follows the count of OOM kills in the control group of this process and those below it. With version 2 of control
/// groups the kernel reports changes; with version 1 the count is read when children start and end.
#[derive(Debug)]
pub struct OomMonitor {
    file: Option<PathBuf>,
    kills: OomKills,
    changes: Option<Inotify>,
}

impl OomMonitor {
    /// Finds the count. Where the kernel has none, no child counts as killed. To be called in the runtime.
    pub fn new(now: Now) -> Self {
        let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        Self::of(candidates(&groups).into_iter().find(|file| oom_kills_in(file).is_some()), now)
    }

    /// One that finds no count, for tests.
    #[cfg(test)]
    pub(crate) fn without_counter(now: Now) -> Self {
        Self::of(None, now)
    }

    fn of(file: Option<PathBuf>, now: Now) -> Self {
        let watched = file.as_deref().filter(|file| file.ends_with(MEMORY_EVENTS));
        // Without a watch the count is read at starts and ends, and the time windows are wider.
        let changes = watched.and_then(|file| watch(file).ok());
        let watching = if changes.is_some() { CounterUpdates::Notified } else { CounterUpdates::Polled };
        let seen = file.as_deref().and_then(oom_kills_in).unwrap_or_default();
        Self { file, kills: OomKills::new(watching, seen, now), changes }
    }

    /// Waits until the count may have changed; for ever without a watch. Cancel safe.
    pub async fn changed(&self) {
        // A runtime that fails here fails everywhere else as well.
        match &self.changes {
            Some(changes) if changes.changed().await.is_ok() => {}
            _ => std::future::pending().await,
        }
    }

    /// Whether changes are reported. If not, the count has to be read often.
    pub fn is_watched(&self) -> bool {
        self.changes.is_some()
    }

    /// Reads the count. Gives the number of kills since the last read, and in what time they happened.
    pub fn read_count(&mut self, now: Now) -> Option<(u64, TimeWindow)> {
        let count = self.file.as_deref().and_then(oom_kills_in)?;
        self.kills.update(count, now)
    }

    /// Whether the OOM killer ended the children that were reaped together, see [`OomKills::classify`].
    pub fn classify(&mut self, ends: &[ExitKind], now: Now) -> Vec<OomVerdict> {
        self.kills.classify(ends, now)
    }
}

fn watch(file: &Path) -> io::Result<Inotify> {
    let inotify = Inotify::new()?;
    inotify.watch(file, WatchFlags::MODIFY)?;
    Ok(inotify)
}

/// The files that may have the count, by the text of /proc/self/cgroup (cgroups(7)): version 2, then version 1; in the
/// group's folder, then in the root that a container sees.
fn candidates(groups: &str) -> Vec<PathBuf> {
    let of = |wanted: fn(&str, &str) -> bool| {
        groups.lines().find_map(|line| {
            let mut parts = line.splitn(3, ':');
            let (id, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
            wanted(id, controllers).then(|| path.trim_start_matches('/').to_owned())
        })
    };
    let unified = of(|id, _| id == "0").unwrap_or_default();
    let memory = of(|_, controllers| controllers.split(',').any(|name| name == "memory")).unwrap_or_default();
    let places = [
        ("/sys/fs/cgroup", unified.as_str(), "memory.events"),
        ("/sys/fs/cgroup/unified", unified.as_str(), "memory.events"),
        ("/sys/fs/cgroup", "", "memory.events"),
        ("/sys/fs/cgroup/memory", memory.as_str(), "memory.oom_control"),
        ("/sys/fs/cgroup/memory", "", "memory.oom_control"),
    ];
    places.iter().map(|(mount, group, file)| Path::new(mount).join(group).join(file)).collect()
}

/// The number behind `oom_kill`.
fn oom_kills_in(file: &Path) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_looked_for_where_both_versions_keep_it() {
        let paths = |text: &str| -> Vec<String> {
            candidates(text).iter().map(|path| path.display().to_string()).collect()
        };
        let modern = paths("0::/system.slice/supervisor.service\n");
        assert_eq!(modern[0], "/sys/fs/cgroup/system.slice/supervisor.service/memory.events");
        let old = paths("8:pids:/\n4:cpu,memory:/docker/1\n0::/\n");
        assert_eq!(old[3], "/sys/fs/cgroup/memory/docker/1/memory.oom_control");
        assert_eq!(paths("").len(), 5);
        assert_eq!(paths("garbage\n::\n").len(), 5);
    }

    fn at(seconds: u64) -> Now {
        let time = std::time::Duration::from_secs(seconds);
        Now { mono: time, wall: time }
    }

    fn write(file: &Path, kills: u64) {
        fs::write(file, format!("low 0\noom 9\noom_kill {kills}\n")).unwrap();
    }

    #[tokio::test]
    async fn a_kill_among_grandchildren_is_not_pinned_on_who_is_killed_an_hour_later() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(MEMORY_EVENTS);
        write(&file, 3);
        let mut watch = OomMonitor::of(Some(file.clone()), at(0));
        write(&file, 4);
        tokio::time::timeout(std::time::Duration::from_secs(10), watch.changed()).await.unwrap();
        let now = TimeWindow { from: at(50).wall, to: at(50).wall };
        assert_eq!(watch.read_count(at(50)), Some((1, now)));
        assert_eq!(watch.read_count(at(3650)), None);
        assert_eq!(watch.classify(&[ExitKind::SigKill], at(3650)), [OomVerdict::Unrelated]);
        write(&file, 5);
        watch.read_count(at(3700));
        assert_eq!(watch.classify(&[ExitKind::SigKill], at(3700)), [OomVerdict::Killed]);
    }

    #[tokio::test]
    async fn without_a_count_no_child_counts_as_killed() {
        let mut watch = OomMonitor::of(None, at(0));
        assert_eq!(watch.read_count(at(1)), None);
        assert_eq!(watch.classify(&[ExitKind::SigKill], at(1)), [OomVerdict::Unrelated]);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("memory.oom_control");
        write(&file, 3);
        let mut watch = OomMonitor::of(Some(file.clone()), at(0));
        assert!(watch.changes.is_none(), "version 1 reports no changes");
        fs::remove_file(&file).unwrap();
        assert_eq!(watch.read_count(at(9)), None);
    }
}
