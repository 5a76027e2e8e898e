//! Prompts: a question, yes or no, user name and password.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::error::CtlError;
use crate::session::Session;
use crate::terminal::line_reader::{LineReader, ReadLine};

/// Asks a question and returns the answer.
pub(crate) fn ask(session: &mut Session, question: &str) -> Result<String, CtlError> {
    session.flush();
    let outcome = match &mut session.editor {
        Some(editor) => editor.answer(question),
        None => {
            session.print_bytes(question.as_bytes());
            session.flush();
            session.input.read_line(None)
        }
    };
    match outcome {
        ReadLine::Line(line) => Ok(line),
        ReadLine::End => Err(CtlError::NoAnswer),
        ReadLine::Interrupted => Err(CtlError::Interrupted),
    }
}

/// Asks for user name and password, and sets them in the session.
pub(crate) fn ask_credentials(session: &mut Session) -> Result<(), CtlError> {
    let username = ask(session, "Username:")?;
    let password = ask_password(session)?;
    session.print("");
    session.options.username = Some(username);
    session.options.password = Some(password);
    session.disconnect();
    Ok(())
}

/// Asks for a password on the terminal without echo; without a terminal, on stdin.
fn ask_password(session: &mut Session) -> Result<String, CtlError> {
    let answer = match OpenOptions::new().read(true).write(true).open("/dev/tty") {
        Ok(terminal) => ask_on_terminal(&terminal),
        Err(_) => ask_on_stdin(&mut session.input, &mut io::stderr()),
    };
    match answer {
        Ok(ReadLine::Line(line)) => Ok(line),
        Ok(ReadLine::End | ReadLine::Interrupted) => Err(CtlError::NoAnswer),
        Err(reason) => Err(CtlError::System { what: "ask for the password", reason }),
    }
}

const PASSWORD_PROMPT: &[u8] = b"Password:";

fn ask_on_terminal(mut terminal: &File) -> io::Result<ReadLine> {
    let before = tcgetattr(terminal)?;
    terminal.write_all(PASSWORD_PROMPT)?;
    let mut input = LineReader::new(terminal.as_fd().try_clone_to_owned()?);
    let answer = read_without_echo(terminal.as_fd(), &before, &mut input)?;
    // The newline was not echoed either.
    terminal.write_all(b"\n")?;
    Ok(answer)
}

/// Asks on `err` and reads stdin, which may be a terminal that cannot be opened by name. Otherwise a warning says that
/// the password may be visible.
fn ask_on_stdin(input: &mut LineReader, err: &mut dyn Write) -> io::Result<ReadLine> {
    let answer = match tcgetattr(io::stdin()) {
        Ok(before) => {
            err.write_all(PASSWORD_PROMPT)?;
            read_without_echo(io::stdin().as_fd(), &before, input)?
        }
        Err(_) => {
            err.write_all(b"Warning: Password input may be echoed.\n")?;
            err.write_all(PASSWORD_PROMPT)?;
            input.read_line(None)
        }
    };
    if matches!(answer, ReadLine::Line(_)) {
        err.write_all(b"\n")?;
    }
    Ok(answer)
}

/// Reads a line without echo, then restores the terminal's settings from `before`.
fn read_without_echo(
    terminal: BorrowedFd<'_>,
    before: &Termios,
    input: &mut LineReader,
) -> io::Result<ReadLine> {
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    tcsetattr(terminal, OptionalActions::Flush, &silent)?;
    let answer = input.read_line(None);
    tcsetattr(terminal, OptionalActions::Flush, before)?;
    Ok(answer)
}
