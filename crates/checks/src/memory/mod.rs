//! The memory and CPU time of processes from /proc, without a fork: [`read_memory`] with one read per file and one walk for
//! all, [`cgroup_memory`], [`cpu_time`].

pub mod cgroup;
mod proc_dir;
pub mod smaps;
pub mod stat;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::io::Errno;
use thiserror::Error;

use proc_dir::ProcDir;
use stat::Stat;

/// The mount point of procfs.
const PROC: &str = "/proc";

/// Which memory is counted: by default the resident memory of the process, as `ps -o rss=` shows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryMetric {
    /// Proportional memory: a page shared by three processes counts a third.
    pub pss: bool,
    /// With all descendants.
    pub cumulative: bool,
}

impl MemoryMetric {
    /// What the log calls it.
    pub const fn label(self) -> &'static str {
        if self.pss { "PSS" } else { "RSS" }
    }
}

/// Why the memory of a process is not known.
#[derive(Clone, Debug, Error)]
pub enum MemoryError {
    /// There is no such process, or it has just ended.
    #[error("cannot find the process {0}")]
    Gone(u32),
    /// A file of the process, or of a descendant, cannot be read.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The error of the kernel.
        source: Errno,
    },
    /// A file does not have the format of proc(5).
    #[error("cannot read {0}: not in the form that proc(5) gives it")]
    Malformed(PathBuf),
}

/// The memory of some processes at one moment, in bytes by pid.
pub type MemoryReadings = HashMap<u32, Result<u64, MemoryError>>;

/// Reads the memory of the processes `pids`.
pub fn read_memory(pids: &[u32], metric: MemoryMetric) -> MemoryReadings {
    read_memory_in(Path::new(PROC), pids, metric)
}

/// The same with another folder instead of `/proc`.
fn read_memory_in(root: &Path, pids: &[u32], metric: MemoryMetric) -> MemoryReadings {
    let mut proc = match ProcDir::open(root) {
        Ok(proc) => proc,
        Err(error) => return each(pids, |_| Err(error.clone())),
    };
    let read = if metric.pss { ProcDir::pss } else { ProcDir::rss };
    if metric.cumulative { cumulative(&mut proc, pids, read) } else { each(pids, |pid| read(&mut proc, pid)) }
}

/// The CPU time that a process has used since its start, with all of its threads and without its children.
pub fn cpu_time(pid: u32) -> Result<Duration, MemoryError> {
    let ticks = ProcDir::open(Path::new(PROC))?.stat(pid)?.cpu_ticks;
    let per_second = rustix::param::clock_ticks_per_second().max(1);
    let nanos = u128::from(ticks % per_second) * 1_000_000_000 / u128::from(per_second);
    Ok(Duration::new(ticks / per_second, u32::try_from(nanos).unwrap_or_default()))
}

/// The memory that the control group of a process holds, in bytes.
pub fn cgroup_memory(pid: u32) -> Result<u64, MemoryError> {
    let read = |path: PathBuf| {
        std::fs::read(&path).map_err(|error| {
            let source = Errno::from_io_error(&error).unwrap_or(Errno::IO);
            if source == Errno::SRCH {
                MemoryError::Gone(pid)
            } else {
                MemoryError::Unreadable { path, source }
            }
        })
    };
    let list = Path::new(PROC).join(pid.to_string()).join("cgroup");
    if !Path::new(PROC).join(pid.to_string()).exists() {
        return Err(MemoryError::Gone(pid));
    }
    let file = cgroup::memory_file(&read(list.clone())?).ok_or(MemoryError::Malformed(list))?;
    cgroup::bytes(&read(file.clone())?).ok_or(MemoryError::Malformed(file))
}

/// When a process was started, in clock ticks since boot (proc(5), field 22 of stat): a pid with another start
/// is another process. `None` when there is no such process.
pub fn start_ticks(pid: u32) -> Option<u64> {
    start_ticks_in(Path::new(PROC), pid)
}

/// The same with another folder instead of `/proc`.
fn start_ticks_in(root: &Path, pid: u32) -> Option<u64> {
    Some(ProcDir::open(root).ok()?.stat(pid).ok()?.start_ticks)
}

fn each(pids: &[u32], mut read: impl FnMut(u32) -> Result<u64, MemoryError>) -> MemoryReadings {
    pids.iter().map(|pid| (*pid, read(*pid))).collect()
}

