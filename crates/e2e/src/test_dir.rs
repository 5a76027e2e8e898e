//! A folder of its own for each test, and an end for everything that was started in it.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::implementation::Implementation;

/// Every process of a test directory carries this in its environment, whatever session or parent it has by then.
pub(crate) const MARK: &str = "IRONLANCE_E2E";

/// How often the processes are looked through for ones that were just being started.
const SWEEPS: usize = 20;

/// A folder and whatever runs in it.
#[derive(Debug)]
pub struct TestDir {
    folder: TempDir,
}

impl TestDir {
    /// An empty test directory.
    pub fn new() -> anyhow::Result<Self> {
        let folder =
            tempfile::Builder::new().prefix("e2e-").tempdir().context("cannot make a folder for the test")?;
        Ok(Self { folder })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    /// Writes a file, and the folders above it.
    pub fn write(&self, name: &str, text: &str) -> anyhow::Result<PathBuf> {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap_or(self.folder()))
            .and_then(|()| fs::write(&path, text))
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }

    /// Writes a program for `sh`, and gives the command that runs it.
    ///
    /// It is run by name of the shell: a script that was written a moment ago may count as busy for as long as
    /// another thread is between fork and exec.
    pub fn script(&self, name: &str, text: &str) -> anyhow::Result<String> {
        let path = self.write(name, &format!("#!/bin/sh\n{text}\n"))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))
            .with_context(|| format!("cannot make {} executable", path.display()))?;
        Ok(format!("sh {}", path.display()))
    }

    /// A command in a bare environment, marked as part of the test directory; `PATH` begins with the implementation's commands.
    pub fn command(
        &self,
        program: impl AsRef<OsStr>,
        implementation: Implementation,
    ) -> anyhow::Result<Command> {
        let bin = implementation.bin()?;
        let mut command = Command::new(program);
        command
            .current_dir(self.folder())
            .env_clear()
            .env(
                "PATH",
                format!("{}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", bin.display()),
            )
            .env("HOME", self.folder())
            .env("LANG", "C.UTF-8")
            .env("TZ", "UTC")
            .env("IRONLANCE_STATE", self.path("state"))
            .env(MARK, self.folder());
        Ok(command)
    }

    /// A command of ours by its name, as by [`Self::command`].
    pub fn ours(&self, name: &str) -> anyhow::Result<Command> {
        self.command(Implementation::Ours.path(name)?, Implementation::Ours)
    }

    /// The processes of the test directory that are alive, by their ids.
    pub fn processes(&self) -> Vec<Pid> {
        let mark = format!("{MARK}={}", self.folder().display());
        let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
        let ids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        ids.filter(|id| {
            let environment = fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
        })
        .filter_map(Pid::from_raw)
        .collect()
    }

    /// The processes of the test directory whose command line contains this.
    pub fn processes_named(&self, words: &str) -> Vec<Pid> {
        let names = |pid: &Pid| {
            let line = fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).unwrap_or_default();
            String::from_utf8_lossy(&line).replace('\0', " ").contains(words)
        };
        self.processes().into_iter().filter(names).collect()
    }
}

impl Drop for TestDir {
    fn drop(&mut self) {
        for _ in 0..SWEEPS {
            let left = self.processes();
            if left.is_empty() {
                return;
            }
            for pid in left {
                // It may be gone by now; then there is nothing left to do.
                let _ = kill_process(pid, Signal::KILL);
            }
            crate::wait::pause(std::time::Duration::from_millis(2));
        }
    }
}
