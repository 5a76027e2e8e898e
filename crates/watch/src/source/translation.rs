//! What a record means to the machines: [`input_of`]; and what an event is as a record: [`entry_of`]. Pure.

use ironlance_alert::card::{CardTail, Fact};
use ironlance_config::Config;
use ironlance_core::Namespec;
use ironlance_core::alerting::operator::COMMAND_TYPE;
use ironlance_core::event::kind::EventKind;
use ironlance_core::event::{Event, StateDetail, wire};
use ironlance_core::journal::{
    EndReport, JournalEntry, JournalEvent, JournalRecord, MAX_BODY, PoolTrouble, PreviousRun,
};
use ironlance_core::process::lifecycle::Autorestart;
use ironlance_core::process::name::GroupName;
use ironlance_core::process::state::ProcessState;
use ironlance_core::text::ansi;

use super::event_pipe::PipedEvent;
use crate::machine::{EarlierRun, Input, ListenerTrouble, OperatorCommand, ProcessReport};

/// The last lines of an output that a message may show.
const TAIL_LINES: usize = 50;

/// An event as a record; `None` where nobody asks about it later, or it cannot be read.
pub(crate) fn entry_of(event: &PipedEvent, config: Option<&Config>) -> Option<JournalEntry> {
    let kind = EventKind::from_name(&event.envelope.event_name)?;
    let mut recorded = JournalEvent {
        serial: event.envelope.serial,
        event: kind.name().to_owned(),
        ..JournalEvent::default()
    };
    match wire::decode(kind, &event.body).ok()? {
        Event::State(change) => {
            recorded.group = Some(change.process.group.0.clone());
            recorded.process = Some(change.process.process.0.clone());
            recorded.from = change.from.map(|state| state.name().to_owned());
            recorded.pid = change.detail.pid();
            match change.detail {
                StateDetail::Exit { expected, .. } => {
                    recorded.expected = Some(expected);
                    recorded.restarts = restarts(config, &change.process, expected);
                }
                StateDetail::Tries(tries) => recorded.tries = Some(tries),
                StateDetail::Nothing | StateDetail::Pid(_) => {}
            }
        }
        Event::GroupAdded(group) | Event::GroupRemoved(group) => recorded.group = Some(group.0.clone()),
        Event::Remote(message) if message.kind.starts_with("ironlance.") => {
            recorded.kind = Some(message.kind.clone());
            recorded.data = Some(message.data.clone()).filter(|data| data.len() <= MAX_BODY);
        }
        Event::SupervisorRunning | Event::SupervisorStopping => {}
        Event::Remote(_) | Event::Communication(..) | Event::Log(..) | Event::Tick { .. } => return None,
    }
    Some(JournalEntry::Event(Box::new(recorded)))
}

/// Whether the supervisor starts a process again that has exited, by its configuration.
fn restarts(config: Option<&Config>, process: &Namespec, expected: bool) -> bool {
    let group = config.and_then(|config| config.groups.iter().find(|group| group.name == process.group));
    let program =
        group.and_then(|group| group.programs.iter().find(|program| program.name == process.process));
    match program.map(|program| program.autorestart) {
        Some(Autorestart::Always) => true,
        Some(Autorestart::Never) => false,
        Some(Autorestart::Unexpected) | None => !expected,
    }
}

/// What a record means; `Err` says why an operator's command cannot be read.
pub(crate) fn input_of(record: &JournalRecord) -> Result<Option<Input>, String> {
    Ok(match &record.entry {
        JournalEntry::Start { start } => {
            let previous = match (start.previous, start.last_seen) {
                (PreviousRun::Killed, Some(last_seen)) => EarlierRun::Killed { last_seen, at: record.at },
                (PreviousRun::Clean, _) => EarlierRun::Clean,
                (PreviousRun::None | PreviousRun::Killed, _) => EarlierRun::Unknown,
            };
            Some(Input::Started { previous })
        }
        JournalEntry::Stop { .. } => None,
        JournalEntry::Pool { pool } => {
            let trouble = match pool.trouble {
                PoolTrouble::Overflow => ListenerTrouble::Overflow { lost: pool.lost },
                PoolTrouble::Broken => ListenerTrouble::Broken(pool.why.clone()),
                PoolTrouble::Well => ListenerTrouble::Well,
            };
            Some(Input::Pool { pool: GroupName(pool.name.clone()), trouble })
        }
        JournalEntry::Event(event) => input_of_event(event, record.at)?,
    })
}

