//! The lines of an alert file: one record each, with a checksum in front.
//!
//! ```text
//! 8f14e45f {"header":{"v":1,"id":"…","origin":"…","receiver":{…},…}}
//! c9f0f895 {"entry":{"text":"…","details":"…","event":"…"}}
//! 45c48cce {"attempt":{"at":1700000000,"reason":"…"}}
//! ```
//!
//! Records are only ever appended. A last line that was cut by a crash is as if it had never been written; any other
//! line that is damaged costs what it said, and is counted.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::alert::{Alert, AlertEntry};

/// The version of this format.
const VERSION: u32 = 1;

/// A line of an alert file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutboxRecord {
    /// The first line: all but the entries.
    Header(Box<AlertHeader>),
    /// Something that happened.
    Entry(EntryRecord),
    /// A try that failed.
    Attempt(FailedAttempt),
    /// The supervisor was told that the entry before is dealt with.
    Answered,
    /// The carrier has taken the alert, and the file could not be removed.
    Sent,
    /// The carrier has taken it for all but these recipients, and the file could not be replaced.
    Left(Vec<String>),
}

/// All of an alert but its entries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertHeader {
    v: u32,
    #[serde(flatten)]
    alert: Alert,
}

/// An entry, and the event that it was made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryRecord {
    /// What happened.
    #[serde(flatten)]
    pub entry: AlertEntry,
    /// The event as it came from the supervisor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// When it happened, in seconds since 1970; an alert is as old as its last entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<i64>,
}

/// A try that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedAttempt {
    /// When, in seconds since 1970.
    pub at: i64,
    /// Why it failed.
    pub reason: String,
    /// For how long it had been tried by then, in seconds of a monotonic clock.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub tried: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// An alert file, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAlert {
    /// The alert.
    pub alert: Alert,
    /// The tries that failed.
    pub attempts: Vec<FailedAttempt>,
    /// The event of the last entry, unless it was answered.
    pub unacked: Option<String>,
    /// The carrier has taken it already.
    pub sent: bool,
    /// So many lines could not be read.
    pub damaged: usize,
}

/// What a damaged file is called beside the alert that was made of its good lines.
pub(super) const DAMAGED: &str = ".damaged";

impl StoredAlert {
    /// An alert that nobody has tried yet.
    pub const fn new(alert: Alert) -> Self {
        Self { alert, attempts: Vec::new(), unacked: None, sent: false, damaged: 0 }
    }

    /// Makes sure that the file of this name is the alert that it says it is.
    pub fn named(self, name: &str) -> Result<Self, RecordError> {
        let is_id = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if name.strip_suffix(DAMAGED).unwrap_or(name) == self.alert.id && name.chars().all(is_id) {
            Ok(self)
        } else {
            Err(RecordError::Name(self.alert.id))
        }
    }
}

/// Why bytes are no alert file.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RecordError {
    /// A line in the middle is damaged.
    #[error("line {line}: {reason}")]
    Line {
        /// Which, counted from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// It does not begin with a header.
    #[error("no header")]
    NoHeader,
    /// It says nothing.
    #[error("no entry")]
    NoEntry,
    /// It says that it is another one, or has a name that cannot be an id.
    #[error("its name is not its id {0:?}")]
    Name(String),
}

impl AlertHeader {
    /// The header of an alert.
    pub fn of(alert: &Alert) -> Self {
        Self { v: VERSION, alert: Alert { entries: Vec::new(), ..alert.clone() } }
    }

    /// The alert, without entries.
    pub fn alert(self) -> Alert {
        self.alert
    }

    /// The alert's id.
    pub fn id(&self) -> &str {
        &self.alert.id
    }
}

/// One record as a line.
pub fn line(record: &OutboxRecord) -> String {
    let json = serde_json::to_string(record).expect("a record has only strings for keys");
    format!("{:08x} {json}\n", crc32fast::hash(json.as_bytes()))
}

/// An entry as a line; `event` is the one it was made of, `at` when it happened, if later than the header.
pub fn entry_line(entry: &AlertEntry, event: Option<&str>, at: Option<i64>) -> String {
    line(&OutboxRecord::Entry(EntryRecord { entry: entry.clone(), event: event.map(str::to_owned), at }))
}

/// A whole alert as a file; `event` is the one it was made of.
pub fn file(alert: &Alert, event: Option<&str>) -> String {
    let header = line(&OutboxRecord::Header(Box::new(AlertHeader::of(alert))));
    let entries = alert.entries.iter().map(|entry| entry_line(entry, event, None));
    std::iter::once(header).chain(entries).collect()
}

/// Reads an alert file. Only a damaged header makes it useless: nobody knows then where the alert should go.
pub fn read(bytes: &[u8]) -> Result<StoredAlert, RecordError> {
    let stored = read_with(bytes, None)?;
    if stored.alert.entries.is_empty() { Err(RecordError::NoEntry) } else { Ok(stored) }
}

/// Reads an alert file that may have no entry yet. Where its header is damaged, `fallback` is the alert, without
/// entries, that takes what else can be read.
pub fn read_with(bytes: &[u8], fallback: Option<&Alert>) -> Result<StoredAlert, RecordError> {
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n');
    let mut stored = match (lines.next().map(parse), fallback) {
        (Some(Ok(OutboxRecord::Header(header))), _) => StoredAlert::new(header.alert),
        (Some(_), Some(alert)) => StoredAlert { damaged: 1, ..StoredAlert::new(alert.clone()) },
        (Some(Err(reason)), None) => return Err(RecordError::Line { line: 1, reason }),
        (None | Some(Ok(_)), _) => return Err(RecordError::NoHeader),
    };
    for line in lines {
        match parse(line) {
            Ok(record) => stored.take(record),
            Err(_) if !line.ends_with(b"\n") => {}
            Err(_) => stored.damaged += 1,
        }
    }
    Ok(stored)
}

