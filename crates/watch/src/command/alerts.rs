//! `ironlance alerts`: what `watch` knows, and commands to it. They read its state, and send it events through the supervisor.

use std::io::{self, Write};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ironlance_alert::Alert;
use ironlance_alert::AlertEntry;
use ironlance_alert::card::CardKind;
use ironlance_alert::channel::{self, DeliveryProgress, OutgoingAlert};
use ironlance_alert::outbox::{new_id, unix_time};
use ironlance_core::alerting::incident::AlertCause;
use ironlance_core::alerting::operator::{AckTarget, COMMAND_TYPE, OperatorCommand};
use ironlance_core::text::escape::one_line;
use ironlance_core::{Namespec, Selection};
use ironlance_host::local_time::LocalClock;
use ironlance_rpc::Value;
use thiserror::Error;

use super::configuration::{ConfigChoice, LoadedConfig};
use super::decision_words::{hold_words, pace_words, refusal_words, verdict_words};
use super::message::{Sender, host_name, messages_of};
use crate::machine::{
    Effect, Explanation, Input, Moment, OpenIncident, Silence, SilenceState, SnapshotPart, Watch,
    WatchSnapshot,
};
use crate::store::{HistoryLine, HistoryLog, SavedState, StoreError, read_state};

/// How long a command waits for the state to show it.
const SHOWN_WITHIN: Duration = Duration::from_secs(2);
/// How often the state is looked at meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long the supervisor may take to pass a command on.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The most decisions that are shown of an incident.
const MOST_DECISIONS: usize = 40;

/// Why a command cannot be carried out.
#[derive(Debug, Error)]
pub enum AlertsError {
    /// The configuration cannot be used.
    #[error("{0}")]
    Configuration(String),
    /// The state cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The supervisor does not answer, or refuses.
    #[error("cannot send the command to the supervisor: {0}")]
    Supervisor(String),
    /// There is nothing of that name.
    #[error("cannot find {what} {name}")]
    Unknown {
        /// What sort of thing.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// The command has gone, and its effect is not seen.
    #[error(
        "the command was sent, and watch does not show it within 2 s: is it running? (supervisorctl listeners)"
    )]
    NotShown,
    /// The terminal or pipe is gone.
    #[error("cannot write to stdout: {0}")]
    Output(#[from] io::Error),
}

/// How a command has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As asked.
    Done,
    /// It matched nothing, or a message was not taken.
    Nothing,
    /// `list --check`: something burns.
    Burns,
}

/// What `list` shows.
#[derive(Clone, Copy, Debug, Default)]
pub struct ListOptions {
    /// Also incidents that are over.
    pub all: bool,
    /// For programs.
    pub json: bool,
    /// Exit with 3 where something burns.
    pub check: bool,
}

/// `watch` as its state shows it.
struct Known {
    loaded: LoadedConfig,
    machine: Watch,
    now: Moment,
    clock: LocalClock,
    has_state: bool,
}

impl Known {
    fn read(choice: &ConfigChoice) -> Result<Self, AlertsError> {
        let loaded = choice.load().map_err(AlertsError::Configuration)?;
        let state: Option<SavedState<SnapshotPart>> = read_state(&loaded.supervisor_folder())?;
        let clock = LocalClock::of_zone(loaded.alerting.watch.timezone.as_deref());
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = Moment { mono: Duration::ZERO, wall, civil: clock.civil_minute(wall) };
        let has_state = state.is_some();
        let parts = state.map(|state| state.parts);
        let machine = match parts {
            Some(parts) => Watch::from_snapshot(WatchSnapshot { parts }, loaded.alerting.clone(), &now),
            None => Watch::new(loaded.alerting.clone(), &now),
        };
        Ok(Self { loaded, machine, now, clock, has_state })
    }

    fn time(&self, millis: u64) -> String {
        let at = UNIX_EPOCH + Duration::from_millis(millis);
        let at = self.clock.local(at);
        let is_today = at.date() == self.clock.local(UNIX_EPOCH + self.now.wall).date();
        at.strftime(if is_today { "%H:%M:%S" } else { "%Y-%m-%d %H:%M:%S" }).to_string()
    }

