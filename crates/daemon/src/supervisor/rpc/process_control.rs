//! Starting, stopping and signalling on request.

use std::collections::HashMap;
use std::rc::Rc;

use ironlance_core::log_level::Level;
use ironlance_core::process::lifecycle::{Input, SignalTarget};
use ironlance_core::process::priority_order::StopSequence;
use ironlance_core::{ProcessState, signal};
use ironlance_rpc::{Fault, FaultKind, Value};

use super::{Found, RpcResult};
use crate::child::command::CommandError;
use crate::request::{ProcessTarget, ReplyTiming, RequestedSignal};
use crate::state::ids::{CallId, ProcessId};
use crate::state::pending_calls::{
    Goal, OrderedStop, ReplyTo, is_running, is_signallable, is_stopped, process_status,
};
use crate::state::start_stop::has_reached;
use crate::supervisor::Supervisor;

impl Supervisor {
    /// Starts or stops what a client means, and answers it now or when that is done.
    pub(super) fn start_or_stop(
        &mut self,
        target: &ProcessTarget,
        goal: Goal,
        mode: ReplyTiming,
        call: CallId,
    ) {
        if goal == Goal::Down {
            // A process that has exited by itself is not stopped.
            self.reap();
        }
        match self.find_target(target) {
            Ok(Found::One(id, called)) => {
                self.start_or_stop_one(id, called, goal, mode, ReplyTo::Client(call));
            }
            Ok(Found::Many(ids)) => self.start_or_stop_many(ids, goal, mode, call),
            Err(fault) => self.io.calls.reply(call, Err(fault)),
        }
    }

    /// Starts or stops those that have not reached the goal, and answers when all have. Stops go from the highest priority
    /// down; with [`ReplyTiming::WhenDone`] the next priority is stopped when all of the one before are down.
    fn start_or_stop_many(&mut self, ids: Vec<ProcessId>, goal: Goal, mode: ReplyTiming, call: CallId) {
        self.state.batches.begin(call);
        let mut stops = Vec::new();
        let mut names = HashMap::new();
        for id in ids {
            let table = &self.state.table;
            let Some(process) = table.process(id).filter(|process| !has_reached(process, goal)) else {
                continue;
            };
            self.state.batches.expect_one(call);
            // Without a process there is only a restart to cancel, and nothing to wait for.
            if goal == Goal::Down && process.lifecycle.pid().is_some() {
                let group = table.group(process.group).map_or(0, |group| group.config.priority);
                stops.push(((group, process.program().priority), id));
                names.insert(id, process.namespec().clone());
            } else {
                self.start_or_stop_in_batch(id, goal, mode, call);
            }
        }
        let mut sequence = StopSequence::new(stops);
        match mode {
            ReplyTiming::WhenDone => {
                let requester = self.state.current_requester();
                self.state.ordered_stops.push(OrderedStop { sequence, names, call, requester });
            }
            ReplyTiming::AtOnce => {
                while !sequence.is_over() {
                    for id in sequence.step(|_| true) {
                        self.start_or_stop_in_batch(id, goal, mode, call);
                    }
                }
            }
        }
        self.decide(|state, turn| state.batches.close(call, turn));
        self.continue_stops();
    }

    fn start_or_stop_in_batch(&mut self, id: ProcessId, goal: Goal, mode: ReplyTiming, call: CallId) {
        let Some(namespec) = self.state.table.process(id).map(|process| process.namespec().clone()) else {
            return;
        };
        let called = namespec.to_string();
        self.start_or_stop_one(id, &called, goal, mode, ReplyTo::Batch(call, namespec));
    }

    /// Stops what is next in stops that go by priority.
    pub(in crate::supervisor) fn continue_stops(&mut self) {
        for mut stop in std::mem::take(&mut self.state.ordered_stops) {
            loop {
                let table = &self.state.table;
                let is_down =
                    |id| table.process(id).is_none_or(|process| is_stopped(process.lifecycle.state()));
                let due = stop.sequence.step(is_down);
                if due.is_empty() {
                    break;
                }
                let requester = self.state.requester.replace(Rc::clone(&stop.requester));
                due.into_iter().for_each(|id| self.stop_next(id, &stop));
                self.state.requester = requester;
            }
            if !stop.sequence.is_over() {
                self.state.ordered_stops.push(stop);
            }
        }
    }

