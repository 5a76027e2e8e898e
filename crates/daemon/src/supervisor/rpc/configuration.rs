//! Methods about the configuration: its values, reading it again, adding and removing groups, restart.

use std::path::Path;
use std::rc::Rc;

use ironlance_config::{self as config, LogTarget};
use ironlance_core::GroupName;
use ironlance_core::event::OutputChannel;
use ironlance_core::log_level::Level;
use ironlance_core::process::lifecycle::DaemonState;
use ironlance_rpc::{FaultKind, Value};

use super::RpcResult;
use crate::reload::Reload;
use crate::supervisor::Supervisor;
use crate::supervisor::watch_pool::built_in_pool;

impl Supervisor {
    /// Reads the configuration again. The answer lists the groups that are new, changed and gone; no process is touched.
    pub(super) fn reload_configuration(&mut self) -> RpcResult {
        let read = self
            .read_configuration()
            .map_err(|faults| FaultKind::CantReread.about(faults.original_and_ours()))?;
        let active = self.state.table.groups().map(|(_, group)| &*group.config);
        let active: Vec<&config::Group> = active.filter(|group| !group.built_in).collect();
        let new: Vec<&config::Group> = read.groups.iter().collect();
        let diff = config::diff(&active, &new);
        let names = |groups: Vec<GroupName>| {
            Value::Array(groups.into_iter().map(|name| Value::Str(name.0)).collect())
        };
        self.env.watch_pool = built_in_pool(&read, &self.env.host_env.cwd).map(Rc::new);
        self.env.configured_groups = read.groups.into_iter().map(Rc::new).collect();
        self.env.listener_warnings = read.notes.listeners;
        self.env.identities.clear();
        self.env.owners.clear();
        self.env.watch.clone_from(&read.watch);
        self.set_up_journal(read.watch);
        self.update_watch_pool();
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

    /// Restarts the daemon, unless the configuration could not be applied; the log says why not.
    pub(in crate::supervisor) fn restart(&mut self) -> RpcResult {
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
        self.decide(|state, turn| state.remove_group(&GroupName(name), turn))?;
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
        let size = |number: u64| Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
        let or_none = |value: Option<Value>| value.unwrap_or_else(|| "none".into());
        let path = |path: &Path| Value::from(path.display().to_string());
        let process = self.state.table.group_id(&group.name).and_then(|id| {
            let member = self.state.table.group(id)?.member(&program.name)?;
            self.state.table.process(member)
        });
        let log = |target: &LogTarget, found: Option<&Path>| match (target, found) {
            (LogTarget::File(file), _) => path(file),
            (LogTarget::None, _) => "none".into(),
            (LogTarget::Auto, Some(file)) => path(file),
            (LogTarget::Auto, None) => "auto".into(),
        };
        let found = |channel| process.and_then(|process| process.log(channel));
        let stdout_log = log(&program.stdout.logfile, found(OutputChannel::Stdout));
        let stderr_log = log(&program.stderr.logfile, found(OutputChannel::Stderr));
        let exitcodes = program.exitcodes.iter().map(|code| Value::from(*code)).collect();
        Value::record([
            ("autostart", program.autostart.into()),
            ("directory", or_none(program.directory.as_deref().map(path))),
            ("uid", or_none(program.uid.map(|uid| uid.into()))),
            ("command", (*program.command).into()),
            ("exitcodes", Value::Array(exitcodes)),
            ("group", (*group.name.0).into()),
            ("group_prio", group.priority.into()),
            ("inuse", in_use.into()),
            ("killasgroup", program.killasgroup.into()),
            ("name", (*program.name.0).into()),
            ("process_prio", program.priority.into()),
            ("redirect_stderr", program.redirect_stderr.into()),
            ("startretries", program.startretries.into()),
            ("startsecs", program.startsecs.into()),
            ("stdout_capture_maxbytes", size(program.stdout.capture_maxbytes)),
            ("stdout_events_enabled", program.stdout.events_enabled.into()),
            ("stdout_logfile", stdout_log),
            ("stdout_logfile_backups", program.stdout.backups.into()),
            ("stdout_logfile_maxbytes", size(program.stdout.maxbytes)),
            ("stdout_syslog", program.stdout.syslog.into()),
            ("stopsignal", program.stopsignal.into()),
            ("stopwaitsecs", program.stopwaitsecs.into()),
            ("stderr_capture_maxbytes", size(program.stderr.capture_maxbytes)),
            ("stderr_events_enabled", program.stderr.events_enabled.into()),
            ("stderr_logfile", stderr_log),
            ("stderr_logfile_backups", program.stderr.backups.into()),
            ("stderr_logfile_maxbytes", size(program.stderr.maxbytes)),
            ("stderr_syslog", program.stderr.syslog.into()),
            ("serverurl", or_none(program.serverurl.as_deref().map(Value::from))),
        ])
    }
}