    /// The programs of the configuration that patterns mean.
    fn matching(&self, patterns: &[String]) -> Result<Vec<Namespec>, AlertsError> {
        let mut selection = Selection::default();
        for pattern in patterns {
            selection.add(pattern).map_err(|error| AlertsError::Configuration(error.to_string()))?;
        }
        let programs = self.loaded.alerting.programs.keys();
        Ok(programs.filter(|program| selection.includes(program)).cloned().collect())
    }
}

/// A row for each incident that is open; with `all` also those that are over.
pub fn list(choice: &ConfigChoice, options: ListOptions) -> Result<Outcome, AlertsError> {
    let known = Known::read(choice)?;
    let open = known.machine.open_incidents();
    let mut out = io::stdout().lock();
    if options.json {
        for incident in &open {
            let line = serde_json::to_string(incident).unwrap_or_default();
            writeln!(out, "{line}")?;
        }
    } else if open.is_empty() {
        let why = if known.has_state { "" } else { "; watch has not stored anything here yet" };
        writeln!(out, "no open incident{why}")?;
    } else {
        let rows = open.iter().map(|incident| row(&known, incident));
        let head = ["ID", "SINCE", "PROGRAM", "CAUSE", "STATE", "TOLD", "TIMES", "NOTE"].map(str::to_owned);
        write_table(&mut out, &std::iter::once(head).chain(rows).collect::<Vec<_>>())?;
    }
    if options.all {
        let history = HistoryLog::new(&known.loaded.supervisor_folder(), Duration::MAX).read()?;
        let closed = history.records.iter().filter_map(|record| match record {
            HistoryLine::Closed(closed) => Some(closed),
            HistoryLine::Decided(_) => None,
        });
        for closed in closed {
            if options.json {
                writeln!(out, "{}", serde_json::to_string(&closed).unwrap_or_default())?;
                continue;
            }
            let item = &closed.item;
            let millis = |seconds: i64| u64::try_from(seconds).unwrap_or(0) * 1000;
            let until = item.until.map(|until| known.time(millis(until))).unwrap_or_default();
            let told =
                if closed.receivers.is_empty() { "nobody".into() } else { closed.receivers.join(", ") };
            let (since, program) = (known.time(millis(item.since)), one_line(&item.program));
            let cause = AlertCause::of(item.family, item.phase);
            writeln!(out, "{} {program} {cause}: {since} to {until}; told {told}", item.incident)?;
        }
    }
    Ok(if options.check && !open.is_empty() { Outcome::Burns } else { Outcome::Done })
}

fn row(known: &Known, incident: &OpenIncident) -> [String; 8] {
    let told: Vec<String> = incident
        .receivers
        .iter()
        .filter_map(|one| Some(format!("{} {}", one.receiver, known.time(one.last?.0))))
        .collect();
    let mut notes = Vec::new();
    if let Some(ack) = &incident.ack {
        let until = ack.until.map(|until| format!(" until {}", known.time(until))).unwrap_or_default();
        notes.push(format!("acked by {}{until}", one_line(&ack.by)));
    }
    let holds = incident.receivers.iter().filter_map(|one| one.hold.as_ref());
    notes.extend(holds.map(|hold| format!("held: {}", hold_words(hold, &|at| known.time(at)))));
    notes.dedup();
    let state = if incident.is_up { "up again" } else { "firing" };
    [
        incident.number.to_string(),
        known.time(incident.since),
        one_line(&incident.subject.to_string()),
        AlertCause::of(incident.family, incident.phase).to_string(),
        state.to_owned(),
        if told.is_empty() { "-".to_owned() } else { told.join(", ") },
        incident.times.to_string(),
        notes.join("; "),
    ]
}

fn write_table<const N: usize>(out: &mut impl Write, rows: &[[String; N]]) -> io::Result<()> {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..N).map(width).collect();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}

