//! Redelivery of events that a member did not deal with: at once, after a pause, or not at all.
//!
//! ```text
//!   failure 1 ──▶ at once       failure 2 ──▶ after 1 s       failure 3 ──▶ after 5 s       failure 4 ──▶ dead letter
//!   stopped on request: at once, and no failure; after MAX_WITHDRAWALS times it counts as one
//! ```

use std::time::Duration;

use super::{Capacity, Pool, PoolEffect, QueuedEvent};
use crate::event::wire;
use crate::log_level::Level;
use crate::process::name::ProcessName;

/// An event is redelivered at most this often.
pub const MAX_REDELIVERIES: u8 = 3;

/// The exit of a member after a requested stop is no failure this often; after that it is one: its work on the event may cause
/// the stops indirectly.
pub const MAX_WITHDRAWALS: u8 = 10;
/// The pause before each time.
const PAUSES: [Duration; MAX_REDELIVERIES as usize] =
    [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(5)];

/// The most events in a pause; others are redelivered without one.
const MAX_DELAYED: usize = 1024;

impl Pool {
    /// A member did not deal with an event: it is redelivered, or given up.
    pub(super) fn delivery_failed(
        &mut self,
        mut event: QueuedEvent,
        taker: &ProcessName,
        why: &str,
        now: Duration,
        out: &mut Vec<PoolEffect>,
    ) {
        event.failures += 1;
        let Some(pause) = PAUSES.get(usize::from(event.failures) - 1) else {
            self.dead_letters.add(event.event.kind());
            let body = wire::encode(&event.event);
            let about: String = body.lines().next().unwrap_or_default().chars().take(200).collect();
            let (serial, kind, times) = (event.serial, event.event.kind(), event.failures);
            return self.log(out, Level::Error, || {
                format!(
                    "dead letter: event {serial} ({kind}) of pool {} was given {times} times and is given up; last \
                     {taker}, which {why}; {}",
                    self.name,
                    about.escape_debug()
                )
            });
        };
        if pause.is_zero() || self.delayed.len() >= MAX_DELAYED {
            return self.requeue(event, out);
        }
        let serial = event.serial;
        self.log(out, Level::Debug, || {
            format!("event {serial} comes back to pool {} in {} s", self.name, pause.as_secs())
        });
        self.delayed.push((now + *pause, event));
    }

    /// A member was stopped on request and has ended with an event: that is no failure, unless it happens again and again.
    pub(super) fn withdraw(
        &mut self,
        mut event: QueuedEvent,
        taker: &ProcessName,
        now: Duration,
        out: &mut Vec<PoolEffect>,
    ) {
        if event.withdrawals >= MAX_WITHDRAWALS {
            return self.delivery_failed(event, taker, "was stopped with it again and again", now, out);
        }
        event.withdrawals += 1;
        self.requeue(event, out);
    }

    /// Puts an event back into its place.
    pub(super) fn requeue(&mut self, event: QueuedEvent, out: &mut Vec<PoolEffect>) {
        let (serial, waiting) = (event.serial, self.queue.len());
        self.log(out, Level::Debug, || match self.capacity {
            Capacity::Fixed(max) => {
                format!("rebuffering event {serial} for pool {} (buf size={waiting}, max={max})", self.name)
            }
            Capacity::Default => {
                format!("rebuffering event {serial} for pool {} (buf size={waiting})", self.name)
            }
        });
        // Where `buffer_size` is not set there may be one more for each member: nothing is lost by a refusal.
        if let Capacity::Fixed(max) = self.capacity
            && waiting >= max
            && let Some(oldest) = self.queue.pop()
        {
            self.drop_event(oldest.serial, oldest.event.kind(), out);
        }
        self.queue.insert(event);
    }

    /// Requeues the events whose pause is over.
    pub(super) fn requeue_delayed(&mut self, now: Duration, out: &mut Vec<PoolEffect>) {
        let (due, later) = std::mem::take(&mut self.delayed).into_iter().partition(|(at, _)| *at <= now);
        self.delayed = later;
        let due: Vec<(Duration, QueuedEvent)> = due;
        due.into_iter().for_each(|(_, event)| self.requeue(event, out));
    }
}
