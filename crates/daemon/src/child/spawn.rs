//! Starts a child: everything is made ready here, so that what runs after the fork (`setup`) only makes system calls.

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

/// All that a child is started with.
#[derive(Debug, Clone)]
pub struct SpawnOptions<'a> {
    /// What is executed.
    pub file: &'a Path,
    /// Its words, its own name first.
    pub argv: &'a [String],
    /// Its whole environment.
    pub environment: &'a [(OsString, OsString)],
    /// The folder it starts in; ours if there is none.
    pub directory: Option<&'a Path>,
    /// Its umask; ours if there is none.
    pub umask: Option<u32>,
    /// As whom it runs; as we do if there is none.
    pub identity: Option<&'a Identity>,
    /// What it reads.
    pub stdin: StdinSource<'a>,
    /// Where its errors go.
    pub stderr: StderrTarget,
    /// Its soft limit of descriptors; ours, which was raised, if there is none.
    pub nofile: Option<u64>,
}

/// What a child reads.
#[derive(Debug, Clone, Copy)]
pub enum StdinSource<'a> {
    /// A pipe from us.
    Pipe,
    /// A socket that listens, as FastCGI programs have it.
    Socket(BorrowedFd<'a>),
}

/// Where a child's errors go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StderrTarget {
    /// To a pipe of their own.
    Pipe,
    /// To the pipe of its stdout.
    SameAsStdout,
}

/// A child, and our ends of its pipes: non-blocking, closed in other children.
#[derive(Debug)]
pub struct SpawnedChild {
    /// Its process, and the group it leads.
    pub pid: u32,
    /// What it reads from us; none where its stdin is a socket.
    pub stdin: Option<OwnedFd>,
    /// What it writes.
    pub stdout: OwnedFd,
    /// Its errors, where these are apart.
    pub stderr: Option<OwnedFd>,
}

/// Why there is no child.
#[derive(Debug, Error)]
pub enum SpawnError {
    /// No pipe.
    #[error("cannot make pipes: {0}")]
    Pipes(io::Error),
    /// No process.
    #[error("cannot fork: {0}")]
    Fork(io::Error),
    /// A zero byte in command, folder or environment: the kernel would take it for the end.
    #[error("cannot start with a zero byte in {0:?}")]
    NulByte(String),
}

impl SpawnError {
    /// The original's words for it: they become `spawnerr`. `process` is the process's name.
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

/// The original's words for pipes or log files of a process that cannot be opened.
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

/// Starts a child. What fails between fork and exec is told by `reports` when the child has been reaped.
pub fn spawn(launch: &SpawnOptions<'_>, reports: &ExecErrorPipe) -> Result<SpawnedChild, SpawnError> {
    reports.drain();
    let stdin = match launch.stdin {
        StdinSource::Pipe => Some(pipe(PipeEnd::Write)?),
        StdinSource::Socket(_) => None,
    };
    let stdout = pipe(PipeEnd::Read)?;
    let stderr = match launch.stderr {
        StderrTarget::Pipe => Some(pipe(PipeEnd::Read)?),
        StderrTarget::SameAsStdout => None,
    };
    let child_stdin = match (&stdin, launch.stdin) {
        (_, StdinSource::Socket(socket)) => socket,
        (Some(pipe), StdinSource::Pipe) => pipe.child_end.as_fd(),
        (None, StdinSource::Pipe) => unreachable!("a pipe was made for it"),
    };
    let prepared = PreparedExec {
        file: c_string(launch.file)?,
        argv: argument_array(launch.argv)?,
        environment: environment_array(launch.environment)?,
        directory: launch.directory.map(c_string).transpose()?,
        umask: launch.umask,
        identity: launch.identity,
        nofile: launch.nofile,
        stdio: [child_stdin, stdout.child_end.as_fd(), stderr.as_ref().unwrap_or(&stdout).child_end.as_fd()],
        error_pipe: reports.writer(),
    };
    let pid = setup::fork_exec(&prepared).map_err(SpawnError::Fork)?;
    Ok(SpawnedChild {
        pid,
        stdin: stdin.map(|pipe| pipe.parent_end),
        stdout: stdout.parent_end,
        stderr: stderr.map(|pipe| pipe.parent_end),
    })
}

fn argument_array(words: &[String]) -> Result<CStringArray, SpawnError> {
    let mut text = Vec::new();
    let starts: Result<Vec<_>, _> = words.iter().map(|word| push(&mut text, &[OsStr::new(word)])).collect();
    Ok(CStringArray::new(text, &starts?))
}

fn environment_array(variables: &[(OsString, OsString)]) -> Result<CStringArray, SpawnError> {
    let mut text = Vec::new();
    let pushed = variables.iter().map(|(name, value)| push(&mut text, &[name, OsStr::new("="), value]));
    let starts: Result<Vec<_>, _> = pushed.collect();
    Ok(CStringArray::new(text, &starts?))
}

/// Appends a string in pieces and its zero; returns where it starts.
fn push(text: &mut Vec<u8>, pieces: &[&OsStr]) -> Result<usize, SpawnError> {
    let start = text.len();
    for piece in pieces {
        if piece.as_bytes().contains(&0) {
            return Err(SpawnError::NulByte(piece.to_string_lossy().into_owned()));
        }
        text.extend_from_slice(piece.as_bytes());
    }
    text.push(0);
    Ok(start)
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

/// A pipe of which we keep one end. Only our end does not block: the ends have flags of their own, and programs do not
/// expect a stdout that is not ready.
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
