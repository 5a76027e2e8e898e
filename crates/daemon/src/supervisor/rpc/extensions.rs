//! `ironlance.*`: what we know beyond the original: why processes ended, how listeners are, how the daemon is.

use std::time::Duration;

use ironlance_core::event::counts::EventCounts;
use ironlance_core::process::exit_status::ExitStatus;
use ironlance_core::process::oom::{OomVerdict, TimeWindow};
use ironlance_core::signal;
use ironlance_rpc::Value;
use ironlance_rpc::value::Members;

use super::process_info::seconds;
use super::{RpcResult, SUPERVISOR_VERSION};
use crate::state::exit_record::ExitRecord;
use crate::state::process_table::Process;
use crate::supervisor::Supervisor;
use crate::view::ListenerView;

fn text(text: impl Into<String>) -> Value {
    Value::Str(text.into())
}

fn count(number: u64) -> Value {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

fn size(number: usize) -> Value {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

impl Supervisor {
    pub(super) fn process_end(&self, name: &str) -> RpcResult {
        let (_, process) = self.find_process(name)?;
        Ok(exit_of(process))
    }

    pub(super) fn all_process_ends(&self) -> Value {
        let ended = self
            .state
            .table
            .by_name()
            .map(|(_, process)| process)
            .filter(|process| process.last_exit.is_some());
        Value::Array(ended.map(exit_of).collect())
    }

    pub(super) fn listeners(&self) -> Value {
        Value::Array(self.listener_views().into_iter().map(listener).collect())
    }

    pub(super) fn daemon_info(&self) -> Value {
        let running =
            self.state.table.processes().filter(|(_, process)| process.lifecycle.pid().is_some()).count();
        Value::Struct(vec![
            ("version".into(), text(env!("CARGO_PKG_VERSION"))),
            ("supervisor_version".into(), text(SUPERVISOR_VERSION)),
            ("pid".into(), Value::Int(i64::from(std::process::id()))),
            ("started".into(), Value::Int(seconds(self.state.started))),
            ("uptime".into(), Value::Int(seconds(self.io.clock.mono()))),
            (
                "config_file".into(),
                text(self.env.host_env.cwd.join(&self.env.config_file).display().to_string()),
            ),
            ("groups".into(), size(self.state.table.groups().count())),
            ("processes".into(), size(self.state.table.processes().count())),
            ("running".into(), size(running)),
            ("descriptors".into(), size(open_descriptors())),
            ("resident_bytes".into(), count(resident_bytes())),
        ])
    }
}

fn listener(view: ListenerView) -> Value {
    let state = view.state_name();
    Value::Struct(vec![
        ("pool".into(), text(view.namespec.group.0)),
        ("process".into(), text(view.namespec.process.0)),
        ("state".into(), text(state)),
        ("event".into(), view.event.map_or(Value::Int(-1), count)),
        ("last_result".into(), text(view.last_result.unwrap_or_default())),
        ("offences".into(), Value::Int(i64::from(view.recycled))),
        ("babbles".into(), count(view.stray_outputs)),
        ("babble".into(), text(view.stray_output)),
        ("pending".into(), size(view.pending)),
        ("capacity".into(), view.capacity.map_or(Value::Int(-1), size)),
        ("pending_bytes".into(), size(view.pending_bytes)),
        ("capacity_bytes".into(), size(view.capacity_bytes)),
        ("full".into(), Value::Bool(view.is_full)),
        ("dropped".into(), count(view.dropped.total())),
        ("dropped_by_type".into(), by_type(&view.dropped)),
        ("merged".into(), count(view.merged)),
        ("answered".into(), count(view.answered)),
        ("dead_letters".into(), count(view.dead.total())),
        ("dead_letters_by_type".into(), by_type(&view.dead)),
        ("doubts".into(), Value::Array(view.warnings.into_iter().map(text).collect())),
    ])
}

fn by_type(tally: &EventCounts) -> Value {
    Value::Struct(tally.counts().map(|(kind, number)| (kind.name().into(), count(number))).collect())
}

/// How a process last ended; without an end only who it is and how often it was started.
fn exit_of(process: &Process) -> Value {
    let namespec = process.namespec();
    let mut members: Members = vec![
        ("name".into(), text(&namespec.process.0)),
        ("group".into(), text(&namespec.group.0)),
        ("starts".into(), count(process.lifecycle.starts())),
        ("comes_back".into(), Value::Bool(process.will_restart())),
        ("ended".into(), Value::Bool(process.last_exit.is_some())),
    ];
    if let Some(end) = &process.last_exit {
        members.extend(exit_members(end));
    }
    Value::Struct(members)
}

fn exit_members(end: &ExitRecord) -> Members {
    let (number, core) = match end.cause.status {
        ExitStatus::Signal { number, core } => (number, core),
        ExitStatus::Code(_) | ExitStatus::Other(_) => (0, false),
    };
    let near = match end.cause.memory {
        OomVerdict::Possible(window) => window,
        OomVerdict::Unrelated | OomVerdict::Killed => TimeWindow { from: Duration::ZERO, to: Duration::ZERO },
    };
    let signal = if number == 0 { String::new() } else { signal::name(number).into_owned() };
    vec![
        ("pid".into(), Value::Int(i64::from(end.pid))),
        ("status".into(), Value::Int(i64::from(end.cause.status.code()))),
        ("signal".into(), Value::Int(i64::from(number))),
        ("signal_name".into(), text(signal)),
        ("core".into(), Value::Bool(core)),
        ("oom_kill".into(), Value::Bool(end.cause.out_of_memory())),
        ("oom_near_from".into(), Value::Int(seconds(near.from))),
        ("oom_near_to".into(), Value::Int(seconds(near.to))),
        ("expected".into(), Value::Bool(end.expected)),
        ("told".into(), Value::Bool(end.cause.requested())),
        ("by".into(), text(end.cause.by.as_ref().map(ToString::to_string).unwrap_or_default())),
        ("uptime".into(), Value::Double(end.up.as_secs_f64())),
        ("ended_at".into(), Value::Int(seconds(end.at))),
        ("description".into(), text(end.cause.status.words())),
        ("recycled".into(), text(end.cause.recycled.clone().unwrap_or_default())),
        ("not_started".into(), text(end.cause.not_started.clone().unwrap_or_default())),
        ("stdout_tail".into(), text(&end.stdout_tail)),
        ("stderr_tail".into(), text(&end.stderr_tail)),
    ]
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