    /// Stops a process whose turn has come. It may have exited by itself before, or be stopped on another request.
    fn stop_next(&mut self, id: ProcessId, stop: &OrderedStop) {
        let Some(namespec) = stop.names.get(&id) else { return };
        let reply_to = ReplyTo::Batch(stop.call, namespec.clone());
        match self.state.table.process(id) {
            Some(process) if process.lifecycle.state() == ProcessState::Stopping => {
                let called = namespec.to_string();
                self.decide(|state, turn| state.wait(id, Goal::Down, &called, reply_to, turn));
            }
            Some(process) if !has_reached(process, Goal::Down) => {
                self.start_or_stop_in_batch(id, Goal::Down, ReplyTiming::WhenDone, stop.call);
            }
            // It has exited, and may have been taken out of service.
            _ => self.decide(|state, turn| state.send_reply(reply_to, Ok(Value::Bool(true)), turn)),
        }
    }

    fn start_or_stop_one(
        &mut self,
        id: ProcessId,
        called: &str,
        goal: Goal,
        mode: ReplyTiming,
        reply_to: ReplyTo,
    ) {
        let begun = match goal {
            Goal::Up => self.start(id, called),
            Goal::Down => self.stop(id, called),
        };
        self.decide(|state, turn| match (begun, mode) {
            (Err(fault), _) => state.send_reply(reply_to, Err(fault), turn),
            (Ok(()), ReplyTiming::AtOnce) => state.send_reply(reply_to, Ok(Value::Bool(true)), turn),
            (Ok(()), ReplyTiming::WhenDone) => state.wait(id, goal, called, reply_to, turn),
        });
    }

    fn start(&mut self, id: ProcessId, called: &str) -> Result<(), Fault> {
        self.check_startable(id, called)?;
        self.step(id, Input::Start);
        let process = self.state.table.process(id);
        if process.is_some_and(|process| process.lifecycle.spawnerr().is_some()) {
            return Err(FaultKind::SpawnError.about(called));
        }
        // Without startsecs it runs already, and the client is told so.
        self.step(id, Input::Wake);
        Ok(())
    }

    /// Whether a start makes sense; the command is looked at first, as in the original.
    fn check_startable(&self, id: ProcessId, called: &str) -> Result<(), Fault> {
        let process = self.state.table.process(id).ok_or_else(|| FaultKind::BadName.about(called))?;
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
        self.decide(|state, turn| state.stop(id, called, turn))?;
        let state = self.state.table.process(id).map(|process| process.lifecycle.state());
        if state == Some(ProcessState::Unknown) { Err(FaultKind::Failed.about(called)) } else { Ok(()) }
    }

    /// Sends a signal to what a client means.
    pub(in crate::supervisor) fn signal(
        &mut self,
        target: &ProcessTarget,
        signal: &RequestedSignal,
    ) -> RpcResult {
        let ids = match self.find_target(target)? {
            Found::One(id, called) => return self.signal_one(id, called, signal),
            Found::Many(ids) => ids,
        };
        let mut results = Vec::new();
        for id in ids {
            let Some(process) = self.state.table.process(id) else { continue };
            if is_signallable(process.lifecycle.state()) {
                let namespec = process.namespec().clone();
                let outcome = self.signal_one(id, &namespec.to_string(), signal);
                results.push(process_status(&namespec, outcome.as_ref().err()));
            }
        }
        Ok(Value::Array(results))
    }

    fn signal_one(&mut self, id: ProcessId, called: &str, signal: &RequestedSignal) -> RpcResult {
        let number = signal.number.ok_or_else(|| FaultKind::BadSignal.about(&signal.given))?;
        let process = self.state.table.process(id).ok_or_else(|| FaultKind::BadName.about(called))?;
        let (name, state) = (process.namespec().process.clone(), process.lifecycle.state());
        let pid = process.lifecycle.pid().filter(|_| is_signallable(state));
        let pid = pid.ok_or_else(|| FaultKind::NotRunning.about(called))?;
        let word = signal::name(number);
        self.io.log.log(Level::Debug, &format!("sending {name} (pid {pid}) sig {word}"));
        self.record_signal(id, number);
        let sent = self.send_signal(id, pid, number, SignalTarget::Process, "just now exited");
        sent.map(|()| Value::Bool(true)).map_err(|error| {
            let line = format!("unknown problem sending sig {name} ({pid}): {word}: {error}");
            self.io.log.log(Level::Critical, &line);
            FaultKind::Failed.about(line)
        })
    }

    pub(super) fn send_process_stdin(&mut self, name: &str, chars: &[u8]) -> RpcResult {
        let (id, process) = self.find_process(name)?;
        if process.lifecycle.pid().is_none() || process.lifecycle.is_stopping() {
            return Err(FaultKind::NotRunning.about(name));
        }
        self.io.pipes.write_stdin(id, chars).map_err(|_| FaultKind::NoFile.about(name))?;
        Ok(Value::Bool(true))
    }
}
