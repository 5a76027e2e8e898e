//! Tells in the terminal what happens: a line in plain words, and below it the mail.

use std::env;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::time::Duration;

use super::config::PROGRAMS;
use super::letter::Letter;
use super::tally::Line;

/// A terminal of 80 columns shows everything.
const COLUMNS: usize = 79;
/// Before the text of an event: `00:07  `.
const INDENT: usize = 7;

/// A colour of the terminal, as its SGR parameter (ECMA-48, 8.3.117).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colour {
    Bold = 1,
    Dim = 2,
    Red = 31,
    Green = 32,
    Cyan = 36,
}

/// Whether colours are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paint {
    Plain,
    Coloured,
}

impl Paint {
    /// Colours on a terminal that can, unless `NO_COLOR` forbids them (no-color.org).
    pub(super) fn of_terminal() -> Self {
        let forbidden = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = env::var_os("TERM").is_none_or(|term| term == "dumb");
        if io::stdout().is_terminal() && !forbidden && !dumb { Self::Coloured } else { Self::Plain }
    }
}

/// Writes the story. Its errors are those of the output.
pub(super) struct Narrator<W> {
    pub(super) out: W,
    pub(super) paint: Paint,
}

impl<W: Write> Narrator<W> {
    /// What is shown, where it is, and how to look inside.
    pub(super) fn opening(&mut self, folder: &Path, ending: &str) -> io::Result<()> {
        let title = self.painted(Colour::Bold, "ironlance demo");
        writeln!(self.out, "{title}: programs go wrong, and a mail tells of each\n")?;
        for program in &PROGRAMS {
            let name = self.painted(Colour::Bold, &format!("{:<7}", program.name));
            writeln!(self.out, "  {name} {:<30} -> {}", program.about, program.watched_by)?;
        }
        let folder = folder.display();
        writeln!(
            self.out,
            "\n  folder  {folder}\n  socket  {folder}/supervisor.sock\n\n\
             Look inside from another terminal:\n  tail -f {folder}/supervisord.log\n\n{ending}\n"
        )
    }

    /// A line, or several, about something that happened `at` a time since the start.
    pub(super) fn event(&mut self, at: Duration, colour: Colour, text: &str) -> io::Result<()> {
        let clock = self.painted(Colour::Dim, &clock(at));
        for (index, line) in fold(text, COLUMNS - INDENT).iter().enumerate() {
            let line = self.painted(colour, line);
            match index {
                0 => writeln!(self.out, "{clock}  {line}")?,
                _ => writeln!(self.out, "{:INDENT$}{line}", "")?,
            }
        }
        self.out.flush()
    }

    /// A mail: all of it when it is its listener's `first`, otherwise without the details.
    pub(super) fn mail(&mut self, letter: &Letter, nth: usize) -> io::Result<()> {
        self.quote(Colour::Dim, &format!("From: {}   To: {}", letter.listener, letter.to))?;
        if let Some(subject) = &letter.subject {
            self.quote(Colour::Cyan, &format!("Subject: {subject}"))?;
        }
        self.quote(Colour::Dim, "")?;
        let text = if nth == 1 { letter.text.trim_end() } else { letter.words() };
        for line in text.lines() {
            self.quote_plain(line)?;
        }
        if text.len() < letter.text.trim_end().len() {
            self.quote(Colour::Dim, "(and Details, as in the first one)")?;
        }
        writeln!(self.out)?;
        self.out.flush()
    }

    /// What was expected and what came.
    pub(super) fn summary(&mut self, lines: &[Line], turned_away: usize) -> io::Result<()> {
        let title = self.painted(Colour::Bold, "What came");
        writeln!(self.out, "\n{title}")?;
        for line in lines {
            let (colour, sign) = if line.is_well { (Colour::Green, "ok") } else { (Colour::Red, "!!") };
            let sign = self.painted(colour, sign);
            writeln!(self.out, "  {sign} {:<15} {:>3}  {}", line.name, line.count, line.remark)?;
        }
        writeln!(self.out, "     {:<15} {turned_away:>3}  while the mail server was down", "tries in vain")?;
        let (colour, verdict) = match lines.iter().all(|line| line.is_well) {
            true => (Colour::Green, "yes"),
            false => (Colour::Red, "no"),
        };
        let verdict = self.painted(colour, verdict);
        writeln!(self.out, "\nAll expected mails arrived, none was lost, none came twice: {verdict}")?;
        self.out.flush()
    }

    fn quote_plain(&mut self, text: &str) -> io::Result<()> {
        let bar = self.painted(Colour::Dim, "|");
        for line in fold(text, COLUMNS - INDENT - 2) {
            writeln!(self.out, "{}", format!("{:INDENT$}{bar} {line}", "").trim_end())?;
        }
        Ok(())
    }

    fn quote(&mut self, colour: Colour, text: &str) -> io::Result<()> {
        let bar = self.painted(Colour::Dim, "|");
        for line in fold(text, COLUMNS - INDENT - 2) {
            let line = self.painted(colour, &line);
            writeln!(self.out, "{}", format!("{:INDENT$}{bar} {line}", "").trim_end())?;
        }
        Ok(())
    }

