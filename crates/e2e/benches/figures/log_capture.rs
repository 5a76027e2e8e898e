//! Output of one child on its way to a rotated log file: how fast, and at what cost.

use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::PathBuf;

use anyhow::{Context, ensure};
use ironlance_e2e::{TIMEOUT, TestDir, until};

use crate::contender::Contender;
use crate::daemon::{Daemon, LONG, Plan};
use crate::program::loggen;
use crate::reports::Reports;
use crate::{Effort, Figure, Figures, program};

/// The child's writes.
const BLOCKS: [Block; 3] = [
    Block { size: 65536, name: "64 K", bytes: 500_000_000 },
    Block { size: 4096, name: "4 K", bytes: 500_000_000 },
    Block { size: 100, name: "100 B", bytes: 100_000_000 },
];
/// Bytes that are enough to see that it works.
const FEW: usize = 20_000_000;

struct Block {
    size: usize,
    name: &'static str,
    /// Bytes for which the slowest takes about half a second.
    bytes: usize,
}

/// MB/s and processor time for a GB at each block size; no byte may be missing or out of order.
pub(crate) fn measure(contender: &Contender, effort: Effort) -> Figures {
    let mut figures = Vec::new();
    for Block { size, name, bytes } in BLOCKS {
        let bytes = if effort == Effort::Full { bytes } else { FEW };
        let (mut speeds, mut costs) = (Vec::new(), Vec::new());
        for round in 0..=effort.times(5) {
            let (speed, cost) = one(contender, bytes, size)?;
            if round > 0 {
                speeds.push(speed);
                costs.push(cost);
            }
        }
        figures.push(Figure::more_is_better(&format!("log capture, blocks of {name}"), "MB/s", speeds));
        figures.push(Figure::new(&format!("log capture, blocks of {name}, CPU for a GB"), "ms", costs));
    }
    Ok(figures)
}

/// From the child's first write until every byte is in the files.
fn one(contender: &Contender, bytes: usize, block: usize) -> anyhow::Result<(f64, f64)> {
    let dir = TestDir::new()?;
    let reports = Reports::open(&dir, "reports")?;
    let log = dir.path("g.log");
    let sections = format!(
        "[program:g]\ncommand={} {} {bytes} {block}\nautostart=false\nautorestart=false\nstartsecs=0\n\
         stdout_logfile={}\nstdout_logfile_maxbytes=50MB\nstdout_logfile_backups=20\nstderr_logfile=NONE\n",
        program::command("loggen")?,
        reports.path(),
        log.display(),
    );
    let daemon = Daemon::start(&dir, contender, &Plan { sections: &sections, ..Plan::default() })?;
    let before = daemon.usage()?;
    daemon.begin("g")?;
    let (began, _) = reports.next(TIMEOUT)?;
    reports.next(LONG)?;
    let files: Vec<PathBuf> =
        (1..=20).rev().map(|number| dir.path(&format!("g.log.{number}"))).chain([log]).collect();
    let wanted = u64::try_from(bytes)?;
    until("every byte to be in the files", LONG, || {
        let sizes: u64 = files.iter().flat_map(fs::metadata).map(|file| file.len()).sum();
        Ok((sizes >= wanted).then_some(()))
    })?;
    let took = began.elapsed().as_secs_f64();
    let used = daemon.usage()?.since(before);
    verify(&files, wanted)?;
    let megabytes = f64::from(u32::try_from(bytes)?) / 1e6;
    Ok((megabytes / took, used.cpu / megabytes * 1e3))
}

/// Reads the files, oldest first: all numbered lines, in order.
fn verify(files: &[PathBuf], bytes: u64) -> anyhow::Result<()> {
    let mut stream: Box<dyn Read> = Box::new(std::io::empty());
    for path in files.iter().filter(|path| path.exists()) {
        stream = Box::new(stream.chain(File::open(path).context("cannot open a log")?));
    }
    let mut stream = BufReader::with_capacity(1 << 20, stream);
    let mut line = [0; loggen::LINE];
    for serial in 0..bytes / u64::try_from(loggen::LINE)? {
        stream.read_exact(&mut line).context("cannot read a log")?;
        ensure!(loggen::is_line(&line, serial), "line {serial} of the log is not what was written");
    }
    Ok(())
}
