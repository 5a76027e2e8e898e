//! [`ProcessExitInfo`]: the answer of `ironlance.getProcessEnd`, and an item of `getAllProcessEnds`.

use ironlance_core::Namespec;

use super::{StructError, count, int, members, some_text};
use crate::value::{Members, Value};

/// A process, how often it was started, and its last exit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProcessExitInfo {
    /// The process's name within its group.
    pub name: String,
    /// Its group.
    pub group: String,
    /// How often it was started.
    pub starts: u64,
    /// Whether supervisord is about to start it again by itself.
    pub will_restart: bool,
    /// Its last exit; `None` if it has never ended.
    pub last: Option<ExitInfo>,
}

/// How a process ended; times are seconds since 1970.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExitInfo {
    /// Its process id.
    pub pid: i64,
    /// Its exit status; -1 after a signal.
    pub status: i64,
    /// The number of the signal that ended it; 0 for none.
    pub signal: i64,
    /// The signal's name.
    pub signal_name: Option<String>,
    /// Whether it dumped core.
    pub core: bool,
    /// Whether the kernel's OOM killer ended it.
    pub oom_kill: bool,
    /// The interval in which the OOM killer hit a process of the control group, if it is not known to be this one.
    pub oom_near: Option<(i64, i64)>,
    /// Whether its status is one of its `exitcodes`.
    pub expected: bool,
    /// Whether a stop was requested.
    pub requested: bool,
    /// The client that had supervisord send a signal.
    pub by: Option<String>,
    /// How long it ran, in seconds.
    pub uptime: f64,
    /// When it ended.
    pub ended_at: i64,
    /// A text for people.
    pub description: String,
    /// How it violated the protocol of event listeners, if that is why supervisord stopped it.
    pub recycled: Option<String>,
    /// What failed before the program ran, if it did not run.
    pub not_started: Option<String>,
    /// The last bytes of its stdout.
    pub stdout_tail: String,
    /// The last bytes of its stderr.
    pub stderr_tail: String,
}

impl ProcessExitInfo {
    /// The struct; without an exit it has the first five members alone.
    pub fn to_value(self) -> Value {
        let mut members: Members = vec![
            ("name".into(), self.name.into()),
            ("group".into(), self.group.into()),
            ("starts".into(), int(self.starts)),
            ("comes_back".into(), self.will_restart.into()),
            ("ended".into(), self.last.is_some().into()),
        ];
        if let Some(last) = self.last {
            members.extend(last.into_members());
        }
        Value::Struct(members)
    }

    /// Reads the struct.
    pub fn from_value(value: Value) -> Result<Self, StructError> {
        let mut process = Self::default();
        let mut exit = ExitInfo::default();
        let mut has_ended = false;
        let mut oom_near = (0, 0);
        for (key, value) in members(value)? {
            match (&*key, value) {
                ("name", Value::Str(text)) => process.name = text,
                ("group", Value::Str(text)) => process.group = text,
                ("starts", Value::Int(number)) => process.starts = count(number),
                ("comes_back", Value::Bool(yes)) => process.will_restart = yes,
                ("ended", Value::Bool(yes)) => has_ended = yes,
                ("pid", Value::Int(pid)) => exit.pid = pid,
                ("status", Value::Int(status)) => exit.status = status,
                ("signal", Value::Int(number)) => exit.signal = number,
                ("signal_name", Value::Str(text)) => exit.signal_name = some_text(text),
                ("core", Value::Bool(yes)) => exit.core = yes,
                ("oom_kill", Value::Bool(yes)) => exit.oom_kill = yes,
                ("oom_near_from", Value::Int(seconds)) => oom_near.0 = seconds,
                ("oom_near_to", Value::Int(seconds)) => oom_near.1 = seconds,
                ("expected", Value::Bool(yes)) => exit.expected = yes,
                ("told", Value::Bool(yes)) => exit.requested = yes,
                ("by", Value::Str(text)) => exit.by = some_text(text),
                ("uptime", Value::Double(seconds)) if seconds.is_finite() => exit.uptime = seconds.max(0.0),
                ("ended_at", Value::Int(seconds)) => exit.ended_at = seconds,
                ("description", Value::Str(text)) => exit.description = text,
                ("recycled", Value::Str(text)) => exit.recycled = some_text(text),
                ("not_started", Value::Str(text)) => exit.not_started = some_text(text),
                ("stdout_tail", Value::Str(text)) => exit.stdout_tail = text,
                ("stderr_tail", Value::Str(text)) => exit.stderr_tail = text,
                _ => {}
            }
        }
        exit.oom_near = Some(oom_near).filter(|(_, to)| *to > 0);
        process.last = has_ended.then_some(exit);
        Ok(process)
    }

