//! Starting, stopping and signalling on request.

use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use ironlance_core::log_level::Level;
use ironlance_core::process::lifecycle::{Input, SignalTarget};
use ironlance_core::process::start_order::StopSequence;
use ironlance_core::{ProcessState, signal};
use ironlance_rpc::{Fault, FaultKind, Value};
use rustix::io::Errno;

use super::{RpcResult, Target};
use crate::child;
use crate::child::command::CommandError;
use crate::request::{RequestedSignal, WaitMode as Patience};
use crate::requester::SignalReason;
use crate::state::ids::ProcessId;
use crate::state::pending_calls::{
    BatchId, Goal, OrderedStop, PendingWait, ReplySender, ReplyTo, is_running, is_signallable, is_stopped,
    process_status,
};
use crate::state::process_table::Process;
use crate::supervisor::Supervisor;

impl Supervisor {
    /// Starts or stops what the name means: a process, or all of a group.
    pub(super) fn start_or_stop_named(&mut self, name: &str, goal: Goal, wait: Patience, reply: ReplySender) {
        self.reap_before_stop(goal);
        match self.find(name) {
            Ok(Target::Process(id)) => self.start_or_stop(id, name, goal, wait, ReplyTo::Client(reply)),
            Ok(Target::Group(group)) => {
                self.start_or_stop_many(self.table.members_by_priority(group), goal, wait, reply);
            }
            Err(fault) => drop(reply.send(Err(fault))),
        }
    }

    pub(super) fn start_or_stop_group(&mut self, name: &str, goal: Goal, wait: Patience, reply: ReplySender) {
        self.reap_before_stop(goal);
        match self.find_group(name) {
            Ok(group) => self.start_or_stop_many(self.table.members_by_priority(group), goal, wait, reply),
            Err(fault) => drop(reply.send(Err(fault))),
        }
    }

    pub(super) fn start_or_stop_all(&mut self, goal: Goal, wait: Patience, reply: ReplySender) {
        self.reap_before_stop(goal);
        self.start_or_stop_many(self.table.by_priority(), goal, wait, reply);
    }

    /// Before a stop: who has ended by itself is not stopped.
    fn reap_before_stop(&mut self, goal: Goal) {
        if goal == Goal::Down {
            self.reap();
        }
    }

    /// Starts or stops those that are not there yet, and answers when all of it has come true. Stops go from the highest
    /// priority down; who is waited for comes down before the next priority is stopped.
    fn start_or_stop_many(&mut self, ids: Vec<ProcessId>, goal: Goal, wait: Patience, reply: ReplySender) {
        let batch = self.batches.begin();
        let mut stops = Vec::new();
        let mut names = HashMap::new();
        for id in ids {
            let Some(process) = self.table.process(id).filter(|process| !has_reached(process, goal)) else {
                continue;
            };
            self.batches.expect_one(batch);
            // What has no process is only told not to start again; nobody needs to be down before.
            if goal == Goal::Down && process.lifecycle.pid().is_some() {
                let group = self.table.group(process.group).map_or(0, |group| group.config.priority);
                stops.push(((group, process.program().priority), id));
                names.insert(id, process.namespec().clone());
            } else {
                self.start_or_stop_in_batch(id, goal, wait, batch);
            }
        }
        let mut sequence = StopSequence::new(stops);
        match wait {
            Patience::WhenDone => {
                self.ordered_stops.push(OrderedStop {
                    sequence,
                    names,
                    batch,
                    asker: self.current_requester(),
                });
            }
            Patience::AtOnce => {
                while !sequence.is_over() {
                    for id in sequence.step(|_| true) {
                        self.start_or_stop_in_batch(id, goal, wait, batch);
                    }
                }
            }
        }
        self.batches.close(batch, reply);
        self.continue_stops();
    }

    fn start_or_stop_in_batch(&mut self, id: ProcessId, goal: Goal, wait: Patience, batch: BatchId) {
        let Some(namespec) = self.table.process(id).map(|process| process.namespec().clone()) else {
            return;
        };
        let called = namespec.to_string();
        self.start_or_stop(id, &called, goal, wait, ReplyTo::Batch(batch, namespec));
    }

