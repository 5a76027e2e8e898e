//! Arguments as Python's optparse takes them apart: options may stand anywhere, and act as they are met.

use super::UsageError;
use super::scan::{is_option, take_options};
use super::table::{OptionFault, OptionSpec};

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
        } else if is_option(arg) {
            take_options(rows, arg, &mut rest, words, |row, arg| row.setter.apply(target, &arg))?;
        } else {
            operands.push(arg.clone());
        }
    }
    Ok(operands)
}

fn words(name: &str, fault: &OptionFault) -> String {
    match fault {
        OptionFault::Unknown => format!("no such option: {name}"),
        OptionFault::Ambiguous(names) => {
            let mut names = names.clone();
            names.sort_unstable();
            format!("ambiguous option: {name} (--{}?)", names.join(", --"))
        }
        OptionFault::UnwantedValue => format!("{name} option does not take a value"),
        OptionFault::MissingValue => format!("{name} option requires 1 argument"),
    }
}
