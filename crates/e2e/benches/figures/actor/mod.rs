//! The parts that this program plays itself when a daemon runs it: `figures --act NAME ARGUMENTS`.

mod burst;
mod listener;
pub(crate) mod loggen;
mod pinger;
mod post;

use std::env;
use std::fs::File;
use std::io::Write;

use anyhow::{Context, bail};

/// Plays a part with what comes after its name.
type Scenario = fn(&[String]) -> anyhow::Result<()>;

/// Parts by their names.
const PARTS: &[(&str, Scenario)] = &[
    ("alive", post::alive),
    ("burst", burst::play),
    ("listener", listener::play),
    ("loggen", loggen::play),
    ("mailer", post::mailer),
    ("pinger", pinger::play),
];

/// Plays the part that the arguments name.
pub(crate) fn play(args: &[String]) -> anyhow::Result<()> {
    let name = args.first().map(String::as_str).unwrap_or_default();
    match PARTS.iter().find(|(part, _)| *part == name) {
        Some((_, play)) => play(&args[1..]),
        None => bail!("cannot play {name:?}"),
    }
}

/// The command line of a part.
pub(crate) fn command(part: &str) -> anyhow::Result<String> {
    let binary = env::current_exe().context("cannot tell where we are")?;
    Ok(format!("{} --act {part}", binary.display()))
}

/// The argument at this place.
fn text(args: &[String], index: usize) -> anyhow::Result<&str> {
    args.get(index).map(String::as_str).with_context(|| format!("cannot play without argument {index}"))
}

/// The number at this place.
fn number(args: &[String], index: usize) -> anyhow::Result<usize> {
    let text = text(args, index)?;
    text.parse().with_context(|| format!("cannot take {text:?} for a number"))
}

/// Where to report to, and a line of it as one write.
struct Desk(File);

impl Desk {
    fn open(path: &str) -> anyhow::Result<Self> {
        // In both directions, so that nobody waits for a reader.
        let file = File::options().read(true).write(true).open(path);
        file.map(Self).with_context(|| format!("cannot open {path}"))
    }

    fn report(&mut self, line: &str) -> anyhow::Result<()> {
        self.0.write_all(format!("{line}\n").as_bytes()).context("cannot report")
    }
}
