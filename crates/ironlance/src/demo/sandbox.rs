//! [`Sandbox`]: a temporary folder with a running supervisord. Dropping it stops the processes and removes the folder.

use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use std::{env, thread};

use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal};
use tempfile::TempDir;
use thiserror::Error;

use super::config::{self, LISTENERS, Ports};

/// A variable in the environment of every process of the demo, by which they are found at the end.
const STATE_VARIABLE: &str = "IRONLANCE_STATE";
/// The name under which our binary is the daemon.
const DAEMON: &str = "supervisord";
/// A unix socket's path has 107 octets at most (unix(7)); this is left for the folder.
const LONGEST_FOLDER: usize = 60;
/// Bytes that must be free; a demo of a minute writes about a fifth of this.
const REQUIRED_SPACE: usize = 1 << 20;
/// Time limit for supervisord to stop its programs and exit.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
/// Time limit for supervisord to accept a connection; it takes about a hundredth of this.
const START_TIMEOUT: Duration = Duration::from_secs(10);
/// Interval between two attempts to connect; short, so that the first events are not missed.
const CONNECT_INTERVAL: Duration = Duration::from_millis(1);
/// Time limit from the end of supervisord's connections to its exit.
const EXIT_GRACE: Duration = Duration::from_secs(1);
/// Rounds of killing processes that are left, as new ones may have been started meanwhile.
const KILL_ROUNDS: usize = 20;

/// Why the sandbox cannot be started.
#[derive(Debug, Error)]
pub(super) enum SandboxError {
    #[error("cannot make a folder for the demo: {0}")]
    Folder(io::Error),
    #[error("cannot write into {}: {}", .0.display(), .1)]
    Write(PathBuf, io::Error),
    #[error("cannot start {}: {}", .0.display(), .1)]
    Start(PathBuf, io::Error),
    #[error("supervisord does not start:\n{0}")]
    Exited(String),
    #[error("supervisord does not answer within {} seconds", START_TIMEOUT.as_secs())]
    Timeout,
}

/// A running supervisord in a folder of its own.
#[derive(Debug)]
pub(super) struct Sandbox {
    folder: TempDir,
    page_port: u16,
    supervisord: Option<OwnedFd>,
    exit: Receiver<ExitStatus>,
}

impl Sandbox {
    /// Writes the files and starts supervisord; also returns a connection to it, which proves that it is running.
    pub(super) fn start(ports: Ports) -> Result<(Self, UnixStream), SandboxError> {
        let folder = folder().map_err(SandboxError::Folder)?;
        let unwritten = |error| SandboxError::Write(folder.path().to_owned(), error);
        let bin = folder.path().join("bin");
        config::write(folder.path(), ports).and_then(|()| link_commands(&bin)).map_err(unwritten)?;
        let log = File::create(folder.path().join("supervisord.out")).map_err(unwritten)?;
        let log_too = log.try_clone().map_err(unwritten)?;
        let program = bin.join(DAEMON);
        let unstarted = |error| SandboxError::Start(program.clone(), error);
        let mut child = Command::new(&program)
            .args(["-n", "-c", "supervisord.conf"])
            .current_dir(folder.path())
            .env("PATH", search_path(&bin))
            .env(STATE_VARIABLE, folder.path().join("state"))
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(log_too)
            // Ctrl-C must reach only this process, which then stops supervisord in order.
            .process_group(0)
            .spawn()
            .map_err(unstarted)?;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        // The child is not reaped yet, so the pid is still its own.
        let handle = pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
        let (send, ended) = channel();
        thread::spawn(move || {
            if let Ok(status) = child.wait() {
                let _ = send.send(status);
            }
        });
        let stage = Self { folder, page_port: ports.page, supervisord: handle, exit: ended };
        stage.connect().map(|stream| (stage, stream))
    }

    /// Connects as soon as supervisord accepts.
    fn connect(&self) -> Result<UnixStream, SandboxError> {
        let end = Instant::now() + START_TIMEOUT;
        while Instant::now() < end {
            if let Ok(stream) = UnixStream::connect(self.folder().join("supervisor.sock")) {
                return Ok(stream);
            }
            if self.exit.recv_timeout(CONNECT_INTERVAL).is_ok() {
                return Err(SandboxError::Exited(self.last_output()));
            }
        }
        Err(SandboxError::Timeout)
    }

    /// The exit status of supervisord if it has exited by itself, with a short wait for one that is just exiting.
    pub(super) fn exit_status(&self) -> Option<ExitStatus> {
        self.exit.recv_timeout(EXIT_GRACE).ok()
    }

    /// The folder.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The port of the web page.
    pub(super) const fn page_port(&self) -> u16 {
        self.page_port
    }

