//! Health checks, limits and heartbeats, and what is done about their faults: [`ProgramChecks`] keeps the probe process and
//! makes inputs of its readings, [`Actions`] carries out what the machines decide. Called by `command`.
//!
//! ```text
//! machine inputs ─▶ ProgramChecks ─ orders ─▶ ironlance probe ─ readings ─▶ machine
//! machine effects ─▶ Actions ─ XML-RPC ─▶ supervisor          outcomes ─▶ machine
//! ```

mod actions;
mod probe_process;
mod specs;

use std::collections::BTreeMap;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::time::Duration;

use ironlance_checks::probe::protocol::{CheckSpec, ProbeOrder, ProbeReading, ProbeResult, ProbeTarget};
use ironlance_config::alerting::Alerting;
use ironlance_core::Namespec;
use ironlance_core::process::state::ProcessState;
use rustix::event::PollFlags;

pub use actions::Actions;

use crate::machine::{CheckReading, Input, ProcessReport, ReadingResult};
use probe_process::ProbeProcess;

/// The pause before a probe that ended is started again; it doubles up to the maximum.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const MAX_PAUSE: Duration = Duration::from_secs(60);

/// A program that runs, as the probe is told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct RunningProcess {
    pid: i32,
    since: u64,
}

/// The checks of all programs. Without any there is no probe process.
#[derive(Debug)]
pub struct ProgramChecks {
    /// Our binary.
    program: PathBuf,
    specs: Vec<CheckSpec>,
    probe: Option<ProbeProcess>,
    running: BTreeMap<Namespec, RunningProcess>,
    logs: BTreeMap<Namespec, Vec<PathBuf>>,
    /// When a probe that ended is started again, and the pause before.
    start_at: Option<Duration>,
    pause: Duration,
    log: fn(&str),
}

impl ProgramChecks {
    /// The checks of a configuration; `program` is our binary. The probe starts with the first [`ProgramChecks::work`].
    pub fn new(program: PathBuf, alerting: &Alerting, log: fn(&str)) -> Self {
        Self {
            program,
            specs: specs::specs(alerting),
            probe: None,
            running: BTreeMap::new(),
            logs: BTreeMap::new(),
            start_at: Some(Duration::ZERO),
            pause: FIRST_PAUSE,
            log,
        }
    }

    /// Takes another configuration; equal checks go on undisturbed.
    pub fn configure(&mut self, alerting: &Alerting) {
        let specs = specs::specs(alerting);
        if specs == self.specs {
            return;
        }
        self.specs = specs;
        if self.specs.is_empty() {
            self.probe = None;
        } else if self.probe.is_some() {
            self.send(&ProbeOrder::Checks(self.specs.clone()));
        }
        self.start_at.get_or_insert(Duration::ZERO);
    }

    /// Whether the output files of programs are to be told by [`ProgramChecks::set_logs`].
    pub fn needs_logs(&self) -> bool {
        self.specs.iter().any(|spec| spec.target == ProbeTarget::Output)
    }

    /// Whether events PROCESS_COMMUNICATION are to be told by [`ProgramChecks::beat`].
    pub fn needs_beats(&self) -> bool {
        self.specs.iter().any(|spec| spec.target == ProbeTarget::Beats)
    }

    /// The files that a program's output goes to.
    pub fn set_logs(&mut self, program: &Namespec, logs: Vec<PathBuf>) {
        if self.logs.get(program) != Some(&logs) {
            self.logs.insert(program.clone(), logs);
            self.tell_running(program);
        }
    }

    /// A program gave a sign of life at this time (milliseconds since 1970).
    pub fn beat(&mut self, program: &Namespec, at: u64) {
        self.send(&ProbeOrder::Beat { program: program.clone(), at });
    }

    /// Sees what the machines are told: every input, in order.
    pub fn observe(&mut self, input: &Input) {
        match input {
            Input::Process(report) => self.see(report),
            Input::Reconciled(reports) => {
                reports.iter().for_each(|report| self.see(report));
                self.forget_all_but(|program| reports.iter().any(|report| report.program == *program));
            }
            Input::GroupRemoved(group) => self.forget_all_but(|program| program.group != *group),
            Input::Started { .. } => self.forget_all_but(|_| false),
            _ => {}
        }
    }

