//! The end: groups stop one after the other, the highest priority first, and listeners last.

use std::time::Duration;

use ironlance_core::ProcessState;
use ironlance_core::event::Event;
use ironlance_core::log_level::Level;
use ironlance_core::process::lifecycle::{DaemonState, Input};

use super::Supervisor;
use crate::requester::SignalReason;
use crate::state::ids::{GroupId, ProcessId};
use crate::state::pending_calls::is_stopped;

/// How often the log says who is waited for.
const REPORT_EVERY: Duration = Duration::from_secs(3);
/// So long all listeners together may take to deal with the events that they still have, before they are stopped.
const LISTENER_GRACE: Duration = Duration::from_millis(1500);

/// The state of a shutdown.
pub(super) struct ShutdownPlan {
    /// Groups that are still to be stopped; the last one is next.
    groups: Vec<GroupId>,
    /// Who asked for it, and for what.
    reason: SignalReason,
    /// When the log was last told who is waited for (monotonic).
    last_report: Option<Duration>,
    /// Until when pools may finish their events, from the first one on that has some.
    grace: Option<Duration>,
}

impl Supervisor {
    /// From now on everything stops. `mood` says what comes after.
    pub(super) fn begin_shutdown(&mut self, mood: DaemonState) {
        self.daemon_state = mood;
        if self.shutdown.is_some() {
            return;
        }
        let groups = self.table.groups_by_priority();
        let asker = self.current_requester();
        let reason = match mood {
            DaemonState::Restarting => SignalReason::Restart(asker),
            DaemonState::Running | DaemonState::Shutdown => SignalReason::Shutdown(asker),
        };
        self.shutdown = Some(ShutdownPlan { groups, reason, last_report: None, grace: None });
        self.publish(&Event::SupervisorStopping);
        self.reschedule_all();
    }

    /// The same for who asks for it. Who has ended by itself before was not stopped, and is told of as what it is.
    pub(super) fn request_shutdown(&mut self, mood: DaemonState) {
        self.reap();
        self.begin_shutdown(mood);
    }

    /// Stops what is next to be stopped; says whether everything has.
    pub(super) fn continue_shutdown(&mut self) -> bool {
        while let Some(group) = self.next_to_stop() {
            if !self.may_stop_now(group) {
                break;
            }
            self.stop_group(group);
            if !self.unstopped_of(group).is_empty() {
                break;
            }
            if let Some(shutdown) = &mut self.shutdown {
                shutdown.groups.pop();
            }
        }
        let unstopped: Vec<ProcessId> = self
            .table
            .processes()
            .filter(|(_, process)| !is_stopped(process.lifecycle.state()))
            .map(|(id, _)| id)
            .collect();
        if unstopped.is_empty() {
            return !self.awaits_orphaned_logs();
        }
        self.report_unstopped(&unstopped);
        false
    }

    fn next_to_stop(&self) -> Option<GroupId> {
        self.shutdown.as_ref()?.groups.last().copied()
    }

    /// Listeners get a moment for the events that wait for them: an alert may be among them.
    fn may_stop_now(&mut self, id: GroupId) -> bool {
        let now = self.clock.mono();
        let Some(pool) = self.table.group(id).and_then(|group| group.pool.as_ref()) else { return true };
        let busy = pool.pending() > 0 || pool.members().any(|member| member.event.is_some());
        let anybody = pool.members().next().is_some();
        if !busy || !anybody {
            return true;
        }
        let Some(shutdown) = &mut self.shutdown else { return true };
        let until = *shutdown.grace.get_or_insert(now + LISTENER_GRACE);
        now >= until
    }

    fn stop_group(&mut self, id: GroupId) {
        let Some(reason) = self.shutdown.as_ref().map(|shutdown| shutdown.reason.clone()) else { return };
        for member in self.table.members_by_priority(id).into_iter().rev() {
            let Some(process) = self.table.process(member) else { continue };
            match process.lifecycle.state() {
                // One that is recycled shall not come back.
                ProcessState::Stopping if !process.lifecycle.is_recycling() => {}
                ProcessState::Running | ProcessState::Starting | ProcessState::Stopping => {
                    self.set_stop_reason(member, reason.clone());
                    self.step(member, Input::Stop);
                }
                ProcessState::Backoff => self.step(member, Input::GiveUp),
                ProcessState::Stopped
                | ProcessState::Exited
                | ProcessState::Fatal
                | ProcessState::Unknown => {}
            }
        }
    }

    fn unstopped_of(&self, id: GroupId) -> Vec<ProcessId> {
        let members = self.table.group(id).map(|group| group.members.as_slice()).unwrap_or_default();
        let unstopped = |member: &&ProcessId| {
            self.table.process(**member).is_some_and(|process| !is_stopped(process.lifecycle.state()))
        };
        members.iter().filter(unstopped).copied().collect()
    }

    fn report_unstopped(&mut self, unstopped: &[ProcessId]) {
        let now = self.clock.mono();
        let Some(shutdown) = &mut self.shutdown else { return };
        if shutdown.last_report.is_some_and(|at| now < at + REPORT_EVERY) {
            return;
        }
        shutdown.last_report = Some(now);
        let of = |id: &ProcessId| self.table.process(*id);
        let names: Vec<&str> =
            unstopped.iter().filter_map(of).map(|process| process.namespec().process.0.as_str()).collect();
        let line = format!("waiting for {} to die", names.join(", "));
        self.log.log(Level::Info, &line);
        for process in unstopped.iter().filter_map(of) {
            let line = format!("{} state: {}", process.namespec().process, process.lifecycle.state());
            self.log.log(Level::Blather, &line);
        }
    }

    /// When the shutdown has to be looked at again though nothing has happened (monotonic).
    pub(super) fn shutdown_deadline(&self) -> Option<Duration> {
        let shutdown = self.shutdown.as_ref()?;
        let now = self.clock.mono();
        let grace = shutdown.grace.filter(|until| *until > now);
        [grace, shutdown.last_report.map(|at| at + REPORT_EVERY)].into_iter().flatten().min()
    }
}
