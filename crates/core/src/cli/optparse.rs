//! Arguments as Python's optparse takes them apart: options may stand anywhere, and act as they are met.

use super::UsageError;
use super::table::{Lookup, OptionArg, OptionSpec, Takes, find_long, find_short, value_of};

/// Lets each option act on `target`, and gives back the arguments that are none.
pub fn parse<T, E: From<UsageError>>(
    rows: &[OptionSpec<T, E>],
    args: &[String],
    target: &mut T,
) -> Result<Vec<String>, E> {
    let mut operands = Vec::new();
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        if arg == "--" {
            operands.extend(rest.by_ref().cloned());
        } else if let Some(long) = arg.strip_prefix("--") {
            take_long(rows, long, &mut rest, target)?;
        } else if let Some(cluster) = arg.strip_prefix('-').filter(|cluster| !cluster.is_empty()) {
            take_shorts(rows, cluster, &mut rest, target)?;
        } else {
            operands.push(arg.clone());
        }
    }
    Ok(operands)
}

fn take_long<T, E: From<UsageError>>(
    rows: &[OptionSpec<T, E>],
    text: &str,
    rest: &mut std::slice::Iter<'_, String>,
    target: &mut T,
) -> Result<(), E> {
    let (name, attached) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (text, None),
    };
    let row = match find_long(rows, name) {
        Lookup::Found(row) => row,
        Lookup::Unknown => return Err(UsageError(format!("no such option: --{name}")).into()),
        Lookup::Ambiguous(mut names) => {
            names.sort_unstable();
            let names: Vec<String> = names.iter().map(|name| format!("--{name}")).collect();
            return Err(UsageError(format!("ambiguous option: --{name} ({}?)", names.join(", "))).into());
        }
    };
    let name = format!("--{}", row.long);
    if row.takes == Takes::Nothing && attached.is_some() {
        return Err(UsageError(format!("{name} option does not take a value")).into());
    }
    act(row, name, attached, rest, target)
}

fn take_shorts<T, E: From<UsageError>>(
    rows: &[OptionSpec<T, E>],
    cluster: &str,
    rest: &mut std::slice::Iter<'_, String>,
    target: &mut T,
) -> Result<(), E> {
    let mut letters = cluster.chars();
    while let Some(letter) = letters.next() {
        let name = format!("-{letter}");
        let row = find_short(rows, letter).ok_or_else(|| UsageError(format!("no such option: {name}")))?;
        let attached = Some(letters.as_str()).filter(|text| row.takes != Takes::Nothing && !text.is_empty());
        act(row, name, attached, rest, target)?;
        if attached.is_some() {
            break;
        }
    }
    Ok(())
}

fn act<T, E: From<UsageError>>(
    row: &OptionSpec<T, E>,
    name: String,
    attached: Option<&str>,
    rest: &mut std::slice::Iter<'_, String>,
    target: &mut T,
) -> Result<(), E> {
    let value = value_of(row.takes, attached, rest)
        .map_err(|_| UsageError(format!("{name} option requires 1 argument")))?;
    row.setter.apply(target, &OptionArg { name, value })
}
