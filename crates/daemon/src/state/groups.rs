//! Groups come into service and go out of it: their processes, their pool, and the events about that.

use std::rc::Rc;

use ironlance_config::{self as config, GroupKind};
use ironlance_core::event::Event;
use ironlance_core::listener::backpressure::Backpressure;
use ironlance_core::listener::bus::PoolId;
use ironlance_core::listener::pool::{Capacity, Pool, Recycling};
use ironlance_core::process::lifecycle::{Lifecycle, Policy, ProcessRole};
use ironlance_core::{GroupName, Namespec};
use ironlance_rpc::{Fault, FaultKind};

use super::command::Command;
use super::ids::{GroupId, ProcessId};
use super::pool_condition::PoolCondition;
use super::process_table::{ActiveGroup, LogPaths, Process, StartAttempt};
use super::timers::Timer;
use super::{State, Turn};

impl State {
    /// Takes a group into service that is not in service; `log_paths` are those of its programs, in their order.
    pub(crate) fn add_group(
        &mut self,
        wanted: &Rc<config::Group>,
        log_paths: Vec<LogPaths>,
        settings: &config::Settings,
        turn: &mut Turn<'_>,
    ) {
        let id = GroupId(self.table.next_id());
        let mut members = Vec::with_capacity(wanted.programs.len());
        let mut names = Vec::with_capacity(wanted.programs.len());
        for (index, log_paths) in log_paths.into_iter().enumerate() {
            let member = ProcessId(self.table.next_id());
            names.push((wanted.programs[index].name.clone(), member));
            members.push(member);
            self.table.add_process(member, new_process(id, wanted, index, log_paths));
        }
        names.sort_unstable();
        let group = ActiveGroup {
            config: Rc::clone(wanted),
            members: members.clone(),
            names: names.into_boxed_slice(),
            pool: self.new_pool(id, wanted, settings),
            backpressure: Backpressure::default(),
            condition: PoolCondition::default(),
        };
        self.table.add_group(id, group);
        if let GroupKind::Listeners { events, .. } = &wanted.kind {
            self.adopt_retired_pools(id, &wanted.name, events, turn);
        }
        members.into_iter().for_each(|member| self.reschedule(member, turn));
        self.publish(&Event::GroupAdded(Rc::new(wanted.name.clone())), turn);
    }

    fn new_pool(&mut self, id: GroupId, wanted: &config::Group, settings: &config::Settings) -> Option<Pool> {
        let GroupKind::Listeners { events, buffer_size, result_handler } = &wanted.kind else { return None };
        let capacity = buffer_size.map_or(Capacity::Default, Capacity::Fixed);
        self.bus.subscribe(PoolId(id.0), events);
        let handler = config::result_handler(result_handler);
        let mut pool = Pool::new(wanted.name.clone(), settings.identifier.clone(), capacity, handler);
        pool.set_log_level(settings.loglevel);
        Some(pool)
    }

    /// Takes a group out of service, if all of its processes have stopped. The events of a pool are kept for a while.
    pub(crate) fn remove_group(&mut self, name: &GroupName, turn: &mut Turn<'_>) -> Result<(), Fault> {
        let unknown = || FaultKind::BadName.about(name);
        let id = self.table.group_id(name).ok_or_else(unknown)?;
        if !self.table.is_group_stopped(id) {
            return Err(FaultKind::StillRunning.about(name));
        }
        let members = self.table.group(id).ok_or_else(unknown)?.members.clone();
        self.reset_backpressure(id, turn);
        let pool = self.table.group_mut(id).and_then(|group| group.pool.take());
        self.table.remove_group(id);
        turn.timers.set(Timer::Pool(id), None);
        for member in members {
            turn.timers.set(Timer::Process(member), None);
            turn.push(Command::ClosePipes(member));
        }
        let event = Event::GroupRemoved(Rc::new(name.clone()));
        self.record(&event, None, turn);
        self.dispatch_event(&event, None, Some(id), turn);
        if let Some(pool) = pool {
            self.retire_pool(pool, Some(id), turn);
        }
        Ok(())
    }
}

fn new_process(group: GroupId, config: &Rc<config::Group>, index: usize, logs: LogPaths) -> Process {
    let program = &config.programs[index];
    let namespec = Namespec { group: config.name.clone(), process: program.name.clone() };
    let role = match config.kind {
        GroupKind::Listeners { .. } => ProcessRole::Listener,
        GroupKind::Programs | GroupKind::FastCgi(_) => ProcessRole::Program,
    };
    let policy = Policy { role, ..program.policy() };
    Process {
        group,
        lifecycle: Lifecycle::new(namespec, policy),
        group_config: Rc::clone(config),
        index,
        logs,
        awaits_address: false,
        waits: Vec::new(),
        state_folder: None,
        last_exit: None,
        attempt: StartAttempt::default(),
        down_reason: None,
        stop_reason: None,
        sent_signal: None,
        recycling: Recycling::default(),
        restarted_automatically: false,
        stopped_by_own_pool: false,
        exit_reported: None,
    }
}
