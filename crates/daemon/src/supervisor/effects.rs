//! The one place that acts: an input for a process goes into its machine, and what comes out is carried out.

use std::collections::VecDeque;

use ironlance_core::event::{Event, StateDetail};
use ironlance_core::log_level::Level;
use ironlance_core::process::lifecycle::{Effect, Input, SignalTarget};
use ironlance_core::{ProcessState, signal};
use rustix::io::Errno;

use super::Supervisor;
use crate::child;
use crate::state::ids::ProcessId;
use crate::state::pending_calls::{CurrentStatus, ReplyTo};

impl Supervisor {
    /// One input for one process, and everything that follows from it.
    pub(super) fn step(&mut self, id: ProcessId, input: Input) {
        let mut inputs = VecDeque::from([input]);
        let is_end = matches!(inputs.front(), Some(Input::Stop | Input::GiveUp));
        if is_end && self.lookups.cancel(id) {
            let why = "its host was still being looked up".to_owned();
            inputs.push_front(Input::SpawnFailed { why });
        }
        while let Some(input) = inputs.pop_front() {
            let (now, mood) = (self.clock.now(), self.daemon_state);
            let Some(process) = self.table.process_mut(id) else { return };
            process.note_start_origin(&input);
            for effect in process.lifecycle.step(input, now, mood) {
                inputs.extend(self.apply(id, effect));
            }
        }
        self.reschedule(id);
        self.complete_waits(id);
    }

    /// Carries out one effect; what comes of it may be an input for the same process.
    fn apply(&mut self, id: ProcessId, effect: Effect) -> Option<Input> {
        match effect {
            Effect::Spawn => self.spawn(id),
            Effect::Kill { pid, signal, reach } => self.kill(id, pid, signal, reach),
            Effect::StateChanged { from, to, detail } => {
                self.on_state_change(id, from, to, detail);
                None
            }
            Effect::Log(level, line) => {
                self.log.log(level, &line);
                None
            }
        }
    }

    fn on_state_change(&mut self, id: ProcessId, from: ProcessState, to: ProcessState, detail: StateDetail) {
        self.retire_member(id, to);
        let Some(process) = self.table.process(id) else { return };
        let namespec = process.lifecycle.shared_namespec();
        let event = Event::state(namespec, from, to, detail);
        let why = is_down(to).then(|| process.down_reason.clone()).flatten();
        self.record(&event, why);
        let but = self.excluded_pool(id, to, detail);
        self.dispatch_event(&event, but);
    }

    /// Sends the signal that the machine asked for.
    fn kill(&mut self, id: ProcessId, pid: u32, number: i32, reach: SignalTarget) -> Option<Input> {
        match child::kill::kill(pid, number, reach) {
            Ok(()) => None,
            Err(error) if error.raw_os_error() == Some(Errno::SRCH.raw_os_error()) => {
                let name = &self.table.process(id)?.namespec().process;
                let line = format!(
                    "unable to signal {name} (pid {pid}), it probably just exited on its own: [Errno 3] No such process"
                );
                self.log.log(Level::Debug, &line);
                None
            }
            Err(error) => Some(Input::KillFailed { why: format!("{}: {error}", signal::name(number)) }),
        }
    }

    /// Notes when the process has to be woken next.
    pub(super) fn reschedule(&mut self, id: ProcessId) {
        let mood = self.daemon_state;
        let Some(process) = self.table.process(id) else { return };
        let due = process.lifecycle.next_deadline(mood);
        self.table.set_due(id, due);
    }

    /// Notes for all processes when they have to be woken next: what holds for all has changed.
    pub(super) fn reschedule_all(&mut self) {
        let ids: Vec<ProcessId> = self.table.processes().map(|(id, _)| id).collect();
        ids.into_iter().for_each(|id| self.reschedule(id));
    }

    /// Answers the clients who waited for the state that the process is in now.
    pub(super) fn complete_waits(&mut self, id: ProcessId) {
        let Some(process) = self.table.process_mut(id) else { return };
        if process.waits.is_empty() {
            return;
        }
        let standing =
            CurrentStatus { state: process.lifecycle.state(), spawnerr: process.lifecycle.spawnerr() };
        let mut done = Vec::new();
        let mut waiting = Vec::new();
        for wait in std::mem::take(&mut process.waits) {
            match wait.until.judge(&standing, &wait.requested_name) {
                Some(outcome) => done.push((wait.reply_to, outcome)),
                None => waiting.push(wait),
            }
        }
        process.waits = waiting;
        for (teller, outcome) in done {
            match teller {
                // A client that has gone misses nothing.
                ReplyTo::Client(reply) => drop(reply.send(outcome)),
                ReplyTo::Batch(batch, namespec) => self.batches.complete(batch, &namespec, &outcome),
            }
        }
    }
}

/// States that a process is in because it has ended, or could not be started.
const fn is_down(state: ProcessState) -> bool {
    match state {
        ProcessState::Stopped | ProcessState::Backoff | ProcessState::Exited | ProcessState::Fatal => true,
        ProcessState::Starting | ProcessState::Running | ProcessState::Stopping | ProcessState::Unknown => {
            false
        }
    }
}
