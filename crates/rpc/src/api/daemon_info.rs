//! [`DaemonInfo`]: the answer of `ironlance.getDaemonInfo`.

use super::{StructError, count, int, members};
use crate::value::Value;

/// The daemon itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DaemonInfo {
    /// Ironlance's version.
    pub version: String,
    /// The version of Supervisor that it stands in for.
    pub supervisor_version: String,
    /// Its process id.
    pub pid: u64,
    /// When it was started, in seconds since 1970.
    pub started: u64,
    /// How long it has been up, in seconds.
    pub uptime: u64,
    /// Its configuration file.
    pub config_file: String,
    /// The number of groups.
    pub groups: u64,
    /// The number of processes, running or not.
    pub processes: u64,
    /// The number of running processes.
    pub running: u64,
    /// The number of open file descriptors.
    pub descriptors: u64,
    /// Its resident memory.
    pub resident_bytes: u64,
}

impl DaemonInfo {
    /// The struct.
    pub fn to_value(self) -> Value {
        Value::record([
            ("version", self.version.into()),
            ("supervisor_version", self.supervisor_version.into()),
            ("pid", int(self.pid)),
            ("started", int(self.started)),
            ("uptime", int(self.uptime)),
            ("config_file", self.config_file.into()),
            ("groups", int(self.groups)),
            ("processes", int(self.processes)),
            ("running", int(self.running)),
            ("descriptors", int(self.descriptors)),
            ("resident_bytes", int(self.resident_bytes)),
        ])
    }

    /// Reads the struct.
    pub fn from_value(value: Value) -> Result<Self, StructError> {
        let mut info = Self::default();
        for (key, value) in members(value)? {
            match (&*key, value) {
                ("version", Value::Str(text)) => info.version = text,
                ("supervisor_version", Value::Str(text)) => info.supervisor_version = text,
                ("pid", Value::Int(number)) => info.pid = count(number),
                ("started", Value::Int(number)) => info.started = count(number),
                ("uptime", Value::Int(number)) => info.uptime = count(number),
                ("config_file", Value::Str(text)) => info.config_file = text,
                ("groups", Value::Int(number)) => info.groups = count(number),
                ("processes", Value::Int(number)) => info.processes = count(number),
                ("running", Value::Int(number)) => info.running = count(number),
                ("descriptors", Value::Int(number)) => info.descriptors = count(number),
                ("resident_bytes", Value::Int(number)) => info.resident_bytes = count(number),
                _ => {}
            }
        }
        Ok(info)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_daemon_reads_back_as_it_was_written(
            texts in prop::array::uniform3("\\PC{0,8}"), numbers in prop::array::uniform8(0..u64::MAX / 2),
        ) {
            let [version, supervisor_version, config_file] = texts;
            let [pid, started, uptime, groups, processes, running, descriptors, resident_bytes] = numbers;
            let info = DaemonInfo {
                version, supervisor_version, pid, started, uptime, config_file, groups, processes, running, descriptors,
                resident_bytes,
            };
            prop_assert_eq!(DaemonInfo::from_value(info.clone().to_value()), Ok(info));
        }
    }
}
