//! A program that writes a line and waits until a listener has had it: a closed loop, in which nothing is lost.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;

use anyhow::Context;

use super::{ReportPipe, number, text};

/// `echo_loop REPORTS CREDITS LINES`: a byte of CREDITS lets it write the next line. Reports `began` and `done`.
pub(super) fn run(args: &[String]) -> anyhow::Result<()> {
    let mut desk = ReportPipe::open(text(args, 0)?)?;
    let mut credits =
        File::options().read(true).write(true).open(text(args, 1)?).context("cannot open the credits")?;
    let mut out = File::from(io::stdout().as_fd().try_clone_to_owned().context("cannot write")?);
    let lines = number(args, 2)?;
    let filler = "y".repeat(52);
    desk.report("began")?;
    for line in 0..lines {
        out.write_all(format!("{line:010} {filler}\n").as_bytes()).context("cannot write a line")?;
        credits.read_exact(&mut [0]).context("cannot wait for a credit")?;
    }
    desk.report("done")
}