/// What would become of a cause of a program now, and what became of its open incidents.
pub fn explain(choice: &ConfigChoice, program: &str, cause: AlertCause) -> Result<Outcome, AlertsError> {
    let known = Known::read(choice)?;
    let namespec = namespec(program);
    let unknown = || AlertsError::Unknown { what: "the program", name: program.to_owned() };
    let explanation = known.machine.explain(&namespec, cause, &known.now).ok_or_else(unknown)?;
    let mut out = io::stdout().lock();
    write_explanation(&mut out, &known, &namespec, cause, &explanation)?;
    let history = HistoryLog::new(&known.loaded.supervisor_folder(), Duration::MAX).read()?;
    for incident in &explanation.open {
        writeln!(out, "what happened to incident {}:", incident.number)?;
        let decided = history.records.iter().filter_map(|record| match record {
            HistoryLine::Decided(decision) if decision.incident == Some(incident.number) => Some(decision),
            _ => None,
        });
        let decided: Vec<_> = decided.collect();
        for decision in &decided[decided.len().saturating_sub(MOST_DECISIONS)..] {
            let receiver = decision.receiver.as_deref().map(|name| format!("{name}: ")).unwrap_or_default();
            let what = verdict_words(&decision.what, &|at| known.time(at));
            writeln!(out, "  {}  {receiver}{what}", known.time(decision.at))?;
        }
    }
    Ok(Outcome::Done)
}

fn write_explanation(
    out: &mut impl Write,
    known: &Known,
    program: &Namespec,
    cause: AlertCause,
    explanation: &Explanation,
) -> io::Result<()> {
    writeln!(out, "{program}, if it had the cause {cause} now ({}):", known.time(known.now.wall_millis()))?;
    let place = |source: &ironlance_config::alerting::ValueSource| match source.line {
        0 => String::new(),
        line => format!("  ({}:{line})", source.file),
    };
    let source = explanation.severity_source.as_ref().map_or("  (built in)".to_owned(), place);
    writeln!(out, "  severity {}{source}", explanation.severity)?;
    for receiver in &explanation.receivers {
        let name = &receiver.receiver;
        let route = &receiver.route;
        let key = route.key.map(|key| format!(" {key}=")).unwrap_or_default();
        let place = place(&route.source);
        if let Some(refusal) = &route.refusal {
            writeln!(out, "  {name}: no:{key} {}{place}", refusal_words(refusal))?;
            if let Some((from, at)) = &route.escalation {
                writeln!(out, "    by escalation from {from} at {}", known.time(*at))?;
            }
            continue;
        }
        writeln!(out, "  {name}: yes{key}{place}")?;
        if receiver.knows {
            writeln!(out, "    it knows of it already")?;
        }
        if let Some(hold) = &receiver.hold {
            writeln!(out, "    held back: {}", hold_words(hold, &|at| known.time(at)))?;
        }
        if let Some(pace) = &receiver.pace {
            writeln!(out, "    waits for its turn: {}", pace_words(pace))?;
        }
        if let Some(at) = receiver.at {
            writeln!(out, "    told at {}", known.time(at))?;
        }
    }
    Ok(())
}

/// `NAME` or `GROUP:NAME`.
fn namespec(text: &str) -> Namespec {
    let (group, process) = text.split_once(':').unwrap_or((text, text));
    Namespec::new(group, process)
}

/// Who gives a command: the user, and the one before sudo.
fn caller() -> String {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    variable("SUDO_USER")
        .or_else(|| variable("USER"))
        .or_else(|| variable("LOGNAME"))
        .unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()))
}

/// Silences programs from now on for a time.
pub fn silence(
    choice: &ConfigChoice,
    programs: Vec<String>,
    lasting: Duration,
    causes: Vec<AlertCause>,
    comment: String,
) -> Result<Outcome, AlertsError> {
    let known = Known::read(choice)?;
    let matched = known.matching(&programs)?;
    let lasting = u64::try_from(lasting.as_millis()).unwrap_or(u64::MAX);
    let until = known.now.wall_millis().saturating_add(lasting);
    let request = new_id();
    let command = OperatorCommand::Silence {
        request: request.clone(),
        programs,
        causes,
        from: None,
        until,
        by: caller(),
        comment,
    };
    send(&known.loaded, &command)?;
    let id = shown(choice, |now| {
        let mut silences = now.machine.silences();
        silences.find(|silence| silence.request == request).map(|silence| silence.id)
    })?;
    let names: Vec<String> = matched.iter().take(20).map(ToString::to_string).collect();
    let more = if matched.len() > 20 { ", …" } else { "" };
    let names = if names.is_empty() { String::new() } else { format!(": {}{more}", names.join(", ")) };
    writeln!(io::stdout(), "silence {id}: {} program(s){names}; until {}", matched.len(), known.time(until))?;
    Ok(if matched.is_empty() { Outcome::Nothing } else { Outcome::Done })
}

