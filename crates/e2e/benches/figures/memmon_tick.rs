//! One tick of memmon over 500 processes, plain and cumulative, and the processes it starts for that.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use ironlance_e2e::{FakeSupervisor, Listener, TestDir, WireEvent};

use crate::contender::Contender;
use crate::{Effort, Figure, Figures};

/// As many as a big installation has.
const PROCESSES: usize = 500;

/// The original takes seconds, and several times as long when it is traced on a busy machine.
const LONGEST: Duration = Duration::from_secs(180);

/// Processes asleep.
struct Sleepers(Vec<Child>);

impl Drop for Sleepers {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // It sleeps; nothing else can have ended it.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Time and forks of a tick.
pub(crate) fn measure(contender: &Contender, effort: Effort) -> Figures {
    let mut sleepers = Sleepers(Vec::new());
    for _ in 0..PROCESSES {
        let child =
            Command::new("sleep").arg("100000").stdin(Stdio::null()).spawn().context("cannot start sleep")?;
        sleepers.0.push(child);
    }
    let dir = TestDir::new()?;
    let supervisor = FakeSupervisor::start(&dir)?;
    for (number, child) in sleepers.0.iter().enumerate() {
        supervisor.running(&format!("p{number:03}"), child.id());
    }
    let ticks = effort.times(if *contender == Contender::Original { 1 } else { 25 });
    let mut figures = Vec::new();
    for (mode, args) in [("plain", ["-a", "200MB"].as_slice()), ("cumulative", &["-c", "-a", "200MB"])] {
        let values = tick(contender, &dir, &supervisor, args, ticks)?;
        figures.push(Figure::new(&format!("memmon, a tick over {PROCESSES}, {mode}"), "ms", values));
        let forks = forks(contender, &dir, &supervisor, args)?;
        figures.push(Figure::new(&format!("memmon, forks in a tick, {mode}"), "", vec![forks]));
    }
    Ok(figures)
}

fn tick(
    contender: &Contender,
    dir: &TestDir,
    supervisor: &FakeSupervisor,
    args: &[&str],
    ticks: usize,
) -> anyhow::Result<Vec<f64>> {
    let stderr = dir.path("ticks");
    let command = contender.listener(dir, supervisor, &[], "memmon", args)?;
    let mut listener = Listener::start(command, stderr.clone())?;
    let mut values = Vec::new();
    for _ in 0..ticks {
        values.push(listener.handle_within(&WireEvent::tick(60), LONGEST)?.as_secs_f64() * 1e3);
    }
    let looked_at = listener.stderr()?.matches("RSS of").count();
    ensure!(looked_at == ticks * PROCESSES, "memmon looked at {looked_at} processes in {ticks} ticks");
    fs::remove_file(stderr).context("cannot remove what it said")?;
    Ok(values)
}

fn forks(
    contender: &Contender,
    dir: &TestDir,
    supervisor: &FakeSupervisor,
    args: &[&str],
) -> anyhow::Result<f64> {
    let calls = dir.path("calls");
    let calls_name = calls.display().to_string();
    let strace =
        ["strace", "-f", "--seccomp-bpf", "-qq", "-e", "trace=clone,clone3,fork,vfork", "-o", &calls_name];
    let command = contender.listener(dir, supervisor, &strace, "memmon", args)?;
    let mut listener = Listener::start(command, dir.path("traced"))?;
    listener.ready()?;
    let before = fs::read_to_string(&calls).context("cannot read the calls")?.len();
    listener.send(&WireEvent::tick(60))?;
    listener.ok_within(LONGEST)?;
    let text = fs::read_to_string(&calls).context("cannot read the calls")?;
    let is_fork =
        |line: &&str| line.contains('(') && !line.contains("CLONE_THREAD") && !line.contains("resumed");
    let count = text[before..].lines().filter(is_fork).count();
    Ok(u32::try_from(count).unwrap_or(u32::MAX).into())
}
