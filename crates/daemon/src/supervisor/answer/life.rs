//! Starting, stopping and signalling on request.

use std::time::Duration;

use ironlance_core::level::Level;
use ironlance_core::lifecycle::{Input, Reach};
use ironlance_core::{ProcessState, signal};
use ironlance_rpc::{Fault, FaultKind, Value};
use rustix::io::Errno;

use super::{Answer, Named};
use crate::asker::Reason;
use crate::child;
use crate::child::command::CommandError;
use crate::request::{SignalWish, Wait as Patience};
use crate::supervisor::Supervisor;
use crate::supervisor::population::{Process, ProcessId};
use crate::supervisor::status::status;
use crate::supervisor::waits::{Reply, Teller, Until, Wait, is_running, is_signallable};

impl Supervisor {
    /// Starts or stops what the name means: a process, or all of a group.
    pub(super) fn bring_named(&mut self, name: &str, goal: Until, wait: Patience, reply: Reply) {
        match self.find(name) {
            Ok(Named::Process(id)) => self.bring(id, name, goal, wait, Teller::Client(reply)),
            Ok(Named::Group(group)) => {
                self.bring_many(self.population.members_by_priority(group), goal, wait, reply);
            }
            Err(fault) => drop(reply.send(Err(fault))),
        }
    }

    pub(super) fn bring_group(&mut self, name: &str, goal: Until, wait: Patience, reply: Reply) {
        match self.find_group(name) {
            Ok(group) => self.bring_many(self.population.members_by_priority(group), goal, wait, reply),
            Err(fault) => drop(reply.send(Err(fault))),
        }
    }

    pub(super) fn bring_all(&mut self, goal: Until, wait: Patience, reply: Reply) {
        self.bring_many(self.population.by_priority(), goal, wait, reply);
    }

    /// Starts or stops those that are not there yet, and answers when all of it has come true.
    fn bring_many(&mut self, ids: Vec<ProcessId>, goal: Until, wait: Patience, reply: Reply) {
        let batch = self.batches.begin();
        for id in ids {
            let Some(process) = self.population.process(id).filter(|process| !is_at(process, goal)) else {
                continue;
            };
            let namespec = process.namespec().clone();
            let called = namespec.to_string();
            self.batches.expect_one(batch);
            self.bring(id, &called, goal, wait, Teller::Batch(batch, namespec));
        }
        self.batches.close(batch, reply);
    }

    fn bring(&mut self, id: ProcessId, called: &str, goal: Until, wait: Patience, teller: Teller) {
        let begun = match goal {
            Until::Up => self.start(id, called),
            Until::Down => self.stop(id, called),
        };
        match (begun, wait) {
            (Err(fault), _) => self.tell(teller, Err(fault)),
            (Ok(()), Patience::No) => self.tell(teller, Ok(Value::Bool(true))),
            (Ok(()), Patience::UntilDone) => self.wait(id, goal, called, teller),
        }
    }

    fn start(&mut self, id: ProcessId, called: &str) -> Result<(), Fault> {
        self.may_start(id, called)?;
        self.step(id, Input::Start);
        let failed = self.population.process(id).is_some_and(|process| process.life.spawnerr().is_some());
        if failed {
            return Err(FaultKind::SpawnError.about(called));
        }
        // Without startsecs it runs already, and who asked is told so.
        self.step(id, Input::Wake);
        Ok(())
    }

    /// Whether a start makes sense; the command is looked at first, as in the original.
    fn may_start(&self, id: ProcessId, called: &str) -> Result<(), Fault> {
        let process = self.population.process(id).ok_or_else(|| FaultKind::BadName.about(called))?;
        self.resolve(process).map_err(|error| match error {
            CommandError::NotFound(_) => FaultKind::NoFile.about(error),
            CommandError::Unparsable { .. }
            | CommandError::Empty
            | CommandError::Directory(_)
            | CommandError::NotExecutable(_)
            | CommandError::NoPermission(_) => FaultKind::NotExecutable.about(error),
        })?;
        match process.life.state() {
            state if is_running(state) => Err(FaultKind::AlreadyStarted.about(called)),
            ProcessState::Unknown => {
                Err(FaultKind::Failed.about(format!("{called} is in an unknown process state")))
            }
            _ => Ok(()),
        }
    }

    fn stop(&mut self, id: ProcessId, called: &str) -> Result<(), Fault> {
        let asker = self.who_asks();
        let process = self.population.process_mut(id).filter(|process| !is_at(process, Until::Down));
        let process = process.ok_or_else(|| FaultKind::NotRunning.about(called))?;
        // Whoever stops a listener means it, whatever it did wrong before.
        process.recycling.forgive();
        process.reason = Some(Reason::Stop(asker));
        self.step(id, Input::Stop);
        let state = self.population.process(id).map(|process| process.life.state());
        if state == Some(ProcessState::Unknown) { Err(FaultKind::Failed.about(called)) } else { Ok(()) }
    }

