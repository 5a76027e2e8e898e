//! `getProcessInfo`: state, times and pid of a process, and the description that supervisorctl shows.

use std::path::Path;
use std::time::Duration;

use ironlance_core::ProcessState;
use ironlance_core::event::OutputChannel;
use ironlance_rpc::{ProcessInfo, Record, Value};

use super::RpcResult;
use crate::state::process_table::Process;
use crate::supervisor::Supervisor;

/// XML-RPC's largest int; times beyond it (2038) are cut to it, as in the original.
const MAX_INT: i64 = 2_147_483_647;

impl Supervisor {
    pub(super) fn process_info(&self, name: &str) -> RpcResult {
        let (_, process) = self.find_process(name)?;
        Ok(self.describe(process, self.io.clock.now().wall))
    }

    pub(super) fn all_process_info(&self) -> Value {
        let now = self.io.clock.now().wall;
        Value::Array(self.state.table.listed().map(|(_, process)| self.describe(process, now)).collect())
    }

    /// `getProcessInfo`'s struct.
    fn describe(&self, process: &Process, now: Duration) -> Value {
        let life = &process.lifecycle;
        let state = life.state();
        let seconds = |time: Option<Duration>| time.map_or(0, |time| seconds(time).min(MAX_INT));
        let path = |path: Option<&Path>| path.map(|path| path.display().to_string()).unwrap_or_default();
        let info = ProcessInfo {
            name: life.namespec().process.0.clone(),
            group: life.namespec().group.0.clone(),
            start: seconds(life.started()),
            stop: seconds(life.stopped()),
            now: seconds(Some(now)),
            state: state.code(),
            statename: state.name().to_owned(),
            spawnerr: life.spawnerr().unwrap_or_default().to_owned(),
            exitstatus: life.exitstatus().map_or(0, i64::from),
            stdout_logfile: path(process.log(OutputChannel::Stdout)),
            stderr_logfile: path(process.log(OutputChannel::Stderr)),
            pid: life.pid().unwrap_or_default(),
            description: self.description_of(process, now),
        };
        info.to_value()
    }

    /// What supervisorctl shows behind the state (rpcinterface.py, _interpretProcessInfo).
    pub(super) fn description_of(&self, process: &Process, now: Duration) -> String {
        let life = &process.lifecycle;
        match life.state() {
            ProcessState::Running => {
                let since = life.started().unwrap_or(now);
                let up = seconds(now).saturating_sub(seconds(since)).max(0);
                format!("pid {}, uptime {}", life.pid().unwrap_or_default(), timedelta(up))
            }
            ProcessState::Fatal | ProcessState::Backoff => match life.spawnerr() {
                Some(why) if !why.is_empty() => why.to_owned(),
                _ => format!("unknown error (try \"tail {}\")", life.namespec().process),
            },
            ProcessState::Stopped | ProcessState::Exited => match life.started() {
                Some(_) => self.env.local_time.status_time(life.stopped().unwrap_or_default()),
                None => "Not started".into(),
            },
            ProcessState::Starting | ProcessState::Stopping | ProcessState::Unknown => String::new(),
        }
    }
}

pub(super) fn seconds(time: Duration) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}

/// Whole seconds as Python prints a timedelta: `1 day, 2:03:04`.
fn timedelta(seconds: i64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let clock = format!("{}:{:02}:{:02}", rest / 3600, rest % 3600 / 60, rest % 60);
    match days {
        0 => clock,
        1 => format!("1 day, {clock}"),
        days => format!("{days} days, {clock}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uptimes_are_written_as_python_writes_them() {
        for (seconds, text) in [
            (0, "0:00:00"),
            (3_661, "1:01:01"),
            (86_399, "23:59:59"),
            (86_400, "1 day, 0:00:00"),
            (200_000, "2 days, 7:33:20"),
        ] {
            assert_eq!(timedelta(seconds), text);
        }
    }
}
