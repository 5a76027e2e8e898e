//! Starts and stops on request: whether a process is there already, clients that wait, and stops that take long.

use std::time::Duration;

use ironlance_core::ProcessState;
use ironlance_core::log_level::Level;
use ironlance_core::process::lifecycle::Input;
use ironlance_rpc::{Fault, FaultKind};

use super::ids::ProcessId;
use super::pending_calls::{Goal, PendingWait, ReplyTo, is_running};
use super::process_table::Process;
use super::timers::Timer;
use super::{State, Turn};
use crate::requester::SignalReason;

/// How often the log says that a stop takes long.
const STOP_REPORT_EVERY: Duration = Duration::from_secs(2);

/// Whether a process has reached the goal already. One that will restart is not down.
pub(crate) fn has_reached(process: &Process, goal: Goal) -> bool {
    let running = is_running(process.lifecycle.state());
    match goal {
        Goal::Up => running,
        Goal::Down => !running && !process.will_restart(),
    }
}

impl State {
    /// Stops a process on request. The fault is that there is nothing to stop.
    pub(crate) fn stop(&mut self, id: ProcessId, called: &str, turn: &mut Turn<'_>) -> Result<(), Fault> {
        let requester = self.current_requester();
        let process = self.table.process_mut(id).filter(|process| !has_reached(process, Goal::Down));
        let process = process.ok_or_else(|| FaultKind::NotRunning.about(called))?;
        // A stop on request is final, whatever a listener did wrong before.
        process.recycling.reset();
        process.stop_reason = Some(SignalReason::Stop(requester));
        self.step(id, Input::Stop, turn);
        Ok(())
    }

    /// Sends the outcome when the process has reached the goal, which may be now.
    pub(crate) fn wait(
        &mut self,
        id: ProcessId,
        until: Goal,
        called: &str,
        reply_to: ReplyTo,
        turn: &mut Turn<'_>,
    ) {
        let Some(process) = self.table.process_mut(id) else { return };
        process.waits.push(PendingWait { until, requested_name: called.to_owned(), reply_to });
        if until == Goal::Down {
            self.stop_reports.push((id, turn.now.mono));
            turn.timers.set_earlier(Timer::StopReports, turn.now.mono);
        }
        self.complete_waits(id, turn);
    }

    /// Logs which processes still have not stopped while a client waits for it, each every two seconds.
    pub(crate) fn log_slow_stops(&mut self, turn: &mut Turn<'_>) {
        let now = turn.now.mono;
        let is_waited_for = |process: &&Process| {
            process.lifecycle.state() == ProcessState::Stopping
                && process.waits.iter().any(|wait| wait.until == Goal::Down)
        };
        let table = &self.table;
        self.stop_reports.retain_mut(|(id, due)| {
            let Some(process) = table.process(*id).filter(is_waited_for) else { return false };
            if *due <= now {
                turn.log(Level::Info, format!("waiting for {} to stop", process.namespec().process));
                *due = now + STOP_REPORT_EVERY;
            }
            true
        });
        turn.timers.set(Timer::StopReports, self.stop_reports.iter().map(|(_, due)| *due).min());
    }
}
