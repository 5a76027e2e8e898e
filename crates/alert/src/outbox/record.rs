//! The format of an alert file: an [`OutboxRecord`] a line, with a checksum in front. Written and read by the outbox alone.
//!
//! ```text
//! 8f14e45f {"header":{"v":1,"id":"…","origin":"…","route":{…},…}}
//! c9f0f895 {"entry":{"text":"…","details":"…","notification":{…},"event":"…"}}
//! 45c48cce {"attempt":{"at":1700000000,"reason":"…"}}
//! ```
//!
//! Records are only ever appended. A last line that was cut by a crash is ignored; any other line that is damaged is
//! skipped and counted. Fields that a version does not know are ignored, so versions can share an outbox.

use ironlance_core::text::checked_line;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::alert::{Alert, AlertEntry};
use crate::receiver::{Format, Receiver};
use crate::render::card::Detail;

/// The version of a file without cards. Every version reads it.
const VERSION: u32 = 1;
/// The version of a file with a card: a deliverer that does not know cards makes it a dead letter, and sends no part of it.
const CARD_VERSION: u32 = 2;

/// A line of an alert file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutboxRecord {
    /// The first line: all but the entries.
    Header(Box<AlertHeader>),
    /// Something that happened.
    Entry(Box<EntryRecord>),
    /// An attempt to deliver that failed.
    Attempt(FailedAttempt),
    /// The supervisor has the answer to the event of the entry before.
    Answered,
    /// The channel has taken the alert, and the file could not be removed.
    Sent,
    /// The channel has taken it for all but these recipients, and the file could not be replaced.
    Left(Vec<String>),
}

/// All of an alert but its entries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertHeader {
    v: u32,
    id: String,
    origin: String,
    host: String,
    created: i64,
    route: Receiver,
    subject: Option<String>,
    form: Format,
    /// The form is a digest; `form` says that it is a mail, for versions that know no other.
    #[serde(default, skip_serializing_if = "is_default")]
    digest: bool,
    /// The ids of the other alerts of the same commit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    siblings: Vec<String>,
}

/// An entry, and the event that it was made of.
///
/// A notification also stands here as `text` and `details`, for deliverers of a version that does not know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryRecord {
    text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    details: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    notification: Option<serde_json::Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    card: Option<serde_json::Value>,
    /// The event as it came from the supervisor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) event: Option<String>,
    /// When it happened, in seconds since 1970; an alert is as old as its last entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at: Option<i64>,
}

/// An attempt to deliver that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedAttempt {
    /// When, in seconds since 1970.
    pub at: i64,
    /// Why it failed.
    pub reason: String,
    /// For how long it had been tried by then, in seconds of a monotonic clock.
    #[serde(default, skip_serializing_if = "is_default")]
    pub tried: u64,
    /// What the next attempt begins with: what the channel has refused is not sent again.
    #[serde(default, skip_serializing_if = "is_default")]
    pub detail: Detail,
}

/// Whether a field need not be written.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// An alert file, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAlert {
    /// The alert.
    pub alert: Alert,
    /// The attempts that failed.
    pub attempts: Vec<FailedAttempt>,
    /// The event of the last entry, unless it was answered.
    pub unacked: Option<String>,
    /// The channel has taken it already.
    pub sent: bool,
    /// The number of lines that could not be read.
    pub damaged: usize,
}

/// Ends the name of a damaged file, which is kept beside the alert of its good lines.
pub(super) const DAMAGED: &str = ".damaged";

impl StoredAlert {
    /// An alert without attempts.
    pub const fn new(alert: Alert) -> Self {
        Self { alert, attempts: Vec::new(), unacked: None, sent: false, damaged: 0 }
    }

    /// How much of a card the next attempt begins with.
    pub fn detail(&self) -> Detail {
        self.attempts.last().map(|attempt| attempt.detail).unwrap_or_default()
    }

    /// Checks that a file of this name may hold this alert.
    pub fn named(self, name: &str) -> Result<Self, RecordError> {
        if name.strip_suffix(DAMAGED).unwrap_or(name) == self.alert.id && is_id(name) {
            Ok(self)
        } else {
            Err(RecordError::Name(self.alert.id))
        }
    }
}

/// Whether a text can be an id, and so the name of a file.
fn is_id(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

/// Why bytes are not an alert file.
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
    /// It has no entry.
    #[error("no entry")]
    NoEntry,
    /// Its name is not the id in its header, or cannot be an id.
    #[error("its name is not its id {0:?}")]
    Name(String),
}

impl AlertHeader {
    /// The header of an alert.
    pub fn of(alert: &Alert, siblings: &[Alert]) -> Self {
        let Alert { id, origin, host, created, receiver: route, subject, .. } = alert.clone();
        let digest = route.format == Format::Digest;
        let form = if digest { Format::Mail } else { route.format };
        let siblings = siblings.iter().map(|sibling| sibling.id.clone()).collect();
        let v = if form == Format::Card { CARD_VERSION } else { VERSION };
        Self { v, id, origin, host, created, route, subject, form, digest, siblings }
    }

