//! Carries out the commands of decisions, alone in the daemon, and passes their results back as inputs.

use std::io;

use ironlance_core::event::OutputChannel;
use ironlance_core::log_level::Level;
use ironlance_core::process::lifecycle::{Input, SignalTarget};
use ironlance_core::signal;
use rustix::io::Errno;

use super::Supervisor;
use crate::io::pipes::{PauseChange, PauseReason};
use crate::state::command::Command;
use crate::state::ids::ProcessId;
use crate::state::{State, Turn};

/// A pipe that the poller does not take is read no more.
pub(super) const WATCH_AGAIN: &str = "watch a pipe again";

impl Supervisor {
    /// Lets the state decide, and carries out what it asks for. Returns what the decision gave.
    pub(super) fn decide<T>(&mut self, decision: impl FnOnce(&mut State, &mut Turn<'_>) -> T) -> T {
        let decided = self.decide_only(decision);
        self.carry_out();
        decided
    }

    /// Lets the state decide. What it asks for is carried out later.
    pub(super) fn decide_only<T>(&mut self, decision: impl FnOnce(&mut State, &mut Turn<'_>) -> T) -> T {
        let now = self.io.clock.now();
        let mut turn = Turn { now, timers: &mut self.timers, commands: &mut self.commands };
        decision(&mut self.state, &mut turn)
    }

    /// One input for one process, and everything that follows from it.
    pub(super) fn step(&mut self, id: ProcessId, input: Input) {
        self.decide(|state, turn| state.step(id, input, turn));
    }

    /// Carries out all commands, and those that follow from their results. Returns how many there were.
    pub(super) fn carry_out(&mut self) -> usize {
        let mut count = 0;
        while let Some(command) = self.commands.pop_front() {
            #[cfg(test)]
            self.trace.push(command.clone());
            count += 1;
            self.execute(command);
        }
        count
    }

    fn execute(&mut self, command: Command) {
        match command {
            Command::Spawn(id) => {
                if let Some(outcome) = self.spawn(id) {
                    self.decide_only(|state, turn| state.step(id, outcome, turn));
                }
            }
            Command::CancelLookup(id) => self.io.lookups.cancel(id),
            Command::Kill { id, pid, signal, target } => {
                if let Err(error) = self.send_signal(id, pid, signal, target, "just exited") {
                    let why = format!("{}: {error}", signal::name(signal));
                    self.decide_only(|state, turn| state.step(id, Input::KillFailed { why }, turn));
                }
            }
            Command::WriteStdin { id, bytes } => {
                if self.io.pipes.write_stdin(id, &bytes).is_err() {
                    self.decide_only(|state, turn| state.on_stdin_closed(id, turn));
                }
            }
            Command::WriteOwnStdout(text) => {
                if let Some((level, line)) = self.io.slow_logs.own_stdout.write(&text) {
                    self.io.log.log(level, &line);
                }
            }
            Command::PauseReads(id, channel) => self.set_pause(id, channel, PauseChange::Pause),
            Command::ResumeReads(id, channel) => self.set_pause(id, channel, PauseChange::Resume),
            Command::ClosePipes(id) => self.close_pipes(id),
            Command::Publish(record) => {
                self.io.subscribers.publish(&record);
                if let Some(kinds) = self.io.subscribers.drop_closed() {
                    self.state.event_log.set_subscribed(kinds);
                }
            }
            Command::Reply(call, answer) => self.io.calls.reply(call, answer),
            Command::Journal(entry) => self.append_to_journal(*entry),
            Command::Log(level, line) => self.io.log.log(level, &line),
        }
    }

    fn set_pause(&mut self, id: ProcessId, channel: OutputChannel, change: PauseChange) {
        let done = self.io.pipes.set_pause(id, channel, change, PauseReason::SlowListener);
        self.log_failure(WATCH_AGAIN, done);
    }

    /// Sends a signal. A process that is gone is no error: the log says that it `exited`.
    pub(super) fn send_signal(
        &mut self,
        id: ProcessId,
        pid: u32,
        number: i32,
        target: SignalTarget,
        exited: &str,
    ) -> io::Result<()> {
        let Err(error) = self.io.children.kill(pid, number, target) else { return Ok(()) };
        if error.raw_os_error() != Some(Errno::SRCH.raw_os_error()) {
            return Err(error);
        }
        if let Some(process) = self.state.table.process(id) {
            let name = &process.namespec().process;
            let line = format!(
                "unable to signal {name} (pid {pid}), it probably {exited} on its own: [Errno 3] No such process"
            );
            self.io.log.log(Level::Debug, &line);
        }
        Ok(())
    }
}
