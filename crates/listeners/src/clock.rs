//! The local time in the originals' three ways of writing it.

use std::time::SystemTime;

use jiff::Zoned;
use jiff::tz::TimeZone;

/// A moment in the local time zone (`TZ`, else /etc/localtime).
pub fn local(now: SystemTime) -> Zoned {
    let timestamp = jiff::Timestamp::try_from(now).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    timestamp.to_zoned(TimeZone::system())
}

/// `2026-11-23 09:48:09,123`, as supervisor's childutils.get_asctime.
pub fn log_time(now: &Zoned) -> String {
    format!("{},{:03}", now.strftime("%Y-%m-%d %H:%M:%S"), now.millisecond())
}

/// `Mon Nov  3 09:48:09 2026`, as Python's time.asctime.
pub fn asctime(now: &Zoned) -> String {
    now.strftime("%a %b %e %H:%M:%S %Y").to_string()
}

/// The zone's abbreviation, as Python's time.strftime('%Z').
pub fn zone_name(now: &Zoned) -> String {
    now.strftime("%Z").to_string()
}

/// `2 d 3 h`, `3 min 20 s`, `12.5 s`: a span in its two largest units.
pub fn span(seconds: f64) -> String {
    if seconds < 60.0 {
        return format!("{seconds:.1} s");
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to what fits")]
    let whole = seconds.min(1e12) as u64;
    let units = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let first = units.iter().position(|(size, _)| whole >= *size).unwrap_or(units.len() - 1);
    let parts = units[first..].iter().take(2).scan(whole, |rest, (size, unit)| {
        let part = *rest / size;
        *rest %= size;
        Some(format!("{part} {unit}"))
    });
    parts.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_python_writes_them() {
        let now = "2026-11-03T09:48:09.0127+01:00[Europe/Berlin]".parse::<Zoned>().unwrap();
        assert_eq!(log_time(&now), "2026-11-03 09:48:09,012");
        assert_eq!(asctime(&now), "Tue Nov  3 09:48:09 2026");
        assert_eq!(zone_name(&now), "CET");
    }

    #[test]
    fn spans_show_their_two_largest_units() {
        assert_eq!(span(0.25), "0.2 s");
        assert_eq!(span(200.9), "3 min 20 s");
        assert_eq!(span(90_061.0), "1 d 1 h");
    }
}
