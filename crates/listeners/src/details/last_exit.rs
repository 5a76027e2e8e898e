//! How a process last ended, as our own supervisord tells it: it has looked at the moment it happened.

use ironlance_alert::notification::ProcessDetails;
use ironlance_host::local_time;
use ironlance_rpc::Value;

/// The answer of `ironlance.getProcessEnd`, as far as a Details block shows it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct LastExit {
    description: String,
    out_of_memory: bool,
    not_started: String,
    /// Seconds.
    uptime: f64,
    starts: i64,
    pub(super) stdout_tail: String,
    pub(super) stderr_tail: String,
}

impl LastExit {
    /// Reads the answer. `None` where the process has never ended, or `pid` says that another end is meant.
    pub(super) fn of(value: &Value, pid: Option<&str>) -> Option<Self> {
        let text = |key| value.member(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let yes = |key| value.member(key) == Some(&Value::Bool(true));
        let number = |key| value.member(key).and_then(Value::as_int).unwrap_or_default();
        let is_meant = pid.is_none_or(|pid| pid == number("pid").to_string());
        let uptime = match value.member("uptime") {
            Some(Value::Double(seconds)) => *seconds,
            _ => 0.0,
        };
        (yes("ended") && is_meant).then(|| Self {
            description: text("description"),
            out_of_memory: yes("oom_kill"),
            not_started: text("not_started"),
            uptime,
            starts: number("starts"),
            stdout_tail: text("stdout_tail"),
            stderr_tail: text("stderr_tail"),
        })
    }

    pub(super) fn add_to(&self, details: &mut ProcessDetails) {
        let why = if self.out_of_memory { ", killed by the kernel: out of memory" } else { "" };
        details.fact("ended", &format!("{}{why}", self.description));
        if !self.not_started.is_empty() {
            details.fact("start error", &self.not_started);
        }
        details.fact("ran for", &local_time::span(self.uptime));
        let times = if self.starts == 1 { "time" } else { "times" };
        details.fact("started", &format!("{} {times}", self.starts));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(pid: i64, oom_kill: bool) -> Value {
        Value::record([
            ("ended", true.into()),
            ("pid", pid.into()),
            ("description", "terminated by SIGKILL".into()),
            ("oom_kill", oom_kill.into()),
            ("uptime", 3661.5.into()),
            ("starts", 2_i64.into()),
            ("stderr_tail", "out of luck".into()),
        ])
    }

    #[test]
    fn a_kill_for_want_of_memory_is_told_as_such() {
        let end = LastExit::of(&answer(7, true), Some("7")).unwrap();
        let mut details = ProcessDetails::default();
        end.add_to(&mut details);
        let fact = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            details.facts,
            [
                fact("ended", "terminated by SIGKILL, killed by the kernel: out of memory"),
                fact("ran for", "1 h 1 min"),
                fact("started", "2 times")
            ]
        );
        assert_eq!(end.stderr_tail, "out of luck");
    }

    #[test]
    fn the_end_of_another_process_of_that_name_is_not_told() {
        assert_eq!(LastExit::of(&answer(7, false), Some("8")), None);
        assert!(LastExit::of(&answer(7, false), None).is_some());
        assert_eq!(LastExit::of(&Value::record([("ended", false.into())]), None), None);
    }
}
