//! Arguments as Python's getopt.getopt takes them apart: it stops at the first that is no option.

use super::UsageError;
use super::table::{Lookup, OptionArg, OptionSpec, Takes, find_long, find_short, value_of};

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
    while let Some(arg) = rest.as_slice().first() {
        if arg == "--" {
            rest.next();
            break;
        }
        if let Some(long) = arg.strip_prefix("--") {
            rest.next();
            hits.push(take_long(rows, long, &mut rest)?);
        } else if let Some(cluster) = arg.strip_prefix('-').filter(|cluster| !cluster.is_empty()) {
            rest.next();
            take_shorts(rows, cluster, &mut rest, &mut hits)?;
        } else {
            break;
        }
    }
    Ok((hits, rest.as_slice()))
}

/// Lets each option do its work, in order.
pub fn apply<T, E>(hits: &[ParsedOption<'_, T, E>], target: &mut T) -> Result<(), E> {
    hits.iter().try_for_each(|hit| hit.row.setter.apply(target, &hit.arg))
}

fn take_long<'r, T, E>(
    rows: &'r [OptionSpec<T, E>],
    text: &str,
    rest: &mut std::slice::Iter<'_, String>,
) -> Result<ParsedOption<'r, T, E>, UsageError> {
    let (name, attached) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (text, None),
    };
    let usage = |name: &str, what: &str| UsageError(format!("option --{name} {what}"));
    let row = match find_long(rows, name) {
        Lookup::Found(row) => row,
        Lookup::Ambiguous(_) => return Err(usage(name, "not a unique prefix")),
        Lookup::Unknown => return Err(usage(name, "not recognized")),
    };
    if row.takes == Takes::Nothing && attached.is_some() {
        return Err(usage(row.long, "must not have an argument"));
    }
    let value = value_of(row.takes, attached, rest).map_err(|_| usage(row.long, "requires argument"))?;
    Ok(ParsedOption { row, arg: OptionArg { name: format!("--{}", row.long), value } })
}

fn take_shorts<'r, T, E>(
    rows: &'r [OptionSpec<T, E>],
    cluster: &str,
    rest: &mut std::slice::Iter<'_, String>,
    hits: &mut Vec<ParsedOption<'r, T, E>>,
) -> Result<(), UsageError> {
    let mut letters = cluster.chars();
    while let Some(letter) = letters.next() {
        let usage = |what: &str| UsageError(format!("option -{letter} {what}"));
        let row = find_short(rows, letter).ok_or_else(|| usage("not recognized"))?;
        let attached = Some(letters.as_str()).filter(|text| row.takes != Takes::Nothing && !text.is_empty());
        let value = value_of(row.takes, attached, rest).map_err(|_| usage("requires argument"))?;
        hits.push(ParsedOption { row, arg: OptionArg { name: format!("-{letter}"), value } });
        if attached.is_some() {
            break;
        }
    }
    Ok(())
}
