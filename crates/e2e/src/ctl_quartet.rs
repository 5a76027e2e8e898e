//! One scenario for each daemon under each supervisorctl: four plays, whose notes must agree.

use std::env;
use std::fmt::Display;

use anyhow::{Context, bail, ensure};

use crate::contest::{at_once, difference};
use crate::ctl::{Ctl, Told};
use crate::daemon::{BASE, Daemon, write_config};
use crate::flavour::Flavour;
use crate::redaction::plain;
use crate::scene::Scene;

/// The section that supervisorctl needs.
pub const SECTION: &str = "[supervisorctl]\nserverurl=unix://{dir}/s.sock\n";

/// What the original's supervisorctl says when an exception reaches its loop: the class, the reason, its file and line.
/// Ours says the reason. Both are noted as this; what ours says is looked at where it matters.
const TROUBLE: &str = "error: ";

/// What both say when name and password are wrong.
const REFUSED: &str = "Server requires authentication";

/// The heading of the verbs that the original has not got.
pub const OUR_VERBS: &str = "ironlance commands (type help <topic>):";

/// One of the four.
pub struct Play {
    /// Whose daemon.
    pub daemon: Flavour,
    /// Whose supervisorctl.
    pub flavour: Flavour,
    /// Their folder.
    pub scene: Scene,
    ctl: Ctl,
    notes: Vec<String>,
}

impl Play {
    fn new(daemon: Flavour, flavour: Flavour) -> anyhow::Result<Self> {
        Ok(Self { daemon, flavour, scene: Scene::new()?, ctl: Ctl::new(flavour), notes: Vec::new() })
    }

    /// Starts the daemon on the usual sections and these; supervisorctl will find it by the same file.
    pub fn start(&self, sections: &str) -> anyhow::Result<Daemon> {
        Daemon::start_on(&self.scene, self.daemon, &format!("{BASE}{SECTION}{sections}"), &[])
    }

    /// Writes another configuration for the same daemon.
    pub fn rewrite(&self, sections: &str) -> anyhow::Result<()> {
        write_config(&self.scene, &format!("{BASE}{SECTION}{sections}")).map(drop)
    }

    /// Runs supervisorctl with these arguments as they are, and notes nothing. `{dir}` in them is the folder.
    pub fn bare(&mut self, args: &[&str], stdin: &[u8], variables: &[(&str, &str)]) -> anyhow::Result<Told> {
        let folder = self.scene.folder().display().to_string();
        let args: Vec<String> = args.iter().map(|arg| arg.replace("{dir}", &folder)).collect();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let told = self.ctl.run(&self.scene, &args, stdin, variables)?;
        if self.flavour == Flavour::Ours {
            for trace in ["Traceback", ".py", "panicked", "src/"] {
                let said = format!("{}{}", told.text(), told.complaint());
                ensure!(!said.contains(trace), "supervisorctl {args:?} shows its inside: {said}");
            }
        }
        Ok(told)
    }

    /// Runs it on the scene's configuration, and notes nothing.
    pub fn quietly(&mut self, args: &[&str], stdin: &[u8]) -> anyhow::Result<Told> {
        let config = self.scene.path("supervisord.conf").display().to_string();
        self.bare(&[&["-c", config.as_str()], args].concat(), stdin, &[])
    }

    /// Runs a command line, divided at blanks, and notes it with what it said.
    pub fn run(&mut self, line: &str) -> anyhow::Result<()> {
        self.run_args(&words(line))
    }

    /// Runs these arguments, and notes them with what it said.
    pub fn run_args(&mut self, args: &[&str]) -> anyhow::Result<()> {
        let told = self.quietly(args, b"")?;
        self.note_told(&args.join(" "), &told);
        Ok(())
    }

    /// Runs several lines, each alone.
    pub fn run_each(&mut self, lines: &[&str]) -> anyhow::Result<()> {
        lines.iter().try_for_each(|line| self.run(line))
    }

    /// Runs a line about all processes: they are told of in the order in which they are done, and the last gives the
    /// status.
    pub fn run_unordered(&mut self, line: &str) -> anyhow::Result<()> {
        let mut told = self.quietly(&words(line), b"")?;
        let mut lines: Vec<&[u8]> = told.stdout.split_inclusive(|byte| *byte == b'\n').collect();
        lines.sort_unstable();
        told.stdout = lines.concat();
        told.status = told.status.min(1);
        self.note_told(line, &told);
        Ok(())
    }

    /// Runs a line of which the pids, each alone in a line, are taken out.
    pub fn run_pids(&mut self, line: &str) -> anyhow::Result<()> {
        let mut told = self.quietly(&words(line), b"")?;
        let pid = |line: &str| match line.parse::<u32>() {
            Ok(1..) => "PID\n".to_owned(),
            _ => format!("{line}\n"),
        };
        told.stdout = told.text().lines().map(pid).collect::<String>().into_bytes();
        self.note_told(line, &told);
        Ok(())
    }

    /// Runs a shell whose stdin is this script, and notes what it said.
    pub fn shell(&mut self, args: &[&str], script: &[u8]) -> anyhow::Result<()> {
        let told = self.quietly(args, script)?;
        let typed = String::from_utf8_lossy(script);
        self.note_told(&format!("{} <<< {:?}", args.join(" "), typed), &told);
        Ok(())
    }

