//! One scenario for each daemon under each supervisorctl: four plays, whose notes must agree.

use std::env;
use std::fmt::Display;

use anyhow::{Context, bail, ensure};

use crate::ctl::{Ctl, CtlOutput};
use crate::daemon::{BASE, Daemon, write_config};
use crate::daemon_scenario::{at_once, difference};
use crate::implementation::Implementation;
use crate::redaction::plain;
use crate::test_dir::TestDir;

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
pub struct CtlScenario {
    /// Whose daemon.
    pub daemon: Implementation,
    /// Whose supervisorctl.
    pub implementation: Implementation,
    /// Their folder.
    pub dir: TestDir,
    ctl: Ctl,
    notes: Vec<String>,
}

impl CtlScenario {
    fn new(daemon: Implementation, implementation: Implementation) -> anyhow::Result<Self> {
        Ok(Self {
            daemon,
            implementation,
            dir: TestDir::new()?,
            ctl: Ctl::new(implementation),
            notes: Vec::new(),
        })
    }

    /// Starts the daemon on the usual sections and these; supervisorctl will find it by the same file.
    pub fn start(&self, sections: &str) -> anyhow::Result<Daemon> {
        Daemon::start_on(&self.dir, self.daemon, &format!("{BASE}{SECTION}{sections}"), &[])
    }

    /// Writes another configuration for the same daemon.
    pub fn rewrite(&self, sections: &str) -> anyhow::Result<()> {
        write_config(&self.dir, &format!("{BASE}{SECTION}{sections}")).map(drop)
    }

    /// Runs supervisorctl with these arguments as they are, and notes nothing. `{dir}` in them is the folder.
    pub fn bare(
        &mut self,
        args: &[&str],
        stdin: &[u8],
        variables: &[(&str, &str)],
    ) -> anyhow::Result<CtlOutput> {
        let folder = self.dir.folder().display().to_string();
        let args: Vec<String> = args.iter().map(|arg| arg.replace("{dir}", &folder)).collect();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let output = self.ctl.run(&self.dir, &args, stdin, variables)?;
        if self.implementation == Implementation::Ours {
            for trace in ["Traceback", ".py", "panicked", "src/"] {
                let said = format!("{}{}", output.text(), output.stderr_text());
                ensure!(!said.contains(trace), "supervisorctl {args:?} shows its inside: {said}");
            }
        }
        Ok(output)
    }

    /// Runs it on the test directory's configuration, and notes nothing.
    pub fn quietly(&mut self, args: &[&str], stdin: &[u8]) -> anyhow::Result<CtlOutput> {
        let config = self.dir.path("supervisord.conf").display().to_string();
        self.bare(&[&["-c", config.as_str()], args].concat(), stdin, &[])
    }

    /// Runs a command line, divided at blanks, and notes it with what it said.
    pub fn run(&mut self, line: &str) -> anyhow::Result<()> {
        self.run_args(&words(line))
    }

    /// Runs these arguments, and notes them with what it said.
    pub fn run_args(&mut self, args: &[&str]) -> anyhow::Result<()> {
        let output = self.quietly(args, b"")?;
        self.note_told(&args.join(" "), &output);
        Ok(())
    }

    /// Runs several lines, each alone.
    pub fn run_each(&mut self, lines: &[&str]) -> anyhow::Result<()> {
        lines.iter().try_for_each(|line| self.run(line))
    }

    /// Runs a line about all processes: they are told of in the order in which they are done, and the last gives the
    /// status.
    pub fn run_unordered(&mut self, line: &str) -> anyhow::Result<()> {
        let mut output = self.quietly(&words(line), b"")?;
        let mut lines: Vec<&[u8]> = output.stdout.split_inclusive(|byte| *byte == b'\n').collect();
        lines.sort_unstable();
        output.stdout = lines.concat();
        output.status = output.status.min(1);
        self.note_told(line, &output);
        Ok(())
    }

    /// Runs a line of which the pids, each alone in a line, are taken out.
    pub fn run_pids(&mut self, line: &str) -> anyhow::Result<()> {
        let mut output = self.quietly(&words(line), b"")?;
        let pid = |line: &str| match line.parse::<u32>() {
            Ok(1..) => "PID\n".to_owned(),
            _ => format!("{line}\n"),
        };
        output.stdout = output.text().lines().map(pid).collect::<String>().into_bytes();
        self.note_told(line, &output);
        Ok(())
    }

