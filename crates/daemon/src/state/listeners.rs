//! Events on their way: to the event log, over the bus to the pools, and from the pools to the listeners.

use std::rc::Rc;
use std::time::Duration;

use ironlance_core::event::{Event, StateDetail};
use ironlance_core::listener::bus::PoolId;
use ironlance_core::listener::pool::{MemberId, Pool, PoolEffect, StoppedBy};
use ironlance_core::log_level::Level;
use ironlance_core::process::lifecycle::Input;
use ironlance_core::{ProcessName, ProcessState};

use super::command::Command;
use super::event_log::STREAMED_BODY;
use super::ids::{GroupId, ProcessId};
use super::process_table::Process;
use super::retired_pools;
use super::timers::Timer;
use super::{State, Turn};
use crate::requester::SignalReason;
use ironlance_core::event::record::EventRecord;

/// A pool gets events about unrequested exits of its own listeners no more often than this: such an event may be what
/// ends them.
const OWN_EXITS_EVERY: Duration = Duration::from_secs(60);

/// A listener that is to be stopped and started again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RecycleRequest {
    id: ProcessId,
    /// The child that broke the protocol; a later one did not.
    pid: u32,
    why: String,
}

impl State {
    /// Records an event that is about no process, and gives it to every pool that asked for its type.
    pub(crate) fn publish(&mut self, event: &Event, turn: &mut Turn<'_>) {
        self.record(event, None, turn);
        self.dispatch_event(event, None, None, turn);
    }

    /// Records an event for people, if its type is stored or subscribed to. `why` is for exits.
    pub(crate) fn record(&mut self, event: &Event, why: Option<Rc<str>>, turn: &mut Turn<'_>) {
        let kind = event.kind();
        if !self.event_log.is_wanted(kind) {
            return;
        }
        let event = event.shortened(STREAMED_BODY).unwrap_or_else(|| event.clone());
        let record = self.event_log.add(EventRecord { number: 0, at: turn.now.wall, event, why });
        if self.event_log.is_streamed(kind) {
            turn.push(Command::Publish(record));
        }
    }

    /// Writes an event to the journal, and gives it to every pool that asked for its type, except one. `about` is the
    /// process that a state event is about.
    pub(crate) fn dispatch_event(
        &mut self,
        event: &Event,
        about: Option<ProcessId>,
        except: Option<GroupId>,
        turn: &mut Turn<'_>,
    ) {
        let except = except.map(|id| PoolId(id.0));
        let published = self.bus.publish(event.kind(), except);
        self.journal_event(event, about, published.as_ref().map(|(serial, _)| *serial), turn);
        let Some((serial, pools)) = published else { return };
        for pool in pools {
            let id = GroupId(pool.0);
            // One that is out of service keeps them for the next of its name.
            let pool = self.table.group_mut(id).and_then(|group| group.pool.as_mut());
            let Some(pool) = pool.or_else(|| retired_pools::pool_mut(&mut self.retired_pools, id)) else {
                continue;
            };
            let effects = pool.offer(serial, event);
            self.apply_pool_effects(id, effects, turn);
        }
    }

    /// The pool that does not get the event of a change of state, if there is one: a listener that is restarted again and
    /// again makes events, and if these were what ends it, it would never stop.
    pub(crate) fn excluded_pool(
        &mut self,
        id: ProcessId,
        to: ProcessState,
        detail: StateDetail,
        now: Duration,
    ) -> Option<GroupId> {
        let process = self.table.process_mut(id).filter(|process| process.is_listener())?;
        let is_excluded = match to {
            ProcessState::Stopping => process.lifecycle.is_recycling() || process.stopped_by_own_pool,
            ProcessState::Backoff => true,
            ProcessState::Starting | ProcessState::Running => {
                process.restarted_automatically || process.stopped_by_own_pool
            }
            // Without a restart there is no loop.
            ProcessState::Exited if !process.will_restart() => false,
            ProcessState::Exited => {
                let expected = matches!(detail, StateDetail::Exit { expected: true, .. });
                expected || !may_report_exit(process, now)
            }
            ProcessState::Stopped => process.stopped_by_own_pool,
            ProcessState::Fatal | ProcessState::Unknown => false,
        };
        is_excluded.then_some(process.group)
    }

