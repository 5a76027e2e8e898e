//! Whether the kernel has killed for want of memory among our children: its count for our control group.

use std::fs;
use std::path::{Path, PathBuf};

/// Follows the count of OOM kills in the control group of this process and those below it.
#[derive(Debug)]
pub struct OomWatch {
    file: Option<PathBuf>,
    seen: u64,
}

impl OomWatch {
    /// Finds the count; where the kernel offers none, nobody was ever killed.
    pub fn new() -> Self {
        let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let file = candidates(&groups).into_iter().find(|file| count(file).is_some());
        let seen = file.as_deref().and_then(count).unwrap_or_default();
        Self { file, seen }
    }

    /// Whether somebody was killed since this was last asked; to be asked when a child died of SIGKILL.
    pub fn killed_since_last(&mut self) -> bool {
        let Some(now) = self.file.as_deref().and_then(count) else { return false };
        let killed = now > self.seen;
        self.seen = now;
        killed
    }
}

impl Default for OomWatch {
    fn default() -> Self {
        Self::new()
    }
}

/// Where the count may stand, by the text of /proc/self/cgroup (cgroups(7)): version 2, then version 1; the group by its
/// path, then what a container sees as the root.
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
fn count(file: &Path) -> Option<u64> {
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

    #[test]
    fn a_kill_is_told_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("memory.events");
        let write = |kills: u64| fs::write(&file, format!("low 0\noom 9\noom_kill {kills}\n")).unwrap();
        write(3);
        let mut watch = OomWatch { file: Some(file.clone()), seen: count(&file).unwrap() };
        assert!(!watch.killed_since_last());
        write(5);
        assert!(watch.killed_since_last());
        assert!(!watch.killed_since_last());
        fs::remove_file(&file).unwrap();
        assert!(!watch.killed_since_last());
        assert!(!OomWatch { file: None, seen: 0 }.killed_since_last());
    }
}
