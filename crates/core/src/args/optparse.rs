//! Arguments as Python's optparse takes them apart: options may stand anywhere, and act as they are met.

use super::Usage;
use super::table::{Found, Given, Row, Takes, find_long, find_short, value_of};

/// Lets each option act on `target`, and gives back the arguments that are none.
pub fn parse<T, E: From<Usage>>(
    rows: &[Row<T, E>],
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

fn take_long<T, E: From<Usage>>(
    rows: &[Row<T, E>],
    text: &str,
    rest: &mut std::slice::Iter<'_, String>,
    target: &mut T,
) -> Result<(), E> {
    let (name, attached) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (text, None),
    };
    let row = match find_long(rows, name) {
        Found::Row(row) => row,
        Found::Nothing => return Err(Usage(format!("no such option: --{name}")).into()),
        Found::Several(mut names) => {
            names.sort_unstable();
            let names: Vec<String> = names.iter().map(|name| format!("--{name}")).collect();
            return Err(Usage(format!("ambiguous option: --{name} ({}?)", names.join(", "))).into());
        }
    };
    let name = format!("--{}", row.long);
    if row.takes == Takes::Nothing && attached.is_some() {
        return Err(Usage(format!("{name} option does not take a value")).into());
    }
    act(row, name, attached, rest, target)
}

fn take_shorts<T, E: From<Usage>>(
    rows: &[Row<T, E>],
    cluster: &str,
    rest: &mut std::slice::Iter<'_, String>,
    target: &mut T,
) -> Result<(), E> {
    let mut letters = cluster.chars();
    while let Some(letter) = letters.next() {
        let name = format!("-{letter}");
        let row = find_short(rows, letter).ok_or_else(|| Usage(format!("no such option: {name}")))?;
        let attached = Some(letters.as_str()).filter(|text| row.takes != Takes::Nothing && !text.is_empty());
        act(row, name, attached, rest, target)?;
        if attached.is_some() {
            break;
        }
    }
    Ok(())
}

fn act<T, E: From<Usage>>(
    row: &Row<T, E>,
    name: String,
    attached: Option<&str>,
    rest: &mut std::slice::Iter<'_, String>,
    target: &mut T,
) -> Result<(), E> {
    let value = value_of(row.takes, attached, rest)
        .map_err(|_| Usage(format!("{name} option requires 1 argument")))?;
    (row.apply)(target, &Given { name, value })
}