    /// The pool that gets no events about the output of a process: what a listener writes about an event would be the
    /// next event.
    pub(crate) fn own_pool(&self, id: ProcessId) -> Option<GroupId> {
        self.table.process(id).filter(|process| process.is_listener()).map(|process| process.group)
    }

    pub(crate) fn pool_mut(&mut self, id: GroupId) -> Option<&mut Pool> {
        self.table.group_mut(id).and_then(|group| group.pool.as_mut())
    }

    /// Tells the pool of a listener what the listener did, and does what the pool asks for. Gives the pool's group.
    fn tell_pool(
        &mut self,
        id: ProcessId,
        turn: &mut Turn<'_>,
        tell: impl FnOnce(&mut Pool, MemberId, Duration) -> Vec<PoolEffect>,
    ) -> Option<GroupId> {
        let group = self.table.process(id)?.group;
        let effects = tell(self.pool_mut(group)?, MemberId(id.0), turn.now.mono);
        self.apply_pool_effects(group, effects, turn);
        Some(group)
    }

    /// Turns what a pool asks for into commands and inputs, and sets the pool's timer.
    pub(crate) fn apply_pool_effects(
        &mut self,
        group: GroupId,
        effects: Vec<PoolEffect>,
        turn: &mut Turn<'_>,
    ) {
        let mut broken = None;
        for effect in effects {
            match effect {
                PoolEffect::Send { member, bytes } => {
                    turn.push(Command::WriteStdin { id: ProcessId(member.0), bytes });
                }
                PoolEffect::Log(level, line) => turn.log(level, line),
                PoolEffect::Restart { member, why } => {
                    broken.get_or_insert_with(|| why.clone());
                    self.request_recycle(ProcessId(member.0), why, turn);
                }
                PoolEffect::Milestone { member, what } => {
                    self.step(ProcessId(member.0), Input::Milestone(what), turn);
                }
                PoolEffect::Stdout(text) => turn.push(Command::WriteOwnStdout(text)),
            }
        }
        self.journal_pool(group, broken.as_deref(), turn);
        self.reschedule_pool(group, turn);
    }

    fn reschedule_pool(&mut self, group: GroupId, turn: &mut Turn<'_>) {
        let due = self.pool_mut(group).and_then(|pool| pool.next_deadline());
        turn.timers.set(Timer::Pool(group), due);
    }

    /// Sets the timers of all pools anew: a panic loses those that had expired together.
    pub(crate) fn reschedule_pools(&mut self, turn: &mut Turn<'_>) {
        self.table.pool_ids().into_iter().for_each(|id| self.reschedule_pool(id, turn));
    }

    /// A deadline of a pool has come: events come back, or a listener's time is over.
    pub(crate) fn wake_pool(&mut self, group: GroupId, turn: &mut Turn<'_>) {
        let Some(pool) = self.pool_mut(group) else { return };
        let effects = pool.wake(turn.now.mono);
        self.apply_pool_effects(group, effects, turn);
    }

    /// A listener was started.
    pub(crate) fn join_pool(&mut self, id: ProcessId, name: ProcessName, turn: &mut Turn<'_>) {
        let group = self.tell_pool(id, turn, |pool, member, now| pool.add_member(member, name, now));
        group.into_iter().for_each(|group| self.reset_backpressure(group, turn));
    }

    /// A listener has exited: it gives back the event that it had not dealt with.
    pub(crate) fn leave_pool(&mut self, id: ProcessId, turn: &mut Turn<'_>) {
        let group = self.tell_pool(id, turn, Pool::member_exited);
        group.into_iter().for_each(|group| self.reset_backpressure(group, turn));
    }

