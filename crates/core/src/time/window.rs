//! Windows of time that come again: [`Windows`], as `quiet=` and `when=` give them.
//!
//! ```text
//! 22:00-07:00                        each day; it may run over midnight
//! mon-fri 20:00-08:00, sat-sun       on these days; a day without times is the whole day
//! daily 02:00-03:00                  each day
//! ```
//!
//! A window belongs to the day on which it begins. Times are civil, in the zone of the receiver; the caller converts.

use thiserror::Error;

/// Minutes of a day.
const DAY: u16 = 24 * 60;
/// The days of a week, as they are written.
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// A moment of a week: the day and the minute of the day, without a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CivilMinute {
    /// The day of the week, 0 for Monday.
    pub weekday: u8,
    /// The minute of the day, 0 to 1439.
    pub minute: u16,
}

/// Windows of time that come again each week.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Windows {
    text: String,
    windows: Vec<Window>,
}

/// One window: it begins on each of its days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Window {
    /// A bit for each day, the lowest for Monday.
    days: u8,
    /// The minute of the day on which it begins.
    from: u16,
    /// Its length in minutes, 1 to 1440.
    length: u16,
}

/// Why a text is no window.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("cannot read a window: {0:?} is not like 22:00-07:00, mon-fri 09:00-18:00 or sat-sun")]
pub struct WindowError(String);

impl CivilMinute {
    fn minute_of_week(self) -> u16 {
        u16::from(self.weekday) * DAY + self.minute
    }
}

impl Windows {
    /// Reads windows with commas between them.
    pub fn parse(text: &str) -> Result<Self, WindowError> {
        let windows = text.split(',').map(|part| Window::parse(part.trim())).collect::<Result<_, _>>()?;
        Ok(Self { text: text.trim().to_owned(), windows })
    }

    /// Whether a moment is in one of them.
    pub fn contains(&self, at: CivilMinute) -> bool {
        self.windows.iter().any(|window| window.contains(at))
    }

    /// The minutes from a moment to the next change between inside and outside; at most a week, which is also the answer
    /// where there is none.
    pub fn minutes_to_change(&self, at: CivilMinute) -> u16 {
        let inside = self.contains(at);
        let is_change = |minutes: &u16| {
            let minute = (at.minute_of_week() + minutes) % (7 * DAY);
            let weekday = u8::try_from(minute / DAY).unwrap_or(0);
            self.contains(CivilMinute { weekday, minute: minute % DAY }) != inside
        };
        (1..7 * DAY).find(is_change).unwrap_or(7 * DAY)
    }

    /// As they were written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl Window {
    fn parse(text: &str) -> Result<Self, WindowError> {
        let fault = || WindowError(text.to_owned());
        let (days, times) = match text.split_once(char::is_whitespace) {
            Some((days, times)) => (Self::days(days).ok_or_else(fault)?, Some(times.trim())),
            None => match Self::days(text) {
                Some(days) => (days, None),
                None => (0x7f, Some(text)),
            },
        };
        let Some(times) = times else { return Ok(Self { days, from: 0, length: DAY }) };
        let (from, to) = times.split_once('-').ok_or_else(fault)?;
        let from = time(from.trim()).filter(|from| *from < DAY).ok_or_else(fault)?;
        let to = time(to.trim()).ok_or_else(fault)?;
        if from == to {
            return Err(fault());
        }
        Ok(Self { days, from, length: if to > from { to - from } else { DAY - from + to } })
    }

    fn days(text: &str) -> Option<u8> {
        if text == "daily" {
            return Some(0x7f);
        }
        let day = |name: &str| DAYS.iter().position(|day| *day == name);
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let (first, last) = (day(first)?, day(last)?);
        let length = (last + 7 - first) % 7;
        Some((0..=length).fold(0, |days, offset| days | 1 << ((first + offset) % 7)))
    }

    fn contains(&self, at: CivilMinute) -> bool {
        let starts_on = |weekday: u8| self.days & (1 << weekday) != 0;
        let end = self.from + self.length;
        (starts_on(at.weekday) && (self.from..end).contains(&at.minute))
            || (starts_on((at.weekday + 6) % 7) && at.minute + DAY < end)
    }
}

/// `HH:MM` as a minute of the day; `24:00` is its end.
fn time(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let number =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u16>().ok())?;
    let minutes =
        number(hour)?.checked_mul(60)?.checked_add(number(minute).filter(|minute| *minute < 60)?)?;
    (minutes <= DAY).then_some(minutes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(weekday: u8, hour: u16, minute: u16) -> CivilMinute {
        CivilMinute { weekday, minute: hour * 60 + minute }
    }

    #[test]
    fn a_window_may_run_over_midnight_and_belongs_to_the_day_on_which_it_begins() {
        let nights = Windows::parse("mon-fri 20:00-08:00, sat-sun").unwrap();
        for (moment, inside) in [
            (at(0, 7, 59), false), // Monday morning: Sunday night is in `sat-sun`, which ends at midnight
            (at(0, 20, 0), true),
            (at(1, 7, 59), true),
            (at(1, 8, 0), false),
            (at(5, 12, 0), true),
            (at(6, 23, 59), true),
        ] {
            assert_eq!(nights.contains(moment), inside, "{moment:?}");
        }
    }

    #[test]
    fn the_next_change_is_found_to_the_minute() {
        let quiet = Windows::parse("22:00-07:00").unwrap();
        assert_eq!(quiet.minutes_to_change(at(2, 21, 0)), 60);
        assert_eq!(quiet.minutes_to_change(at(2, 22, 0)), 9 * 60);
        assert_eq!(quiet.minutes_to_change(at(6, 23, 30)), 7 * 60 + 30);
        assert_eq!(Windows::parse("mon-sun").unwrap().minutes_to_change(at(0, 0, 0)), 7 * DAY);
    }

    #[test]
    fn days_may_run_over_the_week_and_a_day_may_stand_alone() {
        let windows = Windows::parse("sat-mon 00:00-24:00, wed").unwrap();
        let inside = (0..7).filter(|day| windows.contains(at(*day, 12, 0))).collect::<Vec<_>>();
        assert_eq!(inside, [0, 2, 5, 6]);
    }

    #[test]
    fn what_is_no_window_is_refused_with_its_text() {
        for text in [
            "",
            "22:00",
            "25:00-07:00",
            "22:00-22:00",
            "lun 09:00-10:00",
            "mon-fri 9-10",
            "22:60-23:00",
            "+1:00-2:00",
            "mon 24:00-01:00",
        ] {
            assert!(Windows::parse(text).is_err(), "{text:?}");
        }
        let error = Windows::parse("22:00-07:00, ever").unwrap_err().to_string();
        assert_eq!(
            error,
            "cannot read a window: \"ever\" is not like 22:00-07:00, mon-fri 09:00-18:00 or sat-sun"
        );
    }
}