/// Sums over each process and its descendants; a process that is in several of these trees is read once.
fn cumulative(
    proc: &mut ProcDir,
    pids: &[u32],
    read: fn(&mut ProcDir, u32) -> Result<u64, MemoryError>,
) -> MemoryReadings {
    let tree = match ProcessTree::read(proc) {
        Ok(tree) => tree,
        Err(error) => return each(pids, |_| Err(error.clone())),
    };
    let mut known: MemoryReadings = HashMap::new();
    let mut read_once = |pid| known.entry(pid).or_insert_with(|| read(proc, pid)).clone();
    each(pids, |pid| {
        let mut sum = read_once(pid)?;
        for descendant in tree.descendants(pid) {
            match read_once(descendant) {
                Ok(bytes) => sum = sum.saturating_add(bytes),
                // It has ended since the walk and has no memory.
                Err(MemoryError::Gone(_)) => {}
                // A sum without this part would be too small.
                Err(error) => return Err(error),
            }
        }
        Ok(sum)
    })
}

/// The processes by parent.
struct ProcessTree {
    /// Parent and child, sorted.
    pairs: Vec<(u32, u32)>,
}

impl ProcessTree {
    fn read(proc: &mut ProcDir) -> Result<Self, MemoryError> {
        let mut pairs = Vec::new();
        for pid in proc.pids()? {
            match proc.stat(pid) {
                Ok(Stat { ppid, .. }) => pairs.push((ppid, pid)),
                Err(MemoryError::Gone(_)) => {}
                // Its parent stays unknown; the others are still found.
                Err(MemoryError::Unreadable { .. } | MemoryError::Malformed(_)) => {}
            }
        }
        pairs.sort_unstable();
        Ok(Self { pairs })
    }

    fn children(&self, pid: u32) -> impl Iterator<Item = u32> {
        let start = self.pairs.partition_point(|(parent, _)| *parent < pid);
        self.pairs[start..].iter().take_while(move |(parent, _)| *parent == pid).map(|(_, child)| *child)
    }

