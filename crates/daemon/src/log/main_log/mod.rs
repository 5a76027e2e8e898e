//! The daemon's own log: [`MainLog`] writes lines as the original does, `2026-11-23 12:00:00,123 INFO text`, to a file
//! or to syslog.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use ironlance_config::{MainLogTarget as Target, Settings};
use ironlance_core::log_level::Level;
use ironlance_host::local_time::LocalClock;
use thiserror::Error;

use super::rotating_file::{LogWrite, RotatingFile};
use super::sink::{Sink, StdStream};
use super::syslog::Syslog;

/// The main log. It neither blocks nor fails: lost lines are counted, and their number is logged when writing works
/// again.
#[derive(Debug)]
pub struct MainLog {
    level: Level,
    clock: LocalClock,
    destination: Destination,
    /// Repeats all lines, if the daemon was started in the foreground.
    stdout: Option<Sink>,
    line: String,
    lost: u64,
}

#[derive(Debug)]
enum Destination {
    File(RotatingFile),
    Syslog(Syslog),
}

/// Why the log cannot be opened.
#[derive(Debug, Error)]
#[error("cannot open log file {}: {why}", path.display())]
pub struct MainLogError {
    /// The file.
    pub path: PathBuf,
    /// The kernel's error.
    pub why: io::Error,
}

impl MainLog {
    /// Opens the log of these settings; `ident` is the program's name in the system's log.
    pub fn open(settings: &Settings, ident: &str) -> Result<Self, MainLogError> {
        let way = match &settings.logfile {
            Target::Syslog => Destination::Syslog(Syslog::open(ident)),
            Target::File(path) => Destination::File(
                RotatingFile::open(path, settings.logfile_maxbytes, settings.logfile_backups)
                    .map_err(|why| MainLogError { path: path.clone(), why })?,
            ),
        };
        let repeats = settings.nodaemon && !settings.silent;
        let stdout = if repeats { Sink::std_stream(StdStream::Output).ok() } else { None };
        Ok(Self {
            level: settings.loglevel,
            clock: LocalClock::new(),
            destination: way,
            stdout,
            line: String::new(),
            lost: 0,
        })
    }

    /// Whether lines of this level are logged.
    pub fn enabled(&self, level: Level) -> bool {
        level >= self.level
    }

    /// The file, if it is not syslog.
    pub fn path(&self) -> Option<&Path> {
        match &self.destination {
            Destination::File(file) => Some(file.path()),
            Destination::Syslog(_) => None,
        }
    }

    /// Writes a line if its level is logged.
    pub fn log(&mut self, level: Level, text: &str) {
        if self.enabled(level) {
            self.write(level, text);
        }
    }

    /// Closes and reopens the file, which may have been moved away. Syslog is left alone. If the file cannot be
    /// created, the next line reports it.
    pub fn reopen(&mut self) {
        if let Destination::File(file) = &mut self.destination {
            let _ = file.reopen();
        }
    }

    /// Removes the file and creates a new one. What is not a regular file is left alone. The error is that of
    /// unlink(2) or open(2).
    pub fn clear(&mut self) -> io::Result<()> {
        match &mut self.destination {
            Destination::File(file) => file.remove_and_reopen(),
            Destination::Syslog(_) => Ok(()),
        }
    }

    fn write(&mut self, level: Level, text: &str) {
        self.line.clear();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
        self.clock.push_log_time(now, &mut self.line);
        self.line.push(' ');
        self.line.push_str(level.tag());
        self.line.push(' ');
        let head = self.line.len();
        self.line.push_str(text);
        self.line.push('\n');
        if let Some(stdout) = &mut self.stdout {
            // The file has the line as well.
            let _ = stdout.write(self.line.as_bytes());
        }
        match &mut self.destination {
            Destination::Syslog(syslog) => {
                if syslog.write(&self.line[..head], text.as_bytes(), "\n").is_err() {
                    self.lost += 1;
                } else if self.lost > 0 {
                    let lost = std::mem::take(&mut self.lost);
                    self.write(Level::Warn, &format!("{lost} lines for the system's log were lost"));
                }
            }
            Destination::File(file) => {
                let written = file.write(self.line.as_bytes());
                self.report_outcome(&written);
            }
        }
    }

    /// Reports what became of a line: in the log if it can be written to, else on stderr.
    fn report_outcome(&mut self, written: &LogWrite) {
        let Destination::File(file) = &self.destination else { return };
        match (written, written.log_line(file.path())) {
            (LogWrite::Lost { .. }, Some((_, text))) => {
                self.lost = 1;
                let _ = Sink::std_stream(StdStream::Error)
                    .map(|mut stderr| stderr.write(format!("Error: {text}\n").as_bytes()));
            }
            (LogWrite::StillLosing, _) => self.lost += 1,
            (LogWrite::Recovered { .. }, Some((level, text))) => {
                let lost = std::mem::take(&mut self.lost);
                self.write(level, &format!("{text} ({lost} lines)"));
            }
            (LogWrite::NotRotated { .. }, Some((level, text))) => self.write(level, &text),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
