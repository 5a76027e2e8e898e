//! Buffered stdout: [`OutputBuffer`] collects lines and writes them before anything blocks; [`TerminalInfo`] tells what
//! stdout is.

use std::io::{self, IsTerminal, Write};

/// The width assumed where there is no terminal, in columns.
const COLUMNS: usize = 80;

/// The properties of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TerminalInfo {
    /// Its width in columns.
    pub(crate) columns: usize,
    /// Whether to use colours.
    pub(crate) colour: bool,
    /// Whether it is a terminal.
    pub(crate) is_terminal: bool,
}

impl TerminalInfo {
    /// The properties of stdout. Colours need a terminal that supports them and no `NO_COLOR` (no-color.org).
    pub(crate) fn of_stdout() -> Self {
        let stdout = io::stdout();
        let is_terminal = stdout.is_terminal();
        let size = rustix::termios::tcgetwinsize(&stdout).ok().map(|size| usize::from(size.ws_col));
        let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb" || term.is_empty());
        Self {
            columns: size.filter(|columns| *columns > 0).unwrap_or(COLUMNS),
            colour: is_terminal && !is_set("NO_COLOR") && !is_dumb,
            is_terminal,
        }
    }
}

/// Output that is collected until a flush.
pub(crate) struct OutputBuffer {
    pending: Vec<u8>,
    out: Box<dyn Write>,
    write_error: Option<io::Error>,
}

impl OutputBuffer {
    /// A buffer in front of `out`.
    pub(crate) fn new(out: Box<dyn Write>) -> Self {
        Self { pending: Vec::new(), out, write_error: None }
    }

    /// Appends bytes; [`OutputBuffer::flush`] writes them.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// Writes everything; after the first error, discards it.
    pub(crate) fn flush(&mut self) {
        if !self.pending.is_empty() && self.write_error.is_none() {
            let sent = self.out.write_all(&self.pending).and_then(|()| self.out.flush());
            self.write_error = sent.err();
        }
        self.pending.clear();
    }

    /// The first write error.
    pub(crate) const fn failure(&self) -> Option<&io::Error> {
        self.write_error.as_ref()
    }
}

/// Reports an error of writing to stdout on stderr, and whether there was one to report.
pub(crate) fn report_output_error(loss: Option<&io::Error>) -> bool {
    // A closed pipe is the reader's own decision.
    let loss = loss.filter(|error| error.kind() != io::ErrorKind::BrokenPipe);
    if let Some(loss) = loss {
        // A closed stderr cannot be reported anywhere.
        let _ = writeln!(io::stderr(), "error: cannot write to stdout: {loss}");
    }
    loss.is_some()
}