    /// The alert, without entries.
    pub fn into_alert(self) -> Alert {
        let Self { id, origin, host, created, route, subject, form, digest, .. } = self;
        let format = if digest { Format::Digest } else { form };
        let receiver = Receiver { format, ..route };
        Alert { id, origin, host, created, receiver, subject, entries: Vec::new() }
    }
}

impl EntryRecord {
    fn into_entry(self) -> AlertEntry {
        let notification = || serde_json::from_value(self.notification?).ok().map(AlertEntry::Notification);
        let card = self.card.and_then(|card| serde_json::from_value(card).ok());
        let known = card.map(AlertEntry::Card).or_else(notification);
        known.unwrap_or(AlertEntry::Text { text: self.text, details: self.details })
    }
}

/// One record as a line.
pub fn line(record: &OutboxRecord) -> String {
    checked_line::encode(record)
}

/// An entry of an alert as a line; `event` is the one it was made of, `at` when it happened, if later than the header.
pub fn entry_line(entry: &AlertEntry, format: Format, event: Option<&str>, at: Option<i64>) -> String {
    let (text, details) = (entry.render(format).into_owned(), entry.details().map(Into::into));
    let (notification, card) = match entry {
        AlertEntry::Notification(notification) => (serde_json::to_value(notification).ok(), None),
        AlertEntry::Card(card) => (None, serde_json::to_value(card).ok()),
        AlertEntry::Text { .. } => (None, None),
    };
    let event = event.map(str::to_owned);
    line(&OutboxRecord::Entry(Box::new(EntryRecord { text, details, notification, card, event, at })))
}

/// A whole alert as a file; `event` is the one that its last entry was made of.
pub fn file(alert: &Alert, event: Option<&str>) -> String {
    file_with_siblings(alert, event, &[])
}

/// The same for an alert that is committed together with `siblings`.
pub(super) fn file_with_siblings(alert: &Alert, event: Option<&str>, siblings: &[Alert]) -> String {
    let header = line(&OutboxRecord::Header(Box::new(AlertHeader::of(alert, siblings))));
    let format = alert.receiver.format;
    let last = alert.entries.len().saturating_sub(1);
    let event_of = |index| event.filter(|_| index == last);
    let entries = alert.entries.iter().enumerate();
    let entries = entries.map(|(index, entry)| entry_line(entry, format, event_of(index), None));
    std::iter::once(header).chain(entries).collect()
}

/// The ids of the alerts that are committed together with the one in this file.
pub(super) fn siblings(bytes: &[u8]) -> Vec<String> {
    match bytes.split_inclusive(|byte| *byte == b'\n').next().map(parse) {
        Some(Ok(OutboxRecord::Header(header))) => {
            header.siblings.into_iter().filter(|id| is_id(id)).collect()
        }
        _ => Vec::new(),
    }
}

/// Reads an alert file. Only a damaged header is an error: without it there is no receiver.
pub fn read(bytes: &[u8]) -> Result<StoredAlert, RecordError> {
    let stored = read_with(bytes, None)?;
    if stored.alert.entries.is_empty() { Err(RecordError::NoEntry) } else { Ok(stored) }
}

/// Reads an alert file that may have no entry yet. Where its header is damaged, its entries are added to `fallback`, an
/// alert without entries.
pub fn read_with(bytes: &[u8], fallback: Option<&Alert>) -> Result<StoredAlert, RecordError> {
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n');
    let mut stored = match (lines.next().map(parse), fallback) {
        (Some(Ok(OutboxRecord::Header(header))), _) => StoredAlert::new(header.into_alert()),
        (Some(_), Some(alert)) => StoredAlert { damaged: 1, ..StoredAlert::new(alert.clone()) },
        (Some(Err(reason)), None) => return Err(RecordError::Line { line: 1, reason }),
        (None | Some(Ok(_)), _) => return Err(RecordError::NoHeader),
    };
    for line in lines {
        match parse(line) {
            Ok(record) => stored.apply(record),
            Err(_) if !line.ends_with(b"\n") => {}
            Err(_) => stored.damaged += 1,
        }
    }
    Ok(stored)
}

