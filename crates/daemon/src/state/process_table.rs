//! Groups and processes, found by name, by number and by pid: [`ProcessTable`], which the owner alone changes.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use ironlance_config as config;
use ironlance_core::event::{OutputChannel, StateDetail};
use ironlance_core::listener::backpressure::Backpressure;
use ironlance_core::listener::pool::{Pool, Recycling};
use ironlance_core::process::lifecycle::{DaemonState, Input, Lifecycle};
use ironlance_core::{GroupName, Namespec, ProcessName, ProcessState};

use crate::requester::SignalReason;
use crate::state::exit_record::{ExitRecord, ObservedExit, SentSignal};
use crate::state::ids::{GroupId, ProcessId};
use crate::state::pending_calls::{PendingWait, is_stopped};
use crate::state::pool_condition::PoolCondition;
use crate::state::state_folder::ListenerStateFolder;

/// Where the outputs of a process go, by [`OutputChannel`], with AUTO resolved.
pub(crate) type LogPaths = [Option<PathBuf>; 2];

/// A process, whether it runs or not.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Process {
    pub(crate) group: GroupId,
    pub(crate) lifecycle: Lifecycle,
    /// Shared with the configuration it came from.
    pub(crate) group_config: Rc<config::Group>,
    /// Which of the group's programs it is.
    pub(crate) index: usize,
    pub(crate) logs: LogPaths,
    /// Its FastCGI socket's host is looked up; it is STARTING, without a pid.
    pub(crate) awaits_address: bool,
    /// Clients that wait for it to be up or down.
    pub(crate) waits: Vec<PendingWait>,
    /// Where it keeps alerts, if it is a listener that has been started.
    pub(crate) state_folder: Option<Box<ListenerStateFolder>>,
    /// How it last ended.
    pub(crate) last_exit: Option<Rc<ExitRecord>>,
    /// Its last start.
    pub(crate) attempt: StartAttempt,
    /// Why it last went down: how it ended, or could not be started.
    pub(crate) down_reason: Option<Rc<str>>,
    /// Why it was told to stop, from then until it has.
    pub(crate) stop_reason: Option<SignalReason>,
    /// The last signal that it was sent on request.
    pub(crate) sent_signal: Option<SentSignal>,
    /// How a listener kept to the protocol.
    pub(crate) recycling: Recycling,
    /// Its last start was an automatic restart.
    pub(crate) restarted_automatically: bool,
    /// It is a listener, and a process of its own pool asked for its last stop.
    pub(crate) stopped_by_own_pool: bool,
    /// When the pool of a listener was last given the event that it exited (monotonic).
    pub(crate) exit_reported: Option<Duration>,
}

/// The last start of a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct StartAttempt {
    /// A process was made, and has ended since.
    pub(crate) has_exited: bool,
    /// How many starts have failed in a row, this one included.
    pub(crate) failures: u32,
}

impl Process {
    pub(crate) fn program(&self) -> &config::Program {
        &self.group_config.programs[self.index]
    }

    /// Where an output goes.
    pub(crate) fn log(&self, channel: OutputChannel) -> Option<&Path> {
        self.logs[channel as usize].as_deref()
    }

    pub(crate) fn namespec(&self) -> &Namespec {
        self.lifecycle.namespec()
    }

    /// Whether it is down only until an automatic restart.
    pub(crate) fn will_restart(&self) -> bool {
        let restarts = self.lifecycle.state() == ProcessState::Exited
            && self.lifecycle.next_deadline(DaemonState::Running).is_some();
        restarts || self.lifecycle.is_recycling()
    }

    /// Notes whether a start that begins was requested.
    pub(crate) fn note_start_origin(&mut self, input: &Input) {
        let ended = matches!(self.lifecycle.state(), ProcessState::Exited | ProcessState::Backoff);
        match input {
            Input::Start => self.restarted_automatically = false,
            Input::Wake if ended => self.restarted_automatically = true,
            _ => {}
        }
    }

    /// Notes what a change of state says of its last start.
    pub(crate) fn note_attempt(&mut self, to: ProcessState, detail: StateDetail) {
        match (to, detail) {
            (ProcessState::Starting, _) => self.attempt.has_exited = false,
            (ProcessState::Running, _) => self.attempt.failures = 0,
            (ProcessState::Backoff, StateDetail::Tries(failures)) => self.attempt.failures = failures,
            _ => {}
        }
    }

    /// Records how it has ended; the lifecycle knows of it.
    pub(crate) fn record_exit(&mut self, exit: ObservedExit) {
        let Some(last) = self.lifecycle.last_exit() else { return };
        let expected =
            exit.cause.requested() || self.lifecycle.policy().exitcodes.contains(&last.status.code());
        let ObservedExit { cause, stdout_tail, stderr_tail } = exit;
        let record =
            ExitRecord { cause, pid: last.pid, up: last.up, at: last.at, expected, stdout_tail, stderr_tail };
        self.last_exit = Some(Rc::new(record));
        self.attempt.has_exited = true;
    }

    pub(crate) fn is_listener(&self) -> bool {
        matches!(self.group_config.kind, config::GroupKind::Listeners { .. })
    }
}

/// A group in service.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ActiveGroup {
    pub(crate) config: Rc<config::Group>,
    /// Its processes in the order of the configuration, in which they are started automatically.
    pub(crate) members: Vec<ProcessId>,
    /// The same, in the order of their names.
    pub(crate) names: Box<[(ProcessName, ProcessId)]>,
    /// Its event buffer, where it is a pool of listeners.
    pub(crate) pool: Option<Pool>,
    /// Output that makes more events is paused while the pool has too many.
    pub(crate) backpressure: Backpressure,
    /// What the journal knows of the pool.
    pub(crate) condition: PoolCondition,
}

