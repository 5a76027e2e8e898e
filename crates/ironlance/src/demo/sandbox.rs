//! [`Sandbox`]: a temporary folder with a running supervisord. Dropping it stops the processes and removes the folder.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use std::{env, thread};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

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
/// Interval between two attempts to connect; short, so that the first events are not missed. Also between two looks
/// whether supervisord has exited.
const POLL_INTERVAL: Duration = Duration::from_millis(1);
/// Time limit from the end of supervisord's connections to its exit.
const EXIT_GRACE: Duration = Duration::from_secs(1);
/// Rounds of killing processes that are left, as new ones may have been started meanwhile.
const KILL_ROUNDS: usize = 20;

/// A running supervisord in a folder of its own.
#[derive(Debug)]
pub(super) struct Sandbox {
    folder: TempDir,
    /// The port of the web page.
    pub(super) page_port: u16,
    supervisord: Child,
}

impl Sandbox {
    /// Writes the files and starts supervisord.
    pub(super) fn start(ports: Ports) -> Result<Self> {
        let folder = folder().context("cannot make a folder for the demo")?;
        let unwritten = || format!("cannot write into {}", folder.path().display());
        let bin = folder.path().join("bin");
        config::write(folder.path(), ports).and_then(|()| link_commands(&bin)).with_context(unwritten)?;
        let log = File::create(folder.path().join("supervisord.out")).with_context(unwritten)?;
        let log_too = log.try_clone().with_context(unwritten)?;
        let program = bin.join(DAEMON);
        let supervisord = Command::new(&program)
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
            .with_context(|| format!("cannot start {}", program.display()))?;
        Ok(Self { folder, page_port: ports.page, supervisord })
    }

    /// Connects as soon as supervisord accepts, which proves that it is running; `None` if it has exited.
    pub(super) fn connect(&mut self) -> Result<Option<UnixStream>> {
        let end = Instant::now() + START_TIMEOUT;
        while Instant::now() < end {
            if let Ok(stream) = UnixStream::connect(self.folder().join("supervisor.sock")) {
                return Ok(Some(stream));
            }
            if self.exit_within(POLL_INTERVAL).is_some() {
                return Ok(None);
            }
        }
        bail!("supervisord does not answer within {} seconds", START_TIMEOUT.as_secs())
    }

    /// The exit status of supervisord if it has exited by itself, with a short wait for one that is just exiting.
    pub(super) fn exit_status(&mut self) -> Option<ExitStatus> {
        self.exit_within(EXIT_GRACE)
    }

    fn exit_within(&mut self, limit: Duration) -> Option<ExitStatus> {
        let end = Instant::now() + limit;
        loop {
            match self.supervisord.try_wait() {
                Ok(Some(status)) => return Some(status),
                _ if Instant::now() >= end => return None,
                _ => thread::park_timeout(POLL_INTERVAL),
            }
        }
    }

    /// The folder.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
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
        let output = fs::read(self.folder().join("supervisord.out")).unwrap_or_default();
        let output = String::from_utf8_lossy(&output).into_owned();
        let lines: Vec<&str> = output.lines().collect();
        lines[lines.len().saturating_sub(5)..].join("\n")
    }

    /// Does not remove the folder at the end.
    pub(super) fn keep_folder(&mut self) {
        self.folder.disable_cleanup(true);
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // It may have exited by itself; before it is reaped here, the pid is its own.
        if let Ok(None) = self.supervisord.try_wait() {
            let _ = kill_process(Pid::from_child(&self.supervisord), Signal::TERM);
        }
        if self.exit_within(STOP_TIMEOUT).is_none() {
            let _ = self.supervisord.kill();
            self.exit_within(STOP_TIMEOUT);
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
