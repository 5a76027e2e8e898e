//! Facts about a process and its last exit, from ironlance's supervisord or from the original ([`ProcessFacts`]).

use ironlance_core::ProcessState;
use ironlance_core::text::ansi;
use ironlance_rpc::api::{ExitInfo, ProcessExitInfo};
use ironlance_rpc::{ProcessInfo, Record, Value};

use crate::error::CtlError;
use crate::selector;
use crate::session::{CallFn, all_process_info, call_extension};

/// The size of a log's tail in bytes; ironlance's supervisord keeps as much at an exit.
const TAIL: i64 = 2048;
/// The most lines of each output, so that all fits on one screen.
pub(super) const TAIL_LINES: usize = 7;
/// The spawn error of a process that ended before its `startsecs`; the program itself did run.
const TOO_QUICKLY: &str = "Exited too quickly";

/// A process and what is known of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ProcessFacts {
    pub(super) info: ProcessInfo,
    /// Its starts and its last exit; `None` from the original, which does not record them.
    pub(super) record: Option<ProcessExitInfo>,
    /// The last lines of its output.
    pub(super) stdout: String,
    pub(super) stderr: String,
    /// The problems of an event listener; `None` for other processes, and from other supervisords.
    pub(super) listener: Option<Vec<String>>,
}

/// The cause of an exit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum ReportedCause<'e> {
    Exited {
        status: i64,
    },
    Killed {
        signal: &'e str,
        core: bool,
    },
    OutOfMemory {
        signal: &'e str,
    },
    NotStarted {
        reason: &'e str,
    },
    /// A listener that violated the protocol; supervisord restarts it.
    Recycled {
        violation: &'e str,
    },
}

impl<'e> ReportedCause<'e> {
    /// The cause of this exit.
    pub(super) fn of(exit: &'e ExitInfo) -> Self {
        match (&exit.recycled, &exit.not_started, &exit.signal_name) {
            (Some(violation), _, _) => Self::Recycled { violation },
            (None, Some(reason), _) => Self::NotStarted { reason },
            (None, None, signal) if exit.oom_kill => {
                Self::OutOfMemory { signal: signal.as_deref().unwrap_or_default() }
            }
            (None, None, Some(signal)) => Self::Killed { signal, core: exit.core },
            (None, None, None) => Self::Exited { status: exit.status },
        }
    }
}

/// Whether the exit was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expectation {
    /// A stop was requested.
    Requested,
    /// Its status is one of its `exitcodes`.
    Expected,
    Unexpected,
}

impl Expectation {
    /// Whether this exit was expected.
    pub(super) const fn of(exit: &ExitInfo) -> Self {
        match (exit.requested, exit.expected) {
            (true, _) => Self::Requested,
            (false, true) => Self::Expected,
            (false, false) => Self::Unexpected,
        }
    }
}

/// What a name on the command line selects.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum NameMatch {
    Process(Box<ProcessFacts>),
    /// No process has this name.
    NoProcess(String),
}

impl ProcessFacts {
    pub(super) fn state(&self) -> ProcessState {
        self.info.process_state()
    }

    pub(super) fn exit(&self) -> Option<&ExitInfo> {
        self.record.as_ref()?.last.as_ref()
    }

    /// Why the last start failed before the program ran.
    pub(super) fn start_failure(&self) -> Option<&str> {
        let is_failing = matches!(self.state(), ProcessState::Backoff | ProcessState::Fatal);
        let why = self.info.spawnerr.as_str();
        (is_failing && !why.is_empty() && !why.starts_with(TOO_QUICKLY)).then_some(why)
    }

    /// Whether its last exit was unexpected, or it cannot be started.
    fn is_unexpected(&self) -> bool {
        let is_failing = matches!(self.state(), ProcessState::Backoff | ProcessState::Fatal);
        let has_failed = match &self.record {
            Some(_) => self.exit().is_some_and(|exit| Expectation::of(exit) == Expectation::Unexpected),
            None => self.state() == ProcessState::Exited && self.info.exitstatus != 0,
        };
        is_failing || has_failed
    }
}

/// The processes that `names` select; `all`, or no name, selects those that ended unexpectedly.
pub(super) fn gather(call: &mut CallFn<'_>, names: &[&str]) -> Result<Vec<NameMatch>, CtlError> {
    let infos = all_process_info(call)?;
    if names.is_empty() || names.contains(&"all") {
        return unexpected(call, &infos);
    }
    let namespecs: Vec<_> = infos.iter().map(ProcessInfo::namespec).collect();
    let mut found = Vec::new();
    for name in names {
        let selected = selector::select(name, &namespecs);
        if selected.is_empty() {
            found.push(NameMatch::NoProcess((*name).to_owned()));
        }
        for at in selected {
            found.push(NameMatch::Process(Box::new(fetch(call, &infos[at])?)));
        }
    }
    Ok(found)
}

fn unexpected(call: &mut CallFn<'_>, infos: &[ProcessInfo]) -> Result<Vec<NameMatch>, CtlError> {
    let method = "ironlance.getAllProcessEnds";
    let exits = call_extension(call, method, &[], ProcessExitInfo::list_from_value)?;
    let mut found = Vec::new();
    for info in infos {
        let is_of = |exit: &&ProcessExitInfo| exit.name == info.name && exit.group == info.group;
        let exit = exits.as_ref().and_then(|exits| exits.iter().find(is_of));
        // A process without an exit is not in the list, and the original has no list.
        let known = from_record(info, exits.as_ref().map(|_| exit.cloned().unwrap_or_default()));
        if known.is_unexpected() {
            let whole = if exit.is_some() { known } else { fetch(call, info)? };
            found.push(NameMatch::Process(Box::new(whole)));
        }
    }
    Ok(found)
}

