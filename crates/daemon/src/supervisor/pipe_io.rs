//! Reading what children say and writing what they are to hear: everything between the poller and the outputs.

use std::io;
use std::os::fd::AsFd;

use ironlance_core::event::OutputChannel;
use ironlance_core::event::kind::EventKind;
use ironlance_core::log_level::Level;
use ironlance_core::text::python;

use super::Supervisor;
use crate::child::pipes::{self, Interest, ReadOutcome};
use crate::io::output::{Output, OutputContext, OutputEffects};
use crate::io::poller::ReadPriority;
use crate::io::read_pause::{PauseChange, PauseReason};
use crate::io::token::{PipeEnd, parse_token, token};
use crate::state::ids::ProcessId;
use crate::state::process_table::Process;

/// What is read at once (bytes): a pipe that was made larger, in four reads.
pub(super) const READ_BUFFER: usize = 256 * 1024;
/// A pipe found with so much in it (bytes) is made larger: of its 64 KiB, small writes leave some unused.
const NEARLY_FULL: usize = 48 * 1024;
/// So many buffers are read from a pipe that has nobody beside it: one that was made larger, once.
const READS_IF_ALONE: usize = 4;
/// Who says so much at once (bytes) will go on.
const HOT_READ: usize = 8 * 1024;
/// So much is heard before clients and signals get their turn (bytes).
const BYTES_PER_TURN: usize = 4 * 1024 * 1024;
/// So many times pipes are looked at before clients and signals get their turn.
const PASSES_PER_TURN: usize = 16;
/// So much may lie in the pipes of a child that has ended, or come from its children while we look (bytes).
const DRAIN_LIMIT: usize = 8 * 1024 * 1024;

fn output(process: &mut Process, channel: OutputChannel) -> Option<&mut Output> {
    match channel {
        OutputChannel::Stdout => process.stdout.as_deref_mut(),
        OutputChannel::Stderr => process.stderr.as_deref_mut(),
    }
}

impl Supervisor {
    /// Reads and writes pipes that are ready, until there are none or others should have their turn.
    pub(super) fn poll_output(&mut self) {
        let mut heard = 0;
        for _ in 0..PASSES_PER_TURN {
            let now = self.clock.mono();
            if self.served == self.tokens.len() {
                self.served = 0;
                if let Err(error) = self.poller.next(now, &mut self.tokens) {
                    self.log.log(Level::Critical, &format!("cannot poll the children's pipes: {error}"));
                }
            }
            while let Some(token) = self.tokens.get(self.served).copied() {
                self.served += 1;
                heard += self.serve_pipe(token);
                if heard >= BYTES_PER_TURN {
                    return;
                }
            }
            if self.tokens.is_empty() && !self.poller.is_due(now) {
                return;
            }
        }
    }

    /// Whether there is something to be heard now.
    pub(super) fn has_ready_output(&self) -> bool {
        self.served < self.tokens.len() || self.poller.is_due(self.clock.mono())
    }

    /// Reads what has been said and can wait, so that a log that is looked at now has it.
    pub(super) fn flush_deferred(&mut self) {
        self.poller.expire_delay();
        self.poll_output();
    }

    /// Serves one pipe; says how many bytes were read.
    fn serve_pipe(&mut self, token: u64) -> usize {
        let (id, channel) = match parse_token(token) {
            Some((id, PipeEnd::Stdin)) => {
                self.flush_stdin(id);
                return 0;
            }
            Some((id, PipeEnd::Stdout)) => (id, OutputChannel::Stdout),
            Some((id, PipeEnd::Stderr)) => (id, OutputChannel::Stderr),
            None => return 0,
        };
        let mut total = 0;
        // A pipe that fills the buffer has more; who is alone may say it all.
        let reads = if self.tokens.len() == 1 { READS_IF_ALONE } else { 1 };
        for _ in 0..reads {
            let size = self.read_once(id, channel);
            total += size;
            if size < READ_BUFFER {
                break;
            }
        }
        self.adapt_polling(id, channel, token, total);
        total
    }

    /// A pipe was read; how much that was decides how it is listened to.
    fn adapt_polling(&mut self, id: ProcessId, channel: OutputChannel, token: u64, size: usize) {
        let process = self.table.process_mut(id);
        let Some(out) = process.and_then(|process| output(process, channel)) else {
            return self.poller.remove_hot(token);
        };
        if out.urgency() == ReadPriority::Immediate {
            return;
        }
        self.poller.record_read(size, out.grown);
        let Some(fd) = out.fd().filter(|_| !out.pause.is_paused()) else {
            return self.poller.remove_hot(token);
        };
        let watched = match (self.poller.is_hot(token), size) {
            (true, 0) => self.poller.make_watched(fd, token),
            (false, HOT_READ..) => {
                self.poller.make_hot(fd, token);
                Ok(())
            }
            _ => Ok(()),
        };
        if let Err(error) = watched {
            self.log.log(Level::Critical, &format!("cannot watch a pipe again: {error}"));
        }
    }

