//! The pipes of all children: [`Pipes`], with the poller that watches them.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsFd;
use std::rc::Rc;
use std::time::Duration;

use ironlance_core::event::OutputChannel;

use super::output::Output;
use super::poller::{OutputPoller, ReadPriority};
use super::read_pause::{PauseChange, PauseReason};
use super::stdin::ChildStdin;
use super::token::{PipeEnd, token};
use crate::child::fcgi_socket::FastCgiSocket;
use crate::child::pipes::{self, Interest, ReadOutcome};
use crate::state::ids::ProcessId;

/// What is read at once (bytes): a pipe that was made larger, in four reads.
pub(crate) const READ_BUFFER: usize = 256 * 1024;
/// A pipe found with this much in it (bytes) is made larger: of its 64 KiB, small writes leave some unused.
const NEARLY_FULL: usize = 48 * 1024;
/// A pipe that yields this much at once (bytes) is treated as hot: read after each delay, and not watched.
const HOT_READ: usize = 8 * 1024;

/// Our ends of one child's pipes.
#[derive(Default)]
pub(crate) struct ChildPipes {
    pub(crate) stdin: Option<ChildStdin>,
    pub(crate) stdout: Option<Box<Output>>,
    pub(crate) stderr: Option<Box<Output>>,
    /// The FastCGI socket that it has; closed when no process of the group has it.
    pub(crate) socket: Option<Rc<FastCgiSocket>>,
}

impl ChildPipes {
    pub(crate) fn output(&self, channel: OutputChannel) -> Option<&Output> {
        match channel {
            OutputChannel::Stdout => self.stdout.as_deref(),
            OutputChannel::Stderr => self.stderr.as_deref(),
        }
    }

    fn output_mut(&mut self, channel: OutputChannel) -> Option<&mut Output> {
        match channel {
            OutputChannel::Stdout => self.stdout.as_deref_mut(),
            OutputChannel::Stderr => self.stderr.as_deref_mut(),
        }
    }
}

/// What one read of an output gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutputRead {
    /// This many bytes at the beginning of the buffer.
    Bytes(usize),
    /// Nothing now, or there is no such output.
    Nothing,
    /// The child has closed its end; ours is closed, too.
    Closed,
}

/// The pipes of all children.
pub(crate) struct Pipes {
    pub(crate) poller: OutputPoller,
    children: BTreeMap<ProcessId, ChildPipes>,
    /// What all pipes are read into.
    pub(crate) buffer: Vec<u8>,
    /// The tokens of pipes that are ready; kept for its room.
    tokens: Vec<u64>,
    /// How many of them have been served.
    served: usize,
}

