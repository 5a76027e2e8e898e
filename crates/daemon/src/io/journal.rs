//! The daemon's journal: [`Journal`] opens it with the first record, appends, and goes on without it while it cannot be
//! written. What is recorded is decided by `state/journal`.
//!
//! A record is one `write(2)` to a regular file, without a sync. What cannot be written leaves a hole in the numbers.

use std::path::PathBuf;
use std::time::Duration;

use ironlance_core::journal::{JournalEntry, SupervisorStart, SupervisorStop};
use ironlance_core::log_level::Level;
use ironlance_core::process::lifecycle::Now;
use ironlance_core::time::backoff::Backoff;
use ironlance_host::journal::{JournalError, JournalWriter};
use rustix::rand::{GetRandomFlags, getrandom};

/// How long nothing is written after a failure.
const RETRY: Backoff = Backoff { first: Duration::from_secs(1), max: Duration::from_secs(60) };

/// The journal of one generation of the daemon.
#[derive(Debug)]
pub(crate) struct Journal {
    folder: PathBuf,
    identifier: String,
    /// Names this generation.
    boot: String,
    max_bytes: u64,
    /// Open, with the `start` record in it.
    writer: Option<JournalWriter>,
    failures: u32,
    /// Nothing is written before (monotonic).
    retry_at: Duration,
    /// Records that could not be written since the last one that was.
    missing: u64,
}

impl Journal {
    /// A journal that is not open yet. All of it stays below about `max_bytes`.
    pub(crate) fn new(folder: PathBuf, identifier: &str, max_bytes: u64) -> Self {
        Self {
            folder,
            identifier: identifier.to_owned(),
            boot: new_boot(),
            max_bytes,
            writer: None,
            failures: 0,
            retry_at: Duration::ZERO,
            missing: 0,
        }
    }

    /// The configuration has another limit.
    pub(crate) fn set_max_bytes(&mut self, max_bytes: u64) {
        self.max_bytes = max_bytes;
        if let Some(writer) = &mut self.writer {
            writer.set_max_bytes(max_bytes);
        }
    }

    /// Where its segments are.
    pub(crate) fn folder(&self) -> PathBuf {
        self.folder.clone()
    }

    /// Appends a record. Gives a line for the log when it cannot be written any more, and when it can be again.
    pub(crate) fn append(&mut self, now: Now, entry: JournalEntry) -> Option<(Level, String)> {
        if now.mono < self.retry_at {
            self.count_missing();
            return None;
        }
        match self.write(now, entry) {
            Ok(()) if std::mem::take(&mut self.failures) > 0 => {
                let missing = std::mem::take(&mut self.missing);
                let records = if missing == 1 { "record is" } else { "records are" };
                Some((
                    Level::Info,
                    format!("the journal is written again; {missing} {records} missing in it"),
                ))
            }
            Ok(()) => None,
            Err(error) => {
                self.count_missing();
                self.failures = self.failures.saturating_add(1);
                self.retry_at = now.mono + RETRY.pause(self.failures);
                (self.failures == 1).then(|| {
                    (Level::Error, format!("{error}; events are not recorded until this works again"))
                })
            }
        }
    }

    /// The daemon ends or restarts in good order.
    pub(crate) fn stop(&mut self, now: Now, how: &str) -> Option<(Level, String)> {
        self.append(now, JournalEntry::Stop { stop: SupervisorStop { how: how.to_owned() } })
    }

    /// The number of a record that was not written is left out.
    fn count_missing(&mut self) {
        self.missing += 1;
        if let Some(writer) = &mut self.writer {
            writer.skip(1);
        }
    }

    fn write(&mut self, now: Now, entry: JournalEntry) -> Result<(), JournalError> {
        let at = u64::try_from(now.wall.as_millis()).unwrap_or(u64::MAX);
        if self.writer.is_none() {
            self.writer = Some(self.open(at)?);
        }
        self.writer.as_mut().map_or(Ok(()), |writer| writer.append(&self.boot, at, entry).map(drop))
    }

    fn open(&self, at: u64) -> Result<JournalWriter, JournalError> {
        let mut writer = JournalWriter::open(&self.folder, self.max_bytes)?;
        let (previous, last_seen) = writer.previous();
        writer.skip(self.missing);
        let start = SupervisorStart {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            identifier: self.identifier.clone(),
            previous,
            last_seen,
        };
        writer.append(&self.boot, at, JournalEntry::Start { start })?;
        Ok(writer)
    }
}

