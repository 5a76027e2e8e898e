//! The steps of the machine: a row for each state, a column for each input.

use std::time::Duration;

use super::{
    Autorestart, CRASH_LOOP_EXITS, CRASH_LOOP_UPTIME, DaemonState, Effect, Input, Lifecycle, Now, Phase,
    ProcessExit, ProcessRole, SignalTarget,
};
use crate::event::StateDetail;
use crate::listener::pool::Milestone;
use crate::log_level::Level;
use crate::process::exit_status::ExitStatus;
use crate::signal;

/// What `spawnerr` says of a program that ended within `startsecs`.
const TOO_QUICKLY: &str = "Exited too quickly (process log may have details)";

impl Lifecycle {
    /// Takes one input and gives what is to be done, in order.
    pub fn step(&mut self, input: Input, now: Now, daemon: DaemonState) -> Vec<Effect> {
        let mut out = Vec::new();
        match input {
            Input::Wake => self.wake(now, daemon, &mut out),
            Input::Start => self.start_requested(now, daemon, &mut out),
            Input::Spawned { pid } => self.spawned(pid, now, &mut out),
            Input::SpawnFailed { why } => self.spawn_failed(why, now, &mut out),
            Input::Stop => self.stop(now, &mut out),
            Input::Recycle { pause, why } => self.recycle(pause, why, now, &mut out),
            Input::Milestone(what) => self.reached_milestone(what),
            Input::GiveUp => self.give_up(&mut out),
            Input::KillFailed { why } => self.kill_failed(&why, &mut out),
            Input::Ended { status } => self.ended(status, None, now, &mut out),
            Input::NeverRan { status, why } => self.ended(status, Some(why), now, &mut out),
        }
        out
    }

    fn wake(&mut self, now: Now, daemon: DaemonState, out: &mut Vec<Effect>) {
        let due = |deadline: Option<Duration>| deadline.is_some_and(|deadline| now.mono >= deadline);
        if !due(self.next_deadline(daemon)) {
            return;
        }
        match self.phase {
            Phase::Exited { .. } if self.exits_before_ready > 0 => self.back_off_silent_listener(now, out),
            Phase::Stopped | Phase::Exited { .. } => self.spawn(now, out),
            Phase::Starting { pid } => self.stayed_up(pid, out),
            Phase::Backoff { .. } if self.is_out_of_tries() => {
                self.give_up(out);
                let words = "entered FATAL state, too many start retries too quickly";
                self.log(Level::Info, format!("gave up: {} {words}", self.name()), out);
            }
            Phase::Backoff { .. } => self.spawn(now, out),
            Phase::Stopping { pid, restart_after: again, .. } => {
                self.log(Level::Warn, format!("killing '{}' ({pid}) with SIGKILL", self.name()), out);
                self.kill(pid, signal::KILL, again, now, out);
            }
            // These have no deadline.
            Phase::Spawning | Phase::Running { .. } | Phase::Fatal | Phase::Unknown { .. } => {}
        }
    }

    fn start_requested(&mut self, now: Now, daemon: DaemonState, out: &mut Vec<Effect>) {
        if daemon != DaemonState::Running {
            return;
        }
        match self.phase {
            Phase::Stopped | Phase::Exited { .. } | Phase::Fatal | Phase::Backoff { .. } => {
                self.backoff = 0;
                self.crash_loop_exits = 0;
                self.exits_before_ready = 0;
                self.spawn(now, out);
            }
            _ => {
                self.log(Level::Warn, format!("process '{}' already running", self.name()), out);
            }
        }
    }

    fn spawn(&mut self, now: Now, out: &mut Vec<Effect>) {
        self.spawnerr = None;
        self.exitstatus = None;
        self.milestone = None;
        self.start_began = now.mono;
        self.started = Some(now.wall);
        self.enter(Phase::Spawning, StateDetail::Tries(self.backoff), out);
        out.push(Effect::Spawn);
    }

    fn spawned(&mut self, pid: u32, now: Now, out: &mut Vec<Effect>) {
        if self.phase != Phase::Spawning {
            let line = format!("process '{}' (pid {pid}) was started and nobody asked for it", self.name());
            self.log(Level::Critical, line, out);
            return;
        }
        // There may have been something to wait for before it could be spawned.
        self.start_began = now.mono;
        self.starts = self.starts.saturating_add(1);
        self.phase = Phase::Starting { pid };
        self.log(Level::Info, format!("spawned: '{}' with pid {pid}", self.name()), out);
    }

    fn stayed_up(&mut self, pid: u32, out: &mut Vec<Effect>) {
        self.backoff = 0;
        self.enter(Phase::Running { pid }, StateDetail::Pid(pid), out);
        let seconds = self.policy.startsecs.as_secs();
        let words =
            format!("entered RUNNING state, process has stayed up for > than {seconds} seconds (startsecs)");
        self.log(Level::Info, format!("success: {} {words}", self.name()), out);
    }

