//! What is said on stdout: lines are gathered, and go out together before anything is waited for.

use std::io::{self, IsTerminal, Write};

/// The width assumed where there is no terminal, in columns.
const COLUMNS: usize = 80;

/// What kind of thing the output goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TerminalInfo {
    /// How wide it is.
    pub(crate) columns: usize,
    /// Whether words may be coloured.
    pub(crate) colour: bool,
    /// Whether a person looks at it.
    pub(crate) is_terminal: bool,
}

impl TerminalInfo {
    /// What our stdout is. Colour needs a terminal that knows it and no `NO_COLOR` (no-color.org).
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

/// Where lines go.
pub(crate) struct OutputBuffer {
    pending: Vec<u8>,
    out: Box<dyn Write>,
    write_error: Option<io::Error>,
}

impl OutputBuffer {
    /// Lines to `out`.
    pub(crate) fn new(out: Box<dyn Write>) -> Self {
        Self { pending: Vec::new(), out, write_error: None }
    }

    /// Keeps bytes until the next [`OutputBuffer::flush`].
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// Sends everything out, until that fails once.
    pub(crate) fn flush(&mut self) {
        if !self.pending.is_empty() && self.write_error.is_none() {
            let sent = self.out.write_all(&self.pending).and_then(|()| self.out.flush());
            self.write_error = sent.err();
        }
        self.pending.clear();
    }

    /// Why nothing goes out any more.
    pub(crate) const fn failure(&self) -> Option<&io::Error> {
        self.write_error.as_ref()
    }
}

/// Says why stdout cannot be written, if so and somebody should know. Tells whether that is so.
pub(crate) fn report_output_error(loss: Option<&io::Error>) -> bool {
    // A reader that left knows it.
    let loss = loss.filter(|error| error.kind() != io::ErrorKind::BrokenPipe);
    if let Some(loss) = loss {
        // A stderr that is gone leaves nobody to complain to.
        let _ = writeln!(io::stderr(), "error: cannot write to stdout: {loss}");
    }
    loss.is_some()
}
