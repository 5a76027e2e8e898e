//! The times of a card in its zone: [`CardClock`].

use ironlance_host::local_time::{named_zone, system_zone};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

/// Writes moments in the zone of a card. Moments are seconds since 1970.
pub(super) struct CardClock {
    zone: TimeZone,
    /// When the card was made: times of another day have a date.
    now: i64,
}

impl CardClock {
    /// The zone of this IANA name; the system's where it is empty or the system does not have it.
    pub(super) fn new(timezone: &str, now: i64) -> Self {
        let named = (!timezone.is_empty()).then(|| named_zone(timezone)).flatten();
        Self { zone: named.unwrap_or_else(system_zone), now }
    }

    fn local(&self, at: i64) -> Zoned {
        Timestamp::from_second(at).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(self.zone.clone())
    }

    /// `09:48:11`, or `11-29 09:48:11` where it was on another day than the card.
    pub(super) fn time(&self, at: i64) -> String {
        let (at, now) = (self.local(at), self.local(self.now));
        let format = if at.date() == now.date() { "%H:%M:%S" } else { "%m-%d %H:%M:%S" };
        at.strftime(format).to_string()
    }

    /// `10:30`, or `12-01 10:30` where it is on another day than the card.
    pub(super) fn minute(&self, at: i64) -> String {
        let (at, now) = (self.local(at), self.local(self.now));
        let format = if at.date() == now.date() { "%H:%M" } else { "%m-%d %H:%M" };
        at.strftime(format).to_string()
    }

    /// `2026-11-30 09:48:11 +0800`.
    pub(super) fn full(&self, at: i64) -> String {
        self.local(at).strftime("%Y-%m-%d %H:%M:%S %z").to_string()
    }
}

/// A span in its two largest units, the second only where it is not zero: `(8, hours)`, `(2, minutes), (3, seconds)`.
/// Units are counted from the largest: days, hours, minutes, seconds.
pub(super) fn span_units(seconds: u64) -> Vec<(u64, usize)> {
    const SIZES: [u64; 4] = [86_400, 3_600, 60, 1];
    let first = SIZES.iter().position(|size| seconds >= *size).unwrap_or(3);
    let mut rest = seconds;
    let mut units = Vec::new();
    for (unit, size) in SIZES.iter().enumerate().skip(first).take(2) {
        if units.is_empty() || rest >= *size {
            units.push((rest / size, unit));
        }
        rest %= size;
    }
    units
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_stand_in_the_zone_of_the_card() {
        let clock = CardClock::new("Asia/Shanghai", 1_796_003_300);
        assert_eq!(clock.full(1_796_003_291), "2026-11-30 09:48:11 +0800");
        assert_eq!(
            (clock.time(1_796_003_291), clock.minute(1_796_003_291)),
            ("09:48:11".into(), "09:48".into())
        );
        assert_eq!(clock.time(1_796_003_291 - 86_400), "11-29 09:48:11");
        assert_eq!(CardClock::new("No/Where", 0).full(i64::MAX), CardClock::new("", 0).full(0));
    }

    #[test]
    fn a_span_has_at_most_two_units() {
        assert_eq!(span_units(0), [(0, 3)]);
        assert_eq!(span_units(123), [(2, 2), (3, 3)]);
        assert_eq!(span_units(28_800), [(8, 1)]);
        assert_eq!(span_units(90_061), [(1, 0), (1, 1)]);
    }
}