impl StoredAlert {
    /// What a further line says.
    pub(super) fn take(&mut self, record: OutboxRecord) {
        match record {
            OutboxRecord::Entry(EntryRecord { entry, event, at }) => {
                self.alert.entries.push(entry);
                self.alert.created = self.alert.created.max(at.unwrap_or(i64::MIN));
                self.unacked = event;
            }
            OutboxRecord::Attempt(attempt) => self.attempts.push(attempt),
            OutboxRecord::Answered => self.unacked = None,
            OutboxRecord::Sent => self.sent = true,
            OutboxRecord::Left(to) => self.alert.receiver.to = to,
            OutboxRecord::Header(_) => self.damaged += 1,
        }
    }
}

pub(super) fn parse(bytes: &[u8]) -> Result<OutboxRecord, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    let text = text.strip_suffix('\n').ok_or("cut")?;
    let (sum, json) = text.split_once(' ').ok_or("no checksum")?;
    if sum != format!("{:08x}", crc32fast::hash(json.as_bytes())) {
        return Err("the checksum does not fit".to_owned());
    }
    let record: OutboxRecord = serde_json::from_str(json).map_err(|error| error.to_string())?;
    match record {
        OutboxRecord::Header(header) if header.v != VERSION => {
            Err(format!("version {}, not {VERSION}", header.v))
        }
        OutboxRecord::Header(header) if header.alert.receiver.to.is_empty() => Err("no recipient".to_owned()),
        record => Ok(record),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::Format;
    use crate::receiver::{Receiver, Transport};
    use proptest::prelude::*;

    fn alert(texts: &[String]) -> Alert {
        Alert {
            id: "1".into(),
            origin: "crashmail web:crashmail".into(),
            host: "web1".into(),
            created: 7,
            receiver: Receiver {
                transport: Transport::Sendmail { command: "true".into() },
                from: None,
                to: vec!["ops@example.com".into()],
            },
            subject: Some("subject".into()),
            format: Format::Mail,
            entries: texts.iter().map(|text| AlertEntry { text: text.clone(), details: None }).collect(),
        }
    }

    #[test]
    fn an_entry_stays_unanswered_until_the_answer_is_written_behind_it() {
        let mut text = file(&alert(&["died".into()]), Some("event 1"));
        assert_eq!(read(text.as_bytes()).unwrap().unacked.as_deref(), Some("event 1"));
        text.push_str(&line(&OutboxRecord::Answered));
        assert_eq!(read(text.as_bytes()).unwrap().unacked, None);
    }

    #[test]
    fn a_damaged_line_costs_only_what_it_said() {
        let text = file(&alert(&["one".into(), "two".into(), "three".into()]), None);
        let stored = read(text.replace("two", "TWO").as_bytes()).unwrap();
        let texts: Vec<&str> = stored.alert.entries.iter().map(|entry| entry.text.as_str()).collect();
        assert_eq!((texts, stored.damaged), (vec!["one", "three"], 1));
    }

    #[test]
    fn a_damaged_header_is_told_and_can_be_replaced() {
        let whole = alert(&["one".into(), "two".into()]);
        let text = file(&whole, None).replace("ops@", "OPS@");
        let error = read(text.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), "line 1: the checksum does not fit");
        let other = Alert { id: "2".into(), entries: Vec::new(), ..whole };
        let stored = read_with(text.as_bytes(), Some(&other)).unwrap();
        assert_eq!((stored.alert.id.as_str(), stored.alert.entries.len(), stored.damaged), ("2", 2, 1));
    }

    #[test]
    fn a_file_without_a_header_or_without_an_entry_is_no_alert() {
        assert_eq!(read(b""), Err(RecordError::NoHeader));
        let header = line(&OutboxRecord::Header(Box::new(AlertHeader::of(&alert(&[])))));
        assert_eq!(read(header.as_bytes()), Err(RecordError::NoEntry));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(texts in prop::collection::vec("(?s).{0,80}", 1..5)) {
            let alert = alert(&texts);
            prop_assert_eq!(read(file(&alert, None).as_bytes()).unwrap().alert, alert);
        }

        #[test]
        fn a_cut_file_keeps_all_whole_entries(texts in prop::collection::vec("[a-z]{1,20}", 2..5), cut in 1_usize..40) {
            let text = file(&alert(&texts), None);
            let end = text.len() - cut.min(text.lines().last().unwrap().len());
            let stored = read(&text.as_bytes()[..end]).unwrap();
            prop_assert_eq!(stored.alert.entries.len(), texts.len() - 1);
        }

        #[test]
        fn one_byte_of_damage_costs_at_most_two_entries(
            texts in prop::collection::vec("[a-z]{1,20}", 1..6), at in any::<prop::sample::Index>(), byte in any::<u8>(),
        ) {
            let text = file(&alert(&texts), None);
            let header = text.find('\n').unwrap() + 1;
            let mut bytes = text.into_bytes();
            let at = header + at.index(bytes.len() - header);
            bytes[at] = byte;
            let left = read(&bytes).map_or(0, |stored| stored.alert.entries.len());
            // A newline that is damaged joins two lines.
            prop_assert!(left + 2 >= texts.len(), "{left} of {}", texts.len());
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
        }
    }
}
