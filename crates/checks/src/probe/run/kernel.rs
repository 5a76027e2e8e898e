//! What the kernel knows of programs and files: memory, CPU time, when a file was changed. The calls block.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::JobOutcomes;
use crate::memory::{MemoryError, MemoryMetric, cgroup_memory, cpu_time, read_memory};
use crate::probe::judge::RunOutcome;
use crate::probe::protocol::ProbeTarget;
use crate::probe::scheduler::CheckRun;

/// Runs with the same kind are measured together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MemoryKind {
    /// By one walk of /proc.
    Processes(MemoryMetric),
    /// By the files of control groups.
    Cgroups,
    /// CPU time.
    Cpu,
}

impl MemoryKind {
    /// The kind of a target; `None` for one that is not measured together with others.
    pub(super) fn of(target: &ProbeTarget) -> Option<Self> {
        match target {
            ProbeTarget::Memory { pss, tree, .. } => {
                Some(Self::Processes(MemoryMetric { pss: *pss, cumulative: *tree }))
            }
            ProbeTarget::Cgroup { .. } => Some(Self::Cgroups),
            ProbeTarget::Cpu { .. } => Some(Self::Cpu),
            _ => None,
        }
    }
}

/// Measures a job of runs that are all of one kind.
pub(super) fn measure(job: &[CheckRun]) -> JobOutcomes {
    let Some(first) = job.first() else { return Vec::new() };
    let pid = |run: &CheckRun| u32::try_from(run.pid).unwrap_or_default();
    let each = |measure: &dyn Fn(&CheckRun) -> RunOutcome| -> JobOutcomes {
        job.iter().map(|run| (run.token, measure(run))).collect()
    };
    match MemoryKind::of(&first.spec.target) {
        Some(MemoryKind::Processes(metric)) => {
            let pids: Vec<u32> = job.iter().map(pid).collect();
            let readings = read_memory(&pids, metric);
            each(&|run| match readings.get(&pid(run)) {
                Some(reading) => outcome(reading.clone(), RunOutcome::Bytes),
                None => RunOutcome::Gone,
            })
        }
        Some(MemoryKind::Cgroups) => each(&|run| outcome(cgroup_memory(pid(run)), RunOutcome::Bytes)),
        Some(MemoryKind::Cpu) => each(&|run| outcome(cpu_time(pid(run)), RunOutcome::CpuTime)),
        None => each(&|run| match &run.spec.target {
            ProbeTarget::File(path) => changed(std::slice::from_ref(path)),
            _ if run.logs.is_empty() => {
                RunOutcome::Unable("its output is in no file that could grow".to_owned())
            }
            _ => changed(&run.logs),
        }),
    }
}

fn outcome<T>(reading: Result<T, MemoryError>, found: impl FnOnce(T) -> RunOutcome) -> RunOutcome {
    match reading {
        Ok(value) => found(value),
        Err(MemoryError::Gone(_)) => RunOutcome::Gone,
        Err(error @ (MemoryError::Unreadable { .. } | MemoryError::Malformed(_))) => {
            RunOutcome::Unable(error.to_string())
        }
    }
}

/// When the newest of some files was changed.
fn changed(paths: &[PathBuf]) -> RunOutcome {
    let mut newest: Option<SystemTime> = None;
    for path in paths {
        match modified(path) {
            Ok(time) => newest = newest.max(time),
            Err(error) => return RunOutcome::Unable(format!("cannot look at {}: {error}", path.display())),
        }
    }
    RunOutcome::Changed(newest.map(|time| {
        let stamp = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        (stamp, time.elapsed().unwrap_or_default())
    }))
}

/// When a file was changed; `None`: it does not exist.
fn modified(path: &Path) -> io::Result<Option<SystemTime>> {
    match fs::metadata(path) {
        Ok(data) if !data.is_file() => Err(io::Error::other("it is no file")),
        Ok(data) => data.modified().map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
