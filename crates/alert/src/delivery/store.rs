//! Where a deliverer takes alerts from: [`Store`], the outbox on disk or, when the disk cannot be used, memory.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Mutex;

use crate::alert::Alert;
use crate::log;
use crate::outbox::record::{FailedAttempt, StoredAlert};
use crate::outbox::{Outbox, OutboxError, OutboxFolder};

/// Where alerts wait while they are delivered. Used from several threads.
pub trait Store: Send + Sync {
    /// The ids of the alerts that wait.
    fn ids(&self) -> Vec<String>;
    /// An alert; `Ok(None)` when it was removed.
    fn load(&self, id: &str) -> Result<Option<StoredAlert>, OutboxError>;
    /// Whether an alert waits.
    fn is_waiting(&self, id: &str) -> bool;
    /// Where people find a dead letter, for the log: `, see …`.
    fn location_hint(&self, id: &str) -> String;
    /// Removes a delivered alert.
    fn remove_delivered(&self, id: &str) -> Result<(), String>;
    /// Makes an alert a dead letter.
    fn dead_letter(&self, id: &str, attempt: &FailedAttempt) -> Result<(), String>;
    /// Adds a dead letter for some recipients of an alert.
    fn dead_letter_part(&self, alert: &Alert, attempt: &FailedAttempt) -> Result<(), String>;
    /// Narrows an alert to the recipients that are left.
    fn replace(&self, stored: &StoredAlert) -> Result<(), String>;
    /// Records a failed attempt.
    fn record_attempt(&self, id: &str, attempt: &FailedAttempt);

    /// Marks an alert that was delivered and cannot be removed, so that it is not sent again.
    fn mark_sent(&self, _id: &str) -> Result<(), String> {
        Ok(())
    }
    /// The alerts that wait although they were sent, where their own files do not say so.
    fn sent_but_present(&self) -> Vec<String> {
        Vec::new()
    }
    /// Replaces a damaged alert by its good lines, and keeps the damaged file as a dead letter.
    fn repair(&self, _stored: &mut StoredAlert) -> Result<(), String> {
        Ok(())
    }
    /// Splits an alert that is too large; gives the ids of the parts.
    fn split(&self, _id: &str) -> Result<Vec<String>, String> {
        Ok(Vec::new())
    }
    /// Called when nothing waits any more.
    fn on_empty(&self) {}
    /// Stores on disk what is only in memory and not in flight, if the disk can be used again; gives the ids.
    fn persist(&self, _is_under_way: &dyn Fn(&str) -> bool) -> Vec<String> {
        Vec::new()
    }
}

fn words<T>(outcome: Result<T, impl ToString>) -> Result<T, String> {
    outcome.map_err(|error| error.to_string())
}

impl Store for Outbox {
    fn ids(&self) -> Vec<String> {
        Self::ids(self, OutboxFolder::New).unwrap_or_default()
    }