    fn see(&mut self, report: &ProcessReport) {
        let program = &report.program;
        match report.pid.filter(|_| report.state == ProcessState::Running) {
            Some(pid) => {
                let process = RunningProcess { pid, since: report.at };
                let known = self.running.get(program);
                // A reconciliation tells the time of a start less exactly.
                if known.is_none_or(|known| known.pid != pid || known.since.abs_diff(process.since) > 2000) {
                    self.running.insert(program.clone(), process);
                    self.tell_running(program);
                }
            }
            None => self.forget(program),
        }
    }

    fn forget_all_but(&mut self, keep: impl Fn(&Namespec) -> bool) {
        let gone: Vec<Namespec> = self.running.keys().filter(|program| !keep(program)).cloned().collect();
        gone.iter().for_each(|program| self.forget(program));
    }

    fn forget(&mut self, program: &Namespec) {
        if self.running.remove(program).is_some() {
            self.send(&ProbeOrder::NotRunning { program: program.clone() });
        }
    }

    fn tell_running(&mut self, program: &Namespec) {
        let Some(process) = self.running.get(program).copied() else { return };
        if !self.specs.iter().any(|spec| spec.key.program == *program) {
            return;
        }
        let logs = self.logs.get(program).cloned().unwrap_or_default();
        let RunningProcess { pid, since } = process;
        self.send(&ProbeOrder::Running { program: program.clone(), pid, since, logs });
    }

    fn send(&mut self, order: &ProbeOrder) {
        if let Some(probe) = &mut self.probe
            && let Err(error) = probe.send(order)
        {
            (self.log)(&format!("cannot tell the probe: {error}"));
        }
    }

    /// What to wait for.
    pub fn descriptors(&self) -> impl Iterator<Item = (BorrowedFd<'_>, PollFlags)> {
        self.probe.iter().flat_map(ProbeProcess::descriptors)
    }

    /// When [`ProgramChecks::work`] has something to do, besides its descriptors.
    pub fn next_deadline(&self) -> Option<Duration> {
        self.start_at.filter(|_| self.probe.is_none() && !self.specs.is_empty())
    }

    /// Keeps the probe running and gives what it found; at each wake-up.
    pub fn work(&mut self, now: Duration) -> Vec<Input> {
        if self.next_deadline().is_some_and(|due| due <= now) {
            self.start(now);
        }
        let Some(probe) = &mut self.probe else { return Vec::new() };
        probe.flush();
        match probe.readings() {
            Ok(readings) => {
                if !readings.is_empty() {
                    self.pause = FIRST_PAUSE;
                }
                readings.into_iter().map(input_of).collect()
            }
            Err(error) => {
                self.probe = None;
                self.start_later(&error, now);
                Vec::new()
            }
        }
    }

    fn start(&mut self, now: Duration) {
        self.start_at = None;
        match ProbeProcess::start(&self.program) {
            Ok(probe) => {
                self.probe = Some(probe);
                self.send(&ProbeOrder::Checks(self.specs.clone()));
                let programs: Vec<Namespec> = self.running.keys().cloned().collect();
                programs.iter().for_each(|program| self.tell_running(program));
            }
            Err(error) => self.start_later(&error.to_string(), now),
        }
    }

    fn start_later(&mut self, error: &str, now: Duration) {
        let seconds = self.pause.as_secs();
        (self.log)(&format!("the probe of checks failed: {error}; starting another in {seconds} s"));
        self.start_at = Some(now + self.pause);
        self.pause = (self.pause * 2).min(MAX_PAUSE);
    }
}

fn input_of(reading: ProbeReading) -> Input {
    let result = match reading.result {
        ProbeResult::Good => ReadingResult::Good,
        ProbeResult::Bad(facts) => ReadingResult::Bad { facts },
        ProbeResult::Unable(reason) => ReadingResult::Failed { reason },
    };
    let key = reading.key;
    Input::Check(CheckReading {
        program: key.program,
        family: key.family,
        check: key.name,
        at: reading.at,
        result,
    })
}

#[cfg(test)]
mod tests;
