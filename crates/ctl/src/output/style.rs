//! Text for terminals: colours, columns, wrapping, and escaping of control characters.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use ironlance_core::ProcessState;
pub(crate) use ironlance_core::text::escape::{escape_controls, is_terminal_control};
use ironlance_host::local_time::LocalClock;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::output::buffer::TerminalInfo;

/// A parameter of the SGR escape sequence (ECMA-48).
type Sgr = &'static str;

const RED: Sgr = "31";
const GREEN: Sgr = "32";
const YELLOW: Sgr = "33";
const DIM: Sgr = "2";

/// Whether an EXITED process ended as its configuration expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExitExpectation {
    /// Its status is one of its `exitcodes`.
    Expected,
    /// Another status, or a signal.
    Unexpected,
}

impl ExitExpectation {
    /// By the exit status alone, where `exitcodes` are not known: 0 is expected.
    pub(crate) const fn of_status(status: i64) -> Self {
        if status == 0 { Self::Expected } else { Self::Unexpected }
    }
}

const fn state_colour(state: ProcessState, expectation: ExitExpectation) -> Sgr {
    match (state, expectation) {
        (ProcessState::Running, _) => GREEN,
        (ProcessState::Starting | ProcessState::Stopping | ProcessState::Backoff, _) => YELLOW,
        (ProcessState::Fatal | ProcessState::Unknown, _)
        | (ProcessState::Exited, ExitExpectation::Unexpected) => RED,
        (ProcessState::Stopped, _) | (ProcessState::Exited, ExitExpectation::Expected) => DIM,
    }
}

/// The name of a state, coloured if the terminal has colours.
pub(crate) fn state(state: ProcessState, expectation: ExitExpectation, terminal: TerminalInfo) -> String {
    coloured(state.name(), state_colour(state, expectation), terminal)
}

/// A warning, red if the terminal has colours.
pub(crate) fn warning(text: &str, terminal: TerminalInfo) -> String {
    coloured(text, RED, terminal)
}

fn coloured(text: &str, colour: Sgr, terminal: TerminalInfo) -> String {
    if terminal.colour { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
}

/// A line of `status`.
#[derive(Clone, Debug)]
pub(crate) struct StatusRow<'a> {
    /// The process's name as shown.
    pub(crate) namespec: String,
    /// The name of its state, from supervisord.
    pub(crate) word: &'a str,
    /// Its state.
    pub(crate) state: ProcessState,
    /// Matters only when it is EXITED.
    pub(crate) expectation: ExitExpectation,
    /// Supervisord's description.
    pub(crate) description: &'a str,
}

/// The smallest width of the name column, and the gap after it, as in the original.
const NAME_COLUMN: usize = 30;
const NAME_GAP: usize = 3;
/// The width of the state column, as in the original.
const STATE_COLUMN: usize = 10;

/// The lines of `status`. In a pipe they are the original's, byte for byte, with columns in characters; on a terminal
/// columns are cells of the screen.
pub(crate) fn status(rows: &[StatusRow<'_>], terminal: TerminalInfo) -> Vec<String> {
    let names: Vec<Cow<'_, str>> = rows.iter().map(|row| sanitized(&row.namespec, terminal)).collect();
    let measure = |text: &str| if terminal.is_terminal { text.width() } else { text.chars().count() };
    let column = names.iter().map(|name| measure(name)).fold(NAME_COLUMN, usize::max) + NAME_GAP;
    let line = |(row, name): (&StatusRow<'_>, &Cow<'_, str>)| {
        let word =
            coloured(&sanitized(row.word, terminal), state_colour(row.state, row.expectation), terminal);
        let gap = " ".repeat(column - measure(name));
        let behind = " ".repeat(STATE_COLUMN.saturating_sub(measure(row.word)));
        format!("{name}{gap}{word}{behind}{}", sanitized(row.description, terminal))
    };
    rows.iter().zip(&names).map(line).collect()
}

/// Escapes control characters on a terminal; leaves text for a pipe unchanged.
pub(crate) fn sanitized(text: &str, terminal: TerminalInfo) -> Cow<'_, str> {
    if terminal.is_terminal { escape_controls(text).into() } else { text.into() }
}

/// A local date and time, of seconds since 1970.
pub(crate) fn date_and_time(clock: &LocalClock, seconds: u64) -> String {
    let at = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
    clock.local(at.unwrap_or(SystemTime::UNIX_EPOCH)).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// The width of `text` on a screen, in columns.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// Pads `text` with blanks to `columns`; longer text is unchanged.
pub(crate) fn pad(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(text.width())))
}

/// Truncates `text` to `columns`, with `…` where something was cut.
pub(crate) fn truncate(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let room = columns.saturating_sub(1);
    let mut used = 0;
    let fits = |character: &char| {
        used += character.width().unwrap_or(0);
        used <= room
    };
    let mut out: String = text.chars().take_while(fits).collect();
    // Some characters are wider together than the sum of each.
    while out.width() > room {
        out.pop();
    }
    if columns > 0 {
        out.push('…');
    }
    out
}

