//! [`Printer`]: the demo's output on the terminal, with a line for each event and the text of a mail below its line.

use std::env;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use super::config::PROGRAMS;
use super::scorecard::{ScoreLine, ScoreMark};

/// Output fits into a terminal of 80 columns.
const COLUMNS: usize = 79;
/// Columns of the time: `00:07  `.
const CLOCK: usize = 7;
/// Columns of the time and the name, in front of the text of an event.
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

/// Whether there are colours: on a terminal that can, unless `NO_COLOR` forbids them (no-color.org).
pub(super) fn wants_colours() -> bool {
    let forbidden = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = env::var_os("TERM").is_none_or(|term| term == "dumb");
    io::stdout().is_terminal() && !forbidden && !dumb
}

/// How the demo ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DemoEnd {
    /// It ran for its full time.
    Complete,
    /// The user stopped it before.
    Interrupted,
}

/// Writes the output; errors are those of `out`.
pub(super) struct Printer<W> {
    pub(super) out: W,
    pub(super) is_coloured: bool,
}

impl<W: Write> Printer<W> {
    /// The introduction: the programs, and where to look while they run, by name.
    pub(super) fn opening(&mut self, places: &[(&str, String)], end: &str) -> io::Result<()> {
        let title = self.coloured(Colour::Bold, "ironlance demo");
        writeln!(self.out, "{title}: five programs, and who mails when one goes wrong\n")?;
        for program in &PROGRAMS {
            let name = self.coloured(Colour::Bold, &format!("{:<7}", program.name));
            writeln!(self.out, "  {name} {:<30} -> {}", program.about, program.watched_by)?;
        }
        writeln!(self.out, "\nWhile it runs:")?;
        for (name, value) in places {
            writeln!(self.out, "  {name:<11} {}", self.coloured(Colour::Bold, value))?;
        }
        writeln!(self.out, "\n{end}\n")
    }

    /// A line, or several, about something that happened to `who`, `at` a time since the start.
    pub(super) fn event(&mut self, at: Duration, who: &str, colour: Colour, text: &str) -> io::Result<()> {
        let clock = self.coloured(Colour::Dim, &clock(at));
        let who = self.coloured(Colour::Bold, &format!("{who:<7}"));
        for (index, line) in fold(text, COLUMNS - INDENT).iter().enumerate() {
            let line = self.coloured(colour, line);
            match index {
                0 => writeln!(self.out, "{clock}  {who} {line}")?,
                _ => writeln!(self.out, "{:INDENT$}{line}", "")?,
            }
        }
        self.out.flush()
    }

    /// The text of a mail.
    pub(super) fn mail(&mut self, text: &str) -> io::Result<()> {
        let bar = self.coloured(Colour::Dim, "|");
        for line in text.lines().flat_map(|line| fold(line, COLUMNS - CLOCK - 2)) {
            writeln!(self.out, "{}", format!("{:CLOCK$}{bar} {line}", "").trim_end())?;
        }
        writeln!(self.out)?;
        self.out.flush()
    }

    /// The summary. In a demo that was stopped early, a missing mail is no failure.
    pub(super) fn summary(
        &mut self,
        lines: &[ScoreLine],
        turned_away: usize,
        end: DemoEnd,
    ) -> io::Result<()> {
        let title = self.coloured(Colour::Bold, "What came");
        writeln!(self.out, "\n{title}")?;
        for line in lines {
            let (colour, sign) = match (line.mark, end) {
                (ScoreMark::Ok, _) => (Colour::Green, "ok"),
                (ScoreMark::Missing, DemoEnd::Interrupted) => (Colour::Dim, ".."),
                (ScoreMark::Missing | ScoreMark::Unexpected, _) => (Colour::Red, "!!"),
            };
            let sign = self.coloured(colour, sign);
            writeln!(self.out, "  {sign} {:<15} {:>3}  {}", line.name, line.count, line.remark)?;
        }
        writeln!(self.out, "     {:<15} {turned_away:>3}  while the mail server was down", "tries in vain")?;
        let is_wrong = lines.iter().any(|line| line.mark == ScoreMark::Unexpected);
        let (colour, verdict) = match lines.iter().all(|line| line.mark == ScoreMark::Ok) {
            true => (Colour::Green, "yes"),
            false => (Colour::Red, "no"),
        };
        match end {
            DemoEnd::Interrupted if is_wrong => {
                writeln!(self.out, "\nIt was stopped early, and something came that should not have come.")?;
            }
            DemoEnd::Interrupted => writeln!(
                self.out,
                "\nIt was stopped early: what is marked .. had not come by then, and still could\n\
                 have. Nothing came twice, and nothing without a reason."
            )?,
            DemoEnd::Complete => {
                let verdict = self.coloured(colour, verdict);
                writeln!(
                    self.out,
                    "\nAll expected mails arrived, none was lost, none came twice: {verdict}"
                )?;
            }
        }
        self.out.flush()
    }

    fn coloured(&self, colour: Colour, text: &str) -> String {
        if !self.is_coloured || text.is_empty() {
            return text.to_owned();
        }
        format!("\x1b[{}m{text}\x1b[0m", colour as u8)
    }
}

fn clock(at: Duration) -> String {
    format!("{:02}:{:02}", at.as_secs() / 60, at.as_secs() % 60)
}

/// Wraps a line at spaces, or anywhere if it has none; the rest is indented like the line.
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

    fn told(is_coloured: bool, tell: impl FnOnce(&mut Printer<Vec<u8>>)) -> String {
        let mut printer = Printer { out: Vec::new(), is_coloured };
        tell(&mut printer);
        String::from_utf8(printer.out).unwrap()
    }

    #[test]
    fn an_event_has_its_time_and_colours_only_when_wanted() {
        let tell = |printer: &mut Printer<Vec<u8>>| {
            printer.event(Duration::from_secs(67), "flaky", Colour::Red, "x").unwrap();
        };
        assert_eq!(told(false, tell), "01:07  flaky   x\n");
        assert!(told(true, tell).ends_with("\x1b[31mx\x1b[0m\n"));
    }

    #[test]
    fn a_mail_is_shown_behind_a_bar() {
        let shown = told(false, |it| it.mail("It died\n\nended").unwrap());
        assert_eq!(shown, "       | It died\n       |\n       | ended\n\n");
    }

    #[test]
    fn what_is_missing_is_a_fault_only_when_everything_had_its_time() {
        let line =
            |mark| ScoreLine { name: "memmon", count: 0, remark: "at least one expected".into(), mark };
        let summed = |mark, end| told(false, |it| it.summary(&[line(mark)], 0, end).unwrap());
        let early = summed(ScoreMark::Missing, DemoEnd::Interrupted);
        assert!(early.contains("  .. memmon") && early.contains("It was stopped early: "), "{early}");
        assert!(!early.contains("!!") && !early.contains("none was lost"), "{early}");
        assert!(early.lines().all(|line| line.chars().count() <= COLUMNS), "{early}");
        let wrong = summed(ScoreMark::Unexpected, DemoEnd::Interrupted);
        assert!(wrong.contains("  !! memmon") && wrong.contains("should not have come"), "{wrong}");
        let whole = summed(ScoreMark::Missing, DemoEnd::Complete);
        assert!(whole.contains("  !! memmon") && whole.ends_with("none came twice: no\n"), "{whole}");
    }

    #[test]
    fn nothing_is_wider_than_a_terminal_but_what_is_to_be_copied() {
        let links = [("web page", "http://127.0.0.1:54321/".to_owned())];
        let opening = told(false, |it| {
            it.opening(
                &links,
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