    /// Reads the answer of `ironlance.getAllProcessEnds`.
    pub fn list_from_value(value: Value) -> Result<Vec<Self>, StructError> {
        super::list(value, Self::from_value)
    }

    /// The process's name with its group.
    pub fn namespec(&self) -> Namespec {
        Namespec::new(self.group.as_str(), self.name.as_str())
    }
}

impl ExitInfo {
    fn into_members(self) -> Members {
        let oom_near = self.oom_near.unwrap_or_default();
        vec![
            ("pid".into(), self.pid.into()),
            ("status".into(), self.status.into()),
            ("signal".into(), self.signal.into()),
            ("signal_name".into(), self.signal_name.unwrap_or_default().into()),
            ("core".into(), self.core.into()),
            ("oom_kill".into(), self.oom_kill.into()),
            ("oom_near_from".into(), oom_near.0.into()),
            ("oom_near_to".into(), oom_near.1.into()),
            ("expected".into(), self.expected.into()),
            ("told".into(), self.requested.into()),
            ("by".into(), self.by.unwrap_or_default().into()),
            ("uptime".into(), self.uptime.into()),
            ("ended_at".into(), self.ended_at.into()),
            ("description".into(), self.description.into()),
            ("recycled".into(), self.recycled.unwrap_or_default().into()),
            ("not_started".into(), self.not_started.unwrap_or_default().into()),
            ("stdout_tail".into(), self.stdout_tail.into()),
            ("stderr_tail".into(), self.stderr_tail.into()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::option;
    use proptest::prelude::*;

    fn any_exit() -> impl Strategy<Value = ExitInfo> {
        let some = || option::of("\\PC{1,8}");
        let numbers = (any::<i64>(), any::<i64>(), any::<i64>(), any::<i64>(), 0.0..1e9_f64);
        let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
        let texts = (some(), some(), some(), some(), "\\PC{0,8}", "\\PC{0,8}", "\\PC{0,8}");
        let oom_near = option::of((any::<i64>(), 1..i64::MAX));
        (numbers, flags, texts, oom_near).prop_map(|(numbers, flags, texts, oom_near)| {
            let (pid, status, signal, ended_at, uptime) = numbers;
            let (core, oom_kill, expected, requested) = flags;
            let (signal_name, by, recycled, not_started, description, stdout_tail, stderr_tail) = texts;
            ExitInfo {
                pid,
                status,
                signal,
                signal_name,
                core,
                oom_kill,
                oom_near,
                expected,
                requested,
                by,
                uptime,
                ended_at,
                description,
                recycled,
                not_started,
                stdout_tail,
                stderr_tail,
            }
        })
    }

    proptest! {
        #[test]
        fn an_exit_reads_back_as_it_was_written(
            name in "\\PC{0,8}", group in "\\PC{0,8}", starts in 0..u64::MAX / 2, will_restart: bool,
            last in option::of(any_exit()),
        ) {
            let process = ProcessExitInfo { name, group, starts, will_restart, last };
            prop_assert_eq!(ProcessExitInfo::from_value(process.clone().to_value()), Ok(process));
        }
    }

    #[test]
    fn hostile_numbers_are_clamped() {
        let process = ProcessExitInfo::from_value(Value::record([
            ("ended", true.into()),
            ("starts", (-5_i64).into()),
            ("uptime", f64::NAN.into()),
            ("oom_near_to", (-1_i64).into()),
        ]));
        let process = process.unwrap();
        assert_eq!((process.starts, process.last), (0, Some(ExitInfo::default())));
    }
}
