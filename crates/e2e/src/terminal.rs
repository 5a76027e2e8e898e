//! A command on a terminal of its own: what is typed, and the screen that a person would see.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

use crate::terminal_screen::TerminalScreen;
use crate::wait::TIMEOUT;

/// So wide that no line of a test is wrapped, which Python's readline and ours do each in its own way.
const COLUMNS: u16 = 250;

/// High enough for every list of candidates.
const ROWS: u16 = 60;

/// A running command and its terminal. It is killed when this is dropped.
pub struct PseudoTerminal {
    child: Child,
    master: File,
    /// The other side, which shows how the terminal was left when the command has ended.
    slave: OwnedFd,
    screen: TerminalScreen,
    /// All bytes as they came.
    bytes: Vec<u8>,
    /// Row and column up to which the screen was waited for already; what is drawn anew before that is not looked at.
    seen: (usize, usize),
}

impl PseudoTerminal {
    /// Starts the command as the leader of a session on a new terminal. `TERM` is `kind`.
    pub fn start(command: &Command, kind: &str) -> anyhow::Result<Self> {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)
            .context("cannot open a terminal")?;
        grantpt(&master).and_then(|()| unlockpt(&master)).context("cannot unlock the terminal")?;
        let name = ptsname(&master, Vec::new()).context("cannot name the terminal")?;
        let slave = open(name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())
            .context("cannot open the terminal's other side")?;
        let size = Winsize { ws_row: ROWS, ws_col: COLUMNS, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&slave, size).context("cannot set the size")?;
        // It makes the session and takes the terminal, and execs: no code of ours runs after fork.
        let mut session = Command::new("setsid");
        session.arg("--ctty").arg(command.get_program()).args(command.get_args());
        session.env_clear();
        for (name, value) in command.get_envs() {
            session.env(name, value.unwrap_or_default());
        }
        if let Some(folder) = command.get_current_dir() {
            session.current_dir(folder);
        }
        let end = || slave.try_clone().context("cannot give the terminal away");
        session.env("TERM", kind).stdin(end()?).stdout(end()?).stderr(end()?);
        let child = session.spawn().with_context(|| format!("cannot start {command:?}"))?;
        Ok(Self {
            child,
            master: File::from(master),
            slave,
            screen: TerminalScreen::default(),
            bytes: Vec::new(),
            seen: (0, 0),
        })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Types these keys: `\r` for Enter, `\x03` for ^C, `\x04` for ^D, `\t` for Tab.
    pub fn keys(&mut self, keys: &str) -> anyhow::Result<()> {
        self.master.write_all(keys.as_bytes()).context("cannot type")
    }

    /// Types a line and Enter.
    pub fn line(&mut self, line: &str) -> anyhow::Result<()> {
        self.keys(&format!("{line}\r"))
    }

    /// Waits until this stands on the screen below what was waited for before; that counts as seen then.
    pub fn expect(&mut self, needle: &str) -> anyhow::Result<()> {
        if self.shows_within(needle, TIMEOUT)? {
            return Ok(());
        }
        bail!("this was not on the screen within {TIMEOUT:?}: {needle:?}\n{}", self.screen.text())
    }

    /// The same for this time at most; gives whether it came.
    pub fn shows_within(&mut self, needle: &str, limit: Duration) -> anyhow::Result<bool> {
        let end = Instant::now() + limit;
        loop {
            if let Some(seen) = find(&self.screen.text(), self.seen, needle) {
                self.seen = seen;
                return Ok(true);
            }
            if !self.read(end)? {
                return Ok(false);
            }
        }
    }

    /// Waits until the command has ended; gives its exit status, negative for a signal.
    pub fn end(&mut self) -> anyhow::Result<i32> {
        // The terminal stays open by our own end of it, so its silence says nothing.
        if !self.ends_within(TIMEOUT)? {
            bail!("waited {TIMEOUT:?} in vain for the command to end\n{}", self.screen.text());
        }
        let status = self.child.wait().context("cannot wait for the command")?;
        while self.take(Instant::now())? {}
        Ok(status.code().unwrap_or_else(|| -status.signal().unwrap_or_default()))
    }

