//! How long the daemon takes from exec until it answers, and until 200 programs run.

use std::time::Duration;

use anyhow::ensure;
use ironlance_e2e::TestDir;
use ironlance_e2e::wait::pause;

use crate::contender::Contender;
use crate::daemon::{Daemon, LONG, Plan, sleepers};
use crate::{Effort, Figure, Figures};

/// As many as a busy machine has.
const PROGRAMS: usize = 200;

/// Until RPC answers with 1 and with 1,000 programs, and until 200 programs are all RUNNING.
pub(crate) fn measure(contender: &Contender, effort: Effort) -> Figures {
    let mut figures = Vec::new();
    for count in [1, 1000] {
        let sections = sleepers('p', count, "autostart=false\n");
        // The first run brings the files into memory.
        let values = (0..=effort.times(9)).map(|_| answers(contender, &sections));
        let values = values.skip(1).collect::<anyhow::Result<_>>()?;
        let noun = if count == 1 { "program" } else { "programs" };
        figures.push(Figure::new(&format!("start until RPC answers, {count} {noun}"), "ms", values));
    }
    for (watch, how) in [(Watch::Log, "nobody asking"), (Watch::Rpc, "asked every 50 ms")] {
        let values = (0..effort.times(4)).map(|_| runs(contender, watch)).collect::<anyhow::Result<_>>()?;
        figures.push(Figure::new(&format!("{PROGRAMS} programs until all RUNNING, {how}"), "ms", values));
    }
    Ok(figures)
}

/// How it is seen that all run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Watch {
    /// By the daemon's log, which does not wake it.
    Log,
    /// By asking, which makes the original look after its children sooner.
    Rpc,
}

fn answers(contender: &Contender, sections: &str) -> anyhow::Result<f64> {
    let dir = TestDir::new()?;
    let (mut daemon, began) = Daemon::exec(&dir, contender, &Plan { sections, ..Plan::default() })?;
    Ok(daemon.answers()?.duration_since(began).as_secs_f64() * 1e3)
}

fn runs(contender: &Contender, watch: Watch) -> anyhow::Result<f64> {
    let dir = TestDir::new()?;
    let sections = sleepers('p', PROGRAMS, "");
    let plan = Plan { sections: &sections, ..Plan::default() };
    let (mut daemon, began) = Daemon::exec(&dir, contender, &plan)?;
    if watch == Watch::Log {
        daemon.wait_log(PROGRAMS)?;
    } else {
        daemon.answers()?;
        while daemon.count("RUNNING")? < PROGRAMS {
            ensure!(began.elapsed() < LONG, "waited {LONG:?} in vain for {PROGRAMS} programs");
            pause(Duration::from_millis(50));
        }
    }
    let took = began.elapsed().as_secs_f64() * 1e3;
    daemon.wait_count(PROGRAMS, "RUNNING")?;
    Ok(took)
}
