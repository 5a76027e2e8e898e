//! The documents held against the binary: the options they name exist, and their examples are taken.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use ironlance_e2e::implementation::LISTENERS;
use ironlance_e2e::{Implementation, TestDir};

const BATCH_MAILERS: [&str; 3] = ["crashmailbatch", "fatalmailbatch", "crashsms"];

/// The documents whose examples are run.
const DOCUMENTS: [&str; 2] = ["docs/listeners.md", "docs/alerts.md"];

fn document(name: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    fs::read_to_string(root.join(name)).unwrap()
}

/// The parts of a document, each with its heading.
fn sections(text: &str) -> Vec<(&str, &str)> {
    let parts = text.split("\n## ").skip(1);
    parts.map(|part| part.split_once('\n').unwrap_or((part, ""))).collect()
}

/// The options in backquotes in a text: `-p`, `--program`; those behind a command's name are that command's.
fn options(text: &str) -> BTreeSet<String> {
    let quoted = text.split('`').skip(1).step_by(2).filter(|code| code.starts_with('-'));
    let words = quoted.flat_map(|code| code.split([' ', ',', '=', '\n']));
    words.filter(|word| is_option(word)).map(str::to_owned).collect()
}

fn is_option(word: &str) -> bool {
    let name = word.trim_start_matches('-');
    let dashes = word.len() - name.len();
    let named = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    named && ((dashes == 1 && name.len() == 1) || dashes == 2)
}

/// The options a command's help names, as it names them: at the beginning of a line.
fn offered(help: &str) -> BTreeSet<String> {
    let lines = help.lines().map(str::trim_start).filter(|line| line.starts_with('-'));
    let words = lines.flat_map(|line| line.split([' ', ',', '[', '=']).take(3));
    words.filter(|word| is_option(word)).map(str::to_owned).collect()
}

fn run(dir: &TestDir, command: &str, args: &[String]) -> Output {
    let path = Implementation::Ours.path(command).unwrap();
    dir.command(path, Implementation::Ours).unwrap().args(args).stdin(Stdio::null()).output().unwrap()
}

fn help(dir: &TestDir, command: &str) -> BTreeSet<String> {
    let output = run(dir, command, &["--help".to_owned()]);
    offered(&String::from_utf8(output.stdout).unwrap())
}