    /// Reads one buffer from a child; says how much that was.
    fn read_once(&mut self, id: ProcessId, channel: OutputChannel) -> usize {
        let Some(process) = self.table.process_mut(id) else { return 0 };
        let Some(out) = output(process, channel) else { return 0 };
        let Some(fd) = out.fd() else { return 0 };
        if self.buffer.is_empty() {
            // A panic has kept it. To read into nothing would look as if the pipe were closed.
            self.buffer = vec![0; READ_BUFFER];
        }
        let size = out.read_limit().min(self.buffer.len());
        match pipes::read(fd, &mut self.buffer[..size]) {
            ReadOutcome::Bytes(size) => {
                // A slow log should be felt by the child early.
                let hurried = out.urgency() == ReadPriority::Immediate || self.poller.has_no_delay();
                if size >= NEARLY_FULL && hurried && !out.grown && out.stream().is_none() {
                    pipes::enlarge(fd);
                    out.grown = true;
                }
                let buffer = std::mem::take(&mut self.buffer);
                #[cfg(test)]
                self.panic_if_told(&buffer[..size]);
                self.on_output(id, channel, &buffer[..size]);
                self.buffer = buffer;
                size
            }
            ReadOutcome::Empty => 0,
            ReadOutcome::Closed => {
                self.close_output(id, channel);
                if channel == OutputChannel::Stdout {
                    self.on_listener_stdout_closed(id);
                }
                0
            }
        }
    }

    /// A fault of our own in a test: what a child says breaks the owner in the middle of its work.
    #[cfg(test)]
    fn panic_if_told(&self, data: &[u8]) {
        assert!(self.panic_on != Some(data), "broken by {data:?}");
    }

    /// After a fault of our own nobody may know any more who is kept waiting, and for what: everybody is heard.
    pub(super) fn resume_all_reads(&mut self) {
        self.paused.clear();
        let ids: Vec<ProcessId> = self.table.processes().map(|(id, _)| id).collect();
        for id in ids {
            for channel in [OutputChannel::Stdout, OutputChannel::Stderr] {
                self.set_pause(id, channel, PauseChange::Resume, PauseReason::SlowListener);
                self.set_pause(id, channel, PauseChange::Resume, PauseReason::SlowLog);
                self.pause_if_log_is_slow(id, channel);
            }
        }
    }

    /// A child has said something.
    fn on_output(&mut self, id: ProcessId, channel: OutputChannel, data: &[u8]) {
        let (strip_ansi, in_main_log) = (self.settings.strip_ansi, self.log.enabled(Level::Debug));
        let (turn, events_wanted) = (self.write_turn(id, channel), self.wants_output(channel));
        let Some(process) = self.table.process_mut(id) else { return };
        let to_pool = channel == OutputChannel::Stdout && process.is_listener();
        let namespec = process.lifecycle.shared_namespec();
        let source = OutputContext {
            namespec: &namespec,
            pid: process.lifecycle.pid().unwrap_or_default(),
            strip_ansi,
            in_main_log: in_main_log && !to_pool,
            events_wanted,
            turn,
        };
        let mut consequences = OutputEffects::default();
        if let Some(out) = output(process, channel) {
            out.accept(data, &source, &mut consequences);
        }
        if to_pool {
            if in_main_log {
                let line = format!(
                    "{} stdout output:\n{}",
                    python::repr(&namespec.process.0),
                    python::repr_bytes(data)
                );
                self.log.log(Level::Debug, &line);
            }
            self.on_listener_output(id, data);
        }
        self.publish_output_events(id, consequences);
        self.pause_if_congested(id, channel);
        self.pause_if_log_is_slow(id, channel);
    }

    /// Whether anybody wants events about output.
    fn wants_output(&self, channel: OutputChannel) -> bool {
        let kind = match channel {
            OutputChannel::Stdout => EventKind::ProcessLogStdout,
            OutputChannel::Stderr => EventKind::ProcessLogStderr,
        };
        self.bus.wants(kind) || self.event_log.is_wanted(kind)
    }

    pub(super) fn output_mut(&mut self, id: ProcessId, channel: OutputChannel) -> Option<&mut Output> {
        self.table.process_mut(id).and_then(|process| output(process, channel))
    }

    fn publish_output_events(&mut self, id: ProcessId, consequences: OutputEffects) {
        for (level, line) in consequences.lines {
            self.log.log(level, &line);
        }
        let own = self.own_pool(id);
        for event in consequences.events {
            self.record(&event, None);
            self.dispatch_event(&event, own);
        }
    }

