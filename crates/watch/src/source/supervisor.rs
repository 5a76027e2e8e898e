//! Questions to the supervisor: [`SupervisorClient`] asks how processes stand, and how one ended where the journal does not say.

use std::path::PathBuf;
use std::time::Duration;

use ironlance_alert::card::Fact;
use ironlance_core::event::kind::EventKind;
use ironlance_core::journal::{EndReport, JournalEvent, MAX_TAIL};
use ironlance_core::process::state::ProcessState;
use ironlance_core::{Namespec, signal};
use ironlance_host::main_log;
use ironlance_rpc::api::{ExitInfo, ProcessExitInfo};
use ironlance_rpc::client::CallError;
use ironlance_rpc::{Client, ProcessInfo, Record, Value};

use crate::machine::ProcessReport;

/// How long an answer may take. Python's supervisord at times overlooks a connection that came as a process ended, so
/// there is a second try; without an answer the facts are left out.
const TIMEOUT: Duration = Duration::from_millis(700);
/// How long the answer about all processes may take.
const LIST_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of the main log that are read: the last few hundred lines.
const MAIN_LOG_TAIL: i64 = 64 * 1024;
/// Bytes of each output that are read.
const OUTPUT_TAIL: i64 = 2 * 1024;

/// The supervisor, if there is one to ask.
#[derive(Debug)]
pub(crate) struct SupervisorClient {
    client: Option<Client>,
}

/// A process of the supervisor's list.
#[derive(Debug)]
pub(crate) struct ListedProcess {
    pub(crate) report: ProcessReport,
    /// The files of its output.
    pub(crate) logs: Vec<PathBuf>,
}

impl SupervisorClient {
    pub(crate) const fn new(client: Option<Client>) -> Self {
        Self { client }
    }

    /// Whether there is one to ask.
    pub(crate) const fn is_known(&self) -> bool {
        self.client.is_some()
    }

    /// Every process as it stands now.
    pub(crate) fn processes(&self) -> Result<Vec<ListedProcess>, CallError> {
        let Some(client) = &self.client else { return Ok(Vec::new()) };
        let infos = client.all_process_info_within(LIST_TIMEOUT)?;
        Ok(infos.iter().map(listed).collect())
    }

    /// Adds to the record of an event how the process ended, or why it could not be started.
    pub(crate) fn add_end(&self, event: &mut JournalEvent) {
        let state = EventKind::from_name(&event.event).and_then(EventKind::state);
        let is_end =
            matches!(state, Some(ProcessState::Exited | ProcessState::Backoff | ProcessState::Fatal));
        let (Some(client), Some(group), Some(process)) = (&self.client, &event.group, &event.process) else {
            return;
        };
        if !is_end || event.end.is_some() {
            return;
        }
        let name = || Value::Str(Namespec::new(group.as_str(), process.as_str()).qualified());
        let tail = |bytes: i64| [Value::Int(-bytes), Value::Int(0)];
        let output = |method| (method, [vec![name()], tail(OUTPUT_TAIL).to_vec()].concat());
        let calls = [
            ("ironlance.getProcessEnd", vec![name()]),
            ("supervisor.getProcessInfo", vec![name()]),
            ("supervisor.readLog", tail(MAIN_LOG_TAIL).to_vec()),
            output("supervisor.readProcessStdoutLog"),
            output("supervisor.readProcessStderrLog"),
        ];
        let ask = || client.multicall(&calls, Some(TIMEOUT));
        let Ok(answers) = ask().or_else(|_| ask()) else { return };
        let mut answers = answers.into_iter().map(Result::ok);
        let mut next = || answers.next().flatten();
        let own = next().and_then(|value| ProcessExitInfo::from_value(value).ok());
        let info = next().and_then(|value| ProcessInfo::from_value(value).ok());
        let mut text = || match next() {
            Some(Value::Str(text)) => Some(text),
            _ => None,
        };
        let (log, stdout, stderr) = (text(), text().unwrap_or_default(), text().unwrap_or_default());
        let is_meant = |exit: &ExitInfo| event.pid.is_none_or(|pid| i64::from(pid) == exit.pid);
        let own = own.and_then(|own| own.last).filter(is_meant);
        let mut end = match own {
            Some(exit) => end_of(exit),
            None => {
                let pid = event.pid.map(|pid| pid.to_string());
                let history =
                    log.map(|log| main_log::read(&log, process, pid.as_deref())).unwrap_or_default();
                let mut end = history.ended.as_deref().map(end_in_words).unwrap_or_default();
                end.up_ms = history.ran_for.map_or(0, millis);
                EndReport { stdout: last_bytes(stdout), stderr: last_bytes(stderr), ..end }
            }
        };
        let spawn_error = info.map(|info| info.spawnerr).filter(|why| !why.is_empty());
        if let (true, Some(why)) = (end.status.is_none() && end.signal.is_none(), spawn_error) {
            end.why = why;
        }
        if end != EndReport::default() {
            event.end = Some(end);
        }
    }
}