/// A row for each silence that is not over.
pub fn list_silences(choice: &ConfigChoice) -> Result<Outcome, AlertsError> {
    let known = Known::read(choice)?;
    let wall = known.now.wall_millis();
    let current = known.machine.silences().filter(|silence| silence.state(wall) != SilenceState::Expired);
    let row = |silence: &Silence| {
        [
            silence.id.to_string(),
            silence.programs.join(" "),
            known.time(silence.from),
            known.time(silence.until),
            one_line(&silence.by),
            one_line(&silence.comment),
        ]
    };
    let head = ["ID", "PROGRAMS", "FROM", "UNTIL", "BY", "COMMENT"].map(str::to_owned);
    let rows: Vec<_> = std::iter::once(head).chain(current.map(row)).collect();
    if rows.len() == 1 {
        writeln!(io::stdout(), "no silence")?;
    } else {
        write_table(&mut io::stdout().lock(), &rows)?;
    }
    Ok(Outcome::Done)
}

/// Ends a silence.
pub fn end_silence(choice: &ConfigChoice, id: u64) -> Result<Outcome, AlertsError> {
    let known = Known::read(choice)?;
    let wall = known.now.wall_millis();
    let is_current = |known: &Known| {
        known.machine.silences().any(|one| one.id == id && one.state(wall) != SilenceState::Expired)
    };
    if !is_current(&known) {
        return Err(AlertsError::Unknown { what: "the silence", name: id.to_string() });
    }
    send(&known.loaded, &OperatorCommand::EndSilence { id, by: caller() })?;
    shown(choice, |now| (!is_current(now)).then_some(()))?;
    writeln!(io::stdout(), "silence {id} is over")?;
    Ok(Outcome::Done)
}

/// What `ack` and `unack` are about: the number of an incident, or patterns of programs.
pub fn ack_target(words: &[String]) -> AckTarget {
    match words {
        [number] if number.parse::<u64>().is_ok() => AckTarget::Incident(number.parse().unwrap_or_default()),
        patterns => AckTarget::Programs(patterns.to_vec()),
    }
}

fn targets(known: &Known, target: &AckTarget) -> Result<Vec<u64>, AlertsError> {
    let open = known.machine.open_incidents();
    let found: Vec<u64> = match target {
        AckTarget::Incident(number) => {
            open.iter().map(|incident| incident.number).filter(|one| one == number).collect()
        }
        AckTarget::Programs(patterns) => {
            let mut selection = Selection::default();
            for pattern in patterns {
                selection.add(pattern).map_err(|error| AlertsError::Configuration(error.to_string()))?;
            }
            let is_meant = |incident: &&OpenIncident| {
                incident.subject.program().is_some_and(|program| selection.includes(program))
            };
            open.iter().filter(is_meant).map(|incident| incident.number).collect()
        }
    };
    if found.is_empty() {
        let name = match target {
            AckTarget::Incident(number) => number.to_string(),
            AckTarget::Programs(patterns) => format!("of {}", patterns.join(" ")),
        };
        return Err(AlertsError::Unknown { what: "an open incident", name });
    }
    Ok(found)
}

/// Acknowledges incidents.
pub fn ack(
    choice: &ConfigChoice,
    target: AckTarget,
    lasting: Option<Duration>,
    comment: String,
) -> Result<Outcome, AlertsError> {
    let known = Known::read(choice)?;
    let numbers = targets(&known, &target)?;
    let lasting = lasting.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    let until = lasting.map(|time| known.now.wall_millis().saturating_add(time));
    send(&known.loaded, &OperatorCommand::Ack { target, until, by: caller(), comment })?;
    let since = known.now.wall_millis();
    let is_new = |incident: &OpenIncident| incident.ack.as_ref().is_some_and(|ack| ack.at + 1000 >= since);
    shown(choice, |now| {
        let open = now.machine.open_incidents();
        open.iter().any(|one| numbers.contains(&one.number) && is_new(one)).then_some(())
    })?;
    for number in numbers {
        writeln!(io::stdout(), "incident {number} is acknowledged")?;
    }
    Ok(Outcome::Done)
}

