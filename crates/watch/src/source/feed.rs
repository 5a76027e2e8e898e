//! Events and the journal as one stream: [`EventFeed`]. The journal is the truth; who writes it depends on the supervisor.
//!
//! | supervisor | journal | an event on standard input |
//! |---|---|---|
//! | ours | the daemon's | a reason to read it; used itself where it is not in there |
//! | Python's | written here, and synced before the answer | is written, then read |
//!
//! Whatever the way, an event of one run with one serial is given once.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use ironlance_core::journal::{JournalEntry, JournalRecord, PreviousRun, SupervisorStart, SupervisorStop};
use ironlance_host::journal::{JournalError, JournalReader, JournalWriter};

/// The most serials of events that were used without the journal and are remembered: as many as may wait for a listener.
const MAX_SERIALS: usize = 1000;

/// Which run of which supervisor this is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SupervisorRun {
    /// Names the run: a start makes a new one.
    pub(crate) boot: String,
    /// The supervisor's identifier.
    pub(crate) identifier: String,
}

/// Who writes the journal.
#[derive(Debug)]
enum JournalOwner {
    /// The supervisor.
    Supervisor,
    /// This process.
    Own(Box<JournalWriter>),
    /// Nobody: it cannot be written.
    Nobody,
}

/// Up to where events have been used; kept with the machines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FeedPosition {
    /// The number of the next record.
    pub(crate) cursor: u64,
    /// The run that the last one belongs to.
    pub(crate) boot: String,
}

/// What was read at once.
#[derive(Debug, Default)]
pub(crate) struct FeedPiece {
    pub(crate) records: Vec<JournalRecord>,
    /// The number of records that are lost.
    pub(crate) missing: u64,
}

/// What became of an event.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Accepted {
    /// It is in the journal: it may be answered.
    Stored,
    /// It is not, and has to be used as it is; answered once what follows from it is stored.
    Loose(Box<JournalRecord>),
    /// It has been used before.
    Known,
}

/// The stream.
#[derive(Debug)]
pub(crate) struct EventFeed {
    owner: JournalOwner,
    reader: JournalReader,
    run: SupervisorRun,
    /// The run that the last record belongs to.
    boot: String,
    /// The run of the last record, and its last serial.
    last: Option<(String, u64)>,
    /// Serials of this run that were used without the journal.
    loose: BTreeSet<u64>,
    is_stopping: bool,
}

impl EventFeed {
    /// Opens the journal in `folder`. `is_ours` says that the supervisor writes it. Without a position, reading begins with
    /// the run of the supervisor that is recorded last. Also gives a line for the log where the journal cannot be written.
    pub(crate) fn open(
        folder: &Path,
        run: SupervisorRun,
        is_ours: bool,
        max_bytes: u64,
        position: Option<&FeedPosition>,
        now: u64,
    ) -> (Self, Option<String>) {
        let writer = if is_ours { None } else { Some(JournalWriter::open(folder, max_bytes)) };
        let (owner, fault) = match writer {
            None => (JournalOwner::Supervisor, None),
            Some(Ok(writer)) => (JournalOwner::Own(Box::new(writer)), None),
            Some(Err(error)) => (JournalOwner::Nobody, Some(error.to_string())),
        };
        let folder: PathBuf = folder.to_owned();
        let start = position.map_or_else(|| last_start(&folder), |position| resume(&folder, position));
        let reader = JournalReader::new(&folder, start);
        let boot = position.map(|position| position.boot.clone()).unwrap_or_default();
        let mut feed =
            Self { owner, reader, run, boot, last: None, loose: BTreeSet::new(), is_stopping: false };
        let fault = fault.or_else(|| feed.record_start(position, now).err().map(|error| error.to_string()));
        (feed, fault)
    }

