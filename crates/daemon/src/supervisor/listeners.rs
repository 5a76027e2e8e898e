//! Events on their way: from the bus to the pools, and from the pools to the listeners' standard inputs.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use ironlance_core::ProcessState;
use ironlance_core::event::record::EventRecord;
use ironlance_core::event::{Event, StateDetail};
use ironlance_core::listener::bus::PoolId;
use ironlance_core::listener::pool::{MemberId, Pool, PoolEffect, StoppedBy};
use ironlance_core::log_level::Level;
use ironlance_core::process::lifecycle::Input;

use super::{Supervisor, retired_pools};
use crate::requester::SignalReason;
use crate::state::event_log::STREAMED_BODY;
use crate::state::ids::{GroupId, ProcessId};
use crate::state::process_table::Process;

/// A pool is told of ends of its own listeners that nobody wished no more often than this: the news may be what ends
/// them.
const OWN_EXITS_EVERY: Duration = Duration::from_secs(60);

/// A listener is to be stopped and started again.
pub(super) struct RecycleRequest {
    id: ProcessId,
    /// The child it is about; a later one is innocent.
    pid: u32,
    why: String,
}

impl Supervisor {
    /// Gives an event that is about no process to every pool that asked for its type, and notes it for people.
    pub(super) fn publish(&mut self, event: &Event) {
        self.record(event, None);
        self.dispatch_event(event, None);
    }

    /// Notes what has happened, for people. `why` is for ends.
    pub(super) fn record(&mut self, event: &Event, why: Option<Rc<str>>) {
        if self.event_log.is_wanted(event.kind()) {
            let event = event.shortened(STREAMED_BODY).unwrap_or_else(|| event.clone());
            self.event_log.add(EventRecord { number: 0, at: self.clock.now().wall, event, why });
        }
    }

    /// Gives an event to every pool that asked for its type, but one.
    pub(super) fn dispatch_event(&mut self, event: &Event, but: Option<GroupId>) {
        let but = but.map(|id| PoolId(id.0));
        let Some((serial, pools)) = self.bus.publish(event.kind(), but) else { return };
        for pool in pools {
            let id = GroupId(pool.0);
            // One that is out of service keeps them for the next of its name.
            let pool = self.table.group_mut(id).and_then(|group| group.pool.as_mut());
            let Some(pool) = pool.or_else(|| retired_pools::pool_mut(&mut self.retired_pools, id)) else {
                continue;
            };
            let effects = pool.offer(serial, event);
            self.apply_pool_effects(id, effects);
        }
    }

    /// The pool that must not hear of a change of state, if there is one: a listener that is started again and again
    /// makes events, and if these were what ends it, there would be no end.
    pub(super) fn excluded_pool(
        &mut self,
        id: ProcessId,
        to: ProcessState,
        detail: StateDetail,
    ) -> Option<GroupId> {
        let now = self.clock.mono();
        let process = self.table.process_mut(id).filter(|process| process.is_listener())?;
        let is_kept = match to {
            ProcessState::Stopping => process.lifecycle.is_recycling() || process.stopped_by_own_pool,
            ProcessState::Backoff => true,
            ProcessState::Starting | ProcessState::Running => {
                process.restarted_automatically || process.stopped_by_own_pool
            }
            // Without a restart there is no circle.
            ProcessState::Exited if !process.will_restart() => false,
            ProcessState::Exited => {
                let expected = matches!(detail, StateDetail::Exit { expected: true, .. });
                expected || !may_report_exit(process, now)
            }
            ProcessState::Stopped => process.stopped_by_own_pool,
            ProcessState::Fatal | ProcessState::Unknown => false,
        };
        is_kept.then_some(process.group)
    }

    /// The pool that is not told of the output of a process: what a listener writes about an event would be the next one.
    pub(super) fn own_pool(&self, id: ProcessId) -> Option<GroupId> {
        self.table.process(id).filter(|process| process.is_listener()).map(|process| process.group)
    }

    fn pool_mut(&mut self, id: GroupId) -> Option<&mut Pool> {
        self.table.group_mut(id).and_then(|group| group.pool.as_mut())
    }

    /// The pool that a process is a listener of.
    fn pool_of(&mut self, id: ProcessId) -> Option<(GroupId, &mut Pool)> {
        let group = self.table.process(id)?.group;
        self.pool_mut(group).map(|pool| (group, pool))
    }

    /// Carries out what a pool asks for.
    pub(super) fn apply_pool_effects(&mut self, group: GroupId, effects: Vec<PoolEffect>) {
        let mut effects = VecDeque::from(effects);
        while let Some(effect) = effects.pop_front() {
            match effect {
                PoolEffect::Send { member, bytes } => {
                    let now = self.clock.mono();
                    if self.write_stdin(ProcessId(member.0), &bytes).is_err()
                        && let Some(pool) = self.pool_mut(group)
                    {
                        effects.extend(pool.on_stdin_closed(member, now));
                    }
                }
                PoolEffect::Log(level, line) => self.log.log(level, &line),
                PoolEffect::Restart { member, why } => self.request_recycle(ProcessId(member.0), why),
                PoolEffect::Milestone { member, what } => {
                    self.step(ProcessId(member.0), Input::Milestone(what));
                }
                PoolEffect::Stdout(text) => self.write_own_stdout(&text),
            }
        }
    }

