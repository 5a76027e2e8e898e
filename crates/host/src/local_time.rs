//! The local time in the originals' ways of writing it.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use ironlance_core::time::window::CivilMinute;
use jiff::Zoned;
use jiff::tz::TimeZone;

/// Where the zones of this system are described.
const ZONES: &str = "/usr/share/zoneinfo";

/// The local time zone, read once for many lines.
#[derive(Debug, Clone)]
pub struct LocalClock {
    zone: TimeZone,
    /// The second that was written last and its text: most lines of a busy log share it.
    second: Option<(u64, String)>,
}

impl LocalClock {
    /// Looks up the zone of this process (`TZ`, else /etc/localtime).
    pub fn new() -> Self {
        Self { zone: system_zone(), second: None }
    }

    /// The zone of this IANA name, or that of this process.
    pub fn of_zone(name: Option<&str>) -> Self {
        name.map_or_else(Self::new, |name| Self { zone: zone(Some(name)), second: None })
    }

    /// The day of the week and the minute of the day; `now` counts from 1970.
    pub fn civil_minute(&self, now: Duration) -> CivilMinute {
        let now = SystemTime::UNIX_EPOCH.checked_add(now).unwrap_or(SystemTime::UNIX_EPOCH);
        let local = self.local(now);
        let part = |number: i8| u16::try_from(number).unwrap_or(0);
        let weekday = u8::try_from(local.weekday().to_monday_zero_offset()).unwrap_or(0);
        CivilMinute { weekday, minute: part(local.hour()) * 60 + part(local.minute()) }
    }

    /// A moment in this zone.
    pub fn local(&self, now: SystemTime) -> Zoned {
        timestamp(now).to_zoned(self.zone.clone())
    }

    /// Appends `2026-11-23 09:48:09,123`, as supervisord writes the time of a log line. `now` counts from 1970.
    pub fn push_log_time(&mut self, now: Duration, out: &mut String) {
        let seconds = now.as_secs();
        if self.second.as_ref().is_none_or(|(known, _)| *known != seconds) {
            let moment = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
            let moment = self.local(moment.unwrap_or(SystemTime::UNIX_EPOCH));
            self.second = Some((seconds, moment.strftime("%Y-%m-%d %H:%M:%S").to_string()));
        }
        let text = self.second.as_ref().map_or("", |(_, text)| text);
        let _ = write!(out, "{text},{:03}", now.subsec_millis());
    }

    /// `Nov 23 12:00 PM`, as `supervisorctl status` shows when a program was stopped. `now` counts from 1970.
    pub fn status_time(&self, now: Duration) -> String {
        let now = SystemTime::UNIX_EPOCH.checked_add(now).unwrap_or(SystemTime::UNIX_EPOCH);
        self.local(now).strftime("%b %d %I:%M %p").to_string()
    }
}

impl Default for LocalClock {
    fn default() -> Self {
        Self::new()
    }
}

fn timestamp(now: SystemTime) -> jiff::Timestamp {
    jiff::Timestamp::try_from(now).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}

/// A moment in the local time zone.
pub fn local(now: SystemTime) -> Zoned {
    timestamp(now).to_zoned(system_zone())
}

/// The zone of this IANA name; `None` where the system does not have it.
pub fn named_zone(name: &str) -> Option<TimeZone> {
    let data = fs::read(Path::new(ZONES).join(name)).ok()?;
    TimeZone::tzif(name, &data).ok()
}

/// The zone of this process: `TZ`, else /etc/localtime.
pub fn system_zone() -> TimeZone {
    zone(std::env::var("TZ").ok().as_deref())
}

/// The zone by the value of `TZ`, else by /etc/localtime, as tzset(3) has it.
///
/// One file is read. jiff's own way to the system's zone looks for its name in all of them, which takes longer than
/// everything else between a crash and its mail.
fn zone(variable: Option<&str>) -> TimeZone {
    let read = |path: &Path| fs::read(path).ok().and_then(|data| TimeZone::tzif("local", &data).ok());
    let found = match variable {
        None => read(Path::new("/etc/localtime")),
        Some(value) => {
            let value = value.strip_prefix(':').unwrap_or(value);
            // Joining an absolute path gives just that path.
            read(&Path::new(ZONES).join(value)).or_else(|| TimeZone::posix(value).ok())
        }
    };
    found.unwrap_or(TimeZone::UTC)
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
        let now = "2026-11-03T08:48:09.0127Z".parse::<jiff::Timestamp>().unwrap();
        let now = now.to_zoned(zone(Some("Europe/Berlin")));
        assert_eq!(log_time(&now), "2026-11-03 09:48:09,012");
        assert_eq!(asctime(&now), "Tue Nov  3 09:48:09 2026");
        assert_eq!(zone_name(&now), "CET");
    }

    #[test]
    fn a_clock_writes_every_line_with_its_own_moment() {
        let mut clock = LocalClock { zone: zone(Some("Europe/Berlin")), second: None };
        let mut lines = String::new();
        for millis in [1_793_695_689_012, 1_793_695_689_999, 1_793_695_690_000, 1_793_695_689_001] {
            clock.push_log_time(Duration::from_millis(millis), &mut lines);
            lines.push('\n');
        }
        let wanted = "2026-11-03 09:48:09,012\n2026-11-03 09:48:09,999\n\
                      2026-11-03 09:48:10,000\n2026-11-03 09:48:09,001\n";
        assert_eq!(lines, wanted);
        assert_eq!(clock.status_time(Duration::from_secs(1_793_695_689)), "Nov 03 09:48 AM");
        assert_eq!(clock.status_time(Duration::MAX), "Jan 01 01:00 AM");
    }

    #[test]
    fn the_minute_of_the_week_is_that_of_the_zone() {
        let moment = Duration::from_secs(1_793_695_689); // Tuesday, 08:48 UTC
        let at = |zone| LocalClock::of_zone(Some(zone)).civil_minute(moment);
        assert_eq!(at("UTC"), CivilMinute { weekday: 1, minute: 8 * 60 + 48 });
        assert_eq!(at("Pacific/Auckland"), CivilMinute { weekday: 1, minute: 21 * 60 + 48 });
        assert_eq!(at("Pacific/Honolulu"), CivilMinute { weekday: 0, minute: 22 * 60 + 48 });
    }

    #[test]
    fn the_zone_is_found_as_the_c_library_finds_it() {
        let hour = |variable: &str| {
            let noon = "2026-07-01T12:00:00Z".parse::<jiff::Timestamp>().unwrap();
            let zoned = noon.to_zoned(zone(Some(variable)));
            (zoned.hour(), zone_name(&zoned))
        };
        assert_eq!(hour("Europe/Berlin"), (14, "CEST".into()));
        assert_eq!(hour(":Asia/Tokyo"), (21, "JST".into()));
        assert_eq!(hour("EST5EDT,M3.2.0,M11.1.0"), (8, "EDT".into()));
        assert_eq!(hour("/usr/share/zoneinfo/UTC"), (12, "UTC".into()));
        assert_eq!(hour(""), (12, "UTC".into()));
        assert_eq!(hour("no such zone"), (12, "UTC".into()));
    }

    #[test]
    fn spans_show_their_two_largest_units() {
        assert_eq!(span(0.25), "0.2 s");
        assert_eq!(span(200.9), "3 min 20 s");
        assert_eq!(span(90_061.0), "1 d 1 h");
    }
}