fn fetch(call: &mut CallFn<'_>, info: &ProcessInfo) -> Result<ProcessFacts, CtlError> {
    let method = "ironlance.getProcessEnd";
    let params = [Value::Str(info.namespec().qualified())];
    Ok(match call_extension(call, method, &params, ProcessExitInfo::from_value)? {
        record @ Some(_) => from_record(info, record),
        None => fetch_from_original(call, info),
    })
}

fn from_record(info: &ProcessInfo, record: Option<ProcessExitInfo>) -> ProcessFacts {
    let last = record.as_ref().and_then(|record| record.last.as_ref());
    let tail = |text: fn(&ExitInfo) -> &str| last.map(text).map(last_lines).unwrap_or_default();
    let (stdout, stderr) = (tail(|exit| &exit.stdout_tail), tail(|exit| &exit.stderr_tail));
    ProcessFacts { info: info.clone(), record, stdout, stderr, listener: None }
}

/// The facts from the original; the current logs take the place of those at the exit.
fn fetch_from_original(call: &mut CallFn<'_>, info: &ProcessInfo) -> ProcessFacts {
    let mut tail = |method: &str| {
        let params = [Value::Str(info.namespec().qualified()), Value::Int(-TAIL), Value::Int(0)];
        // A missing log, or one that XML cannot carry, is left out.
        let text = call(method, &params).ok();
        text.as_ref().and_then(Value::as_str).map(last_lines).unwrap_or_default()
    };
    let stdout = tail("supervisor.readProcessStdoutLog");
    let stderr = tail("supervisor.readProcessStderrLog");
    ProcessFacts { stdout, stderr, ..from_record(info, None) }
}

/// The last lines without escape sequences; control characters may have arrived as control pictures (docs/xmlrpc.md).
fn last_lines(text: &str) -> String {
    let text = ansi::without_sequences(text);
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use ironlance_rpc::{CallError, FaultKind};

    fn info(name: &str, state: i64, exitstatus: i64) -> Value {
        Value::record([
            ("name", name.into()),
            ("group", name.into()),
            ("state", state.into()),
            ("pid", 0_i64.into()),
            ("exitstatus", exitstatus.into()),
            ("start", 5_i64.into()),
        ])
    }

    /// Answers like the original.
    fn original(method: &str, params: &[Value]) -> Result<Value, CtlError> {
        match method {
            "supervisor.getAllProcessInfo" => {
                Ok(Value::Array(vec![info("up", 20, 0), info("down", 100, 3), info("done", 100, 0)]))
            }
            "supervisor.readProcessStdoutLog" => {
                assert_eq!(params, ["down:down".into(), Value::Int(-TAIL), 0_i64.into()]);
                Ok("one\n\u{241b}[31mtwo\u{241b}[0m\n".into())
            }
            "supervisor.readProcessStderrLog" => Err(CallError::from(FaultKind::NoFile.bare()).into()),
            _ => Err(CallError::from(FaultKind::UnknownMethod.bare()).into()),
        }
    }

    #[test]
    fn the_originals_logs_are_asked_for_and_a_missing_one_does_no_harm() {
        let found = gather(&mut original, &["down", "nobody"]).unwrap();
        let NameMatch::Process(facts) = &found[0] else { panic!("{found:?}") };
        assert_eq!((facts.stdout.as_str(), facts.stderr.as_str()), ("one\ntwo", ""));
        assert_eq!(facts.record, None);
        assert_eq!(found[1], NameMatch::NoProcess("nobody".into()));
    }

    #[test]
    fn control_sequences_take_no_words_with_them() {
        for (text, shown) in [
            ("\x1b[1;31mred\x1b[0m", "red"),
            ("\u{241b}[6nwhere am I", "where am I"),
            ("\x1b[?25hdone\x1b[ qdone", "donedone"),
            ("fatal: \x1b[31;\nno such file", "fatal: \nno such file"),
            ("the end\x1b[", "the end"),
            ("\x1b[31\x1b[32mx é", "x é"),
        ] {
            assert_eq!(last_lines(text), shown);
        }
    }

    #[test]
    fn all_are_those_that_ended_as_they_should_not_have() {
        for names in [&["all"][..], &[]] {
            let found = gather(&mut original, names).unwrap();
            assert!(
                matches!(&found[..], [NameMatch::Process(facts)] if facts.info.name == "down"),
                "{found:?}"
            );
        }
    }

    #[test]
    fn the_kinds_of_ends_are_told_apart() {
        let is = |exit: ExitInfo, cause: ReportedCause<'_>| assert_eq!(ReportedCause::of(&exit), cause);
        is(ExitInfo { status: 3, ..ExitInfo::default() }, ReportedCause::Exited { status: 3 });
        let killed = || ExitInfo { signal_name: Some("SIGKILL".into()), ..ExitInfo::default() };
        is(ExitInfo { core: true, ..killed() }, ReportedCause::Killed { signal: "SIGKILL", core: true });
        is(ExitInfo { oom_kill: true, ..killed() }, ReportedCause::OutOfMemory { signal: "SIGKILL" });
        is(
            ExitInfo { status: 127, not_started: Some("x".into()), ..ExitInfo::default() },
            ReportedCause::NotStarted { reason: "x" },
        );
    }
}
