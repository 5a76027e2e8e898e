//! A log file with rotation: [`RotatingFile`] never blocks its writer and counts what could not be written
//! (`FileHandler` and `RotatingFileHandler` of the original).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ironlance_core::log_level::Level;

use super::sink::{OpenMode, PartialWrite, Sink};
use crate::files::ignore_missing;
use crate::files::special_file::is_special;

/// The interval at which a file that cannot be opened is tried again, and at which an open file is checked for having
/// been removed.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// The interval at which a failed rotation is tried again.
const ROTATE_RETRY: Duration = Duration::from_secs(60);

/// With more backups than this, a rotation looks for the first free number instead of moving them all.
const MAX_BACKUPS_PROBED: u32 = 1000;

/// A log file. The first write opens it.
#[derive(Debug)]
pub(crate) struct RotatingFile {
    path: Box<Path>,
    /// Rotation happens at this size in bytes; 0 is never.
    maxbytes: u64,
    backups: u32,
    sink: Option<Sink>,
    /// The size of the file as of the last check or write.
    size: u64,
    /// When to check an open file, or to try to open it again.
    next_check: Option<Instant>,
    /// When to try a failed rotation again.
    rotate_retry_at: Option<Instant>,
    /// Bytes lost since the last successful write.
    lost: u64,
}

/// The outcome of [`RotatingFile::try_write`].
#[derive(Debug)]
pub(crate) enum TryWrite {
    /// All was written or lost.
    Done(LogWrite),
    /// A stream took a part; its reader is slow.
    WouldBlock {
        /// Bytes that were taken.
        taken: usize,
    },
}

/// The outcome of a write.
#[derive(Debug)]
pub(crate) enum LogWrite {
    /// All was written.
    All,
    /// Bytes are lost, for the first time since the last successful write.
    Lost {
        /// The reason.
        why: io::Error,
    },
    /// More bytes are lost, after a reported loss.
    StillLosing,
    /// All was written, for the first time after a loss.
    Recovered {
        /// Lost bytes of all failed writes.
        bytes: u64,
    },
    /// All was written, but the file cannot be rotated and grows beyond its size; reported once a minute.
    NotRotated {
        /// The reason.
        why: io::Error,
    },
}

impl LogWrite {
    /// The line about it for the main log, if there is one.
    pub(crate) fn log_line(&self, path: &Path) -> Option<(Level, String)> {
        let path = path.display();
        match self {
            Self::All | Self::StillLosing => None,
            Self::Lost { why } => Some((
                Level::Error,
                format!("cannot write to {path}: {why}; output is lost until it works again"),
            )),
            Self::Recovered { bytes } => {
                Some((Level::Warn, format!("{path} can be written to again; {bytes} bytes were lost")))
            }
            Self::NotRotated { why } => {
                Some((Level::Error, format!("cannot rotate {path}: {why}; it grows beyond its size")))
            }
        }
    }
}

impl RotatingFile {
    /// Creates the file at `path`. It is rotated when it has `maxbytes` (0: never), and `backups` old files are kept.
    /// The error is that of open(2); a FIFO without a reader is not an error.
    pub(crate) fn open(path: &Path, maxbytes: u64, backups: u32) -> io::Result<Self> {
        let mut log = Self {
            path: path.into(),
            maxbytes,
            backups,
            sink: None,
            size: 0,
            next_check: None,
            rotate_retry_at: None,
            lost: 0,
        };
        log.reopen()?;
        Ok(log)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is a stream, whose reader may be slow, and not a file; known after the first write.
    pub(crate) fn is_stream(&self) -> bool {
        self.sink.as_ref().is_some_and(|sink| !sink.is_file())
    }

    /// Appends. The file is rotated at the end of the line with which it reaches its size.
    pub(crate) fn write(&mut self, data: &[u8]) -> LogWrite {
        let mut rest = data;
        let mut first = LogWrite::All;
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(self.length_until_full(rest));
            rest = after;
            let written = self.write_piece(piece);
            if matches!(first, LogWrite::All) {
                first = written;
            }
        }
        first
    }

