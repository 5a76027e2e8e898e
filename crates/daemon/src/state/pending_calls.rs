//! Calls that are not answered yet: a client waits for a process to be up or down, or for several.

use std::collections::HashMap;
use std::rc::Rc;

use ironlance_core::process::priority_order::StopSequence;
use ironlance_core::{Namespec, ProcessState};
use ironlance_rpc::{Fault, FaultKind, Value};

use crate::requester::Requester;
use crate::state::ids::{CallId, ProcessId};

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
    Batch(BatchId, Namespec),
}

/// What a wait is judged by.
pub(crate) struct CurrentStatus<'a> {
    pub(crate) state: ProcessState,
    pub(crate) spawnerr: Option<&'a str>,
}

impl Goal {
    /// The outcome, if it is known already (rpcinterface.py: the two `onwait`).
    pub(crate) fn judge(self, status: &CurrentStatus<'_>, called: &str) -> Option<Result<Value, Fault>> {
        match self {
            Self::Up => match status.state {
                _ if status.spawnerr.is_some() => Some(Err(FaultKind::SpawnError.about(called))),
                ProcessState::Running => Some(Ok(Value::Bool(true))),
                ProcessState::Starting => None,
                ProcessState::Stopped
                | ProcessState::Backoff
                | ProcessState::Stopping
                | ProcessState::Exited
                | ProcessState::Fatal
                | ProcessState::Unknown => Some(Err(FaultKind::AbnormalTermination.about(called))),
            },
            Self::Down => is_stopped(status.state).then_some(Ok(Value::Bool(true))),
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

/// A request about several processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct BatchId(u32);

/// A request to stop several processes, of which some have to wait for others to come down.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OrderedStop {
    /// By the priority of the group, then by their own.
    pub(crate) sequence: StopSequence<(i64, i64), ProcessId>,
    /// Of the processes in it.
    pub(crate) names: HashMap<ProcessId, Namespec>,
    /// Who asked for it.
    pub(crate) requester: Rc<Requester>,
    pub(crate) batch: BatchId,
}

/// Requests about several processes that are not answered yet.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct PendingBatches {
    open: HashMap<BatchId, Batch>,
    next: u32,
}

#[derive(Clone, Debug, PartialEq)]
struct Batch {
    call: CallId,
    results: Vec<Value>,
    /// How many processes have no outcome yet, and one for the request that is still being read.
    missing: usize,
}

/// A call and its answer.
pub(crate) type Answered = (CallId, Value);

impl PendingBatches {
    /// Begins a request. It is answered by `close`, or after it by the last `complete`.
    pub(crate) fn begin(&mut self, call: CallId) -> BatchId {
        self.next = self.next.wrapping_add(1);
        let id = BatchId(self.next);
        self.open.insert(id, Batch { call, results: Vec::new(), missing: 1 });
        id
    }

    /// One more process will have an outcome later.
    pub(crate) fn expect_one(&mut self, id: BatchId) {
        if let Some(batch) = self.open.get_mut(&id) {
            batch.missing += 1;
        }
    }

    /// The outcome for a process that was expected; gives the answer if it was the last.
    pub(crate) fn complete(
        &mut self,
        id: BatchId,
        namespec: &Namespec,
        outcome: &Result<Value, Fault>,
    ) -> Option<Answered> {
        self.open.get_mut(&id)?.results.push(process_status(namespec, outcome.as_ref().err()));
        self.close(id)
    }

    /// All processes have been expected; gives the answer if all have their outcome.
    pub(crate) fn close(&mut self, id: BatchId) -> Option<Answered> {
        let batch = self.open.get_mut(&id)?;
        batch.missing -= 1;
        if batch.missing > 0 {
            return None;
        }
        self.open.remove(&id).map(|batch| (batch.call, Value::Array(batch.results)))
    }
}

/// One process's line in the answer to a request about several (rpcinterface.py, make_allfunc); without a fault it went
/// well.
pub(crate) fn process_status(namespec: &Namespec, fault: Option<&Fault>) -> Value {
    let (code, description) =
        fault.map_or((FaultKind::Success.code(), "OK"), |fault| (fault.code, fault.string.as_str()));
    Value::Struct(vec![
        ("name".into(), Value::Str(namespec.process.0.clone())),
        ("group".into(), Value::Str(namespec.group.0.clone())),
        ("status".into(), Value::Int(code)),
        ("description".into(), Value::Str(description.to_owned())),
    ])
}
