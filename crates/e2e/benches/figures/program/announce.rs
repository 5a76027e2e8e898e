//! A program that says it is up, and a mailer that says a mail has come.

use std::io;
use std::process;
use std::thread;

use super::{ReportPipe, text};

/// `alive REPORTS`: reports its pid as the first thing it does, then waits to be killed.
pub(super) fn alive(args: &[String]) -> anyhow::Result<()> {
    ReportPipe::open(text(args, 0)?)?.report(&process::id().to_string())?;
    loop {
        thread::park();
    }
}

/// `mailer REPORTS`: reports as soon as it runs, then takes the mail.
pub(super) fn mailer(args: &[String]) -> anyhow::Result<()> {
    ReportPipe::open(text(args, 0)?)?.report("up")?;
    io::copy(&mut io::stdin().lock(), &mut io::sink())?;
    Ok(())
}