    fn painted(&self, colour: Colour, text: &str) -> String {
        match self.paint {
            Paint::Coloured if !text.is_empty() => format!("\x1b[{}m{text}\x1b[0m", colour as u8),
            Paint::Coloured | Paint::Plain => text.to_owned(),
        }
    }
}

fn clock(at: Duration) -> String {
    format!("{:02}:{:02}", at.as_secs() / 60, at.as_secs() % 60)
}

/// What a mail means, in plain words.
pub(super) fn explain(letter: &Letter) -> String {
    let count = |needle: &str| letter.text.matches(needle).count();
    let times = |n: usize| if n == 1 { "1 crash".to_owned() } else { format!("{n} crashes") };
    match letter.listener.as_str() {
        "crashmail" => {
            let how = letter.detail("ended").map(|ended| format!(" ({ended})")).unwrap_or_default();
            format!("flaky crashed{how}; supervisord starts it again, and crashmail tells")
        }
        "crashmailbatch" => {
            let crashes = times(count("died unexpectedly"));
            format!("crashmailbatch sums up 15 seconds in one mail: {crashes}")
        }
        "fatalmailbatch" => "supervisord gave up starting broken: fatalmailbatch tells".to_owned(),
        "crashsms" => {
            let crashes = times(count("exited unexpectedly"));
            format!(
                "crashsms sends a short message, {} characters: {crashes}",
                letter.text.trim_end().chars().count()
            )
        }
        "httpok" => "the shop's page hung: httpok restarted the shop".to_owned(),
        "memmon" => "the worker that leaks was restarted by memmon".to_owned(),
        other => format!("a mail of {other}"),
    }
}

/// Breaks a line at its blanks, or anywhere if it has none; what follows is indented as the line is.
fn fold(text: &str, width: usize) -> Vec<String> {
    let indent: String = text.chars().take_while(|c| *c == ' ').take(width / 2).collect();
    let mut lines = Vec::new();
    let mut rest = text;
    loop {
        let prefix = if lines.is_empty() { "" } else { indent.as_str() };
        let room = width - prefix.len();
        let Some((end, _)) = rest.char_indices().nth(room) else {
            lines.push(format!("{prefix}{rest}"));
            return lines;
        };
        // A break within the indent would make an empty line, and no progress.
        let whole = rest[end..].starts_with(' ').then_some(end);
        let blank = whole.or_else(|| rest[..end].rfind(' ')).filter(|at| !rest[..*at].trim().is_empty());
        let at = blank.unwrap_or(end);
        lines.push(format!("{prefix}{}", rest[..at].trim_end()));
        rest = rest[at..].trim_start();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn told(paint: Paint, tell: impl FnOnce(&mut Narrator<Vec<u8>>)) -> String {
        let mut narrator = Narrator { out: Vec::new(), paint };
        tell(&mut narrator);
        String::from_utf8(narrator.out).unwrap()
    }

    fn crash() -> Letter {
        let text = "It died\n\nDetails:\nended:  exit status 3\n".to_owned();
        Letter {
            listener: "crashmail".into(),
            to: "ops@x".into(),
            subject: Some(" x".into()),
            text,
            ..Letter::default()
        }
    }

    #[test]
    fn an_event_has_its_time_and_colours_only_when_wanted() {
        let tell = |narrator: &mut Narrator<Vec<u8>>| {
            narrator.event(Duration::from_secs(67), Colour::Red, "x").unwrap();
        };
        assert_eq!(told(Paint::Plain, tell), "01:07  x\n");
        assert_eq!(told(Paint::Coloured, tell), "\x1b[2m01:07\x1b[0m  \x1b[31mx\x1b[0m\n");
    }

    #[test]
    fn the_first_mail_of_a_listener_is_shown_whole_and_the_next_without_details() {
        assert!(told(Paint::Plain, |it| it.mail(&crash(), 1).unwrap()).contains("exit status 3"));
        let second = told(Paint::Plain, |it| it.mail(&crash(), 2).unwrap());
        assert!(second.contains("       | It died\n") && !second.contains("exit status 3"), "{second}");
    }

    #[test]
    fn a_mail_is_explained_by_who_sent_it_and_what_it_says() {
        assert_eq!(
            explain(&crash()),
            "flaky crashed (exit status 3); supervisord starts it again, and crashmail tells"
        );
        let sms = Letter {
            listener: "crashsms".into(),
            text: "[x] exited unexpectedly\n".into(),
            ..Letter::default()
        };
        assert_eq!(explain(&sms), "crashsms sends a short message, 23 characters: 1 crash");
    }

    #[test]
    fn lines_are_broken_at_blanks_and_keep_their_indent() {
        assert_eq!(fold("  one two three", 9), ["  one two", "  three"]);
        assert_eq!(fold("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(fold("", 3), [""]);
    }

    proptest! {
        #[test]
        fn no_line_is_wider_than_allowed(text in "[ a-zü]{0,60}", width in 2_usize..20) {
            for line in fold(&text, width) {
                prop_assert!(line.chars().count() <= width, "{line:?}");
            }
        }
    }
}
