//! Groups come and go: at start, and when the configuration was read again.

use std::path::{Path, PathBuf};
use std::rc::{Rc, Weak};

use ironlance_config::{self as config, GroupKind, LogTarget};
use ironlance_core::event::{Event, OutputChannel};
use ironlance_core::listener::bus::PoolId;
use ironlance_core::listener::pool::{Capacity, Pool, Recycling};
use ironlance_core::log_level::Level;
use ironlance_core::process::lifecycle::{Lifecycle, Policy, ProcessRole};
use ironlance_core::{GroupName, Namespec};

use super::Supervisor;
use crate::log::auto_logs;
use crate::state::ids::{GroupId, ProcessId};
use crate::state::pending_calls::is_stopped;
use crate::state::process_table::{ActiveGroup, Process};

/// Why a group was not removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RemoveError {
    Unknown,
    StillRunning,
}

impl Supervisor {
    /// Takes a group into service; what starts by itself starts soon after. Says whether it was new.
    pub(super) fn add_group(&mut self, wanted: &Rc<config::Group>) -> bool {
        if self.table.group_id(&wanted.name).is_some() {
            return false;
        }
        let id = GroupId(self.table.next_id());
        let mut members = Vec::with_capacity(wanted.programs.len());
        let mut names = Vec::with_capacity(wanted.programs.len());
        for index in 0..wanted.programs.len() {
            let member = ProcessId(self.table.next_id());
            let process = self.make_process(id, wanted, index);
            names.push((wanted.programs[index].name.clone(), member));
            members.push(member);
            self.table.add_process(member, process);
        }
        let pool = self.make_pool(id, wanted);
        names.sort_unstable();
        let names = names.into_boxed_slice();
        let group = ActiveGroup {
            config: Rc::clone(wanted),
            members: members.clone(),
            names,
            pool,
            congestion: None,
            socket: Weak::new(),
        };
        self.table.add_group(id, group);
        if let GroupKind::Listeners { events, .. } = &wanted.kind {
            self.adopt_retired_pools(id, &wanted.name, events);
        }
        members.into_iter().for_each(|member| self.reschedule(member));
        self.publish(&Event::GroupAdded(Rc::new(wanted.name.clone())));
        true
    }

    fn make_process(&mut self, group: GroupId, origin: &Rc<config::Group>, index: usize) -> Process {
        let program = &origin.programs[index];
        let stdout_log = self.log_path(program, OutputChannel::Stdout, &program.stdout.logfile);
        let stderr_log = self.log_path(program, OutputChannel::Stderr, &program.stderr.logfile);
        let namespec = Namespec { group: origin.name.clone(), process: program.name.clone() };
        let role = match origin.kind {
            GroupKind::Listeners { .. } => ProcessRole::Listener,
            GroupKind::Programs | GroupKind::FastCgi(_) => ProcessRole::Program,
        };
        let policy = Policy { role, ..program.policy() };
        Process {
            group,
            lifecycle: Lifecycle::new(namespec, policy),
            group_config: Rc::clone(origin),
            index,
            stdout_log,
            stderr_log,
            stdin: None,
            stdout: None,
            stderr: None,
            socket: None,
            waits: Vec::new(),
            due: None,
            state_folder: None,
            last_exit: None,
            down_reason: None,
            stop_reason: None,
            sent_signal: None,
            recycling: Recycling::default(),
            restarted_automatically: false,
            stopped_by_own_pool: false,
            exit_reported: None,
        }
    }

    /// Where a channel is logged to; AUTO gets a name of its own.
    fn log_path(
        &mut self,
        program: &config::Program,
        channel: OutputChannel,
        target: &LogTarget,
    ) -> Option<PathBuf> {
        match target {
            LogTarget::None => None,
            LogTarget::File(path) => Some(path.clone()),
            LogTarget::Auto => {
                let folder: &Path = &self.settings.childlogdir;
                match auto_logs::create(folder, &program.name.0, channel, &self.settings.identifier) {
                    Ok(path) => Some(path),
                    Err(error) => {
                        let line = format!(
                            "cannot make a log for {} of {} in {}: {error}; its output is not kept",
                            channel.name(),
                            program.name,
                            folder.display()
                        );
                        self.log.log(Level::Critical, &line);
                        None
                    }
                }
            }
        }
    }

    fn make_pool(&mut self, id: GroupId, wanted: &config::Group) -> Option<Pool> {
        let GroupKind::Listeners { events, buffer_size, result_handler } = &wanted.kind else { return None };
        let capacity = buffer_size.map_or(Capacity::Default, Capacity::Fixed);
        self.bus.subscribe(PoolId(id.0), events);
        let handler = config::result_handler(result_handler);
        let mut pool = Pool::new(wanted.name.clone(), self.settings.identifier.clone(), capacity, handler);
        pool.set_log_level(self.settings.loglevel);
        Some(pool)
    }

    /// Takes a group out of service, if all of its processes have stopped.
    pub(super) fn remove_group(&mut self, name: &GroupName) -> Result<(), RemoveError> {
        let id = self.table.group_id(name).ok_or(RemoveError::Unknown)?;
        let group = self.table.group(id).ok_or(RemoveError::Unknown)?;
        let process = |member: &ProcessId| self.table.process(*member);
        if group.members.iter().filter_map(process).any(|process| !is_stopped(process.lifecycle.state())) {
            return Err(RemoveError::StillRunning);
        }
        self.clear_congestion(id);
        let pool = self.table.group_mut(id).and_then(|group| group.pool.take());
        self.table.remove_group(id);
        let event = Event::GroupRemoved(Rc::new(name.clone()));
        self.record(&event, None);
        self.dispatch_event(&event, Some(id));
        if let Some(pool) = pool {
            self.retire_pool(pool, Some(id));
        }
        Ok(())
    }
}
