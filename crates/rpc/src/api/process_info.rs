//! [`ProcessInfo`]: the answer of `supervisor.getProcessInfo`.

use ironlance_core::{Namespec, ProcessState};

use super::{MemberTable, Record, StructError, member_table};
use crate::value::Value;

/// A process; times are seconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessInfo {
    /// The process's name within its group.
    pub name: String,
    /// Its group.
    pub group: String,
    /// When it was last started; 0 for never.
    pub start: i64,
    /// When it last ended; 0 for never.
    pub stop: i64,
    /// Supervisord's clock.
    pub now: i64,
    /// The code of its state.
    pub state: i64,
    /// The name of its state.
    pub statename: String,
    /// Why the last start failed; empty if it did not.
    pub spawnerr: String,
    /// Its last exit status; 0 while it runs, -1 after a signal.
    pub exitstatus: i64,
    /// The file of its stdout; empty for none.
    pub stdout_logfile: String,
    /// The file of its stderr; empty for none.
    pub stderr_logfile: String,
    /// Its process id; 0 when there is no process.
    pub pid: u32,
    /// A text for people, such as `pid 12, uptime 0:01:00`.
    pub description: String,
}

member_table! {
    ProcessInfo {
        "name" => name, "group" => group, "start" => start, "stop" => stop, "now" => now, "state" => state,
        "statename" => statename, "spawnerr" => spawnerr, "exitstatus" => exitstatus,
        "stdout_logfile" => stdout_logfile, "stderr_logfile" => stderr_logfile, "pid" => pid,
        "description" => description,
    }
}

impl Record for ProcessInfo {
    /// The struct, with its members in the original's order.
    fn to_value(self) -> Value {
        let logfile = ("logfile".into(), self.stdout_logfile.clone().into());
        let mut members = self.into_members();
        members.insert(LOGFILE_POSITION, logfile);
        Value::Struct(members)
    }

    /// Reads the struct; `name`, `group`, `state` and `pid` are required.
    fn from_value(value: Value) -> Result<Self, StructError> {
        let mut info: Self = super::read(value, &["name", "group", "state", "pid"])?;
        if info.statename.is_empty() {
            info.process_state().name().clone_into(&mut info.statename);
        }
        Ok(info)
    }
}

/// Where `logfile`, the same as `stdout_logfile`, stands among the members: before it.
const LOGFILE_POSITION: usize = 9;

impl ProcessInfo {
    /// The process's name with its group.
    pub fn namespec(&self) -> Namespec {
        Namespec::new(self.group.as_str(), self.name.as_str())
    }

    /// Its state; UNKNOWN for an unknown code.
    pub fn process_state(&self) -> ProcessState {
        ProcessState::from_code(self.state).unwrap_or(ProcessState::Unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_info() -> impl Strategy<Value = ProcessInfo> {
        let texts =
            ("\\PC{0,8}", "\\PC{0,8}", "[A-Z]{1,8}", "\\PC{0,8}", "\\PC{0,8}", "\\PC{0,8}", "\\PC{0,8}");
        let numbers = (any::<i64>(), any::<i64>(), any::<i64>(), any::<i64>(), any::<i64>(), any::<u32>());
        (texts, numbers).prop_map(|(texts, numbers)| {
            let (name, group, statename, spawnerr, stdout_logfile, stderr_logfile, description) = texts;
            let (start, stop, now, state, exitstatus, pid) = numbers;
            ProcessInfo {
                name,
                group,
                start,
                stop,
                now,
                state,
                statename,
                spawnerr,
                exitstatus,
                stdout_logfile,
                stderr_logfile,
                pid,
                description,
            }
        })
    }

    proptest! {
        #[test]
        fn a_process_reads_back_as_it_was_written(info in any_info()) {
            prop_assert_eq!(ProcessInfo::from_value(info.clone().to_value()), Ok(info));
        }
    }

    #[test]
    fn a_struct_without_a_required_member_is_refused_by_its_name() {
        let error = ProcessInfo::from_value(Value::record([("name", "web".into())])).unwrap_err();
        assert_eq!(error.to_string(), "group is missing or of another type");
        let error = ProcessInfo::from_value(Value::Nil).unwrap_err();
        assert_eq!(error.to_string(), "the struct is missing or of another type");
    }

    #[test]
    fn the_log_of_stdout_has_two_names_as_in_the_original() {
        let info = ProcessInfo {
            stdout_logfile: "/o".into(),
            stderr_logfile: "/e".into(),
            ..ProcessInfo::default()
        };
        let Value::Struct(members) = info.to_value() else { unreachable!() };
        let logs: Vec<(&str, Option<&str>)> =
            members[8..12].iter().map(|(name, value)| (&**name, value.as_str())).collect();
        let expected = [
            ("exitstatus", None),
            ("logfile", Some("/o")),
            ("stdout_logfile", Some("/o")),
            ("stderr_logfile", Some("/e")),
        ];
        assert_eq!(logs, expected);
    }

    #[test]
    fn missing_and_unknown_members_do_no_harm() {
        let info = ProcessInfo::from_value(Value::record([
            ("name", "web".into()),
            ("group", "web".into()),
            ("state", 20_i64.into()),
            ("pid", 7_i64.into()),
            ("later", Value::Nil),
        ]));
        let info = info.unwrap();
        assert_eq!((info.statename.as_str(), info.spawnerr.as_str(), info.start), ("RUNNING", "", 0));
    }
}
