//! The shutdown: groups stop one after the other, the highest priority first; listeners are last by their default of -1.

use std::time::Duration;

use ironlance_core::ProcessState;
use ironlance_core::event::Event;
use ironlance_core::log_level::Level;
use ironlance_core::process::lifecycle::{DaemonState, Input};

use super::ids::GroupId;
use super::pending_calls::is_stopped;
use super::timers::Timer;
use super::{State, Turn};
use crate::requester::{Requester, SignalReason};

/// How often the log names the processes that are waited for.
const REPORT_EVERY: Duration = Duration::from_secs(3);
/// How long all listeners together may take for the events that they still have, before they are stopped.
const LISTENER_GRACE: Duration = Duration::from_millis(1500);

/// How long the daemon waits at its end for the readers of slow logs. A container is killed after ten seconds.
const LOG_GRACE: Duration = Duration::from_secs(3);

/// A shutdown under way.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ShutdownPlan {
    /// Groups that are still to be stopped; the last one is next.
    groups: Vec<GroupId>,
    /// Who asked for it, and for what.
    reason: SignalReason,
    /// When the log last named the processes that are waited for (monotonic).
    last_report: Option<Duration>,
    /// Until when pools may finish their events, from the first one on that has some.
    grace: Option<Duration>,
    /// Until when slow readers may take what children have left in their logs.
    log_grace: Option<Duration>,
}

impl State {
    /// From now on everything stops; `daemon_state` is what comes after. Children that have exited must have been reaped:
    /// they were not stopped.
    pub(crate) fn begin_shutdown(&mut self, daemon_state: DaemonState, turn: &mut Turn<'_>) {
        self.daemon_state = daemon_state;
        if self.shutdown.is_some() {
            return;
        }
        let groups = self.table.groups_by_priority();
        let requester = self.current_requester();
        let reason = match daemon_state {
            DaemonState::Restarting => SignalReason::Restart(requester),
            DaemonState::Running | DaemonState::Shutdown => SignalReason::Shutdown(requester),
        };
        self.shutdown =
            Some(ShutdownPlan { groups, reason, last_report: None, grace: None, log_grace: None });
        self.publish(&Event::SupervisorStopping, turn);
        self.reschedule_all(turn);
    }

    /// Stops what is next to be stopped. Returns whether every process has stopped.
    pub(crate) fn continue_shutdown(&mut self, turn: &mut Turn<'_>) -> bool {
        while let Some(group) = self.shutdown.as_ref().and_then(|plan| plan.groups.last().copied()) {
            if !self.may_stop_now(group, turn) {
                break;
            }
            self.stop_group(group, turn);
            if !self.table.is_group_stopped(group) {
                break;
            }
            if let Some(plan) = &mut self.shutdown {
                plan.groups.pop();
            }
        }
        if self.table.processes().all(|(_, process)| is_stopped(process.lifecycle.state())) {
            turn.timers.set(Timer::Shutdown, None);
            return true;
        }
        self.report_unstopped(turn);
        turn.timers.set(Timer::Shutdown, self.shutdown_deadline(turn.now.mono));
        false
    }

    /// Whether everything stops for a fault of our own.
    pub(crate) fn is_emergency(&self) -> bool {
        let reason = self.shutdown.as_ref().map(|plan| &plan.reason);
        matches!(reason, Some(SignalReason::Shutdown(requester)) if **requester == Requester::Daemon)
    }

    /// Whether slow readers of logs still have time, when everything has stopped.
    pub(crate) fn awaits_orphaned_logs(&mut self, turn: &mut Turn<'_>) -> bool {
        let Some(plan) = &mut self.shutdown else { return false };
        let until = *plan.log_grace.get_or_insert(turn.now.mono + LOG_GRACE);
        turn.timers.set(Timer::Shutdown, Some(until));
        turn.now.mono < until
    }

    /// Listeners get a moment for the events that wait for them: an alert may be among them.
    fn may_stop_now(&mut self, id: GroupId, turn: &Turn<'_>) -> bool {
        let Some(pool) = self.table.group(id).and_then(|group| group.pool.as_ref()) else { return true };
        let busy = pool.pending() > 0 || pool.members().any(|member| member.event.is_some());
        if !busy || pool.members().next().is_none() {
            return true;
        }
        let Some(plan) = &mut self.shutdown else { return true };
        turn.now.mono >= *plan.grace.get_or_insert(turn.now.mono + LISTENER_GRACE)
    }

    fn stop_group(&mut self, id: GroupId, turn: &mut Turn<'_>) {
        let Some(reason) = self.shutdown.as_ref().map(|plan| plan.reason.clone()) else { return };
        for member in self.table.members_by_priority(id).into_iter().rev() {
            let Some(process) = self.table.process_mut(member) else { continue };
            match process.lifecycle.state() {
                // One that is recycled shall not come back.
                ProcessState::Stopping if !process.lifecycle.is_recycling() => {}
                ProcessState::Running | ProcessState::Starting | ProcessState::Stopping => {
                    process.stop_reason = Some(reason.clone());
                    self.step(member, Input::Stop, turn);
                }
                ProcessState::Backoff => self.step(member, Input::GiveUp, turn),
                ProcessState::Stopped
                | ProcessState::Exited
                | ProcessState::Fatal
                | ProcessState::Unknown => {}
            }
        }
    }

    fn report_unstopped(&mut self, turn: &mut Turn<'_>) {
        let now = turn.now.mono;
        let Some(plan) = &mut self.shutdown else { return };
        if plan.last_report.is_some_and(|at| now < at + REPORT_EVERY) {
            return;
        }
        plan.last_report = Some(now);
        let all = self.table.processes().map(|(_, process)| &process.lifecycle);
        let unstopped = all.filter(|life| !is_stopped(life.state()));
        let names: Vec<&str> = unstopped.clone().map(|life| life.namespec().process.0.as_str()).collect();
        turn.log(Level::Info, format!("waiting for {} to die", names.join(", ")));
        for life in unstopped {
            turn.log(Level::Blather, format!("{} state: {}", life.namespec().process, life.state()));
        }
    }

    /// When the shutdown has to be looked at again though nothing has happened (monotonic).
    fn shutdown_deadline(&self, now: Duration) -> Option<Duration> {
        let plan = self.shutdown.as_ref()?;
        let grace = plan.grace.filter(|until| *until > now);
        [grace, plan.last_report.map(|at| at + REPORT_EVERY)].into_iter().flatten().min()
    }
}
