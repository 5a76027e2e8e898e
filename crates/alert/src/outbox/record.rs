//! The lines of an alert file: one record each, with a checksum in front.
//!
//! ```text
//! 8f14e45f {"header":{"v":1,"id":"…","origin":"…","route":{…},…}}
//! c9f0f895 {"entry":{"text":"…","details":"…","event":"…"}}
//! 45c48cce {"attempt":{"at":1700000000,"reason":"…"}}
//! ```
//!
//! Records are only ever appended. A last line that was cut by a crash is as if it had never been written.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::alert::{Alert, Entry};

/// The version of this format.
const VERSION: u32 = 1;

/// A line of an alert file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// The first line: all but the entries.
    Header(Box<Header>),
    /// Something that happened.
    Entry(EntryRecord),
    /// A try that failed.
    Attempt(Attempt),
    /// The supervisor was told that the entry before is dealt with.
    Answered,
}

/// All of an alert but its entries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    v: u32,
    #[serde(flatten)]
    alert: Alert,
}

/// An entry, and the event that it was made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryRecord {
    /// What happened.
    #[serde(flatten)]
    pub entry: Entry,
    /// The event as it came from the supervisor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// When it happened, in seconds since 1970; an alert is as old as its last entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<i64>,
}

/// A try that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// When, in seconds since 1970.
    pub at: i64,
    /// Why it failed.
    pub reason: String,
}

/// An alert file, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The alert.
    pub alert: Alert,
    /// The tries that failed.
    pub attempts: Vec<Attempt>,
    /// The event of the last entry, unless it was answered.
    pub unanswered: Option<String>,
}

impl Stored {
    /// Makes sure that the file of this name is the alert that it says it is.
    pub fn named(self, name: &str) -> Result<Self, RecordError> {
        let is_id = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if self.alert.id == name && name.chars().all(is_id) {
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

impl Header {
    /// The header of an alert.
    pub fn of(alert: &Alert) -> Self {
        Self { v: VERSION, alert: Alert { entries: Vec::new(), ..alert.clone() } }
    }
}

/// One record as a line.
pub fn line(record: &Record) -> String {
    let json = serde_json::to_string(record).expect("a record has only strings for keys");
    format!("{:08x} {json}\n", crc32fast::hash(json.as_bytes()))
}

/// An entry as a line; `event` is the one it was made of, `at` when it happened, if later than the header.
pub fn entry_line(entry: &Entry, event: Option<&str>, at: Option<i64>) -> String {
    line(&Record::Entry(EntryRecord { entry: entry.clone(), event: event.map(str::to_owned), at }))
}

/// A whole alert as a file; `event` is the one it was made of.
pub fn file(alert: &Alert, event: Option<&str>) -> String {
    let header = line(&Record::Header(Box::new(Header::of(alert))));
    let entries = alert.entries.iter().map(|entry| entry_line(entry, event, None));
    std::iter::once(header).chain(entries).collect()
}

/// Reads an alert file.
pub fn read(bytes: &[u8]) -> Result<Stored, RecordError> {
    let mut all = read_all(bytes)?;
    match (all.pop(), all.is_empty()) {
        (Some(stored), true) if stored.alert.entries.is_empty() => Err(RecordError::NoEntry),
        (Some(stored), true) => Ok(stored),
        _ => Err(RecordError::NoHeader),
    }
}

/// Reads several alerts, one behind the other.
pub fn read_all(bytes: &[u8]) -> Result<Vec<Stored>, RecordError> {
    let mut all: Vec<Stored> = Vec::new();
    let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    for (index, bytes) in lines.iter().enumerate() {
        let record = match parse(bytes) {
            Ok(record) => record,
            Err(_) if index > 0 && index + 1 == lines.len() => break,
            Err(reason) => return Err(RecordError::Line { line: index + 1, reason }),
        };
        match (record, all.last_mut()) {
            (Record::Header(header), _) => {
                all.push(Stored { alert: header.alert, attempts: Vec::new(), unanswered: None });
            }
            (Record::Entry(EntryRecord { entry, event, at }), Some(stored)) => {
                stored.alert.entries.push(entry);
                stored.alert.created = stored.alert.created.max(at.unwrap_or(i64::MIN));
                stored.unanswered = event;
            }
            (Record::Attempt(attempt), Some(stored)) => stored.attempts.push(attempt),
            (Record::Answered, Some(stored)) => stored.unanswered = None,
            (Record::Entry(_) | Record::Attempt(_) | Record::Answered, None) => {
                return Err(RecordError::NoHeader);
            }
        }
    }
    if all.is_empty() { Err(RecordError::NoHeader) } else { Ok(all) }
}

fn parse(bytes: &[u8]) -> Result<Record, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    let text = text.strip_suffix('\n').ok_or("cut")?;
    let (sum, json) = text.split_once(' ').ok_or("no checksum")?;
    if sum != format!("{:08x}", crc32fast::hash(json.as_bytes())) {
        return Err("the checksum does not fit".to_owned());
    }
    let record: Record = serde_json::from_str(json).map_err(|error| error.to_string())?;
    match record {
        Record::Header(header) if header.v != VERSION => Err(format!("version {}, not {VERSION}", header.v)),
        Record::Header(header) if header.alert.route.to.is_empty() => Err("no recipient".to_owned()),
        record => Ok(record),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::Form;
    use crate::route::{Route, Transport};
    use proptest::prelude::*;

    fn alert(texts: &[String]) -> Alert {
        Alert {
            id: "1".into(),
            origin: "crashmail web:crashmail".into(),
            host: "web1".into(),
            created: 7,
            route: Route {
                transport: Transport::Sendmail { command: "true".into() },
                from: None,
                to: vec!["ops@example.com".into()],
            },
            subject: Some("subject".into()),
            form: Form::Mail,
            entries: texts.iter().map(|text| Entry { text: text.clone(), details: None }).collect(),
        }
    }

    #[test]
    fn an_entry_stays_unanswered_until_the_answer_is_written_behind_it() {
        let mut text = file(&alert(&["died".into()]), Some("event 1"));
        assert_eq!(read(text.as_bytes()).unwrap().unanswered.as_deref(), Some("event 1"));
        text.push_str(&line(&Record::Answered));
        assert_eq!(read(text.as_bytes()).unwrap().unanswered, None);
    }

    #[test]
    fn damage_in_the_middle_is_told_by_its_line() {
        let text = file(&alert(&["one".into(), "two".into(), "three".into()]), None);
        let error = read(text.replace("two", "TWO").as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), "line 3: the checksum does not fit");
        assert_eq!(read(b""), Err(RecordError::NoHeader));
        let header = line(&Record::Header(Box::new(Header::of(&alert(&[])))));
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
        fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
        }
    }
}
