//! The pipes of all children in one epoll of our own: no task, no buffer and no registration with the runtime for each.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, epoll, poll};
use rustix::io::Errno;

/// What a full pipe grows to at most, in bytes: the kernel's own limit for users who are not root.
const MAX_PIPE_SIZE: usize = 1 << 20;
/// A read of so many bytes has emptied a pipe of the usual size, so it may have been full.
pub const DEFAULT_PIPE_SIZE: usize = 1 << 16;
/// How many descriptors are told of at once.
pub const MAX_EVENTS: usize = 128;

/// What to wait for at a descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// There is something to read, or the other side has closed.
    Read,
    /// The same, told once; then not before it is modified.
    ReadOnce,
    /// There is room to write, or nobody reads any more.
    Write,
}

/// What a read gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadOutcome {
    /// So many bytes.
    Bytes(usize),
    /// Nothing now.
    Empty,
    /// Nothing any more.
    Closed,
}

/// What a write took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteOutcome {
    /// So many bytes.
    Bytes(usize),
    /// None now: the pipe is full.
    Full,
    /// None any more: nobody reads.
    Closed,
}

/// One epoll for the pipes of all children, level-triggered.
///
/// Its own descriptor ([`AsFd`]) becomes readable when one of them is ready. Where that is watched by edges, as tokio's
/// `AsyncFd` does, [`Poller::wait`] is called until it says 0 before the readiness is cleared.
pub struct Epoll {
    epoll: OwnedFd,
    events: Vec<epoll::Event>,
}

impl Epoll {
    /// A poller of nothing. The error is that of epoll_create1(2).
    pub fn new() -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        Ok(Self { epoll, events: Vec::with_capacity(MAX_EVENTS) })
    }

    /// Watches a descriptor; `token` is what [`Poller::wait`] calls it.
    ///
    /// A pipe to write to is best added only while there is something to write: once its reader is gone, it is always
    /// ready.
    pub fn add(&self, fd: BorrowedFd<'_>, token: u64, interest: Interest) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, fd, epoll::EventData::new_u64(token), flags(interest))?)
    }

    /// Changes what is waited for at a descriptor that was added.
    pub fn modify(&self, fd: BorrowedFd<'_>, token: u64, interest: Interest) -> io::Result<()> {
        Ok(epoll::modify(&self.epoll, fd, epoll::EventData::new_u64(token), flags(interest))?)
    }

    /// Watches a descriptor no more; to be called before it is closed, as a child may hold a copy of it.
    pub fn remove(&self, fd: BorrowedFd<'_>) {
        // It fails for a descriptor that is not watched, which is what was wanted.
        let _ = epoll::delete(&self.epoll, fd);
    }

    /// Gives the tokens of what is ready now and how many these were, at most 128; never waits.
    pub fn wait(&mut self, sink: &mut dyn FnMut(u64)) -> io::Result<usize> {
        self.events.clear();
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        let mut once =
            || epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut self.events), Some(&at_once));
        while let Err(why) = once() {
            if why != Errno::INTR {
                return Err(why.into());
            }
        }
        self.events.iter().for_each(|event| sink(event.data.u64()));
        Ok(self.events.len())
    }
}

impl fmt::Debug for Epoll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Poller").field(&self.epoll).finish()
    }
}

impl Epoll {
    /// Waits until something is ready, or this long.
    pub fn wait_readable(&self, time: Duration) {
        let time = Timespec::try_from(time).unwrap_or(Timespec { tv_sec: 0, tv_nsec: 0 });
        // Whatever ends it, all is looked at afterwards.
        let _ = poll(&mut [PollFd::new(&self.epoll, PollFlags::IN)], Some(&time));
    }
}

impl AsRawFd for Epoll {
    fn as_raw_fd(&self) -> RawFd {
        self.epoll.as_raw_fd()
    }
}