    /// Writes that the supervisor has started, where the journal is ours and does not say so.
    fn record_start(&mut self, position: Option<&FeedPosition>, now: u64) -> Result<(), JournalError> {
        let JournalOwner::Own(writer) = &mut self.owner else { return Ok(()) };
        let (previous, last_seen) = writer.previous();
        let is_same_run = position.is_some_and(|position| position.boot == self.run.boot);
        if is_same_run && previous != PreviousRun::Clean {
            return Ok(());
        }
        let start = SupervisorStart {
            version: String::new(),
            identifier: self.run.identifier.clone(),
            previous,
            last_seen,
        };
        writer.append(&self.run.boot, now, JournalEntry::Start { start }).map(drop)
    }

    /// Whether nobody writes a journal, as far as is known.
    pub(crate) const fn is_without_journal(&self) -> bool {
        matches!(self.owner, JournalOwner::Nobody)
    }

    /// The supervisor has begun to write the journal.
    pub(crate) fn adopt(&mut self) {
        self.owner = JournalOwner::Supervisor;
    }

    /// Takes an event of standard input; `at` is when it came, in milliseconds since 1970.
    pub(crate) fn accept(
        &mut self,
        serial: u64,
        entry: JournalEntry,
        at: u64,
    ) -> Result<Accepted, JournalError> {
        self.is_stopping |= matches!(&entry, JournalEntry::Event(event)
            if event.event == "SUPERVISOR_STATE_CHANGE_STOPPING");
        if self.loose.contains(&serial) || self.is_behind(serial) {
            return Ok(Accepted::Known);
        }
        if let JournalOwner::Own(writer) = &mut self.owner {
            let failed = match writer.append(&self.run.boot, at, entry.clone()) {
                Ok(_) => writer.sync().err().map(|source| JournalError::Io {
                    action: "sync",
                    path: PathBuf::new(),
                    source,
                }),
                Err(error) => Some(error),
            };
            if failed.is_none() {
                return Ok(Accepted::Stored);
            }
        }
        self.loose.insert(serial);
        while self.loose.len() > MAX_SERIALS {
            self.loose.pop_first();
        }
        Ok(Accepted::Loose(Box::new(JournalRecord { n: 0, boot: self.run.boot.clone(), at, entry })))
    }

    /// Whether an event of this serial is in what was read of the journal. Call it after the journal was read to its end.
    fn is_behind(&self, serial: u64) -> bool {
        let JournalOwner::Supervisor = self.owner else {
            return self.last.as_ref().is_some_and(|(boot, last)| *boot == self.run.boot && *last >= serial);
        };
        self.last.as_ref().is_some_and(|(_, last)| *last >= serial)
    }

    /// The next records; none where there are none for now.
    pub(crate) fn read(&mut self) -> io::Result<FeedPiece> {
        let piece = self.reader.read()?;
        let mut records = piece.records;
        for record in &records {
            self.boot.clone_from(&record.boot);
            match &record.entry {
                JournalEntry::Event(event) => {
                    if let Some(serial) = event.serial {
                        self.last = Some((record.boot.clone(), serial));
                    }
                }
                JournalEntry::Start { .. } => {
                    self.last = None;
                    self.loose.clear();
                }
                JournalEntry::Stop { .. } | JournalEntry::Pool { .. } => {}
            }
        }
        let loose = &self.loose;
        records.retain(|record| match &record.entry {
            JournalEntry::Event(event) => event.serial.is_none_or(|serial| !loose.contains(&serial)),
            _ => true,
        });
        Ok(FeedPiece { records, missing: piece.missing })
    }

    /// Makes what was read outlive a power cut.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        self.reader.sync()
    }

    /// Up to where events have been used.
    pub(crate) fn position(&self) -> FeedPosition {
        FeedPosition { cursor: self.reader.next(), boot: self.boot.clone() }
    }

    /// Standard input has ended: in good order, if the supervisor said so before.
    pub(crate) fn end(&mut self, now: u64) {
        if let (JournalOwner::Own(writer), true) = (&mut self.owner, self.is_stopping) {
            let stop = SupervisorStop { how: "shutdown".to_owned() };
            // A record that is missing makes the next start say that this run was killed.
            let _ = writer.append(&self.run.boot, now, JournalEntry::Stop { stop });
            let _ = writer.sync();
        }
    }
}

