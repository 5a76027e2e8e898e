//! Runs a scenario with several participants side by side, and compares what each run has noted.

use std::fmt;
use std::path::PathBuf;
use std::{env, thread};

use anyhow::{anyhow, bail, ensure};

use super::scenario::Scenario;
use crate::implementation::Implementation;

use Implementation::{Original, Ours};

/// Whose daemon and whose supervisorctl take part in a run. Where daemons are compared, both are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Participants {
    daemon: Implementation,
    ctl: Implementation,
}

impl Participants {
    const fn new(daemon: Implementation, ctl: Implementation) -> Self {
        Self { daemon, ctl }
    }

    /// Whether the environment asks for this run: `IRONLANCE_E2E_ONLY` chooses what is tried, `IRONLANCE_E2E_DAEMON`
    /// the daemon, each by `original` or `ours`.
    fn is_wanted(self) -> bool {
        let chooses = |variable: &str, implementation: Implementation| {
            let only = env::var(variable).unwrap_or_default();
            only.is_empty() || only == implementation.to_string()
        };
        chooses("IRONLANCE_E2E_ONLY", self.ctl) && chooses("IRONLANCE_E2E_DAEMON", self.daemon)
    }

    /// Runs the scenario; gives its notes.
    fn run(self, scenario: impl Fn(&mut Scenario) -> anyhow::Result<()>) -> anyhow::Result<Vec<String>> {
        let mut run = Scenario::new(self.daemon, self.ctl)?;
        match scenario(&mut run) {
            Ok(()) => Ok(run.notes),
            Err(error) => {
                let (log, notes) = (keep_log(&run), run.notes.join("\n"));
                Err(error.context(format!("{self}, after these notes (log in {log:?}):\n{notes}")))
            }
        }
    }
}

impl fmt::Display for Participants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (daemon: {})", self.ctl, self.daemon)
    }
}

/// Two runs whose notes must agree.
struct Pair {
    what: &'static str,
    left: Participants,
    right: Participants,
}

const DAEMONS: [Pair; 1] = [Pair {
    what: "the original and ours",
    left: Participants::new(Original, Original),
    right: Participants::new(Ours, Ours),
}];

const CTL: [Pair; 1] = [Pair {
    what: "the original's supervisorctl and ours on the original daemon",
    left: Participants::new(Original, Original),
    right: Participants::new(Original, Ours),
}];

const CTL_MATRIX: [Pair; 3] = [
    Pair {
        what: "the original's supervisorctl on the original daemon and on ours",
        left: Participants::new(Original, Original),
        right: Participants::new(Ours, Original),
    },
    Pair {
        what: "the original's supervisorctl and ours on the original daemon",
        left: Participants::new(Original, Original),
        right: Participants::new(Original, Ours),
    },
    Pair {
        what: "the original's supervisorctl and ours on our daemon",
        left: Participants::new(Ours, Original),
        right: Participants::new(Ours, Ours),
    },
];

/// Runs the scenario on both daemons, and fails where their notes differ; gives the notes of ours.
///
/// `IRONLANCE_E2E_ONLY=original` (or `ours`) runs it on one alone; with `IRONLANCE_E2E_SHOW` the notes are printed.
pub fn compare_daemons(
    scenario: impl Fn(&mut Scenario) -> anyhow::Result<()> + Sync,
) -> anyhow::Result<Vec<String>> {
    compare(&DAEMONS, is_no_worse, scenario)
}

/// Runs the scenario with both supervisorctls on both daemons. Fails where ours notes something else than the
/// original's on the same daemon, or where the original's notes something else on our daemon.
///
/// The variables of [`compare_daemons`] are for the supervisorctl; `IRONLANCE_E2E_DAEMON` chooses a daemon.
pub fn compare_ctl_matrix(
    scenario: impl Fn(&mut Scenario) -> anyhow::Result<()> + Sync,
) -> anyhow::Result<()> {
    compare(&CTL_MATRIX, |left, right| left == right, scenario).map(drop)
}

/// The same for a scenario in which no daemon takes part.
pub fn compare_ctl(scenario: impl Fn(&mut Scenario) -> anyhow::Result<()> + Sync) -> anyhow::Result<()> {
    compare(&CTL, |left, right| left == right, scenario).map(drop)
}

/// Runs the scenario with one implementation; gives its notes.
pub fn run_one(
    implementation: Implementation,
    scenario: impl Fn(&mut Scenario) -> anyhow::Result<()>,
) -> anyhow::Result<Vec<String>> {
    Participants::new(implementation, implementation).run(scenario)
}

