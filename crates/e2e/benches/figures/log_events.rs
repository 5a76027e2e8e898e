//! Output of programs as PROCESS_LOG events: how many a second, what each costs, and how many get lost.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use ironlance_e2e::{TIMEOUT, TestDir};

use crate::contender::Contender;
use crate::daemon::{Daemon, LONG, NO_LOGS, Plan};
use crate::reports::{Reports, fifo};
use crate::{Effort, Figure, Figures, program};

/// Lines of a burst.
const BURST: usize = 10_000;
/// The original looks after its listeners once a second: after this silence nothing more will come.
const SILENCE: Duration = Duration::from_millis(2500);

/// A closed loop of one program, and bursts with the default buffer.
pub(crate) fn measure(contender: &Contender, effort: Effort) -> Figures {
    let lines = if effort == Effort::Full { 5000 } else { 200 };
    let (mut rates, mut costs) = (Vec::new(), Vec::new());
    for _ in 0..effort.times(5) {
        let (rate, cost) = closed_loop(contender, lines)?;
        rates.push(rate);
        costs.push(cost);
    }
    let lost = (0..effort.times(7)).map(|_| burst(contender)).collect::<anyhow::Result<Vec<_>>>()?;
    Ok(vec![
        Figure::more_is_better("PROCESS_LOG events a second, closed loop", "", rates),
        Figure::new("CPU for a PROCESS_LOG event", "µs", costs),
        Figure::worst(&format!("lines lost in a burst of {BURST}, worst run"), "%", &lost),
    ])
}

/// Events a second, and microseconds of the daemon's processor time for each.
fn closed_loop(contender: &Contender, lines: usize) -> anyhow::Result<(f64, f64)> {
    let dir = TestDir::new()?;
    let program = Reports::open(&dir, "program")?;
    let credits = dir.path("credits");
    let _credits_stay = fifo(&credits)?;
    let credits = credits.display();
    let writer = format!("{} {} {credits} {lines}", program::command("echo_loop")?, program.path());
    let (daemon, counts) = set(&dir, contender, &writer, &format!(" {credits}"))?;
    let before = daemon.usage()?;
    daemon.begin("writer")?;
    let (began, _) = program.next(TIMEOUT)?;
    let (done, _) = program.next(LONG)?;
    let used = daemon.usage()?.since(before);
    settle(&counts, lines)?;
    let count = f64::from(u32::try_from(lines)?);
    Ok((count / done.duration_since(began).as_secs_f64(), used.cpu * 1e3 / count))
}

/// The share of the lines that never came, in percent.
fn burst(contender: &Contender) -> anyhow::Result<f64> {
    let dir = TestDir::new()?;
    let program = Reports::open(&dir, "program")?;
    let writer = format!("{} {} {BURST} 64 0", program::command("burst")?, program.path());
    let (daemon, counts) = set(&dir, contender, &writer, "")?;
    daemon.begin("writer")?;
    program.next(TIMEOUT)?;
    program.next(LONG)?;
    let came = settle(&counts, BURST)?;
    ensure!(came <= BURST, "{came} lines came of {BURST}");
    let lost = u32::try_from(BURST - came)?;
    Ok(f64::from(lost) * 100.0 / f64::from(u32::try_from(BURST)?))
}

/// A daemon with a program `writer`, which waits, and a listener, which is up.
fn set(
    dir: &TestDir,
    contender: &Contender,
    writer: &str,
    credits: &str,
) -> anyhow::Result<(Daemon, Reports)> {
    let counts = Reports::open(dir, "counts")?;
    let listener = format!("{} {}{credits}", program::command("listener")?, counts.path());
    let sections = format!(
        "[program:writer]\ncommand={writer}\nautostart=false\nautorestart=false\nstartsecs=0\n\
         stdout_events_enabled=true\n{NO_LOGS}\n[eventlistener:counter]\ncommand={listener}\n\
         events=PROCESS_LOG_STDOUT\nstartsecs=0\nstderr_logfile=NONE\n"
    );
    let daemon = Daemon::start(dir, contender, &Plan { sections: &sections, ..Plan::default() })?;
    counts.next(TIMEOUT)?;
    daemon.wait_count(1, "RUNNING")?;
    Ok((daemon, counts))
}

/// Waits until all lines have come, or no more do; gives how many came.
fn settle(counts: &Reports, lines: usize) -> anyhow::Result<usize> {
    let mut came = 0;
    let mut changed = Instant::now();
    while came < lines && changed.elapsed() < SILENCE {
        if let Ok((at, line)) = counts.next(SILENCE.saturating_sub(changed.elapsed())) {
            came = line.parse().context("cannot read a count")?;
            changed = at;
        }
    }
    Ok(came)
}
