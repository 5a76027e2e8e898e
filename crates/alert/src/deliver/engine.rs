//! What a deliverer works with, what it can be told, and how a try can end.

use std::sync::Arc;
use std::time::Duration;

use super::holder;
use super::machine::Settings;
use super::plan::{Lane, Outcome};
use super::store::Store;
use crate::alert::Alert;
use crate::channel::{self, Channel, Progress, Receipt, Undelivered};
use crate::outbox::record::Attempt;
use crate::outbox::unix_time;
use crate::route::Transport;
use crate::say;

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
    /// The mail in hand of a lane has got on.
    Progress(Lane),
    /// A try has ended.
    Ended(Lane, String, Verdict),
    /// A connection was closed.
    HungUp,
}

/// How a try has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
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
        undelivered: Undelivered,
        /// For how long it has been tried, in seconds.
        tried: u64,
    },
    /// It goes another way now.
    Moved,
}

/// How channels are made; tests make others.
pub type Opener = fn(&Transport) -> Box<dyn Channel>;

/// What a deliverer works with.
pub struct Engine {
    /// What waits.
    pub store: Arc<dyn Store>,
    /// How channels are made.
    pub open: Opener,
    /// Is told each step; for people who watch.
    pub progress: fn() -> Box<dyn Progress>,
    /// Gives a sign of life to the processes that wait for the lock of the outbox.
    pub beat: fn(),
    /// For how long an alert is tried, in seconds.
    pub lifetime: i64,
    /// For how long a connection is kept for the next mail.
    pub idle: Duration,
    /// How it behaves.
    pub settings: Settings,
}

impl Engine {
    /// A deliverer for a store, by the real channels.
    pub fn new(store: Arc<dyn Store>) -> Self {
        let number = |name: &str| std::env::var(name).ok();
        let days = number("IRONLANCE_OUTBOX_DAYS").and_then(|days| days.parse::<i64>().ok());
        let linger = number("IRONLANCE_OUTBOX_LINGER").and_then(|seconds| seconds.parse::<u64>().ok());
        Self {
            store,
            open: channel::open,
            progress: || Box::new(()),
            beat: || (),
            lifetime: days.filter(|days| *days > 0).unwrap_or(DAYS).saturating_mul(DAY),
            idle: IDLE,
            settings: Settings {
                // A year is for ever, and no sum of times.
                linger: Duration::from_secs(linger.unwrap_or(LINGER).min(365 * DAY.unsigned_abs())),
                beat: holder::stalled() / 4,
                is_fed: false,
            },
        }
    }
}

impl Engine {
    /// Gives up an alert. `tried` is for how long it was tried, in seconds.
    pub(super) fn bury(&self, id: &str, reason: &str, tried: u64) {
        match self.store.bury(id, &attempt(reason, tried)) {
            Ok(()) => say(&format!("Error sending email: given up{}: {reason}", self.store.hint(id))),
            Err(error) => say(&format!("cannot give up the alert {id} ({reason}): {error}")),
        }
    }
}

/// A try that failed now.
pub(super) fn attempt(reason: &str, tried: u64) -> Attempt {
    Attempt { at: unix_time(), reason: reason.to_owned(), tried }
}

/// Sends one alert now, outside of any store, telling each step: for trying a configuration out.
pub fn send_once(alert: &Alert, progress: &mut dyn Progress) -> Result<Receipt, Undelivered> {
    channel::open(&alert.route.transport).send(alert, progress)
}

impl Verdict {
    /// What it means for the plan.
    pub(super) const fn outcome(&self) -> Outcome {
        match self {
            Self::Sent { .. } => Outcome::Done { reached: true },
            Self::Over(_) | Self::Moved => Outcome::Done { reached: false },
            Self::Failed { undelivered: Undelivered::Unreachable(_), .. } => Outcome::Unreachable,
            Self::Failed { undelivered: Undelivered::Deferred(_) | Undelivered::Rejected(_), .. } => {
                Outcome::Deferred
            }
        }
    }
}