/// Where to read on. A power cut may have taken records that were used, so that their numbers come again: then with the
/// first record behind those of the run that the last one belonged to.
fn resume(folder: &Path, position: &FeedPosition) -> u64 {
    let cursor = position.cursor.max(1);
    let before = JournalReader::new(folder, cursor - 1).read().unwrap_or_default().records;
    let is_there = cursor == 1
        || before.first().is_some_and(|record| record.n >= cursor || record.boot == position.boot);
    if is_there {
        return cursor;
    }
    let mut reader = JournalReader::new(folder, 1);
    let mut next = 1;
    while let Ok(piece) = reader.read() {
        if piece.records.is_empty() {
            break;
        }
        let mut known = piece.records.iter().filter(|record| record.boot == position.boot);
        next = known.next_back().map_or(next, |record| record.n + 1);
    }
    next
}

/// The number of the last record of a start; the first one that there is where there is none.
fn last_start(folder: &Path) -> u64 {
    let mut reader = JournalReader::new(folder, 1);
    let mut found = 1;
    while let Ok(piece) = reader.read() {
        if piece.records.is_empty() {
            break;
        }
        let mut starts =
            piece.records.iter().filter(|record| matches!(record.entry, JournalEntry::Start { .. }));
        found = starts.next_back().map_or(found, |record| record.n);
    }
    found
}

#[cfg(test)]
mod tests {
    use ironlance_core::journal::JournalEvent;

    use super::*;

    fn run(boot: &str) -> SupervisorRun {
        SupervisorRun { boot: boot.into(), identifier: "supervisor".into() }
    }

    fn event(serial: u64) -> JournalEntry {
        JournalEntry::Event(Box::new(JournalEvent {
            serial: Some(serial),
            event: "PROCESS_STATE_FATAL".into(),
            ..JournalEvent::default()
        }))
    }

    fn all(feed: &mut EventFeed) -> Vec<JournalRecord> {
        let mut all = Vec::new();
        loop {
            let piece = feed.read().unwrap();
            if piece.records.is_empty() {
                return all;
            }
            all.extend(piece.records);
        }
    }

    fn serials(records: &[JournalRecord]) -> Vec<u64> {
        let serial = |record: &JournalRecord| match &record.entry {
            JournalEntry::Event(event) => event.serial,
            _ => None,
        };
        records.iter().filter_map(serial).collect()
    }

    #[test]
    fn under_python_events_are_written_and_a_second_delivery_is_known() {
        let folder = tempfile::tempdir().unwrap();
        let (mut feed, fault) = EventFeed::open(folder.path(), run("a"), false, 1 << 20, None, 1);
        assert_eq!(fault, None);
        assert_eq!(feed.accept(4, event(4), 2).unwrap(), Accepted::Stored);
        let records = all(&mut feed);
        assert!(
            matches!(&records[0].entry, JournalEntry::Start { start } if start.previous == PreviousRun::None)
        );
        assert_eq!(serials(&records), [4]);
        assert_eq!(feed.accept(4, event(4), 3).unwrap(), Accepted::Known);
        let position = feed.position();
        drop(feed);
        // The same run: no start is written, and nothing is read again.
        let (mut feed, _) = EventFeed::open(folder.path(), run("a"), false, 1 << 20, Some(&position), 5);
        assert!(all(&mut feed).is_empty());
        assert_eq!(feed.accept(5, event(5), 6).unwrap(), Accepted::Stored);
        assert_eq!(serials(&all(&mut feed)), [5]);
        let position = feed.position();
        drop(feed);
        let (mut feed, _) = EventFeed::open(folder.path(), run("b"), false, 1 << 20, Some(&position), 9);
        let records = all(&mut feed);
        let JournalEntry::Start { start } = &records[0].entry else { panic!("{records:?}") };
        assert_eq!((start.previous, start.last_seen), (PreviousRun::Killed, Some(6)));
    }

