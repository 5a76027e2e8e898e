//! Pipe I/O: reads the outputs of children that the poller reports, and writes pending bytes to their inputs.

use ironlance_core::event::OutputChannel;
use ironlance_core::event::kind::EventKind;
use ironlance_core::log_level::Level;
use ironlance_core::text::python;

use super::Supervisor;
use super::effects::WATCH_AGAIN;
use crate::child::pipes::ReadOutcome;
use crate::io::output::{OutputContext, OutputEffects};
use crate::io::pipes::{CHANNELS, PauseChange, PauseReason, READ_BUFFER, parse_token};
use crate::state::ids::ProcessId;

/// How many buffers are read from a pipe that is ready alone: one that was made larger, once.
const READS_IF_ALONE: usize = 4;
/// How much is read before clients and signals get their turn (bytes).
const BYTES_PER_TURN: usize = 4 * 1024 * 1024;
/// How often pipes are looked at before clients and signals get their turn.
const PASSES_PER_TURN: usize = 16;
/// How much is read from the pipes of a child that has exited (bytes): its own children may go on writing.
const DRAIN_LIMIT: usize = 8 * 1024 * 1024;

impl Supervisor {
    /// Reads and writes pipes that are ready, until there are none or others should have their turn.
    pub(super) fn poll_output(&mut self) {
        let mut bytes = 0;
        let mut passes = 0;
        let mut now = self.io.clock.mono();
        loop {
            if self.io.pipes.is_pass_over() {
                if passes == PASSES_PER_TURN {
                    return;
                }
                passes += 1;
                now = self.io.clock.mono();
            }
            match self.io.pipes.next_ready(now) {
                Ok(Some(token)) => {
                    bytes += self.serve_pipe(token);
                    if bytes >= BYTES_PER_TURN {
                        return;
                    }
                }
                Ok(None) if self.io.pipes.poller.is_due(now) => {}
                Ok(None) => return,
                Err(error) => return self.log_failure("poll the children's pipes", Err(error)),
            }
        }
    }

    /// Reads the deferred output, so that a log that is looked at now has it.
    pub(super) fn flush_deferred(&mut self) {
        self.io.pipes.poller.expire_delay();
        self.poll_output();
    }

    /// Serves one pipe. Returns how many bytes were read.
    fn serve_pipe(&mut self, token: u64) -> usize {
        let Some((id, output)) = parse_token(token) else { return 0 };
        let Some(channel) = output else {
            if self.io.pipes.flush_stdin(id).is_err() {
                self.decide(|state, turn| state.on_stdin_closed(id, turn));
            }
            return 0;
        };
        let mut total = 0;
        // A pipe that fills the buffer has more.
        let reads = if self.io.pipes.is_alone() { READS_IF_ALONE } else { 1 };
        for _ in 0..reads {
            let size = self.read_once(id, channel);
            total += size;
            if size < READ_BUFFER {
                break;
            }
        }
        let watched = self.io.pipes.adapt_polling(id, channel, total);
        self.log_failure(WATCH_AGAIN, watched);
        total
    }

    /// Reads one buffer from a child. Returns how many bytes that was.
    fn read_once(&mut self, id: ProcessId, channel: OutputChannel) -> usize {
        match self.io.pipes.read(id, channel) {
            ReadOutcome::Bytes(size) => {
                let buffer = std::mem::take(&mut self.io.pipes.buffer);
                #[cfg(test)]
                assert!(self.panic_on != Some(&buffer[..size]), "told to panic");
                self.on_output(id, channel, Some(&buffer[..size]));
                self.io.pipes.buffer = buffer;
                self.pause_if_congested(id, channel);
                self.pause_if_log_is_slow(id, channel);
                size
            }
            ReadOutcome::Empty => 0,
            ReadOutcome::Closed => {
                if channel == OutputChannel::Stdout {
                    self.decide(|state, turn| state.on_listener_stdout_closed(id, turn));
                }
                0
            }
        }
    }

