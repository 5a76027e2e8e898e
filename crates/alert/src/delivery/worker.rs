//! A deliverer: [`DeliveryWorker`], the store, channels and settings that it works with; the messages between its threads.

use std::sync::Arc;
use std::time::Duration;

use super::lock_holder;
use super::machine::{DeliverySettings, Input};
use super::schedule::{QueueKey, ScheduleOutcome};
use crate::alert::Alert;
use crate::channel::{self, DeliveryChannel, DeliveryError, DeliveryProgress};
use crate::outbox::record::FailedAttempt;
use crate::outbox::store::Store;
use crate::outbox::unix_time;
use crate::receiver::Transport;
use crate::render::card::Detail;
use crate::{log, number_of_env};

/// How long an alert is tried, unless `IRONLANCE_OUTBOX_DAYS` says otherwise.
const DAYS: i64 = 3;
/// A day in seconds.
pub(super) const DAY: i64 = 86_400;
/// For how long a deliverer goes on without its listener, unless `IRONLANCE_OUTBOX_LINGER` says otherwise, in seconds.
const LINGER: u64 = 3600;

/// A connection without a mail for this time is closed: a firewall may drop it in silence, and a name with several servers
/// may give another one next time.
const IDLE: Duration = Duration::from_secs(5);

/// The messages from the threads of a deliverer to its dispatcher.
#[derive(Debug)]
pub enum Message {
    /// These alerts were put into the store; without ids, some were.
    Changed(Vec<String>),
    /// The thread of a queue has finished an attempt to deliver an alert.
    Finished(QueueKey, String, AttemptResult),
    /// For the machine.
    Input(Input),
}

impl From<Input> for Message {
    fn from(input: Input) -> Self {
        Self::Input(input)
    }
}

/// How an attempt has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttemptResult {
    /// Sent, to some recipients at least.
    Sent {
        /// The alert's subject.
        subject: String,
        /// Its addresses and channel.
        receiver: String,
        /// How often it had failed before.
        failures: usize,
    },
    /// Not to be attempted any more; with a reason, which was logged, it is a dead letter.
    Closed(Option<String>),
    /// To be attempted again.
    Failed(DeliveryError),
    /// Its transport was overridden: it belongs to another queue.
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
    /// Makes the observer of the steps of an attempt.
    pub progress: fn() -> Box<dyn DeliveryProgress>,
    /// Shows the processes that wait for the lock of the outbox that this one is alive.
    pub heartbeat: fn(),
    /// For how long an alert is tried, in seconds.
    pub lifetime: i64,
    /// For how long a connection is kept for the next mail.
    pub idle: Duration,
    /// The machine's settings.
    pub settings: DeliverySettings,
}

impl DeliveryWorker {
    /// A deliverer for a store, by the real channels.
    pub fn new(store: Arc<dyn Store>) -> Self {
        let days = number_of_env("IRONLANCE_OUTBOX_DAYS").filter(|days| *days > 0);
        let linger = number_of_env("IRONLANCE_OUTBOX_LINGER").unwrap_or(LINGER);
        Self {
            store,
            open: channel::open,
            progress: || Box::new(()),
            heartbeat: || (),
            lifetime: days.unwrap_or(DAYS).saturating_mul(DAY),
            idle: IDLE,
            settings: DeliverySettings {
                // Bounded, so that no sum of times overflows.
                linger: Duration::from_secs(linger.min(365 * DAY.unsigned_abs())),
                heartbeat: lock_holder::stall_timeout() / 4,
                is_from_memory: false,
            },
        }
    }

    /// Makes an alert a dead letter. `tried` is for how long it was tried, in seconds.
    pub(super) fn dead_letter(&self, id: &str, reason: &str, tried: u64) {
        let failure = failure_of(self.store.load(id).ok().flatten().map(|stored| stored.alert).as_ref());
        match self.store.dead_letter(id, &failed_attempt(reason, tried)) {
            Ok(()) => {
                let hint = self.store.location_hint(id);
                log(&format!("{failure}given up{hint}: {reason}"));
            }
            Err(error) => log(&format!("cannot give up the alert {id} ({reason}): {error}")),
        }
    }
}

/// `Error sending CHANNEL: to RECEIVER by CHANNEL: `; `Error sending email: ` for an alert that cannot be read.
pub(super) fn failure_of(alert: Option<&Alert>) -> String {
    let Some(alert) = alert else { return "Error sending email: ".to_owned() };
    format!("Error sending {}: to {}: ", alert.receiver.transport.kind(), alert.receiver)
}

/// An attempt that failed now.
pub(super) fn failed_attempt(reason: &str, tried: u64) -> FailedAttempt {
    FailedAttempt { at: unix_time(), reason: reason.to_owned(), tried, detail: Detail::Rich }
}

impl AttemptResult {
    /// What it means for the schedule.
    pub(super) const fn outcome(&self) -> ScheduleOutcome {
        match self {
            Self::Sent { .. } => ScheduleOutcome::Done { reached: true },
            Self::Closed(_) | Self::Moved => ScheduleOutcome::Done { reached: false },
            Self::Failed(DeliveryError::Unreachable { after, .. }) => {
                ScheduleOutcome::Unreachable { after: *after }
            }
            Self::Failed(DeliveryError::Deferred { after, .. }) => {
                ScheduleOutcome::Deferred { after: *after }
            }
            Self::Failed(DeliveryError::Unfit { .. } | DeliveryError::Rejected { .. }) => {
                ScheduleOutcome::Deferred { after: None }
            }
        }
    }
}