    /// A listener has written to its standard output.
    pub(crate) fn on_listener_output(&mut self, id: ProcessId, data: &[u8], turn: &mut Turn<'_>) {
        let mut is_answered = false;
        let group = self.tell_pool(id, turn, |pool, member, now| {
            let answered = pool.answered();
            let effects = pool.on_stdout(member, data, now);
            is_answered = pool.answered() > answered;
            effects
        });
        group.filter(|_| is_answered).into_iter().for_each(|group| self.on_pool_progress(group, turn));
    }

    /// A listener has closed its standard input: what it was to read goes to another.
    pub(crate) fn on_stdin_closed(&mut self, id: ProcessId, turn: &mut Turn<'_>) {
        self.tell_pool(id, turn, Pool::on_stdin_closed);
    }

    /// A listener has closed its standard output: it can answer no more.
    pub(crate) fn on_listener_stdout_closed(&mut self, id: ProcessId, turn: &mut Turn<'_>) {
        self.tell_pool(id, turn, |pool, member, now| {
            pool.on_stdout_closed(member, now);
            Vec::new()
        });
    }

    /// A listener that is being stopped gets no more events. If a process of its own pool asked for the stop, its work on
    /// an event did it, and would do it again.
    pub(crate) fn retire_member(&mut self, id: ProcessId, to: ProcessState) {
        let Some(process) = self.table.process_mut(id).filter(|process| process.is_listener()) else {
            return;
        };
        match to {
            ProcessState::Stopping => {
                let requester = process.stop_reason.as_ref().and_then(SignalReason::process);
                process.stopped_by_own_pool =
                    requester.is_some_and(|requester| requester.group == process.group_config.name);
                let by = if process.stopped_by_own_pool { StoppedBy::OwnPool } else { StoppedBy::Other };
                let group = process.group;
                if let Some(pool) = self.pool_mut(group) {
                    pool.stop_requested(MemberId(id.0), by);
                }
            }
            // It ended in another way than by the stop that its pool requested.
            ProcessState::Exited | ProcessState::Backoff | ProcessState::Fatal | ProcessState::Unknown => {
                process.stopped_by_own_pool = false;
            }
            ProcessState::Stopped | ProcessState::Starting | ProcessState::Running => {}
        }
    }

    /// A listener broke the protocol. It is recycled at the end of the turn: the violation may be found while an event
    /// about the same process is dispatched.
    fn request_recycle(&mut self, id: ProcessId, why: String, turn: &mut Turn<'_>) {
        let Some(pid) = self.table.process(id).and_then(|process| process.lifecycle.pid()) else { return };
        self.recycle_requests.push(RecycleRequest { id, pid, why });
        turn.timers.set_earlier(Timer::Recycle, turn.now.mono);
    }

    /// Stops the listeners that are to be recycled. Children that have exited must have been reaped: they are not stopped.
    pub(crate) fn recycle_listeners(&mut self, turn: &mut Turn<'_>) {
        for RecycleRequest { id, pid, why } in std::mem::take(&mut self.recycle_requests) {
            let Some(process) = self.table.process_mut(id) else { continue };
            if process.lifecycle.pid() != Some(pid) || process.lifecycle.is_stopping() {
                continue;
            }
            let pause = process.recycling.violation(turn.now.mono);
            process.stop_reason = Some(SignalReason::Recycled);
            turn.log(Level::Warn, format!("recycling the listener {}: it {why}", process.namespec()));
            self.step(id, Input::Recycle { pause, why }, turn);
        }
    }
}

/// Whether the pool of a listener may get the event that it exited; notes that it did.
fn may_report_exit(process: &mut Process, now: Duration) -> bool {
    let is_reported = process.exit_reported.is_none_or(|at| now >= at + OWN_EXITS_EVERY);
    if is_reported {
        process.exit_reported = Some(now);
    }
    is_reported
}
