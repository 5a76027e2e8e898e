//! Tells in the terminal what happens: a line for each event, and the text of a mail below its line.

use std::env;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use super::config::PROGRAMS;
use super::letter::Letter;
use super::tally::{Line, Mark};

/// A terminal of 80 columns shows everything.
const COLUMNS: usize = 79;
/// Before the name of whom an event is about: `00:07  `.
const CLOCK: usize = 7;
/// Before the text of an event: the time, and the name.
const INDENT: usize = CLOCK + 8;

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

/// How to look at the demo from outside.
pub(super) struct Doors<'a> {
    pub(super) page: &'a str,
    /// A command line.
    pub(super) control: &'a str,
    pub(super) log: &'a str,
}

/// How the demo ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Everything had its time.
    Whole,
    /// Somebody stopped it before.
    Early,
}

/// How much of a mail is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Excerpt {
    /// All of it.
    Whole,
    /// Without its details.
    Words,
}

/// Writes the story. Its errors are those of the output.
pub(super) struct Narrator<W> {
    pub(super) out: W,
    pub(super) paint: Paint,
}

impl<W: Write> Narrator<W> {
    /// What is shown, and how to look inside.
    pub(super) fn opening(&mut self, doors: &Doors<'_>, ending: &str) -> io::Result<()> {
        let title = self.painted(Colour::Bold, "ironlance demo");
        writeln!(self.out, "{title}: five programs, and who mails when one goes wrong\n")?;
        for program in &PROGRAMS {
            let name = self.painted(Colour::Bold, &format!("{:<7}", program.name));
            writeln!(self.out, "  {name} {:<30} -> {}", program.about, program.watched_by)?;
        }
        writeln!(self.out, "\nWhile it runs:")?;
        let Doors { page, control, log } = doors;
        for (name, value) in [("web page", page), ("in a shell", control), ("its log", log)] {
            writeln!(self.out, "  {name:<11} {}", self.painted(Colour::Bold, value))?;
        }
        writeln!(self.out, "\n{ending}\n")
    }

    /// A line, or several, about something that happened to `who`, `at` a time since the start.
    pub(super) fn event(&mut self, at: Duration, who: &str, colour: Colour, text: &str) -> io::Result<()> {
        let clock = self.painted(Colour::Dim, &clock(at));
        let who = self.painted(Colour::Bold, &format!("{who:<7}"));
        for (index, line) in fold(text, COLUMNS - INDENT).iter().enumerate() {
            let line = self.painted(colour, line);
            match index {
                0 => writeln!(self.out, "{clock}  {who} {line}")?,
                _ => writeln!(self.out, "{:INDENT$}{line}", "")?,
            }
        }
        self.out.flush()
    }

    /// A mail's text.
    pub(super) fn mail(&mut self, letter: &Letter, excerpt: Excerpt) -> io::Result<()> {
        let text = match excerpt {
            Excerpt::Whole => letter.text.trim_end(),
            Excerpt::Words => letter.words(),
        };
        let bar = self.painted(Colour::Dim, "|");
        for line in text.lines().flat_map(|line| fold(line, COLUMNS - CLOCK - 2)) {
            writeln!(self.out, "{}", format!("{:CLOCK$}{bar} {line}", "").trim_end())?;
        }
        writeln!(self.out)?;
        self.out.flush()
    }

    /// What was expected and what came; what is missing could still have come where the demo was stopped early.
    pub(super) fn summary(&mut self, lines: &[Line], turned_away: usize, ending: Ending) -> io::Result<()> {
        let title = self.painted(Colour::Bold, "What came");
        writeln!(self.out, "\n{title}")?;
        for line in lines {
            let (colour, sign) = match (line.mark, ending) {
                (Mark::Well, _) => (Colour::Green, "ok"),
                (Mark::Missing, Ending::Early) => (Colour::Dim, ".."),
                (Mark::Missing | Mark::Wrong, _) => (Colour::Red, "!!"),
            };
            let sign = self.painted(colour, sign);
            writeln!(self.out, "  {sign} {:<15} {:>3}  {}", line.name, line.count, line.remark)?;
        }
        writeln!(self.out, "     {:<15} {turned_away:>3}  while the mail server was down", "tries in vain")?;
        let is_wrong = lines.iter().any(|line| line.mark == Mark::Wrong);
        let (colour, verdict) = match lines.iter().all(|line| line.mark == Mark::Well) {
            true => (Colour::Green, "yes"),
            false => (Colour::Red, "no"),
        };
        match ending {
            Ending::Early if is_wrong => {
                writeln!(self.out, "\nIt was stopped early, and something came that should not have come.")?;
            }
            Ending::Early => writeln!(
                self.out,
                "\nIt was stopped early: what is marked .. had not come by then, and still could\n\
                 have. Nothing came twice, and nothing without a reason."
            )?,
            Ending::Whole => {
                let verdict = self.painted(colour, verdict);
                writeln!(
                    self.out,
                    "\nAll expected mails arrived, none was lost, none came twice: {verdict}"
                )?;
            }
        }
        self.out.flush()
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
            narrator.event(Duration::from_secs(67), "flaky", Colour::Red, "x").unwrap();
        };
        assert_eq!(told(Paint::Plain, tell), "01:07  flaky   x\n");
        assert!(told(Paint::Coloured, tell).ends_with("\x1b[31mx\x1b[0m\n"));
    }

    #[test]
    fn a_mail_is_shown_whole_or_without_its_details() {
        let whole = told(Paint::Plain, |it| it.mail(&crash(), Excerpt::Whole).unwrap());
        assert!(whole.contains("       | It died\n") && whole.contains("exit status 3"), "{whole}");
        let words = told(Paint::Plain, |it| it.mail(&crash(), Excerpt::Words).unwrap());
        assert!(words.contains("       | It died\n") && !words.contains("exit status 3"), "{words}");
    }

    #[test]
    fn what_is_missing_is_a_fault_only_when_everything_had_its_time() {
        let line = |mark| Line { name: "memmon", count: 0, remark: "at least one expected".into(), mark };
        let summed = |mark, ending| told(Paint::Plain, |it| it.summary(&[line(mark)], 0, ending).unwrap());
        let early = summed(Mark::Missing, Ending::Early);
        assert!(early.contains("  .. memmon") && early.contains("It was stopped early: "), "{early}");
        assert!(!early.contains("!!") && !early.contains("none was lost"), "{early}");
        assert!(early.lines().all(|line| line.chars().count() <= COLUMNS), "{early}");
        let wrong = summed(Mark::Wrong, Ending::Early);
        assert!(wrong.contains("  !! memmon") && wrong.contains("should not have come"), "{wrong}");
        let whole = summed(Mark::Missing, Ending::Whole);
        assert!(whole.contains("  !! memmon") && whole.ends_with("none came twice: no\n"), "{whole}");
    }

    #[test]
    fn nothing_is_wider_than_a_terminal_but_what_is_to_be_copied() {
        let doors = Doors { page: "http://127.0.0.1:54321/", control: "x", log: "y" };
        let opening = told(Paint::Plain, |it| {
            it.opening(
                &doors,
                "It ends after 30 seconds, with up to 8 more for mails under way; or at Ctrl-C.",
            )
            .unwrap();
        });
        assert!(opening.lines().all(|line| line.chars().count() <= COLUMNS), "{opening}");
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
