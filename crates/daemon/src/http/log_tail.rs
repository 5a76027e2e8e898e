//! A log that is followed: [`LogTail`] yields its end and then what is appended, across rotation and truncation.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, sleep_until};

use super::file_watch::FileWatch;
use super::response_body::{NextPiece, StreamBody};
use crate::files::safe_open;

/// The first chunk is this much of the end, in bytes.
const INITIAL_BYTES: u64 = 1024;
/// Chunk size in bytes.
const CHUNK: usize = 64 * 1024;
/// Shortest interval between two reads at the end of the file, as in the original.
const MIN_INTERVAL: Duration = Duration::from_millis(100);
/// Sent when the file has become shorter.
const TRUNCATED: &[u8] = b"==> File truncated <==\n";

/// Follows the file at a path.
pub(super) struct LogTail {
    reader: TailReader,
    watch: FileWatch,
    next_look: Instant,
}

impl LogTail {
    /// Begins 1,024 bytes before the end of the file at `path`. Only regular files can be followed.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let watch = FileWatch::new(path);
        Ok(Self { reader: TailReader::open(path)?, watch, next_look: Instant::now() })
    }

    /// The modification time of the file.
    pub(super) fn modified(&self) -> io::Result<SystemTime> {
        self.reader.file.metadata()?.modified()
    }
}

impl StreamBody for LogTail {
    fn next(mut self: Box<Self>) -> NextPiece {
        Box::pin(async move {
            loop {
                match self.reader.read_more() {
                    TailOutcome::Bytes(bytes) => return Some((bytes.into(), self as _)),
                    TailOutcome::Replaced => self.watch.rearm(),
                    TailOutcome::Nothing => {
                        sleep_until(self.next_look).await;
                        self.watch.changed().await;
                        self.next_look = Instant::now() + MIN_INTERVAL;
                    }
                }
            }
        })
    }
}

/// The outcome of one read.
#[derive(Debug, PartialEq, Eq)]
enum TailOutcome {
    Bytes(Vec<u8>),
    /// Another file is at the path; reading continues at its start.
    Replaced,
    Nothing,
}

/// A position in the file at a path, across replacements of the file.
struct TailReader {
    path: PathBuf,
    file: File,
    at: u64,
}

impl TailReader {
    fn open(path: &Path) -> io::Result<Self> {
        let (file, metadata) = safe_open::open_regular(path)?;
        let at = metadata.len().saturating_sub(INITIAL_BYTES);
        Ok(Self { path: path.to_owned(), file, at })
    }

    fn read_more(&mut self) -> TailOutcome {
        let Ok(here) = self.file.metadata() else { return TailOutcome::Nothing };
        if here.len() < self.at {
            self.at = 0;
            return TailOutcome::Bytes(TRUNCATED.to_vec());
        }
        if here.len() > self.at {
            return self.read();
        }
        // The old file is read to its end before the new one is opened.
        if fs::metadata(&self.path).is_ok_and(|there| !is_same_file(&here, &there))
            && let Ok((file, _)) = safe_open::open_regular(&self.path)
        {
            self.file = file;
            self.at = 0;
            return TailOutcome::Replaced;
        }
        TailOutcome::Nothing
    }

    fn read(&mut self) -> TailOutcome {
        let mut bytes = vec![0; CHUNK];
        match self.file.read_at(&mut bytes, self.at) {
            Ok(read @ 1..) => {
                bytes.truncate(read);
                self.at += read as u64;
                TailOutcome::Bytes(bytes)
            }
            Ok(0) | Err(_) => TailOutcome::Nothing,
        }
    }
}

fn is_same_file(one: &Metadata, other: &Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;

    use super::*;
    use std::io::Write;

    fn append(path: &Path, text: &str) {
        OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
    }

    fn bytes(text: &str) -> TailOutcome {
        TailOutcome::Bytes(text.as_bytes().to_vec())
    }

    #[test]
    fn the_last_kibibyte_comes_first_and_then_what_is_added() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        append(&log, &format!("{}{}", "a".repeat(500), "b".repeat(1024)));
        let mut reader = TailReader::open(&log).unwrap();
        assert_eq!(reader.read_more(), bytes(&"b".repeat(1024)));
        assert_eq!(reader.read_more(), TailOutcome::Nothing);
        append(&log, "c");
        assert_eq!(reader.read_more(), bytes("c"));
    }

    #[test]
    fn a_truncated_log_says_so_and_starts_again() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        append(&log, "old text");
        let mut reader = TailReader::open(&log).unwrap();
        assert_eq!(reader.read_more(), bytes("old text"));
        fs::write(&log, "new").unwrap();
        assert_eq!(reader.read_more(), bytes("==> File truncated <==\n"));
        assert_eq!(reader.read_more(), bytes("new"));
    }

    #[test]
    fn a_rotated_log_is_read_to_its_end_before_the_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        append(&log, "one");
        let mut reader = TailReader::open(&log).unwrap();
        assert_eq!(reader.read_more(), bytes("one"));
        append(&log, "two");
        fs::rename(&log, folder.path().join("log.1")).unwrap();
        append(&log, "three");
        assert_eq!(reader.read_more(), bytes("two"));
        assert_eq!(reader.read_more(), TailOutcome::Replaced);
        assert_eq!(reader.read_more(), bytes("three"));
    }

    #[test]
    fn a_log_that_was_removed_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        append(&log, "one");
        let mut reader = TailReader::open(&log).unwrap();
        assert_eq!(reader.read_more(), bytes("one"));
        fs::remove_file(&log).unwrap();
        assert_eq!(reader.read_more(), TailOutcome::Nothing);
        append(&log, "two");
        assert_eq!(reader.read_more(), TailOutcome::Replaced);
        assert_eq!(reader.read_more(), bytes("two"));
    }

    #[test]
    fn what_is_no_plain_file_is_not_followed_and_holds_nobody_up() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        assert!(TailReader::open(&fifo).is_err());
        assert!(TailReader::open(folder.path()).is_err());
    }

    #[tokio::test]
    async fn a_change_ends_the_wait_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        append(&log, "one");
        let tail = Box::new(LogTail::open(&log).unwrap());
        let (first, tail) = tail.next().await.unwrap();
        assert_eq!(first, "one");
        let (next, ()) = tokio::join!(tail.next(), async {
            tokio::task::yield_now().await;
            append(&log, "two");
        });
        let (bytes, rest) = next.unwrap();
        assert_eq!(bytes, "two");
        fs::rename(&log, folder.path().join("log.1")).unwrap();
        let (next, ()) = tokio::join!(rest.next(), async {
            tokio::task::yield_now().await;
            append(&log, "three");
        });
        assert_eq!(next.unwrap().0, "three");
    }
}
