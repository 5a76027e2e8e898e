//! `ironlance probe`: a process that makes the checks of all programs and reports each result; `watch` starts it, and it
//! ends with its standard input. In a process of its own, a check that hangs or eats memory costs no alert.

pub mod judge;
pub mod protocol;
mod run;
pub mod scheduler;

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ironlance_core::Namespec;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::runtime::Builder;
use tokio::task::{AbortHandle, JoinSet, LocalSet};

use protocol::{LineBuffer, ProbeOrder, ProbeReading};
use run::{JobOutcomes, Runner};
use scheduler::{CheckRun, ProbeEffect, Scheduler};

/// Calls that block, at the same time: name look-ups, /proc, files.
const MAX_BLOCKING_THREADS: usize = 8;

/// The command; it takes no arguments.
pub fn main(_: &[String]) -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        // `watch` has ended, so nothing reads the readings.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            log(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

fn serve() -> io::Result<()> {
    let runtime =
        Builder::new_current_thread().enable_all().max_blocking_threads(MAX_BLOCKING_THREADS).build()?;
    let outcome = LocalSet::new().block_on(&runtime, async {
        let orders: OwnedFd = io::stdin().as_fd().try_clone_to_owned()?;
        let orders = pipe::Receiver::from_owned_fd(orders).map_err(|error| {
            io::Error::other(format!(
                "cannot take orders from the standard input (watch starts this): {error}"
            ))
        })?;
        let readings = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        Probe::new(readings).serve(orders).await
    });
    // A call that hangs in the kernel must not hold up the end.
    runtime.shutdown_background();
    outcome
}

fn log(line: &str) {
    let _ = writeln!(io::stderr(), "ironlance probe: {line}");
}

/// The loop and what it works on.
struct Probe {
    clock: Clock,
    scheduler: Scheduler,
    runner: Runner,
    readings: File,
    jobs: JoinSet<JobOutcomes>,
    /// Jobs of a single run, which can be ended.
    handles: HashMap<u64, AbortHandle>,
}

impl Probe {
    fn new(readings: File) -> Self {
        Self {
            clock: Clock::new(),
            scheduler: Scheduler::default(),
            runner: Runner::default(),
            readings,
            jobs: JoinSet::new(),
            handles: HashMap::new(),
        }
    }

    async fn serve(mut self, mut orders: pipe::Receiver) -> io::Result<()> {
        let mut lines = LineBuffer::default();
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let deadline = self.scheduler.next_deadline();
            let wait = deadline.map_or(Duration::MAX, |deadline| deadline.saturating_sub(self.clock.now()));
            tokio::select! {
                read = orders.read(&mut buffer) => {
                    let length = read?;
                    if length == 0 {
                        return Ok(());
                    }
                    if !lines.push(&buffer[..length]) {
                        return Err(io::Error::other("cannot read an order: the line is too long"));
                    }
                    while let Some(line) = lines.next_line() {
                        self.order(&line)?;
                    }
                }
                Some(ended) = self.jobs.join_next() => self.ended(ended.unwrap_or_default())?,
                () = tokio::time::sleep(wait), if deadline.is_some() => {}
            }
            let effects = self.scheduler.wake(self.clock.now());
            self.carry_out(effects)?;
        }
    }

    fn order(&mut self, line: &[u8]) -> io::Result<()> {
        let now = self.clock.now();
        let effects = match protocol::parse(line) {
            Ok(ProbeOrder::Checks(specs)) => self.scheduler.configure(specs, now),
            Ok(ProbeOrder::Running { program, pid, since, logs }) => {
                self.scheduler.running(program, pid, self.clock.of_wall(since), logs, now)
            }
            Ok(ProbeOrder::NotRunning { program }) => self.scheduler.not_running(&program),
            Ok(ProbeOrder::Beat { program, at }) => {
                self.beat(&program, at);
                Vec::new()
            }
            Err(error) => {
                log(&format!("cannot read an order: {error}"));
                Vec::new()
            }
        };
        self.carry_out(effects)
    }

    fn beat(&mut self, program: &Namespec, at: u64) {
        self.scheduler.beat(program, self.clock.of_wall(at), self.clock.now());
    }

    fn ended(&mut self, outcomes: JobOutcomes) -> io::Result<()> {
        for (token, outcome) in outcomes {
            self.handles.remove(&token);
            let effect = self.scheduler.finished(token, outcome, self.clock.now());
            self.carry_out(effect)?;
        }
        Ok(())
    }

    fn carry_out(&mut self, effects: impl IntoIterator<Item = ProbeEffect>) -> io::Result<()> {
        let mut runs: Vec<CheckRun> = Vec::new();
        for effect in effects {
            match effect {
                ProbeEffect::Start(run) => runs.push(run),
                ProbeEffect::Cancel(token) => {
                    self.handles.remove(&token).into_iter().for_each(|handle| handle.abort());
                }
                ProbeEffect::Report { key, started, result } => {
                    let reading = ProbeReading { key, at: self.clock.to_wall(started), result };
                    match protocol::line(&reading) {
                        Ok(line) => self.readings.write_all(&line)?,
                        Err(error) => log(&format!("cannot report a result: {error}")),
                    }
                }
            }
        }
        for job in Runner::jobs(runs) {
            let token = if let [run] = &job[..] { Some(run.token) } else { None };
            let handle = self.jobs.spawn_local(self.runner.clone().run(job));
            self.handles.extend(token.map(|token| (token, handle)));
        }
        Ok(())
    }
}

/// A monotonic clock that began at the time since 1970, so that a time before its beginning can be told.
struct Clock {
    base: Duration,
    start: Instant,
}

impl Clock {
    fn new() -> Self {
        Self { base: wall(), start: Instant::now() }
    }

    fn now(&self) -> Duration {
        self.base + self.start.elapsed()
    }

    /// The time of this clock at a wall time in the past.
    fn of_wall(&self, millis: u64) -> Duration {
        self.now().saturating_sub(wall().saturating_sub(Duration::from_millis(millis)))
    }

    /// The wall time in milliseconds at a time of this clock in the past.
    fn to_wall(&self, time: Duration) -> u64 {
        let ago = self.now().saturating_sub(time);
        u64::try_from(wall().saturating_sub(ago).as_millis()).unwrap_or(u64::MAX)
    }
}

/// The time since 1970.
fn wall() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
