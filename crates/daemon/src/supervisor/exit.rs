//! What happens when a child has ended: its last output, its place in the books, its listeners.

use std::path::Path;
use std::rc::Rc;

use ironlance_core::event::OutputChannel;
use ironlance_core::listener::pool::MemberId;
use ironlance_core::log_level::Level;
use ironlance_core::process::exit_status::ExitStatus;
use ironlance_core::process::lifecycle::Input;
use ironlance_core::process::oom::{ExitKind, OomVerdict};
use ironlance_core::signal;

use super::Supervisor;
use crate::child::reap;
use crate::io::output::Output;
use crate::requester::{Requester, SignalReason};
use crate::state::exit_record::{self, ExitCause, ExitRecord};
use crate::state::ids::ProcessId;

impl Supervisor {
    /// Takes note of every child that has ended.
    pub(super) fn reap(&mut self) {
        let mut reaped = Vec::new();
        reap::reap(&mut |pid, status| reaped.push((pid, status)));
        if reaped.is_empty() {
            return;
        }
        self.check_oom_kills();
        let find = |pid: &u32| {
            let id = self.table.pids.remove(pid);
            id.filter(|id| self.table.process(*id).is_some())
        };
        let ids: Vec<Option<ProcessId>> = reaped.iter().map(|(pid, _)| pid).map(find).collect();
        let ends: Vec<ExitKind> =
            ids.iter().zip(&reaped).map(|(id, (_, status))| self.classify_exit(*id, *status)).collect();
        let verdicts = self.oom_watch.classify(&ends, self.clock.now());
        for ((id, (pid, status)), memory) in ids.into_iter().zip(reaped).zip(verdicts) {
            match id {
                Some(id) => self.on_exit(id, pid, status, memory),
                None => self.log.log(Level::Info, &format!("reaped unknown pid {pid} ({})", status.words())),
            }
        }
    }

    /// How a child ended, as far as want of memory may have to do with it.
    fn classify_exit(&self, id: Option<ProcessId>, status: ExitStatus) -> ExitKind {
        let killed = matches!(status, ExitStatus::Signal { number: signal::KILL, .. });
        let Some(process) = id.and_then(|id| self.table.process(id)) else {
            // Left to us as PID 1: it may be whom the kernel killed.
            return if killed { ExitKind::SigKill } else { ExitKind::Requested };
        };
        let signalled =
            process.sent_signal.as_ref().is_some_and(|sent| sent.explains(status, self.clock.mono()));
        let expected = process.lifecycle.policy().exitcodes.contains(&status.code());
        match () {
            () if process.lifecycle.is_stopping() || signalled => ExitKind::Requested,
            () if killed => ExitKind::SigKill,
            () if expected => ExitKind::Requested,
            () => ExitKind::Other,
        }
    }

    /// Reads the kernel's count of those it has killed for want of memory; what is new is said.
    pub(super) fn check_oom_kills(&mut self) {
        let Some((new, window)) = self.oom_watch.read_count(self.clock.now()) else { return };
        let near = exit_record::near_oom_kill(window, &self.local_time);
        let line = if new == 1 { near } else { format!("{near}, and {} more", new - 1) };
        self.log.log(Level::Warn, &format!("out of memory: {line}"));
    }

    /// Why supervisord had sent a signal to the process that ends so.
    fn take_reason(&mut self, id: ProcessId, status: ExitStatus) -> Option<SignalReason> {
        let now = self.clock.mono();
        let process = self.table.process_mut(id)?;
        let (reason, signalled) = (process.stop_reason.take(), process.sent_signal.take());
        if process.lifecycle.is_stopping() {
            return Some(reason.unwrap_or_else(|| SignalReason::Stop(Rc::new(Requester::Unknown))));
        }
        signalled.filter(|sent| sent.explains(status, now)).map(|sent| sent.by)
    }

    fn on_exit(&mut self, id: ProcessId, pid: u32, status: ExitStatus, memory: OomVerdict) {
        self.drain(id);
        let not_started = self.exec_errors.take(pid).map(|failure| failure.to_string());
        let life = self.table.process(id).map(|process| &process.lifecycle);
        let recycled =
            life.filter(|life| life.is_recycling()).map(|life| life.spawnerr().unwrap_or_default());
        let recycled = recycled.map(str::to_owned);
        let by = self.take_reason(id, status);
        let cause = ExitCause { status, by, memory, not_started, recycled };
        let why = cause.describe(&self.local_time);
        if let Some(process) = self.table.process_mut(id) {
            process.down_reason = Some(why.into());
        }
        self.step(
            id,
            match &cause.not_started {
                Some(why) => Input::NeverRan { status, why: why.clone() },
                None => Input::Ended { status },
            },
        );
        self.record_exit(id, cause);
        self.close_pipes(id);
        self.leave_pool(id);
        self.reschedule(id);
    }

    /// Keeps why the process ended, before a next start writes over it.
    fn record_exit(&mut self, id: ProcessId, cause: ExitCause) {
        let Some(process) = self.table.process_mut(id) else { return };
        let Some(last) = process.lifecycle.last_exit() else { return };
        let tail = |path: Option<&Path>, output: Option<&Output>| match (path, output) {
            (_, None) => String::new(),
            (Some(path), Some(output)) => exit_record::tail_of_file(path, output.logged()),
            (None, Some(output)) => output.recent().map(exit_record::last_lines).unwrap_or_default(),
        };
        let expected =
            cause.requested() || process.lifecycle.policy().exitcodes.contains(&last.status.code());
        let end = ExitRecord {
            cause,
            pid: last.pid,
            up: last.up,
            at: last.at,
            expected,
            stdout_tail: tail(process.stdout_log.as_deref(), process.stdout.as_deref()),
            stderr_tail: tail(process.stderr_log.as_deref(), process.stderr.as_deref()),
        };
        process.last_exit = Some(Box::new(end));
    }

    /// Closes our ends of the child's pipes. Grandchildren that hold the other ends are on their own, as with the
    /// original.
    fn close_pipes(&mut self, id: ProcessId) {
        for channel in [OutputChannel::Stdout, OutputChannel::Stderr] {
            self.close_output(id, channel);
        }
        self.close_stdin(id);
        let Some(process) = self.table.process_mut(id) else { return };
        let outputs = [process.stdout.take(), process.stderr.take()];
        let group = process.group;
        for leftover in outputs.into_iter().flatten().filter_map(|output| output.into_orphaned_log()) {
            self.keep_orphaned_log(leftover);
        }
        let Some(process) = self.table.process_mut(id) else { return };
        if process.socket.take().is_some() {
            self.log_socket_closed(group);
        }
    }

    /// A listener that has ended gives back the event that it had not dealt with.
    fn leave_pool(&mut self, id: ProcessId) {
        let now = self.clock.mono();
        let Some(group) = self.table.process(id).map(|process| process.group) else { return };
        let Some(pool) = self.table.group_mut(group).and_then(|group| group.pool.as_mut()) else {
            return;
        };
        let effects = pool.member_exited(MemberId(id.0), now);
        self.clear_congestion(group);
        self.apply_pool_effects(group, effects);
    }
}