    /// What a listener has said on its standard output.
    pub(super) fn on_listener_output(&mut self, id: ProcessId, data: &[u8]) {
        let now = self.clock.mono();
        let Some((group, pool)) = self.pool_of(id) else { return };
        let answered = pool.answered();
        let effects = pool.on_stdout(MemberId(id.0), data, now);
        let is_answered = pool.answered() > answered;
        self.apply_pool_effects(group, effects);
        if is_answered {
            self.on_pool_progress(group);
        }
    }

    /// Pools with deadlines that have come: events that come back, listeners whose time is over.
    pub(super) fn wake_pools(&mut self) {
        let Some(due) = self.pools_deadline() else { return };
        let now = self.clock.mono();
        if due > now {
            return;
        }
        for id in self.table.pool_ids() {
            let Some(pool) = self.pool_mut(id) else { continue };
            let effects = pool.wake(now);
            self.apply_pool_effects(id, effects);
        }
    }

    /// When that is due next (monotonic).
    pub(super) fn pools_deadline(&self) -> Option<Duration> {
        self.table.pools().filter_map(|(_, group)| group.pool.as_ref()?.next_deadline()).min()
    }

    /// A listener has closed its standard input: what it was to read goes to another.
    pub(super) fn on_stdin_closed(&mut self, id: ProcessId) {
        let now = self.clock.mono();
        let Some((group, pool)) = self.pool_of(id) else { return };
        let effects = pool.on_stdin_closed(MemberId(id.0), now);
        self.apply_pool_effects(group, effects);
    }

    /// A listener has closed its standard output: it can answer no more.
    pub(super) fn on_listener_stdout_closed(&mut self, id: ProcessId) {
        let now = self.clock.mono();
        if let Some((_, pool)) = self.pool_of(id) {
            pool.on_stdout_closed(MemberId(id.0), now);
        }
    }

    /// A listener that is being stopped gets no more events. If a process of its own pool asked for that, its work on an
    /// event did it, and would do it again.
    pub(super) fn retire_member(&mut self, id: ProcessId, to: ProcessState) {
        let Some(process) = self.table.process_mut(id).filter(|process| process.is_listener()) else {
            return;
        };
        match to {
            ProcessState::Stopping => {
                let asker = process.stop_reason.as_ref().and_then(SignalReason::process);
                process.stopped_by_own_pool =
                    asker.is_some_and(|asker| asker.group == process.group_config.name);
                let by = if process.stopped_by_own_pool { StoppedBy::OwnPool } else { StoppedBy::Other };
                if let Some((_, pool)) = self.pool_of(id) {
                    pool.stop_requested(MemberId(id.0), by);
                }
            }
            // What follows on such an end is another matter.
            ProcessState::Exited | ProcessState::Backoff | ProcessState::Fatal | ProcessState::Unknown => {
                process.stopped_by_own_pool = false;
            }
            ProcessState::Stopped | ProcessState::Starting | ProcessState::Running => {}
        }
    }

    /// A listener broke the protocol: it is to be stopped, and started again.
    fn request_recycle(&mut self, id: ProcessId, why: String) {
        let Some(pid) = self.table.process(id).and_then(|process| process.lifecycle.pid()) else { return };
        self.recycle_requests.push(RecycleRequest { id, pid, why });
    }

    /// Stops the listeners that are to be recycled. Not done at once, as the reason may be an event about them.
    pub(super) fn recycle_listeners(&mut self) {
        if self.recycle_requests.is_empty() {
            return;
        }
        // One that has just ended on its own is not stopped, it has exited.
        self.reap();
        for RecycleRequest { id, pid, why } in std::mem::take(&mut self.recycle_requests) {
            let now = self.clock.mono();
            let Some(process) = self.table.process_mut(id) else { continue };
            if process.lifecycle.pid() != Some(pid) || process.lifecycle.is_stopping() {
                continue;
            }
            let pause = process.recycling.violation(now);
            let line = format!("recycling the listener {}: it {why}", process.namespec());
            self.log.log(Level::Warn, &line);
            self.set_stop_reason(id, SignalReason::Recycled);
            self.step(id, Input::Recycle { pause, why });
        }
    }
}

/// Whether the pool of a listener may be told that it ended; notes that it was.
fn may_report_exit(process: &mut Process, now: Duration) -> bool {
    let is_told = process.exit_reported.is_none_or(|at| now >= at + OWN_EXITS_EVERY);
    if is_told {
        process.exit_reported = Some(now);
    }
    is_told
}
