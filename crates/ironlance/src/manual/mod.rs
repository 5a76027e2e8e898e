//! `ironlance manual`: the manual pages, made of what the commands say of themselves.
//!
//! ```text
//!   ironlance NAME --help ──▶ ask ──▶ help ──┐
//!   supervisorctl's verbs ────▶ ask ─────────┼──▶ page ──▶ roff
//!   docs/configuration.md ──▶ document ──────┤
//!   what is said nowhere else: facts ────────┘
//! ```

pub(crate) mod ask;
mod document;
mod facts;
pub(crate) mod help;
mod page;
mod reader;

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Parser;
use roff::roman;

use ask::Asked;
use facts::FACTS;
use help::{Block, Entry};
use ironlance_ctl::reference::Origin;
use page::Page;

use crate::usage;

/// Prints a manual page, or writes all of them
#[derive(Debug, Parser)]
#[command(
    name = "ironlance manual",
    after_help = "On a terminal the page is shown as man shows it; into a pipe or a file goes its source.\n\
        To have them where man looks: ironlance manual --folder /usr/local/share/man"
)]
struct Args {
    /// The page: ironlance, a command of its list, or supervisord.conf
    #[arg(default_value = "ironlance")]
    name: String,
    /// Write all pages into man1, man5 and man8 of this folder
    #[arg(long, value_name = "DIR", conflicts_with = "name")]
    folder: Option<PathBuf>,
}

/// A page, ready to be read by man.
struct Sheet {
    name: String,
    section: u8,
    text: String,
}

/// The command; `args` without its own name.
pub(crate) fn main(args: &[String]) -> ExitCode {
    let args: Args = match usage::parse("ironlance manual", args) {
        Ok(args) => args,
        Err(status) => return status,
    };
    let done = match &args.folder {
        Some(folder) => write_all(folder),
        None => print(&args.name),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "ironlance manual: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn print(name: &str) -> Result<()> {
    let sheets = sheets()?;
    // `ironlance outbox` has its page under ironlance-outbox; either name is understood.
    let wanted = sheets.iter().find(|sheet| sheet.name == name || sheet.name == format!("ironlance-{name}"));
    let Some(sheet) = wanted else {
        let names: Vec<&str> = sheets.iter().map(|sheet| sheet.name.as_str()).collect();
        bail!("cannot find a page {name:?}: there are {}", names.join(", "));
    };
    if io::stdout().is_terminal() {
        return reader::show(&sheet.text);
    }
    io::stdout().write_all(sheet.text.as_bytes()).context("cannot print the page")
}

fn write_all(folder: &Path) -> Result<()> {
    for sheet in sheets()? {
        let part = folder.join(format!("man{}", sheet.section));
        fs::create_dir_all(&part).with_context(|| format!("cannot make {}", part.display()))?;
        let file = part.join(format!("{}.{}", sheet.name, sheet.section));
        fs::write(&file, &sheet.text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

/// Every page, ironlance's first.
fn sheets() -> Result<Vec<Sheet>> {
    let commands = ask::commands()?;
    let names: Vec<(String, u8)> = commands.iter().map(title).collect();
    let mut sheets = vec![overview(&ask::ourselves()?, &names)];
    for command in &commands {
        sheets.push(sheet(command)?);
    }
    let mut configuration = document::page();
    see_also(&mut configuration, &["supervisord(8)", "supervisorctl(1)", "echo_supervisord_conf(1)"]);
    sheets.push(Sheet { name: "supervisord.conf".to_owned(), section: 5, text: configuration.render() });
    Ok(sheets)
}

/// The name and section of a command's page.
fn title(command: &Asked) -> (String, u8) {
    let section = if command.name == "supervisord" { 8 } else { 1 };
    (command.name.replace(' ', "-"), section)
}

/// `ironlance(1)`: what there is.
fn overview(ourselves: &Asked, names: &[(String, u8)]) -> Sheet {
    let mut page = Page::new("ironlance", 1, &ourselves.about);
    page.help(&ourselves.help);
    let names: Vec<String> = names.iter().map(|(name, section)| format!("{name}({section})")).collect();
    see_also(&mut page, &names);
    Sheet { name: "ironlance".to_owned(), section: 1, text: page.render() }
}

fn sheet(command: &Asked) -> Result<Sheet> {
    let (name, section) = title(command);
    let mut page = Page::new(&name, section, &command.about);
    page.help(&command.help);
    subcommands(&mut page, command)?;
    if name == "supervisorctl" {
        verbs(&mut page);
    }
    for facts in FACTS.iter().filter(|facts| facts.pages.contains(&name.as_str())) {
        page.heading(facts.title);
        for (term, text) in facts.rows {
            page.entry([roff::bold(*term)], [roman(*text)]);
        }
    }
    see_also(&mut page, relatives(&name));
    Ok(Sheet { name, section, text: page.render() })
}

/// The options of subcommands, which their command's help does not name.
fn subcommands(page: &mut Page, command: &Asked) -> Result<()> {
    for entry in command.help.part("commands").filter(|entry| entry.term != "help") {
        let help = ask::subcommand(&command.command, &entry.term)?;
        page.subheading(help.usage.first().map_or(entry.term.as_str(), String::as_str));
        for part in &help.parts {
            let told = |block: &&Block| !matches!(block, Block::Entry(entry) if entry.term == "-h, --help");
            part.blocks.iter().filter(told).for_each(|block| page.block(block));
        }
    }
    Ok(())
}

/// The verbs, the original's first.
fn verbs(page: &mut Page) {
    for (origin, title) in [(Origin::Original, "Actions"), (Origin::Ours, "Actions of ironlance")] {
        page.heading(title);
        for verb in ask::verbs().into_iter().filter(|verb| verb.origin == origin) {
            page.subheading(&verb.name);
            forms(page, &verb.forms);
            if !verb.ours.is_empty() {
                page.paragraph([roman("Of ironlance:")]);
                forms(page, &verb.ours);
            }
        }
    }
}

fn forms(page: &mut Page, forms: &[Entry]) {
    for form in forms {
        if form.text.is_empty() {
            page.paragraph([roman(form.term.as_str())]);
        } else {
            page.told(form);
        }
    }
}

fn see_also(page: &mut Page, names: &[impl AsRef<str>]) {
    page.heading("See also");
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    page.paragraph([roman(names.join(", "))]);
}

/// What is read beside a page.
fn relatives(name: &str) -> &'static [&'static str] {
    match name {
        "supervisord" => &["supervisorctl(1)", "supervisord.conf(5)", "ironlance(1)"],
        "supervisorctl" => &["supervisord(8)", "supervisord.conf(5)", "ironlance(1)"],
        "pidproxy" | "echo_supervisord_conf" => &["supervisord(8)", "supervisord.conf(5)"],
        _ if name.starts_with("ironlance-") => &["ironlance(1)", "supervisord(8)"],
        _ => &["supervisord(8)", "supervisord.conf(5)", "ironlance-outbox(1)"],
    }
}