    /// Children, their children and so on, each once. Pids can be reused during the walk, so the result of the walk may
    /// contain a cycle.
    fn descendants(&self, pid: u32) -> Vec<u32> {
        let mut seen = HashSet::from([pid]);
        let mut order = vec![pid];
        let mut next = 0;
        while let Some(&parent) = order.get(next) {
            order.extend(self.children(parent).filter(|child| seen.insert(*child)));
            next += 1;
        }
        order.split_off(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use tempfile::TempDir;

    const RSS: MemoryMetric = MemoryMetric { pss: false, cumulative: false };
    const PSS: MemoryMetric = MemoryMetric { pss: true, cumulative: false };
    const CUMULATIVE_RSS: MemoryMetric = MemoryMetric { pss: false, cumulative: true };
    const CUMULATIVE_PSS: MemoryMetric = MemoryMetric { pss: true, cumulative: true };

    fn bytes(readings: &MemoryReadings, pid: u32) -> Option<u64> {
        readings.get(&pid)?.as_ref().ok().copied()
    }

    fn failure(readings: &MemoryReadings, pid: u32) -> Option<&MemoryError> {
        readings.get(&pid)?.as_ref().err()
    }

    struct FakeProc(TempDir);

    impl FakeProc {
        fn new() -> Self {
            let proc = Self(TempDir::new().unwrap());
            fs::write(proc.0.path().join("uptime"), "1 1\n").unwrap();
            proc
        }

        fn process(&self, pid: u32, ppid: u32, pages: u64, pss_kib: Option<u64>) -> &Self {
            let dir = self.0.path().join(pid.to_string());
            fs::create_dir(&dir).unwrap();
            let stat =
                format!("{pid} (a ) R 1 b) S {ppid} 1 1 0 -1 0 1 1 1 1 1 1 1 1 20 0 1 0 4711 99 7 1\n");
            fs::write(dir.join("stat"), stat).unwrap();
            fs::write(dir.join("statm"), format!("900 {pages} 5 1 0 9 0\n")).unwrap();
            if let Some(kib) = pss_kib {
                let text = format!("0-1 ---p 00000000 00:00 0 [rollup]\nRss: 9 kB\nPss:  {kib} kB\n");
                fs::write(dir.join("smaps_rollup"), text).unwrap();
            }
            self
        }

        fn take(&self, pids: &[u32], measure: MemoryMetric) -> MemoryReadings {
            read_memory_in(self.0.path(), pids, measure)
        }
    }

    fn page() -> u64 {
        rustix::param::page_size() as u64
    }

    #[test]
    fn plain_memory_is_the_resident_pages_of_the_process_alone() {
        let proc = FakeProc::new();
        proc.process(7, 1, 3, None).process(8, 7, 100, None);
        let readings = proc.take(&[7, 9], RSS);
        assert_eq!(bytes(&readings, 7), Some(3 * page()));
        assert_eq!((bytes(&readings, 8), bytes(&readings, 9)), (None, None));
        assert_eq!(failure(&readings, 9).unwrap().to_string(), "cannot find the process 9");
    }

    #[test]
    fn cumulative_memory_counts_every_descendant_once() {
        let proc = FakeProc::new();
        proc.process(7, 1, 1, Some(5)).process(8, 7, 10, Some(50)).process(9, 8, 100, Some(500));
        proc.process(10, 1, 1000, Some(1));
        let readings = proc.take(&[7, 8, 10, 11], CUMULATIVE_RSS);
        assert_eq!(bytes(&readings, 7), Some(111 * page()));
        assert_eq!(bytes(&readings, 8), Some(110 * page()));
        assert_eq!(bytes(&readings, 10), Some(1000 * page()));
        assert!(matches!(failure(&readings, 11), Some(MemoryError::Gone(11))));
        assert_eq!(bytes(&proc.take(&[7], CUMULATIVE_PSS), 7), Some(555 * 1024));
    }

    #[test]
    fn a_circle_of_parents_ends() {
        let proc = FakeProc::new();
        proc.process(7, 9, 1, None).process(8, 7, 2, None).process(9, 8, 4, None).process(5, 5, 8, None);
        let readings = proc.take(&[8, 5], CUMULATIVE_RSS);
        assert_eq!((bytes(&readings, 8), bytes(&readings, 5)), (Some(7 * page()), Some(8 * page())));
    }

    #[test]
    fn a_descendant_that_cannot_be_measured_makes_the_sum_unknown_and_is_named() {
        let proc = FakeProc::new();
        proc.process(7, 1, 1, Some(5)).process(8, 7, 1, None);
        // A folder opens, and reading it fails: also for root, who may read every file.
        fs::create_dir(proc.0.path().join("8/smaps_rollup")).unwrap();
        let readings = proc.take(&[7], CUMULATIVE_PSS);
        assert_eq!(bytes(&readings, 7), None);
        let message = failure(&readings, 7).unwrap().to_string();
        assert!(message.contains("8/smaps_rollup: Is a directory"), "{message}");
    }

    #[test]
    fn a_kernel_without_smaps_rollup_is_told_from_a_process_that_is_gone() {
        let proc = FakeProc::new();
        proc.process(7, 1, 1, None);
        let readings = proc.take(&[7, 8], PSS);
        assert!(matches!(failure(&readings, 7), Some(MemoryError::Unreadable { .. })), "{readings:?}");
        assert!(matches!(failure(&readings, 8), Some(MemoryError::Gone(8))));
    }

    #[test]
    fn garbage_and_a_missing_proc_are_told_as_such() {
        let proc = FakeProc::new();
        proc.process(7, 1, 1, None);
        fs::write(proc.0.path().join("7/statm"), "x").unwrap();
        assert!(matches!(failure(&proc.take(&[7], RSS), 7), Some(MemoryError::Malformed(_))));
        let nowhere = proc.0.path().join("nowhere");
        for measure in [RSS, CUMULATIVE_RSS] {
            let readings = read_memory_in(&nowhere, &[7], measure);
            assert!(failure(&readings, 7).unwrap().to_string().contains("nowhere: No such file"));
        }
    }

    #[test]
    fn more_pages_than_bytes_can_count_are_as_many_bytes_as_can_be_counted() {
        let proc = FakeProc::new();
        proc.process(7, 1, u64::MAX, None).process(8, 7, 1, None);
        assert_eq!(bytes(&proc.take(&[7], CUMULATIVE_RSS), 7), Some(u64::MAX));
    }

    #[test]
    fn this_very_process_has_memory_and_a_start() {
        let me = std::process::id();
        for measure in [RSS, CUMULATIVE_RSS, PSS, CUMULATIVE_PSS] {
            assert!(bytes(&read_memory(&[me], measure), me).unwrap() > 100 * 1024, "{measure:?}");
        }
        assert!(start_ticks(me).unwrap() > 0);
        assert!(cpu_time(me).unwrap() < Duration::from_secs(3600));
        assert!(matches!(cpu_time(0), Err(MemoryError::Gone(0))));
        assert!(matches!(cgroup_memory(0), Err(MemoryError::Gone(0))));
        assert_eq!(start_ticks(0), None);
        assert_eq!(start_ticks_in(FakeProc::new().process(7, 1, 1, None).0.path(), 7), Some(4711));
    }
}
