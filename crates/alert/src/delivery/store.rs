//! Alerts that are only in memory, as the disk refuses them: [`MemoryStore`], the store of `deliver --memory`.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Instant;

use crate::alert::Alert;
use crate::log;
use crate::outbox::delivery_log::DeliveryOutcome;
use crate::outbox::record::{FailedAttempt, StoredAlert};
use crate::outbox::retention::{OutboxLimits, Retention};
use crate::outbox::store::Store;
use crate::outbox::{Outbox, OutboxError};

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

    /// Notes the end of an alert in the outbox, if that can be written by now.
    fn note(&self, alert: &Alert, outcome: DeliveryOutcome) {
        if let Some(outbox) = self.state_dir.as_ref().and_then(|dir| Outbox::open(dir).ok()) {
            outbox.note_delivery(alert, outcome);
        }
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

    fn note_taken(&self, alert: &Alert, answer: &str) {
        self.note(alert, DeliveryOutcome::Taken(answer.to_owned()));
    }

    fn remove_delivered(&self, id: &str) -> Result<(), OutboxError> {
        self.done(id, "done");
        Ok(())
    }

    fn dead_letter(&self, id: &str, attempt: &FailedAttempt) -> Result<(), OutboxError> {
        if let Some(stored) = self.with(|alerts| alerts.get(id).cloned()) {
            self.note(&stored.alert, DeliveryOutcome::GivenUp(attempt.reason.clone()));
        }
        self.remove_delivered(id)
    }

    fn dead_letter_part(&self, alert: &Alert, attempt: &FailedAttempt) -> Result<(), OutboxError> {
        self.note(alert, DeliveryOutcome::GivenUp(attempt.reason.clone()));
        Ok(())
    }

    fn set_recipients(&self, stored: &StoredAlert) -> Result<(), OutboxError> {
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
        let mut retention = Retention::new(OutboxLimits::from_env());
        let mut written = Vec::new();
        for id in self.ids().into_iter().filter(|id| !is_in_flight(id)) {
            let Ok(Some(stored)) = self.load(&id) else { continue };
            let room = retention.make_room(&outbox, stored.alert.size(), Instant::now());
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
