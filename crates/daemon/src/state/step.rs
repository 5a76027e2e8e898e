//! One input for one process, and everything that follows from it: [`State::step`].

use ironlance_core::ProcessState;
use ironlance_core::event::{Event, StateDetail};
use ironlance_core::process::lifecycle::{Effect, Input};

use super::command::Command;
use super::exit_record::ObservedExit;
use super::ids::ProcessId;
use super::pending_calls::ReplyTo;
use super::timers::Timer;
use super::{State, Turn};
use ironlance_rpc::{Fault, Value};

impl State {
    /// Gives an input to the lifecycle of a process. The results of [`Command::Spawn`] and [`Command::Kill`] are
    /// further inputs.
    pub(crate) fn step(&mut self, id: ProcessId, input: Input, turn: &mut Turn<'_>) {
        let Some(process) = self.table.process_mut(id) else { return };
        if matches!(input, Input::Stop | Input::GiveUp) && std::mem::take(&mut process.awaits_address) {
            turn.push(Command::CancelLookup(id));
            let why = "its host was still being looked up".to_owned();
            self.step_once(id, Input::SpawnFailed { why }, turn);
        }
        self.step_once(id, input, turn);
        self.reschedule(id, turn);
        self.complete_waits(id, turn);
    }

    /// A process has ended: the record of its exit is there before anything follows from it.
    pub(crate) fn step_exit(&mut self, id: ProcessId, exit: ObservedExit, turn: &mut Turn<'_>) {
        let status = exit.cause.status;
        let input = match &exit.cause.not_started {
            Some(why) => Input::NeverRan { status, why: why.clone() },
            None => Input::Ended { status },
        };
        self.step_with(id, input, Some(exit), turn);
        self.reschedule(id, turn);
        self.complete_waits(id, turn);
    }

    fn step_once(&mut self, id: ProcessId, input: Input, turn: &mut Turn<'_>) {
        self.step_with(id, input, None, turn);
    }

    fn step_with(&mut self, id: ProcessId, input: Input, exit: Option<ObservedExit>, turn: &mut Turn<'_>) {
        let Some(process) = self.table.process_mut(id) else { return };
        process.note_start_origin(&input);
        let effects = process.lifecycle.step(input, turn.now, self.daemon_state);
        if let Some(exit) = exit {
            process.record_exit(exit);
        }
        for effect in effects {
            match effect {
                Effect::Spawn => turn.push(Command::Spawn(id)),
                Effect::Kill { pid, signal, reach } => {
                    turn.push(Command::Kill { id, pid, signal, target: reach });
                }
                Effect::StateChanged { from, to, detail } => {
                    self.on_state_change(id, from, to, detail, turn);
                }
                Effect::Log(level, line) => turn.log(level, line),
            }
        }
    }

    fn on_state_change(
        &mut self,
        id: ProcessId,
        from: ProcessState,
        to: ProcessState,
        detail: StateDetail,
        turn: &mut Turn<'_>,
    ) {
        self.retire_member(id, to);
        let Some(process) = self.table.process_mut(id) else { return };
        process.note_attempt(to, detail);
        let namespec = process.lifecycle.shared_namespec();
        let event = Event::state(namespec, from, to, detail);
        let why = is_down(to).then(|| process.down_reason.clone()).flatten();
        self.record(&event, why, turn);
        let except = self.excluded_pool(id, to, detail, turn.now.mono);
        self.dispatch_event(&event, Some(id), except, turn);
        self.journal_listener(id, to, turn);
    }

    /// Sets the timer of a process by its lifecycle.
    pub(crate) fn reschedule(&self, id: ProcessId, turn: &mut Turn<'_>) {
        let Some(process) = self.table.process(id) else { return };
        turn.timers.set(Timer::Process(id), process.lifecycle.next_deadline(self.daemon_state));
    }

    /// The same for all processes: the state of the daemon has changed.
    pub(crate) fn reschedule_all(&self, turn: &mut Turn<'_>) {
        self.table.processes().for_each(|(id, _)| self.reschedule(id, turn));
    }

    /// Answers the clients that waited for the state that the process is in now.
    pub(crate) fn complete_waits(&mut self, id: ProcessId, turn: &mut Turn<'_>) {
        let Some(process) = self.table.process_mut(id) else { return };
        if process.waits.is_empty() {
            return;
        }
        for wait in std::mem::take(&mut process.waits) {
            let Some(process) = self.table.process_mut(id) else { return };
            match wait.until.judge(&process.lifecycle, &wait.requested_name) {
                Some(outcome) => self.send_reply(wait.reply_to, outcome, turn),
                None => process.waits.push(wait),
            }
        }
    }

    /// The outcome for a client that asked about this process alone or about several.
    pub(crate) fn send_reply(
        &mut self,
        reply_to: ReplyTo,
        outcome: Result<Value, Fault>,
        turn: &mut Turn<'_>,
    ) {
        match reply_to {
            ReplyTo::Client(call) => turn.push(Command::Reply(call, outcome)),
            ReplyTo::Batch(call, namespec) => self.batches.complete(call, &namespec, &outcome, turn),
        }
    }
}

/// States that a process is in because it has ended, or could not be started.
pub(super) const fn is_down(state: ProcessState) -> bool {
    use ProcessState::{Backoff, Exited, Fatal, Stopped};
    matches!(state, Stopped | Backoff | Exited | Fatal)
}
