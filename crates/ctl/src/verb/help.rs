//! `help`: lists the verbs, or prints the help of one. The table of verbs is a parameter.

use crate::error::CtlError;
use crate::session::Session;
use crate::verb::api::{Completion, HelpGroup, Verb, print_help};

/// The verb; its `run` must pass the table of verbs to [`run`].
pub(super) const fn verb(run: fn(&mut Session, &str) -> Result<(), CtlError>) -> Verb {
    Verb {
        name: "help",
        help: &["help\t\tPrint a list of available actions", "help <action>\tPrint help for <action>"],
        completes: Completion::VerbNames,
        help_group: HelpGroup::Unlisted,
        run,
        ..Verb::ORIGINAL
    }
}

/// The width of the list, in columns.
const WIDTH: usize = 79;

pub(super) fn run(session: &mut Session, rest: &str, verbs: &[Verb]) -> Result<(), CtlError> {
    if rest.is_empty() {
        session.print("");
        print_group(session, "default", HelpGroup::Original, verbs);
        print_group(session, "ironlance", HelpGroup::Ours, verbs);
        return Ok(());
    }
    match verbs.iter().find(|verb| verb.name == rest && !verb.help.is_empty()) {
        Some(verb) => {
            print_help(session, verb);
            // In a pipe the output is the original's.
            if session.terminal().is_terminal {
                extension_lines(verb).iter().for_each(|line| session.print(line));
            }
        }
        None => session.print_sanitized(&format!("*** No help on {rest}")),
    }
    Ok(())
}

/// Help lines for what a verb can do beyond the original.
fn extension_lines(verb: &Verb) -> Vec<&'static str> {
    let title: &[&str] = if verb.extensions.is_empty() { &[] } else { &["", "ironlance:"] };
    [title, verb.extensions].concat()
}

fn print_group(session: &mut Session, title: &str, group: HelpGroup, verbs: &[Verb]) {
    let names: Vec<&str> =
        verbs.iter().filter(|verb| verb.help_group == group).map(|verb| verb.name).collect();
    if names.is_empty() {
        return;
    }
    let title = format!("{title} commands (type help <topic>):");
    session.print(&title);
    session.print(&"=".repeat(title.len()));
    columns(&names, WIDTH).iter().for_each(|line| session.print(line));
    session.print("");
}

/// Names in columns, column by column, in as few lines as fit into `width` (Python's cmd.py, columnize). Columns are
/// two spaces apart; the last name of a line is padded to its column.
fn columns(names: &[&str], width: usize) -> Vec<String> {
    let layout = |rows: usize| -> Vec<usize> {
        names.chunks(rows).map(|column| column.iter().map(|name| name.len()).max().unwrap_or(0)).collect()
    };
    let fits = |widths: &Vec<usize>| widths.iter().sum::<usize>() + 2 * (widths.len() - 1) <= width;
    let (rows, widths) = (1..names.len())
        .map(|rows| (rows, layout(rows)))
        .find(|(_, widths)| fits(widths))
        .unwrap_or_else(|| (names.len().max(1), vec![0]));
    let line = |row: usize| {
        let cells = names.chunks(rows).zip(&widths);
        let cells = cells.filter_map(|(column, width)| column.get(row).map(|name| format!("{name:<width$}")));
        cells.collect::<Vec<String>>().join("  ")
    };
    (0..rows).map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verb::table::find;

    #[test]
    fn what_is_ours_stands_behind_a_title() {
        let lines = extension_lines(find("start").unwrap());
        assert_eq!(lines[..2], ["", "ironlance:"]);
        assert!(lines[2].starts_with("--timeout <seconds>\tWait"), "{lines:?}");
        assert_eq!(extension_lines(find("pid").unwrap()), [""; 0]);
    }

    #[test]
    fn names_stand_in_columns_as_python_puts_them() {
        assert_eq!(columns(&["a", "bb", "c", "dd", "e"], 8), ["a   dd", "bb  e ", "c "]);
        assert_eq!(columns(&["one"], 79), ["one"]);
        assert_eq!(columns(&["long-name", "longer-name"], 5), ["long-name", "longer-name"]);
    }
}
