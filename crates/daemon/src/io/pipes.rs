//! The pipes of all children: [`Pipes`], with the poller that watches them.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsFd;
use std::rc::Rc;
use std::time::Duration;

use ironlance_core::event::OutputChannel;

use super::output::Output;
use super::poller::{OutputPoller, ReadPriority};
use super::stdin::ChildStdin;
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
    /// By [`OutputChannel`].
    pub(crate) outputs: [Option<Box<Output>>; 2],
    /// The FastCGI socket that it has; closed when no process of the group has it.
    pub(crate) socket: Option<Rc<FastCgiSocket>>,
}

impl ChildPipes {
    fn output_mut(&mut self, channel: OutputChannel) -> Option<&mut Output> {
        self.outputs[channel as usize].as_deref_mut()
    }
}

/// Why an output is not read at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PauseReason {
    /// Its listeners are behind.
    SlowListener,
    /// Its log is behind.
    SlowLog,
}

/// Whether an output is to be paused or read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PauseChange {
    Pause,
    Resume,
}

/// The token of a pipe of a process in the poller: of an output, or of its standard input.
fn token(id: ProcessId, output: Option<OutputChannel>) -> u64 {
    let end = match output {
        None => 0,
        Some(OutputChannel::Stdout) => 1,
        Some(OutputChannel::Stderr) => 2,
    };
    u64::from(id.0) << 2 | end
}

pub(crate) fn parse_token(token: u64) -> Option<(ProcessId, Option<OutputChannel>)> {
    let output = match token & 3 {
        0 => None,
        1 => Some(OutputChannel::Stdout),
        _ => Some(OutputChannel::Stderr),
    };
    Some((ProcessId(u32::try_from(token >> 2).ok()?), output))
}

/// Both outputs of a process.
pub(crate) const CHANNELS: [OutputChannel; 2] = [OutputChannel::Stdout, OutputChannel::Stderr];

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
        for channel in CHANNELS {
            let output = child.outputs[channel as usize].as_deref();
            if let Some((output, fd)) = output.and_then(|output| Some((output, output.fd()?))) {
                let added = self.poller.add(fd, token(id, Some(channel)), Interest::Read, output.urgency);
                watched = watched.and(added);
            }
        }
        self.children.insert(id, child);
        watched
    }

    /// Closes our ends of a child's pipes, and gives what was kept with them. Grandchildren that hold the other ends
    /// are on their own, as with the original.
    pub(crate) fn remove(&mut self, id: ProcessId) -> ChildPipes {
        for channel in CHANNELS {
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
        self.children.get(&id)?.outputs[channel as usize].as_deref()
    }

    pub(crate) fn output_mut(&mut self, id: ProcessId, channel: OutputChannel) -> Option<&mut Output> {
        self.children.get_mut(&id)?.output_mut(channel)
    }

    /// The FastCGI socket of a child.
    pub(crate) fn socket(&self, id: ProcessId) -> Option<&Rc<FastCgiSocket>> {
        self.children.get(&id)?.socket.as_ref()
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

    /// Reads one buffer from a child. At its end our end of the pipe is closed, too.
    pub(crate) fn read(&mut self, id: ProcessId, channel: OutputChannel) -> ReadOutcome {
        let Some(output) = self.children.get_mut(&id).and_then(|child| child.output_mut(channel)) else {
            return ReadOutcome::Empty;
        };
        let Some(fd) = output.fd() else { return ReadOutcome::Empty };
        if self.buffer.is_empty() {
            // A panic has dropped it. To read into nothing would look as if the pipe were closed.
            self.buffer = vec![0; READ_BUFFER];
        }
        let limit = output.read_limit().min(self.buffer.len());
        match pipes::read(fd, &mut self.buffer[..limit]) {
            ReadOutcome::Bytes(size) => {
                // The writer to a slow log should block early.
                let at_once = output.urgency == ReadPriority::Immediate || self.poller.has_no_delay();
                if size >= NEARLY_FULL && at_once && !output.grown && output.stream().is_none() {
                    pipes::enlarge(fd);
                    output.grown = true;
                }
                ReadOutcome::Bytes(size)
            }
            ReadOutcome::Empty => ReadOutcome::Empty,
            ReadOutcome::Closed => {
                self.close_output(id, channel);
                ReadOutcome::Closed
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
        let token = token(id, Some(channel));
        let Some(output) =
            self.children.get(&id).and_then(|child| child.outputs[channel as usize].as_deref())
        else {
            self.poller.remove_hot(token);
            return Ok(());
        };
        if output.urgency == ReadPriority::Immediate {
            return Ok(());
        }
        self.poller.record_read(size, output.grown);
        let Some(fd) = output.fd().filter(|_| !output.is_paused()) else {
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
        self.poller.remove_hot(token(id, Some(channel)));
        let Some(output) = self.children.get_mut(&id).and_then(|child| child.output_mut(channel)) else {
            return;
        };
        if let Some(fd) = output.fd()
            && !output.is_paused()
        {
            self.poller.remove(fd, output.urgency);
        }
        output.fd = None;
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
        let was_paused = output.is_paused();
        output.pauses[reason as usize] = change == PauseChange::Pause;
        let Some(fd) = output.fd().filter(|_| output.is_paused() != was_paused) else { return Ok(()) };
        match change {
            PauseChange::Pause => {
                self.poller.remove(fd, output.urgency);
                Ok(())
            }
            PauseChange::Resume => {
                self.poller.add(fd, token(id, Some(channel)), Interest::Read, output.urgency)
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
                let token = token(id, None);
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
