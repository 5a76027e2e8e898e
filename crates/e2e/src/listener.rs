//! supervisord's side of the event protocol, played to one listener.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use crate::event::WireEvent;
use crate::wait::{TIMEOUT, until};

const READY: &[u8] = b"READY\n";
/// How much of stderr a failure shows.
const LAST_LINES: usize = 40;
const OK: &[u8] = b"RESULT 2\nOK";

/// A listener that waits for events from us.
#[derive(Debug)]
pub struct Listener {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Receiver<Vec<u8>>,
    unread: Vec<u8>,
    stderr: PathBuf,
    serial: u32,
}

impl Listener {
    /// Starts it; stderr goes to a file, since processes that it leaves behind write there too.
    pub fn start(mut command: Command, stderr: PathBuf) -> anyhow::Result<Self> {
        let file = File::options().create(true).append(true).open(&stderr).context("cannot keep stderr")?;
        let program = command.get_program().to_owned();
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(file)
            .spawn()
            .with_context(|| format!("cannot start {program:?}"))?;
        let stdin = child.stdin.take();
        let mut pipe = child.stdout.take().context("cannot read its output")?;
        let (sender, stdout) = mpsc::channel();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(got @ 1..) = pipe.read(&mut buffer) {
                if sender.send(buffer[..got].to_vec()).is_err() {
                    return;
                }
            }
        });
        Ok(Self { child, stdin, stdout, unread: Vec::new(), stderr, serial: 0 })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for READY.
    pub fn ready(&mut self) -> anyhow::Result<()> {
        self.expect(READY, TIMEOUT)
    }

    /// Writes an event, without waiting for anything.
    pub fn send(&mut self, event: &WireEvent) -> anyhow::Result<()> {
        let bytes = event.encode(self.serial);
        self.serial += 1;
        self.send_bytes(&bytes)
    }

    /// Writes these bytes to its stdin.
    pub fn send_bytes(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        let stdin = self.stdin.as_mut().context("cannot write: its input is closed")?;
        stdin.write_all(bytes).context("cannot write to the listener")
    }

    /// Waits for `RESULT 2\nOK`, at most for this time.
    pub fn ok_within(&mut self, limit: Duration) -> anyhow::Result<()> {
        self.expect(OK, limit)
    }

    /// READY, the event, OK: gives the time from the event to the OK.
    pub fn handle(&mut self, event: &WireEvent) -> anyhow::Result<Duration> {
        self.handle_within(event, TIMEOUT)
    }

    /// The same for what may take longer.
    pub fn handle_within(&mut self, event: &WireEvent, limit: Duration) -> anyhow::Result<Duration> {
        self.ready()?;
        let began = Instant::now();
        self.send(event)?;
        self.ok_within(limit)?;
        Ok(began.elapsed())
    }

    /// The next bytes of stdout must be these and nothing else.
    fn expect(&mut self, token: &[u8], limit: Duration) -> anyhow::Result<()> {
        let deadline = Instant::now() + limit;
        let wanted = String::from_utf8_lossy(token).into_owned();
        while self.unread.len() < token.len() {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.stdout.recv_timeout(left) {
                Ok(bytes) => self.unread.extend(bytes),
                Err(RecvTimeoutError::Timeout) => {
                    bail!("waited {limit:?} in vain for {wanted:?}: {}", self.plight())
                }
                Err(RecvTimeoutError::Disconnected) => {
                    bail!("it ended before it said {wanted:?}: {}", self.plight())
                }
            }
        }
        ensure!(self.unread.starts_with(token), "it did not say {wanted:?}: {}", self.plight());
        self.unread.drain(..token.len());
        Ok(())
    }

    fn plight(&self) -> String {
        let printed = String::from_utf8_lossy(&self.unread);
        let stderr = self.stderr().unwrap_or_default();
        let lines: Vec<&str> = stderr.lines().rev().take(LAST_LINES).collect();
        let last: Vec<&str> = lines.into_iter().rev().collect();
        format!("on stdout {printed:?}, last on stderr\n{}", last.join("\n"))
    }

    /// What it has written to stderr so far.
    pub fn stderr(&self) -> anyhow::Result<String> {
        let bytes = fs::read(&self.stderr).context("cannot read its stderr")?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Waits until this stands on stderr.
    pub fn wait_stderr(&self, needle: &str) -> anyhow::Result<()> {
        until(&format!("{needle:?} on stderr"), TIMEOUT, || Ok(self.stderr()?.contains(needle).then_some(())))
    }

    /// Kills it with SIGKILL, and waits for its end.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill().context("cannot kill the listener")?;
        self.child.wait().context("cannot wait for the listener")?;
        Ok(())
    }

    /// Closes its stdin as an ending supervisord does; gives the exit code, `None` after a signal.
    pub fn close(&mut self) -> anyhow::Result<Option<i32>> {
        self.stdin = None;
        let what = "the listener to end after its input did";
        until(what, TIMEOUT, || Ok(self.child.try_wait()?)).map(|status| status.code())
    }

    /// What it wrote to stdout before it ended that no call has read.
    pub fn rest_of_stdout(&mut self) -> String {
        // The thread that reads may be behind: it hangs up when it has seen the end.
        while let Ok(bytes) = self.stdout.recv_timeout(TIMEOUT) {
            self.unread.extend(bytes);
        }
        String::from_utf8_lossy(&std::mem::take(&mut self.unread)).into_owned()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // It may have ended long ago.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
