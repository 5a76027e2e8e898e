//! The table of a command's options, from which come its parsing and its help.

use super::refusal::Refusal;

/// One option: how it is written, and what it does to the wishes `T`.
pub(super) struct Row<T> {
    pub(super) short: Option<char>,
    pub(super) long: &'static str,
    pub(super) takes: Takes,
    pub(super) origin: Origin,
    pub(super) help: &'static str,
    pub(super) apply: fn(&mut T, &Given) -> Result<(), Refusal>,
}

/// What follows an option; the words are for the help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    Nothing,
    Value(&'static str),
    /// A number, or nothing.
    OptionalNumber(&'static str),
}

/// Whose option it is. Superlance's come first when a long name is abbreviated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Superlance,
    Ironlance,
}

/// An option as it was met on a command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Given {
    /// `-p`, or the long name in full: `--program`.
    pub(super) name: String,
    pub(super) value: Option<String>,
}

impl Given {
    /// The value; empty for an option without one.
    pub(super) fn value(&self) -> &str {
        self.value.as_deref().unwrap_or_default()
    }

    /// The value as a number from 1.
    pub(super) fn count(&self) -> Result<u32, Refusal> {
        let count = self.value().trim().parse().ok().filter(|count| *count > 0);
        count.ok_or_else(|| Refusal::value(self, "not a whole number from 1"))
    }
}

/// An option of superlance.
pub(super) fn superlance<T>(
    short: impl Into<Option<char>>,
    long: &'static str,
    takes: Takes,
    help: &'static str,
    apply: fn(&mut T, &Given) -> Result<(), Refusal>,
) -> Row<T> {
    Row { short: short.into(), long, takes, origin: Origin::Superlance, help, apply }
}

/// An option of ours.
pub(super) fn ironlance<T>(
    long: &'static str,
    takes: Takes,
    help: &'static str,
    apply: fn(&mut T, &Given) -> Result<(), Refusal>,
) -> Row<T> {
    Row { short: None, long, takes, origin: Origin::Ironlance, help, apply }
}

impl<T> Row<T> {
    /// The same with a short name as well.
    pub(super) fn short(self, short: char) -> Self {
        Self { short: Some(short), ..self }
    }
}

/// `-h`, which both parsers have.
pub(super) fn help_row<T>() -> Row<T> {
    superlance('h', "help", Takes::Nothing, "show this text and exit", |_, _| Err(Refusal::Help))
}

/// Which option a long name means.
pub(super) enum Found<'r, T> {
    Row(&'r Row<T>),
    /// The long names that begin so, in the table's order.
    Several(Vec<&'static str>),
    Nothing,
}

/// Finds the option of the long name `text`, without its `--`, or of which `text` is the beginning.
///
/// A full name always means itself. A beginning that superlance knows means what it means there; ours are
/// looked at only after that.
pub(super) fn find_long<'r, T>(rows: &'r [Row<T>], text: &str) -> Found<'r, T> {
    if let Some(row) = rows.iter().find(|row| row.long == text) {
        return Found::Row(row);
    }
    for origin in [Origin::Superlance, Origin::Ironlance] {
        let hits: Vec<&Row<T>> =
            rows.iter().filter(|row| row.origin == origin && row.long.starts_with(text)).collect();
        match hits.as_slice() {
            [] => {}
            [row] => return Found::Row(row),
            several => return Found::Several(several.iter().map(|row| row.long).collect()),
        }
    }
    Found::Nothing
}

/// Finds the option of a letter.
pub(super) fn find_short<T>(rows: &[Row<T>], letter: char) -> Option<&Row<T>> {
    rows.iter().find(|row| row.short == Some(letter))
}

/// The value of an option: what is attached to it, else the next argument, which is then used up.
/// `Err` when there is none and there must be one.
pub(super) fn value_of(
    takes: Takes,
    attached: Option<&str>,
    rest: &mut std::slice::Iter<'_, String>,
) -> Result<Option<String>, NoValue> {
    if let Some(attached) = attached {
        return Ok(Some(attached.to_owned()));
    }
    match takes {
        Takes::Nothing => Ok(None),
        Takes::Value(_) => rest.next().cloned().map(Some).ok_or(NoValue),
        Takes::OptionalNumber(_) => {
            let next = rest.as_slice().first();
            let is_number =
                next.is_some_and(|next| !next.is_empty() && next.bytes().all(|b| b.is_ascii_digit()));
            Ok(if is_number { rest.next().cloned() } else { None })
        }
    }
}

/// The command line ended where a value should have been.
pub(super) struct NoValue;

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Vec<Row<()>> {
        let row = |long, origin| Row {
            short: None,
            long,
            takes: Takes::Nothing,
            origin,
            help: "",
            apply: |(), _| Ok(()),
        };
        vec![
            row("program", Origin::Superlance),
            row("email", Origin::Superlance),
            row("eager", Origin::Superlance),
            row("smtpHost", Origin::Superlance),
            row("password-file", Origin::Ironlance),
            row("from", Origin::Ironlance),
            row("for", Origin::Ironlance),
            row("fork", Origin::Ironlance),
        ]
    }

    fn found(text: &str) -> String {
        match find_long(&table(), text) {
            Found::Row(row) => row.long.to_owned(),
            Found::Several(names) => names.join("?"),
            Found::Nothing => "-".to_owned(),
        }
    }

    #[test]
    fn a_full_name_wins_then_superlances_beginnings_then_ours() {
        for (text, long) in [
            ("for", "for"),
            ("p", "program"),
            ("pa", "password-file"),
            ("e", "email?eager"),
            ("fo", "for?fork"),
            ("f", "from?for?fork"),
            ("smtp", "smtpHost"),
            ("", "program?email?eager?smtpHost"),
            ("x", "-"),
            ("programs", "-"),
        ] {
            assert_eq!(found(text), long, "--{text}");
        }
    }
}
