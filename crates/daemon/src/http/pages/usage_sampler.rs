//! CPU and memory of programs, including their descendants: [`UsageSampler`].
//!
//! One pass over /proc covers all programs. It blocks, so it runs on a thread of its own, and only while a page is
//! open.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// CPU and memory of a program.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Usage {
    /// In percent of one core: since the last sample, or since the start of the process.
    pub(super) cpu: f32,
    /// Resident memory in bytes.
    pub(super) memory: u64,
}

/// Usage by the pid of each program's main process.
pub(super) type UsageByPid = HashMap<u32, Usage>;

/// Takes samples and remembers the last one.
#[derive(Debug)]
pub(super) struct UsageSampler {
    proc: PathBuf,
    last_sample: Option<(Instant, HashMap<u32, CpuTime>)>,
}

/// CPU time of a process at some moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct CpuTime {
    ticks: u64,
    /// Start time in ticks since boot: it tells a reused pid.
    started: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stat {
    parent: u32,
    spent: CpuTime,
}

impl Default for UsageSampler {
    fn default() -> Self {
        Self { proc: PathBuf::from("/proc"), last_sample: None }
    }
}

impl UsageSampler {
    /// The usage of the processes `roots`, each with its descendants. A process that does not exist has none.
    pub(super) fn sample(&mut self, roots: &[u32]) -> UsageByPid {
        let now = Instant::now();
        let stats = stats(&self.proc);
        let mut below: HashMap<u32, Vec<u32>> = HashMap::new();
        for (pid, stat) in &stats {
            below.entry(stat.parent).or_default().push(*pid);
        }
        let up = self.uptime();
        let elapsed = self.last_sample.as_ref().map(|(then, _)| now.duration_since(*then));
        let mut spent = HashMap::new();
        let mut usage = UsageByPid::with_capacity(roots.len());
        for root in roots.iter().filter(|root| stats.contains_key(root)) {
            let process_tree = process_tree(*root, &below);
            let started = stats.get(root).map_or(0, |stat| stat.spent.started);
            let (mut ticks, mut memory) = (0, 0);
            for pid in process_tree {
                let Some(stat) = stats.get(&pid) else { continue };
                ticks += stat.spent.ticks - self.ticks_before(pid, stat.spent).min(stat.spent.ticks);
                memory += resident(&self.proc, pid);
                spent.insert(pid, stat.spent);
            }
            let time = match elapsed {
                Some(elapsed) => elapsed.as_secs_f64(),
                None => (up.as_secs_f64() - seconds(started)).max(0.01),
            };
            usage.insert(*root, Usage { cpu: share(seconds(ticks), time), memory });
        }
        self.last_sample = Some((now, spent));
        usage
    }

    /// CPU time at the last sample. A new process has none; one that existed before our first sample counts since its
    /// start.
    fn ticks_before(&self, pid: u32, spent: CpuTime) -> u64 {
        let Some((_, last_sample)) = &self.last_sample else { return 0 };
        last_sample
            .get(&pid)
            .filter(|ticks_before| ticks_before.started == spent.started)
            .map_or(0, |ticks_before| ticks_before.ticks)
    }

    /// Uptime of the machine.
    fn uptime(&self) -> Duration {
        let text = fs::read_to_string(self.proc.join("uptime")).unwrap_or_default();
        let seconds = text.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or(0.0);
        Duration::try_from_secs_f64(seconds).unwrap_or_default()
    }
}

#[expect(clippy::cast_possible_truncation, reason = "one digit behind the point is shown")]
fn share(used: f64, time: f64) -> f32 {
    if time > 0.0 { (used / time * 100.0) as f32 } else { 0.0 }
}

#[expect(clippy::cast_precision_loss, reason = "shares have three digits")]
fn seconds(ticks: u64) -> f64 {
    ticks as f64 / rustix::param::clock_ticks_per_second().max(1) as f64
}

/// A process and its descendants.
fn process_tree(root: u32, below: &HashMap<u32, Vec<u32>>) -> HashSet<u32> {
    let mut found = HashSet::from([root]);
    let mut open = vec![root];
    while let Some(pid) = open.pop() {
        // Known pids are skipped: /proc is not read atomically, so parents may form a cycle.
        let children = below.get(&pid).into_iter().flatten().copied();
        open.extend(children.filter(|child| found.insert(*child)).collect::<Vec<_>>());
    }
    found
}