    fn spawn_failed(&mut self, why: String, now: Now, out: &mut Vec<Effect>) {
        if self.phase != Phase::Spawning {
            self.log(
                Level::Critical,
                format!("cannot start '{}', and nobody asked for it: {why}", self.name()),
                out,
            );
            return;
        }
        self.record_spawnerr(why, out);
        self.back_off(now, out);
    }

    fn record_spawnerr(&mut self, why: String, out: &mut Vec<Effect>) {
        self.log(Level::Info, format!("spawnerr: {why}"), out);
        self.spawnerr = Some(why);
    }

    fn back_off(&mut self, now: Now, out: &mut Vec<Effect>) {
        self.backoff = self.backoff.saturating_add(1);
        let until = now.mono.saturating_add(Duration::from_secs(self.backoff.into()));
        self.enter(Phase::Backoff { until }, StateDetail::Tries(self.backoff), out);
    }

    /// A listener ended before its first READY, and waits as after any failed start.
    fn back_off_silent_listener(&mut self, now: Now, out: &mut Vec<Effect>) {
        let until = now.mono.saturating_add(Duration::from_secs(self.exits_before_ready.into()));
        self.enter(Phase::Backoff { until }, StateDetail::Tries(self.exits_before_ready), out);
    }

    fn reached_milestone(&mut self, what: Milestone) {
        if self.pid().is_some() {
            self.milestone = self.milestone.max(Some(what));
            self.exits_before_ready = 0;
        }
    }

    fn recycle(&mut self, pause: Duration, why: String, now: Now, out: &mut Vec<Effect>) {
        if let Phase::Starting { pid } | Phase::Running { pid } = self.phase {
            self.spawnerr = Some(why);
            self.kill(pid, self.policy.stopsignal, Some(pause), now, out);
        }
    }

    fn stop(&mut self, now: Now, out: &mut Vec<Effect>) {
        match self.phase {
            Phase::Backoff { .. } => {
                let line = format!("Attempted to kill {}, which is in BACKOFF state.", self.name());
                self.log(Level::Debug, line, out);
                self.enter(Phase::Stopped, StateDetail::Pid(0), out);
            }
            Phase::Starting { pid } | Phase::Running { pid } | Phase::Unknown { pid } => {
                self.kill(pid, self.policy.stopsignal, None, now, out);
            }
            // The signal is sent already, and SIGKILL will follow. A recycled listener is not started again.
            Phase::Stopping { pid, kill_at, .. } => {
                self.phase = Phase::Stopping { pid, kill_at, restart_after: None };
            }
            Phase::Exited { .. } => {
                self.phase = Phase::Exited { restart_at: None };
                self.log_not_running(out);
            }
            Phase::Stopped | Phase::Spawning | Phase::Fatal => self.log_not_running(out),
        }
    }

    fn log_not_running(&self, out: &mut Vec<Effect>) {
        let sig = signal::name(self.policy.stopsignal);
        let line = format!("attempted to kill {} with sig {sig} but it wasn't running", self.name());
        self.log(Level::Debug, line, out);
    }

    fn kill(&mut self, pid: u32, signal: i32, again: Option<Duration>, now: Now, out: &mut Vec<Effect>) {
        let as_group = if self.is_stopping() { self.policy.killasgroup } else { self.policy.stopasgroup };
        let (reach, words) =
            if as_group { (SignalTarget::Group, "process group ") } else { (SignalTarget::Process, "") };
        let line = format!("killing {} (pid {pid}) {words}with signal {}", self.name(), signal::name(signal));
        self.log(Level::Debug, line, out);
        // A process that SIGKILL has not ended at once is stuck in the kernel: there is no hurry to send it again.
        let least = if signal == signal::KILL { CRASH_LOOP_UPTIME } else { Duration::ZERO };
        let kill_at = now.mono.saturating_add(self.policy.stopwaitsecs.max(least));
        self.enter(Phase::Stopping { pid, kill_at, restart_after: again }, StateDetail::Pid(pid), out);
        out.push(Effect::Kill { pid, signal, reach });
    }

    fn kill_failed(&mut self, why: &str, out: &mut Vec<Effect>) {
        let Phase::Stopping { pid, .. } = self.phase else {
            self.log(
                Level::Debug,
                format!("cannot signal {}, and it is not to be killed: {why}", self.name()),
                out,
            );
            return;
        };
        self.log(Level::Critical, format!("unknown problem killing {} ({pid}):{why}", self.name()), out);
        self.enter(Phase::Unknown { pid }, StateDetail::Nothing, out);
    }

    fn give_up(&mut self, out: &mut Vec<Effect>) {
        if let Phase::Backoff { .. } = self.phase {
            self.backoff = 0;
            self.exits_before_ready = 0;
            self.enter(Phase::Fatal, StateDetail::Nothing, out);
        }
    }

