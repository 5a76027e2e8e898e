//! The descriptor that a log is written to: [`Sink`] is a file, or a stream that must not block the daemon.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, Mode, OFlags, Stat, fstat};
use rustix::io::{Errno, fcntl_dupfd_cloexec};
use rustix::net::{SendFlags, send};

use crate::files::safe_open::{self, MAX_LINKS};

/// How long a write waits for a stream, once. After that its data is lost until the stream takes something again.
const WRITE_TIMEOUT: Duration = Duration::from_millis(100);
/// A pipe that polls as writable takes this many bytes without blocking.
const PIPE_BUF: usize = 4096;

/// An open descriptor to write to.
#[derive(Debug)]
pub(super) struct Sink {
    fd: OwnedFd,
    kind: SinkKind,
    /// Whether a write has timed out and nothing was taken since.
    stalled: bool,
}

/// How to write without blocking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SinkKind {
    /// A regular file, which is always writable.
    File,
    /// A FIFO or terminal that was opened here with O_NONBLOCK.
    Opened,
    /// An inherited socket: send(2) with MSG_DONTWAIT.
    Socket,
    /// An inherited pipe or terminal: its flags are shared with other processes and stay, so poll(2) goes before each
    /// write.
    Shared,
}

/// A write that was not complete.
#[derive(Debug)]
pub(super) struct PartialWrite {
    /// Bytes that were written.
    pub(super) written: usize,
    pub(super) why: io::Error,
}

/// What open(2) does with existing content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OpenMode {
    Append,
    Truncate,
}

/// An inherited stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StdStream {
    Output,
    Error,
}

impl Sink {
    /// Opens a log without blocking, and creates it if need be. `/dev/stdout` and `/dev/stderr` and their other names
    /// also work where they are sockets, or belong to the user before `user=` was applied.
    pub(super) fn open(path: &Path, opening: OpenMode) -> io::Result<Self> {
        let mut flags = OFlags::WRONLY | OFlags::CREATE | OFlags::APPEND;
        flags |= OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
        if opening == OpenMode::Truncate {
            flags |= OFlags::TRUNC;
        }
        match safe_open::open(path, flags, Mode::from_raw_mode(0o666)) {
            Ok(fd) => {
                let way = if is_file(&fstat(&fd)?) { SinkKind::File } else { SinkKind::Opened };
                Ok(Self { fd, kind: way, stalled: false })
            }
            Err(why) => match (Errno::from_io_error(&why), std_stream_of(path)) {
                (Some(Errno::NXIO | Errno::ACCESS | Errno::PERM), Some(stream)) => Self::std_stream(stream),
                _ => Err(why),
            },
        }
    }

    /// Writes to an inherited stream.
    pub(super) fn std_stream(stream: StdStream) -> io::Result<Self> {
        let fd = match stream {
            StdStream::Output => fcntl_dupfd_cloexec(io::stdout(), 3)?,
            StdStream::Error => fcntl_dupfd_cloexec(io::stderr(), 3)?,
        };
        Self::shared(fd)
    }

    pub(super) fn shared(fd: OwnedFd) -> io::Result<Self> {
        let way = match FileType::from_raw_mode(fstat(&fd)?.st_mode) {
            FileType::RegularFile => SinkKind::File,
            FileType::Socket => SinkKind::Socket,
            _ => SinkKind::Shared,
        };
        Ok(Self { fd, kind: way, stalled: false })
    }

    /// Whether this is a regular file. Only these have a size and are rotated.
    pub(super) fn is_file(&self) -> bool {
        self.kind == SinkKind::File
    }

    pub(super) fn stat(&self) -> io::Result<Stat> {
        Ok(fstat(&self.fd)?)
    }

    /// Writes all, or as much as is taken: a disk may be full, a reader slow or closed.
    pub(super) fn write(&mut self, data: &[u8]) -> Result<(), PartialWrite> {
        let mut written = 0;
        let mut deadline = None;
        loop {
            written += self
                .try_write(&data[written..])
                .map_err(|error| PartialWrite { written: written + error.written, ..error })?;
            if written == data.len() {
                return Ok(());
            }
            let deadline = *deadline.get_or_insert_with(|| Instant::now() + WRITE_TIMEOUT);
            if self.stalled || !self.wait_writable(deadline.saturating_duration_since(Instant::now())) {
                self.stalled = true;
                return Err(PartialWrite { written, why: Errno::AGAIN.into() });
            }
        }
    }

