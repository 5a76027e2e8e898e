//! Methods about the configuration: its values, reading it again, adding and removing groups, restart.

use std::path::Path;

use ironlance_config::{self as config, LogTarget};
use ironlance_core::GroupName;
use ironlance_core::log_level::Level;
use ironlance_core::process::lifecycle::DaemonState;
use ironlance_rpc::{Fault, FaultKind, Value};

use super::RpcResult;
use crate::reload::Reload;
use crate::state::groups::RemoveError;
use crate::supervisor::Supervisor;

impl Supervisor {
    /// Reads the configuration again. The answer lists the groups that are new, changed and gone; no process is touched.
    pub(super) fn reload_configuration(&mut self) -> RpcResult {
        let read = self
            .read_configuration()
            .map_err(|faults| FaultKind::CantReread.about(faults.original_and_ours()))?;
        let active: Vec<&config::Group> =
            self.state.table.groups().map(|(_, group)| &*group.config).collect();
        let new: Vec<&config::Group> = read.groups.iter().collect();
        let diff = config::diff(&active, &new);
        let names = |groups: Vec<GroupName>| {
            Value::Array(groups.into_iter().map(|name| Value::Str(name.0)).collect())
        };
        self.env.replace_groups(read.groups, read.notes.listeners);
        let lists = [diff.added, diff.changed, diff.removed].map(names);
        Ok(Value::Array(vec![Value::Array(lists.into())]))
    }

    /// Reads the configuration anew. Faults go to the log, each on its line.
    fn read_configuration(&mut self) -> Result<config::Config, config::ConfigFaults> {
        let read = config::load(&self.env.config_file, &self.env.overrides, &self.env.host_env);
        if let Err(faults) = &read {
            for fault in &faults.0 {
                self.io.log.log(Level::Error, &fault.to_string());
            }
        }
        read
    }

    /// Restarts the daemon, unless the configuration could not be applied.
    pub(in crate::supervisor) fn restart(&mut self) {
        // The log says why not.
        let _ = self.restart_on_request();
    }

    pub(super) fn restart_on_request(&mut self) -> RpcResult {
        let config = self.read_configuration().map_err(|faults| {
            self.io.log.log(Level::Error, "not restarted: the configuration has faults");
            FaultKind::CantReread.about(faults.original_and_ours())
        })?;
        let reload = Reload::prepare(config, &self.io.sockets, &self.env.settings).map_err(|why| {
            let line = format!(
                "not restarted: the configuration cannot be applied: {why}; nothing has been stopped"
            );
            self.io.log.log(Level::Error, &line);
            FaultKind::CantReread.about(format!("the configuration cannot be applied: {why}"))
        })?;
        self.io.reload = Some(Box::new(reload));
        self.request_shutdown(DaemonState::Restarting);
        Ok(Value::Bool(true))
    }

    pub(super) fn add_named_group(&mut self, name: String) -> RpcResult {
        let wanted = self.env.configured_groups.iter().find(|group| group.name.0 == name).cloned();
        let wanted = wanted.ok_or_else(|| FaultKind::BadName.about(&name))?;
        if !self.add_group(&wanted) {
            return Err(FaultKind::AlreadyAdded.about(name));
        }
        Ok(Value::Bool(true))
    }

    pub(super) fn remove_named_group(&mut self, name: String) -> RpcResult {
        let name = GroupName(name);
        self.remove_group(&name).map_err(|why| -> Fault {
            match why {
                RemoveError::Unknown => FaultKind::BadName.about(&name),
                RemoveError::StillRunning => FaultKind::StillRunning.about(&name),
            }
        })?;
        Ok(Value::Bool(true))
    }

    /// How every process is configured, by the processes' names.
    pub(super) fn all_config_info(&self) -> Value {
        let mut all: Vec<(&str, Value)> = Vec::new();
        for group in &self.env.configured_groups {
            let in_use = self.state.table.group_id(&group.name).is_some();
            for program in &group.programs {
                all.push((&program.name.0, self.config_info(group, program, in_use)));
            }
        }
        all.sort_by_key(|(name, _)| *name);
        Value::Array(all.into_iter().map(|(_, info)| info).collect())
    }

    fn config_info(&self, group: &config::Group, program: &config::Program, in_use: bool) -> Value {
        let int = |number: i64| Value::Int(number);
        let size = |number: u64| Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
        let text = |text: &str| Value::Str(text.to_owned());
        let or_none = |value: Option<Value>| value.unwrap_or_else(|| text("none"));
        let path = |path: &Path| text(&path.display().to_string());
        let process = self.state.table.group_id(&group.name).and_then(|id| {
            let member = self.state.table.group(id)?.member(&program.name)?;
            self.state.table.process(member)
        });
        let log = |target: &LogTarget, found: Option<&Path>| match (target, found) {
            (LogTarget::File(file), _) => path(file),
            (LogTarget::None, _) => text("none"),
            (LogTarget::Auto, Some(file)) => path(file),
            (LogTarget::Auto, None) => text("auto"),
        };
        let stdout_log =
            log(&program.stdout.logfile, process.and_then(|process| process.stdout_log.as_deref()));
        let stderr_log =
            log(&program.stderr.logfile, process.and_then(|process| process.stderr_log.as_deref()));
        let exitcodes = program.exitcodes.iter().map(|code| int(i64::from(*code))).collect();
        Value::Struct(vec![
            ("autostart".into(), Value::Bool(program.autostart)),
            ("directory".into(), or_none(program.directory.as_deref().map(path))),
            ("uid".into(), or_none(program.uid.map(|uid| int(i64::from(uid))))),
            ("command".into(), text(&program.command)),
            ("exitcodes".into(), Value::Array(exitcodes)),
            ("group".into(), text(&group.name.0)),
            ("group_prio".into(), int(group.priority)),
            ("inuse".into(), Value::Bool(in_use)),
            ("killasgroup".into(), Value::Bool(program.killasgroup)),
            ("name".into(), text(&program.name.0)),
            ("process_prio".into(), int(program.priority)),
            ("redirect_stderr".into(), Value::Bool(program.redirect_stderr)),
            ("startretries".into(), int(program.startretries)),
            ("startsecs".into(), int(program.startsecs)),
            ("stdout_capture_maxbytes".into(), size(program.stdout.capture_maxbytes)),
            ("stdout_events_enabled".into(), Value::Bool(program.stdout.events_enabled)),
            ("stdout_logfile".into(), stdout_log),
            ("stdout_logfile_backups".into(), int(i64::from(program.stdout.backups))),
            ("stdout_logfile_maxbytes".into(), size(program.stdout.maxbytes)),
            ("stdout_syslog".into(), Value::Bool(program.stdout.syslog)),
            ("stopsignal".into(), int(i64::from(program.stopsignal))),
            ("stopwaitsecs".into(), int(program.stopwaitsecs)),
            ("stderr_capture_maxbytes".into(), size(program.stderr.capture_maxbytes)),
            ("stderr_events_enabled".into(), Value::Bool(program.stderr.events_enabled)),
            ("stderr_logfile".into(), stderr_log),
            ("stderr_logfile_backups".into(), int(i64::from(program.stderr.backups))),
            ("stderr_logfile_maxbytes".into(), size(program.stderr.maxbytes)),
            ("stderr_syslog".into(), Value::Bool(program.stderr.syslog)),
            ("serverurl".into(), or_none(program.serverurl.as_deref().map(text))),
        ])
    }
}
