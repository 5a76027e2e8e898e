//! A program that writes numbered lines as fast as it can, in blocks of a given size.

use std::io::{self, Write};
use std::os::fd::AsFd;

use anyhow::Context;

use super::{ReportPipe, number, text};

/// The length of a line in bytes, its newline included.
pub(crate) const LINE: usize = 100;

/// `loggen REPORTS BYTES BLOCK`: reports `began` and `done`.
pub(super) fn run(args: &[String]) -> anyhow::Result<()> {
    let mut desk = ReportPipe::open(text(args, 0)?)?;
    let (bytes, block) = (number(args, 1)?, number(args, 2)?);
    let mut out = std::fs::File::from(io::stdout().as_fd().try_clone_to_owned().context("cannot write")?);
    let mut pending = Vec::with_capacity(block + LINE);
    let mut line = [b'.'; LINE];
    line[LINE - 1] = b'\n';
    let (mut serial, mut left) = (0, bytes);
    desk.report("began")?;
    while left > 0 {
        let size = block.min(left);
        while pending.len() < size {
            number_line(&mut line, serial);
            pending.extend_from_slice(&line);
            serial += 1;
        }
        out.write_all(&pending[..size]).context("cannot write a block")?;
        pending.drain(..size);
        left -= size;
    }
    desk.report("done")
}

/// Twelve digits at the head of the line: cheap beside a write.
fn number_line(line: &mut [u8; LINE], mut serial: u64) {
    for digit in line[..12].iter_mut().rev() {
        *digit = b'0' + u8::try_from(serial % 10).unwrap_or(0);
        serial /= 10;
    }
}

/// Whether this is the line of that number.
pub(crate) fn is_line(line: &[u8], serial: u64) -> bool {
    let mut expected = [b'.'; LINE];
    expected[LINE - 1] = b'\n';
    number_line(&mut expected, serial);
    line == expected
}
