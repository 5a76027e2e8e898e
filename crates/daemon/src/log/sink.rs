//! Where the bytes of a log go: an open file, or a stream that must not hold us up.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, Mode, OFlags, Stat, fstat};
use rustix::io::{Errno, fcntl_dupfd_cloexec};
use rustix::net::{SendFlags, send};

use crate::files::safe_open::{self, MAX_LINKS};

/// How long a stream may keep us waiting, once; then what it does not take is lost until it takes something again.
const WRITE_TIMEOUT: Duration = Duration::from_millis(100);
/// So much a pipe takes without blocking when it says that it is ready (PIPE_BUF).
const PIPE_BUF: usize = 4096;

/// An open log.
#[derive(Debug)]
pub(super) struct Sink {
    fd: OwnedFd,
    kind: SinkKind,
    /// Whether it kept us waiting in vain and has taken nothing since.
    stalled: bool,
}

/// How to write without being held up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SinkKind {
    /// A regular file: it is always ready.
    File,
    /// A FIFO or a terminal that was opened here: it does not block.
    Opened,
    /// A socket of somebody else's: each write says that it must not block.
    Socket,
    /// A pipe or a terminal of somebody else's: its flags are not ours to change, so it is asked before each write.
    Shared,
}

/// What was not written, and why.
#[derive(Debug)]
pub(super) struct PartialWrite {
    /// So many bytes were written before.
    pub(super) written: usize,
    pub(super) why: io::Error,
}

/// What becomes of what is in a file already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OpenMode {
    Append,
    Truncate,
}

/// A stream that every process has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StdStream {
    Output,
    Error,
}

impl Sink {
    /// Opens a log, making the file if need be, without waiting for the reader of a FIFO. `/dev/stdout` and
    /// `/dev/stderr`, and other names of the same, also work where they are sockets, or belong to the user that we were.
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

    /// Writes to a stream that we share with others, where they are.
    pub(super) fn std_stream(stream: StdStream) -> io::Result<Self> {
        let fd = match stream {
            StdStream::Output => fcntl_dupfd_cloexec(io::stdout(), 3)?,
            StdStream::Error => fcntl_dupfd_cloexec(io::stderr(), 3)?,
        };
        Self::shared(fd)
    }

    fn shared(fd: OwnedFd) -> io::Result<Self> {
        let way = match FileType::from_raw_mode(fstat(&fd)?.st_mode) {
            FileType::RegularFile => SinkKind::File,
            FileType::Socket => SinkKind::Socket,
            _ => SinkKind::Shared,
        };
        Ok(Self { fd, kind: way, stalled: false })
    }

    /// Whether this is a regular file: only these have a size, and are rotated.
    pub(super) fn is_file(&self) -> bool {
        self.kind == SinkKind::File
    }

    pub(super) fn stat(&self) -> io::Result<Stat> {
        Ok(fstat(&self.fd)?)
    }

    /// Writes all of it, or as much as is taken: a full disk, a reader that is gone or sleeps.
    pub(super) fn write(&mut self, data: &[u8]) -> Result<(), PartialWrite> {
        let mut written = 0;
        let mut patience = None;
        while written < data.len() {
            match self.write_once(&data[written..]) {
                Ok(0) => return Err(PartialWrite { written, why: io::ErrorKind::WriteZero.into() }),
                Ok(count) => {
                    written += count;
                    self.stalled = false;
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    let end = *patience.get_or_insert_with(|| Instant::now() + WRITE_TIMEOUT);
                    if self.stalled || !self.wait_writable(end.saturating_duration_since(Instant::now())) {
                        self.stalled = true;
                        return Err(PartialWrite { written, why: Errno::AGAIN.into() });
                    }
                }
                Err(why) => return Err(PartialWrite { written, why: why.into() }),
            }
        }
        Ok(())
    }

    /// Writes as much as is taken at once; says how much.
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

    /// Whether a write is taken or fails within this time.
    fn wait_writable(&self, patience: Duration) -> bool {
        let end = Instant::now() + patience;
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

/// Which stream of ours `path` names, itself or through links.
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
    // In a container we are process 1, and named so.
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

    /// The other side takes nothing, then something, then is gone.
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
