//! `ironlance import`: reads a supervisord.conf and says what moving over means for it. Changes nothing.

mod http_access;
mod inspect;
mod listeners;
mod passwords;
pub(crate) mod path_search;
mod programs;
mod report;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, anyhow};
use clap::Parser;
use ironlance_config::{
    Config, ConfigFaults, GroupKind, HostEnv, LoadReport, Overrides, RawConfig, listener_outboxes,
    listeners_without_outbox, load_raw, load_with_notes,
};
use ironlance_core::text::escape::escape_controls;

use inspect::ConfigView;
use report::{FindingKind, Findings, number};

use crate::usage;

/// The exit status when something needs attention.
const ATTENTION: u8 = 1;
/// The exit status when the file cannot be read.
const UNREADABLE: u8 = 2;

/// Reads a supervisord.conf and says what stays the same, what gets better, and what needs attention.
#[derive(Debug, Parser)]
#[command(
    name = "ironlance import",
    after_help = "Changes nothing, and starts nothing. Exits with 0 when nothing needs attention, with 1 when something \
    does, with 2 when the file cannot be read."
)]
pub(crate) struct Args {
    /// The configuration; without it, the one that supervisord would find
    file: Option<PathBuf>,
}

/// The command; `args` without its own name.
pub(crate) fn main(args: &[String]) -> ExitCode {
    usage::run(args, UNREADABLE, run)
}

fn run(args: Args) -> Result<ExitCode> {
    let file = args.file.map_or_else(|| ironlance_daemon::options::find_configuration("supervisord"), Ok);
    let file = file.map_err(|message| anyhow!(escape_controls(&message)))?;
    let host_env = HostEnv::current();
    let outline = load_raw(&file, &host_env).map_err(|ConfigFaults(faults)| {
        let lines: Vec<String> = faults.iter().map(|fault| escape_controls(&fault.to_string())).collect();
        anyhow!(lines.join("\n"))
    })?;
    let found = examine(&file, &outline, &host_env);
    Ok(match write!(io::stdout().lock(), "{}", found.report(&file, outline.files.len())) {
        Ok(()) if found.attention() > 0 => ExitCode::from(ATTENTION),
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(UNREADABLE),
    })
}

/// Everything that is found about a configuration.
fn examine(file: &Path, outline: &RawConfig, host_env: &HostEnv) -> Findings {
    let LoadReport { config: loaded, notes, .. } = load_with_notes(file, &Overrides::default(), host_env);
    let mut found = Findings::default();
    for fault in loaded.as_ref().err().iter().flat_map(|ConfigFaults(faults)| faults) {
        found.line(outline, FindingKind::Fault, &fault.to_string());
    }
    for warning in outline.warnings.iter().chain(&notes.warnings).chain(&notes.hints) {
        // An include that matches no file yet is fine.
        let kind = if warning.starts_with(NO_FILE) { FindingKind::Unchanged } else { FindingKind::Attention };
        found.line(outline, kind, warning);
    }
    let view = ConfigView::new(outline, host_env);
    http_access::examine(&view, &mut found);
    passwords::examine(&view, &mut found);
    let kept = loaded.as_ref().map(|config| listener_outboxes(config, host_env)).unwrap_or_default();
    let superlance = listeners::examine(&view, &kept, &mut found);
    programs::examine(&view, &mut found);
    unknown_keys(&view, &mut found);
    if let Ok(config) = &loaded {
        for line in listeners_without_outbox(config, host_env) {
            found.whole(FindingKind::Attention, &line);
        }
        count_unchanged(config, superlance, &mut found);
    }
    for gain in GAINS.iter().filter(|_| loaded.is_ok()) {
        found.whole(FindingKind::Improved, gain);
    }
    found
}

/// How the warning about an include without files begins.
const NO_FILE: &str = "No file matches via include";

/// What every configuration gains.
const GAINS: [&str; 3] = [
    "an exit is seen at once instead of within a second; nothing is polled",
    "listeners: memory alone bounds the events that wait where buffer_size is not set, instead of 10; state changes are kept longest",
    "memory: about 2.4 MB for supervisord instead of 26, and 1.5 for each of superlance's listeners instead of 25",
];

/// Adds the counts of what stays the same.
fn count_unchanged(config: &Config, superlance: usize, found: &mut Findings) {
    let is_pool = |kind: &GroupKind| matches!(kind, GroupKind::Listeners { .. });
    let (pools, groups): (Vec<_>, Vec<_>) = config.groups.iter().partition(|group| is_pool(&group.kind));
    let processes: usize = groups.iter().map(|group| group.programs.len()).sum();
    let others = pools.len().saturating_sub(superlance);
    let ways_in = config.servers.len();
    let counts = [
        (processes, format!("{} in {}", number(processes, "process"), number(groups.len(), "group"))),
        (superlance, format!("{} of superlance", number(superlance, "listener"))),
        (others, format!("{} of another kind, in whatever language", number(others, "listener"))),
        (ways_in, format!("{} for supervisorctl and other clients", number(ways_in, "way in"))),
    ];
    for (_, line) in counts.into_iter().filter(|(count, _)| *count > 0) {
        found.whole(FindingKind::Unchanged, &line);
    }
    let rest = "names, states, events, log files, XML-RPC, environment of programs, exit statuses";
    found.whole(FindingKind::Unchanged, rest);
}

fn unknown_keys(view: &ConfigView<'_>, found: &mut Findings) {
    for section in view.outline.ini.sections() {
        if found.is_full(FindingKind::Attention) {
            return;
        }
        for entry in view.outline.unknown_keys(section) {
            let text = "is unknown, here and to Supervisor 4.3.0: ignored";
            found.about(view.outline, section, &entry.key, text);
        }
    }
}
