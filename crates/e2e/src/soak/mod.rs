//! Soak test: a daemon under load while its children, listeners and clients are killed at random.
//!
//! Afterwards each program must be in its state, with no zombie, no leaked descriptor or memory, no event lost or out of
//! order, and no line of output lost.
//!
//! ```text
//!  fixtures (config) ──▶ daemon ◀── clients (threads): ask, switch, disconnect in the middle of a request
//!                      ▲
//!                  kill_at_random (this thread): kill -9, one after the other
//!                      │ when the time is over
//!                      ▼
//!                   end_state: states, children, descriptors, memory; event_check: events; log_check: output
//! ```

mod clients;
mod end_state;
mod event_check;
mod fixtures;
mod log_check;
mod processes;
mod rng;

use std::time::{Duration, Instant};

use anyhow::Context;

use crate::daemon::Daemon;
use crate::implementation::Implementation;
use crate::test_dir::TestDir;
use crate::wait::pause;

use clients::Clients;
use end_state::Baseline;
use processes::Child;
use rng::Rng;

/// Between two kills.
const BETWEEN_KILLS: Duration = Duration::from_millis(25);
/// Shortest life of a listener: one that keeps dying at once is restarted with back-off, as it should be.
const LISTENERS_LIFE: Duration = Duration::from_millis(2500);

/// Counts of what was done to the daemon.
#[derive(Clone, Copy, Debug, Default)]
pub struct SoakSummary {
    /// Children and listeners killed.
    pub kills: usize,
    /// Of these, listeners.
    pub listeners: usize,
    /// Requests that clients made or broke off.
    pub conversations: usize,
    /// Events that the single listener wrote down.
    pub events: usize,
    /// Lines of output that were found in the logs.
    pub lines: usize,
}

/// Runs the soak for `length`; whatever is wrong afterwards is an error.
pub fn run(implementation: Implementation, length: Duration) -> anyhow::Result<SoakSummary> {
    let dir = TestDir::new()?;
    let mut daemon = Daemon::start(&dir, implementation, &fixtures::sections(&dir)?)?;
    fixtures::wait_until_up(&daemon)?;
    let before = Baseline::take(&daemon)?;
    let mut summary = SoakSummary::default();
    fixtures::start_crashing(&daemon)?;
    let clients = Clients::start(&dir, implementation)?;
    let outcome = kill_at_random(&daemon, &dir, length, &mut summary);
    let wanted = clients.stop(&mut summary)?;
    let settled = outcome.and_then(|early| {
        fixtures::wait_until_stable(&daemon)?;
        end_state::states(&daemon, &wanted)?;
        end_state::children(&daemon)?;
        fixtures::stop_switched(&daemon)?;
        end_state::descriptors(&daemon, &before)?;
        end_state::memory(&daemon, early)
    });
    settled.with_context(|| format!("{summary:?}; the log ends with\n{}", last_lines(&daemon.log())))?;
    end_state::end(&mut daemon, &dir)?;
    summary.events = event_check::check(&dir)?;
    summary.lines = log_check::check(&dir)?;
    Ok(summary)
}

/// Kills until the time is over; gives the daemon's memory when a third of the time was over, in KiB.
fn kill_at_random(
    daemon: &Daemon,
    dir: &TestDir,
    length: Duration,
    summary: &mut SoakSummary,
) -> anyhow::Result<u64> {
    let mut rng = Rng::new();
    let began = Instant::now();
    let mut listener_killed = began;
    let mut early = None;
    while began.elapsed() < length {
        pause(BETWEEN_KILLS);
        if early.is_none() && began.elapsed() >= length / 3 {
            early = Some(processes::memory(daemon.pid())?);
        }
        // A listener is killed as soon as its shortest life is over: at random they would be hit seldom.
        let is_listeners_turn = listener_killed.elapsed() >= LISTENERS_LIFE;
        let mut children = processes::children(daemon.pid())?;
        children.retain(|child| is_listener(child) == is_listeners_turn);
        let Some(victim) = rng.pick(&children) else { continue };
        if !victim.kill(dir) {
            continue;
        }
        summary.kills += 1;
        if is_listeners_turn {
            summary.listeners += 1;
            listener_killed = Instant::now();
        }
    }
    early.context("cannot tell the memory: the soak was too short")
}

fn is_listener(child: &Child) -> bool {
    child.group.as_deref().is_some_and(|group| fixtures::LISTENERS.contains(&group))
}

fn last_lines(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}