    /// Runs a shell whose stdin is this script, and notes what it said.
    pub fn shell(&mut self, args: &[&str], script: &[u8]) -> anyhow::Result<()> {
        let output = self.quietly(args, script)?;
        let typed = String::from_utf8_lossy(script);
        self.note_told(&format!("{} <<< {:?}", args.join(" "), typed), &output);
        Ok(())
    }

    /// Notes a run.
    pub fn note_told(&mut self, line: &str, output: &CtlOutput) {
        self.note(format!("$ supervisorctl {line}"));
        let mut before = String::new();
        let lines = without_our_verbs(output.lines(self.dir.folder()));
        for line in lines.into_iter().filter(|line| !is_rest_of_trouble(line)) {
            // The original tries once more when it is refused, and tells of that as trouble.
            if before.ends_with(REFUSED) && line.contains("ProtocolError") {
                continue;
            }
            self.notes.push(neutral(&line, self.implementation));
            before = line;
        }
    }

    /// Notes what is to be compared, line by line; folders, times and pids are taken out.
    pub fn note(&mut self, what: impl Display) {
        let text = plain(&what.to_string(), self.dir.folder());
        self.notes.extend(text.split('\n').map(str::to_owned));
    }

    /// Where the two differ by decision: fails unless each says what is its own to say.
    pub fn decided(&self, actual: impl Display, original: &str, ours: &str) -> anyhow::Result<()> {
        self.implementation.decided(&plain(&actual.to_string(), self.dir.folder()), original, ours)
    }
}

fn words(line: &str) -> Vec<&str> {
    line.split(' ').filter(|word| !word.is_empty()).collect()
}

/// A line without what must differ: where the command lies, and how trouble is worded.
fn neutral(line: &str, implementation: Implementation) -> String {
    let bin = implementation.bin().map(|bin| bin.display().to_string()).unwrap_or_default();
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
pub fn compare_ctl_matrix(
    play: impl Fn(&mut CtlScenario) -> anyhow::Result<()> + Sync,
) -> anyhow::Result<()> {
    compare_daemons(&Implementation::BOTH, play)
}

/// The same for a scenario in which no daemon takes part: twice.
pub fn compare_ctl(play: impl Fn(&mut CtlScenario) -> anyhow::Result<()> + Sync) -> anyhow::Result<()> {
    compare_daemons(&[Implementation::Original], play)
}

fn compare_daemons(
    daemons: &[Implementation],
    play: impl Fn(&mut CtlScenario) -> anyhow::Result<()> + Sync,
) -> anyhow::Result<()> {
    let wanted = |name: &str, implementation: Implementation| {
        let only = env::var(name).unwrap_or_default();
        only.is_empty() || only == implementation.to_string()
    };
    let mut parts = Vec::new();
    for daemon in daemons.iter().copied() {
        for implementation in Implementation::BOTH {
            if wanted("IRONLANCE_E2E_DAEMON", daemon) && wanted("IRONLANCE_E2E_ONLY", implementation) {
                parts.push((daemon, implementation));
            }
        }
    }
    let played =
        at_once(parts.iter().copied(), |(daemon, implementation)| alone(daemon, implementation, &play))?;
    if env::var_os("IRONLANCE_E2E_SHOW").is_some() {
        for ((daemon, implementation), notes) in parts.iter().zip(&played) {
            eprintln!("=== {implementation} supervisorctl on {daemon} daemon\n{}\n", notes.join("\n"));
        }
    }
    let notes_of = |daemon, implementation| {
        let at = parts.iter().position(|part| *part == (daemon, implementation))?;
        Some(&played[at])
    };
    let (original, ours) = (Implementation::Original, Implementation::Ours);
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
    daemon: Implementation,
    implementation: Implementation,
    scenario: impl Fn(&mut CtlScenario) -> anyhow::Result<()>,
) -> anyhow::Result<Vec<String>> {
    let mut play = CtlScenario::new(daemon, implementation)?;
    let outcome = scenario(&mut play);
    outcome.with_context(|| {
        format!(
            "{implementation} supervisorctl on {daemon} daemon, after these notes:\n{}",
            play.notes.join("\n")
        )
    })?;
    Ok(play.notes)
}
