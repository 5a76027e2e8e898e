//! `ironlance outbox list`: the alerts that wait, the dead letters and the batches, as text or JSON.

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
    /// Batches that are collected, or were left by listeners that no longer run.
    batches: Vec<Row>,
    /// The last failed attempt of all, if anything waits since.
    last_error: Option<Failure>,
}

/// An alert, or the error of a file that cannot be read.
#[derive(Serialize)]
struct Row {
    id: String,
    #[serde(flatten)]
    alert: Option<AlertSummary>,
    /// Why it cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Serialize)]
struct AlertSummary {
    /// The listener: command, name, supervisord.
    origin: String,
    created: i64,
    by: String,
    to: Vec<String>,
    subject: Option<String>,
    /// The number of its entries.
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
            Ok(stored) => Self { id, alert: Some(AlertSummary::of(stored)), error: None },
            Err(error) => Self { id, alert: None, error: Some(error.to_string()) },
        }
    }

    /// For people.
    fn line(&self, state: &str, now: i64) -> String {
        let id = &self.id;
        let Some(alert) = &self.alert else {
            return format!("{state:<7}  {id}  {}", self.error.as_deref().unwrap_or_default());
        };
        let age = super::age(now - alert.created);
        let counted =
            |count: usize, one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
        let count = match state {
            "batch" => counted(alert.entries, "entry", "entries"),
            _ => counted(alert.failures, "failure", "failures"),
        };
        let last = match &alert.last_error {
            _ if alert.sent => "  (sent; its file cannot be removed)".to_owned(),
            Some(last) => format!("  ({})", last.reason),
            None => String::new(),
        };
        format!(
            "{state:<7}  {id}  {age:>6}  {count}  by {}  to {}  {}{last}",
            alert.by,
            alert.to.join(", "),
            super::one_line(alert.subject.as_deref().unwrap_or("(no subject)")),
        )
    }
}

impl AlertSummary {
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

fn rows(outbox: &Outbox, folder: OutboxFolder) -> Result<Vec<Row>> {
    let ids = outbox.ids(folder)?.into_iter();
    Ok(ids.map(|id| Row::new(id.clone(), outbox.load(folder, &id))).collect())
}

/// The line of one alert.
pub(super) fn line(outbox: &Outbox, folder: OutboxFolder, id: &str) -> String {
    Row::new(id.to_owned(), outbox.load(folder, id)).line(super::state(folder), unix_time())
}

/// The command.
pub(super) fn list(outbox: &Outbox, only_dead: bool, json: bool) -> Result<ExitCode> {
    let batches = outbox.batches()?.into_iter();
    let mut listing = Listing {
        folder: outbox.dir().display().to_string(),
        waiting: rows(outbox, OutboxFolder::New)?,
        dead: rows(outbox, OutboxFolder::Dead)?,
        batches: batches.map(|name| Row::new(name.clone(), outbox.load_batch(&name))).collect(),
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
