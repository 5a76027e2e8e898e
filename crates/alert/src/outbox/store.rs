//! What a deliverer takes alerts from: [`Store`], implemented by the outbox and by the memory of a deliverer.

use std::fs;

use super::delivery_log::DeliveryOutcome;
use super::folder::{self, OutboxError, at};
use super::record::{FailedAttempt, OutboxRecord, StoredAlert};
use super::sent_ledger::ledgers;
use super::{Outbox, OutboxFolder};
use crate::alert::Alert;

/// Where alerts wait while they are delivered. Used from several threads.
pub trait Store: Send + Sync {
    /// The ids of the alerts that wait.
    fn ids(&self) -> Vec<String>;
    /// An alert; `Ok(None)` when it was removed.
    fn load(&self, id: &str) -> Result<Option<StoredAlert>, OutboxError>;
    /// Whether an alert waits.
    fn is_waiting(&self, id: &str) -> bool;
    /// What to add about a dead letter in the log: `, see …`.
    fn location_hint(&self, id: &str) -> String;
    /// Notes for people that a channel has taken an alert, with its answer.
    fn note_taken(&self, _alert: &Alert, _answer: &str) {}
    /// Removes a delivered alert.
    fn remove_delivered(&self, id: &str) -> Result<(), OutboxError>;
    /// Makes an alert a dead letter.
    fn dead_letter(&self, id: &str, attempt: &FailedAttempt) -> Result<(), OutboxError>;
    /// Adds a dead letter for some recipients of an alert.
    fn dead_letter_part(&self, alert: &Alert, attempt: &FailedAttempt) -> Result<(), OutboxError>;
    /// Narrows an alert to the recipients that are left.
    fn set_recipients(&self, stored: &StoredAlert) -> Result<(), OutboxError>;
    /// Records a failed attempt.
    fn record_attempt(&self, id: &str, attempt: &FailedAttempt);

    /// Marks an alert that was delivered and cannot be removed, so that it is not sent again.
    fn mark_sent(&self, _id: &str) -> Result<(), OutboxError> {
        Ok(())
    }
    /// The alerts that wait although they were sent, where their own files do not say so.
    fn sent_but_present(&self) -> Vec<String> {
        Vec::new()
    }
    /// Replaces a damaged alert by its good lines, and keeps the damaged file as a dead letter.
    fn repair(&self, _stored: &mut StoredAlert) -> Result<(), OutboxError> {
        Ok(())
    }
    /// Splits an alert that is too large; gives the ids of the parts.
    fn split(&self, _id: &str) -> Result<Vec<String>, OutboxError> {
        Ok(Vec::new())
    }
    /// Called when nothing waits any more.
    fn on_empty(&self) {}
    /// Stores on disk what is only in memory and not in flight, if the disk can be used again; gives the ids.
    fn persist(&self, _is_under_way: &dyn Fn(&str) -> bool) -> Vec<String> {
        Vec::new()
    }
}

impl Store for Outbox {
    fn ids(&self) -> Vec<String> {
        Self::ids(self, OutboxFolder::New).unwrap_or_default()
    }

    /// The alert has the transport that its listener uses now.
    fn load(&self, id: &str) -> Result<Option<StoredAlert>, OutboxError> {
        let mut stored = match Self::load(self, OutboxFolder::New, id) {
            Err(error) if error.is_gone() => return Ok(None),
            loaded => loaded?,
        };
        let receiver = &mut stored.alert.receiver;
        if let Some(over) = self.transport_override(&stored.alert.origin, receiver) {
            receiver.transport = over.transport;
            receiver.from = receiver.from.take().or(over.from);
        }
        Ok(Some(stored))
    }

    fn is_waiting(&self, id: &str) -> bool {
        self.path(OutboxFolder::New, id).symlink_metadata().is_ok()
    }

    fn location_hint(&self, id: &str) -> String {
        format!(", see ironlance outbox show {id}")
    }

    fn note_taken(&self, alert: &Alert, answer: &str) {
        self.note_delivery(alert, DeliveryOutcome::Taken(answer.to_owned()));
    }

    fn remove_delivered(&self, id: &str) -> Result<(), OutboxError> {
        folder::remove(&self.path(OutboxFolder::New, id))
    }

    fn dead_letter(&self, id: &str, attempt: &FailedAttempt) -> Result<(), OutboxError> {
        self.record_attempt(id, attempt);
        let new = self.path(OutboxFolder::New, id);
        fs::rename(&new, self.path(OutboxFolder::Dead, id)).map_err(at("move to dead", &new))?;
        if let Ok(stored) = Self::load(self, OutboxFolder::Dead, id) {
            self.note_delivery(&stored.alert, DeliveryOutcome::GivenUp(attempt.reason.clone()));
        }
        Ok(())
    }

    fn dead_letter_part(&self, alert: &Alert, attempt: &FailedAttempt) -> Result<(), OutboxError> {
        self.note_delivery(alert, DeliveryOutcome::GivenUp(attempt.reason.clone()));
        let stored = StoredAlert { attempts: vec![attempt.clone()], ..StoredAlert::new(alert.clone()) };
        self.write_over(OutboxFolder::Dead, &stored)
    }

    /// Where the file cannot be replaced, a record is appended to it.
    fn set_recipients(&self, stored: &StoredAlert) -> Result<(), OutboxError> {
        let left = || OutboxRecord::Left(stored.alert.receiver.to.clone());
        let appended = || self.append(OutboxFolder::New, &stored.alert.id, &left());
        self.replace(stored).or_else(|error| appended().map_err(|_| error))
    }

    /// Not synced, as it may get lost.
    fn record_attempt(&self, id: &str, attempt: &FailedAttempt) {
        let _ = self.append(OutboxFolder::New, id, &OutboxRecord::Attempt(attempt.clone()));
        let _ = self.set_last_error(attempt.at, &attempt.reason);
    }

    fn mark_sent(&self, id: &str) -> Result<(), OutboxError> {
        self.append(OutboxFolder::New, id, &OutboxRecord::Sent)
            .or_else(|_| self.note_in_ledger(&ledgers(), id))
    }

    fn sent_but_present(&self) -> Vec<String> {
        self.sent_by(&ledgers())
    }

    fn repair(&self, stored: &mut StoredAlert) -> Result<(), OutboxError> {
        self.replace_damaged(stored)
    }

    fn split(&self, id: &str) -> Result<Vec<String>, OutboxError> {
        Self::split(self, OutboxFolder::New, id).map(|split| split.ids)
    }

    fn on_empty(&self) {
        self.forget_last_error();
    }
}