fn stats(proc: &Path) -> HashMap<u32, Stat> {
    let mut found = HashMap::new();
    let mut text = Vec::with_capacity(1024);
    let Ok(entries) = fs::read_dir(proc) else { return found };
    for entry in entries.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        text.clear();
        // The process may have exited meanwhile.
        let read = File::open(entry.path().join("stat")).and_then(|mut file| file.read_to_end(&mut text));
        if let Some(stat) = read.ok().and_then(|_| stat(&text)) {
            found.insert(pid, stat);
        }
    }
    found
}

/// Parses /proc/PID/stat (proc_pid_stat(5)). The process name may contain spaces and brackets.
fn stat(text: &[u8]) -> Option<Stat> {
    let behind_name = text.iter().rposition(|byte| *byte == b')')?;
    let fields = std::str::from_utf8(text.get(behind_name + 1..)?).ok()?;
    let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
    // The first of these is field 3.
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    let ticks = number(14)?.saturating_add(number(15)?);
    Some(Stat { parent: u32::try_from(number(4)?).ok()?, spent: CpuTime { ticks, started: number(22)? } })
}

/// Resident memory in bytes; 0 if the process has exited.
fn resident(proc: &Path, pid: u32) -> u64 {
    let text = fs::read_to_string(proc.join(pid.to_string()).join("statm")).unwrap_or_default();
    let pages = text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0);
    pages.saturating_mul(rustix::param::page_size() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A fake /proc.
    struct Machine(tempfile::TempDir);

    impl Machine {
        fn new() -> Self {
            let machine = Self(tempfile::tempdir().unwrap());
            fs::write(machine.0.path().join("uptime"), "100.00 50.00\n").unwrap();
            machine
        }

        fn process(&self, pid: u32, parent: u32, ticks: u64, pages: u64) {
            let dir = self.0.path().join(pid.to_string());
            fs::create_dir_all(&dir).unwrap();
            let started = 100 * rustix::param::clock_ticks_per_second() - 1000;
            let stat =
                format!("{pid} (a) b) S {parent} 0 0 0 0 0 0 0 0 0 {ticks} 0 0 0 20 0 1 0 {started} 0 0\n");
            fs::write(dir.join("stat"), stat).unwrap();
            fs::write(dir.join("statm"), format!("900 {pages} 5 1 0 9 0\n")).unwrap();
        }

        fn sampler(&self) -> UsageSampler {
            UsageSampler { proc: self.0.path().to_owned(), last_sample: None }
        }
    }

    #[test]
    fn a_program_is_its_process_and_all_below_it() {
        let machine = Machine::new();
        machine.process(10, 1, 300, 2);
        machine.process(11, 10, 200, 3);
        machine.process(12, 11, 0, 4);
        machine.process(20, 1, 0, 7);
        let mut sampler = machine.sampler();
        let usage = sampler.sample(&[10, 20, 99]);
        let page = rustix::param::page_size() as u64;
        assert_eq!(usage.len(), 2);
        assert_eq!((usage[&10].memory, usage[&20].memory), (9 * page, 7 * page));
        // Started 1,000 ticks ago, and 500 of them used.
        assert!((usage[&10].cpu - 50.0).abs() < 0.5, "{usage:?}");
        machine.process(11, 10, 200, 3);
        assert!(sampler.sample(&[10])[&10].cpu.abs() < 0.01, "nothing was used since the last look");
    }

    #[test]
    fn we_can_be_measured_ourselves() {
        let mut sampler = UsageSampler::default();
        let own = std::process::id();
        assert!(sampler.sample(&[own])[&own].memory > 100_000);
        let usage = sampler.sample(&[own]);
        assert!(usage[&own].cpu >= 0.0);
    }

    #[test]
    fn families_that_go_round_in_circles_end() {
        let below = HashMap::from([(1, vec![2]), (2, vec![3]), (3, vec![1, 2])]);
        assert_eq!(process_tree(1, &below), HashSet::from([1, 2, 3]));
    }

    proptest! {
        #[test]
        fn any_stat_is_read(text in proptest::collection::vec(any::<u8>(), 0..200)) {
            stat(&text);
        }
    }
}
