//! Reads the daemon's journal for clients: [`HistoryReader`]. The owner says where it is; the worker thread reads it.

use std::path::Path;

use ironlance_core::Namespec;
use ironlance_core::journal::{EndReport, JournalEntry, JournalRecord, PoolTrouble, PreviousRun};
use ironlance_core::text::glob::Pattern;
use ironlance_host::journal::last_records;
use ironlance_rpc::api::HistoryRecord;
use ironlance_rpc::{Fault, FaultKind, Record, Value};

use super::owner::OwnerClient;
use super::worker_thread::WorkerThread;

/// The most records of one answer.
pub(super) const MAX_RECORDS: usize = 500;
/// The most names of one request, and the longest in bytes: matching takes time in proportion.
const MAX_NAMES: usize = 100;
const MAX_NAME: usize = 256;

/// A part of the journal that a client wants to have.
#[derive(Debug, PartialEq, Eq)]
pub struct HistoryRequest {
    /// Names and patterns; none for all records.
    names: Vec<String>,
    /// The most records.
    limit: usize,
    /// Only records before the one with this number.
    before: u64,
}

impl HistoryRequest {
    /// A request as a client gave it. A `before` of 0 or less stands for the end.
    ///
    /// # Errors
    /// Too many or too long names.
    pub(super) fn new(names: Vec<String>, limit: i64, before: i64) -> Result<Self, Fault> {
        if names.len() > MAX_NAMES || names.iter().any(|name| name.len() > MAX_NAME) {
            return Err(FaultKind::BadArguments
                .about(format_args!("at most {MAX_NAMES} names of {MAX_NAME} bytes can be asked for")));
        }
        let limit = usize::try_from(limit).unwrap_or(0).min(MAX_RECORDS);
        let before = u64::try_from(before).ok().filter(|before| *before > 0).unwrap_or(u64::MAX);
        Ok(Self { names, limit, before })
    }
}

/// Reads the journal for the clients of one server.
pub(super) struct HistoryReader {
    owner: OwnerClient,
    worker: WorkerThread,
}

impl HistoryReader {
    pub(super) fn new(owner: OwnerClient) -> Self {
        Self { owner, worker: WorkerThread::default() }
    }

    /// The result of `ironlance.getHistory`: the last records that are wanted, the oldest first.
    ///
    /// # Errors
    /// `NO_FILE` where there is no journal, `FAILED` where it cannot be read, `SHUTDOWN_STATE` if the owner is stopping.
    pub(super) async fn read(&self, request: HistoryRequest) -> Result<Value, Fault> {
        let folder = self.owner.journal_folder().await.ok_or_else(|| FaultKind::ShutdownState.bare())?;
        let folder = folder.ok_or_else(|| {
            FaultKind::NoFile.about("no journal is kept: the configuration has no [alert:x] and no [watch]")
        })?;
        let read = self.worker.run(move || read(&folder, &request)).await.and_then(|read| read);
        read.map_err(|error| FaultKind::Failed.about(format_args!("cannot read the journal: {error}")))
    }
}

fn read(folder: &Path, request: &HistoryRequest) -> std::io::Result<Value> {
    let filter = Filter::new(&request.names);
    let records = last_records(folder, request.before, request.limit, |record| filter.takes(record))?;
    Ok(Value::Array(records.into_iter().map(|record| history_record(record).to_value()).collect()))
}

/// Which records are wanted, by names as `supervisorctl` takes them.
struct Filter(Vec<NameFilter>);

enum NameFilter {
    /// `GROUP:NAME` or `GROUP:*`.
    Both(Pattern, Pattern),
    /// Without a colon: the group, the process, or both.
    Either(Pattern),
}

impl Filter {
    fn new(names: &[String]) -> Self {
        Self(names.iter().map(|name| NameFilter::new(name)).collect())
    }

    fn takes(&self, record: &JournalRecord) -> bool {
        if self.0.is_empty() {
            return true;
        }
        let (group, process) = match &record.entry {
            JournalEntry::Event(event) => (event.group.as_deref(), event.process.as_deref()),
            JournalEntry::Pool { pool } => (Some(pool.name.as_str()), None),
            JournalEntry::Start { .. } | JournalEntry::Stop { .. } => (None, None),
        };
        group.is_some_and(|group| self.0.iter().any(|name| name.takes(group, process)))
    }
}

impl NameFilter {
    fn new(name: &str) -> Self {
        match name.split_once(':') {
            Some((group, "")) => Self::Both(Pattern::parse(group), Pattern::parse("*")),
            Some((group, process)) => Self::Both(Pattern::parse(group), Pattern::parse(process)),
            None => Self::Either(Pattern::parse(name)),
        }
    }

