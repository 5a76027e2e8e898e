//! Children that have exited: reaps them, reads their last output, records the reason, and closes their pipes.

use std::rc::Rc;

use ironlance_core::event::OutputChannel;
use ironlance_core::log_level::Level;
use ironlance_core::process::exit_status::ExitStatus;
use ironlance_core::process::oom::{ExitKind, OomVerdict};
use ironlance_core::signal;

use super::Supervisor;
use crate::io::log_tail;
use crate::io::pipes::ChildPipes;
use crate::requester::{Requester, SignalReason};
use crate::state::exit_record::{self, ObservedExit, TerminationCause};
use crate::state::ids::ProcessId;

impl Supervisor {
    /// Reaps every child that has exited.
    pub(super) fn reap(&mut self) {
        let reaped = self.io.children.reap();
        if reaped.is_empty() {
            return;
        }
        self.check_oom_kills();
        let find = |pid: &u32| {
            let id = self.state.table.pids.remove(pid);
            id.filter(|id| self.state.table.process(*id).is_some())
        };
        let ids: Vec<Option<ProcessId>> = reaped.iter().map(|(pid, _)| pid).map(find).collect();
        let ends: Vec<ExitKind> =
            ids.iter().zip(&reaped).map(|(id, (_, status))| self.classify_exit(*id, *status)).collect();
        let verdicts = self.io.oom.classify(&ends, self.io.clock.now());
        for ((id, (pid, status)), memory) in ids.into_iter().zip(reaped).zip(verdicts) {
            match id {
                Some(id) => self.on_exit(id, pid, status, memory),
                None => {
                    self.io.log.log(Level::Info, &format!("reaped unknown pid {pid} ({status})"));
                }
            }
        }
    }

    /// Reports the exit of children that were reaped just before a panic; their status is lost.
    pub(super) fn end_lost_children(&mut self) {
        let table = &self.state.table;
        let pids = table.processes().filter_map(|(id, process)| Some((id, process.lifecycle.pid()?)));
        let lost: Vec<_> = pids.filter(|(_, pid)| !table.pids.contains_key(pid)).collect();
        for (id, pid) in lost {
            self.on_exit(id, pid, ExitStatus::Other(0), OomVerdict::Unrelated);
        }
    }

    /// How a child ended, for the question whether the kernel killed it for want of memory.
    fn classify_exit(&self, id: Option<ProcessId>, status: ExitStatus) -> ExitKind {
        let killed = matches!(status, ExitStatus::Signal { number: signal::KILL, .. });
        let Some(process) = id.and_then(|id| self.state.table.process(id)) else {
            // Left to us as PID 1: it may be the process that the kernel killed.
            return if killed { ExitKind::SigKill } else { ExitKind::Requested };
        };
        let signalled =
            process.sent_signal.as_ref().is_some_and(|sent| sent.explains(status, self.io.clock.mono()));
        let expected = process.lifecycle.policy().exitcodes.contains(&status.code());
        match () {
            () if process.lifecycle.is_stopping() || signalled => ExitKind::Requested,
            () if killed => ExitKind::SigKill,
            () if expected => ExitKind::Requested,
            () => ExitKind::Other,
        }
    }

    /// Reads the kernel's count of OOM kills, and logs new ones.
    pub(super) fn check_oom_kills(&mut self) {
        let Some((new, window)) = self.io.oom.read_count(self.io.clock.now()) else { return };
        let near = exit_record::near_oom_kill(window, &self.env.local_time);
        let line = if new == 1 { near } else { format!("{near}, and {} more", new - 1) };
        self.io.log.log(Level::Warn, &format!("out of memory: {line}"));
    }

    /// Why supervisord had sent a signal to the process, if that is why it ended.
    fn take_reason(&mut self, id: ProcessId, status: ExitStatus) -> Option<SignalReason> {
        let now = self.io.clock.mono();
        let process = self.state.table.process_mut(id)?;
        let (reason, signalled) = (process.stop_reason.take(), process.sent_signal.take());
        if process.lifecycle.is_stopping() {
            return Some(reason.unwrap_or_else(|| SignalReason::Stop(Rc::new(Requester::Unknown))));
        }
        signalled.filter(|sent| sent.explains(status, now)).map(|sent| sent.by)
    }

    fn on_exit(&mut self, id: ProcessId, pid: u32, status: ExitStatus, memory: OomVerdict) {
        self.drain(id);
        let not_started = self.io.children.exec_error(pid);
        let lifecycle = self.state.table.process(id).map(|process| &process.lifecycle);
        let recycling = lifecycle.filter(|lifecycle| lifecycle.is_recycling());
        let recycled = recycling.map(|lifecycle| lifecycle.spawnerr().unwrap_or_default().to_owned());
        let by = self.take_reason(id, status);
        let cause = TerminationCause { status, by, memory, not_started, recycled };
        let why = cause.describe(&self.env.local_time);
        if let Some(process) = self.state.table.process_mut(id) {
            process.down_reason = Some(why.into());
        }
        let stdout_tail = self.tail_of(id, OutputChannel::Stdout);
        let stderr_tail = self.tail_of(id, OutputChannel::Stderr);
        let exit = ObservedExit { cause, stdout_tail, stderr_tail };
        self.decide(|state, turn| state.step_exit(id, exit, turn));
        self.close_pipes(id);
        self.decide(|state, turn| {
            state.forget_pauses(id, turn);
            state.leave_pool(id, turn);
            state.reschedule(id, turn);
        });
    }

    /// The last lines that a process has written to an output.
    fn tail_of(&self, id: ProcessId, channel: OutputChannel) -> String {
        let path = self.state.table.process(id).and_then(|process| process.log(channel));
        match (path, self.io.pipes.output(id, channel)) {
            (_, None) => String::new(),
            (Some(path), Some(output)) => log_tail::tail_of_file(path, output.logged),
            (None, Some(output)) => output.recent.as_deref().map(log_tail::last_lines).unwrap_or_default(),
        }
    }

    /// Closes our ends of the child's pipes, and its group's FastCGI socket with its last process.
    pub(super) fn close_pipes(&mut self, id: ProcessId) {
        let ChildPipes { outputs, socket, .. } = self.io.pipes.remove(id);
        for log in outputs.into_iter().flatten().filter_map(|output| output.into_orphaned_log()) {
            self.io.slow_logs.add_orphaned(log);
        }
        if socket.is_some() {
            drop(socket);
            self.log_socket_closed(id);
        }
    }
}
