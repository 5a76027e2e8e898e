//! The shell's history file: plain text, a line each, as readline keeps it.

use std::fs::{self, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

/// Commands may hold secrets: only the owner may read them.
const MODE: u32 = 0o600;
/// The most bytes that are read from the end of the file.
const MAX_FILE: u64 = 4 * 1024 * 1024;

/// A history file, if one is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct History {
    file: Option<PathBuf>,
}

impl History {
    /// A history in `file`.
    pub(crate) const fn new(file: Option<PathBuf>) -> Self {
        Self { file }
    }

    /// The lines, oldest first; empty where the file cannot be read.
    pub(crate) fn lines(&self) -> Vec<String> {
        let Some(end) = self.file.as_deref().and_then(read_end) else { return Vec::new() };
        let end = String::from_utf8_lossy(&end);
        end.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }

    /// Appends a line at once, so that it survives any exit and concurrent shells do not overwrite each other. Errors are
    /// ignored.
    pub(crate) fn add(&self, line: &str) {
        if let Some(file) = &self.file {
            let _ = append(file, line);
        }
    }
}

/// The end of a regular file; `None` for others, such as a FIFO without a writer, which would block.
fn read_end(file: &Path) -> Option<Vec<u8>> {
    let size = fs::metadata(file).ok().filter(fs::Metadata::is_file)?.len();
    let mut file = fs::File::open(file).ok()?;
    file.seek(SeekFrom::Start(size.saturating_sub(MAX_FILE))).ok()?;
    let mut end = Vec::new();
    file.take(MAX_FILE).read_to_end(&mut end).ok()?;
    Some(end)
}

fn append(file: &Path, line: &str) -> std::io::Result<()> {
    // A FIFO without a reader must not block the shell.
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let mut file = OpenOptions::new().append(true).create(true).mode(MODE).custom_flags(flags).open(file)?;
    file.write_all(format!("{line}\n").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_there_for_the_next_shell() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("history");
        fs::write(&file, "status\nst\u{e4}rt \n\n").unwrap();
        let history = History::new(Some(file.clone()));
        assert_eq!(history.lines(), ["status", "st\u{e4}rt "]);
        history.add("stop web");
        assert_eq!(fs::read_to_string(&file).unwrap(), "status\nst\u{e4}rt \n\nstop web\n");
        assert_eq!(history.lines().len(), 3);
    }

    #[test]
    fn what_is_no_file_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        let history = History::new(Some(fifo));
        history.add("status");
        assert!(history.lines().is_empty());
        assert!(History::new(Some("/dev/zero".into())).lines().is_empty());
    }

    #[test]
    fn a_shell_without_a_file_forgets() {
        let history = History::new(None);
        history.add("status");
        assert!(history.lines().is_empty());
    }
}