fn input_of_event(event: &JournalEvent, at: u64) -> Result<Option<Input>, String> {
    let Some(kind) = EventKind::from_name(&event.event) else { return Ok(None) };
    if let Some(state) = kind.state() {
        return Ok(report_of(event, state, at).map(Input::Process));
    }
    let group = || event.group.clone().map(GroupName);
    Ok(match kind {
        EventKind::ProcessGroupRemoved => group().map(Input::GroupRemoved),
        EventKind::SupervisorStateChangeStopping => Some(Input::Stopping),
        EventKind::RemoteCommunication if event.kind.as_deref() == Some(COMMAND_TYPE) => {
            let data = event.data.as_deref().unwrap_or_default();
            let command: OperatorCommand = serde_json::from_str(data)
                .map_err(|error| format!("cannot read the command of a {COMMAND_TYPE} event: {error}"))?;
            Some(Input::Operator(command))
        }
        _ => None,
    })
}

fn report_of(event: &JournalEvent, state: ProcessState, at: u64) -> Option<ProcessReport> {
    let program = Namespec::new(event.group.clone()?, event.process.clone()?);
    let pid = event.pid.and_then(|pid| i32::try_from(pid).ok());
    let mut facts = Vec::new();
    if let Some(end) = &event.end {
        facts.extend(facts_of_end(end, state));
    }
    if state == ProcessState::Fatal
        && let Some(tries) = event.tries
    {
        facts.push(Fact::GaveUp { tries });
    }
    if let (ProcessState::Exited, Some(pid)) = (state, pid) {
        facts.push(Fact::Pid(pid));
    }
    let expected = event.expected.unwrap_or_default();
    let tail = event.end.as_ref().and_then(tail_of);
    Some(ProcessReport { program, at, state, expected, restarts: event.restarts, pid, facts, tail })
}

fn facts_of_end(end: &EndReport, state: ProcessState) -> Vec<Fact> {
    let mut facts = Vec::new();
    let has_run = end.status.is_some() || end.signal.is_some();
    let is_start = matches!(state, ProcessState::Backoff | ProcessState::Fatal | ProcessState::Unknown);
    if has_run {
        let EndReport { status, signal, oom, core, .. } = end.clone();
        facts.push(Fact::Ended { status, signal, oom, core });
    } else if !end.why.is_empty() {
        let fact = if is_start { Fact::SpawnError } else { Fact::Note };
        facts.push(fact(end.why.clone()));
    }
    if has_run && end.up_ms > 0 {
        facts.push(Fact::RanFor(end.up_ms));
    }
    facts
}

/// The last lines: of standard error where there are any, else of standard output.
fn tail_of(end: &EndReport) -> Option<CardTail> {
    let outputs = [("stderr", &end.stderr), ("stdout", &end.stdout)];
    let (stream, text) = outputs.into_iter().find(|(_, text)| !text.trim().is_empty())?;
    let text = ansi::strip(text.as_bytes());
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.trim_end().lines().collect();
    let lines = lines[lines.len().saturating_sub(TAIL_LINES)..].iter().map(|&line| line.to_owned());
    Some(CardTail { stream: stream.to_owned(), lines: lines.collect() })
}

#[cfg(test)]
mod tests {
    use ironlance_core::event::envelope::Envelope;

    use super::*;