    /// The length of the first part of `data` that belongs into the present file: all, or up to the end of the line
    /// that makes the file full.
    fn length_until_full(&mut self, data: &[u8]) -> usize {
        if self.maxbytes == 0 || self.lost > 0 || self.rotate_retry_at.is_some() {
            return data.len();
        }
        if self.sink.is_none() {
            // The size is known when the file is open. If it cannot be opened, the write reports it.
            let _ = self.ensure_open();
        }
        if self.is_stream() {
            return data.len();
        }
        let room = usize::try_from(self.maxbytes.saturating_sub(self.size)).unwrap_or(usize::MAX).max(1);
        let Some(behind) = data.get(room - 1..) else { return data.len() };
        behind.iter().position(|byte| *byte == b'\n').map_or(data.len(), |at| room + at)
    }

    fn write_piece(&mut self, data: &[u8]) -> LogWrite {
        match self.write_to_sink(data) {
            Ok(()) => match std::mem::take(&mut self.lost) {
                0 => self.rotate_if_full(),
                bytes => LogWrite::Recovered { bytes },
            },
            Err(PartialWrite { written, why }) => {
                let bytes = (data.len() - written) as u64;
                let first = self.lost == 0;
                self.lost = self.lost.saturating_add(bytes);
                if first { LogWrite::Lost { why } } else { LogWrite::StillLosing }
            }
        }
    }

    /// Appends what is taken without blocking. A file takes all, or fails as in [`RotatingFile::write`]. A stream with
    /// a slow reader may take a part; the caller tries the rest again, and nothing is lost.
    pub(crate) fn try_write(&mut self, data: &[u8]) -> TryWrite {
        let is_usable = self.lost == 0 && self.ensure_open().is_ok();
        match self.sink.as_mut().filter(|sink| is_usable && !sink.is_file()).map(|sink| sink.try_write(data))
        {
            Some(Ok(taken)) if taken < data.len() => TryWrite::WouldBlock { taken },
            Some(Ok(_)) => TryWrite::Done(LogWrite::All),
            Some(Err(PartialWrite { written, .. })) => TryWrite::Done(self.write(&data[written..])),
            None => TryWrite::Done(self.write(data)),
        }
    }