    #[test]
    fn a_supervisor_that_says_goodbye_was_not_killed() {
        let folder = tempfile::tempdir().unwrap();
        let (mut feed, _) = EventFeed::open(folder.path(), run("a"), false, 1 << 20, None, 1);
        let stopping = JournalEvent {
            serial: Some(8),
            event: "SUPERVISOR_STATE_CHANGE_STOPPING".into(),
            ..JournalEvent::default()
        };
        feed.accept(8, JournalEntry::Event(Box::new(stopping)), 2).unwrap();
        all(&mut feed);
        feed.end(3);
        all(&mut feed);
        let position = feed.position();
        drop(feed);
        // A reload of Python's supervisord is the same process, and so the same run.
        let (mut feed, _) = EventFeed::open(folder.path(), run("a"), false, 1 << 20, Some(&position), 4);
        let records = all(&mut feed);
        assert!(
            matches!(&records[0].entry, JournalEntry::Start { start } if start.previous == PreviousRun::Clean)
        );
    }

    #[test]
    fn records_that_a_power_cut_has_taken_do_not_hide_those_that_follow() {
        let folder = tempfile::tempdir().unwrap();
        let mut daemon = JournalWriter::open(folder.path(), 1 << 20).unwrap();
        for (boot, serial) in [("a", 1), ("a", 2), ("b", 3), ("b", 4)] {
            daemon.append(boot, 1, event(serial)).unwrap();
        }
        let resume = |cursor, boot: &str| resume(folder.path(), &FeedPosition { cursor, boot: boot.into() });
        assert_eq!(resume(3, "a"), 3);
        assert_eq!(resume(5, "b"), 5);
        // Two more records of the run a had been used.
        assert_eq!(resume(5, "a"), 3);
        assert_eq!(resume(9, "a"), 3);
        assert_eq!(resume(1, ""), 1);
    }

    #[test]
    fn under_ours_the_journal_counts_and_an_event_that_it_lacks_is_used_once() {
        let folder = tempfile::tempdir().unwrap();
        let mut daemon = JournalWriter::open(folder.path(), 1 << 20).unwrap();
        let start = SupervisorStart {
            version: "1".into(),
            identifier: "s".into(),
            previous: PreviousRun::None,
            last_seen: None,
        };
        daemon.append("d", 1, JournalEntry::Start { start }).unwrap();
        daemon.append("d", 2, event(3)).unwrap();
        let (mut feed, fault) = EventFeed::open(folder.path(), run("p"), true, 1 << 20, None, 1);
        assert_eq!(fault, None);
        assert_eq!(serials(&all(&mut feed)), [3]);
        assert_eq!(feed.accept(3, event(3), 3).unwrap(), Accepted::Known);
        assert!(matches!(feed.accept(4, event(4), 3).unwrap(), Accepted::Loose(_)));
        assert_eq!(feed.accept(4, event(4), 3).unwrap(), Accepted::Known);
        daemon.append("d", 4, event(4)).unwrap();
        daemon.append("d", 5, event(5)).unwrap();
        assert_eq!(serials(&all(&mut feed)), [5]);
    }

    #[test]
    fn a_journal_that_the_supervisor_begins_to_write_later_is_read_and_nothing_is_used_twice() {
        let folder = tempfile::tempdir().unwrap();
        let journal = folder.path().join("journal");
        std::fs::write(&journal, "in the way").unwrap();
        let (mut feed, fault) = EventFeed::open(&journal, run("p"), false, 1 << 20, None, 1);
        assert!(fault.is_some() && feed.is_without_journal());
        assert!(matches!(feed.accept(3, event(3), 3).unwrap(), Accepted::Loose(_)));
        std::fs::remove_file(&journal).unwrap();
        let mut daemon = JournalWriter::open(&journal, 1 << 20).unwrap();
        daemon.append("d", 4, event(4)).unwrap();
        feed.adopt();
        assert_eq!(serials(&all(&mut feed)), [4]);
        assert_eq!(feed.accept(4, event(4), 5).unwrap(), Accepted::Known);
    }
}
