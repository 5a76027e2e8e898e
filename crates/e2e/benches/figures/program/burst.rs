//! A program that writes lines, each by a write of its own.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use anyhow::Context;
use ironlance_e2e::wait::pause;

use super::{ReportPipe, number, text};

/// `burst REPORTS LINES LENGTH GAP`: LINES lines of LENGTH bytes, one each GAP microseconds (0: at once).
/// Reports `began` and `done`.
pub(super) fn run(args: &[String]) -> anyhow::Result<()> {
    let mut desk = ReportPipe::open(text(args, 0)?)?;
    let (lines, length, gap) = (number(args, 1)?, number(args, 2)?, number(args, 3)?);
    let gap = Duration::from_micros(u64::try_from(gap)?);
    // Not through the standard library's buffer, which cuts writes at its own places.
    let mut out = std::fs::File::from(io::stdout().as_fd().try_clone_to_owned().context("cannot write")?);
    let filler = "x".repeat(length.saturating_sub(12));
    desk.report("began")?;
    let mut next = Instant::now();
    for line in 0..lines {
        out.write_all(format!("{line:010} {filler}\n").as_bytes()).context("cannot write a line")?;
        if !gap.is_zero() {
            next += gap;
            pause(next.saturating_duration_since(Instant::now()));
        }
    }
    desk.report("done")
}
