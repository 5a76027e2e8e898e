//! What a deliverer works with, what it can be told, and how a try can end.

use std::sync::Arc;
use std::time::Duration;

use super::lock_holder;
use super::machine::DeliverySettings;
use super::schedule::{QueueKey, ScheduleOutcome};
use super::store::Store;
use crate::alert::Alert;
use crate::channel::{self, DeliveryChannel, DeliveryError, DeliveryProgress, Receipt};
use crate::log;
use crate::outbox::record::FailedAttempt;
use crate::outbox::unix_time;
use crate::receiver::Transport;

/// How long an alert is tried, unless `IRONLANCE_OUTBOX_DAYS` says otherwise.
const DAYS: i64 = 3;
/// A day in seconds.
pub(super) const DAY: i64 = 86_400;
/// For how long a deliverer goes on without its listener, unless `IRONLANCE_OUTBOX_LINGER` says otherwise, in seconds.
const LINGER: u64 = 3600;

/// A connection without a mail for so long is closed: a firewall may forget it without a word, and a server that puts
/// everything off gets another chance to be another one.
const IDLE: Duration = Duration::from_secs(5);

/// What a deliverer can be told.
#[derive(Debug)]
pub enum Input {
    /// These were put into the store; none named means that something was.
    Changed(Vec<String>),
    /// Everything shall be looked at anew and tried at once.
    Nudged,
    /// The listener is gone: go on for a while.
    Orphaned,
    /// Another deliverer would take over.
    Claimed,
    /// Nobody needs us any more: finish what is due, and leave the rest.
    Leave,
    /// Finish the mails in hand, and leave the rest.
    Stop,
    /// The mail in hand of a queue has got on.
    Progress(QueueKey),
    /// A try has ended.
    Ended(QueueKey, String, AttemptResult),
    /// A connection was closed.
    HungUp,
}

/// How a try has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttemptResult {
    /// Sent, to some recipients at least.
    Sent {
        /// What people know it by.
        subject: String,
        /// How often it had failed before.
        failures: usize,
    },
    /// Not to be sent, or not any more; the reason, if it was given up, was said.
    Over(Option<String>),
    /// To be tried again.
    Failed {
        /// Why.
        undelivered: DeliveryError,
        /// For how long it has been tried, in seconds.
        tried: u64,
    },
    /// It goes another way now.
    Moved,
}

/// How channels are made; tests make others.
pub type OpenChannel = fn(&Transport) -> Box<dyn DeliveryChannel>;

/// What a deliverer works with.
pub struct DeliveryWorker {
    /// What waits.
    pub store: Arc<dyn Store>,
    /// How channels are made.
    pub open: OpenChannel,
    /// Is told each step; for people who watch.
    pub progress: fn() -> Box<dyn DeliveryProgress>,
    /// Gives a sign of life to the processes that wait for the lock of the outbox.
    pub heartbeat: fn(),
    /// For how long an alert is tried, in seconds.
    pub lifetime: i64,
    /// For how long a connection is kept for the next mail.
    pub idle: Duration,
    /// How it behaves.
    pub settings: DeliverySettings,
}

impl DeliveryWorker {
    /// A deliverer for a store, by the real channels.
    pub fn new(store: Arc<dyn Store>) -> Self {
        let number = |name: &str| std::env::var(name).ok();
        let days = number("IRONLANCE_OUTBOX_DAYS").and_then(|days| days.parse::<i64>().ok());
        let linger = number("IRONLANCE_OUTBOX_LINGER").and_then(|seconds| seconds.parse::<u64>().ok());
        Self {
            store,
            open: channel::open,
            progress: || Box::new(()),
            heartbeat: || (),
            lifetime: days.filter(|days| *days > 0).unwrap_or(DAYS).saturating_mul(DAY),
            idle: IDLE,
            settings: DeliverySettings {
                // A year is for ever, and no sum of times.
                linger: Duration::from_secs(linger.unwrap_or(LINGER).min(365 * DAY.unsigned_abs())),
                heartbeat: lock_holder::stall_timeout() / 4,
                is_fed: false,
            },
        }
    }
}

impl DeliveryWorker {
    /// Gives up an alert. `tried` is for how long it was tried, in seconds.
    pub(super) fn dead_letter(&self, id: &str, reason: &str, tried: u64) {
        match self.store.dead_letter(id, &attempt(reason, tried)) {
            Ok(()) => {
                log(&format!("Error sending email: given up{}: {reason}", self.store.location_hint(id)));
            }
            Err(error) => log(&format!("cannot give up the alert {id} ({reason}): {error}")),
        }
    }
}

/// A try that failed now.
pub(super) fn attempt(reason: &str, tried: u64) -> FailedAttempt {
    FailedAttempt { at: unix_time(), reason: reason.to_owned(), tried }
}

/// Sends one alert now, outside of any store, telling each step: for trying a configuration out.
pub fn send_once(alert: &Alert, progress: &mut dyn DeliveryProgress) -> Result<Receipt, DeliveryError> {
    channel::open(&alert.receiver.transport).send(alert, progress)
}

impl AttemptResult {
    /// What it means for the schedule.
    pub(super) const fn outcome(&self) -> ScheduleOutcome {
        match self {
            Self::Sent { .. } => ScheduleOutcome::Done { reached: true },
            Self::Over(_) | Self::Moved => ScheduleOutcome::Done { reached: false },
            Self::Failed { undelivered: DeliveryError::Unreachable(_), .. } => ScheduleOutcome::Unreachable,
            Self::Failed { undelivered: DeliveryError::Deferred(_) | DeliveryError::Rejected(_), .. } => {
                ScheduleOutcome::Deferred
            }
        }
    }
}
