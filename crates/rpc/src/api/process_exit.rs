//! [`ProcessExitInfo`]: the answer of `ironlance.getProcessEnd`, and an item of `getAllProcessEnds`.

use ironlance_core::Namespec;

use super::{MemberTable, Record, StructError, member_table};
use crate::value::Value;

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
    /// The begin of the interval in which the OOM killer may have hit it; see [`ExitInfo::oom_near`].
    pub oom_near_from: i64,
    /// The end of that interval; 0 for none.
    pub oom_near_to: i64,
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

member_table! {
    ProcessExitInfo { "name" => name, "group" => group, "starts" => starts, "comes_back" => will_restart }
}

member_table! {
    ExitInfo {
        "pid" => pid, "status" => status, "signal" => signal, "signal_name" => signal_name, "core" => core,
        "oom_kill" => oom_kill, "oom_near_from" => oom_near_from, "oom_near_to" => oom_near_to,
        "expected" => expected, "told" => requested, "by" => by, "uptime" => uptime, "ended_at" => ended_at,
        "description" => description, "recycled" => recycled, "not_started" => not_started,
        "stdout_tail" => stdout_tail, "stderr_tail" => stderr_tail,
    }
}

impl Record for ProcessExitInfo {
    /// The struct; without an exit it has the first five members alone.
    fn to_value(mut self) -> Value {
        let last = self.last.take();
        let mut members = self.into_members();
        members.push(("ended".into(), last.is_some().into()));
        members.extend(last.into_iter().flat_map(ExitInfo::into_members));
        Value::Struct(members)
    }

    fn from_value(value: Value) -> Result<Self, StructError> {
        let has_ended = value.member("ended") == Some(&Value::Bool(true));
        let Value::Struct(members) = value else { return Err(StructError("the struct")) };
        let (mut process, mut exit) = (Self::default(), ExitInfo::default());
        for (key, value) in members {
            match &*key {
                "name" | "group" | "starts" | "comes_back" => process.set_member(&key, value),
                _ => exit.set_member(&key, value),
            };
        }
        process.last = has_ended.then_some(exit);
        Ok(process)
    }
}

impl ProcessExitInfo {
    /// The process's name with its group.
    pub fn namespec(&self) -> Namespec {
        Namespec::new(self.group.as_str(), self.name.as_str())
    }
}

impl ExitInfo {
    /// The interval in which the OOM killer hit a process of the control group, if it is not known to be this one.
    pub fn oom_near(&self) -> Option<(i64, i64)> {
        (self.oom_near_to > 0).then_some((self.oom_near_from, self.oom_near_to))
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
        let oom_near = (any::<i64>(), any::<i64>());
        (numbers, flags, texts, oom_near).prop_map(|(numbers, flags, texts, oom_near)| {
            let (pid, status, signal, ended_at, uptime) = numbers;
            let (oom_near_from, oom_near_to) = oom_near;
            let (core, oom_kill, expected, requested) = flags;
            let (signal_name, by, recycled, not_started, description, stdout_tail, stderr_tail) = texts;
            ExitInfo {
                pid,
                status,
                signal,
                signal_name,
                core,
                oom_kill,
                oom_near_from,
                oom_near_to,
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
        let exit = process.last.unwrap();
        assert_eq!((process.starts, exit.uptime, exit.oom_near()), (0, 0.0, None));
    }
}
