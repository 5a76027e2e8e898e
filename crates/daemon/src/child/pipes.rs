//! Reading, writing and polling the pipes of children: [`Epoll`] and non-blocking calls. `io/poller` is built on it.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, epoll, poll};
use rustix::io::Errno;

/// The size to which a full pipe grows, in bytes: the kernel's limit for users who are not root.
const MAX_PIPE_SIZE: usize = 1 << 20;
/// Events that one wait reports at most.
pub const MAX_EVENTS: usize = 128;

/// The readiness to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// Data to read, or the other end is closed.
    Read,
    /// The same with EPOLLONESHOT: reported once, then disabled until it is modified.
    ReadOnce,
    /// Room to write, or the read end is closed.
    Write,
}

/// The outcome of a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadOutcome {
    /// This many bytes.
    Bytes(usize),
    /// The pipe is empty.
    Empty,
    /// All write ends are closed.
    Closed,
}

/// The outcome of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteOutcome {
    /// This many bytes were taken.
    Bytes(usize),
    /// The pipe is full.
    Full,
    /// All read ends are closed.
    Closed,
}

/// A level-triggered epoll set for the pipes of all children: no task, no buffer and no registration with the runtime
/// for each of them.
///
/// The set's own descriptor ([`AsFd`]) becomes readable when a member is ready. Where that is edge-triggered, as in
/// tokio's `AsyncFd`, call [`Epoll::wait`] until it gives 0 before clearing the readiness.
pub struct Epoll {
    epoll: OwnedFd,
    events: Vec<epoll::Event>,
}

impl Epoll {
    /// An empty set. The error is that of epoll_create1(2).
    pub fn new() -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        Ok(Self { epoll, events: Vec::with_capacity(MAX_EVENTS) })
    }

    /// Adds a descriptor; [`Epoll::wait`] reports it by `token`.
    ///
    /// A write end is best added only while there are bytes to write: when its reader has closed, it is always ready.
    pub fn add(&self, fd: BorrowedFd<'_>, token: u64, interest: Interest) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, fd, epoll::EventData::new_u64(token), flags(interest))?)
    }

    /// Changes the interest of a member.
    pub fn modify(&self, fd: BorrowedFd<'_>, token: u64, interest: Interest) -> io::Result<()> {
        Ok(epoll::modify(&self.epoll, fd, epoll::EventData::new_u64(token), flags(interest))?)
    }

    /// Removes a member. To be called before the descriptor is closed, as a child may hold a copy of it.
    pub fn remove(&self, fd: BorrowedFd<'_>) {
        // It fails for a descriptor that is not a member, which is fine.
        let _ = epoll::delete(&self.epoll, fd);
    }

    /// Passes the tokens of ready members to `sink` and gives their number, at most [`MAX_EVENTS`]. Does not block.
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

    /// Blocks until a member is ready, or for `time`.
    pub fn wait_readable(&self, time: Duration) {
        let time = Timespec::try_from(time).unwrap_or(Timespec { tv_sec: 0, tv_nsec: 0 });
        // The caller looks at all members afterwards, whatever has ended the wait.
        let _ = poll(&mut [PollFd::new(&self.epoll, PollFlags::IN)], Some(&time));
    }
}

impl fmt::Debug for Epoll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Epoll").field(&self.epoll).finish()
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

/// Reads once. An error counts as the end of the pipe.
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

/// Enlarges a pipe that was found full (64 KiB by default) to a megabyte, or to what the kernel allows. Gives its
/// size in bytes.
pub fn enlarge(fd: BorrowedFd<'_>) -> usize {
    let sizes = [MAX_PIPE_SIZE, MAX_PIPE_SIZE / 4];
    let grown = sizes.iter().find_map(|size| rustix::pipe::fcntl_setpipe_size(fd, *size).ok());
    grown.or_else(|| rustix::pipe::fcntl_getpipe_size(fd).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rustix::pipe::{PipeFlags, pipe_with};

    use super::*;

    /// The kernel's default pipe size in bytes.
    const DEFAULT_PIPE_SIZE: usize = 1 << 16;

    fn pipe() -> (OwnedFd, OwnedFd) {
        pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).unwrap()
    }

    fn ready(epoll: &mut Epoll) -> Vec<u64> {
        let mut tokens = Vec::new();
        let count = epoll.wait(&mut |token| tokens.push(token)).unwrap();
        assert_eq!(count, tokens.len());
        tokens
    }

    #[test]
    fn a_ready_pipe_is_reported_until_it_is_read() {
        let mut epoll = Epoll::new().unwrap();
        let (read_end, write_end) = pipe();
        epoll.add(read_end.as_fd(), 7, Interest::Read).unwrap();
        assert!(ready(&mut epoll).is_empty());
        assert_eq!(write(write_end.as_fd(), b"hello"), WriteOutcome::Bytes(5));
        assert_eq!(ready(&mut epoll), [7]);
        assert_eq!(ready(&mut epoll), [7]);
        let mut buffer = [0; 100];
        assert_eq!(read(read_end.as_fd(), &mut buffer), ReadOutcome::Bytes(5));
        assert!(ready(&mut epoll).is_empty());
        assert_eq!(read(read_end.as_fd(), &mut buffer), ReadOutcome::Empty);
        drop(write_end);
        assert_eq!(ready(&mut epoll), [7]);
        assert_eq!(read(read_end.as_fd(), &mut buffer), ReadOutcome::Closed);
        epoll.remove(read_end.as_fd());
        assert!(ready(&mut epoll).is_empty());
        epoll.remove(read_end.as_fd());
    }

    #[test]
    fn room_to_write_is_reported_and_so_is_a_closed_reader() {
        let mut epoll = Epoll::new().unwrap();
        let (read_end, write_end) = pipe();
        let block = [0; 4096];
        while write(write_end.as_fd(), &block) != WriteOutcome::Full {}
        epoll.add(write_end.as_fd(), 1, Interest::Write).unwrap();
        assert!(ready(&mut epoll).is_empty());
        let mut buffer = [0; DEFAULT_PIPE_SIZE];
        assert_eq!(read(read_end.as_fd(), &mut buffer), ReadOutcome::Bytes(DEFAULT_PIPE_SIZE));
        assert_eq!(ready(&mut epoll), [1]);
        epoll.modify(write_end.as_fd(), 2, Interest::Read).unwrap();
        assert!(ready(&mut epoll).is_empty());
        drop(read_end);
        assert_eq!(ready(&mut epoll), [2]);
        assert_eq!(write(write_end.as_fd(), &block), WriteOutcome::Closed);
    }

    #[test]
    fn a_pipe_that_is_full_gets_more_room() {
        let (_read_end, write_end) = pipe();
        let size = enlarge(write_end.as_fd());
        assert!(size > DEFAULT_PIPE_SIZE, "{size}");
        let mut taken = 0;
        while let WriteOutcome::Bytes(count) = write(write_end.as_fd(), &[0; 4096]) {
            taken += count;
        }
        assert_eq!(taken, size);
    }

    #[test]
    fn hundreds_of_ready_pipes_are_reported_in_turns() {
        let mut epoll = Epoll::new().unwrap();
        let pipes: BTreeMap<u64, _> = (0..400).map(|token| (token, pipe())).collect();
        for (token, (read_end, write_end)) in &pipes {
            epoll.add(read_end.as_fd(), *token, Interest::Read).unwrap();
            write(write_end.as_fd(), b"x");
        }
        let mut seen = Vec::new();
        loop {
            let tokens = ready(&mut epoll);
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
