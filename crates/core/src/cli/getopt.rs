//! Arguments as Python's getopt.getopt takes them apart: it stops at the first that is no option.

use super::UsageError;
use super::scan::{is_option, take_options};
use super::table::{OptionArg, OptionFault, OptionSpec};

/// An option that was met, and its row in the table.
pub struct ParsedOption<'r, T, E> {
    /// Its row.
    pub row: &'r OptionSpec<T, E>,
    /// How it was written, and its value.
    pub arg: OptionArg,
}

/// The options in their order, and the arguments behind them.
pub type ParsedArgs<'r, 'a, T, E> = (Vec<ParsedOption<'r, T, E>>, &'a [String]);

/// Takes `args` apart, up to the first that is no option.
pub fn parse<'r, 'a, T, E>(
    rows: &'r [OptionSpec<T, E>],
    args: &'a [String],
) -> Result<ParsedArgs<'r, 'a, T, E>, UsageError> {
    let mut hits = Vec::new();
    let mut rest = args.iter();
    while let Some(arg) = rest.as_slice().first().filter(|arg| is_option(arg)) {
        rest.next();
        if arg == "--" {
            break;
        }
        take_options(rows, arg, &mut rest, words, |row, arg| {
            hits.push(ParsedOption { row, arg });
            Ok::<(), UsageError>(())
        })?;
    }
    Ok((hits, rest.as_slice()))
}

/// Lets each option do its work, in order.
pub fn apply<T, E>(hits: &[ParsedOption<'_, T, E>], target: &mut T) -> Result<(), E> {
    hits.iter().try_for_each(|hit| hit.row.setter.apply(target, &hit.arg))
}

fn words(name: &str, fault: &OptionFault) -> String {
    let what = match fault {
        OptionFault::Unknown => "not recognized",
        OptionFault::Ambiguous(_) => "not a unique prefix",
        OptionFault::UnwantedValue => "must not have an argument",
        OptionFault::MissingValue => "requires argument",
    };
    format!("option {name} {what}")
}