impl ActiveGroup {
    /// The process of that name.
    pub(crate) fn member(&self, name: &ProcessName) -> Option<ProcessId> {
        let found = self.names.binary_search_by(|(known, _)| known.cmp(name)).ok();
        found.map(|at| self.names[at].1)
    }
}

/// All groups and processes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ProcessTable {
    /// In the order in which they were added.
    groups: BTreeMap<GroupId, Box<ActiveGroup>>,
    /// Those that are pools, by rising number.
    pools: Vec<GroupId>,
    group_names: BTreeMap<GroupName, GroupId>,
    processes: BTreeMap<ProcessId, Box<Process>>,
    /// Running children.
    pub(crate) pids: HashMap<u32, ProcessId>,
    last_id: u32,
}

impl ProcessTable {
    pub(crate) fn next_id(&mut self) -> u32 {
        self.last_id += 1;
        self.last_id
    }

    pub(crate) fn add_group(&mut self, id: GroupId, group: ActiveGroup) {
        self.group_names.insert(group.config.name.clone(), id);
        if group.pool.is_some() {
            self.pools.push(id);
        }
        self.groups.insert(id, Box::new(group));
    }

    pub(crate) fn add_process(&mut self, id: ProcessId, process: Process) {
        self.processes.insert(id, Box::new(process));
    }

    /// Takes a group and its processes out.
    pub(crate) fn remove_group(&mut self, id: GroupId) {
        let Some(group) = self.groups.remove(&id) else { return };
        self.group_names.remove(&group.config.name);
        self.pools.retain(|pool| *pool != id);
        for member in &group.members {
            self.processes.remove(member);
        }
    }

    pub(crate) fn group_id(&self, name: &GroupName) -> Option<GroupId> {
        self.group_names.get(name).copied()
    }

    pub(crate) fn group(&self, id: GroupId) -> Option<&ActiveGroup> {
        self.groups.get(&id).map(|group| &**group)
    }

    pub(crate) fn group_mut(&mut self, id: GroupId) -> Option<&mut ActiveGroup> {
        self.groups.get_mut(&id).map(|group| &mut **group)
    }

    /// Whether no process of a group runs, or is about to.
    pub(crate) fn is_group_stopped(&self, id: GroupId) -> bool {
        let members = self.groups.get(&id).map(|group| group.members.as_slice()).unwrap_or_default();
        let mut processes = members.iter().filter_map(|member| self.process(*member));
        processes.all(|process| is_stopped(process.lifecycle.state()))
    }

    /// Groups that are pools of listeners.
    pub(crate) fn pool_ids(&self) -> Vec<GroupId> {
        self.pools.clone()
    }

    pub(crate) fn process(&self, id: ProcessId) -> Option<&Process> {
        self.processes.get(&id).map(|process| &**process)
    }

    pub(crate) fn process_mut(&mut self, id: ProcessId) -> Option<&mut Process> {
        self.processes.get_mut(&id).map(|process| &mut **process)
    }

    /// Groups in the order in which they were added.
    pub(crate) fn groups(&self) -> impl Iterator<Item = (GroupId, &ActiveGroup)> {
        self.groups.iter().map(|(id, group)| (*id, &**group))
    }

    pub(crate) fn processes(&self) -> impl Iterator<Item = (ProcessId, &Process)> + Clone {
        self.processes.iter().map(|(id, process)| (*id, &**process))
    }

    /// Groups by rising priority; those of equal priority in the order in which they were added.
    pub(crate) fn groups_by_priority(&self) -> Vec<GroupId> {
        let mut ids: Vec<GroupId> = self.groups.keys().copied().collect();
        ids.sort_by_key(|id| self.groups[id].config.priority);
        ids
    }

    /// All processes: groups by rising priority, and within them processes by rising priority.
    pub(crate) fn by_priority(&self) -> Vec<ProcessId> {
        self.groups_by_priority().into_iter().flat_map(|id| self.members_by_priority(id)).collect()
    }

    /// The same without those of built-in groups.
    pub(crate) fn listed_by_priority(&self) -> Vec<ProcessId> {
        let mut ids = self.by_priority();
        ids.retain(|id| self.processes.get(id).is_some_and(|process| !process.group_config.built_in));
        ids
    }

    /// The processes of a group by rising priority; those of equal priority in the order of the configuration.
    pub(crate) fn members_by_priority(&self, id: GroupId) -> Vec<ProcessId> {
        let mut members = self.groups.get(&id).map(|group| group.members.clone()).unwrap_or_default();
        members
            .sort_by_key(|member| self.processes.get(member).map_or(0, |process| process.program().priority));
        members
    }

    /// The same order, without the processes of built-in groups: what a client sees.
    pub(crate) fn listed(&self) -> impl Iterator<Item = (ProcessId, &Process)> {
        self.by_name().filter(|(_, process)| !process.group_config.built_in)
    }

    /// All processes by the name of their group, then by their own.
    pub(crate) fn by_name(&self) -> impl Iterator<Item = (ProcessId, &Process)> {
        let groups = self.group_names.values().map(|id| &self.groups[id]);
        groups.flat_map(|group| group.names.iter()).map(|(_, id)| (*id, &*self.processes[id]))
    }
}
