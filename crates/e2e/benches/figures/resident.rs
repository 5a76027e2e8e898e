//! What a listener that waits for events keeps in memory: `Rss` of /proc/PID/smaps_rollup.

use std::fs;
use std::time::Duration;

use anyhow::Context;
use ironlance_e2e::patience::pause;
use ironlance_e2e::{FakeSupervisor, Listener, Scene};

use crate::contender::{Contender, LISTENERS};
use crate::{Effort, Figure, Figures};

/// Each of the six.
pub(crate) fn measure(contender: &Contender, effort: Effort) -> Figures {
    LISTENERS.iter().map(|(name, args)| one(contender, effort, name, args)).collect()
}

fn one(contender: &Contender, effort: Effort, name: &str, args: &[&str]) -> anyhow::Result<Figure> {
    let mut values = Vec::new();
    for _ in 0..effort.times(5) {
        let scene = Scene::new()?;
        let supervisor = FakeSupervisor::start(&scene)?;
        let command = contender.listener(&scene, &supervisor, &[], name, args)?;
        let mut listener = Listener::start(command, scene.path("stderr"))?;
        listener.ready()?;
        // What it does after READY belongs to the picture.
        pause(Duration::from_millis(300));
        values.push(resident(listener.pid())?);
    }
    Ok(Figure::new(&format!("{name} sits READY, RSS"), "MB", values))
}

/// In units of 1,000,000 bytes.
fn resident(pid: u32) -> anyhow::Result<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).context("cannot read its memory")?;
    let line = text.lines().find_map(|line| line.strip_prefix("Rss:")).context("cannot find Rss")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse().context("cannot read Rss")?;
    Ok(kib * 1024.0 / 1e6)
}
