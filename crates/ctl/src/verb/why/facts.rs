//! What can be known of a process and its last end, from whichever supervisord is asked.

use ironlance_core::ProcessState;
use ironlance_core::text::ansi;
use ironlance_rpc::{CallError, FaultKind, ProcessInfo, Value};

use crate::error::CtlError;
use crate::output::json::process_state;
use crate::selector;
use crate::session::CallFn;
use crate::struct_view::unexpected_answer;

/// So much of a log is asked for, in bytes; our own supervisord keeps as much of an end.
const TAIL: i64 = 2048;
/// Together with what stands before them, so many lines of each output fit in one screen.
pub(super) const TAIL_LINES: usize = 7;
/// What supervisord says of a process that ended before its `startsecs`: no failure to start it.
const TOO_QUICKLY: &str = "Exited too quickly";

/// A process that is asked about.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ProcessFacts {
    pub(super) info: ProcessInfo,
    pub(super) source: Source,
    /// It is down for a moment only: supervisord starts it again by itself.
    pub(super) restarts: bool,
    /// The last lines of its output.
    pub(super) stdout: String,
    pub(super) stderr: String,
    /// What is wrong with it as a listener; nothing where it is none, or supervisord does not tell.
    pub(super) listener: Option<Vec<String>>,
}

/// Who told.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Source {
    /// Our supervisord, which keeps how processes ended.
    Ironlance { starts: i64, end: Option<ExitFacts> },
    /// The original, which does not.
    Supervisor,
}

/// How a process last ended.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ExitFacts {
    pub(super) cause: ExitCause,
    pub(super) pid: i64,
    pub(super) expectation: Expectation,
    /// Seconds.
    pub(super) uptime: f64,
    /// Seconds since 1970.
    pub(super) at: i64,
    /// In supervisord's words.
    pub(super) description: String,
    /// Who had supervisord send it a signal.
    pub(super) by: Option<String>,
    /// Between when a process of the control group was killed for want of memory, in seconds since 1970, where it
    /// cannot be known whether it was this one.
    pub(super) oom_near: Option<(i64, i64)>,
}

/// What ended it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum ExitCause {
    Exited {
        status: i64,
    },
    Killed {
        signal: String,
        core: bool,
    },
    OutOfMemory {
        signal: String,
    },
    NotStarted {
        why: String,
    },
    /// A listener that broke the protocol, and was stopped to be started again.
    Recycled {
        did: String,
    },
}

/// Whether that was meant to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expectation {
    /// Somebody told it to stop.
    Requested,
    /// Its status is one of its `exitcodes`.
    Expected,
    Unexpected,
}

/// An answer to a name.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum NameMatch {
    Process(Box<ProcessFacts>),
    /// Nobody has that name.
    NoProcess(String),
}

impl ProcessFacts {
    pub(super) fn state(&self) -> ProcessState {
        process_state(&self.info)
    }

    pub(super) fn exit(&self) -> Option<&ExitFacts> {
        match &self.source {
            Source::Ironlance { end, .. } => end.as_ref(),
            Source::Supervisor => None,
        }
    }

    /// Why the last try to start it made no process at all, or none that got as far as the program.
    pub(super) fn start_failure(&self) -> Option<&str> {
        let is_failing = matches!(self.state(), ProcessState::Backoff | ProcessState::Fatal);
        let why = self.info.spawnerr.as_str();
        (is_failing && !why.is_empty() && !why.starts_with(TOO_QUICKLY)).then_some(why)
    }

    /// Whether somebody should look at it: it ended as it should not have, or cannot be started.
    fn is_unexpected(&self) -> bool {
        let is_failing = matches!(self.state(), ProcessState::Backoff | ProcessState::Fatal);
        match &self.source {
            Source::Ironlance { end, .. } => {
                is_failing || end.as_ref().is_some_and(|end| end.expectation == Expectation::Unexpected)
            }
            Source::Supervisor => {
                is_failing || (self.state() == ProcessState::Exited && self.info.exitstatus != 0)
            }
        }
    }
}

