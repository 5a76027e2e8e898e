//! Keeping an outbox delivered: [`OutboxDelivery`] runs its deliverer, keeps it within its limits, and delivers from memory what it
//! cannot take. Used by the submitter of a listener and by `watch`.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::launcher::{DelivererLauncher, StartReason};
use super::memory_handover::MemoryHandover;
use crate::alert::Alert;
use crate::log;
use crate::outbox::retention::{OutboxLimits, Retention};
use crate::outbox::{Outbox, OutboxError, unix_time};

/// How often, at most, the outbox is looked at for alerts that no deliverer works on.
const KICK_INTERVAL: Duration = Duration::from_secs(60);
/// How long a process waits at its end for alerts that are being delivered.
const LAST_MOMENT: Duration = Duration::from_secs(3);

/// An outbox with its deliverer. Nothing in here fails: errors are logged.
#[derive(Debug)]
pub struct OutboxDelivery {
    outbox: Outbox,
    /// The outbox can be used.
    is_open: bool,
    deliverer: DelivererLauncher,
    memory: MemoryHandover,
    retention: Retention,
    last_kick: Instant,
}

impl OutboxDelivery {
    /// The outbox of a state folder. `program` delivers; `deliver` and its arguments are added. Starts nothing yet.
    pub fn new(state_dir: &Path, program: PathBuf) -> Self {
        let deliverer = DelivererLauncher::new(program);
        Self {
            outbox: Outbox::at(state_dir),
            is_open: false,
            memory: MemoryHandover::new(deliverer.clone(), state_dir.to_owned()),
            deliverer,
            retention: Retention::new(OutboxLimits::from_env()),
            last_kick: Instant::now(),
        }
    }

    /// The outbox.
    pub const fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// Makes sure that the outbox can be used; finishes what a kill has cut in it.
    pub fn open(&mut self) -> Result<(), OutboxError> {
        if !self.is_open {
            self.outbox.prepare()?;
            self.outbox.finish_commits();
            self.is_open = true;
            self.expire();
        }
        Ok(())
    }

    /// Whether the outbox could be used so far.
    pub(super) const fn is_open(&self) -> bool {
        self.is_open
    }

    /// Starts the deliverer early, while a notification is still being made.
    pub(super) fn prewarm(&self) {
        if self.is_open {
            self.deliverer.start(&self.outbox, StartReason::Prewarm);
        }
    }

    /// Starts the deliverer for what was just stored.
    pub fn deliver(&self) {
        self.deliverer.deliver(&self.outbox);
    }

    /// Starts the deliverer if anything waits.
    pub fn deliver_waiting(&self) {
        if self.is_open && !self.outbox.is_empty() {
            self.deliver();
        }
    }

    /// Delivers an alert that could not be stored.
    pub fn deliver_from_memory(&self, alert: &Alert) {
        self.memory.deliver(alert);
    }

    /// Makes room in the outbox for this number of bytes, and logs what was removed.
    pub fn make_room(&mut self, size: usize) -> Result<(), OutboxError> {
        let removed = self.retention.make_room(&self.outbox, size, Instant::now())?;
        if removed > 0 {
            let limit = self.retention.limits.bytes;
            log(&format!(
                "the outbox has reached {limit} bytes (IRONLANCE_OUTBOX_MB): {removed} dead letter(s) were removed, the oldest first"
            ));
        }
        Ok(())
    }

    /// Removes dead letters that are too old, and logs it.
    fn expire(&mut self) {
        let removed = self.retention.expire(&self.outbox, unix_time(), Instant::now());
        if removed > 0 {
            let days = self.retention.limits.dead_age / 86_400;
            log(&format!(
                "{removed} dead letter(s) older than {days} days (IRONLANCE_OUTBOX_DEAD_DAYS) were removed"
            ));
        }
    }

    /// At most once a minute, starts a deliverer if alerts wait, and removes dead letters that are too old.
    pub fn kick_stale(&mut self) {
        if self.last_kick.elapsed() < KICK_INTERVAL {
            return;
        }
        self.last_kick = Instant::now();
        if self.is_open {
            self.expire();
        }
        self.memory.kick_stale();
        self.deliver_waiting();
    }

    /// Before the process ends: gives what was stored a moment to be delivered. The deliverer goes on with the rest.
    pub fn close(&self) {
        let began = Instant::now();
        self.deliverer.wait(LAST_MOMENT);
        self.memory.wait(LAST_MOMENT.saturating_sub(began.elapsed()));
    }
}
