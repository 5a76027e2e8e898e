//! Starting a child: [`spawn`] allocates everything before the fork, so that `setup` only makes system calls after it.

use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use ironlance_host::errno;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::pipe::{PipeFlags, pipe_with};
use thiserror::Error;

use super::exec_errors::ExecErrorPipe;
use super::identity::Identity;
use super::setup::{self, CStringArray, PreparedExec};

/// What a child is started with.
#[derive(Debug, Clone)]
pub struct SpawnOptions<'a> {
    /// The file for execve.
    pub file: &'a Path,
    /// The arguments, its own name first.
    pub argv: &'a [String],
    /// Its whole environment.
    pub environment: &'a [(OsString, OsString)],
    /// The working folder; the daemon's if there is none.
    pub directory: Option<&'a Path>,
    /// The umask; the daemon's if there is none.
    pub umask: Option<u32>,
    /// The user; the daemon's if there is none.
    pub identity: Option<&'a Identity>,
    /// Its stdin.
    pub stdin: StdinSource<'a>,
    /// Its stderr.
    pub stderr: StderrTarget,
    /// The soft limit of descriptors; the daemon's, which was raised, if there is none.
    pub nofile: Option<u64>,
}

/// The stdin of a child.
#[derive(Debug, Clone, Copy)]
pub enum StdinSource<'a> {
    /// A pipe from the daemon.
    Pipe,
    /// A listening socket, for FastCGI programs.
    Socket(BorrowedFd<'a>),
}

/// The stderr of a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StderrTarget {
    /// A pipe of its own.
    Pipe,
    /// The pipe of its stdout.
    SameAsStdout,
}

/// A started child and the daemon's ends of its pipes: non-blocking, close-on-exec.
#[derive(Debug)]
pub struct SpawnedChild {
    /// Its pid, which is also that of its process group.
    pub pid: u32,
    /// The write end of its stdin; none where its stdin is a socket.
    pub stdin: Option<OwnedFd>,
    /// The read end of its stdout.
    pub stdout: OwnedFd,
    /// The read end of its stderr, where it has a pipe of its own.
    pub stderr: Option<OwnedFd>,
}

/// Why a child was not started.
#[derive(Debug, Error)]
pub enum SpawnError {
    /// A pipe cannot be opened.
    #[error("cannot make pipes: {0}")]
    Pipes(io::Error),
    /// fork(2) has failed.
    #[error("cannot fork: {0}")]
    Fork(io::Error),
    /// A zero byte in the command, folder or environment would end the string for the kernel.
    #[error("cannot start with a zero byte in {0:?}")]
    NulByte(String),
}

impl SpawnError {
    /// The original's words, which become `spawnerr`. `process` is the process's name.
    pub fn message(&self, process: &str) -> String {
        let name = |why: &io::Error| errno::name(why.raw_os_error().unwrap_or_default());
        match self {
            Self::Pipes(why) => dispatcher_error(process, why),
            Self::Fork(why) if why.kind() == io::ErrorKind::WouldBlock => {
                format!("Too many processes in process table to spawn '{process}'")
            }
            Self::Fork(why) => format!("unknown error during fork for '{process}': {}", name(why)),
            Self::NulByte(text) => format!("cannot start '{process}' with a zero byte in {text:?}"),
        }
    }
}

/// The original's words for a pipe or log file that cannot be opened.
pub fn dispatcher_error(process: &str, why: &io::Error) -> String {
    let code = why.raw_os_error().unwrap_or_default();
    if code == rustix::io::Errno::MFILE.raw_os_error() {
        return format!("too many open files to spawn '{process}'");
    }
    if why.raw_os_error().is_none() {
        return format!("cannot open a log of '{process}': {why}");
    }
    format!("unknown error making dispatchers for '{process}': {}", errno::name(code))
}

/// Starts a child. A failure between fork and exec is in `error_pipe` when the child has been reaped.
pub fn spawn(options: &SpawnOptions<'_>, error_pipe: &ExecErrorPipe) -> Result<SpawnedChild, SpawnError> {
    error_pipe.drain();
    let stdin = match options.stdin {
        StdinSource::Pipe => Some(pipe(PipeEnd::Write)?),
        StdinSource::Socket(_) => None,
    };
    let stdout = pipe(PipeEnd::Read)?;
    let stderr = match options.stderr {
        StderrTarget::Pipe => Some(pipe(PipeEnd::Read)?),
        StderrTarget::SameAsStdout => None,
    };
    let child_stdin = match (&stdin, options.stdin) {
        (_, StdinSource::Socket(socket)) => socket,
        (Some(pipe), StdinSource::Pipe) => pipe.child_end.as_fd(),
        (None, StdinSource::Pipe) => unreachable!("a pipe was made for it"),
    };
    let prepared = PreparedExec {
        file: c_string(options.file)?,
        argv: string_array(options.argv.iter().map(|word| [OsStr::new(word)]))?,
        environment: string_array(
            options.environment.iter().map(|(name, value)| [name, OsStr::new("="), value]),
        )?,
        directory: options.directory.map(c_string).transpose()?,
        umask: options.umask,
        identity: options.identity,
        nofile: options.nofile,
        stdio: [child_stdin, stdout.child_end.as_fd(), stderr.as_ref().unwrap_or(&stdout).child_end.as_fd()],
        error_pipe: error_pipe.writer(),
    };
    let pid = setup::fork_exec(&prepared).map_err(SpawnError::Fork)?;
    Ok(SpawnedChild {
        pid,
        stdin: stdin.map(|pipe| pipe.parent_end),
        stdout: stdout.parent_end,
        stderr: stderr.map(|pipe| pipe.parent_end),
    })
}

/// An array of strings, each given in pieces.
fn string_array<'a, const N: usize>(
    strings: impl Iterator<Item = [&'a OsStr; N]>,
) -> Result<CStringArray, SpawnError> {
    let (mut text, mut starts) = (Vec::new(), Vec::new());
    for pieces in strings {
        starts.push(text.len());
        for piece in pieces {
            if piece.as_bytes().contains(&0) {
                return Err(SpawnError::NulByte(piece.to_string_lossy().into_owned()));
            }
            text.extend_from_slice(piece.as_bytes());
        }
        text.push(0);
    }
    Ok(CStringArray::new(text, &starts))
}

fn c_string(path: &Path) -> Result<CString, SpawnError> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| SpawnError::NulByte(path.display().to_string()))
}

struct Pipe {
    parent_end: OwnedFd,
    child_end: OwnedFd,
}

#[derive(Clone, Copy)]
enum PipeEnd {
    Read,
    Write,
}

/// Opens a pipe. Only the parent's end is non-blocking, as programs do not expect a non-blocking stdout; each end has
/// flags of its own.
fn pipe(ours: PipeEnd) -> Result<Pipe, SpawnError> {
    let make = || {
        let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
        let (ours, theirs) = match ours {
            PipeEnd::Read => (read, write),
            PipeEnd::Write => (write, read),
        };
        fcntl_setfl(&ours, fcntl_getfl(&ours)? | OFlags::NONBLOCK)?;
        Ok(Pipe { parent_end: ours, child_end: theirs })
    };
    make().map_err(|why: rustix::io::Errno| SpawnError::Pipes(why.into()))
}

#[cfg(test)]
mod tests;
