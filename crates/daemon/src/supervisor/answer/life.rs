//! Starting, stopping and signalling on request.

use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use ironlance_core::level::Level;
use ironlance_core::lifecycle::{Input, Reach};
use ironlance_core::order::StopSequence;
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
use crate::supervisor::waits::{
    BatchId, OrderedStop, Reply, Teller, Until, Wait, is_running, is_signallable, is_stopped,
};

impl Supervisor {
    /// Starts or stops what the name means: a process, or all of a group.
    pub(super) fn bring_named(&mut self, name: &str, goal: Until, wait: Patience, reply: Reply) {
        self.look_who_has_ended(goal);
        match self.find(name) {
            Ok(Named::Process(id)) => self.bring(id, name, goal, wait, Teller::Client(reply)),
            Ok(Named::Group(group)) => {
                self.bring_many(self.population.members_by_priority(group), goal, wait, reply);
            }
            Err(fault) => drop(reply.send(Err(fault))),
        }
    }

    pub(super) fn bring_group(&mut self, name: &str, goal: Until, wait: Patience, reply: Reply) {
        self.look_who_has_ended(goal);
        match self.find_group(name) {
            Ok(group) => self.bring_many(self.population.members_by_priority(group), goal, wait, reply),
            Err(fault) => drop(reply.send(Err(fault))),
        }
    }

    pub(super) fn bring_all(&mut self, goal: Until, wait: Patience, reply: Reply) {
        self.look_who_has_ended(goal);
        self.bring_many(self.population.by_priority(), goal, wait, reply);
    }

    /// Before a stop: who has ended by itself is not stopped.
    fn look_who_has_ended(&mut self, goal: Until) {
        if goal == Until::Down {
            self.reap();
        }
    }

    /// Starts or stops those that are not there yet, and answers when all of it has come true. Stops go from the highest
    /// priority down; who is waited for comes down before the next priority is stopped.
    fn bring_many(&mut self, ids: Vec<ProcessId>, goal: Until, wait: Patience, reply: Reply) {
        let batch = self.batches.begin();
        let mut stops = Vec::new();
        let mut names = HashMap::new();
        for id in ids {
            let Some(process) = self.population.process(id).filter(|process| !is_at(process, goal)) else {
                continue;
            };
            self.batches.expect_one(batch);
            // What has no process is only told not to start again; nobody needs to be down before.
            if goal == Until::Down && process.life.pid().is_some() {
                let group = self.population.group(process.group).map_or(0, |group| group.config.priority);
                stops.push(((group, process.program().priority), id));
                names.insert(id, process.namespec().clone());
            } else {
                self.bring_of_batch(id, goal, wait, batch);
            }
        }
        let mut sequence = StopSequence::new(stops);
        match wait {
            Patience::UntilDone => {
                self.ordered_stops.push(OrderedStop { sequence, names, batch, asker: self.who_asks() });
            }
            Patience::No => {
                while !sequence.is_over() {
                    for id in sequence.step(|_| true) {
                        self.bring_of_batch(id, goal, wait, batch);
                    }
                }
            }
        }
        self.batches.close(batch, reply);
        self.continue_stops();
    }

    fn bring_of_batch(&mut self, id: ProcessId, goal: Until, wait: Patience, batch: BatchId) {
        let Some(namespec) = self.population.process(id).map(|process| process.namespec().clone()) else {
            return;
        };
        let called = namespec.to_string();
        self.bring(id, &called, goal, wait, Teller::Batch(batch, namespec));
    }

    /// Stops who is next in stops that go by priority.
    pub(in crate::supervisor) fn continue_stops(&mut self) {
        if self.ordered_stops.is_empty() {
            return;
        }
        for mut stop in std::mem::take(&mut self.ordered_stops) {
            loop {
                let population = &self.population;
                let is_down =
                    |id| population.process(id).is_none_or(|process| is_stopped(process.life.state()));
                let due = stop.sequence.step(is_down);
                if due.is_empty() {
                    break;
                }
                let now_asks = self.asker.replace(Rc::clone(&stop.asker));
                due.into_iter().for_each(|id| self.stop_in_turn(id, &stop));
                self.asker = now_asks;
            }
            if !stop.sequence.is_over() {
                self.ordered_stops.push(stop);
            }
        }
    }

    /// The turn of a process has come; it may have ended by itself before, or be stopped by somebody else.
    fn stop_in_turn(&mut self, id: ProcessId, stop: &OrderedStop) {
        let Some(namespec) = stop.names.get(&id) else { return };
        let Some(process) = self.population.process(id) else {
            // It has ended, and was taken out of service.
            return self.batches.tell(stop.batch, namespec, &Ok(Value::Bool(true)));
        };
        let (batch, namespec) = (stop.batch, namespec.clone());
        if process.life.state() == ProcessState::Stopping {
            let called = namespec.to_string();
            self.wait(id, Until::Down, &called, Teller::Batch(batch, namespec));
        } else if is_at(process, Until::Down) {
            self.batches.tell(batch, &namespec, &Ok(Value::Bool(true)));
        } else {
            self.bring_of_batch(id, Until::Down, Patience::UntilDone, batch);
        }
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