    /// Stops who is next in stops that go by priority.
    pub(in crate::supervisor) fn continue_stops(&mut self) {
        if self.ordered_stops.is_empty() {
            return;
        }
        for mut stop in std::mem::take(&mut self.ordered_stops) {
            loop {
                let population = &self.table;
                let is_down =
                    |id| population.process(id).is_none_or(|process| is_stopped(process.lifecycle.state()));
                let due = stop.sequence.step(is_down);
                if due.is_empty() {
                    break;
                }
                let now_asks = self.requester.replace(Rc::clone(&stop.asker));
                due.into_iter().for_each(|id| self.stop_next(id, &stop));
                self.requester = now_asks;
            }
            if !stop.sequence.is_over() {
                self.ordered_stops.push(stop);
            }
        }
    }

    /// The turn of a process has come; it may have ended by itself before, or be stopped by somebody else.
    fn stop_next(&mut self, id: ProcessId, stop: &OrderedStop) {
        let Some(namespec) = stop.names.get(&id) else { return };
        let Some(process) = self.table.process(id) else {
            // It has ended, and was taken out of service.
            return self.batches.complete(stop.batch, namespec, &Ok(Value::Bool(true)));
        };
        let (batch, namespec) = (stop.batch, namespec.clone());
        if process.lifecycle.state() == ProcessState::Stopping {
            let called = namespec.to_string();
            self.wait(id, Goal::Down, &called, ReplyTo::Batch(batch, namespec));
        } else if has_reached(process, Goal::Down) {
            self.batches.complete(batch, &namespec, &Ok(Value::Bool(true)));
        } else {
            self.start_or_stop_in_batch(id, Goal::Down, Patience::WhenDone, batch);
        }
    }

    fn start_or_stop(&mut self, id: ProcessId, called: &str, goal: Goal, wait: Patience, teller: ReplyTo) {
        let begun = match goal {
            Goal::Up => self.start(id, called),
            Goal::Down => self.stop(id, called),
        };
        match (begun, wait) {
            (Err(fault), _) => self.send_reply(teller, Err(fault)),
            (Ok(()), Patience::AtOnce) => self.send_reply(teller, Ok(Value::Bool(true))),
            (Ok(()), Patience::WhenDone) => self.wait(id, goal, called, teller),
        }
    }

    fn start(&mut self, id: ProcessId, called: &str) -> Result<(), Fault> {
        self.check_startable(id, called)?;
        self.step(id, Input::Start);
        let failed = self.table.process(id).is_some_and(|process| process.lifecycle.spawnerr().is_some());
        if failed {
            return Err(FaultKind::SpawnError.about(called));
        }
        // Without startsecs it runs already, and who asked is told so.
        self.step(id, Input::Wake);
        Ok(())
    }

    /// Whether a start makes sense; the command is looked at first, as in the original.
    fn check_startable(&self, id: ProcessId, called: &str) -> Result<(), Fault> {
        let process = self.table.process(id).ok_or_else(|| FaultKind::BadName.about(called))?;
        self.resolve(process).map_err(|error| match error {
            CommandError::NotFound(_) => FaultKind::NoFile.about(error),
            CommandError::Unparsable { .. }
            | CommandError::Empty
            | CommandError::Directory(_)
            | CommandError::NotExecutable(_)
            | CommandError::NoPermission(_) => FaultKind::NotExecutable.about(error),
        })?;
        match process.lifecycle.state() {
            state if is_running(state) => Err(FaultKind::AlreadyStarted.about(called)),
            ProcessState::Unknown => {
                Err(FaultKind::Failed.about(format!("{called} is in an unknown process state")))
            }
            _ => Ok(()),
        }
    }

    fn stop(&mut self, id: ProcessId, called: &str) -> Result<(), Fault> {
        let asker = self.current_requester();
        let process = self.table.process_mut(id).filter(|process| !has_reached(process, Goal::Down));
        let process = process.ok_or_else(|| FaultKind::NotRunning.about(called))?;
        // Whoever stops a listener means it, whatever it did wrong before.
        process.recycling.reset();
        process.stop_reason = Some(SignalReason::Stop(asker));
        self.step(id, Input::Stop);
        let state = self.table.process(id).map(|process| process.lifecycle.state());
        if state == Some(ProcessState::Unknown) { Err(FaultKind::Failed.about(called)) } else { Ok(()) }
    }

