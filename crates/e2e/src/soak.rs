//! A soak: a daemon under load while its children, its listeners and its clients are killed at random.
//!
//! Afterwards everything must be as if nothing had been: each program in its state, no zombie, no descriptor too
//! many, no memory gained, no event lost or out of order, no line of output lost.
//!
//! ```text
//!  cast (config) ──▶ daemon ◀── crowd (threads): ask, switch, leave in the middle of a sentence
//!                      ▲
//!                  reaper (this thread): kill -9, one after the other
//!                      │ when the time is over
//!                      ▼
//!                   verdict: states, children, descriptors, memory; chronicle: events; tales: output
//! ```

mod brood;
mod cast;
mod chronicle;
mod crowd;
mod dice;
mod tales;
mod verdict;

use std::time::{Duration, Instant};

use anyhow::Context;

use crate::daemon::Daemon;
use crate::flavour::Flavour;
use crate::patience::pause;
use crate::scene::Scene;

use brood::Child;
use crowd::Crowd;
use dice::Dice;
use verdict::Before;

/// Between two kills.
const BETWEEN_KILLS: Duration = Duration::from_millis(25);
/// A listener lives at least so long: one that dies at once again and again is held back, and that is right.
const LISTENERS_LIFE: Duration = Duration::from_millis(2500);

/// What was done to the daemon, for the person who waits.
#[derive(Clone, Copy, Debug, Default)]
pub struct Deeds {
    /// Children and listeners killed.
    pub kills: usize,
    /// Of these, listeners.
    pub listeners: usize,
    /// Conversations that clients had or broke off.
    pub conversations: usize,
    /// Events that the single listener wrote down.
    pub events: usize,
    /// Lines of output that were found in the logs.
    pub lines: usize,
}

/// Runs it for so long; what is not as it should be is an error.
pub fn run(flavour: Flavour, length: Duration) -> anyhow::Result<Deeds> {
    let scene = Scene::new()?;
    let mut daemon = Daemon::start(&scene, flavour, &cast::sections(&scene)?)?;
    cast::assemble(&daemon)?;
    let before = Before::take(&daemon)?;
    let mut deeds = Deeds::default();
    cast::let_loose(&daemon)?;
    let crowd = Crowd::gather(&scene, flavour)?;
    let outcome = reap(&daemon, &scene, length, &mut deeds);
    let wanted = crowd.disperse(&mut deeds)?;
    let settled = outcome.and_then(|early| {
        cast::calm(&daemon)?;
        verdict::states(&daemon, &wanted)?;
        verdict::children(&daemon)?;
        cast::switch_off(&daemon)?;
        verdict::descriptors(&daemon, &before)?;
        verdict::memory(&daemon, early)
    });
    settled.with_context(|| format!("{deeds:?}; the log ends with\n{}", last_lines(&daemon.log())))?;
    verdict::end(&mut daemon, &scene)?;
    deeds.events = chronicle::check(&scene)?;
    deeds.lines = tales::check(&scene)?;
    Ok(deeds)
}

/// Kills until the time is over; gives the daemon's memory when a third of the time was over, in KiB.
fn reap(daemon: &Daemon, scene: &Scene, length: Duration, deeds: &mut Deeds) -> anyhow::Result<u64> {
    let mut dice = Dice::new();
    let began = Instant::now();
    let mut listener_killed = began;
    let mut early = None;
    while began.elapsed() < length {
        pause(BETWEEN_KILLS);
        if early.is_none() && began.elapsed() >= length / 3 {
            early = Some(brood::memory(daemon.pid())?);
        }
        // When a listener's life may end, one does: by mere chance they would be hit seldom.
        let is_listeners_turn = listener_killed.elapsed() >= LISTENERS_LIFE;
        let mut children = brood::children(daemon.pid())?;
        children.retain(|child| is_listener(child) == is_listeners_turn);
        let Some(victim) = dice.pick(&children) else { continue };
        if !victim.kill(scene) {
            continue;
        }
        deeds.kills += 1;
        if is_listeners_turn {
            deeds.listeners += 1;
            listener_killed = Instant::now();
        }
    }
    early.context("cannot tell the memory: the soak was too short")
}

fn is_listener(child: &Child) -> bool {
    child.group.as_deref().is_some_and(|group| cast::LISTENERS.contains(&group))
}

fn last_lines(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}
