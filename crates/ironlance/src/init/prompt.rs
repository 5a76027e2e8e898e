//! [`Prompter`]: asks questions on a terminal, with a default in brackets, and again when an answer cannot be used.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, BufRead, Write};
use std::thread;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;
use thiserror::Error;

/// Maximum bytes of an answer.
const MAX_LINE: u64 = 64 * 1024;
/// Unusable answers to one question before giving up.
const MAX_TRIES: usize = 20;

/// Why there is no answer.
#[derive(Debug, Error)]
pub(super) enum NoAnswer {
    /// The input has ended.
    #[error("cannot go on: the answers have ended; nothing was written")]
    EndOfInput,
    /// No answer could be used.
    #[error("cannot go on: no answer could be used; nothing was written")]
    TooManyTries,
    /// The system refuses.
    #[error("cannot ask: {0}")]
    Io(#[from] io::Error),
}

/// Writes questions to `output` and reads answers from `input`.
pub(super) struct Prompter<R, W> {
    pub(super) input: R,
    pub(super) output: W,
    asked: usize,
}

/// A question.
pub(super) struct PromptText<'a> {
    pub(super) title: &'a str,
    /// How to answer, a line.
    pub(super) hint: &'a str,
    /// What an empty answer means; empty for nothing.
    pub(super) default: &'a str,
}

impl<R: BufRead, W: Write> Prompter<R, W> {
    pub(super) const fn new(input: R, output: W) -> Self {
        Self { input, output, asked: 0 }
    }

    /// Asks until `read` accepts the answer.
    pub(super) fn ask<T, E: Display>(
        &mut self,
        question: &PromptText<'_>,
        mut read: impl FnMut(&str) -> Result<T, E>,
    ) -> Result<T, NoAnswer> {
        let PromptText { title, hint, default } = question;
        self.asked += 1;
        writeln!(self.output, "{}. {title}\n   {hint}", self.asked)?;
        for _ in 0..MAX_TRIES {
            let brackets = if default.is_empty() { "nothing" } else { default };
            write!(self.output, "   [{brackets}] ")?;
            self.output.flush()?;
            let line = self.line()?;
            let answer = if line.is_empty() { default } else { line.as_str() };
            match read(answer) {
                Ok(value) => {
                    writeln!(self.output)?;
                    return Ok(value);
                }
                Err(error) => writeln!(self.output, "   {error}")?,
            }
        }
        Err(NoAnswer::TooManyTries)
    }

    /// Asks for a secret; `terminal` does not echo it.
    pub(super) fn secret(&mut self, prompt: &str, terminal: &File) -> Result<String, NoAnswer> {
        write!(self.output, "   {prompt} (not shown): ")?;
        self.output.flush()?;
        let dark = HiddenInput::new(terminal);
        let line = self.line();
        drop(dark);
        writeln!(self.output, "\n")?;
        line
    }

    /// A line without its end and the space around it.
    fn line(&mut self) -> Result<String, NoAnswer> {
        let mut bytes = Vec::new();
        let read = io::Read::take(&mut self.input, MAX_LINE).read_until(b'\n', &mut bytes)?;
        if read == 0 {
            return Err(NoAnswer::EndOfInput);
        }
        Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
    }
}

/// Restores the terminal when a signal ends this process while a password is typed.
pub(super) fn restore_terminal_on_signal(terminal: &File) -> io::Result<()> {
    let before = tcgetattr(terminal)?;
    let terminal = terminal.try_clone()?;
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGQUIT])?;
    let restore = move || {
        for signal in signals.forever() {
            let _ = tcsetattr(&terminal, OptionalActions::Now, &before);
            let _ = emulate_default_handler(signal);
        }
    };
    thread::Builder::new().name("signals".into()).spawn(restore).map(drop)
}

/// Turns off the echo of a terminal until this is dropped.
struct HiddenInput<'a> {
    terminal: &'a File,
    before: Option<Termios>,
}

impl<'a> HiddenInput<'a> {
    fn new(terminal: &'a File) -> Self {
        let before = tcgetattr(terminal).ok();
        if let Some(before) = &before {
            let mut dark = before.clone();
            dark.local_modes.remove(LocalModes::ECHO);
            // On failure the input is echoed, which is better than no answer.
            let _ = tcsetattr(terminal, OptionalActions::Flush, &dark);
        }
        Self { terminal, before }
    }
}

impl Drop for HiddenInput<'_> {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            let _ = tcsetattr(self.terminal, OptionalActions::Flush, before);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUESTION: PromptText<'_> = PromptText { title: "How many?", hint: "A number.", default: "3" };

    fn asked(input: &str) -> (Result<u8, NoAnswer>, String) {
        let mut ask = Prompter::new(input.as_bytes(), Vec::new());
        let answer = ask.ask(&QUESTION, |text| text.parse::<u8>());
        (answer, String::from_utf8(ask.output).unwrap())
    }

    #[test]
    fn an_empty_answer_is_the_default_and_a_bad_one_is_asked_for_again() {
        let (answer, said) = asked("\n");
        assert_eq!((answer.unwrap(), said.as_str()), (3, "1. How many?\n   A number.\n   [3] \n"));
        let (answer, said) = asked("x\n 7 \n");
        assert_eq!(answer.unwrap(), 7);
        assert!(said.contains("invalid digit"), "{said}");
    }

    #[test]
    fn it_ends_with_its_input_and_is_not_patient_for_ever() {
        assert!(matches!(asked("").0, Err(NoAnswer::EndOfInput)));
        assert!(matches!(asked(&"x\n".repeat(100)).0, Err(NoAnswer::TooManyTries)));
    }
}
