//! What a listener that waits for events keeps in memory: `Rss` of /proc/PID/smaps_rollup.

use std::time::Duration;

use ironlance_e2e::wait::pause;
use ironlance_e2e::{FakeSupervisor, Listener, TestDir};

use crate::contender::{Contender, LISTENERS};
use crate::{Effort, Figure, Figures, proc_usage};

/// Each of the six.
pub(crate) fn measure(contender: &Contender, effort: Effort) -> Figures {
    LISTENERS.iter().map(|(name, args)| one(contender, effort, name, args)).collect()
}

fn one(contender: &Contender, effort: Effort, name: &str, args: &[&str]) -> anyhow::Result<Figure> {
    let mut values = Vec::new();
    for _ in 0..effort.times(5) {
        let dir = TestDir::new()?;
        let supervisor = FakeSupervisor::start(&dir)?;
        let command = contender.listener(&dir, &supervisor, &[], name, args)?;
        let mut listener = Listener::start(command, dir.path("stderr"))?;
        listener.ready()?;
        // What it does after READY belongs to the picture.
        pause(Duration::from_millis(300));
        values.push(proc_usage::resident(listener.pid())?);
    }
    Ok(Figure::new(&format!("{name} sits READY, RSS"), "MB", values))
}