    fn takes(&self, group: &str, process: Option<&str>) -> bool {
        match (self, process) {
            (Self::Both(groups, processes), process) => {
                groups.matches(group) && processes.matches(process.unwrap_or_default())
            }
            (Self::Either(name), None) => name.matches(group),
            (Self::Either(name), Some(process)) => {
                name.matches(group)
                    || name.matches(process)
                    || name.matches(&Namespec::new(group, process).to_string())
            }
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 are far below 2^52")]
const fn seconds(milliseconds: u64) -> f64 {
    milliseconds as f64 / 1000.0
}

fn history_record(record: JournalRecord) -> HistoryRecord {
    let JournalRecord { n, boot, at, entry } = record;
    let head = HistoryRecord { number: n, at: seconds(at), boot, ..HistoryRecord::default() };
    match entry {
        JournalEntry::Start { start } => HistoryRecord {
            event: "START".into(),
            kind: match start.previous {
                PreviousRun::None => "none",
                PreviousRun::Clean => "clean",
                PreviousRun::Killed => "killed",
            }
            .into(),
            data: start.version,
            ..head
        },
        JournalEntry::Stop { stop } => HistoryRecord { event: "STOP".into(), why: stop.how, ..head },
        JournalEntry::Pool { pool } => HistoryRecord {
            event: "POOL".into(),
            group: pool.name,
            kind: match pool.trouble {
                PoolTrouble::Overflow => "overflow",
                PoolTrouble::Broken => "broken",
                PoolTrouble::Well => "well",
            }
            .into(),
            why: pool.why,
            lost: pool.lost,
            ..head
        },
        JournalEntry::Event(event) => HistoryRecord {
            serial: event.serial,
            event: event.event,
            group: event.group.unwrap_or_default(),
            process: event.process.unwrap_or_default(),
            from: event.from.unwrap_or_default(),
            pid: event.pid.unwrap_or_default().into(),
            expected: event.expected.unwrap_or_default(),
            restarts: event.restarts,
            tries: event.tries.unwrap_or_default().into(),
            kind: event.kind.unwrap_or_default(),
            data: event.data.unwrap_or_default(),
            ..with_end(head, event.end)
        },
    }
}

fn with_end(record: HistoryRecord, end: Option<EndReport>) -> HistoryRecord {
    let Some(end) = end else { return record };
    HistoryRecord {
        why: end.why,
        status: end.status.and_then(|status| u64::try_from(status).ok()),
        signal: end.signal.unwrap_or_default(),
        core: end.core,
        oom: end.oom,
        by: end.requested_by.unwrap_or_default(),
        uptime: seconds(end.up_ms),
        ends: end.ends,
        stdout_tail: end.stdout,
        stderr_tail: end.stderr,
        ..record
    }
}

#[cfg(test)]
mod tests {
    use ironlance_core::journal::{JournalEvent, PoolReport, SupervisorStop};
    use ironlance_host::journal::JournalWriter;

    use super::*;

    fn event(group: &str, process: Option<&str>) -> JournalEntry {
        JournalEntry::Event(Box::new(JournalEvent {
            event: "PROCESS_STATE_EXITED".into(),
            group: Some(group.into()),
            process: process.map(Into::into),
            end: Some(EndReport {
                why: "exit status 1".into(),
                status: Some(1),
                up_ms: 1500,
                ..EndReport::default()
            }),
            ..JournalEvent::default()
        }))
    }

    /// The numbers of the records that a request gives, of a journal of eight.
    fn numbers(names: &[&str], limit: i64, before: i64) -> Vec<u64> {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("journal");
        let mut writer = JournalWriter::open(&folder, 1 << 20).unwrap();
        let pool = PoolReport { name: "web".into(), trouble: PoolTrouble::Well, why: String::new(), lost: 0 };
        for entry in [
            event("shop", Some("web")),
            event("shop", Some("db")),
            event("shop", None),
            event("web", Some("web")),
            JournalEntry::Pool { pool },
            event("other", Some("web_1")),
            JournalEntry::Stop { stop: SupervisorStop { how: "shutdown".into() } },
            event("shop", Some("web")),
        ] {
            writer.append("b", 1000, entry).unwrap();
        }
        let names = names.iter().map(ToString::to_string).collect();
        let value = read(&folder, &HistoryRequest::new(names, limit, before).unwrap()).unwrap();
        HistoryRecord::list_from_value(value).unwrap().into_iter().map(|record| record.number).collect()
    }

    #[test]
    fn names_choose_records_as_they_choose_processes() {
        for (names, found) in [
            (&[][..], &[1, 2, 3, 4, 5, 6, 7, 8][..]),
            (&["web"], &[1, 4, 5, 8]),
            (&["shop:web"], &[1, 8]),
            (&["shop:*"], &[1, 2, 3, 8]),
            (&["shop:"], &[1, 2, 3, 8]),
            (&["web*"], &[1, 4, 5, 6, 8]),
            (&["db", "other"], &[2, 6]),
            (&["nothing"], &[]),
        ] {
            assert_eq!(numbers(names, 100, 0), found, "{names:?}");
        }
    }

    #[test]
    fn the_last_records_are_given_and_those_before_a_number() {
        assert_eq!(numbers(&[], 3, 0), [6, 7, 8]);
        assert_eq!(numbers(&[], 3, 6), [3, 4, 5]);
        assert_eq!(numbers(&["shop:web"], 1, 8), [1]);
        assert_eq!(numbers(&[], 0, 0), [0_u64; 0]);
        assert_eq!(numbers(&[], -1, -1), [0_u64; 0]);
    }

    #[test]
    fn a_request_is_bounded() {
        let request = HistoryRequest::new(Vec::new(), i64::MAX, i64::MIN).unwrap();
        assert_eq!((request.limit, request.before), (MAX_RECORDS, u64::MAX));
        assert!(HistoryRequest::new(vec!["*".repeat(257)], 1, 0).is_err());
        assert!(HistoryRequest::new(vec![String::new(); 101], 1, 0).is_err());
    }

    #[test]
    fn an_end_is_told_with_its_cause() {
        let record =
            JournalRecord { n: 7, boot: "b".into(), at: 1_700_000_000_250, entry: event("a", Some("a")) };
        let told = history_record(record);
        assert_eq!((told.number, told.at, told.uptime), (7, 1_700_000_000.25, 1.5));
        assert_eq!((told.why.as_str(), told.status), ("exit status 1", Some(1)));
    }
}
