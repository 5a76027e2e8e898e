//! The time of the machines: [`Moment`], which callers give with each step, and [`WatchTime`], which the machines count in.
//!
//! A wall clock may be set; a deadline must neither come early nor twice because of that. Watch time therefore goes by the
//! monotonic clock while the process lives, and begins at the wall clock's reading. Over a restart it goes on by the wall
//! clock, and stands still where that went back.

use std::time::Duration;

use ironlance_core::time::window::CivilMinute;
use serde::{Deserialize, Serialize};

/// What time it is, by all clocks that the machines need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Since any fixed moment, and never going back.
    pub mono: Duration,
    /// Since 1970.
    pub wall: Duration,
    /// Day of the week and time of the day in the zone of `[watch] timezone=`, for windows.
    pub civil: CivilMinute,
}

/// A time of the machines in milliseconds. It never goes back, and is close to the milliseconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WatchTime(pub u64);

/// Converts moments to watch time and deadlines back.
#[derive(Clone, Copy, Debug)]
pub(super) struct WatchClock {
    /// What watch time and the clocks were at the last step.
    time: WatchTime,
    mono: u64,
    wall: u64,
}

/// A clock as it is stored: what watch time it was at what wall time (milliseconds since 1970).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockReading {
    /// Watch time.
    pub time: WatchTime,
    /// The wall clock.
    pub wall: u64,
}

impl Moment {
    /// The wall clock in milliseconds since 1970.
    pub fn wall_millis(&self) -> u64 {
        millis(self.wall)
    }

    /// The wall clock in seconds since 1970.
    pub fn wall_seconds(&self) -> i64 {
        seconds(self.wall_millis())
    }
}

/// Milliseconds as whole seconds.
pub(super) fn seconds(millis: u64) -> i64 {
    i64::try_from(millis / 1000).unwrap_or(i64::MAX)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl WatchTime {
    /// This time later.
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }

    /// The time that has passed since; zero where it is still to come.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl WatchClock {
    /// A clock that begins now.
    pub(super) fn new(now: &Moment) -> Self {
        Self { time: WatchTime(now.wall_millis()), mono: millis(now.mono), wall: now.wall_millis() }
    }

    /// A clock that goes on from a stored reading: by the wall clock, and not back.
    pub(super) fn resume(reading: ClockReading, now: &Moment) -> Self {
        let passed = now.wall_millis().saturating_sub(reading.wall);
        let time = WatchTime(reading.time.0.saturating_add(passed));
        Self { time, mono: millis(now.mono), wall: now.wall_millis() }
    }

    /// Goes on to now, and gives the watch time.
    pub(super) fn advance(&mut self, now: &Moment) -> WatchTime {
        let mono = millis(now.mono);
        self.time = WatchTime(self.time.0.saturating_add(mono.saturating_sub(self.mono)));
        self.mono = mono.max(self.mono);
        self.wall = now.wall_millis();
        self.time
    }

    /// The watch time of the last step.
    pub(super) const fn time(&self) -> WatchTime {
        self.time
    }

    /// The moment of the last step, but for the civil time.
    pub(super) fn last_moment(self) -> Moment {
        let civil = CivilMinute { weekday: 0, minute: 0 };
        Moment { mono: Duration::from_millis(self.mono), wall: Duration::from_millis(self.wall), civil }
    }

    /// When a deadline comes, by the caller's monotonic clock.
    pub(super) fn to_mono(self, deadline: WatchTime) -> Duration {
        let ahead = deadline.0.saturating_sub(self.time.0);
        Duration::from_millis(self.mono.saturating_add(ahead))
    }

    /// The watch time at which something happened that the wall clock dated; now where that is to come.
    pub(super) fn of_wall(self, wall: u64) -> WatchTime {
        WatchTime(self.time.0.saturating_sub(self.wall.saturating_sub(wall)))
    }

    /// The watch time at which the wall clock will read `wall`; now where it has.
    pub(super) fn at_wall(self, wall: u64) -> WatchTime {
        WatchTime(self.time.0.saturating_add(wall.saturating_sub(self.wall)))
    }

    /// The wall clock's reading at a watch time, as far as the clock was not set since.
    pub(super) fn wall_of(self, time: WatchTime) -> u64 {
        (self.wall.saturating_add(time.0)).saturating_sub(self.time.0)
    }

    /// What is stored of it.
    pub(super) const fn reading(self) -> ClockReading {
        ClockReading { time: self.time, wall: self.wall }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(mono: u64, wall: u64) -> Moment {
        let civil = CivilMinute { weekday: 0, minute: 0 };
        Moment { mono: Duration::from_secs(mono), wall: Duration::from_secs(wall), civil }
    }

    #[test]
    fn a_wall_clock_that_is_set_moves_no_deadline() {
        let mut clock = WatchClock::new(&moment(100, 1_000_000));
        let deadline = clock.time().after(Duration::from_secs(60));
        assert_eq!(clock.to_mono(deadline), Duration::from_secs(160));
        clock.advance(&moment(130, 2_000_000));
        assert_eq!(clock.to_mono(deadline), Duration::from_secs(160));
        clock.advance(&moment(140, 5));
        assert_eq!(clock.to_mono(deadline), Duration::from_secs(160));
        assert_eq!(clock.wall_of(clock.time()), 5000);
    }

    #[test]
    fn a_restart_counts_the_time_between_by_the_wall_clock_and_never_below_zero() {
        let clock = WatchClock::new(&moment(100, 1_000_000));
        let deadline = clock.time().after(Duration::from_secs(60));
        let later = WatchClock::resume(clock.reading(), &moment(3, 1_000_045));
        assert_eq!(later.to_mono(deadline), Duration::from_secs(18));
        let set_back = WatchClock::resume(clock.reading(), &moment(3, 900_000));
        assert_eq!(set_back.to_mono(deadline), Duration::from_secs(63));
        let long_after = WatchClock::resume(clock.reading(), &moment(3, 1_000_100));
        assert_eq!(long_after.to_mono(deadline), Duration::from_secs(3));
    }

    #[test]
    fn what_happened_before_this_step_lies_in_the_past() {
        let clock = WatchClock::new(&moment(10, 1_000));
        assert_eq!(clock.time().since(clock.of_wall(940_000)), Duration::from_secs(60));
        assert_eq!(clock.of_wall(2_000_000), clock.time());
    }
}
