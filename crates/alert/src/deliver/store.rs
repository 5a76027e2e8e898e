//! What a deliverer delivers from: the outbox on disk, or memory when there is no disk to be had.

use std::collections::BTreeMap;
use std::sync::Mutex;

use crate::alert::Alert;
use crate::outbox::record::Stored;
use crate::outbox::{Outbox, OutboxError, Place};

/// Where alerts wait while they are delivered. Used from several threads.
pub trait Store: Send + Sync {
    /// The ids of all that waits.
    fn ids(&self) -> Vec<String>;
    /// An alert; `Ok(None)` when it is gone.
    fn load(&self, id: &str) -> Result<Option<Stored>, OutboxError>;
    /// Whether it is still there.
    fn holds(&self, id: &str) -> bool;
    /// Where people find an alert that was given up, to be put behind `given up`.
    fn hint(&self, id: &str) -> String;
    /// It was delivered.
    fn taken(&self, id: &str) -> Result<(), String>;
    /// It is given up.
    fn bury(&self, id: &str, at: i64, reason: &str) -> Result<(), String>;
    /// These of its recipients are given up.
    fn bury_part(&self, alert: &Alert, at: i64, reason: &str) -> Result<(), String>;
    /// Only some of its recipients are left.
    fn replace(&self, stored: &Stored) -> Result<(), String>;
    /// A try failed.
    fn note(&self, id: &str, at: i64, reason: &str);
}

impl Store for Outbox {
    fn ids(&self) -> Vec<String> {
        Self::ids(self, Place::New).unwrap_or_default()
    }

    fn load(&self, id: &str) -> Result<Option<Stored>, OutboxError> {
        match self.load_for_delivery(id) {
            Ok(stored) => Ok(Some(stored)),
            Err(error) if error.is_gone() => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn holds(&self, id: &str) -> bool {
        Self::holds(self, id)
    }

    fn hint(&self, id: &str) -> String {
        format!(", see ironlance outbox show {id}")
    }

    fn taken(&self, id: &str) -> Result<(), String> {
        Self::taken(self, id).map_err(|error| error.to_string())
    }

    fn bury(&self, id: &str, at: i64, reason: &str) -> Result<(), String> {
        Self::bury(self, id, at, reason).map_err(|error| error.to_string())
    }

    fn bury_part(&self, alert: &Alert, at: i64, reason: &str) -> Result<(), String> {
        self.put_dead(alert, at, reason).map_err(|error| error.to_string())
    }

    fn replace(&self, stored: &Stored) -> Result<(), String> {
        Self::replace(self, stored).map_err(|error| error.to_string())
    }

    fn note(&self, id: &str, at: i64, reason: &str) {
        Self::note(self, id, at, reason);
    }
}

/// Alerts that are nowhere else.
#[derive(Debug, Default)]
pub struct Memory(Mutex<BTreeMap<String, Stored>>);

impl Memory {
    /// These alerts.
    pub fn new(alerts: Vec<Stored>) -> Self {
        Self(Mutex::new(alerts.into_iter().map(|stored| (stored.alert.id.clone(), stored)).collect()))
    }

    fn with<T>(&self, change: impl FnOnce(&mut BTreeMap<String, Stored>) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

impl Store for Memory {
    fn ids(&self) -> Vec<String> {
        self.with(|alerts| alerts.keys().cloned().collect())
    }

    fn load(&self, id: &str) -> Result<Option<Stored>, OutboxError> {
        Ok(self.with(|alerts| alerts.get(id).cloned()))
    }

    fn holds(&self, id: &str) -> bool {
        self.with(|alerts| alerts.contains_key(id))
    }

    fn hint(&self, id: &str) -> String {
        let subject = self.with(|alerts| alerts.get(id).and_then(|stored| stored.alert.subject.clone()));
        subject.map(|subject| format!(", {subject}")).unwrap_or_default()
    }

    fn taken(&self, id: &str) -> Result<(), String> {
        self.with(|alerts| alerts.remove(id));
        Ok(())
    }

    fn bury(&self, id: &str, _: i64, _: &str) -> Result<(), String> {
        self.taken(id)
    }

    fn bury_part(&self, _: &Alert, _: i64, _: &str) -> Result<(), String> {
        Ok(())
    }

    fn replace(&self, stored: &Stored) -> Result<(), String> {
        self.with(|alerts| alerts.insert(stored.alert.id.clone(), stored.clone()));
        Ok(())
    }

    fn note(&self, _: &str, _: i64, _: &str) {}
}
