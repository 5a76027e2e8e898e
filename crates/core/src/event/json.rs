//! The JSON form of an event, as `GET /events` gives it (docs/events.md): [`EventJson`], written by the daemon and read by
//! supervisorctl and the demonstration.

use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::record::EventRecord;
use super::wire;

/// An event as clients read it. Members that a sender leaves out are empty.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct EventJson<'a> {
    /// Counts up from 1 in the daemon's life.
    pub number: u64,
    /// Seconds since 1970, to the millisecond.
    pub at: f64,
    /// The name of its type.
    pub event: Cow<'a, str>,
    /// The group of the process it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<Cow<'a, str>>,
    /// The name of the process it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<Cow<'a, str>>,
    /// Why a process went down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<Cow<'a, str>>,
    /// The body, as listeners get it.
    pub body: Cow<'a, str>,
}

impl<'a> From<&'a EventRecord> for EventJson<'a> {
    fn from(record: &'a EventRecord) -> Self {
        let process = record.event.process();
        let millis = u64::try_from(record.at.as_millis()).unwrap_or(u64::MAX);
        Self {
            number: record.number,
            at: Duration::from_millis(millis).as_secs_f64(),
            event: record.event.kind().name().into(),
            group: process.map(|process| process.group.0.as_str().into()),
            process: process.map(|process| process.process.0.as_str().into()),
            why: record.why.as_deref().map(Into::into),
            body: wire::encode(&record.event).into(),
        }
    }
}
