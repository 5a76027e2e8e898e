//! `--remind TIME` of httpok and memmon.

use std::time::Duration;

use super::number;
use super::option_error::{OptionError, OptionRow};
use crate::rule::reminder::INTERVAL;
use ironlance_core::cli::{OptionArg, Takes, table::ours};

/// How long a trouble that lasts is not mailed about again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemindInterval(pub Duration);

impl Default for RemindInterval {
    fn default() -> Self {
        Self(INTERVAL)
    }
}

/// `--remind TIME`.
pub(super) fn remind_row<T: AsMut<RemindInterval>>() -> OptionRow<T> {
    let help = "mail about a trouble that lasts at once and then once in this time, 1h unless told otherwise (90, 90s, \
                5m, 2h, 1d; 0: every time)";
    ours("remind", Takes::Value("TIME"), help, |target: &mut T, given: &OptionArg| {
        let span = number::span(given.value());
        let span =
            span.ok_or_else(|| OptionError::value(given, "not a time such as 90, 90s, 5m, 2h or 1d"))?;
        *target.as_mut() = RemindInterval(span);
        Ok(())
    })
}
