//! The process that ends chromedriver, the browser and their folder, however the tests end.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, bail};

use crate::wait::{TIMEOUT, until};

/// Runs the driver in a session of its own until this shell's stdin ends; then all of it goes, and the folder.
///
/// No test owns a browser that is shared, and a killed test drops nothing; but stdin always ends.
const KEEP: &str = "folder=$1; shift; setsid \"$@\" </dev/null >\"$folder/driver.out\" 2>&1 & \
    cat >/dev/null; kill -KILL -$!; wait $!; rm -rf \"$folder\"";

/// chromedriver says this, and then the port.
const READY: &str = "started successfully on port ";

/// The shell that keeps them.
pub(super) struct DriverProcess {
    shell: Child,
    folder: PathBuf,
}

impl DriverProcess {
    /// Starts chromedriver on a free port.
    pub(super) fn start() -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("e2e-browser-")
            .tempdir()
            .context("cannot make a folder for the browser")?
            .keep();
        let log = folder.join("chromedriver.log");
        let shell = Command::new("sh")
            .args(["-c", KEEP, "sh"])
            .arg(&folder)
            .args(["chromedriver", "--port=0", "--append-log"])
            .arg(format!("--log-path={}", log.display()))
            // Chromium writes to its home even with a profile elsewhere, and takes its language from the environment.
            .env("HOME", &folder)
            .env("TMPDIR", &folder)
            .env("LANG", "C.UTF-8")
            .env("TZ", "UTC")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // ^C at the terminal is for the tests; the shell still has to clear up.
            .process_group(0)
            .spawn()
            .context("cannot start a shell")?;
        Ok(Self { shell, folder })
    }

    /// Where the browser may write.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Waits until chromedriver listens; gives its port.
    pub(super) fn port(&self) -> anyhow::Result<u16> {
        let printed = || fs::read_to_string(self.folder.join("driver.out")).unwrap_or_default();
        until("chromedriver to listen", TIMEOUT, || {
            let printed = printed();
            if printed.contains("not found") || printed.contains("failed to execute") {
                bail!("{}: run scripts/debian", printed.trim());
            }
            let port = printed.split_once(READY).and_then(|(_, rest)| rest.split_once('.'));
            Ok(port.map(|(port, _)| port.parse()).transpose()?)
        })
        .with_context(printed)
    }
}

impl Drop for DriverProcess {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        // It ends by itself now; there is nothing that could be done where it does not.
        let _ = self.shell.wait();
    }
}
