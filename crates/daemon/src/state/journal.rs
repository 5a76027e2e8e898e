//! What the journal gets: [`JournalScope`], and the records that are made of events, ends of processes and troubles of pools.
//! `supervisor/effects` appends them.

use std::collections::BTreeSet;

use ironlance_core::event::{Event, StateChange, StateDetail};
use ironlance_core::journal::{
    EndReport, JournalEntry, JournalEvent, MAX_BODY, MAX_TAIL, PoolReport, PoolTrouble,
};
use ironlance_core::process::exit_status::ExitStatus;
use ironlance_core::process::lifecycle::DaemonState;
use ironlance_core::{Namespec, ProcessState, signal};

use super::command::Command;
use super::exit_record::ExitRecord;
use super::ids::{GroupId, ProcessId};
use super::pool_condition::{PoolChange, PoolObservation};
use super::process_table::Process;
use super::step::is_down;
use super::{State, Turn};

/// The types of REMOTE_COMMUNICATION that are recorded begin so.
const OUR_MESSAGES: &str = "ironlance.";

/// What is recorded beyond states, groups and the daemon itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct JournalScope {
    /// Processes whose PROCESS_COMMUNICATION events are recorded.
    pub(crate) communicating: BTreeSet<Namespec>,
}

impl State {
    /// Records an event, if there is a journal and its type belongs there. `about` is the process that a state event is
    /// about; `serial` is the event's number where a pool takes it.
    pub(super) fn journal_event(
        &self,
        event: &Event,
        about: Option<ProcessId>,
        serial: Option<u64>,
        turn: &mut Turn<'_>,
    ) {
        let Some(scope) = &self.journal else { return };
        let process = about.and_then(|id| self.table.process(id));
        let starts_again = self.daemon_state == DaemonState::Running;
        let Some(entry) = journal_event(event, scope, process, starts_again) else { return };
        let entry = JournalEvent { serial, event: event.kind().name().to_owned(), ..entry };
        turn.push(Command::Journal(Box::new(JournalEntry::Event(Box::new(entry)))));
    }

    /// Records that a listener has given up, which its pool may not survive.
    pub(super) fn journal_listener(&mut self, id: ProcessId, to: ProcessState, turn: &mut Turn<'_>) {
        let Some(process) = self.table.process(id) else { return };
        if to == ProcessState::Fatal && process.is_listener() {
            let group = process.group;
            let why = process.down_reason.clone();
            let why = format!(
                "the listener {} gave up: {}",
                process.namespec(),
                why.as_deref().unwrap_or_default()
            );
            self.journal_pool(group, Some(&why), turn);
        }
    }

    /// Records what the calls of a pool have shown: that it drops events, breaks the protocol, or is well again.
    pub(super) fn journal_pool(&mut self, id: GroupId, broken: Option<&str>, turn: &mut Turn<'_>) {
        if self.journal.is_none() {
            return;
        }
        let Some(group) = self.table.group_mut(id) else { return };
        let Some(pool) = &group.pool else { return };
        let seen = PoolObservation {
            dropped: pool.dropped().total(),
            answered: pool.answered(),
            waiting: pool.pending(),
            is_broken: broken.is_some(),
        };
        for PoolChange { trouble, lost } in group.condition.step(seen, turn.now.mono) {
            let why = if trouble == PoolTrouble::Broken { broken } else { None };
            let why = why.unwrap_or_default().to_owned();
            let pool = PoolReport { name: group.config.name.0.clone(), trouble, why, lost };
            turn.push(Command::Journal(Box::new(JournalEntry::Pool { pool })));
        }
    }
}

