//! A log file that is rotated: `FileHandler` and `RotatingFileHandler` of the original, without ever holding up whoever
//! writes, and with an account of what could not be written.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ironlance_core::log_level::Level;

use super::sink::{OpenMode, PartialWrite, Sink};
use crate::files::special_file::is_special;

/// How often a file that could not be opened is tried again, and how often it is looked whether an open one is still
/// what it was.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// How long after a rotation that failed it is tried again.
const ROTATE_RETRY: Duration = Duration::from_secs(60);

/// More backups than this are not all looked for at a rotation.
const MAX_BACKUPS_PROBED: u32 = 1000;

/// A log file. It takes a descriptor when something is written, not before.
#[derive(Debug)]
pub struct RotatingFile {
    path: Box<Path>,
    /// The size at which it is rotated, in bytes; 0 is never.
    maxbytes: u64,
    backups: u32,
    sink: Option<Sink>,
    /// The size, as far as we know.
    size: u64,
    /// When to look again: at an open file, or whether it can be opened.
    next_check: Option<Instant>,
    /// When to rotate again after it failed.
    rotate_retry_at: Option<Instant>,
    /// Bytes lost since it last worked.
    lost: u64,
}

/// What became of an offer.
#[derive(Debug)]
pub enum TryWrite {
    /// It is done with, one way or the other.
    Done(LogWrite),
    /// A stream took so many bytes, and no more for now.
    WouldBlock {
        /// How many.
        taken: usize,
    },
}

/// What became of a write.
#[derive(Debug)]
pub enum LogWrite {
    /// It is in the file.
    All,
    /// So many bytes are lost, the first since it last worked.
    Lost {
        /// Of this write.
        bytes: u64,
        /// The reason.
        why: io::Error,
    },
    /// More is lost; this was said before.
    StillLosing,
    /// It is in the file, the first since so many bytes were lost.
    Recovered {
        /// Of all the writes that failed.
        bytes: u64,
    },
    /// It is in the file, which has reached its size and cannot be rotated: it goes on growing, and this is said once a
    /// minute.
    NotRotated {
        /// The reason.
        why: io::Error,
    },
}