impl AsFd for Epoll {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

fn flags(interest: Interest) -> epoll::EventFlags {
    match interest {
        Interest::Read => epoll::EventFlags::IN,
        Interest::ReadOnce => epoll::EventFlags::IN | epoll::EventFlags::ONESHOT,
        Interest::Write => epoll::EventFlags::OUT,
    }
}

/// Reads once into `buffer`. An error is an end: there is nothing to be had from such a pipe.
pub fn read(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> ReadOutcome {
    loop {
        return match rustix::io::read(fd, &mut *buffer) {
            Ok(0) => ReadOutcome::Closed,
            Ok(count) => ReadOutcome::Bytes(count),
            Err(Errno::INTR) => continue,
            Err(Errno::AGAIN) => ReadOutcome::Empty,
            Err(_) => ReadOutcome::Closed,
        };
    }
}

/// Writes once, as much as there is room for.
pub fn write(fd: BorrowedFd<'_>, data: &[u8]) -> WriteOutcome {
    loop {
        return match rustix::io::write(fd, data) {
            Ok(count) => WriteOutcome::Bytes(count),
            Err(Errno::INTR) => continue,
            Err(Errno::AGAIN) => WriteOutcome::Full,
            Err(_) => WriteOutcome::Closed,
        };
    }
}

/// Gives a pipe that was found full ([`FULL_PIPE`]) the room of a megabyte, or what the kernel lets us have.
/// Returns its size in bytes.
pub fn grow(fd: BorrowedFd<'_>) -> usize {
    let sizes = [MAX_PIPE_SIZE, MAX_PIPE_SIZE / 4];
    let grown = sizes.iter().find_map(|size| rustix::pipe::fcntl_setpipe_size(fd, *size).ok());
    grown.or_else(|| rustix::pipe::fcntl_getpipe_size(fd).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rustix::pipe::{PipeFlags, pipe_with};

    use super::*;

    fn pipe() -> (OwnedFd, OwnedFd) {
        pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).unwrap()
    }

    fn ready(poller: &mut Epoll) -> Vec<u64> {
        let mut tokens = Vec::new();
        let count = poller.wait(&mut |token| tokens.push(token)).unwrap();
        assert_eq!(count, tokens.len());
        tokens
    }

    #[test]
    fn who_is_ready_is_told_until_it_is_dealt_with() {
        let mut poller = Epoll::new().unwrap();
        let (read_end, write_end) = pipe();
        poller.add(read_end.as_fd(), 7, Interest::Read).unwrap();
        assert!(ready(&mut poller).is_empty());
        assert_eq!(write(write_end.as_fd(), b"hello"), WriteOutcome::Bytes(5));
        assert_eq!(ready(&mut poller), [7]);
        assert_eq!(ready(&mut poller), [7]);
        let mut buffer = [0; 100];
        assert_eq!(read(read_end.as_fd(), &mut buffer), ReadOutcome::Bytes(5));
        assert!(ready(&mut poller).is_empty());
        assert_eq!(read(read_end.as_fd(), &mut buffer), ReadOutcome::Empty);
        drop(write_end);
        assert_eq!(ready(&mut poller), [7]);
        assert_eq!(read(read_end.as_fd(), &mut buffer), ReadOutcome::Closed);
        poller.remove(read_end.as_fd());
        assert!(ready(&mut poller).is_empty());
        poller.remove(read_end.as_fd());
    }

    #[test]
    fn room_to_write_is_told_and_so_is_a_reader_that_is_gone() {
        let mut poller = Epoll::new().unwrap();
        let (read_end, write_end) = pipe();
        let block = [0; 4096];
        while write(write_end.as_fd(), &block) != WriteOutcome::Full {}
        poller.add(write_end.as_fd(), 1, Interest::Write).unwrap();
        assert!(ready(&mut poller).is_empty());
        let mut buffer = [0; DEFAULT_PIPE_SIZE];
        assert_eq!(read(read_end.as_fd(), &mut buffer), ReadOutcome::Bytes(DEFAULT_PIPE_SIZE));
        assert_eq!(ready(&mut poller), [1]);
        poller.modify(write_end.as_fd(), 2, Interest::Read).unwrap();
        assert!(ready(&mut poller).is_empty());
        drop(read_end);
        assert_eq!(ready(&mut poller), [2]);
        assert_eq!(write(write_end.as_fd(), &block), WriteOutcome::Closed);
    }

    #[test]
    fn a_pipe_that_is_full_gets_more_room() {
        let (_read_end, write_end) = pipe();
        let size = grow(write_end.as_fd());
        assert!(size > DEFAULT_PIPE_SIZE, "{size}");
        let mut taken = 0;
        while let WriteOutcome::Bytes(count) = write(write_end.as_fd(), &[0; 4096]) {
            taken += count;
        }
        assert_eq!(taken, size);
    }

    #[test]
    fn hundreds_of_pipes_are_all_told_in_turns() {
        let mut poller = Epoll::new().unwrap();
        let pipes: BTreeMap<u64, _> = (0..400).map(|token| (token, pipe())).collect();
        for (token, (read_end, write_end)) in &pipes {
            poller.add(read_end.as_fd(), *token, Interest::Read).unwrap();
            write(write_end.as_fd(), b"x");
        }
        let mut seen = Vec::new();
        loop {
            let tokens = ready(&mut poller);
            if tokens.is_empty() {
                break;
            }
            assert!(tokens.len() <= MAX_EVENTS);
            for token in tokens {
                read(pipes[&token].0.as_fd(), &mut [0; 10]);
                seen.push(token);
            }
        }
        seen.sort_unstable();
        assert_eq!(seen, pipes.keys().copied().collect::<Vec<_>>());
    }
}
