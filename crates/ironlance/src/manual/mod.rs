//! `ironlance manual`: the manual pages, made of the help of all commands.
//!
//! ```text
//!   help of each command (CommandReference) ──┐
//!   supervisorctl's verbs ──▶ verbs ──────────┼──▶ roff_page
//!   docs/configuration.md ──▶ document ───────┤
//!   what stands nowhere else: facts ──────────┘
//! ```

mod document;
mod facts;
mod pager;
mod roff_page;
pub(crate) mod verbs;

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Parser;
use ironlance_core::cli::help::{CommandHelp, HelpBlock, HelpEntry};
use roff::roman;

use facts::FACTS;
use ironlance_ctl::reference::Origin;
use roff_page::Page;

use crate::usage::{self, CommandReference};

/// Prints a manual page, or writes all of them
#[derive(Debug, Parser)]
#[command(
    name = "ironlance manual",
    after_help = "On a terminal the page is shown as man shows it; into a pipe or a file goes its source.\n\
        To have them where man looks: ironlance manual --folder /usr/local/share/man"
)]
pub(crate) struct Args {
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

/// The command; `args` without its own name. `overview` is the binary itself.
pub(crate) fn main(args: &[String], overview: &CommandReference, commands: &[CommandReference]) -> ExitCode {
    usage::run(args, 1, |args: Args| {
        let sheets = sheets(overview, commands);
        match &args.folder {
            Some(folder) => write_all(&sheets, folder)?,
            None => print(&sheets, &args.name)?,
        }
        Ok(ExitCode::SUCCESS)
    })
}

fn print(sheets: &[Sheet], name: &str) -> Result<()> {
    // `ironlance outbox` has its page under ironlance-outbox; either name is understood.
    let wanted = sheets.iter().find(|sheet| sheet.name == name || sheet.name == format!("ironlance-{name}"));
    let Some(sheet) = wanted else {
        let names: Vec<&str> = sheets.iter().map(|sheet| sheet.name.as_str()).collect();
        bail!("cannot find a page {name:?}: there are {}", names.join(", "));
    };
    if io::stdout().is_terminal() {
        return pager::show(&sheet.text);
    }
    io::stdout().write_all(sheet.text.as_bytes()).context("cannot print the page")
}

fn write_all(sheets: &[Sheet], folder: &Path) -> Result<()> {
    for sheet in sheets {
        let part = folder.join(format!("man{}", sheet.section));
        fs::create_dir_all(&part).with_context(|| format!("cannot make {}", part.display()))?;
        let file = part.join(format!("{}.{}", sheet.name, sheet.section));
        fs::write(&file, &sheet.text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

/// Every page, ironlance's first.
fn sheets(overview: &CommandReference, commands: &[CommandReference]) -> Vec<Sheet> {
    let names = commands.iter().map(title).map(|(name, section)| format!("{name}({section})"));
    let mut sheets = vec![sheet(overview, &names.collect::<Vec<_>>())];
    sheets.extend(commands.iter().map(|command| sheet(command, relatives(command))));
    let mut configuration = document::page();
    see_also(&mut configuration, &["supervisord(8)", "supervisorctl(1)", "echo_supervisord_conf(1)"]);
    sheets.push(Sheet { name: "supervisord.conf".to_owned(), section: 5, text: configuration.render() });
    sheets
}

/// The name and section of a command's page.
fn title(command: &CommandReference) -> (String, u8) {
    match command.command {
        "supervisord" => ("supervisord".to_owned(), 8),
        "ironlance" => ("ironlance".to_owned(), 1),
        link if command.is_link() => (link.to_owned(), 1),
        name => (format!("ironlance-{name}"), 1),
    }
}

fn sheet(command: &CommandReference, relatives: &[impl AsRef<str>]) -> Sheet {
    let (name, section) = title(command);
    let mut page = Page::new(&name, section, command.about);
    page.help(&command.help);
    command.help.subcommands.iter().for_each(|help| subcommand(&mut page, help));
    if name == "supervisorctl" {
        verbs(&mut page);
    }
    for facts in FACTS.iter().filter(|facts| facts.pages.contains(&name.as_str())) {
        page.heading(facts.title);
        for (term, text) in facts.rows {
            page.entry([roff::bold(*term)], [roman(*text)]);
        }
    }
    see_also(&mut page, relatives);
    Sheet { name, section, text: page.render() }
}

/// A subcommand: its own options are not in the command's help.
fn subcommand(page: &mut Page, help: &CommandHelp) {
    page.subheading(&help.usage);
    let is_help = |block: &&HelpBlock| matches!(block, HelpBlock::Entry(entry) if entry.short == Some('h'));
    let blocks = help.sections.iter().flat_map(|section| &section.blocks);
    blocks.filter(|block| !is_help(block)).for_each(|block| page.block(block));
}

/// The verbs, the original's first.
fn verbs(page: &mut Page) {
    for (origin, title) in [(Origin::Original, "Actions"), (Origin::Ours, "Actions of ironlance")] {
        page.heading(title);
        for verb in verbs::verbs().into_iter().filter(|verb| verb.origin == origin) {
            page.subheading(verb.name);
            forms(page, &verb.forms);
            if !verb.ours.is_empty() {
                page.paragraph([roman("Of ironlance:")]);
                forms(page, &verb.ours);
            }
        }
    }
}

fn forms(page: &mut Page, forms: &[HelpEntry]) {
    for form in forms {
        if form.text.is_empty() {
            page.paragraph([roman(form.term.as_str())]);
        } else {
            page.help_entry(form);
        }
    }
}

fn see_also(page: &mut Page, names: &[impl AsRef<str>]) {
    page.heading("See also");
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    page.paragraph([roman(names.join(", "))]);
}

/// What is read beside a page.
fn relatives(command: &CommandReference) -> &'static [&'static str] {
    match command.command {
        "supervisord" => &["supervisorctl(1)", "supervisord.conf(5)", "ironlance(1)"],
        "supervisorctl" => &["supervisord(8)", "supervisord.conf(5)", "ironlance(1)"],
        "pidproxy" | "echo_supervisord_conf" => &["supervisord(8)", "supervisord.conf(5)"],
        _ if command.is_link() => &["supervisord(8)", "supervisord.conf(5)", "ironlance-outbox(1)"],
        _ => &["ironlance(1)", "supervisord(8)"],
    }
}
