//! Checks of the daemon after the soak: programs, children, descriptors, memory, and how it ends.

use std::collections::BTreeMap;

use anyhow::{Context, anyhow, bail, ensure};

use super::fixtures::{self, SWITCHED};
use super::processes;
use crate::daemon::Daemon;
use crate::test_dir::TestDir;
use crate::wait::{TIMEOUT, until};
use crate::xmlrpc::XmlValue;

/// Memory may grow by a tenth and this many KiB over what it was at a third of the time.
const SLACK: u64 = 1024;

/// The daemon at rest, before anything was done to it.
pub(super) struct Baseline {
    descriptors: BTreeMap<String, usize>,
}

impl Baseline {
    /// Takes it now.
    pub(super) fn take(daemon: &Daemon) -> anyhow::Result<Self> {
        Ok(Self { descriptors: processes::descriptors(daemon.pid())? })
    }
}

/// Each program is in the state it must be in.
pub(super) fn states(daemon: &Daemon, wanted: &[&'static str; SWITCHED]) -> anyhow::Result<()> {
    let state = daemon.call("getState", &[])?.map_err(|fault| anyhow!("{fault}"))?;
    ensure!(state.get("statename").and_then(XmlValue::as_str) == Some("RUNNING"), "the daemon is {state}");
    let infos = infos(daemon)?;
    ensure!(infos.len() == fixtures::size(), "there are {} processes, not {}", infos.len(), fixtures::size());
    let text =
        |info: &XmlValue, name| info.get(name).and_then(XmlValue::as_str).unwrap_or_default().to_owned();
    let mut faults = Vec::new();
    for info in &infos {
        let (group, name, state) = (text(info, "group"), text(info, "name"), text(info, "statename"));
        let expected = fixtures::expected(&group, &name, wanted);
        if !expected.contains(&state.as_str()) {
            let log = daemon.log_about(&name);
            let last = &log[log.len().saturating_sub(8)..];
            faults.push(format!("{group}:{name} is {state}, not {expected:?}; its log: {last:#?}"));
        }
    }
    ensure!(faults.is_empty(), "{}", faults.join("; "));
    Ok(())
}

/// The daemon's children are the processes it names, all alive; it has no orphan and no zombie.
pub(super) fn children(daemon: &Daemon) -> anyhow::Result<()> {
    let pids = infos(daemon)?
        .iter()
        .filter_map(|info| info.get("pid").and_then(XmlValue::as_int))
        .collect::<Vec<_>>();
    let mut named: Vec<i64> = pids.into_iter().filter(|pid| *pid > 0).collect();
    let children = processes::children(daemon.pid())?;
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
pub(super) fn descriptors(daemon: &Daemon, before: &Baseline) -> anyhow::Result<()> {
    let mut now = BTreeMap::new();
    until("the descriptors to be what they were", TIMEOUT, || {
        now = processes::descriptors(daemon.pid())?;
        Ok((now == before.descriptors).then_some(()))
    })
    .with_context(|| format!("before {:?}\nnow {now:?}", before.descriptors))
}

/// No more than at a third of the time.
pub(super) fn memory(daemon: &Daemon, early: u64) -> anyhow::Result<()> {
    let now = processes::memory(daemon.pid())?;
    ensure!(
        now <= early + early / 10 + SLACK,
        "it had {early} KiB at a third of the time, and has {now} KiB now"
    );
    Ok(())
}

/// It ends in order when it is asked to, and leaves no file that says it is there.
pub(super) fn end(daemon: &mut Daemon, dir: &TestDir) -> anyhow::Result<()> {
    let status = daemon.stop()?;
    ensure!(status.success(), "it ended with {status}: {}", daemon.stderr());
    for name in ["s.sock", "supervisord.pid"] {
        ensure!(!dir.path(name).exists(), "{name} is left");
    }
    let log = daemon.log();
    // At its start it logs in this way that it runs as root, and that its server has no password.
    let mut begun = log.lines().skip_while(|line| !line.contains(" spawned: "));
    let critical = begun.find(|line| line.contains(" CRIT "));
    ensure!(critical.is_none(), "its log says {critical:?}");
    Ok(())
}

fn infos(daemon: &Daemon) -> anyhow::Result<Vec<XmlValue>> {
    let answer = daemon.call("getAllProcessInfo", &[])?.map_err(|fault| anyhow!("{fault}"))?;
    Ok(answer.items().to_vec())
}
