//! `ironlance.*`: what we know beyond the original: why processes ended, how listeners are, how the daemon is.

use ironlance_core::exit::ExitStatus;
use ironlance_core::signal;
use ironlance_rpc::Value;
use ironlance_rpc::value::Members;

use super::info::seconds;
use super::{Answer, SUPERVISOR_VERSION};
use crate::supervisor::Supervisor;
use crate::supervisor::ends::End;
use crate::supervisor::population::{Group, Process};

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
    pub(super) fn process_end(&self, name: &str) -> Answer {
        let (_, process) = self.find_process(name)?;
        Ok(end_of(process))
    }

    pub(super) fn all_process_ends(&self) -> Value {
        let ended = self.population.by_name().filter(|process| process.end.is_some());
        Value::Array(ended.map(end_of).collect())
    }

    pub(super) fn listeners(&self) -> Value {
        let pools = self.population.groups().map(|(_, group)| group);
        Value::Array(pools.flat_map(|group| self.listeners_of(group)).collect())
    }

    fn listeners_of(&self, group: &Group) -> Vec<Value> {
        let Some(pool) = &group.pool else { return Vec::new() };
        let describe = |id| -> Option<Value> {
            let process = self.population.process(id)?;
            let member = pool.members().find(|member| member.id.0 == id.0);
            let state = member.as_ref().map_or("NOT_RUNNING", |member| member.state.name());
            let event = member.as_ref().and_then(|member| member.event);
            let result = member.as_ref().and_then(|member| member.last_result.clone());
            Some(Value::Struct(vec![
                ("pool".into(), text(&group.config.name.0)),
                ("process".into(), text(&process.namespec().process.0)),
                ("state".into(), text(state)),
                ("event".into(), event.map_or(Value::Int(-1), count)),
                ("last_result".into(), text(result.unwrap_or_default())),
                ("offences".into(), Value::Int(i64::from(process.penance.offences))),
                ("pending".into(), size(pool.pending())),
                ("capacity".into(), size(pool.capacity())),
                ("dropped".into(), count(pool.dropped())),
                ("merged".into(), count(pool.merged())),
                ("answered".into(), count(pool.answered())),
            ]))
        };
        group.members.iter().copied().filter_map(describe).collect()
    }

    pub(super) fn daemon_info(&self) -> Value {
        let running = self.population.processes().filter(|(_, process)| process.life.pid().is_some()).count();
        Value::Struct(vec![
            ("version".into(), text(env!("CARGO_PKG_VERSION"))),
            ("supervisor_version".into(), text(SUPERVISOR_VERSION)),
            ("pid".into(), Value::Int(i64::from(std::process::id()))),
            ("started".into(), Value::Int(seconds(self.since))),
            ("uptime".into(), Value::Int(seconds(self.clock.mono()))),
            ("config_file".into(), text(self.surroundings.cwd.join(&self.file).display().to_string())),
            ("groups".into(), size(self.population.groups().count())),
            ("processes".into(), size(self.population.processes().count())),
            ("running".into(), size(running)),
            ("descriptors".into(), size(open_descriptors())),
            ("resident_bytes".into(), count(resident_bytes())),
        ])
    }
}

/// How a process last ended; without an end only who it is and how often it was started.
fn end_of(process: &Process) -> Value {
    let namespec = process.namespec();
    let mut members: Members = vec![
        ("name".into(), text(&namespec.process.0)),
        ("group".into(), text(&namespec.group.0)),
        ("starts".into(), count(process.life.starts())),
        ("ended".into(), Value::Bool(process.end.is_some())),
    ];
    if let Some(end) = &process.end {
        members.extend(particulars(end));
    }
    Value::Struct(members)
}

fn particulars(end: &End) -> Members {
    let (number, core) = match end.status {
        ExitStatus::Signal { number, core } => (number, core),
        ExitStatus::Code(_) | ExitStatus::Other(_) => (0, false),
    };
    let signal = if number == 0 { String::new() } else { signal::name(number).into_owned() };
    vec![
        ("pid".into(), Value::Int(i64::from(end.pid))),
        ("status".into(), Value::Int(i64::from(end.status.code()))),
        ("signal".into(), Value::Int(i64::from(number))),
        ("signal_name".into(), text(signal)),
        ("core".into(), Value::Bool(core)),
        ("oom_kill".into(), Value::Bool(end.out_of_memory)),
        ("expected".into(), Value::Bool(end.expected)),
        ("told".into(), Value::Bool(end.told)),
        ("uptime".into(), Value::Double(end.up.as_secs_f64())),
        ("ended_at".into(), Value::Int(seconds(end.at))),
        ("description".into(), text(end.status.words())),
        ("not_started".into(), text(end.not_started.clone().unwrap_or_default())),
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
