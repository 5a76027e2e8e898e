//! The interactive shell: runs lines from a terminal or a pipe until the end of input.

mod complete;
pub(crate) mod execute;
mod history;

use std::io::{self, IsTerminal as _};
use std::process::ExitCode;

use ironlance_rpc::Client;
use rustix::termios::{LocalModes, tcgetattr};
use rustyline::config::Configurer as _;
use rustyline::error::ReadlineError;
use rustyline::history::{History as _, MemHistory};
use rustyline::{Behavior, CompletionType, Config, Editor};

use crate::output::buffer::report_output_error;
use crate::session::Session;
use crate::terminal::line_reader::{LineEditor, ReadLine};
use crate::verb::api::Flow;
use complete::TabCompleter;
use history::History;

/// The most lines of history in memory.
const MAX_HISTORY: usize = 100_000;

/// Runs lines until the end of input. The exit status is 0 whatever the verbs' results, unless stdout cannot be written.
pub(crate) fn run(mut session: Session) -> ExitCode {
    // Without the handler ^C still ends the process, with another status.
    let _ = session.interrupts.exit_on_interrupt();
    if can_edit()
        && let Ok(person) = TerminalEditor::new(History::new(session.options.history_file.clone()))
    {
        session.editor = Some(Box::new(person));
    }
    let mut flow = execute::execute(&mut session, "status");
    session.flush();
    while flow == Flow::Next && session.output_error().is_none() {
        flow = read_and_execute(&mut session);
        session.flush();
    }
    if report_output_error(session.output_error()) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Reads a line and runs it.
fn read_and_execute(session: &mut Session) -> Flow {
    let prompt = format!("{}> ", session.options.prompt);
    if session.editor.is_none() {
        // The prompt goes to a pipe too, as in Python.
        session.print_bytes(prompt.as_bytes());
        session.flush();
        return match session.input.read_line(None) {
            ReadLine::Line(text) => execute::execute(session, &text),
            ReadLine::End | ReadLine::Interrupted => execute::execute(session, "EOF"),
        };
    }
    let client = session.client().ok();
    match session.editor.as_mut().map_or(ReadLine::End, |editor| editor.command(&prompt, client)) {
        ReadLine::Line(text) => execute::execute(session, &text),
        // The editor has printed the newline already; the end of input and ^C print nothing else.
        ReadLine::End | ReadLine::Interrupted => Flow::End,
    }
}

/// Whether stdout is a terminal that supports line editing. A terminal without echo is controlled by a program such as
/// expect or Emacs, which must see plain output only.
fn can_edit() -> bool {
    let term = std::env::var("TERM").unwrap_or_default();
    let is_plain = ["", "dumb", "cons25", "emacs"].contains(&term.as_str());
    let shows = tcgetattr(io::stdin()).is_ok_and(|mode| mode.local_modes.contains(LocalModes::ECHO));
    !is_plain && shows && io::stdout().is_terminal()
}

/// A line editor on a terminal, with its history.
struct TerminalEditor {
    editor: Editor<TabCompleter, MemHistory>,
    history: History,
}

impl TerminalEditor {
    fn new(past: History) -> rustyline::Result<Self> {
        let config = Config::builder()
            .max_history_size(MAX_HISTORY)?
            .completion_type(CompletionType::List)
            .behavior(Behavior::Stdio)
            .bracketed_paste(false)
            .build();
        let lines = MemHistory::with_config(&config);
        let mut editor = Editor::with_history(config, lines)?;
        editor.enable_synchronized_output(false);
        for line in past.lines() {
            editor.history_mut().add_owned(line)?;
        }
        Ok(Self { editor, history: past })
    }

    fn read(&mut self, prompt: &str) -> ReadLine {
        match self.editor.readline(prompt) {
            Ok(text) => ReadLine::Line(text),
            Err(ReadlineError::Interrupted) => ReadLine::Interrupted,
            // A read error counts as the end of input.
            Err(_) => ReadLine::End,
        }
    }
}

impl LineEditor for TerminalEditor {
    fn command(&mut self, prompt: &str, client: Option<Client>) -> ReadLine {
        self.editor.set_helper(Some(TabCompleter::new(client)));
        let outcome = self.read(prompt);
        if let ReadLine::Line(text) = &outcome
            && self.editor.add_history_entry(text.as_str()).unwrap_or(false)
        {
            self.history.add(text);
        }
        outcome
    }

    fn answer(&mut self, question: &str) -> ReadLine {
        self.editor.set_helper(None);
        self.read(question)
    }
}