    /// Reads what a child that has ended left in its pipes.
    pub(super) fn drain(&mut self, id: ProcessId) {
        for channel in [OutputChannel::Stdout, OutputChannel::Stderr] {
            let mut total = 0;
            while total < DRAIN_LIMIT {
                match self.read_once(id, channel) {
                    0 => break,
                    size => total += size,
                }
            }
            self.finish_output(id, channel);
        }
    }

    fn finish_output(&mut self, id: ProcessId, channel: OutputChannel) {
        let (strip_ansi, in_main_log) = (self.settings.strip_ansi, self.log.enabled(Level::Debug));
        let (turn, events_wanted) = (self.write_turn(id, channel), self.wants_output(channel));
        let Some(process) = self.table.process_mut(id) else { return };
        let namespec = process.lifecycle.shared_namespec();
        let pid = process.lifecycle.pid().unwrap_or_default();
        let source = OutputContext { namespec: &namespec, pid, strip_ansi, in_main_log, events_wanted, turn };
        let mut consequences = OutputEffects::default();
        if let Some(out) = output(process, channel) {
            out.finish(&source, &mut consequences);
        }
        self.publish_output_events(id, consequences);
    }

    /// Stops reading a channel for good.
    pub(super) fn close_output(&mut self, id: ProcessId, channel: OutputChannel) {
        self.poller.remove_hot(token(id, PipeEnd::of(channel)));
        let Some(out) = self.table.process_mut(id).and_then(|process| output(process, channel)) else {
            return;
        };
        let urgency = out.urgency();
        if let Some(fd) = out.fd()
            && !out.pause.is_paused()
        {
            self.poller.remove(fd, urgency);
        }
        out.close();
    }

    /// Reads a channel no more for now, or again.
    pub(super) fn set_pause(
        &mut self,
        id: ProcessId,
        channel: OutputChannel,
        hold: PauseChange,
        why: PauseReason,
    ) {
        let Some(out) = self.table.process_mut(id).and_then(|process| output(process, channel)) else {
            return;
        };
        let before = out.pause.is_paused();
        match why {
            PauseReason::SlowListener => out.pause.listeners = hold == PauseChange::Pause,
            PauseReason::SlowLog => out.pause.log = hold == PauseChange::Pause,
        }
        let Some(fd) = out.fd().filter(|_| out.pause.is_paused() != before) else { return };
        let end = PipeEnd::of(channel);
        let done = match hold {
            PauseChange::Pause => {
                self.poller.remove(fd, out.urgency());
                Ok(())
            }
            PauseChange::Resume => self.poller.add(fd, token(id, end), Interest::Read, out.urgency()),
        };
        if let Err(error) = done {
            self.log.log(Level::Critical, &format!("cannot watch a pipe again: {error}"));
        }
    }

    /// Writes to a child's standard input; what does not fit follows when the child has read.
    ///
    /// Errors: it has no standard input that it reads.
    pub(super) fn write_stdin(&mut self, id: ProcessId, bytes: &[u8]) -> io::Result<()> {
        let closed = || io::Error::from(io::ErrorKind::BrokenPipe);
        let process = self.table.process_mut(id).ok_or_else(closed)?;
        let stdin = process.stdin.as_mut().ok_or_else(closed)?;
        let written = stdin.write(bytes);
        match written {
            Ok(()) => self.watch_stdin(id),
            Err(ref error) if error.kind() == io::ErrorKind::BrokenPipe => self.close_stdin(id),
            // It reads too slowly for this; what waits for it already is its own.
            Err(_) => {}
        }
        written
    }

    fn flush_stdin(&mut self, id: ProcessId) {
        let Some(stdin) = self.table.process_mut(id).and_then(|process| process.stdin.as_mut()) else {
            return;
        };
        match stdin.flush() {
            Ok(()) => self.watch_stdin(id),
            Err(_) => {
                self.close_stdin(id);
                self.on_stdin_closed(id);
            }
        }
    }

    /// Has the pipe watched exactly while something waits for it.
    fn watch_stdin(&mut self, id: ProcessId) {
        let Some(stdin) = self.table.process_mut(id).and_then(|process| process.stdin.as_mut()) else {
            return;
        };
        match (stdin.has_pending(), stdin.watched) {
            (true, false) => {
                let added = self.poller.add(
                    stdin.as_fd(),
                    token(id, PipeEnd::Stdin),
                    Interest::Write,
                    ReadPriority::Immediate,
                );
                stdin.watched = added.is_ok();
            }
            (false, true) => {
                self.poller.remove(stdin.as_fd(), ReadPriority::Immediate);
                stdin.watched = false;
            }
            (true, true) | (false, false) => {}
        }
    }

    /// Closes a child's standard input.
    pub(super) fn close_stdin(&mut self, id: ProcessId) {
        let Some(process) = self.table.process_mut(id) else { return };
        if let Some(stdin) = process.stdin.take()
            && stdin.watched
        {
            self.poller.remove(stdin.as_fd(), ReadPriority::Immediate);
        }
    }
}