    /// supervisorctl, which finds the configuration by its own path.
    pub(super) fn control(&self) -> PathBuf {
        self.folder().join("bin/supervisorctl")
    }

    /// How often a program has crashed, by supervisord's own log.
    pub(super) fn crashes(&self, program: &str) -> usize {
        let log = fs::read(self.folder().join("supervisord.log")).unwrap_or_default();
        crashes(&String::from_utf8_lossy(&log), program)
    }

    /// The last lines that supervisord printed, for the case that it exits by itself.
    pub(super) fn last_output(&self) -> String {
        let said = fs::read(self.folder().join("supervisord.out")).unwrap_or_default();
        let said = String::from_utf8_lossy(&said).into_owned();
        let lines: Vec<&str> = said.lines().collect();
        lines[lines.len().saturating_sub(5)..].join("\n")
    }

    /// Does not remove the folder at the end.
    pub(super) fn keep_folder(&mut self) {
        self.folder.disable_cleanup(true);
    }

    fn signal(&self, signal: Signal) {
        if let Some(supervisord) = &self.supervisord {
            // It may have exited by itself.
            let _ = pidfd_send_signal(supervisord, signal);
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.signal(Signal::TERM);
        if self.exit.recv_timeout(STOP_TIMEOUT).is_err() {
            self.signal(Signal::KILL);
            let _ = self.exit.recv_timeout(STOP_TIMEOUT);
        }
        for _ in 0..KILL_ROUNDS {
            let left = processes_with_state(&self.folder().join("state"));
            if left.is_empty() {
                return;
            }
            for pid in left {
                let _ = kill_process(pid, Signal::KILL);
            }
            thread::park_timeout(Duration::from_millis(5));
        }
    }
}

/// A new temporary folder, in the first place that has space and a path that is short enough for a socket.
fn folder() -> io::Result<TempDir> {
    let usual = env::temp_dir();
    let places = [usual, "/tmp".into(), "/var/tmp".into(), "/dev/shm".into()];
    let short = |place: &&PathBuf| place.is_absolute() && place.as_os_str().len() <= LONGEST_FOLDER;
    let mut refused = io::ErrorKind::NotFound.into();
    for place in places.iter().filter(short) {
        match folder_with_space(place) {
            Ok(folder) => return Ok(folder),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

/// A new folder, if there is space for logs and mails.
fn folder_with_space(place: &Path) -> io::Result<TempDir> {
    let folder = tempfile::Builder::new().prefix("ironlance-demo-").tempdir_in(place)?;
    let trial = folder.path().join("trial");
    fs::write(&trial, vec![b'x'; REQUIRED_SPACE])?;
    fs::remove_file(trial)?;
    Ok(folder)
}

/// Links for all commands to this binary.
fn link_commands(bin: &Path) -> io::Result<()> {
    let binary = env::current_exe()?;
    fs::create_dir(bin)?;
    let names = LISTENERS.iter().chain([&DAEMON, &"supervisorctl", &"ironlance"]);
    names.copied().try_for_each(|name| symlink(&binary, bin.join(name)))
}

fn search_path(first: &Path) -> std::ffi::OsString {
    let mut path = first.as_os_str().to_owned();
    path.push(":");
    path.push(env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into()));
    path
}

/// The lines `exited: NAME (…; not expected)` in supervisord's log.
fn crashes(log: &str, program: &str) -> usize {
    let exit = format!(" exited: {program} (");
    log.lines().filter(|line| line.contains(&exit) && line.ends_with("; not expected)")).count()
}

/// The processes that have our state folder in their environment.
fn processes_with_state(state: &Path) -> Vec<Pid> {
    let mark = format!("{STATE_VARIABLE}={}", state.display());
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let ids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    ids.filter(|id| {
        let environment = fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
    })
    .filter_map(Pid::from_raw)
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unexpected_exits_of_the_program_are_crashes() {
        let log = "t INFO spawned: 'flaky' with pid 1\n\
            t WARN exited: flaky (exit status 3; not expected)\n\
            t WARN exited: flaky (terminated by SIGKILL; not expected)\n\
            t INFO exited: flaky (exit status 0; expected)\n\
            t WARN exited: broken (exit status 1; not expected)\n\
            t WARN stopped: flaky (terminated by SIGTERM)\n";
        assert_eq!(crashes(log, "flaky"), 2);
        assert_eq!(crashes("", "flaky"), 0);
    }

    #[test]
    fn our_commands_are_found_before_others() {
        let path = search_path(Path::new("/a"));
        assert!(path.to_str().unwrap().starts_with("/a:"), "{path:?}");
    }
}
