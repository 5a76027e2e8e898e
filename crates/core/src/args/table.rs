//! The table of a command's options, from which come its parsing and its help.

/// One option: how it is written, and what it does to the wishes `T`.
pub struct Row<T, E> {
    /// Its letter.
    pub short: Option<char>,
    /// Its name, without `--`.
    pub long: &'static str,
    /// What follows it.
    pub takes: Takes,
    /// Whose it is.
    pub origin: Origin,
    /// What it does, for the help.
    pub help: &'static str,
    /// Does it to the target.
    pub apply: fn(&mut T, &Given) -> Result<(), E>,
}

/// What follows an option; the words are for the help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Nothing.
    Nothing,
    /// A value that must be there.
    Value(&'static str),
    /// A number, or nothing.
    OptionalNumber(&'static str),
}

/// Whose option it is. The original's come first when a long name is abbreviated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It is an option of the original.
    Original,
    /// It is an option of ours.
    Ours,
}

/// An option as it was met on a command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// `-p`, or the long name in full: `--program`.
    pub name: String,
    /// Its value, if it has one.
    pub value: Option<String>,
}

impl Given {
    /// The value; empty for an option without one.
    pub fn value(&self) -> &str {
        self.value.as_deref().unwrap_or_default()
    }
}

/// An option that the original has.
pub fn original<T, E>(
    short: impl Into<Option<char>>,
    long: &'static str,
    takes: Takes,
    help: &'static str,
    apply: fn(&mut T, &Given) -> Result<(), E>,
) -> Row<T, E> {
    Row { short: short.into(), long, takes, origin: Origin::Original, help, apply }
}

/// An option of ours.
pub fn ours<T, E>(
    long: &'static str,
    takes: Takes,
    help: &'static str,
    apply: fn(&mut T, &Given) -> Result<(), E>,
) -> Row<T, E> {
    Row { short: None, long, takes, origin: Origin::Ours, help, apply }
}

impl<T, E> Row<T, E> {
    /// The same with a short name as well.
    pub fn short(self, short: char) -> Self {
        Self { short: Some(short), ..self }
    }
}

/// Which option a long name means.
pub enum Found<'r, T, E> {
    /// This one.
    Row(&'r Row<T, E>),
    /// The long names that begin so, in the table's order.
    Several(Vec<&'static str>),
    /// No option begins so.
    Nothing,
}

/// Finds the option of the long name `text`, without its `--`, or of which `text` is the beginning.
///
/// A full name always means itself. A beginning that the original knows means what it means there; ours are
/// looked at only after that.
pub fn find_long<'r, T, E>(rows: &'r [Row<T, E>], text: &str) -> Found<'r, T, E> {
    if let Some(row) = rows.iter().find(|row| row.long == text) {
        return Found::Row(row);
    }
    for origin in [Origin::Original, Origin::Ours] {
        let hits: Vec<&Row<T, E>> =
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
pub fn find_short<T, E>(rows: &[Row<T, E>], letter: char) -> Option<&Row<T, E>> {
    rows.iter().find(|row| row.short == Some(letter))
}

/// The value of an option: what is attached to it, else the next argument, which is then used up.
/// `Err` when there is none and there must be one.
pub fn value_of(
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
pub struct NoValue;

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Vec<Row<(), ()>> {
        let row = |long, origin| Row {
            short: None,
            long,
            takes: Takes::Nothing,
            origin,
            help: "",
            apply: |(), _| Ok(()),
        };
        vec![
            row("program", Origin::Original),
            row("email", Origin::Original),
            row("eager", Origin::Original),
            row("smtpHost", Origin::Original),
            row("password-file", Origin::Ours),
            row("from", Origin::Ours),
            row("for", Origin::Ours),
            row("fork", Origin::Ours),
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