impl Pipes {
    /// To be called in the runtime. The error is that of epoll_create1(2).
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            poller: OutputPoller::new()?,
            children: BTreeMap::new(),
            buffer: vec![0; READ_BUFFER],
            tokens: Vec::new(),
            served: 0,
        })
    }

    /// Takes over the pipes of a child that was started. An error is that of a pipe that cannot be watched.
    pub(crate) fn insert(&mut self, id: ProcessId, child: ChildPipes) -> io::Result<()> {
        let mut watched = Ok(());
        for (end, output) in [(PipeEnd::Stdout, &child.stdout), (PipeEnd::Stderr, &child.stderr)] {
            if let Some((output, fd)) = output.as_deref().and_then(|output| Some((output, output.fd()?))) {
                let added = self.poller.add(fd, token(id, end), Interest::Read, output.urgency());
                watched = watched.and(added);
            }
        }
        self.children.insert(id, child);
        watched
    }

    /// Closes our ends of a child's pipes, and gives what was kept with them. Grandchildren that hold the other ends
    /// are on their own, as with the original.
    pub(crate) fn remove(&mut self, id: ProcessId) -> ChildPipes {
        for channel in [OutputChannel::Stdout, OutputChannel::Stderr] {
            self.close_output(id, channel);
        }
        self.close_stdin(id);
        self.children.remove(&id).unwrap_or_default()
    }

    /// The processes that have pipes.
    #[cfg(test)]
    pub(crate) fn ids(&self) -> impl Iterator<Item = ProcessId> {
        self.children.keys().copied()
    }

    pub(crate) fn output(&self, id: ProcessId, channel: OutputChannel) -> Option<&Output> {
        self.children.get(&id)?.output(channel)
    }

    pub(crate) fn output_mut(&mut self, id: ProcessId, channel: OutputChannel) -> Option<&mut Output> {
        self.children.get_mut(&id)?.output_mut(channel)
    }

    /// The FastCGI socket of a child.
    pub(crate) fn socket(&self, id: ProcessId) -> Option<&Rc<FastCgiSocket>> {
        self.children.get(&id)?.socket.as_ref()
    }

    /// Both outputs of a child, as far as there are any.
    pub(crate) fn outputs_mut(&mut self, id: ProcessId) -> impl Iterator<Item = &mut Output> {
        let child = self.children.get_mut(&id);
        child
            .into_iter()
            .flat_map(|child| [&mut child.stdout, &mut child.stderr])
            .filter_map(|output| output.as_deref_mut())
    }

    /// The next pipe that is ready; asks the kernel if none is known. `None` where none is.
    pub(crate) fn next_ready(&mut self, now: Duration) -> io::Result<Option<u64>> {
        if self.served == self.tokens.len() {
            self.served = 0;
            self.poller.next(now, &mut self.tokens)?;
        }
        let next = self.tokens.get(self.served).copied();
        self.served += usize::from(next.is_some());
        Ok(next)
    }

    /// Whether a pipe is the only one that was found ready.
    pub(crate) fn is_alone(&self) -> bool {
        self.tokens.len() == 1
    }

    /// Whether all pipes that were found ready have been served.
    pub(crate) fn is_pass_over(&self) -> bool {
        self.served == self.tokens.len()
    }

    /// Whether a pipe may be read or written now.
    pub(crate) fn has_ready(&self, now: Duration) -> bool {
        !self.is_pass_over() || self.poller.is_due(now)
    }

    /// Reads one buffer from a child.
    pub(crate) fn read(&mut self, id: ProcessId, channel: OutputChannel) -> OutputRead {
        let Some(output) = self.children.get_mut(&id).and_then(|child| child.output_mut(channel)) else {
            return OutputRead::Nothing;
        };
        let Some(fd) = output.fd() else { return OutputRead::Nothing };
        if self.buffer.is_empty() {
            // A panic has dropped it. To read into nothing would look as if the pipe were closed.
            self.buffer = vec![0; READ_BUFFER];
        }
        let limit = output.read_limit().min(self.buffer.len());
        match pipes::read(fd, &mut self.buffer[..limit]) {
            ReadOutcome::Bytes(size) => {
                // The writer to a slow log should block early.
                let at_once = output.urgency() == ReadPriority::Immediate || self.poller.has_no_delay();
                if size >= NEARLY_FULL && at_once && !output.grown && output.stream().is_none() {
                    pipes::enlarge(fd);
                    output.grown = true;
                }
                OutputRead::Bytes(size)
            }
            ReadOutcome::Empty => OutputRead::Nothing,
            ReadOutcome::Closed => {
                self.close_output(id, channel);
                OutputRead::Closed
            }
        }
    }

    /// Adapts the polling of an output to the size of the last read. An error is that of a pipe that cannot be watched.
    pub(crate) fn adapt_polling(
        &mut self,
        id: ProcessId,
        channel: OutputChannel,
        size: usize,
    ) -> io::Result<()> {
        let token = token(id, PipeEnd::of(channel));
        let Some(output) = self.children.get(&id).and_then(|child| child.output(channel)) else {
            self.poller.remove_hot(token);
            return Ok(());
        };
        if output.urgency() == ReadPriority::Immediate {
            return Ok(());
        }
        self.poller.record_read(size, output.grown);
        let Some(fd) = output.fd().filter(|_| !output.pause.is_paused()) else {
            self.poller.remove_hot(token);
            return Ok(());
        };
        match (self.poller.is_hot(token), size) {
            (true, 0) => self.poller.make_watched(fd, token),
            (false, HOT_READ..) => {
                self.poller.make_hot(fd, token);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Stops reading an output for good.
    fn close_output(&mut self, id: ProcessId, channel: OutputChannel) {
        self.poller.remove_hot(token(id, PipeEnd::of(channel)));
        let Some(output) = self.children.get_mut(&id).and_then(|child| child.output_mut(channel)) else {
            return;
        };
        if let Some(fd) = output.fd()
            && !output.pause.is_paused()
        {
            self.poller.remove(fd, output.urgency());
        }
        output.close();
    }

    /// Reads an output no more for now, or again. An error is that of a pipe that cannot be watched.
    pub(crate) fn set_pause(
        &mut self,
        id: ProcessId,
        channel: OutputChannel,
        change: PauseChange,
        reason: PauseReason,
    ) -> io::Result<()> {
        let Some(output) = self.children.get_mut(&id).and_then(|child| child.output_mut(channel)) else {
            return Ok(());
        };
        let was_paused = output.pause.is_paused();
        output.pause.set(reason, change);
        let Some(fd) = output.fd().filter(|_| output.pause.is_paused() != was_paused) else { return Ok(()) };
        match change {
            PauseChange::Pause => {
                self.poller.remove(fd, output.urgency());
                Ok(())
            }
            PauseChange::Resume => {
                self.poller.add(fd, token(id, PipeEnd::of(channel)), Interest::Read, output.urgency())
            }
        }
    }

    /// Writes to a child's standard input; what does not fit is written when the child has read.
    ///
    /// Errors: it has no standard input that it reads.
    pub(crate) fn write_stdin(&mut self, id: ProcessId, bytes: &[u8]) -> io::Result<()> {
        let stdin = self.children.get_mut(&id).and_then(|child| child.stdin.as_mut());
        let stdin = stdin.ok_or_else(|| io::Error::from(io::ErrorKind::BrokenPipe))?;
        let written = stdin.write(bytes);
        match written {
            Ok(()) => self.watch_stdin(id),
            Err(ref error) if error.kind() == io::ErrorKind::BrokenPipe => self.close_stdin(id),
            // Too much is pending already; that is written all the same.
            Err(_) => {}
        }
        written
    }

    /// Writes what is pending, as far as the pipe takes it. The error is that the child has closed its end.
    pub(crate) fn flush_stdin(&mut self, id: ProcessId) -> io::Result<()> {
        let Some(stdin) = self.children.get_mut(&id).and_then(|child| child.stdin.as_mut()) else {
            return Ok(());
        };
        let flushed = stdin.flush();
        match flushed {
            Ok(()) => self.watch_stdin(id),
            Err(_) => self.close_stdin(id),
        }
        flushed
    }

    /// Watches the pipe exactly while bytes are pending.
    fn watch_stdin(&mut self, id: ProcessId) {
        let Some(stdin) = self.children.get_mut(&id).and_then(|child| child.stdin.as_mut()) else { return };
        match (stdin.has_pending(), stdin.watched) {
            (true, false) => {
                let token = token(id, PipeEnd::Stdin);
                let added = self.poller.add(stdin.as_fd(), token, Interest::Write, ReadPriority::Immediate);
                stdin.watched = added.is_ok();
            }
            (false, true) => {
                self.poller.remove(stdin.as_fd(), ReadPriority::Immediate);
                stdin.watched = false;
            }
            (true, true) | (false, false) => {}
        }
    }

    fn close_stdin(&mut self, id: ProcessId) {
        let Some(child) = self.children.get_mut(&id) else { return };
        if let Some(stdin) = child.stdin.take()
            && stdin.watched
        {
            self.poller.remove(stdin.as_fd(), ReadPriority::Immediate);
        }
    }
}
