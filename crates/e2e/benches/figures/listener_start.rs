//! How long a listener takes from exec to READY.

use std::time::Instant;

use ironlance_e2e::{FakeSupervisor, Listener, TestDir};

use crate::contender::{Contender, LISTENERS};
use crate::{Effort, Figure, Figures};

/// Each of the six.
pub(crate) fn measure(contender: &Contender, effort: Effort) -> Figures {
    LISTENERS.iter().map(|(name, args)| one(contender, effort, name, args)).collect()
}

fn one(contender: &Contender, effort: Effort, name: &str, args: &[&str]) -> anyhow::Result<Figure> {
    let dir = TestDir::new()?;
    let supervisor = FakeSupervisor::start(&dir)?;
    let mut values = Vec::new();
    // The first run brings the files into memory.
    for run in 0..=effort.times(15) {
        let command = contender.listener(&dir, &supervisor, &[], name, args)?;
        let began = Instant::now();
        let mut listener = Listener::start(command, dir.path("stderr"))?;
        listener.ready()?;
        let took = began.elapsed().as_secs_f64() * 1e3;
        if run > 0 {
            values.push(took);
        }
    }
    Ok(Figure::new(&format!("{name}, exec to READY"), "ms", values))
}