    /// Writes as much as is taken without blocking; gives the number of bytes.
    pub(super) fn try_write(&mut self, data: &[u8]) -> Result<usize, PartialWrite> {
        let mut written = 0;
        while written < data.len() {
            match self.write_once(&data[written..]) {
                Ok(0) => return Err(PartialWrite { written, why: io::ErrorKind::WriteZero.into() }),
                Ok(count) => {
                    written += count;
                    self.stalled = false;
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                Err(why) => return Err(PartialWrite { written, why: why.into() }),
            }
        }
        Ok(written)
    }

    fn write_once(&self, data: &[u8]) -> Result<usize, Errno> {
        match self.kind {
            SinkKind::File | SinkKind::Opened => rustix::io::write(&self.fd, data),
            SinkKind::Socket => send(&self.fd, data, SendFlags::DONTWAIT | SendFlags::NOSIGNAL),
            SinkKind::Shared if self.wait_writable(Duration::ZERO) => {
                rustix::io::write(&self.fd, &data[..data.len().min(PIPE_BUF)])
            }
            SinkKind::Shared => Err(Errno::AGAIN),
        }
    }

    /// Waits until a write would succeed or fail; false after the timeout.
    fn wait_writable(&self, timeout: Duration) -> bool {
        let end = Instant::now() + timeout;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let left = Timespec::try_from(left).unwrap_or(Timespec { tv_sec: 0, tv_nsec: 0 });
            match poll(&mut [PollFd::new(&self.fd.as_fd(), PollFlags::OUT)], Some(&left)) {
                Err(Errno::INTR) => {}
                Err(_) | Ok(0) => return false,
                Ok(_) => return true,
            }
        }
    }
}

fn is_file(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
}

/// The inherited stream that `path` names, directly or through links.
fn std_stream_of(path: &Path) -> Option<StdStream> {
    let mut at = path.to_owned();
    for _ in 0..MAX_LINKS {
        if let Some(stream) = std_stream_named(&at) {
            return Some(stream);
        }
        let target = at.read_link().ok()?;
        at = at.parent()?.join(target);
    }
    None
}

fn std_stream_named(path: &Path) -> Option<StdStream> {
    // In a container this is process 1, and named so.
    let number_in_proc = |name: &'_ str| {
        let (process, number) = name.strip_prefix("/proc/")?.split_once("/fd/")?;
        (process == "self" || process == std::process::id().to_string()).then(|| number.to_owned())
    };
    let name = path.to_str()?;
    let number = name.strip_prefix("/dev/fd/").map(str::to_owned).or_else(|| number_in_proc(name));
    match (name, number.as_deref()) {
        ("/dev/stdout", _) | (_, Some("1")) => Some(StdStream::Output),
        ("/dev/stderr", _) | (_, Some("2")) => Some(StdStream::Error),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read;
    use std::os::unix::net::UnixStream;
    use std::path::PathBuf;

    use super::*;

    /// The reader takes nothing, then something, then it closes.
    fn held_up_once(ours: OwnedFd, mut theirs: File) {
        let mut sink = Sink::shared(ours).unwrap();
        let big = vec![b'x'; 4 << 20];
        let start = Instant::now();
        let loss = sink.write(&big).unwrap_err();
        assert!(loss.written > 0 && loss.why.kind() == io::ErrorKind::WouldBlock, "{loss:?}");
        assert!(start.elapsed() >= WRITE_TIMEOUT);
        let start = Instant::now();
        for _ in 0..10 {
            assert_eq!(sink.write(b"lost").unwrap_err().written, 0);
        }
        assert!(start.elapsed() < WRITE_TIMEOUT, "{:?}", start.elapsed());
        let mut buffer = vec![0; loss.written];
        theirs.read_exact(&mut buffer).unwrap();
        sink.write(b"taken").unwrap();
        assert!(!sink.stalled);
        drop(theirs);
        assert_eq!(sink.write(b"gone").unwrap_err().why.kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn a_pipe_that_others_share_does_not_hold_us_up_and_keeps_its_flags() {
        let (theirs, ours) = rustix::pipe::pipe().unwrap();
        let copy = ours.try_clone().unwrap();
        held_up_once(ours, theirs.into());
        assert!(!rustix::fs::fcntl_getfl(&copy).unwrap().contains(OFlags::NONBLOCK));
    }

    #[test]
    fn a_socket_that_others_share_does_not_hold_us_up_and_keeps_its_flags() {
        let (theirs, ours) = UnixStream::pair().unwrap();
        let copy = ours.try_clone().unwrap();
        held_up_once(ours.into(), OwnedFd::from(theirs).into());
        assert!(!rustix::fs::fcntl_getfl(&copy).unwrap().contains(OFlags::NONBLOCK));
    }

    #[test]
    fn stdout_is_found_by_all_its_names() {
        for name in ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"] {
            assert_eq!(std_stream_of(Path::new(name)), Some(StdStream::Output));
        }
        assert_eq!(std_stream_of(Path::new("/dev/stderr")), Some(StdStream::Error));
        let of_process = |pid: u32| PathBuf::from(format!("/proc/{pid}/fd/2"));
        assert_eq!(std_stream_of(&of_process(std::process::id())), Some(StdStream::Error));
        assert_eq!(std_stream_of(&of_process(std::process::id() + 1)), None);
        assert_eq!(std_stream_of(Path::new("/dev/fd/7")), None);
        let folder = tempfile::tempdir().unwrap();
        let link = |target: &str, name: &str| {
            std::os::unix::fs::symlink(target, folder.path().join(name)).unwrap();
            folder.path().join(name)
        };
        assert_eq!(std_stream_of(&link("/dev/stderr", "one")), Some(StdStream::Error));
        assert_eq!(std_stream_of(&link("one", "two")), Some(StdStream::Error));
        assert_eq!(std_stream_of(&link("circle", "circle")), None);
    }
}