/// What a shell makes of the line, each word on a line of its own.
fn words(line: &str) -> Vec<String> {
    let script = format!("printf '%s\\n' {line}");
    let output = Command::new("sh").args(["-fc", &script]).output().unwrap();
    assert!(output.status.success(), "{line}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// The command lines of the examples: `command=…` of a configuration, and what stands behind a prompt.
fn examples(text: &str) -> Vec<Vec<String>> {
    let code = text.lines().filter_map(|line| line.strip_prefix("    "));
    let lines = code.filter_map(|line| line.strip_prefix("command=").or_else(|| line.strip_prefix("$ ")));
    let commands = lines.map(words);
    commands.filter(|words| words.first().is_some_and(|name| LISTENERS.contains(&name.as_str()))).collect()
}

#[test]
fn every_option_under_a_commands_heading_is_in_its_help() {
    let dir = TestDir::new().unwrap();
    let text = document("docs/listeners.md");
    let mut seen = BTreeSet::new();
    for (heading, part) in sections(&text) {
        let named = heading.split(':').next().unwrap().split(", ");
        for command in named.filter(|name| LISTENERS.contains(name)) {
            let offered = help(&dir, command);
            let missing: Vec<String> = options(part).difference(&offered).cloned().collect();
            assert!(missing.is_empty(), "{heading}: {command} --help does not name {missing:?}");
            seen.insert(command);
        }
    }
    assert_eq!(seen.len(), LISTENERS.len(), "a command has no heading: {seen:?}");
}

#[test]
fn every_option_of_every_help_is_in_the_documents() {
    let dir = TestDir::new().unwrap();
    let written: BTreeSet<String> = DOCUMENTS.iter().flat_map(|name| options(&document(name))).collect();
    for command in LISTENERS {
        let unwritten: Vec<String> =
            help(&dir, command).difference(&written).filter(|option| *option != "-h").cloned().collect();
        assert!(unwritten.is_empty(), "no document names {unwritten:?} of {command}");
    }
}

#[test]
fn every_option_of_delivery_is_in_the_help_of_those_it_is_written_for() {
    let dir = TestDir::new().unwrap();
    let text = document("docs/alerts.md");
    let (_, part) = *sections(&text).iter().find(|(heading, _)| heading.starts_with("To whom")).unwrap();
    let rows = part.lines().filter(|line| line.starts_with("| `"));
    let mut count = 0;
    for row in rows {
        let cell = row.split('|').nth(1).unwrap();
        let holders = LISTENERS.iter().filter(|name| options(cell).is_subset(&help(&dir, name)));
        let holders: Vec<&str> = holders.copied().collect();
        let is_batch = |name: &&&str| BATCH_MAILERS.contains(*name);
        let wholly = |names: usize, all: usize| names == 0 || names == all;
        let batch = holders.iter().filter(is_batch).count();
        assert!(!holders.is_empty(), "nobody has {cell}");
        assert!(wholly(batch, 3) && wholly(holders.len() - batch, 3), "only {holders:?} have {cell}");
        count += 1;
    }
    assert!(count > 5, "the table of options was not found");
}

#[test]
fn every_example_is_a_command_line_that_is_taken() {
    let dir = TestDir::new().unwrap();
    let mut commands = BTreeSet::new();
    for name in DOCUMENTS {
        for line in examples(&document(name)) {
            let (command, args) = line.split_first().unwrap();
            let args: Vec<String> = args.iter().filter(|arg| *arg != "--test-alert").cloned().collect();
            // Outside supervisord a good command line ends with one line about that, whatever it would do.
            let output = run(&dir, command, &args);
            let stderr = String::from_utf8(output.stderr).unwrap();
            assert!(stderr.contains("supervisor event listener"), "{name}: {line:?}: {stderr}");
            assert!(matches!(output.status.code(), Some(0 | 1)), "{name}: {line:?}: {:?}", output.status);
            commands.insert(command.clone());
        }
    }
    assert_eq!(commands.len(), LISTENERS.len(), "only {commands:?} have examples");
}

#[test]
fn every_example_that_names_no_server_sends_by_a_mailer() {
    let dir = TestDir::new().unwrap();
    let mut sent = 0;
    for line in examples(&document("docs/listeners.md")) {
        let (command, args) = line.split_first().unwrap();
        // Those of example.com are not ours to ask.
        if args.iter().any(|arg| arg == "-H" || arg == "--smtp") {
            continue;
        }
        let mailer =
            ["--sendmail_program".to_owned(), "cat >/dev/null".to_owned(), "--test-alert".to_owned()];
        let output = run(&dir, command, &[&mailer[..], args].concat());
        let stdout = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(0), "{line:?}: {stdout}");
        sent += 1;
    }
    assert!(sent > 2, "only {sent} examples were found");
}

/// The anchor that a heading gets where documents are shown.
fn anchor(heading: &str) -> String {
    let is_kept = |c: &char| c.is_alphanumeric() || "_- ".contains(*c);
    heading.to_lowercase().chars().filter(is_kept).collect::<String>().trim().replace(' ', "-")
}

fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings.map(|line| anchor(line.trim_start_matches('#').trim_start())).collect()
}

#[test]
fn every_link_between_documents_leads_to_a_file_and_a_heading() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let in_folder = |folder: &str| {
        let entries = fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.extension().is_some_and(|end| end == "md")).collect::<Vec<_>>()
    };
    let mut count = 0;
    for path in ["", "docs", "docs/zh"].iter().flat_map(|folder| in_folder(folder)) {
        let text = fs::read_to_string(&path).unwrap();
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
        for link in targets.filter(|link| !link.contains("://")) {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { path.clone() } else { path.with_file_name("").join(file) };
            assert!(target.exists(), "{}: {link} leads nowhere", path.display());
            let known =
                heading.is_empty() || anchors(&fs::read_to_string(&target).unwrap()).contains(heading);
            assert!(known, "{}: {link} leads to no heading", path.display());
            count += 1;
        }
    }
    assert!(count > 100, "only {count} links were found");
}
