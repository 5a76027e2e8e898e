//! The state that pages show at one moment: [`Snapshot`], with [`Fingerprints`] to find what has changed.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use super::condition::has_failed;
use super::row::fingerprint;
use super::sections::{GroupCounts, attention_count, groups};
use super::usage_sampler::UsageByPid;
use crate::view::DaemonView;

/// The state at one moment.
pub(super) struct Snapshot {
    pub(super) view: DaemonView,
    pub(super) usage: UsageByPid,
    /// How many times CPU and memory have been sampled.
    pub(super) samples: u64,
    pub(super) fingerprints: Fingerprints,
}

impl Snapshot {
    pub(super) fn new(view: DaemonView, usage: UsageByPid, samples: u64) -> Self {
        let fingerprints = Fingerprints::of(&view);
        Self { view, usage, samples, fingerprints }
    }
}

/// Hashes of the parts of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fingerprints {
    /// Which programs and listeners there are.
    pub(super) layout: u64,
    /// One per program, in the view's order.
    pub(super) rows: Vec<u64>,
    /// One per group.
    pub(super) heads: Vec<GroupCounts>,
    pub(super) summary: u64,
    pub(super) listeners: u64,
    pub(super) events: u64,
}

impl Fingerprints {
    pub(super) fn of(view: &DaemonView) -> Self {
        let states: Vec<_> =
            view.programs.iter().map(|program| (program.state, has_failed(program))).collect();
        let listeners = view.listeners.iter().map(|one| {
            let alerts = one.outbox.as_ref().map(|outbox| (&outbox.alerts, &outbox.folder.trouble));
            (&one.status, alerts)
        });
        Self {
            layout: print(|hasher| {
                view.programs.iter().for_each(|program| program.namespec.hash(hasher));
                view.listeners.iter().for_each(|one| one.namespec.hash(hasher));
            }),
            rows: view.programs.iter().map(fingerprint).collect(),
            heads: groups(view).map(GroupCounts::of).collect(),
            summary: print(|hasher| {
                (view.state.name(), view.pid, view.since, &states, attention_count(view)).hash(hasher);
            }),
            listeners: print(|hasher| listeners.for_each(|one| one.hash(hasher))),
            events: view.recent.first().map_or(0, |last| last.number),
        }
    }

    /// One hash of them all, which a page contains.
    pub(super) fn sum(&self) -> String {
        let all = print(|hasher| {
            (self.layout, &self.rows, self.summary, self.listeners, self.events).hash(hasher);
        });
        format!("{all:016x}")
    }
}

fn print(hash: impl FnOnce(&mut DefaultHasher)) -> u64 {
    let mut hasher = DefaultHasher::new();
    hash(&mut hasher);
    hasher.finish()
}