    fn ended(&mut self, status: ExitStatus, why: Option<String>, now: Now, out: &mut Vec<Effect>) {
        let Some(pid) = self.pid() else {
            let line = format!("{} ended ({status}), but is {}", self.name(), self.state());
            self.log(Level::Critical, line, out);
            return;
        };
        let up = now.mono.saturating_sub(self.start_began);
        self.last_exit = Some(ProcessExit { status, pid, up, at: now.wall });
        self.stopped = Some(now.wall);
        match self.phase {
            Phase::Stopping { restart_after: Some(pause), .. } => {
                self.ended_to_come_back(pause, status, now, out);
            }
            Phase::Stopping { .. } | Phase::Unknown { .. } => self.stopped_as_requested(pid, status, out),
            Phase::Starting { .. }
                if up < self.policy.startsecs && self.milestone < Some(Milestone::Answered) =>
            {
                self.ended_too_quickly(status, why, now, out);
            }
            Phase::Starting { .. } => {
                self.enter(Phase::Running { pid }, StateDetail::Pid(pid), out);
                self.ended_by_itself(pid, status, why, out);
            }
            Phase::Running { .. } => self.ended_by_itself(pid, status, why, out),
            // The others have no pid.
            _ => {}
        }
    }

    fn ended_too_quickly(
        &mut self,
        status: ExitStatus,
        why: Option<String>,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        self.exitstatus = None;
        self.spawnerr = Some(TOO_QUICKLY.to_owned());
        if let Some(why) = why {
            self.record_spawnerr(why, out);
        }
        self.back_off(now, out);
        self.log(Level::Warn, format!("exited: {} ({status}; not expected)", self.name()), out);
    }

    fn stopped_as_requested(&mut self, pid: u32, status: ExitStatus, out: &mut Vec<Effect>) {
        self.exitstatus = Some(status.code());
        self.enter(Phase::Stopped, StateDetail::Pid(pid), out);
        let level = if self.expects(status) { Level::Info } else { Level::Warn };
        self.log(level, format!("stopped: {} ({status})", self.name()), out);
    }

    /// A listener that is recycled waits for its pause to pass.
    fn ended_to_come_back(&mut self, pause: Duration, status: ExitStatus, now: Now, out: &mut Vec<Effect>) {
        self.exitstatus = Some(status.code());
        if self.policy.autorestart == Autorestart::Never {
            self.enter(Phase::Fatal, StateDetail::Nothing, out);
            self.log(
                Level::Warn,
                format!("recycled: {} ({status}); it has autorestart=false", self.name()),
                out,
            );
            return;
        }
        let until = now.mono.saturating_add(pause);
        self.enter(Phase::Backoff { until }, StateDetail::Tries(self.backoff), out);
        let seconds = pause.as_secs();
        self.log(
            Level::Info,
            format!("recycled: {} ({status}); starts again in {seconds} s", self.name()),
            out,
        );
    }

    fn ended_by_itself(&mut self, pid: u32, status: ExitStatus, why: Option<String>, out: &mut Vec<Effect>) {
        let up = self.last_exit.map_or(Duration::ZERO, |end| end.up);
        self.backoff = 0;
        self.crash_loop_exits =
            if up < CRASH_LOOP_UPTIME { self.crash_loop_exits.saturating_add(1) } else { 0 };
        self.exitstatus = Some(status.code());
        let expected = self.expects(status);
        let (level, word) = if expected { (Level::Info, "expected") } else { (Level::Warn, "not expected") };
        if !expected {
            self.spawnerr = Some(format!("Bad exit code {}", status.code()));
        }
        if let Some(why) = why {
            self.record_spawnerr(why, out);
        }
        let mute = self.policy.role == ProcessRole::Listener && self.milestone.is_none();
        self.exits_before_ready = if mute { self.exits_before_ready.saturating_add(1) } else { 0 };
        let restart_at = self.shall_restart(expected).then(|| self.restart_time());
        self.enter(Phase::Exited { restart_at }, StateDetail::Exit { expected, pid }, out);
        self.log(level, format!("exited: {} ({status}; {word})", self.name()), out);
    }

    fn shall_restart(&self, expected: bool) -> bool {
        match self.policy.autorestart {
            Autorestart::Never => false,
            Autorestart::Unexpected => !expected,
            Autorestart::Always => true,
        }
    }

    fn restart_time(&self) -> Duration {
        let after = if self.crash_loop_exits > CRASH_LOOP_EXITS { CRASH_LOOP_UPTIME } else { Duration::ZERO };
        self.start_began.saturating_add(after)
    }

    fn expects(&self, status: ExitStatus) -> bool {
        self.policy.exitcodes.contains(&status.code())
    }

    fn enter(&mut self, phase: Phase, detail: StateDetail, out: &mut Vec<Effect>) {
        let from = self.state();
        self.phase = phase;
        let to = self.state();
        if from != to {
            out.push(Effect::StateChanged { from, to, detail });
        }
    }

    /// The name as log lines carry it: without the group.
    fn name(&self) -> &str {
        &self.namespec.process.0
    }

    fn log(&self, level: Level, line: String, out: &mut Vec<Effect>) {
        out.push(Effect::Log(level, line));
    }
}