/// The processes that `names` mean; `all`, or no name, is every one that ended unexpectedly.
pub(super) fn gather(call: &mut CallFn<'_>, names: &[&str]) -> Result<Vec<NameMatch>, CtlError> {
    let infos = all_infos(call)?;
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

fn all_infos(call: &mut CallFn<'_>) -> Result<Vec<ProcessInfo>, CtlError> {
    let method = "supervisor.getAllProcessInfo";
    let Value::Array(infos) = call(method, &[])? else { return Err(unexpected_answer(method, "the list")) };
    infos
        .iter()
        .map(|info| ProcessInfo::from_value(info).map_err(|error| CallError::from(error).into()))
        .collect()
}

fn unexpected(call: &mut CallFn<'_>, infos: &[ProcessInfo]) -> Result<Vec<NameMatch>, CtlError> {
    let ends = match call("ironlance.getAllProcessEnds", &[]) {
        Ok(Value::Array(ends)) => Some(ends),
        Err(error) if error.is_fault(FaultKind::UnknownMethod) => None,
        Err(error) => return Err(error),
        Ok(_) => return Err(unexpected_answer("ironlance.getAllProcessEnds", "the list")),
    };
    let mut found = Vec::new();
    for info in infos {
        let end = ends.as_ref().and_then(|ends| ends.iter().find(|end| is_exit_of(end, info)));
        let known = match (&ends, end) {
            (Some(_), Some(end)) => from_exit(info, end),
            // What has not ended is not among the ends, and the original has none; the rest is asked for if need be.
            (Some(_), None) => without_exit(info, Source::Ironlance { starts: 0, end: None }),
            (None, _) => without_exit(info, Source::Supervisor),
        };
        if known.is_unexpected() {
            let whole = if end.is_some() { known } else { fetch(call, info)? };
            found.push(NameMatch::Process(Box::new(whole)));
        }
    }
    Ok(found)
}

fn without_exit(info: &ProcessInfo, knowledge: Source) -> ProcessFacts {
    ProcessFacts {
        info: info.clone(),
        source: knowledge,
        restarts: false,
        stdout: String::new(),
        stderr: String::new(),
        listener: None,
    }
}

fn is_exit_of(end: &Value, info: &ProcessInfo) -> bool {
    let text = |key| end.member(key).and_then(Value::as_str);
    text("name") == Some(&info.name) && text("group") == Some(&info.group)
}

fn fetch(call: &mut CallFn<'_>, info: &ProcessInfo) -> Result<ProcessFacts, CtlError> {
    let name = Value::Str(info.namespec().qualified());
    match call("ironlance.getProcessEnd", &[name]) {
        Ok(end) => Ok(from_exit(info, &end)),
        Err(error) if error.is_fault(FaultKind::UnknownMethod) => Ok(fetch_from_original(call, info)),
        Err(error) => Err(error),
    }
}

fn from_exit(info: &ProcessInfo, told: &Value) -> ProcessFacts {
    let text = |key| told.member(key).and_then(Value::as_str).unwrap_or_default();
    let starts = told.member("starts").and_then(Value::as_int).unwrap_or_default();
    let end = read_exit(told);
    ProcessFacts {
        info: info.clone(),
        source: Source::Ironlance { starts, end },
        restarts: told.member("comes_back") == Some(&Value::Bool(true)),
        stdout: last_lines(text("stdout_tail")),
        stderr: last_lines(text("stderr_tail")),
        listener: None,
    }
}

/// Reads the answer of `ironlance.getProcessEnd`; nothing where it has never ended.
fn read_exit(told: &Value) -> Option<ExitFacts> {
    let yes = |key| told.member(key) == Some(&Value::Bool(true));
    let text = |key| told.member(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let number = |key| told.member(key).and_then(Value::as_int).unwrap_or_default();
    let (signal, why) = (text("signal_name"), text("not_started"));
    let did = text("recycled");
    let how = match () {
        () if !did.is_empty() => ExitCause::Recycled { did },
        () if !why.is_empty() => ExitCause::NotStarted { why },
        () if yes("oom_kill") => ExitCause::OutOfMemory { signal },
        () if !signal.is_empty() => ExitCause::Killed { signal, core: yes("core") },
        () => ExitCause::Exited { status: number("status") },
    };
    let expectation = match (yes("told"), yes("expected")) {
        (true, _) => Expectation::Requested,
        (false, true) => Expectation::Expected,
        (false, false) => Expectation::Unexpected,
    };
    let uptime = match told.member("uptime") {
        Some(Value::Double(seconds)) if seconds.is_finite() => seconds.max(0.0),
        _ => 0.0,
    };
    let end = || ExitFacts {
        cause: how,
        pid: number("pid"),
        expectation,
        uptime,
        at: number("ended_at"),
        description: text("description"),
        by: Some(text("by")).filter(|by| !by.is_empty()),
        oom_near: Some((number("oom_near_from"), number("oom_near_to"))).filter(|(_, to)| *to > 0),
    };
    yes("ended").then(end)
}

/// What the original knows: the logs as they are now stand for those of the end.
fn fetch_from_original(call: &mut CallFn<'_>, info: &ProcessInfo) -> ProcessFacts {
    let mut tail = |method: &str| {
        let params = [Value::Str(info.namespec().qualified()), Value::Int(-TAIL), Value::Int(0)];
        // There may be no log, or one that XML cannot carry: then the rest is told all the same.
        let text = call(method, &params).ok();
        text.as_ref().and_then(Value::as_str).map(last_lines).unwrap_or_default()
    };
    let stdout = tail("supervisor.readProcessStdoutLog");
    let stderr = tail("supervisor.readProcessStderrLog");
    let knowledge = Source::Supervisor;
    ProcessFacts { info: info.clone(), source: knowledge, restarts: false, stdout, stderr, listener: None }
}

/// The last lines without colours, in which control characters may have come as their pictures (docs/xmlrpc.md).
fn last_lines(text: &str) -> String {
    let text = ansi::without_sequences(text);
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

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

    /// Answers as the original does.
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
        assert_eq!(facts.source, Source::Supervisor);
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
        let how = |members: Vec<(&'static str, Value)>| {
            let mut members: Vec<_> = members.into_iter().map(|(key, value)| (key.into(), value)).collect();
            members.push(("ended".into(), true.into()));
            read_exit(&Value::Struct(members)).unwrap().cause
        };
        assert_eq!(how(vec![("status", 3_i64.into())]), ExitCause::Exited { status: 3 });
        let killed = ("signal_name", Value::from("SIGKILL"));
        assert_eq!(
            how(vec![killed.clone(), ("core", true.into())]),
            ExitCause::Killed { signal: "SIGKILL".into(), core: true }
        );
        assert_eq!(
            how(vec![killed, ("oom_kill", true.into())]),
            ExitCause::OutOfMemory { signal: "SIGKILL".into() }
        );
        assert_eq!(
            how(vec![("status", 127_i64.into()), ("not_started", "x".into())]),
            ExitCause::NotStarted { why: "x".into() }
        );
        assert_eq!(read_exit(&Value::Nil), None);
    }
}