    /// Whether it ends by itself within this time.
    pub fn ends_within(&mut self, limit: Duration) -> anyhow::Result<bool> {
        let end = Instant::now() + limit;
        while self.child.try_wait().context("cannot wait for the command")?.is_none() {
            self.take(Instant::now() + Duration::from_millis(5))?;
            if Instant::now() > end {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What stands on the screen, all lines since the start.
    pub fn screen(&self) -> String {
        self.screen.text()
    }

    /// The bytes as they came, for what is about escape codes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether the terminal echoes and gives out whole lines, as a shell left it.
    pub fn is_sane(&self) -> anyhow::Result<bool> {
        let modes = tcgetattr(&self.slave).context("cannot ask the terminal")?.local_modes;
        Ok(modes.contains(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG))
    }

    /// Waits until the terminal no longer echoes, as for a password.
    pub fn wait_silent(&mut self) -> anyhow::Result<()> {
        let end = Instant::now() + TIMEOUT;
        while tcgetattr(&self.slave)
            .context("cannot ask the terminal")?
            .local_modes
            .contains(LocalModes::ECHO)
        {
            self.take(Instant::now() + Duration::from_millis(5))?;
            if Instant::now() > end {
                bail!("waited {TIMEOUT:?} in vain for the terminal to be silent\n{}", self.screen.text());
            }
        }
        Ok(())
    }

    /// Reads what comes until `end`; false when nothing came, or the command has ended and all is read.
    fn read(&mut self, end: Instant) -> anyhow::Result<bool> {
        loop {
            let step = end.min(Instant::now() + Duration::from_millis(20));
            if self.take(step)? {
                return Ok(true);
            }
            if self.child.try_wait().context("cannot wait for the command")?.is_some() {
                return self.take(Instant::now());
            }
            if Instant::now() >= end {
                return Ok(false);
            }
        }
    }

    /// Puts what is there by `end` on the screen; false when there is nothing.
    fn take(&mut self, end: Instant) -> anyhow::Result<bool> {
        let left = end.saturating_duration_since(Instant::now());
        let limit =
            Timespec { tv_sec: i64::try_from(left.as_secs())?, tv_nsec: i64::from(left.subsec_nanos()) };
        if poll(&mut [PollFd::new(&self.master, PollFlags::IN)], Some(&limit))
            .context("cannot wait for the terminal")?
            == 0
        {
            return Ok(false);
        }
        let mut chunk = [0; 4096];
        match self.master.read(&mut chunk) {
            Ok(count) => {
                self.bytes.extend_from_slice(&chunk[..count]);
                self.screen.print(&chunk[..count]);
                Ok(count > 0)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error).context("cannot read the terminal"),
        }
    }
}

/// Where the needle ends that stands behind this row and column, as such a place again.
fn find(text: &str, (row, column): (usize, usize), needle: &str) -> Option<(usize, usize)> {
    let start: usize = text.split_inclusive('\n').take(row).map(str::len).sum();
    let line = text[start..].split('\n').next().unwrap_or_default();
    // The line may have become shorter.
    let from = start + line.char_indices().nth(column).map_or(line.len(), |(at, _)| at);
    let end = from + text[from..].find(needle)? + needle.len();
    let before = &text[..end];
    let line = before.rsplit('\n').next().unwrap_or_default();
    Some((before.matches('\n').count(), line.chars().count()))
}

impl Drop for PseudoTerminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_waited_for_is_not_found_again() {
        let text = "> é\nabc\n> ";
        assert_eq!(find(text, (0, 0), "> "), Some((0, 2)));
        assert_eq!(find(text, (0, 2), "> "), Some((2, 2)));
        assert_eq!(find(text, (0, 99), "\nabc"), Some((1, 3)));
        assert_eq!(find(text, (2, 1), "> "), None);
    }
}
