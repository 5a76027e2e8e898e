//! [`DaemonInfo`]: the answer of `ironlance.getDaemonInfo`.

use super::{Record, member_table};

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

member_table! {
    DaemonInfo {
        "version" => version, "supervisor_version" => supervisor_version, "pid" => pid, "started" => started,
        "uptime" => uptime, "config_file" => config_file, "groups" => groups, "processes" => processes,
        "running" => running, "descriptors" => descriptors, "resident_bytes" => resident_bytes,
    }
}

impl Record for DaemonInfo {}

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
