//! `ironlance.*`, methods that the original has not: exits of processes, listeners, the daemon itself.

use ironlance_core::process::exit_status::ExitStatus;
use ironlance_core::signal;
use ironlance_rpc::api::{DaemonInfo, ExitInfo, ProcessExitInfo};
use ironlance_rpc::{Record, Value};

use super::process_info::seconds;
use super::{RpcResult, SUPERVISOR_VERSION};
use crate::state::exit_record::ExitRecord;
use crate::state::process_table::Process;
use crate::supervisor::Supervisor;

impl Supervisor {
    pub(super) fn process_end(&self, name: &str) -> RpcResult {
        let (_, process) = self.find_process(name)?;
        Ok(exit_of(process).to_value())
    }

    pub(super) fn all_process_ends(&self) -> Value {
        let processes = self.state.table.listed().map(|(_, process)| process);
        let ended = processes.filter(|process| process.last_exit.is_some());
        Value::Array(ended.map(|process| exit_of(process).to_value()).collect())
    }

    pub(super) fn listeners(&self) -> Value {
        Value::Array(self.listener_views().into_iter().map(|view| view.status.to_value()).collect())
    }

    pub(super) fn daemon_info(&self) -> Value {
        let running =
            self.state.table.listed().filter(|(_, process)| process.lifecycle.pid().is_some()).count();
        let info = DaemonInfo {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            supervisor_version: SUPERVISOR_VERSION.to_owned(),
            pid: std::process::id().into(),
            started: self.state.started.as_secs(),
            uptime: self.io.clock.mono().as_secs(),
            config_file: self.env.host_env.cwd.join(&self.env.config_file).display().to_string(),
            groups: self.state.table.groups().filter(|(_, group)| !group.config.built_in).count() as u64,
            processes: self.state.table.listed().count() as u64,
            running: running as u64,
            descriptors: open_descriptors() as u64,
            resident_bytes: resident_bytes(),
        };
        info.to_value()
    }
}

fn exit_of(process: &Process) -> ProcessExitInfo {
    let namespec = process.namespec();
    ProcessExitInfo {
        name: namespec.process.0.clone(),
        group: namespec.group.0.clone(),
        starts: process.lifecycle.starts(),
        will_restart: process.will_restart(),
        last: process.last_exit.as_deref().map(exit_info),
    }
}

fn exit_info(exit: &ExitRecord) -> ExitInfo {
    let cause = &exit.cause;
    let (number, core) = match cause.status {
        ExitStatus::Signal { number, core } => (number, core),
        ExitStatus::Code(_) | ExitStatus::Other(_) => (0, false),
    };
    let oom_near = cause.oom_window();
    ExitInfo {
        pid: exit.pid.into(),
        status: cause.status.code().into(),
        signal: number.into(),
        signal_name: (number != 0).then(|| signal::name(number).into_owned()),
        core,
        oom_kill: cause.out_of_memory(),
        oom_near_from: oom_near.map_or(0, |window| seconds(window.from)),
        oom_near_to: oom_near.map_or(0, |window| seconds(window.to)),
        expected: exit.expected,
        requested: cause.requested(),
        by: cause.by.as_ref().map(ToString::to_string),
        uptime: exit.up.as_secs_f64(),
        ended_at: seconds(exit.at),
        description: cause.status.to_string(),
        recycled: cause.recycled.clone(),
        not_started: cause.not_started.clone(),
        stdout_tail: exit.stdout_tail.clone(),
        stderr_tail: exit.stderr_tail.clone(),
    }
}

fn open_descriptors() -> usize {
    // The folder's own descriptor is among them.
    std::fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.count().saturating_sub(1))
}

fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: Option<u64> = statm.split_whitespace().nth(1).and_then(|pages| pages.parse().ok());
    pages.unwrap_or_default() * u64::try_from(rustix::param::page_size()).unwrap_or(4096)
}