    fn load(&self, id: &str) -> Result<Option<StoredAlert>, OutboxError> {
        match self.load_for_delivery(id) {
            Ok(stored) => Ok(Some(stored)),
            Err(error) if error.is_gone() => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn is_waiting(&self, id: &str) -> bool {
        Self::is_waiting(self, id)
    }

    fn location_hint(&self, id: &str) -> String {
        format!(", see ironlance outbox show {id}")
    }

    fn remove_delivered(&self, id: &str) -> Result<(), String> {
        words(Self::remove_delivered(self, id))
    }

    fn dead_letter(&self, id: &str, attempt: &FailedAttempt) -> Result<(), String> {
        words(Self::dead_letter(self, id, attempt))
    }

    fn dead_letter_part(&self, alert: &Alert, attempt: &FailedAttempt) -> Result<(), String> {
        words(self.put_dead_letter(alert, attempt))
    }

    fn replace(&self, stored: &StoredAlert) -> Result<(), String> {
        words(self.set_recipients(stored))
    }

    fn record_attempt(&self, id: &str, attempt: &FailedAttempt) {
        Self::record_attempt(self, id, attempt);
    }

    fn mark_sent(&self, id: &str) -> Result<(), String> {
        words(Self::mark_sent(self, id))
    }

    fn sent_but_present(&self) -> Vec<String> {
        Self::sent_but_present(self)
    }

    fn repair(&self, stored: &mut StoredAlert) -> Result<(), String> {
        words(Self::repair(self, stored))
    }

    fn split(&self, id: &str) -> Result<Vec<String>, String> {
        words(Self::split(self, OutboxFolder::New, id)).map(|split| split.ids)
    }

    fn on_empty(&self) {
        self.forget_last_error();
    }
}

/// Alerts that are only in memory. A line on standard output, `done ID` or `stored ID`, reports the end of each; the listener
/// keeps the alert until then.
#[derive(Debug, Default)]
pub struct MemoryStore {
    alerts: Mutex<BTreeMap<String, StoredAlert>>,
    /// Where they are stored once the disk can be used again.
    state_dir: Option<PathBuf>,
}

impl MemoryStore {
    /// Empty; `state_dir` has the outbox that cannot be used.
    pub fn new(state_dir: Option<PathBuf>) -> Self {
        Self { alerts: Mutex::default(), state_dir }
    }

    /// Adds an alert.
    pub fn add(&self, stored: StoredAlert) {
        self.with(|alerts| alerts.insert(stored.alert.id.clone(), stored));
    }

    fn with<T>(&self, change: impl FnOnce(&mut BTreeMap<String, StoredAlert>) -> T) -> T {
        change(&mut self.alerts.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    fn done(&self, id: &str, how: &str) {
        self.with(|alerts| alerts.remove(id));
        // Without a listener the pipe is broken, and no report is needed.
        let mut out = io::stdout().lock();
        let _ = writeln!(out, "{how} {id}").and_then(|()| out.flush());
    }
}

impl Store for MemoryStore {
    fn ids(&self) -> Vec<String> {
        self.with(|alerts| alerts.keys().cloned().collect())
    }

    fn load(&self, id: &str) -> Result<Option<StoredAlert>, OutboxError> {
        Ok(self.with(|alerts| alerts.get(id).cloned()))
    }

    fn is_waiting(&self, id: &str) -> bool {
        self.with(|alerts| alerts.contains_key(id))
    }

    fn location_hint(&self, id: &str) -> String {
        let subject = self.with(|alerts| alerts.get(id).and_then(|stored| stored.alert.subject.clone()));
        subject.map(|subject| format!(", {subject}")).unwrap_or_default()
    }

    fn remove_delivered(&self, id: &str) -> Result<(), String> {
        self.done(id, "done");
        Ok(())
    }

    fn dead_letter(&self, id: &str, _: &FailedAttempt) -> Result<(), String> {
        self.remove_delivered(id)
    }

    fn dead_letter_part(&self, _: &Alert, _: &FailedAttempt) -> Result<(), String> {
        Ok(())
    }

    fn replace(&self, stored: &StoredAlert) -> Result<(), String> {
        self.add(stored.clone());
        Ok(())
    }

    fn record_attempt(&self, id: &str, attempt: &FailedAttempt) {
        self.with(|alerts| {
            // Only the first and the last count for its age.
            alerts.entry(id.to_owned()).and_modify(|stored| {
                stored.attempts.truncate(1);
                stored.attempts.push(attempt.clone());
            });
        });
    }

    fn persist(&self, is_in_flight: &dyn Fn(&str) -> bool) -> Vec<String> {
        let Some(outbox) = self.state_dir.as_ref().and_then(|dir| Outbox::open(dir).ok()) else {
            return Vec::new();
        };
        let mut written = Vec::new();
        for id in self.ids().into_iter().filter(|id| !is_in_flight(id)) {
            let Ok(Some(stored)) = self.load(&id) else { continue };
            let size = stored.alert.size();
            let room = outbox.has_room(size.try_into().unwrap_or(u64::MAX));
            if room.is_err() || outbox.put(&stored.alert, None).is_err() {
                break;
            }
            self.done(&id, "stored");
            written.push(id);
        }
        if !written.is_empty() {
            log(&format!("the outbox can be used again: {} alert(s) were written down", written.len()));
        }
        written
    }
}
