//! One argument taken apart, in the way that Python's getopt and optparse have in common: [`take_options`].

use super::UsageError;
use super::table::{OptionArg, OptionFault, OptionSpec, Takes, find_long, find_short};

/// Whether an argument is one or more options, or `--`.
pub(super) fn is_option(arg: &str) -> bool {
    arg.len() > 1 && arg.starts_with('-')
}

/// Gives the options of `arg`, a long one or some letters, to `met`. A value may be the next of `rest`, and is used up then.
/// `words` says what is wrong with the option of a name.
pub(super) fn take_options<'r, T, E, F: From<UsageError>>(
    rows: &'r [OptionSpec<T, E>],
    arg: &str,
    rest: &mut std::slice::Iter<'_, String>,
    words: fn(&str, &OptionFault) -> String,
    mut met: impl FnMut(&'r OptionSpec<T, E>, OptionArg) -> Result<(), F>,
) -> Result<(), F> {
    let refuse = |name: &str, fault| UsageError(words(name, &fault));
    if let Some(long) = arg.strip_prefix("--") {
        let (name, attached) = match long.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (long, None),
        };
        let row = find_long(rows, name).map_err(|fault| refuse(&format!("--{name}"), fault))?;
        let name = format!("--{}", row.long);
        if row.takes == Takes::Nothing && attached.is_some() {
            return Err(refuse(&name, OptionFault::UnwantedValue).into());
        }
        let value = value_of(row.takes, attached, rest).map_err(|fault| refuse(&name, fault))?;
        return met(row, OptionArg { name, value });
    }
    let mut letters = arg[1..].chars();
    while let Some(letter) = letters.next() {
        let name = format!("-{letter}");
        let row = find_short(rows, letter).ok_or_else(|| refuse(&name, OptionFault::Unknown))?;
        let attached = Some(letters.as_str()).filter(|text| row.takes != Takes::Nothing && !text.is_empty());
        let value = value_of(row.takes, attached, rest).map_err(|fault| refuse(&name, fault))?;
        met(row, OptionArg { name, value })?;
        if attached.is_some() {
            break;
        }
    }
    Ok(())
}

/// The value of an option: what is attached to it, else the next argument, which is then used up.
/// There may have to be one.
fn value_of(
    takes: Takes,
    attached: Option<&str>,
    rest: &mut std::slice::Iter<'_, String>,
) -> Result<Option<String>, OptionFault> {
    if let Some(attached) = attached {
        return Ok(Some(attached.to_owned()));
    }
    match takes {
        Takes::Nothing => Ok(None),
        Takes::Value(_) => rest.next().cloned().map(Some).ok_or(OptionFault::MissingValue),
        Takes::OptionalNumber(_) => {
            let next = rest.as_slice().first();
            let is_number =
                next.is_some_and(|next| !next.is_empty() && next.bytes().all(|b| b.is_ascii_digit()));
            Ok(if is_number { rest.next().cloned() } else { None })
        }
    }
}
