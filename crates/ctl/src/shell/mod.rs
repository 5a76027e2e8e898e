//! The shell: line after line, from a person or from a pipe.

mod complete;
mod history;
pub(crate) mod line;

use std::io::{self, IsTerminal as _};
use std::process::ExitCode;

use ironlance_rpc::Client;
use rustix::termios::{LocalModes, tcgetattr};
use rustyline::config::Configurer as _;
use rustyline::error::ReadlineError;
use rustyline::history::{History as _, MemHistory};
use rustyline::{Behavior, CompletionType, Config, Editor};

use crate::complain;
use crate::input::{Edits, Heard};
use crate::session::Session;
use crate::verb::Flow;
use complete::Tab;
use history::History;

/// So many lines can be called back.
const MAX_HISTORY: usize = 100_000;

/// Obeys lines until there are no more. What went wrong in a shell is no failure of the shell: the status is 0, unless
/// what it says cannot be written.
pub(crate) fn run(mut session: Session) -> ExitCode {
    // Without it, ^C ends us all the same, only with another status.
    let _ = session.interrupts.end_on_interrupt();
    if can_edit()
        && let Ok(person) = Person::new(History::new(session.options.history_file.clone()))
    {
        session.editor = Some(Box::new(person));
    }
    let mut flow = line::obey(&mut session, "status");
    session.flush();
    while flow == Flow::Next && !session.is_unheard() {
        flow = next(&mut session);
        session.flush();
    }
    if complain(session.loss()) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Reads a line and obeys it.
fn next(session: &mut Session) -> Flow {
    let prompt = format!("{}> ", session.options.prompt);
    if session.editor.is_none() {
        // The prompt is written to a pipe as well, as Python does.
        session.say_bytes(prompt.as_bytes());
        session.flush();
        return match session.input.line(None) {
            Heard::Line(text) => line::obey(session, &text),
            Heard::End | Heard::Interrupted => line::obey(session, "EOF"),
        };
    }
    let supervisor = session.supervisor().ok();
    match session.editor.as_mut().map_or(Heard::End, |editor| editor.command(&prompt, supervisor)) {
        Heard::Line(text) => line::obey(session, &text),
        // The editor has left the line already, which is all that the end of input and ^C show.
        Heard::End | Heard::Interrupted => Flow::End,
    }
}

/// Whether a person sits at a terminal that understands what an editor writes. One that does not show what is typed is
/// in the hands of a program, such as expect or Emacs, that wants to see no more than what is said.
fn can_edit() -> bool {
    let term = std::env::var("TERM").unwrap_or_default();
    let is_plain = ["", "dumb", "cons25", "emacs"].contains(&term.as_str());
    let shows = tcgetattr(io::stdin()).is_ok_and(|mode| mode.local_modes.contains(LocalModes::ECHO));
    !is_plain && shows && io::stdout().is_terminal()
}

/// A person at a terminal, with what was typed before.
struct Person {
    editor: Editor<Tab, MemHistory>,
    past: History,
}

impl Person {
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
        Ok(Self { editor, past })
    }

    fn read(&mut self, prompt: &str) -> Heard {
        match self.editor.readline(prompt) {
            Ok(text) => Heard::Line(text),
            Err(ReadlineError::Interrupted) => Heard::Interrupted,
            // A terminal that cannot be read any more has ended as well.
            Err(_) => Heard::End,
        }
    }
}

impl Edits for Person {
    fn command(&mut self, prompt: &str, supervisor: Option<Client>) -> Heard {
        self.editor.set_helper(Some(Tab::new(supervisor)));
        let heard = self.read(prompt);
        if let Heard::Line(text) = &heard
            && self.editor.add_history_entry(text.as_str()).unwrap_or(false)
        {
            self.past.add(text);
        }
        heard
    }

    fn answer(&mut self, question: &str) -> Heard {
        self.editor.set_helper(None);
        self.read(question)
    }
}