    /// Tells the outcome when the process has come where it shall be, which may be now.
    fn wait(&mut self, id: ProcessId, until: Until, called: &str, teller: Teller) {
        let Some(process) = self.population.process_mut(id) else { return };
        process.waits.push(Wait { until, called: called.to_owned(), teller });
        if until == Until::Down {
            let now = self.clock.mono();
            self.stop_reports.push((id, now));
        }
        self.settle(id);
    }

    fn tell(&mut self, teller: Teller, outcome: Answer) {
        match teller {
            // A client that has gone misses nothing.
            Teller::Client(reply) => drop(reply.send(outcome)),
            Teller::Batch(batch, namespec) => self.batches.tell(batch, &namespec, &outcome),
        }
    }

    /// Says of processes whose stop is waited for that they still have not stopped, every two seconds.
    pub(in crate::supervisor) fn report_stops(&mut self) {
        let now = self.clock.mono();
        let mut still = Vec::new();
        for (id, due) in std::mem::take(&mut self.stop_reports) {
            let Some(process) = self.population.process(id) else { continue };
            if process.life.state() != ProcessState::Stopping
                || !process.waits.iter().any(|wait| wait.until == Until::Down)
            {
                continue;
            }
            if due > now {
                still.push((id, due));
                continue;
            }
            let line = format!("waiting for {} to stop", process.namespec().process);
            self.log.log(Level::Info, &line);
            still.push((id, now + STOP_REPORT_EVERY));
        }
        self.stop_reports = still;
    }

    pub(super) fn signal_process(&mut self, name: &str, wish: &SignalWish) -> Answer {
        match self.find(name)? {
            Named::Process(id) => self.signal_one(id, name, wish),
            Named::Group(group) => Ok(self.signal_many(&self.population.members_by_priority(group), wish)),
        }
    }

    pub(super) fn signal_group(&mut self, name: &str, wish: &SignalWish) -> Answer {
        let group = self.find_group(name)?;
        Ok(self.signal_many(&self.population.members_by_priority(group), wish))
    }

    pub(super) fn signal_all(&mut self, wish: &SignalWish) -> Value {
        self.signal_many(&self.population.by_priority(), wish)
    }

    fn signal_many(&mut self, ids: &[ProcessId], wish: &SignalWish) -> Value {
        let mut results = Vec::new();
        for id in ids {
            let Some(process) = self.population.process(*id) else { continue };
            if is_signallable(process.life.state()) {
                let namespec = process.namespec().clone();
                let outcome = self.signal_one(*id, &namespec.to_string(), wish);
                results.push(status(&namespec, outcome.as_ref().err()));
            }
        }
        Value::Array(results)
    }

    fn signal_one(&mut self, id: ProcessId, called: &str, wish: &SignalWish) -> Answer {
        let number = wish.number.ok_or_else(|| FaultKind::BadSignal.about(&wish.given))?;
        let process = self.population.process(id).ok_or_else(|| FaultKind::BadName.about(called))?;
        let (name, state) = (process.namespec().process.clone(), process.life.state());
        let pid = process.life.pid().filter(|_| is_signallable(state));
        let pid = pid.ok_or_else(|| FaultKind::NotRunning.about(called))?;
        let word = signal::name(number);
        self.log.log(Level::Debug, &format!("sending {name} (pid {pid}) sig {word}"));
        self.note_signal(id, number);
        match child::kill::kill(pid, number, Reach::Process) {
            Ok(()) => Ok(Value::Bool(true)),
            Err(error) if error.raw_os_error() == Some(Errno::SRCH.raw_os_error()) => {
                let line = format!(
                    "unable to signal {name} (pid {pid}), it probably just now exited on its own: \
                     [Errno 3] No such process"
                );
                self.log.log(Level::Debug, &line);
                Ok(Value::Bool(true))
            }
            Err(error) => {
                let line = format!("unknown problem sending sig {name} ({pid}): {word}: {error}");
                self.log.log(Level::Critical, &line);
                Err(FaultKind::Failed.about(line))
            }
        }
    }

    pub(super) fn send_process_stdin(&mut self, name: &str, chars: &[u8]) -> Answer {
        let (id, process) = self.find_process(name)?;
        if process.life.pid().is_none() || process.life.killing() {
            return Err(FaultKind::NotRunning.about(name));
        }
        self.write_stdin(id, chars).map_err(|_| FaultKind::NoFile.about(name))?;
        Ok(Value::Bool(true))
    }
}

/// Whether the process is where it shall be brought. What comes back by itself is not down.
fn is_at(process: &Process, goal: Until) -> bool {
    let running = is_running(process.life.state());
    match goal {
        Until::Up => running,
        Until::Down => !running && !process.comes_back(),
    }
}

/// How often the log says that a stop takes long.
const STOP_REPORT_EVERY: Duration = Duration::from_secs(2);
