//! Questions to the person, and who it is.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::input::{Heard, Input};
use crate::session::Session;
use crate::trouble::Trouble;

/// Asks a question and gives the line that was answered.
pub(crate) fn line(session: &mut Session, question: &str) -> Result<String, Trouble> {
    session.flush();
    let heard = match &mut session.editor {
        Some(editor) => editor.answer(question),
        None => {
            session.say_bytes(question.as_bytes());
            session.flush();
            session.input.line(None)
        }
    };
    match heard {
        Heard::Line(line) => Ok(line),
        Heard::End => Err(Trouble::NoAnswer),
        Heard::Interrupted => Err(Trouble::Interrupted),
    }
}

/// Whether a question is answered with something that begins with y.
pub(crate) fn is_sure(session: &mut Session, question: &str) -> Result<bool, Trouble> {
    Ok(line(session, question)?.to_lowercase().starts_with('y'))
}

/// Asks for name and password, which the session takes on.
pub(crate) fn who(session: &mut Session) -> Result<(), Trouble> {
    let username = line(session, "Username:")?;
    let password = password(session)?;
    session.say("");
    session.options.username = Some(username);
    session.options.password = Some(password);
    session.hang_up();
    Ok(())
}

/// Asks for a password at the terminal, without showing it; where there is no terminal, on stdin.
fn password(session: &mut Session) -> Result<String, Trouble> {
    let answer = match OpenOptions::new().read(true).write(true).open("/dev/tty") {
        Ok(terminal) => at_terminal(&terminal),
        Err(_) => on_stdin(&mut session.input, &mut io::stderr()),
    };
    match answer {
        Ok(Heard::Line(line)) => Ok(line),
        Ok(Heard::End | Heard::Interrupted) => Err(Trouble::NoAnswer),
        Err(reason) => Err(Trouble::Machine { what: "ask for the password", reason }),
    }
}

const QUESTION: &[u8] = b"Password:";

fn at_terminal(mut terminal: &File) -> io::Result<Heard> {
    let before = tcgetattr(terminal)?;
    terminal.write_all(QUESTION)?;
    let mut input = Input::of(terminal.as_fd().try_clone_to_owned()?);
    let answer = hidden(terminal.as_fd(), &before, &mut input)?;
    // The end of line that was typed was not shown either.
    terminal.write_all(b"\n")?;
    Ok(answer)
}

/// Asks on `err` and reads stdin, which may be a terminal all the same: one that is not ours to open by name. Where it
/// is none, whoever types is told that the password may be seen.
fn on_stdin(input: &mut Input, err: &mut dyn Write) -> io::Result<Heard> {
    let answer = match tcgetattr(io::stdin()) {
        Ok(before) => {
            err.write_all(QUESTION)?;
            hidden(io::stdin().as_fd(), &before, input)?
        }
        Err(_) => {
            err.write_all(b"Warning: Password input may be echoed.\n")?;
            err.write_all(QUESTION)?;
            input.line(None)
        }
    };
    if matches!(answer, Heard::Line(_)) {
        err.write_all(b"\n")?;
    }
    Ok(answer)
}

/// Reads a line from a terminal that does not show it; it is put back to what it was `before`.
fn hidden(terminal: BorrowedFd<'_>, before: &Termios, input: &mut Input) -> io::Result<Heard> {
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    tcsetattr(terminal, OptionalActions::Flush, &silent)?;
    let answer = input.line(None);
    tcsetattr(terminal, OptionalActions::Flush, before)?;
    Ok(answer)
}