impl StoredAlert {
    /// Applies a further line.
    pub(super) fn apply(&mut self, record: OutboxRecord) {
        match record {
            OutboxRecord::Entry(mut entry) => {
                self.alert.created = self.alert.created.max(entry.at.unwrap_or(i64::MIN));
                self.unacked = entry.event.take();
                self.alert.entries.push(entry.into_entry());
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
    let record: OutboxRecord = checked_line::decode(bytes).map_err(|error| error.to_string())?;
    match record {
        OutboxRecord::Header(header) if !matches!(header.v, VERSION | CARD_VERSION) => {
            Err(format!("version {}, not {VERSION} or {CARD_VERSION}", header.v))
        }
        OutboxRecord::Header(header) if header.route.to.is_empty() => Err("no recipient".to_owned()),
        record => Ok(record),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::card::{Card, Language};
    use crate::notification::{Cause, Notification, ProcessDetails};
    use crate::render::card::samples;
    use proptest::prelude::*;

    fn alert(texts: &[String]) -> Alert {
        Alert {
            entries: texts.iter().map(|text| AlertEntry::text(text.clone())).collect(),
            ..Alert::sample("true", "")
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
    fn a_damaged_line_costs_only_its_own_record() {
        let text = file(&alert(&["one".into(), "two".into(), "three".into()]), None);
        let stored = read(text.replace("two", "TWO").as_bytes()).unwrap();
        let texts: Vec<_> = stored.alert.entries.iter().map(|entry| entry.render(Format::Mail)).collect();
        assert_eq!(
            (texts[0].as_ref(), texts[1].as_ref(), texts.len(), stored.damaged),
            ("one", "three", 2, 1)
        );
    }

    #[test]
    fn a_damaged_header_is_an_error_and_can_be_replaced() {
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
        let header = line(&OutboxRecord::Header(Box::new(AlertHeader::of(&alert(&[]), &[]))));
        assert_eq!(read(header.as_bytes()), Err(RecordError::NoEntry));
    }

    #[test]
    fn a_file_of_version_0_1_is_read_and_means_what_it_meant() {
        let stored = read(include_bytes!("../../testdata/alert-0.1.txt")).unwrap();
        let alert = &stored.alert;
        assert_eq!(
            alert.text(),
            "2025-11-30 01:48:11,459 -- Process shop:web (pid 7) died unexpectedly\nsecond\n\nDetails:\nhost:        web1\n"
        );
        assert_eq!(alert.receiver.to_string(), "dev@example.com by smtp://mail:25");
        assert_eq!((alert.created, alert.subject.as_deref()), (1_764_467_300, Some("Crashes")));
        assert_eq!((stored.attempts.len(), stored.unacked.as_deref()), (1, Some("1 2 3 5")));
        assert_eq!((stored.damaged, stored.sent), (0, false));
    }

    fn notification() -> Notification {
        let cause = Cause::HttpCheck {
            url: "http://h/".into(),
            fault: "status".into(),
            finding: "500".into(),
            actions: vec!["restarted".into()],
        };
        let mut details = ProcessDetails::default();
        details.fact("host", "web1");
        Notification { cause, time: String::new(), details: vec![details] }
    }

    #[test]
    fn a_notification_is_read_as_data_and_stands_beside_it_as_text_for_other_versions() {
        let alert = Alert { entries: vec![notification().into()], ..alert(&[]) };
        let text = file(&alert, Some("event"));
        assert_eq!(read(text.as_bytes()).unwrap().alert, alert);
        // A cause that this version does not know.
        let json =
            text.lines().nth(1).unwrap().split_once(' ').unwrap().1.replace("http_check", "earthquake");
        let header = text.lines().next().unwrap();
        let newer = format!("{header}\n{:08x} {json}\n", crc32fast::hash(json.as_bytes()));
        let stored = read(newer.as_bytes()).unwrap();
        assert_eq!((stored.alert.text(), stored.damaged), (alert.text(), 0));
        assert!(matches!(&stored.alert.entries[0], AlertEntry::Text { .. }));
    }

    fn sample() -> Card {
        samples::all(Language::English).remove(0).1
    }

    #[test]
    fn a_card_is_read_as_data_and_is_no_alert_for_a_version_without_cards() {
        let card = sample();
        let mut alert = Alert { entries: vec![AlertEntry::Card(Box::new(card))], ..alert(&[]) };
        alert.receiver.format = Format::Card;
        let text = file(&alert, None);
        assert!(
            text.contains(r#""v":2,"#) && text.contains(r#""text":"error shop:web: down, crash""#),
            "{text}"
        );
        let mut stored = read(text.as_bytes()).unwrap();
        assert_eq!((&stored.alert, stored.detail()), (&alert, Detail::Rich));
        stored.apply(OutboxRecord::Attempt(FailedAttempt {
            at: 7,
            reason: "invalid_blocks".into(),
            tried: 1,
            detail: Detail::Plain,
        }));
        assert_eq!(stored.detail(), Detail::Plain);
    }

    #[test]
    fn a_card_that_this_version_cannot_read_is_a_text() {
        let mut alert = Alert { entries: vec![AlertEntry::Card(Box::new(sample()))], ..alert(&[]) };
        alert.receiver.format = Format::Card;
        let text = file(&alert, None);
        let json =
            text.lines().nth(1).unwrap().split_once(' ').unwrap().1.replace(r#""crash""#, r#""explosion""#);
        let newer =
            format!("{}\n{:08x} {json}\n", text.lines().next().unwrap(), crc32fast::hash(json.as_bytes()));
        let stored = read(newer.as_bytes()).unwrap();
        assert!(matches!(&stored.alert.entries[0], AlertEntry::Text { .. }));
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