    /// Notes a run.
    pub fn note_told(&mut self, line: &str, told: &Told) {
        self.note(format!("$ supervisorctl {line}"));
        let mut before = String::new();
        let lines = without_our_verbs(told.lines(self.scene.folder()));
        for line in lines.into_iter().filter(|line| !is_rest_of_trouble(line)) {
            // The original tries once more when it is refused, and tells of that as trouble.
            if before.ends_with(REFUSED) && line.contains("ProtocolError") {
                continue;
            }
            self.notes.push(neutral(&line, self.flavour));
            before = line;
        }
    }

    /// Notes what is to be compared, line by line; folders, times and pids are taken out.
    pub fn note(&mut self, what: impl Display) {
        let text = plain(&what.to_string(), self.scene.folder());
        self.notes.extend(text.split('\n').map(str::to_owned));
    }

    /// Where the two differ by decision: fails unless each says what is its own to say.
    pub fn decided(&self, actual: impl Display, original: &str, ours: &str) -> anyhow::Result<()> {
        self.flavour.decided(&plain(&actual.to_string(), self.scene.folder()), original, ours)
    }
}

fn words(line: &str) -> Vec<&str> {
    line.split(' ').filter(|word| !word.is_empty()).collect()
}

/// A line without what must differ: where the command lies, and how trouble is worded.
fn neutral(line: &str, flavour: Flavour) -> String {
    let bin = flavour.bin().map(|bin| bin.display().to_string()).unwrap_or_default();
    let line = line.replace(&bin, "BIN");
    match line.find(TROUBLE) {
        // Also behind a prompt.
        Some(at) if line[..at].ends_with([' ', '>']) => format!("{}{TROUBLE}…", &line[..at]),
        _ => line,
    }
}

/// Without the second list of `help`, which is ours: a heading, a line under it, verbs, and an empty line.
fn without_our_verbs(lines: Vec<String>) -> Vec<String> {
    let mut kept = Vec::with_capacity(lines.len());
    let mut is_ours = false;
    for line in lines {
        is_ours |= line == format!("| {OUR_VERBS}");
        if !is_ours {
            kept.push(line);
        } else if line == "| " {
            is_ours = false;
        }
    }
    kept
}

/// Whether the original's trouble had a reason of several lines, and this is the last of them.
fn is_rest_of_trouble(line: &str) -> bool {
    let place = line.split_once(": file: ").and_then(|(_, place)| place.split_once(".py line: "));
    place.is_some() && !line.contains(TROUBLE)
}

/// Plays the scenario four times side by side; fails where a supervisorctl of ours tells something else than the
/// original's on the same daemon, or where the original's tells something else on our daemon.
///
/// `IRONLANCE_E2E_ONLY=original` (or `ours`) is for one supervisorctl alone, `IRONLANCE_E2E_DAEMON` for one daemon;
/// with `IRONLANCE_E2E_SHOW` the notes are printed.
pub fn quartet(play: impl Fn(&mut Play) -> anyhow::Result<()> + Sync) -> anyhow::Result<()> {
    contest(&Flavour::BOTH, play)
}

/// The same for a scenario in which no daemon takes part: twice.
pub fn duet(play: impl Fn(&mut Play) -> anyhow::Result<()> + Sync) -> anyhow::Result<()> {
    contest(&[Flavour::Original], play)
}

fn contest(daemons: &[Flavour], play: impl Fn(&mut Play) -> anyhow::Result<()> + Sync) -> anyhow::Result<()> {
    let wanted = |name: &str, flavour: Flavour| {
        let only = env::var(name).unwrap_or_default();
        only.is_empty() || only == flavour.to_string()
    };
    let mut parts = Vec::new();
    for daemon in daemons.iter().copied() {
        for flavour in Flavour::BOTH {
            if wanted("IRONLANCE_E2E_DAEMON", daemon) && wanted("IRONLANCE_E2E_ONLY", flavour) {
                parts.push((daemon, flavour));
            }
        }
    }
    let played = at_once(parts.iter().copied(), |(daemon, flavour)| alone(daemon, flavour, &play))?;
    if env::var_os("IRONLANCE_E2E_SHOW").is_some() {
        for ((daemon, flavour), notes) in parts.iter().zip(&played) {
            eprintln!("=== {flavour} supervisorctl on {daemon} daemon\n{}\n", notes.join("\n"));
        }
    }
    let notes_of = |daemon, flavour| {
        let at = parts.iter().position(|part| *part == (daemon, flavour))?;
        Some(&played[at])
    };
    let (original, ours) = (Flavour::Original, Flavour::Ours);
    let pairs = [
        (
            "the original's supervisorctl on the original daemon and on ours",
            (original, original),
            (ours, original),
        ),
        (
            "the original's supervisorctl and ours on the original daemon",
            (original, original),
            (original, ours),
        ),
        ("the original's supervisorctl and ours on our daemon", (ours, original), (ours, ours)),
    ];
    let mut found = Vec::new();
    for (what, left, right) in pairs {
        let (Some(left), Some(right)) = (notes_of(left.0, left.1), notes_of(right.0, right.1)) else {
            continue;
        };
        if left != right {
            found.push(format!("{what}:\n{}", difference(left, right).join("\n")));
        }
    }
    if !found.is_empty() {
        bail!("they differ (- the first, + the second): {}", found.join("\n\n"));
    }
    Ok(())
}

fn alone(
    daemon: Flavour,
    flavour: Flavour,
    scenario: impl Fn(&mut Play) -> anyhow::Result<()>,
) -> anyhow::Result<Vec<String>> {
    let mut play = Play::new(daemon, flavour)?;
    let outcome = scenario(&mut play);
    outcome.with_context(|| {
        format!("{flavour} supervisorctl on {daemon} daemon, after these notes:\n{}", play.notes.join("\n"))
    })?;
    Ok(play.notes)
}