/// A name for a generation: 8 random hex digits.
fn new_boot() -> String {
    let mut random = [0_u8; 4];
    // getrandom(2) gives this few bytes at once; without them all generations of a boot have one name.
    let _ = getrandom(&mut random, GetRandomFlags::empty());
    format!("{:08x}", u32::from_ne_bytes(random))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use ironlance_core::journal::{JournalEvent, PreviousRun};
    use ironlance_host::journal::JournalReader;

    use super::*;

    const LIMIT: u64 = 64 << 20;

    fn now(seconds: u64) -> Now {
        Now { mono: Duration::from_secs(seconds), wall: Duration::from_secs(1_700_000_000 + seconds) }
    }

    fn event() -> JournalEntry {
        JournalEntry::Event(Box::new(JournalEvent { event: "X".into(), ..JournalEvent::default() }))
    }

    /// The numbers of all records, and how many are missing.
    fn numbers(folder: &Path) -> (Vec<u64>, u64) {
        let piece = JournalReader::new(folder, 1).read().unwrap();
        (piece.records.iter().map(|record| record.n).collect(), piece.missing)
    }

    #[test]
    fn a_generation_begins_with_its_start_and_says_how_the_one_before_ended() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("journal");
        let mut boots = Vec::new();
        for (stops, previous) in
            [(false, PreviousRun::None), (true, PreviousRun::Killed), (true, PreviousRun::Clean)]
        {
            let mut journal = Journal::new(folder.clone(), "supervisor", LIMIT);
            assert!(
                !folder.exists() || previous != PreviousRun::None,
                "nothing is made before the first record"
            );
            assert_eq!(journal.append(now(1), event()), None);
            if stops {
                assert_eq!(journal.stop(now(2), "shutdown"), None);
            }
            let records = JournalReader::new(&folder, 1).read().unwrap().records;
            let mut starts = records.iter().filter_map(|record| match &record.entry {
                JournalEntry::Start { start } => Some((start, &record.boot)),
                _ => None,
            });
            let (start, boot) = starts.next_back().unwrap();
            assert_eq!(start.previous, previous);
            assert!(boot.len() == 8 && !boots.contains(boot), "{boot}");
            boots.push(boot.clone());
        }
    }

    #[test]
    fn a_journal_that_cannot_be_opened_is_logged_once_and_tried_again_and_the_numbers_show_the_hole() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("journal");
        fs::write(&folder, "in the way").unwrap();
        let mut journal = Journal::new(folder.clone(), "supervisor", LIMIT);
        let (level, line) = journal.append(now(0), event()).unwrap();
        let failed = format!("cannot create {}: ", folder.display());
        assert!(line.starts_with(&failed) && line.contains("events are not recorded"), "{line}");
        assert_eq!(level, Level::Error);
        assert_eq!(journal.append(now(1), event()), None, "tried again, and not logged again");
        fs::remove_file(&folder).unwrap();
        assert_eq!(journal.append(now(2), event()), None, "not tried: the second pause is two seconds");
        assert!(!folder.exists());
        let (_, line) = journal.append(now(3), event()).unwrap();
        assert_eq!(line, "the journal is written again; 3 records are missing in it");
        assert_eq!(journal.append(now(3), event()), None);
        assert_eq!(numbers(&folder), (vec![4, 5, 6], 3));
    }

    #[test]
    fn a_write_that_fails_leaves_a_hole_of_its_size() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("journal");
        let mut journal = Journal::new(folder.clone(), "supervisor", LIMIT);
        journal.append(now(0), event());
        // The next segment cannot be opened.
        let segment = |first| folder.join(ironlance_core::journal::segment::file_name(first));
        let mut written = 2;
        while fs::metadata(segment(1)).unwrap().len() < 1 << 20 {
            let data = Some("x".repeat(4000));
            let event = JournalEvent { data, ..JournalEvent::default() };
            assert_eq!(journal.append(now(0), JournalEntry::Event(Box::new(event))), None);
            written += 1;
        }
        fs::create_dir(segment(written + 1)).unwrap();
        assert!(journal.append(now(0), event()).is_some());
        assert_eq!(journal.append(now(0), event()), None);
        fs::remove_dir(segment(written + 1)).unwrap();
        let (_, line) = journal.append(now(1), event()).unwrap();
        assert_eq!(line, "the journal is written again; 2 records are missing in it");
        let mut reader = JournalReader::new(&folder, written);
        let (mut read, mut missing) = (Vec::new(), 0);
        while let Ok(piece) = reader.read()
            && !piece.records.is_empty()
        {
            read.extend(piece.records.iter().map(|record| record.n));
            missing += piece.missing;
        }
        assert_eq!((read, missing), (vec![written, written + 3], 2));
    }
}
