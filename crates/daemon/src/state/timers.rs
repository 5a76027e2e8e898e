//! All deadlines of the owner in one table, by the monotonic clock.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::ids::{GroupId, ProcessId};

/// What is due at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// A deadline in the lifecycle of a process.
    Process(ProcessId),
    /// Redelivery of an event, or the deadline of a listener, in a pool.
    Pool(GroupId),
    /// Listeners that broke the protocol are stopped.
    Recycle,
    /// Events of retired pools are given up.
    RetiredPools,
    /// Output that was paused is read again although its listeners have not caught up.
    Pauses,
    /// Deferred output is read.
    DeferredOutput,
    /// Logs that took no more are offered the rest.
    RetryLogs,
    /// The log says which stops take long.
    StopReports,
    /// The shutdown goes on.
    Shutdown,
    /// A tick event, or a look at the wall clock.
    Tick,
    /// Sockets and the pidfile are looked at.
    CheckPaths,
    /// Memory is given back.
    TrimMemory,
}

/// Each timer once, by its time.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Timers {
    by_time: BTreeSet<(Duration, Timer)>,
    times: BTreeMap<Timer, Duration>,
}

impl Timers {
    /// Sets a timer anew, or takes it back.
    pub(crate) fn set(&mut self, timer: Timer, time: Option<Duration>) {
        let before = match time {
            Some(time) => self.times.insert(timer, time),
            None => self.times.remove(&timer),
        };
        if before == time {
            return;
        }
        if let Some(before) = before {
            self.by_time.remove(&(before, timer));
        }
        if let Some(time) = time {
            self.by_time.insert((time, timer));
        }
    }

    /// Sets a timer, unless it is due earlier already.
    pub(crate) fn set_earlier(&mut self, timer: Timer, time: Duration) {
        if self.get(timer).is_none_or(|set| time < set) {
            self.set(timer, Some(time));
        }
    }

    /// When it is due.
    pub(crate) fn get(&self, timer: Timer) -> Option<Duration> {
        self.times.get(&timer).copied()
    }

    /// The earliest time at which anything is due.
    pub(crate) fn next(&self) -> Option<Duration> {
        self.by_time.first().map(|(time, _)| *time)
    }

    /// Takes out what is due, the earliest first, with at most `limit` processes among it.
    pub(crate) fn expired(&mut self, now: Duration, limit: usize) -> Vec<Timer> {
        let mut expired = Vec::new();
        let mut processes = 0;
        for (_, timer) in self.by_time.iter().take_while(|(time, _)| *time <= now) {
            match timer {
                Timer::Process(_) if processes == limit => {}
                Timer::Process(_) => {
                    processes += 1;
                    expired.push(*timer);
                }
                _ => expired.push(*timer),
            }
        }
        expired.iter().for_each(|timer| self.set(*timer, None));
        expired
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn at(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn a_timer_is_due_once_at_the_time_it_was_set_to_last() {
        let mut timers = Timers::default();
        timers.set(Timer::Tick, Some(at(5)));
        timers.set(Timer::Tick, Some(at(9)));
        timers.set_earlier(Timer::Tick, at(12));
        assert_eq!((timers.next(), timers.expired(at(8), 9)), (Some(at(9)), vec![]));
        assert_eq!(timers.expired(at(9), 9), [Timer::Tick]);
        assert_eq!((timers.next(), timers.expired(at(99), 9)), (None, vec![]));
    }

    #[test]
    fn many_processes_do_not_hold_up_another_timer() {
        let mut timers = Timers::default();
        (0..5).for_each(|id| timers.set(Timer::Process(ProcessId(id)), Some(at(1))));
        timers.set(Timer::Shutdown, Some(at(2)));
        let process = |id| Timer::Process(ProcessId(id));
        assert_eq!(timers.expired(at(3), 2), [process(0), process(1), Timer::Shutdown]);
        assert_eq!(timers.expired(at(3), 9), [process(2), process(3), process(4)]);
    }

    proptest! {
        #[test]
        fn what_is_set_comes_due_in_its_order_and_nothing_else_does(
            sets in prop::collection::vec((0..6_u32, prop::option::of(0..50_u64)), 0..40), now in 0..60_u64,
        ) {
            let mut timers = Timers::default();
            let mut wanted = BTreeMap::new();
            for (id, time) in sets {
                timers.set(Timer::Process(ProcessId(id)), time.map(at));
                match time {
                    Some(time) => drop(wanted.insert(id, time)),
                    None => drop(wanted.remove(&id)),
                }
            }
            let mut due: Vec<(u64, u32)> = wanted.iter().map(|(id, time)| (*time, *id)).collect();
            due.sort_unstable();
            let (now_due, later): (Vec<_>, Vec<_>) = due.into_iter().partition(|(time, _)| *time <= now);
            let expired: Vec<Timer> = now_due.iter().map(|(_, id)| Timer::Process(ProcessId(*id))).collect();
            prop_assert_eq!(timers.expired(at(now), usize::MAX), expired);
            prop_assert_eq!(timers.next(), later.first().map(|(time, _)| at(*time)));
        }
    }
}
