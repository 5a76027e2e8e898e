//! A listener that does nothing but count, so that what is measured is the daemon.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, ensure};

use super::{ReportPipe, text};

/// The interval at which counts are reported, when they have changed.
const BETWEEN_REPORTS: Duration = Duration::from_millis(100);

/// `listener REPORTS [CREDITS]`: reports how many lines of output the events had; a byte for each goes to CREDITS.
pub(super) fn run(args: &[String]) -> anyhow::Result<()> {
    let desk = ReportPipe::open(text(args, 0)?)?;
    let mut credits = match args.get(1) {
        Some(path) => Some(File::options().read(true).write(true).open(path).context("cannot open")?),
        None => None,
    };
    let lines = Arc::new(AtomicU64::new(0));
    tell_counts(desk, Arc::clone(&lines));
    let mut input = BufReader::with_capacity(1 << 16, io::stdin().lock());
    let mut out = File::from(io::stdout().as_fd().try_clone_to_owned().context("cannot write")?);
    let (mut header, mut body) = (String::new(), Vec::new());
    loop {
        out.write_all(b"READY\n").context("cannot say READY")?;
        header.clear();
        if input.read_line(&mut header).context("cannot read a header")? == 0 {
            return Ok(());
        }
        // Characters by the protocol; all that is written here is ASCII.
        let length = header.split_whitespace().find_map(|word| word.strip_prefix("len:"));
        let length: usize = length.and_then(|word| word.parse().ok()).context("cannot find len")?;
        ensure!(length < 1 << 24, "cannot take an event of {length} bytes");
        body.resize(length, 0);
        input.read_exact(&mut body).context("cannot read an event")?;
        // The first line of a body names the process.
        let count = body.iter().filter(|byte| **byte == b'\n').count().saturating_sub(1);
        lines.fetch_add(u64::try_from(count)?, Ordering::Relaxed);
        if let Some(credits) = &mut credits {
            credits.write_all(&vec![b'x'; count]).context("cannot give credit")?;
        }
        out.write_all(b"RESULT 2\nOK").context("cannot answer")?;
    }
}

/// The first report comes when the listener is up.
fn tell_counts(mut desk: ReportPipe, lines: Arc<AtomicU64>) {
    thread::spawn(move || {
        let mut reported = None;
        loop {
            let count = lines.load(Ordering::Relaxed);
            if reported != Some(count) {
                reported = Some(count);
                if desk.report(&count.to_string()).is_err() {
                    return;
                }
            }
            thread::park_timeout(BETWEEN_REPORTS);
        }
    });
}