/// Wraps `text` at blanks to lines of at most `columns`; all but the first begin with `indent` blanks. A word longer
/// than a line is broken at the line's end. Only blanks are dropped.
pub(crate) fn wrap(text: &str, columns: usize, indent: usize) -> Vec<String> {
    let start = " ".repeat(indent);
    let mut lines = Vec::new();
    let mut rest = text;
    loop {
        let is_first = lines.is_empty();
        let room = if is_first { columns } else { columns.saturating_sub(indent) };
        let (line, after) = break_line(rest, room.max(2), if is_first { indent } else { 0 });
        lines.push(if is_first { line.to_owned() } else { format!("{start}{line}") });
        if after.is_empty() {
            return lines;
        }
        rest = after;
    }
}

/// Splits `text` into what fits in `room` columns and the rest. It is not split in its first `label` bytes.
fn break_line(text: &str, room: usize, label: usize) -> (&str, &str) {
    if text.width() <= room {
        return (text, "");
    }
    let ends = text.char_indices().map(|(at, character)| at + character.len_utf8());
    let fitting = ends.take_while(|end| text[..*end].width() <= room).last();
    let end = fitting.unwrap_or_else(|| text.chars().next().map_or(0, char::len_utf8));
    if text[end..].starts_with(' ') {
        return (&text[..end], text[end..].trim_start_matches(' '));
    }
    match text[..end].rfind(' ').filter(|blank| *blank > label) {
        Some(blank) => (text[..blank].trim_end_matches(' '), &text[blank + 1..]),
        None => text.split_at(end),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PIPE: TerminalInfo = TerminalInfo { columns: 80, colour: false, is_terminal: false };
    const SCREEN: TerminalInfo = TerminalInfo { columns: 80, colour: true, is_terminal: true };

    fn row(name: &str, state: ProcessState, description: &'static str) -> StatusRow<'static> {
        StatusRow {
            namespec: name.into(),
            word: state.name(),
            state,
            expectation: ExitExpectation::Expected,
            description,
        }
    }

    #[test]
    fn in_a_pipe_status_is_the_originals() {
        let rows = [row("cat", ProcessState::Running, "pid 7, uptime 0:00:01")];
        let line = "cat                              RUNNING   pid 7, uptime 0:00:01";
        assert_eq!(status(&rows, PIPE), [line]);
        let long = "a".repeat(40);
        let lines = status(&[row(&long, ProcessState::Stopped, "Not started"), rows[0].clone()], PIPE);
        assert_eq!(lines[0], format!("{long}   STOPPED   Not started"));
        assert_eq!(lines[1], format!("{:43}RUNNING   pid 7, uptime 0:00:01", "cat"));
    }

    #[test]
    fn on_a_terminal_the_state_is_coloured_and_wide_names_take_what_they_take() {
        let rows = [row("队列", ProcessState::Fatal, "x"), row("q", ProcessState::Running, "y")];
        let lines = status(&rows, SCREEN);
        assert_eq!(lines[0], format!("队列{}\x1b[31mFATAL\x1b[0m     x", " ".repeat(29)));
        assert_eq!(lines[1], format!("q{}\x1b[32mRUNNING\x1b[0m   y", " ".repeat(32)));
    }

    #[test]
    fn an_unexpected_end_is_red_and_an_expected_one_is_not() {
        assert!(state(ProcessState::Exited, ExitExpectation::of_status(1), SCREEN).contains("[31m"));
        assert!(state(ProcessState::Exited, ExitExpectation::of_status(0), SCREEN).contains("[2m"));
        assert_eq!(state(ProcessState::Exited, ExitExpectation::Unexpected, PIPE), "EXITED");
    }

    #[test]
    fn what_a_terminal_would_obey_is_shown_instead() {
        assert_eq!(
            escape_controls("a\x1b[2Jb\r\n\tc\u{9b}\u{202e}d é队"),
            "a\\x1b[2Jb\\r\\n\\tc\\u{9b}\\u{202e}d é队"
        );
    }

    #[test]
    fn text_is_cut_by_columns() {
        assert_eq!(truncate("hello", 5), "hello");
        assert_eq!(truncate("hello!", 5), "hell…");
        assert_eq!(truncate("队列队列", 5), "队列…");
        assert_eq!(truncate("x", 0), "");
        assert_eq!(pad("队", 4), "队  ");
    }

    #[test]
    fn text_is_wrapped_at_blanks_and_its_lines_stand_below_each_other() {
        assert_eq!(wrap("  by   somebody else", 20, 5), ["  by   somebody else"]);
        assert_eq!(wrap("  by   somebody else", 16, 7), ["  by   somebody", "       else"]);
        assert_eq!(
            wrap("  by   incomprehensibilities", 16, 7),
            ["  by   incompreh", "       ensibilit", "       ies"]
        );
        assert_eq!(wrap("", 10, 3), [""]);
    }

    proptest! {
        #[test]
        fn what_is_wrapped_fits_and_nothing_is_lost(text in any::<String>(), columns in 12_usize..60, indent in 0_usize..8) {
            let plain = escape_controls(&text);
            let lines = wrap(&plain, columns, indent);
            for line in &lines {
                prop_assert!(width(line) <= columns, "{lines:?}");
            }
            let letters = |text: &str| text.chars().filter(|character| *character != ' ').collect::<String>();
            prop_assert_eq!(letters(&lines.concat()), letters(&plain));
        }

        #[test]
        fn what_is_cut_fits_and_what_is_plain_has_no_controls(text in any::<String>(), columns in 0_usize..40) {
            let plain = escape_controls(&text);
            prop_assert!(!plain.chars().any(char::is_control));
            prop_assert!(width(&truncate(&plain, columns)) <= columns);
        }
    }
}
