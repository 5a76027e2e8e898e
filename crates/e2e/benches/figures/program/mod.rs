//! Programs, mailers and listeners that this binary is when a daemon runs it: `figures --program NAME ARGUMENTS`.

mod announce;
mod burst;
mod echo_loop;
mod listener;
pub(crate) mod loggen;

use std::env;
use std::fs::File;
use std::io::Write;

use anyhow::{Context, bail};

/// Runs with the arguments after the name.
type Program = fn(&[String]) -> anyhow::Result<()>;

/// The programs by their names.
const PROGRAMS: &[(&str, Program)] = &[
    ("alive", announce::alive),
    ("burst", burst::run),
    ("listener", listener::run),
    ("loggen", loggen::run),
    ("mailer", announce::mailer),
    ("echo_loop", echo_loop::run),
];

/// Runs the program that the arguments name.
pub(crate) fn run(args: &[String]) -> anyhow::Result<()> {
    let name = args.first().map(String::as_str).unwrap_or_default();
    match PROGRAMS.iter().find(|(program, _)| *program == name) {
        Some((_, run)) => run(&args[1..]),
        None => bail!("cannot find the program {name:?}"),
    }
}

/// The command line of a program.
pub(crate) fn command(program: &str) -> anyhow::Result<String> {
    let binary = env::current_exe().context("cannot tell where we are")?;
    Ok(format!("{} --program {program}", binary.display()))
}

/// The argument at this place.
fn text(args: &[String], index: usize) -> anyhow::Result<&str> {
    args.get(index).map(String::as_str).with_context(|| format!("cannot run without argument {index}"))
}

/// The number at this place.
fn number(args: &[String], index: usize) -> anyhow::Result<usize> {
    let text = text(args, index)?;
    text.parse().with_context(|| format!("cannot take {text:?} for a number"))
}

/// The FIFO that reports go to; a line is one write.
struct ReportPipe(File);

impl ReportPipe {
    fn open(path: &str) -> anyhow::Result<Self> {
        // In both directions, so that opening does not wait for a reader.
        let file = File::options().read(true).write(true).open(path);
        file.map(Self).with_context(|| format!("cannot open {path}"))
    }

    fn report(&mut self, line: &str) -> anyhow::Result<()> {
        self.0.write_all(format!("{line}\n").as_bytes()).context("cannot report")
    }
}
