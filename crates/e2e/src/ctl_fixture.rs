//! A daemon and our supervisorctl, for what the original's does not have: there is nothing to compare it with.

use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, ensure};
use rustix::process::Signal;
use serde_json::Value as Json;

use crate::ctl::{Ctl, CtlOutput, supervisorctl};
use crate::daemon::{BASE, Daemon, send};
use crate::differential::SECTION;
use crate::implementation::Implementation;
use crate::terminal::PseudoTerminal;
use crate::test_dir::TestDir;
use crate::wait::{TIMEOUT, until};

/// A daemon with a configuration by which supervisorctl finds it.
pub struct CtlFixture {
    /// The daemon.
    pub daemon: Daemon,
    ctl: Ctl,
    /// Their folder.
    pub dir: TestDir,
}

impl CtlFixture {
    /// Starts a daemon on the usual sections and these.
    pub fn new(implementation: Implementation, sections: &str) -> anyhow::Result<Self> {
        Self::within(TestDir::new()?, implementation, sections)
    }

    /// The same in a test directory where something is ready already.
    pub fn within(dir: TestDir, implementation: Implementation, sections: &str) -> anyhow::Result<Self> {
        let daemon = Daemon::start_on(&dir, implementation, &format!("{BASE}{SECTION}{sections}"), &[])?;
        Ok(Self { daemon, ctl: Ctl::new(Implementation::Ours), dir })
    }

    /// Runs supervisorctl with this line, divided at blanks, until it ends.
    pub fn run(&mut self, line: &str) -> anyhow::Result<CtlOutput> {
        let args = arguments(line);
        let output = self.ctl.run(&self.dir, &args, b"", &[])?;
        let stderr_text = output.stderr_text();
        ensure!(stderr_text.is_empty(), "supervisorctl {line} complained: {stderr_text}");
        Ok(output)
    }

    /// The same, for the status and the lines of its output.
    pub fn lines(&mut self, line: &str) -> anyhow::Result<(i32, Vec<String>)> {
        let output = self.run(line)?;
        Ok((output.status, output.text().lines().map(str::to_owned).collect()))
    }

    /// The same, for the status and the objects of its output. Beside these, complaints are no failure.
    pub fn objects(&mut self, line: &str) -> anyhow::Result<(i32, Vec<Json>)> {
        let output = self.ctl.run(&self.dir, &arguments(line), b"", &[])?;
        let objects = serde_json::from_slice(&output.stdout);
        Ok((output.status, objects.with_context(|| format!("supervisorctl {line}: {}", output.text()))?))
    }

    /// Runs it on a terminal of this kind, with these variables more.
    pub fn on_terminal(
        &self,
        line: &str,
        kind: &str,
        variables: &[(&str, &str)],
    ) -> anyhow::Result<PseudoTerminal> {
        let mut command = self.command(line)?;
        command.envs(variables.iter().copied());
        PseudoTerminal::start(&command, kind)
    }

    /// Runs it beside the test, with its output in a file.
    pub fn in_background(&self, line: &str) -> anyhow::Result<BackgroundCtl> {
        BackgroundCtl::start(self.command(line)?, self.dir.path("beside.out"), &self.dir.path("beside.err"))
    }

    /// The command that runs this line.
    pub fn command(&self, line: &str) -> anyhow::Result<Command> {
        supervisorctl(&self.dir, Implementation::Ours, &arguments(line))
    }
}

/// It runs in the test directory.
fn arguments(line: &str) -> Vec<&str> {
    ["-c", "supervisord.conf"].into_iter().chain(line.split_whitespace()).collect()
}

/// A supervisorctl that goes on by itself. It is killed when this is dropped.
pub struct BackgroundCtl {
    child: Child,
    output: PathBuf,
}

impl BackgroundCtl {
    fn start(mut command: Command, output: PathBuf, errors: &std::path::Path) -> anyhow::Result<Self> {
        command.stdin(Stdio::null()).stdout(File::create(&output)?).stderr(File::create(errors)?);
        let child = command.spawn().context("cannot start supervisorctl")?;
        Ok(Self { child, output })
    }

    /// What it wrote so far.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.output).unwrap_or_default()).into_owned()
    }

    /// Waits until a line of its output meets this; gives the line.
    pub fn wait(&self, what: &str, meets: impl Fn(&str) -> bool) -> anyhow::Result<String> {
        until(what, TIMEOUT, || {
            let text = self.text();
            // The last line may be half of one.
            let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
            Ok(whole.lines().find(|line| meets(line)).map(str::to_owned))
        })
        .with_context(|| self.text())
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        send(i64::from(self.child.id()), signal)
    }

    /// Waits until it has ended; gives its exit status, negative for a signal.
    pub fn end(&mut self) -> anyhow::Result<i32> {
        let ended = until("supervisorctl to end", TIMEOUT, || Ok(self.child.try_wait()?));
        let status = ended.with_context(|| self.text())?;
        Ok(status.code().unwrap_or_else(|| -status.signal().unwrap_or_default()))
    }
}

impl Drop for BackgroundCtl {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