    /// Closes and creates it again, as it may have been moved away. The error is that of open(2).
    pub(crate) fn reopen(&mut self) -> io::Result<()> {
        self.close();
        self.next_check = None;
        match Sink::open(&self.path, OpenMode::Append) {
            Err(why) if why.raw_os_error() != Some(rustix::io::Errno::NXIO.raw_os_error()) => Err(why),
            // It exists now, or it is a FIFO without a reader. The first write opens it.
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Removes it and creates it again, empty. What is not a regular file stays. The error is that of unlink(2) or
    /// open(2).
    pub(crate) fn remove_and_reopen(&mut self) -> io::Result<()> {
        self.close();
        if !is_special(&self.path) {
            ignore_missing(fs::remove_file(&self.path))?;
        }
        self.reopen()
    }

    /// Closes the descriptor until the next write.
    pub(crate) fn close(&mut self) {
        self.sink = None;
    }

    fn write_to_sink(&mut self, data: &[u8]) -> Result<(), PartialWrite> {
        self.ensure_open().map_err(|why| PartialWrite { written: 0, why })?;
        let sink = self
            .sink
            .as_mut()
            .ok_or_else(|| PartialWrite { written: 0, why: io::ErrorKind::NotFound.into() })?;
        let outcome = sink.write(data);
        let written = outcome.as_ref().map_or_else(|loss| loss.written, |()| data.len());
        self.size = self.size.saturating_add(written as u64);
        if let Err(loss) = &outcome
            && !is_transient(loss.why.kind())
        {
            // The reader of a FIFO has closed, or the file is unusable: open it again later.
            self.sink = None;
            self.next_check = Some(Instant::now() + CHECK_INTERVAL);
        }
        outcome
    }

    /// Opens the file if it is closed. Once a second an open file is checked: if it was removed, it is created again.
    /// (The original would write on to a file without a name.)
    fn ensure_open(&mut self) -> io::Result<()> {
        let due = |look: Option<Instant>, now| look.is_none_or(|look| now >= look);
        let now = Instant::now();
        if let Some(sink) = &self.sink {
            if !sink.is_file() || !due(self.next_check, now) {
                return Ok(());
            }
            let stat = sink.stat()?;
            self.next_check = Some(now + CHECK_INTERVAL);
            self.size = stat.st_size.unsigned_abs();
            if stat.st_nlink > 0 {
                return Ok(());
            }
            self.sink = None;
        } else if self.lost > 0 && !due(self.next_check, now) {
            return Err(io::ErrorKind::NotFound.into());
        }
        self.next_check = Some(now + CHECK_INTERVAL);
        self.reopen_sink(OpenMode::Append)
    }

    fn reopen_sink(&mut self, opening: OpenMode) -> io::Result<()> {
        self.sink = None;
        let sink = Sink::open(&self.path, opening)?;
        self.size = if sink.is_file() { sink.stat()?.st_size.unsigned_abs() } else { 0 };
        self.sink = Some(sink);
        Ok(())
    }

    fn rotate_if_full(&mut self) -> LogWrite {
        if self.maxbytes == 0 || self.size < self.maxbytes {
            return LogWrite::All;
        }
        match self.rotate() {
            Ok(()) => LogWrite::All,
            Err(why) => {
                self.rotate_retry_at = Some(Instant::now() + ROTATE_RETRY);
                LogWrite::NotRotated { why }
            }
        }
    }

    fn rotate(&mut self) -> io::Result<()> {
        if self.rotate_retry_at.is_some_and(|again| Instant::now() < again) {
            return Ok(());
        }
        let Some(sink) = self.sink.as_ref().filter(|sink| sink.is_file()) else { return Ok(()) };
        // The file may have been truncated by others.
        self.size = sink.stat()?.st_size.unsigned_abs();
        if self.size < self.maxbytes || is_special(&self.path) {
            return Ok(());
        }
        self.rotate_retry_at = None;
        self.move_backups()?;
        // If it cannot be opened, the next write reports it.
        let _ = self.reopen_sink(OpenMode::Truncate);
        Ok(())
    }

    /// Moves x.9 to x.10, …, x to x.1. Without backups nothing is moved; the file is truncated afterwards.
    fn move_backups(&self) -> io::Result<()> {
        for number in (1..self.highest_backup()).rev() {
            rename_backup(&backup_path(&self.path, number), &backup_path(&self.path, number + 1))?;
        }
        if self.backups > 0 {
            rename_backup(&self.path, &backup_path(&self.path, 1))?;
        }
        Ok(())
    }

    /// The highest number that a backup is moved to; with more than [`MAX_BACKUPS_PROBED`] backups the first that is
    /// free.
    fn highest_backup(&self) -> u32 {
        if self.backups <= MAX_BACKUPS_PROBED {
            return self.backups;
        }
        let is_free = |number: &u32| fs::symlink_metadata(backup_path(&self.path, *number)).is_err();
        (1..self.backups).find(is_free).unwrap_or(self.backups)
    }
}

/// Truncates the log at `path`, which is not open. What is not a regular file, or does not exist, stays as it is. The
/// error is that of open(2).
pub(crate) fn truncate(path: &Path) -> io::Result<()> {
    if is_special(path) || !path.exists() {
        return Ok(());
    }
    Sink::open(path, OpenMode::Truncate).map(drop)
}

/// The path of a backup: `x.1` is the newest.
pub(crate) fn backup_path(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

/// Renames a backup. What is not a regular file is neither moved nor replaced.
fn rename_backup(from: &Path, to: &Path) -> io::Result<()> {
    match [from, to].into_iter().find(|path| is_special(path)) {
        Some(special) => Err(io::Error::other(format!("{} is no regular file", special.display()))),
        None => ignore_missing(fs::rename(from, to)),
    }
}

/// Whether the same descriptor may work a moment later: a reader wakes up, a disk has room again.
fn is_transient(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull, WouldBlock};
    matches!(kind, WouldBlock | StorageFull | QuotaExceeded | FileTooLarge)
}

#[cfg(test)]
mod tests;
