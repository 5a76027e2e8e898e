//! Formats durations, sizes, percentages and times for people.

use std::time::{Duration, SystemTime};

use ironlance_host::local_time::LocalClock;

/// `3:04:05`, or `2 d 3:04:05` from a day on. The page's script continues in the same format.
pub(super) fn uptime(up: Duration, day: &str) -> String {
    let seconds = up.as_secs();
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let clock = format!("{}:{:02}:{:02}", rest / 3600, rest % 3600 / 60, rest % 60);
    if days == 0 { clock } else { format!("{days} {day} {clock}") }
}

/// A duration in its largest two units (days, hours, minutes, seconds): `2 h 5 min`, `3.2 s`.
pub(super) fn span(time: Duration, units: [&str; 4]) -> String {
    if time < Duration::from_secs(60) {
        return format!("{:.1} {}", time.as_secs_f64(), units[3]);
    }
    let sizes = [86_400, 3600, 60, 1];
    let whole = time.as_secs();
    let first = sizes.iter().position(|size| whole >= *size).unwrap_or(3);
    let mut rest = whole;
    let mut words = Vec::with_capacity(2);
    for (size, unit) in sizes.iter().zip(units).skip(first).take(2) {
        if rest / size > 0 {
            words.push(format!("{} {unit}", rest / size));
        }
        rest %= size;
    }
    words.join(" ")
}

/// Bytes: `812 KiB`, `34.5 MiB`, `1.25 GiB`.
pub(super) fn memory(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a few digits are shown")]
    let kib = bytes as f64 / 1024.0;
    match kib {
        kib if kib < 1000.0 => format!("{kib:.0} KiB"),
        kib if kib < 100.0 * 1024.0 => format!("{:.1} MiB", kib / 1024.0),
        kib if kib < 1000.0 * 1024.0 => format!("{:.0} MiB", kib / 1024.0),
        kib => format!("{:.2} GiB", kib / 1024.0 / 1024.0),
    }
}

/// CPU usage in percent of one core: `0.4 %`, `12.0 %`, `250 %`.
pub(super) fn share(percent: f32) -> String {
    if percent < 99.95 { format!("{percent:.1} %") } else { format!("{percent:.0} %") }
}

/// A time of day in local time: `16:05:03` if it is on the same day as `now`, else `11-22 16:05:03`. Both since 1970.
pub(super) fn moment(clock: &LocalClock, at: Duration, now: Duration) -> String {
    let local =
        |time| clock.local(SystemTime::UNIX_EPOCH.checked_add(time).unwrap_or(SystemTime::UNIX_EPOCH));
    let (at, now) = (local(at), local(now));
    let pattern = if at.date() == now.date() { "%H:%M:%S" } else { "%m-%d %H:%M:%S" };
    at.strftime(pattern).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNITS: [&str; 4] = ["d", "h", "min", "s"];

    #[test]
    fn uptimes_count_on_into_days() {
        let up = |seconds| uptime(Duration::from_secs(seconds), "d");
        assert_eq!([up(0), up(3_661), up(86_400 * 3 + 59)], ["0:00:00", "1:01:01", "3 d 0:00:59"]);
    }

    #[test]
    fn spans_have_two_units_at_most() {
        let span = |seconds| span(Duration::from_secs_f64(seconds), UNITS);
        assert_eq!(span(3.24), "3.2 s");
        assert_eq!(span(61.0), "1 min 1 s");
        assert_eq!(span(7200.0), "2 h");
        assert_eq!(span(90_061.0), "1 d 1 h");
    }

    #[test]
    fn sizes_have_three_digits_or_so() {
        let mib = 1024 * 1024;
        assert_eq!(memory(0), "0 KiB");
        assert_eq!(memory(812 * 1024), "812 KiB");
        assert_eq!(memory(34 * mib + mib / 2), "34.5 MiB");
        assert_eq!(memory(300 * mib), "300 MiB");
        assert_eq!(memory(1280 * mib), "1.25 GiB");
        assert_eq!([share(0.04), share(12.0), share(250.4)], ["0.0 %", "12.0 %", "250 %"]);
    }

    #[test]
    fn moments_of_another_day_have_their_date() {
        let clock = LocalClock::new();
        let day = Duration::from_secs(86_400);
        let now = day * 20_000 + day / 2;
        assert_eq!(moment(&clock, now, now).len(), "16:05:03".len());
        assert_eq!(moment(&clock, now - day * 3, now).len(), "11-22 16:05:03".len());
    }
}
