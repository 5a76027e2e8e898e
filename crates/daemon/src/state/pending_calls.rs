//! Calls that are not answered yet: a client waits for a process to be up or down, or for several.

use std::collections::HashMap;
use std::rc::Rc;

use ironlance_core::process::lifecycle::Lifecycle;
use ironlance_core::process::priority_order::StopSequence;
use ironlance_core::{Namespec, ProcessState};
use ironlance_rpc::{Fault, FaultKind, Value};

use super::Turn;
use super::command::Command;
use super::ids::{CallId, ProcessId};
use crate::requester::Requester;

/// A client that waits for a process.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PendingWait {
    pub(crate) until: Goal,
    /// The name by which the client called the process; faults repeat it.
    pub(crate) requested_name: String,
    pub(crate) reply_to: ReplyTo,
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    Up,
    Down,
}

/// Where the outcome goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ReplyTo {
    /// A client that asked about this process alone.
    Client(CallId),
    /// One of several processes that a client asked about.
    Batch(CallId, Namespec),
}

impl Goal {
    /// The outcome for a process in this state, if it is known already (rpcinterface.py: the two `onwait`).
    pub(crate) fn judge(self, life: &Lifecycle, called: &str) -> Option<Result<Value, Fault>> {
        match (self, life.state()) {
            (Self::Down, state) => is_stopped(state).then_some(Ok(Value::Bool(true))),
            (Self::Up, _) if life.spawnerr().is_some() => Some(Err(FaultKind::SpawnError.about(called))),
            (Self::Up, ProcessState::Running) => Some(Ok(Value::Bool(true))),
            (Self::Up, ProcessState::Starting) => None,
            (Self::Up, _) => Some(Err(FaultKind::AbnormalTermination.about(called))),
        }
    }
}

/// Whether a process in this state counts as stopped (states.py, STOPPED_STATES).
pub(crate) fn is_stopped(state: ProcessState) -> bool {
    matches!(
        state,
        ProcessState::Stopped | ProcessState::Exited | ProcessState::Fatal | ProcessState::Unknown
    )
}

/// Whether a process in this state counts as running (states.py, RUNNING_STATES).
pub(crate) fn is_running(state: ProcessState) -> bool {
    matches!(state, ProcessState::Running | ProcessState::Backoff | ProcessState::Starting)
}

/// Whether a process in this state can be sent a signal (states.py, SIGNALLABLE_STATES).
pub(crate) fn is_signallable(state: ProcessState) -> bool {
    matches!(state, ProcessState::Running | ProcessState::Starting | ProcessState::Stopping)
}

/// A request to stop several processes, of which some have to wait for others to come down.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OrderedStop {
    /// By the priority of the group, then by their own.
    pub(crate) sequence: StopSequence<(i64, i64), ProcessId>,
    /// Of the processes in it.
    pub(crate) names: HashMap<ProcessId, Namespec>,
    /// Who asked for it.
    pub(crate) requester: Rc<Requester>,
    pub(crate) call: CallId,
}

/// Requests about several processes that are not answered yet.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct PendingBatches(HashMap<CallId, Batch>);

#[derive(Clone, Debug, PartialEq)]
struct Batch {
    results: Vec<Value>,
    /// How many processes have no outcome yet, plus one while the request is still being read.
    missing: usize,
}

impl PendingBatches {
    /// Begins a request. It is answered by `close`, or after it by the last `complete`.
    pub(crate) fn begin(&mut self, call: CallId) {
        self.0.insert(call, Batch { results: Vec::new(), missing: 1 });
    }

    /// One more process will have an outcome later.
    pub(crate) fn expect_one(&mut self, call: CallId) {
        self.0.entry(call).and_modify(|batch| batch.missing += 1);
    }

    /// The outcome for a process that was expected; the last one answers the call.
    pub(crate) fn complete(
        &mut self,
        call: CallId,
        namespec: &Namespec,
        outcome: &Result<Value, Fault>,
        turn: &mut Turn<'_>,
    ) {
        if let Some(batch) = self.0.get_mut(&call) {
            batch.results.push(process_status(namespec, outcome.as_ref().err()));
        }
        self.close(call, turn);
    }

    /// All processes have been expected; answers the call if all have their outcome.
    pub(crate) fn close(&mut self, call: CallId, turn: &mut Turn<'_>) {
        let Some(batch) = self.0.get_mut(&call) else { return };
        batch.missing -= 1;
        if batch.missing == 0 {
            let results = std::mem::take(&mut batch.results);
            self.0.remove(&call);
            turn.push(Command::Reply(call, Ok(Value::Array(results))));
        }
    }
}

/// One process's line in the answer to a request about several (rpcinterface.py, make_allfunc); without a fault it went
/// well.
pub(crate) fn process_status(namespec: &Namespec, fault: Option<&Fault>) -> Value {
    let (code, description) =
        fault.map_or((FaultKind::Success.code(), "OK"), |fault| (fault.code, fault.string.as_str()));
    Value::record([
        ("name", namespec.process.0.as_str().into()),
        ("group", namespec.group.0.as_str().into()),
        ("status", code.into()),
        ("description", description.into()),
    ])
}
