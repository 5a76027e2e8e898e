//! Whether the daemon is what it was: its programs, its children, its descriptors, its memory, its end.

use std::collections::BTreeMap;

use anyhow::{Context, anyhow, bail, ensure};

use super::brood;
use super::cast::{self, SWITCHED};
use crate::daemon::Daemon;
use crate::patience::{PATIENCE, until};
use crate::scene::Scene;
use crate::xmlrpc::Value;

/// Beside what a third of the time has made of it, the memory may grow by a tenth and so many KiB.
const SLACK: u64 = 1024;

/// The daemon at rest, before anything was done to it.
pub(super) struct Before {
    descriptors: BTreeMap<String, usize>,
}

impl Before {
    /// Now.
    pub(super) fn take(daemon: &Daemon) -> anyhow::Result<Self> {
        Ok(Self { descriptors: brood::descriptors(daemon.pid())? })
    }
}

/// Each program is in the state it must be in.
pub(super) fn states(daemon: &Daemon, wanted: &[&'static str; SWITCHED]) -> anyhow::Result<()> {
    let state = daemon.call("getState", &[])?.map_err(|fault| anyhow!("{fault}"))?;
    ensure!(state.get("statename").and_then(Value::as_str) == Some("RUNNING"), "the daemon is {state}");
    let infos = infos(daemon)?;
    ensure!(infos.len() == cast::size(), "there are {} processes, not {}", infos.len(), cast::size());
    let text = |info: &Value, name| info.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut faults = Vec::new();
    for info in &infos {
        let (group, name, state) = (text(info, "group"), text(info, "name"), text(info, "statename"));
        let expected = cast::expected(&group, &name, wanted);
        if !expected.contains(&state.as_str()) {
            let log = daemon.log_about(&name);
            let last = &log[log.len().saturating_sub(8)..];
            faults.push(format!("{group}:{name} is {state}, not {expected:?}; its log: {last:#?}"));
        }
    }
    ensure!(faults.is_empty(), "{}", faults.join("; "));
    Ok(())
}

/// The daemon's children are the processes it names, all alive; orphans and zombies have no place there.
pub(super) fn children(daemon: &Daemon) -> anyhow::Result<()> {
    let pids =
        infos(daemon)?.iter().filter_map(|info| info.get("pid").and_then(Value::as_int)).collect::<Vec<_>>();
    let mut named: Vec<i64> = pids.into_iter().filter(|pid| *pid > 0).collect();
    let children = brood::children(daemon.pid())?;
    if let Some(zombie) = children.iter().find(|child| child.is_zombie) {
        bail!("child {} is a zombie", zombie.pid);
    }
    let mut alive: Vec<i64> = children.iter().map(|child| child.pid.into()).collect();
    named.sort_unstable();
    alive.sort_unstable();
    ensure!(named == alive, "it names {named:?}, and has the children {alive:?}");
    Ok(())
}

/// As many descriptors of each kind as before. Connections that were broken off may take a moment.
pub(super) fn descriptors(daemon: &Daemon, before: &Before) -> anyhow::Result<()> {
    let mut now = BTreeMap::new();
    until("the descriptors to be what they were", PATIENCE, || {
        now = brood::descriptors(daemon.pid())?;
        Ok((now == before.descriptors).then_some(()))
    })
    .with_context(|| format!("before {:?}\nnow {now:?}", before.descriptors))
}

/// No more than at a third of the time.
pub(super) fn memory(daemon: &Daemon, early: u64) -> anyhow::Result<()> {
    let now = brood::memory(daemon.pid())?;
    ensure!(
        now <= early + early / 10 + SLACK,
        "it had {early} KiB at a third of the time, and has {now} KiB now"
    );
    Ok(())
}

/// It ends in order when it is asked to, and leaves no file that says it is there.
pub(super) fn end(daemon: &mut Daemon, scene: &Scene) -> anyhow::Result<()> {
    let status = daemon.stop()?;
    ensure!(status.success(), "it ended with {status}: {}", daemon.stderr());
    for name in ["s.sock", "supervisord.pid"] {
        ensure!(!scene.path(name).exists(), "{name} is left");
    }
    let log = daemon.log();
    // At the start it says in this way that it is root, and that anybody may ask.
    let mut begun = log.lines().skip_while(|line| !line.contains(" spawned: "));
    let critical = begun.find(|line| line.contains(" CRIT "));
    ensure!(critical.is_none(), "its log says {critical:?}");
    Ok(())
}

fn infos(daemon: &Daemon) -> anyhow::Result<Vec<Value>> {
    let answer = daemon.call("getAllProcessInfo", &[])?.map_err(|fault| anyhow!("{fault}"))?;
    Ok(answer.items().to_vec())
}