    /// After a panic the pauses may be wrong: all output is read again.
    pub(super) fn resume_all_reads(&mut self) {
        self.decide(|state, turn| state.end_all_pauses(turn));
        let ids: Vec<ProcessId> = self.state.table.processes().map(|(id, _)| id).collect();
        for (id, channel) in ids.into_iter().flat_map(|id| CHANNELS.map(|channel| (id, channel))) {
            for reason in [PauseReason::SlowListener, PauseReason::SlowLog] {
                let watched = self.io.pipes.set_pause(id, channel, PauseChange::Resume, reason);
                self.log_failure(WATCH_AGAIN, watched);
            }
            self.pause_if_log_is_slow(id, channel);
        }
    }

    /// A child has written; `None` is its end.
    fn on_output(&mut self, id: ProcessId, channel: OutputChannel, data: Option<&[u8]>) {
        let Some(process) = self.state.table.process(id) else { return };
        let namespec = process.lifecycle.shared_namespec();
        let answer = data.filter(|_| channel == OutputChannel::Stdout && process.is_listener());
        let in_main_log = self.io.log.enabled(Level::Debug);
        if process.group_config.built_in && channel == OutputChannel::Stderr {
            for line in String::from_utf8_lossy(data.unwrap_or_default()).lines() {
                self.io.log.log(Level::Info, &format!("{}: {line}", namespec.process));
            }
        }
        let context = OutputContext {
            namespec: &namespec,
            pid: process.lifecycle.pid().unwrap_or_default(),
            strip_ansi: self.env.settings.strip_ansi,
            in_main_log: in_main_log && answer.is_none(),
            events_wanted: self.wants_output(channel),
            may_write: self.io.slow_logs.may_write(&self.io.pipes, id, channel),
        };
        let mut effects = OutputEffects::default();
        if let Some(output) = self.io.pipes.output_mut(id, channel) {
            output.accept(data, &context, &mut effects);
        }
        if let Some(answer) = answer {
            if in_main_log {
                let name = python::repr(&namespec.process.0);
                let line = format!("{name} stdout output:\n{}", python::repr_bytes(answer));
                self.io.log.log(Level::Debug, &line);
            }
            self.decide(|state, turn| state.on_listener_output(id, answer, turn));
        }
        self.log_lines(effects.lines);
        for event in effects.events {
            self.decide(|state, turn| {
                state.record(&event, None, turn);
                let own = state.own_pool(id);
                state.dispatch_event(&event, None, own, turn);
            });
        }
    }

    /// Whether a listener or a subscriber wants events about output.
    fn wants_output(&self, channel: OutputChannel) -> bool {
        let kind = match channel {
            OutputChannel::Stdout => EventKind::ProcessLogStdout,
            OutputChannel::Stderr => EventKind::ProcessLogStderr,
        };
        self.state.bus.wants(kind) || self.state.event_log.is_streamed(kind)
    }

    fn pause_if_congested(&mut self, id: ProcessId, channel: OutputChannel) {
        let output = self.io.pipes.output(id, channel).filter(|output| output.fd.is_some());
        let kinds = output.map(|output| output.event_kinds()).unwrap_or_default();
        if !kinds.is_empty() {
            self.decide(|state, turn| state.pause_if_congested(id, channel, &kinds, turn));
        }
    }

    fn pause_if_log_is_slow(&mut self, id: ProcessId, channel: OutputChannel) {
        let paused = self.io.slow_logs.pause_if_slow(&mut self.io.pipes, id, channel);
        self.log_failure(WATCH_AGAIN, paused);
    }

    /// Reads what a child that has exited left in its pipes.
    pub(super) fn drain(&mut self, id: ProcessId) {
        for channel in CHANNELS {
            let mut total = 0;
            while total < DRAIN_LIMIT {
                match self.read_once(id, channel) {
                    0 => break,
                    size => total += size,
                }
            }
            self.on_output(id, channel, None);
        }
    }
}
