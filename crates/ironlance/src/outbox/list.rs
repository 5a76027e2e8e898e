//! `ironlance outbox list`: what waits, what was given up and what is still collected, for people and for programs.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Result;
use ironlance_alert::outbox::record::StoredAlert;
use ironlance_alert::outbox::{Outbox, OutboxError, OutboxFolder, unix_time};
use ironlance_core::redact::redact;
use serde::Serialize;

/// What `--json` prints. Times are in seconds since 1970.
#[derive(Serialize)]
struct Listing {
    /// The outbox.
    folder: String,
    waiting: Vec<Row>,
    dead: Vec<Row>,
    /// What batch mailers have collected and not sent yet, or have left behind.
    batches: Vec<Row>,
    /// The last failed try of all, if anything waits since.
    last_error: Option<Failure>,
}

/// An alert, or what is there in its place.
#[derive(Serialize)]
struct Row {
    id: String,
    #[serde(flatten)]
    alert: Option<Facts>,
    /// Why it cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Serialize)]
struct Facts {
    /// The listener: command, name, supervisord.
    origin: String,
    created: i64,
    by: String,
    to: Vec<String>,
    subject: Option<String>,
    /// How many things it tells.
    entries: usize,
    failures: usize,
    /// It was sent, and its file cannot be removed.
    sent: bool,
    last_error: Option<Failure>,
}

#[derive(Serialize)]
struct Failure {
    at: i64,
    reason: String,
}

impl Row {
    fn new(id: String, loaded: Result<StoredAlert, OutboxError>) -> Self {
        match loaded {
            Ok(stored) => Self { id, alert: Some(Facts::of(stored)), error: None },
            Err(error) => Self { id, alert: None, error: Some(error.to_string()) },
        }
    }

    /// For people.
    fn line(&self, word: &str, now: i64) -> String {
        let id = &self.id;
        let Some(alert) = &self.alert else {
            return format!("{word:<7}  {id}  {}", self.error.as_deref().unwrap_or_default());
        };
        let age = super::age(now - alert.created);
        let count =
            |count: usize, one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
        let state = match word {
            "batch" => count(alert.entries, "entry", "entries"),
            _ => count(alert.failures, "failure", "failures"),
        };
        let last = match &alert.last_error {
            _ if alert.sent => "  (sent; its file cannot be removed)".to_owned(),
            Some(last) => format!("  ({})", last.reason),
            None => String::new(),
        };
        format!(
            "{word:<7}  {id}  {age:>6}  {state}  by {}  to {}  {}{last}",
            alert.by,
            alert.to.join(", "),
            super::one_line(alert.subject.as_deref().unwrap_or("(no subject)")),
        )
    }
}

impl Facts {
    fn of(stored: StoredAlert) -> Self {
        let failures = stored.attempts.len();
        let last = stored.attempts.into_iter().last();
        Self {
            origin: stored.alert.origin,
            created: stored.alert.created,
            by: stored.alert.receiver.transport.to_string(),
            to: stored.alert.receiver.to,
            subject: stored.alert.subject,
            entries: stored.alert.entries.len(),
            failures,
            sent: stored.sent,
            last_error: last.map(|last| Failure { at: last.at, reason: redact(&last.reason) }),
        }
    }
}

fn rows(outbox: &Outbox, place: OutboxFolder) -> Result<Vec<Row>> {
    let ids = outbox.ids(place)?.into_iter();
    Ok(ids.map(|id| Row::new(id.clone(), outbox.load(place, &id))).collect())
}

fn batches(outbox: &Outbox) -> Result<Vec<Row>> {
    let names = outbox.batches()?.into_iter();
    Ok(names.map(|name| Row::new(name.clone(), outbox.load_batch(&name))).collect())
}

/// A line for people on one alert.
pub(super) fn line(outbox: &Outbox, place: OutboxFolder, id: &str) -> String {
    Row::new(id.to_owned(), outbox.load(place, id)).line(super::word(place), unix_time())
}

/// The command.
pub(super) fn list(outbox: &Outbox, only_dead: bool, json: bool) -> Result<ExitCode> {
    let mut listing = Listing {
        folder: outbox.dir().display().to_string(),
        waiting: rows(outbox, OutboxFolder::New)?,
        dead: rows(outbox, OutboxFolder::Dead)?,
        batches: batches(outbox)?,
        last_error: outbox.last_error().map(|(at, reason)| Failure { at, reason: redact(&reason) }),
    };
    let (waiting, dead) = (listing.waiting.len(), listing.dead.len());
    if only_dead {
        listing.waiting.clear();
        listing.batches.clear();
    }
    let mut out = io::stdout().lock();
    if json {
        serde_json::to_writer_pretty(&mut out, &listing)?;
        writeln!(out)?;
        return Ok(ExitCode::SUCCESS);
    }
    let now = unix_time();
    for (word, rows) in [("waiting", &listing.waiting), ("batch", &listing.batches), ("dead", &listing.dead)]
    {
        for row in rows {
            writeln!(out, "{}", row.line(word, now))?;
        }
    }
    if !listing.batches.is_empty() {
        let collected =
            "collected, to be sent at their listener's interval; one of a listener that is no longer";
        writeln!(out, "{} batch(es) {collected} configured stays until it is", listing.batches.len())?;
    }
    writeln!(out, "{waiting} waiting, {dead} dead in {}", listing.folder)?;
    Ok(ExitCode::SUCCESS)
}