    /// Tells the outcome when the process has come where it shall be, which may be now.
    fn wait(&mut self, id: ProcessId, until: Goal, called: &str, teller: ReplyTo) {
        let Some(process) = self.table.process_mut(id) else { return };
        process.waits.push(PendingWait { until, requested_name: called.to_owned(), reply_to: teller });
        if until == Goal::Down {
            let now = self.clock.mono();
            self.stop_reports.push((id, now));
        }
        self.complete_waits(id);
    }

    fn send_reply(&mut self, teller: ReplyTo, outcome: RpcResult) {
        match teller {
            // A client that has gone misses nothing.
            ReplyTo::Client(reply) => drop(reply.send(outcome)),
            ReplyTo::Batch(batch, namespec) => self.batches.complete(batch, &namespec, &outcome),
        }
    }

    /// Says of processes whose stop is waited for that they still have not stopped, every two seconds.
    pub(in crate::supervisor) fn log_slow_stops(&mut self) {
        let now = self.clock.mono();
        let mut still = Vec::new();
        for (id, due) in std::mem::take(&mut self.stop_reports) {
            let Some(process) = self.table.process(id) else { continue };
            if process.lifecycle.state() != ProcessState::Stopping
                || !process.waits.iter().any(|wait| wait.until == Goal::Down)
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

    pub(super) fn signal_process(&mut self, name: &str, wish: &RequestedSignal) -> RpcResult {
        match self.find(name)? {
            Target::Process(id) => self.signal_one(id, name, wish),
            Target::Group(group) => Ok(self.signal_many(&self.table.members_by_priority(group), wish)),
        }
    }

    pub(super) fn signal_group(&mut self, name: &str, wish: &RequestedSignal) -> RpcResult {
        let group = self.find_group(name)?;
        Ok(self.signal_many(&self.table.members_by_priority(group), wish))
    }

    pub(super) fn signal_all(&mut self, wish: &RequestedSignal) -> Value {
        self.signal_many(&self.table.by_priority(), wish)
    }

    fn signal_many(&mut self, ids: &[ProcessId], wish: &RequestedSignal) -> Value {
        let mut results = Vec::new();
        for id in ids {
            let Some(process) = self.table.process(*id) else { continue };
            if is_signallable(process.lifecycle.state()) {
                let namespec = process.namespec().clone();
                let outcome = self.signal_one(*id, &namespec.to_string(), wish);
                results.push(process_status(&namespec, outcome.as_ref().err()));
            }
        }
        Value::Array(results)
    }

    fn signal_one(&mut self, id: ProcessId, called: &str, wish: &RequestedSignal) -> RpcResult {
        let number = wish.number.ok_or_else(|| FaultKind::BadSignal.about(&wish.given))?;
        let process = self.table.process(id).ok_or_else(|| FaultKind::BadName.about(called))?;
        let (name, state) = (process.namespec().process.clone(), process.lifecycle.state());
        let pid = process.lifecycle.pid().filter(|_| is_signallable(state));
        let pid = pid.ok_or_else(|| FaultKind::NotRunning.about(called))?;
        let word = signal::name(number);
        self.log.log(Level::Debug, &format!("sending {name} (pid {pid}) sig {word}"));
        self.record_signal(id, number);
        match child::kill::kill(pid, number, SignalTarget::Process) {
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

    pub(super) fn send_process_stdin(&mut self, name: &str, chars: &[u8]) -> RpcResult {
        let (id, process) = self.find_process(name)?;
        if process.lifecycle.pid().is_none() || process.lifecycle.is_stopping() {
            return Err(FaultKind::NotRunning.about(name));
        }
        self.write_stdin(id, chars).map_err(|_| FaultKind::NoFile.about(name))?;
        Ok(Value::Bool(true))
    }
}

/// Whether the process is where it shall be brought. What comes back by itself is not down.
fn has_reached(process: &Process, goal: Goal) -> bool {
    let running = is_running(process.lifecycle.state());
    match goal {
        Goal::Up => running,
        Goal::Down => !running && !process.will_restart(),
    }
}

/// How often the log says that a stop takes long.
const STOP_REPORT_EVERY: Duration = Duration::from_secs(2);