/// Takes acknowledgements back.
pub fn unack(choice: &ConfigChoice, target: AckTarget) -> Result<Outcome, AlertsError> {
    let known = Known::read(choice)?;
    let numbers = targets(&known, &target)?;
    send(&known.loaded, &OperatorCommand::Unack { target, by: caller() })?;
    shown(choice, |now| {
        let open = now.machine.open_incidents();
        open.iter().all(|one| !numbers.contains(&one.number) || one.ack.is_none()).then_some(())
    })?;
    for number in numbers {
        writeln!(io::stdout(), "incident {number} is not acknowledged any more")?;
    }
    Ok(Outcome::Done)
}

/// Sends a command through the supervisor.
fn send(loaded: &LoadedConfig, command: &OperatorCommand) -> Result<(), AlertsError> {
    let failed = |why: String| AlertsError::Supervisor(why);
    let client = loaded.client().map_err(|error| failed(error.to_string()))?;
    let client = client.ok_or_else(|| failed("its configuration has no server".to_owned()))?;
    let data = serde_json::to_string(command).map_err(|error| failed(error.to_string()))?;
    let params = [Value::from(COMMAND_TYPE), Value::Str(data)];
    let sent = client.call("supervisor.sendRemoteCommEvent", &params, Some(TIMEOUT));
    sent.map(drop).map_err(|error| failed(error.to_string()))
}

/// Waits until the state shows something.
fn shown<T>(choice: &ConfigChoice, look: impl Fn(&Known) -> Option<T>) -> Result<T, AlertsError> {
    let began = Instant::now();
    loop {
        if let Some(found) = look(&Known::read(choice)?) {
            return Ok(found);
        }
        if began.elapsed() >= SHOWN_WITHIN {
            return Err(AlertsError::NotShown);
        }
        std::thread::park_timeout(LOOK_EVERY);
    }
}

/// Writes each step to stdout.
struct StdoutProgress;

impl DeliveryProgress for StdoutProgress {
    fn step(&mut self, what: &str) {
        let _ = writeln!(io::stdout(), "  {what}");
    }
}

/// Sends a test message through each channel of a receiver, step by step; with `dry_run` it is shown and not sent.
pub fn test(
    choice: &ConfigChoice,
    receiver: &str,
    program: Option<&str>,
    cause: AlertCause,
    dry_run: bool,
) -> Result<Outcome, AlertsError> {
    let mut known = Known::read(choice)?;
    let command =
        OperatorCommand::Test { receiver: receiver.to_owned(), program: program.map(namespec), cause };
    let effects = known.machine.step(Input::Operator(command), &known.now);
    let notice = effects.into_iter().find_map(|effect| match effect {
        Effect::Notify(notice) if notice.kind == CardKind::Test => Some(notice),
        _ => None,
    });
    let alerting = &known.loaded.alerting;
    let found = alerting.receivers.iter().find(|one| one.name == receiver);
    let unknown = || AlertsError::Unknown { what: "the receiver", name: format!("[alert:{receiver}]") };
    let (notice, found) = notice.zip(found).ok_or_else(unknown)?;
    let sender = Sender { host: host_name(), supervisor: known.loaded.identifier.clone() };
    let mut outcome = Outcome::Done;
    for (to, card) in messages_of(&notice, found, &alerting.watch, &sender, unix_time()) {
        writeln!(io::stdout(), "[alert:{receiver}] {to}")?;
        let alert = Alert {
            id: new_id(),
            origin: "test".to_owned(),
            host: sender.host.clone(),
            created: unix_time(),
            receiver: to,
            subject: None,
            entries: vec![AlertEntry::Card(Box::new(card))],
        };
        if dry_run {
            let text = OutgoingAlert::from(&alert).message().map(|message| message.text().plain());
            for line in text.unwrap_or_default().lines() {
                writeln!(io::stdout(), "  | {line}")?;
            }
            continue;
        }
        let sent =
            channel::open(&alert.receiver.transport).send(&OutgoingAlert::from(&alert), &mut StdoutProgress);
        match sent {
            Ok(receipt) if receipt.refused.is_empty() => writeln!(io::stdout(), "  it was taken")?,
            Ok(receipt) => {
                outcome = Outcome::Nothing;
                writeln!(io::stdout(), "  it was refused for {} recipient(s)", receipt.refused.len())?;
            }
            Err(error) => {
                outcome = Outcome::Nothing;
                writeln!(io::stdout(), "  it was not taken: {}", error.reason())?;
            }
        }
    }
    Ok(outcome)
}
