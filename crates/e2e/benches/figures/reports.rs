//! What other processes report while they run: lines through a FIFO, each with the time it came.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use ironlance_e2e::TestDir;

/// A FIFO and a thread that reads it.
pub(crate) struct Reports {
    path: PathBuf,
    lines: Receiver<(Instant, String)>,
}

impl Reports {
    /// A new FIFO in the test directory.
    pub(crate) fn open(dir: &TestDir, name: &str) -> anyhow::Result<Self> {
        let path = dir.path(name);
        // Open in both directions: neither side waits for the other, and there is no end of file.
        let reader = BufReader::new(fifo(&path)?);
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in reader.lines().map_while(Result::ok) {
                if sender.send((Instant::now(), line)).is_err() {
                    return;
                }
            }
        });
        Ok(Self { path, lines })
    }

    /// Where to write.
    pub(crate) fn path(&self) -> std::path::Display<'_> {
        self.path.display()
    }

    /// The next line, and when it came.
    pub(crate) fn next(&self, limit: Duration) -> anyhow::Result<(Instant, String)> {
        self.lines
            .recv_timeout(limit)
            .with_context(|| format!("nothing came through {} in {limit:?}", self.path()))
    }
}

/// Makes a FIFO and opens it in both directions.
pub(crate) fn fifo(path: &Path) -> anyhow::Result<File> {
    ensure!(
        Command::new("mkfifo").arg(path).status().context("cannot run mkfifo")?.success(),
        "cannot make a fifo"
    );
    File::options().read(true).write(true).open(path).context("cannot open the fifo")
}