    fn event(header: &str, body: &str) -> PipedEvent {
        let header = format!("serial:7 len:{} eventname:{header}", body.chars().count());
        PipedEvent { envelope: Envelope::parse(&header).unwrap(), body: body.to_owned() }
    }

    fn input(entry: JournalEntry) -> Result<Option<Input>, String> {
        input_of(&JournalRecord { n: 1, boot: "b".into(), at: 1000, entry })
    }

    #[test]
    fn an_exit_is_recorded_and_told_with_its_cause() {
        let body = "processname:web groupname:shop from_state:RUNNING expected:0 pid:11";
        let mut entry = entry_of(&event("PROCESS_STATE_EXITED", body), None).unwrap();
        let JournalEntry::Event(recorded) = &mut entry else { panic!("{entry:?}") };
        assert_eq!((recorded.serial, recorded.pid, recorded.restarts), (Some(7), Some(11), true));
        recorded.end = Some(EndReport {
            signal: Some("SIGKILL".into()),
            up_ms: 5,
            stderr: "one\n\u{1b}[1mtwo\n".into(),
            ..EndReport::default()
        });
        let Ok(Some(Input::Process(report))) = input(entry) else { panic!("no report") };
        assert_eq!(report.program, Namespec::new("shop", "web"));
        assert!(!report.expected && report.restarts);
        let ended = Fact::Ended { status: None, signal: Some("SIGKILL".into()), oom: false, core: false };
        assert_eq!(report.facts, [ended, Fact::RanFor(5), Fact::Pid(11)]);
        assert_eq!(report.tail.unwrap().lines, ["one", "two"]);
    }

    #[test]
    fn a_start_that_fails_has_the_words_of_the_supervisor() {
        let mut entry = entry_of(
            &event("PROCESS_STATE_FATAL", "processname:web groupname:shop from_state:BACKOFF"),
            None,
        );
        let Some(JournalEntry::Event(recorded)) = &mut entry else { panic!("{entry:?}") };
        recorded.end = Some(EndReport { why: "can't find command 'x'".into(), ..EndReport::default() });
        recorded.tries = Some(4);
        let Ok(Some(Input::Process(report))) = input(entry.unwrap()) else { panic!("no report") };
        assert_eq!(
            report.facts,
            [Fact::SpawnError("can't find command 'x'".into()), Fact::GaveUp { tries: 4 }]
        );
    }

    #[test]
    fn an_operators_command_travels_as_json_and_a_damaged_one_is_named() {
        let command = OperatorCommand::EndSilence { id: 5, by: "anna".into() };
        let body = format!("type:{COMMAND_TYPE}\n{}", serde_json::to_string(&command).unwrap());
        let entry = entry_of(&event("REMOTE_COMMUNICATION", &body), None).unwrap();
        assert_eq!(input(entry), Ok(Some(Input::Operator(command))));
        let entry = entry_of(&event("REMOTE_COMMUNICATION", "type:ironlance.watch\n{"), None).unwrap();
        assert!(input(entry).unwrap_err().starts_with("cannot read the command"));
        assert_eq!(entry_of(&event("REMOTE_COMMUNICATION", "type:deploy\n{"), None), None);
        assert_eq!(entry_of(&event("TICK_5", "when:5"), None), None);
    }

    #[test]
    fn groups_and_the_supervisor_are_told_of() {
        let stopping = entry_of(&event("SUPERVISOR_STATE_CHANGE_STOPPING", ""), None).unwrap();
        assert_eq!(input(stopping), Ok(Some(Input::Stopping)));
        let removed = entry_of(&event("PROCESS_GROUP_REMOVED", "groupname:shop\n"), None).unwrap();
        assert_eq!(input(removed), Ok(Some(Input::GroupRemoved(GroupName("shop".into())))));
        let added = entry_of(&event("PROCESS_GROUP_ADDED", "groupname:shop\n"), None).unwrap();
        assert_eq!(input(added), Ok(None));
    }
}