/// Runs the scenario once for each of the pairs' participants, and compares by `agree`; gives the notes of the last.
fn compare(
    pairs: &[Pair],
    agree: fn(&str, &str) -> bool,
    scenario: impl Fn(&mut Scenario) -> anyhow::Result<()> + Sync,
) -> anyhow::Result<Vec<String>> {
    let mut runs: Vec<Participants> = Vec::new();
    for participants in pairs.iter().flat_map(|pair| [pair.left, pair.right]) {
        if participants.is_wanted() && !runs.contains(&participants) {
            runs.push(participants);
        }
    }
    ensure!(!runs.is_empty(), "cannot run: the environment chooses none of the participants");
    let scenario = &scenario;
    let mut notes = thread::scope(|scope| {
        let threads: Vec<_> = runs.iter().map(|run| scope.spawn(move || run.run(scenario))).collect();
        let results =
            threads.into_iter().map(|thread| thread.join().map_err(|_| anyhow!("the scenario panicked"))?);
        results.collect::<anyhow::Result<Vec<_>>>()
    })?;
    if env::var_os("IRONLANCE_E2E_SHOW").is_some() {
        for (run, notes) in runs.iter().zip(&notes) {
            eprintln!("=== {run}\n{}\n", notes.join("\n"));
        }
    }
    let notes_of = |wanted| runs.iter().position(|run| *run == wanted).map(|at| notes[at].as_slice());
    let mut differences = Vec::new();
    for Pair { what, left, right } in pairs {
        let (Some(left), Some(right)) = (notes_of(*left), notes_of(*right)) else { continue };
        if left.len() != right.len() || !left.iter().zip(right).all(|(left, right)| agree(left, right)) {
            differences.push(format!("{what}:\n{}", difference(left, right, agree).join("\n")));
        }
    }
    if !differences.is_empty() {
        bail!("they differ (- the first, + the second): {}", differences.join("\n\n"));
    }
    Ok(notes.pop().unwrap_or_default())
}

/// Copies the log of a failed run to where it outlives the test directory.
fn keep_log(run: &Scenario) -> Option<PathBuf> {
    let kept = env::temp_dir().join(format!("{}-failed.log", run.dir.folder().file_name()?.to_str()?));
    std::fs::copy(run.dir.path("supervisord.log"), &kept).ok()?;
    Some(kept)
}

/// Whether a note of ours says the same as the original's. Where the original broke, any other answer is better.
fn is_no_worse(original: &str, ours: &str) -> bool {
    let broken = |note: &str| note.strip_suffix("500 Internal Server Error").map(str::to_owned);
    let better =
        |call: String| ours.starts_with(call.trim_end_matches(|char| char != '>')) && broken(ours).is_none();
    original == ours || broken(original).is_some_and(better)
}

/// Both lists as one, line by line, with the lines that only one of them has marked.
fn difference(left: &[String], right: &[String], agree: fn(&str, &str) -> bool) -> Vec<String> {
    // The longest common subsequence, from the end.
    let mut longest = vec![vec![0_usize; right.len() + 1]; left.len() + 1];
    for l in (0..left.len()).rev() {
        for r in (0..right.len()).rev() {
            longest[l][r] = if agree(&left[l], &right[r]) {
                longest[l + 1][r + 1] + 1
            } else {
                longest[l + 1][r].max(longest[l][r + 1])
            };
        }
    }
    let (mut l, mut r, mut out) = (0, 0, Vec::new());
    while l < left.len() || r < right.len() {
        if l < left.len() && r < right.len() && agree(&left[l], &right[r]) {
            out.push(format!("  {}", left[l]));
            (l, r) = (l + 1, r + 1);
        } else if r == right.len() || (l < left.len() && longest[l + 1][r] >= longest[l][r + 1]) {
            out.push(format!("- {}", left[l]));
            l += 1;
        } else {
            out.push(format!("+ {}", right[r]));
            r += 1;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_marks_the_lines_that_only_one_has() {
        let list = |text: &str| text.chars().map(String::from).collect::<Vec<_>>();
        assert_eq!(difference(&list("abc"), &list("axc"), is_no_worse).concat(), "  a- b+ x  c");
        assert_eq!(difference(&list(""), &list("a"), is_no_worse).concat(), "+ a");
    }
}