/// The record of an event, but for its type and number; nothing where it is not recorded.
fn journal_event(
    event: &Event,
    scope: &JournalScope,
    process: Option<&Process>,
    starts_again: bool,
) -> Option<JournalEvent> {
    let empty = JournalEvent::default;
    Some(match event {
        Event::State(change) => state_event(change, process, starts_again),
        Event::GroupAdded(group) | Event::GroupRemoved(group) => {
            JournalEvent { group: Some(group.0.clone()), ..empty() }
        }
        Event::SupervisorRunning | Event::SupervisorStopping => empty(),
        Event::Remote(message) if message.kind.starts_with(OUR_MESSAGES) => JournalEvent {
            kind: Some(head(&message.kind, MAX_BODY).to_owned()),
            data: Some(head(&message.data, MAX_BODY).to_owned()),
            ..empty()
        },
        Event::Communication(_, output) if scope.communicating.contains(&*output.process) => JournalEvent {
            group: Some(output.process.group.0.clone()),
            process: Some(output.process.process.0.clone()),
            pid: Some(output.pid),
            data: Some(head(&output.text, MAX_BODY).to_owned()),
            ..empty()
        },
        Event::Remote(_) | Event::Communication(..) | Event::Log(..) | Event::Tick { .. } => return None,
    })
}

fn state_event(change: &StateChange, process: Option<&Process>, starts_again: bool) -> JournalEvent {
    let StateChange { process: name, from, to, detail } = change;
    let tries = match (to, detail) {
        (_, StateDetail::Tries(tries)) => Some(*tries),
        (ProcessState::Fatal, _) => process.map(|process| process.attempt.failures),
        _ => None,
    };
    JournalEvent {
        group: Some(name.group.0.clone()),
        process: Some(name.process.0.clone()),
        from: from.map(|state| state.name().to_owned()),
        expected: match detail {
            StateDetail::Exit { expected, .. } => Some(*expected),
            StateDetail::Nothing | StateDetail::Tries(_) | StateDetail::Pid(_) => None,
        },
        pid: detail.pid().filter(|pid| *pid != 0),
        restarts: *to == ProcessState::Exited && starts_again && process.is_some_and(Process::will_restart),
        tries: tries.filter(|tries| *tries > 0),
        end: process.filter(|_| is_down(*to)).and_then(end_report),
        ..JournalEvent::default()
    }
}

/// How the last start of a process has ended: by its exit, or because it could not be started.
fn end_report(process: &Process) -> Option<EndReport> {
    let exit = process.last_exit.as_deref().filter(|_| process.attempt.has_exited);
    let exit = exit.map(|exit| EndReport { ends: process.lifecycle.starts(), ..report_of(exit) });
    let not_started =
        || Some(EndReport { why: process.down_reason.as_deref()?.to_owned(), ..EndReport::default() });
    exit.or_else(not_started)
}

fn report_of(exit: &ExitRecord) -> EndReport {
    let cause = &exit.cause;
    let has_run = cause.not_started.is_none();
    let (status, number, core) = match cause.status {
        ExitStatus::Signal { number, core } => (None, Some(number), core),
        ExitStatus::Code(code) => (Some(code), None, false),
        ExitStatus::Other(_) => (None, None, false),
    };
    let recycled = cause.recycled.as_ref().map(|did| format!(", recycled: it {did}")).unwrap_or_default();
    EndReport {
        why: format!("{}{recycled}", cause.status_text()),
        status: status.filter(|_| has_run),
        signal: number.filter(|_| has_run).map(|number| signal::name(number).into_owned()),
        oom: cause.out_of_memory(),
        core,
        requested_by: cause.by.as_ref().map(ToString::to_string),
        up_ms: u64::try_from(exit.up.as_millis()).unwrap_or(u64::MAX),
        ends: 0,
        stdout: tail(&exit.stdout_tail).to_owned(),
        stderr: tail(&exit.stderr_tail).to_owned(),
    }
}

fn head(text: &str, max: usize) -> &str {
    &text[..text.floor_char_boundary(max)]
}

fn tail(text: &str) -> &str {
    &text[text.ceil_char_boundary(text.len().saturating_sub(MAX_TAIL))..]
}
