//! The table of a command's options, from which come its parsing and its help.

/// One option: how it is written, and how it is applied to the settings `T`.
pub struct OptionSpec<T, E> {
    /// Its letter.
    pub short: Option<char>,
    /// Its name, without `--`.
    pub long: &'static str,
    /// What follows it.
    pub takes: Takes,
    /// Where it comes from.
    pub origin: OptionOrigin,
    /// What it does, for the help.
    pub help: &'static str,
    /// Applies it.
    pub(super) setter: Setter<T, E>,
}

/// Applies an option to the settings `T`; some options cannot fail.
pub enum Setter<T, E> {
    /// Cannot fail.
    Infallible(fn(&mut T, &OptionArg)),
    /// Fails on an unusable value.
    Fallible(fn(&mut T, &OptionArg) -> Result<(), E>),
}

impl<T, E> Setter<T, E> {
    pub(super) fn apply(&self, target: &mut T, arg: &OptionArg) -> Result<(), E> {
        match self {
            Self::Infallible(set) => {
                set(target, arg);
                Ok(())
            }
            Self::Fallible(set) => set(target, arg),
        }
    }
}

/// What a function for a [`Setter`] returns: nothing, or a result.
pub trait SetterOutput<E>: Sized {
    /// The setter of the function.
    fn setter<T>(set: fn(&mut T, &OptionArg) -> Self) -> Setter<T, E>;
}

impl<E> SetterOutput<E> for () {
    fn setter<T>(set: fn(&mut T, &OptionArg)) -> Setter<T, E> {
        Setter::Infallible(set)
    }
}

impl<E> SetterOutput<E> for Result<(), E> {
    fn setter<T>(set: fn(&mut T, &OptionArg) -> Self) -> Setter<T, E> {
        Setter::Fallible(set)
    }
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

/// Where an option comes from. The original's come first when a long name is abbreviated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptionOrigin {
    /// It is an option of the original.
    Original,
    /// It is an extension.
    Ours,
}

/// An option as it was met on a command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionArg {
    /// `-p`, or the long name in full: `--program`.
    pub name: String,
    /// Its value, if it has one.
    pub value: Option<String>,
}

impl OptionArg {
    /// The value; empty for an option without one.
    pub fn value(&self) -> &str {
        self.value.as_deref().unwrap_or_default()
    }
}

/// An option that the original has.
pub fn original<T, E, R: SetterOutput<E>>(
    short: impl Into<Option<char>>,
    long: &'static str,
    takes: Takes,
    help: &'static str,
    set: fn(&mut T, &OptionArg) -> R,
) -> OptionSpec<T, E> {
    OptionSpec { short: short.into(), origin: OptionOrigin::Original, ..ours(long, takes, help, set) }
}

/// An extension.
pub fn ours<T, E, R: SetterOutput<E>>(
    long: &'static str,
    takes: Takes,
    help: &'static str,
    set: fn(&mut T, &OptionArg) -> R,
) -> OptionSpec<T, E> {
    OptionSpec { short: None, long, takes, origin: OptionOrigin::Ours, help, setter: R::setter(set) }
}

impl<T, E> OptionSpec<T, E> {
    /// The same with a short name as well.
    pub fn short(self, short: char) -> Self {
        Self { short: Some(short), ..self }
    }
}

/// Why an option of a command line cannot be taken.
pub(super) enum OptionFault {
    /// There is none of this name.
    Unknown,
    /// The long names that begin so, in the table's order.
    Ambiguous(Vec<&'static str>),
    /// It has a value, and takes none.
    UnwantedValue,
    /// The command line ended where its value should have been.
    MissingValue,
}

/// Finds the option of the long name `text`, without its `--`, or of which `text` is the beginning.
///
/// A full name always means itself. A beginning that the original knows means what it means there; ours are
/// looked at only after that.
pub(super) fn find_long<'r, T, E>(
    rows: &'r [OptionSpec<T, E>],
    text: &str,
) -> Result<&'r OptionSpec<T, E>, OptionFault> {
    if let Some(row) = rows.iter().find(|row| row.long == text) {
        return Ok(row);
    }
    for origin in [OptionOrigin::Original, OptionOrigin::Ours] {
        let hits: Vec<&OptionSpec<T, E>> =
            rows.iter().filter(|row| row.origin == origin && row.long.starts_with(text)).collect();
        match hits.as_slice() {
            [] => {}
            [row] => return Ok(row),
            several => return Err(OptionFault::Ambiguous(several.iter().map(|row| row.long).collect())),
        }
    }
    Err(OptionFault::Unknown)
}

/// Finds the option of a letter.
pub(super) fn find_short<T, E>(rows: &[OptionSpec<T, E>], letter: char) -> Option<&OptionSpec<T, E>> {
    rows.iter().find(|row| row.short == Some(letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Vec<OptionSpec<(), ()>> {
        let row = |long, origin| OptionSpec {
            short: None,
            long,
            takes: Takes::Nothing,
            origin,
            help: "",
            setter: Setter::Infallible(|(), _| ()),
        };
        vec![
            row("program", OptionOrigin::Original),
            row("email", OptionOrigin::Original),
            row("eager", OptionOrigin::Original),
            row("smtpHost", OptionOrigin::Original),
            row("password-file", OptionOrigin::Ours),
            row("from", OptionOrigin::Ours),
            row("for", OptionOrigin::Ours),
            row("fork", OptionOrigin::Ours),
        ]
    }

    fn found(text: &str) -> String {
        match find_long(&table(), text) {
            Ok(row) => row.long.to_owned(),
            Err(OptionFault::Ambiguous(names)) => names.join("?"),
            Err(_) => "-".to_owned(),
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
