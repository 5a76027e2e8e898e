//! [`ProcessInfo`]: the answer of `supervisor.getProcessInfo`.

use ironlance_core::{Namespec, ProcessState};

use super::{StructError, members};
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

impl ProcessInfo {
    /// The struct, with its members in the original's order.
    pub fn to_value(self) -> Value {
        Value::record([
            ("name", self.name.into()),
            ("group", self.group.into()),
            ("start", self.start.into()),
            ("stop", self.stop.into()),
            ("now", self.now.into()),
            ("state", self.state.into()),
            ("statename", self.statename.into()),
            ("spawnerr", self.spawnerr.into()),
            ("exitstatus", self.exitstatus.into()),
            ("logfile", self.stdout_logfile.clone().into()),
            ("stdout_logfile", self.stdout_logfile.into()),
            ("stderr_logfile", self.stderr_logfile.into()),
            ("pid", self.pid.into()),
            ("description", self.description.into()),
        ])
    }

    /// Reads the struct; `name`, `group`, `state` and `pid` are required.
    pub fn from_value(value: Value) -> Result<Self, StructError> {
        let mut info = Self::default();
        let (mut name, mut group, mut state, mut pid) = (None, None, None, None);
        for (key, value) in members(value)? {
            match (&*key, value) {
                ("name", Value::Str(text)) => name = Some(text),
                ("group", Value::Str(text)) => group = Some(text),
                ("start", Value::Int(seconds)) => info.start = seconds,
                ("stop", Value::Int(seconds)) => info.stop = seconds,
                ("now", Value::Int(seconds)) => info.now = seconds,
                ("state", Value::Int(code)) => state = Some(code),
                ("statename", Value::Str(text)) => info.statename = text,
                ("spawnerr", Value::Str(text)) => info.spawnerr = text,
                ("exitstatus", Value::Int(status)) => info.exitstatus = status,
                ("stdout_logfile", Value::Str(path)) => info.stdout_logfile = path,
                ("stderr_logfile", Value::Str(path)) => info.stderr_logfile = path,
                ("pid", Value::Int(number)) => pid = u32::try_from(number).ok(),
                ("description", Value::Str(text)) => info.description = text,
                _ => {}
            }
        }
        info.name = name.ok_or(StructError("name"))?;
        info.group = group.ok_or(StructError("group"))?;
        info.state = state.ok_or(StructError("state"))?;
        info.pid = pid.ok_or(StructError("pid"))?;
        if info.statename.is_empty() {
            info.process_state().name().clone_into(&mut info.statename);
        }
        Ok(info)
    }

    /// Reads the answer of `supervisor.getAllProcessInfo`.
    pub fn list_from_value(value: Value) -> Result<Vec<Self>, StructError> {
        super::list(value, Self::from_value)
    }

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