impl LogWrite {
    /// What the main log should say of it, if anything.
    pub fn log_line(&self, path: &Path) -> Option<(Level, String)> {
        let path = path.display();
        match self {
            Self::All | Self::StillLosing => None,
            Self::Lost { why, .. } => Some((
                Level::Error,
                format!("cannot write to {path}: {why}; what it should hold is lost until it works again"),
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
    /// A log at `path`, which is made now; it is rotated when it has `maxbytes` (0: never), and `backups` old ones are
    /// kept. The error is that of open(2); a FIFO that nobody reads is none.
    pub fn open(path: &Path, maxbytes: u64, backups: u32) -> io::Result<Self> {
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
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is a stream whose reader may be slow, and no file; known from the first write on.
    pub fn is_stream(&self) -> bool {
        self.sink.as_ref().is_some_and(|sink| !sink.is_file())
    }

    /// Appends; a file is rotated as soon as it has reached its size, at the end of the line that reaches it.
    pub fn write(&mut self, data: &[u8]) -> LogWrite {
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

    /// How much of `data` belongs into the file as it is: all of it, or what ends with the line that makes it full.
    fn length_until_full(&mut self, data: &[u8]) -> usize {
        if self.maxbytes == 0 || self.lost > 0 || self.rotate_retry_at.is_some() {
            return data.len();
        }
        if self.sink.is_none() {
            // How large it is is known once it is open. If it cannot be opened, the write says so.
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
                if first { LogWrite::Lost { bytes, why } } else { LogWrite::StillLosing }
            }
        }
    }

    /// Appends as much as is taken without waiting. A file takes all of it, or fails as in [`LogFile::write`]; a stream
    /// whose reader is slow may take less, of which nothing is lost: what is left is for the caller to offer again.
    pub fn try_write(&mut self, data: &[u8]) -> TryWrite {
        let stream = self.lost == 0
            && self.ensure_open().is_ok()
            && self.sink.as_ref().is_some_and(|sink| !sink.is_file());
        if !stream {
            return TryWrite::Done(self.write(data));
        }
        match self.sink.as_mut().map(|sink| sink.try_write(data)) {
            Some(Ok(taken)) if taken < data.len() => TryWrite::WouldBlock { taken },
            Some(Ok(_)) => TryWrite::Done(LogWrite::All),
            Some(Err(PartialWrite { written, .. })) => TryWrite::Done(self.write(&data[written..])),
            None => TryWrite::Done(self.write(data)),
        }
    }

    /// Closes it and makes it anew: somebody has moved it away. The error is that of open(2).
    pub fn reopen(&mut self) -> io::Result<()> {
        self.close();
        self.next_check = None;
        match Sink::open(&self.path, OpenMode::Append) {
            Err(why) if why.raw_os_error() != Some(rustix::io::Errno::NXIO.raw_os_error()) => Err(why),
            // It was made, or it is a FIFO without a reader. The descriptor is wanted with the first write.
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Removes it and makes it anew, empty. What is no regular file stays. The error is that of unlink(2) or open(2).
    pub fn remove_and_reopen(&mut self) -> io::Result<()> {
        self.close();
        if !is_special(&self.path) {
            ignore_missing(fs::remove_file(&self.path))?;
        }
        self.reopen()
    }

    /// Gives the descriptor back until the next write.
    pub fn close(&mut self) {
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
            // The reader of a FIFO is gone, or worse: it is opened again.
            self.sink = None;
            self.next_check = Some(Instant::now() + CHECK_INTERVAL);
        }
        outcome
    }

    /// Sees to it that there is an open file. Once a second it is looked whether it was removed: the original would
    /// write to where nobody can read.
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
        // Somebody may have emptied it.
        self.size = sink.stat()?.st_size.unsigned_abs();
        if self.size < self.maxbytes || is_special(&self.path) {
            return Ok(());
        }
        self.rotate_retry_at = None;
        self.move_backups()?;
        // If it cannot be opened, the next write says so.
        let _ = self.reopen_sink(OpenMode::Truncate);
        Ok(())
    }

    /// x.9 to x.10, …, x to x.1. Without backups nothing is moved, and the file will be emptied.
    fn move_backups(&self) -> io::Result<()> {
        for number in (1..self.highest_backup()).rev() {
            rename_backup(&self.backup_path(number), &self.backup_path(number + 1))?;
        }
        if self.backups > 0 {
            rename_backup(&self.path, &self.backup_path(1))?;
        }
        Ok(())
    }

    /// The highest number that a backup may be moved to. Where very many are wished for, it is the first that is free:
    /// a million names are not tried at each rotation.
    fn highest_backup(&self) -> u32 {
        if self.backups <= MAX_BACKUPS_PROBED {
            return self.backups;
        }
        let is_free = |number: &u32| fs::symlink_metadata(self.backup_path(*number)).is_err();
        (1..self.backups).find(is_free).unwrap_or(self.backups)
    }

    fn backup_path(&self, number: u32) -> PathBuf {
        backup_path(&self.path, number)
    }
}

/// Empties the log at `path`, which nobody has open. What is no regular file, or is not there, stays as it is. The error
/// is that of open(2).
pub fn truncate(path: &Path) -> io::Result<()> {
    if is_special(path) || !path.exists() {
        return Ok(());
    }
    Sink::open(path, OpenMode::Truncate).map(drop)
}

/// Where a rotation moves the file at `path`: `x.1`, and from there to `x.2` and so on.
pub fn backup_path(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

/// Renames a backup. What is no regular file neither moves nor has its place taken.
fn rename_backup(from: &Path, to: &Path) -> io::Result<()> {
    match [from, to].into_iter().find(|path| is_special(path)) {
        Some(special) => Err(io::Error::other(format!("{} is no regular file", special.display()))),
        None => ignore_missing(fs::rename(from, to)),
    }
}

fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Whether the same descriptor can take something a moment later: a reader wakes up, a disk gets room.
fn is_transient(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull, WouldBlock};
    matches!(kind, WouldBlock | StorageFull | QuotaExceeded | FileTooLarge)
}

#[cfg(test)]
mod tests;