fn listed(info: &ProcessInfo) -> ListedProcess {
    let logs = [&info.stdout_logfile, &info.stderr_logfile].into_iter().filter(|file| !file.is_empty());
    ListedProcess { report: report_of(info), logs: logs.map(PathBuf::from).collect() }
}

fn report_of(info: &ProcessInfo) -> ProcessReport {
    let state = info.process_state();
    let seconds = match state {
        ProcessState::Starting | ProcessState::Running => info.start,
        _ => info.stop,
    };
    let seconds = if seconds > 0 { seconds } else { info.now };
    let mut facts = Vec::new();
    if matches!(state, ProcessState::Fatal | ProcessState::Backoff) && !info.spawnerr.is_empty() {
        facts.push(Fact::SpawnError(info.spawnerr.clone()));
    }
    ProcessReport {
        program: info.namespec(),
        at: u64::try_from(seconds).unwrap_or(0) * 1000,
        state,
        // Python's supervisord forgets which status was expected.
        expected: info.exitstatus == 0,
        restarts: false,
        pid: i32::try_from(info.pid).ok().filter(|pid| *pid != 0),
        facts,
        tail: None,
    }
}

fn end_of(exit: ExitInfo) -> EndReport {
    let was_killed = exit.signal != 0;
    let ran = exit.not_started.is_none();
    EndReport {
        why: exit.not_started.unwrap_or(exit.description),
        status: i32::try_from(exit.status).ok().filter(|_| ran && !was_killed),
        signal: exit.signal_name.filter(|_| ran && was_killed),
        oom: exit.oom_kill,
        core: exit.core,
        requested_by: exit.by,
        up_ms: millis(exit.uptime),
        ends: 0,
        stdout: last_bytes(exit.stdout_tail),
        stderr: last_bytes(exit.stderr_tail),
    }
}

/// The words of a supervisor's log: `exit status 1`, `terminated by SIGKILL (core dumped)`.
fn end_in_words(words: &str) -> EndReport {
    let status = words.strip_prefix("exit status ").and_then(|number| number.trim().parse().ok());
    let killed = words.strip_prefix("terminated by ");
    let signal = killed.and_then(|rest| rest.split_whitespace().next()).map(|word| {
        let number = signal::number(word);
        number.map_or_else(|| word.to_owned(), |number| signal::name(number).into_owned())
    });
    EndReport {
        why: words.to_owned(),
        status,
        signal,
        core: words.ends_with("(core dumped)"),
        ..EndReport::default()
    }
}

fn millis(seconds: f64) -> u64 {
    Duration::try_from_secs_f64(seconds.max(0.0))
        .map_or(0, |time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

fn last_bytes(text: String) -> String {
    let from = text.len().saturating_sub(MAX_TAIL);
    let from = (from..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    if from == 0 { text } else { text[from..].to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_log_become_a_status_or_a_signal() {
        assert_eq!(end_in_words("exit status 3").status, Some(3));
        let end = end_in_words("terminated by SIGSEGV (core dumped)");
        assert_eq!((end.signal.as_deref(), end.core, end.status), (Some("SIGSEGV"), true, None));
        let other = end_in_words("unknown termination cause 0x99");
        assert_eq!((other.status, other.signal), (None, None));
    }

    #[test]
    fn the_end_of_a_long_text_is_kept_and_no_character_is_cut() {
        let text = "é".repeat(MAX_TAIL);
        assert_eq!(last_bytes(text).len(), MAX_TAIL);
        assert_eq!(last_bytes(format!("x{}", "é".repeat(MAX_TAIL))).len(), MAX_TAIL);
    }

    #[test]
    fn a_process_that_could_not_be_started_has_the_words_and_no_status() {
        let exit = ExitInfo { status: 127, not_started: Some("cannot chdir".into()), ..ExitInfo::default() };
        let end = end_of(exit);
        assert_eq!((end.why.as_str(), end.status), ("cannot chdir", None));
        let exit =
            ExitInfo { status: -1, signal: 9, signal_name: Some("SIGKILL".into()), ..ExitInfo::default() };
        let end = end_of(exit);
        assert_eq!((end.status, end.signal.as_deref()), (None, Some("SIGKILL")));
    }
}
