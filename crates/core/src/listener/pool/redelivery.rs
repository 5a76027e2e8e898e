//! Events that come back: at once, after a pause, or not at all.

use std::time::Duration;

use super::{Capacity, Pool, PoolEffect, QueuedEvent};
use crate::event::wire;
use crate::log_level::Level;
use crate::process::name::ProcessName;

/// An event is given again so often.
pub const MAX_REDELIVERIES: u8 = 3;

/// So often the end of a member that others have stopped does not count: what it does with the event may be what has it
/// stopped, by ways that nobody sees.
pub const MAX_WITHDRAWALS: u8 = 10;
/// The pause before each time.
const PAUSES: [Duration; MAX_REDELIVERIES as usize] =
    [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(5)];

/// So many events may be in a pause; others come back without one.
const MAX_DELAYED: usize = 1024;

impl Pool {
    /// A member did not deal with an event: it is given again, if that was not done often enough.
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

    /// A member was told to stop and has ended with an event: that is no failure, unless it happens again and again.
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

    /// Events whose pause is over go back into their places.
    pub(super) fn requeue_delayed(&mut self, now: Duration, out: &mut Vec<PoolEffect>) {
        let (due, later) = std::mem::take(&mut self.delayed).into_iter().partition(|(at, _)| *at <= now);
        self.delayed = later;
        let due: Vec<(Duration, QueuedEvent)> = due;
        due.into_iter().for_each(|(_, event)| self.requeue(event, out));
    }
}
