//! Runs of checks: [`Runner`] carries each out and gives its [`RunOutcome`]. Called by the probe's loop; judges nothing.

mod command;
mod kernel;
mod network;

use std::rc::Rc;

use super::judge::RunOutcome;
use super::protocol::ProbeTarget;
use super::scheduler::CheckRun;
use network::TlsCache;

/// What a job found, by the token of each run.
pub(super) type JobOutcomes = Vec<(u64, RunOutcome)>;

/// Carries runs out on the runtime of the calling thread.
#[derive(Clone, Default)]
pub(super) struct Runner {
    tls: Rc<TlsCache>,
}

impl Runner {
    /// Puts runs together that are measured together. Each job has at least one.
    pub(super) fn jobs(runs: Vec<CheckRun>) -> Vec<Vec<CheckRun>> {
        let mut jobs: Vec<Vec<CheckRun>> = Vec::new();
        for run in runs {
            let kind = kernel::MemoryKind::of(&run.spec.target);
            let same = jobs
                .iter_mut()
                .find(|job| kind.is_some() && kernel::MemoryKind::of(&job[0].spec.target) == kind);
            match same {
                Some(job) => job.push(run),
                None => jobs.push(vec![run]),
            }
        }
        jobs
    }

    /// Carries a job out.
    pub(super) async fn run(self, job: Vec<CheckRun>) -> JobOutcomes {
        let Some(first) = job.first() else { return Vec::new() };
        let (token, timeout) = (first.token, first.spec.timeout);
        let spec = std::sync::Arc::clone(&first.spec);
        let limited = async {
            Some(match &spec.target {
                ProbeTarget::Page { .. } => network::ask(&spec.target, timeout, &self.tls).await,
                ProbeTarget::Tcp { host, port } => network::connect(host, *port).await,
                ProbeTarget::UnixSocket(path) => network::connect_unix(path).await,
                ProbeTarget::Command(argv) => command::run(argv).await,
                ProbeTarget::Beats => RunOutcome::Beat(first.beat_age),
                ProbeTarget::Memory { .. }
                | ProbeTarget::Cgroup { .. }
                | ProbeTarget::Cpu { .. }
                | ProbeTarget::Output
                | ProbeTarget::File(_) => return None,
            })
        };
        match tokio::time::timeout(timeout, limited).await {
            Ok(Some(outcome)) => vec![(token, outcome)],
            Err(_) => {
                let is_command = matches!(spec.target, ProbeTarget::Command(_));
                let what = if is_command { "it did not end" } else { "no answer" };
                vec![(token, RunOutcome::Wrong(format!("{what} within {timeout:?}")))]
            }
            // Of the kernel; a call that hangs cannot be ended, and the scheduler reports it.
            Ok(None) => tokio::task::spawn_blocking(move || kernel::measure(&job)).await.unwrap_or_default(),
        }
    }
}
