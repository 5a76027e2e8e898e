//! One scenario for both daemons: each plays it in a test directory of its own and notes what is to be seen; the notes must agree.

use std::env;
use std::fmt::Display;
use std::path::PathBuf;
use std::thread::{self, ScopedJoinHandle};

use anyhow::{Context, anyhow, bail};

use crate::daemon::{Daemon, describe};
use crate::implementation::Implementation;
use crate::recorder::RecordedEvent;
use crate::redaction::plain;
use crate::test_dir::TestDir;
use crate::xmlrpc::{HttpStatus, XmlValue};

/// Where one of the two plays.
pub struct DaemonScenario {
    /// Who plays.
    pub implementation: Implementation,
    /// Its folder.
    pub dir: TestDir,
    notes: Vec<String>,
}

impl DaemonScenario {
    fn new(implementation: Implementation) -> anyhow::Result<Self> {
        Ok(Self { implementation, dir: TestDir::new()?, notes: Vec::new() })
    }

    /// Notes what is to be compared, line by line; folders, times and pids are taken out.
    pub fn note(&mut self, what: impl Display) {
        let text = plain(&what.to_string(), self.dir.folder());
        self.notes.extend(text.split('\n').map(str::to_owned));
    }

    /// Notes several lines under a heading.
    pub fn note_all<T: Display>(&mut self, heading: &str, lines: impl IntoIterator<Item = T>) {
        self.note(format!("{heading}:"));
        for line in lines {
            self.note(format!("    {line}"));
        }
    }

    /// Starts the daemon with the usual sections and these.
    pub fn daemon(&self, sections: &str) -> anyhow::Result<Daemon> {
        Daemon::start(&self.dir, self.implementation, sections)
    }

    /// Calls a method of `supervisor.*` and notes the answer.
    pub fn ask(&mut self, daemon: &Daemon, method: &str, params: &[XmlValue]) -> anyhow::Result<()> {
        self.ask_any(daemon, &format!("supervisor.{method}"), params)
    }

    /// Calls a method of `supervisor.*` and notes the answer; the order of a list's items is a matter of time.
    pub fn ask_unordered(
        &mut self,
        daemon: &Daemon,
        method: &str,
        params: &[XmlValue],
    ) -> anyhow::Result<()> {
        let mut answer = daemon.call(method, params)?;
        if let Ok(XmlValue::Array(items)) = &mut answer {
            items.sort_by_key(XmlValue::to_string);
        }
        self.note_call(method, params, answer);
        Ok(())
    }

    /// Calls a method by its full name and notes the answer.
    pub fn ask_any(&mut self, daemon: &Daemon, method: &str, params: &[XmlValue]) -> anyhow::Result<()> {
        match daemon.ask(method, params) {
            Ok(answer) => self.note_call(method, params, answer),
            // Where the original's handler breaks, its answer is a status of HTTP.
            Err(error) => match error.downcast_ref::<HttpStatus>() {
                Some(status) => self.note(format!("{method}({}) -> {status}", listed(params))),
                None => return Err(error),
            },
        }
        Ok(())
    }

    fn note_call(&mut self, method: &str, params: &[XmlValue], answer: Result<XmlValue, XmlValue>) {
        let call = format!("{method}({})", listed(params));
        match answer.map(timeless) {
            // A list is easier to compare item by item.
            Ok(XmlValue::Array(items)) if items.len() > 1 => self.note_all(&format!("{call} ->"), items),
            answer => self.note(format!("{call} -> {}", describe(&answer))),
        }
    }

    /// Notes the fields of `getProcessInfo`, times only by whether there is one.
    pub fn note_info(&mut self, daemon: &Daemon, namespec: &str) -> anyhow::Result<()> {
        let answer = daemon.call("getProcessInfo", &[namespec.into()])?;
        self.note(format!("{namespec}: {}", describe(&answer.map(timeless))));
        Ok(())
    }

    /// Notes name and body of the events about each of these programs.
    pub fn note_events(&mut self, events: &[RecordedEvent], names: &[&str]) {
        for name in names {
            let about = events.iter().filter(|event| event.body_token("processname") == Some(*name));
            self.note_all(
                &format!("events of {name}"),
                about.map(|event| format!("{} {}", event.name(), event.body.escape_debug())),
            );
        }
    }

    /// Notes the lines of the daemon's log about each of these names.
    ///
    /// Left out are lines that the original writes only when it happens to look at a process before that ends.
    pub fn note_log(&mut self, daemon: &Daemon, names: &[&str]) {
        let by_chance = |line: &str| {
            line.contains("> than 0 seconds") || (line.contains("waiting for ") && line.ends_with(" to stop"))
        };
        // What failed between fork and exec only ours tells of.
        let ours = |line: &str| line.contains("spawnerr: couldn't ");
        for name in names {
            let lines = daemon.log_about(name).into_iter().filter(|line| !by_chance(line) && !ours(line));
            self.note_all(&format!("log of {name}"), lines);
        }
    }

    /// Where they differ by decision: fails unless each says what is its own to say.
    pub fn decided(&self, actual: impl Display, original: &str, ours: &str) -> anyhow::Result<()> {
        self.implementation.decided(&plain(&actual.to_string(), self.dir.folder()), original, ours)
    }
}

fn listed(params: &[XmlValue]) -> String {
    params.iter().map(XmlValue::to_string).collect::<Vec<_>>().join(", ")
}

/// A value without the numbers that differ between runs: times and pids other than 0.
pub fn timeless(value: XmlValue) -> XmlValue {
    match value {
        XmlValue::Struct(members) => XmlValue::Struct(
            members
                .into_iter()
                .map(|(name, value)| match (name.as_str(), value) {
                    ("now" | "start" | "stop", XmlValue::Int(time)) if time != 0 => (name, "TIME".into()),
                    ("pid", XmlValue::Int(pid)) if pid != 0 => (name, "PID".into()),
                    (_, value) => (name, timeless(value)),
                })
                .collect(),
        ),
        XmlValue::Array(items) => XmlValue::Array(items.into_iter().map(timeless).collect()),
        other => other,
    }
}

/// Plays the scenario on both at once, and fails where their notes differ; gives the notes.
///
/// `IRONLANCE_E2E_ONLY=original` (or `ours`) plays one alone; with `IRONLANCE_E2E_SHOW` the notes are printed.
pub fn compare_daemons(
    play: impl Fn(&mut DaemonScenario) -> anyhow::Result<()> + Sync,
) -> anyhow::Result<Vec<String>> {
    let only = env::var("IRONLANCE_E2E_ONLY").unwrap_or_default();
    let implementations = Implementation::BOTH
        .into_iter()
        .filter(|implementation| only.is_empty() || implementation.to_string() == only);
    let mut played = at_once(implementations, |implementation| alone(implementation, &play))?;
    if env::var_os("IRONLANCE_E2E_SHOW").is_some() {
        for notes in &played {
            eprintln!("{}\n", notes.join("\n"));
        }
    }
    if let [original, ours] = played.as_slice()
        && (original.len() != ours.len()
            || !original.iter().zip(ours).all(|(original, ours)| agree(original, ours)))
    {
        bail!("they differ (- original, + ours):\n{}", difference(original, ours).join("\n"));
    }
    played.pop().context("cannot play: IRONLANCE_E2E_ONLY names nobody")
}

/// Plays each part on a thread of its own; gives what came of them, in the order of the parts.
pub(crate) fn at_once<P: Send, T: Send>(
    parts: impl IntoIterator<Item = P>,
    play: impl Fn(P) -> anyhow::Result<T> + Sync,
) -> anyhow::Result<Vec<T>> {
    thread::scope(|scope| {
        let play = &play;
        let threads: Vec<_> = parts.into_iter().map(|part| scope.spawn(move || play(part))).collect();
        let end =
            |thread: ScopedJoinHandle<'_, _>| thread.join().map_err(|_| anyhow!("the scenario panicked"))?;
        threads.into_iter().map(end).collect()
    })
}

/// Plays the scenario with one of them; gives its notes.
pub fn alone(
    implementation: Implementation,
    play: impl Fn(&mut DaemonScenario) -> anyhow::Result<()>,
) -> anyhow::Result<Vec<String>> {
    let mut scenario = DaemonScenario::new(implementation)?;
    let outcome = play(&mut scenario);
    if let Err(error) = outcome {
        let kept = keep(&scenario);
        let notes = scenario.notes.join("\n");
        return Err(error.context(format!("{implementation}, after these notes (log in {kept:?}):\n{notes}")));
    }
    Ok(scenario.notes)
}

/// Copies the log of a failed scenario to where it outlives the test directory.
fn keep(scenario: &DaemonScenario) -> Option<PathBuf> {
    let kept = env::temp_dir().join(format!("{}-failed.log", scenario.dir.folder().file_name()?.to_str()?));
    std::fs::copy(scenario.dir.path("supervisord.log"), &kept).ok()?;
    Some(kept)
}

/// Whether a note of the original and one of ours say the same; where the original broke, any answer of ours is better.
fn agree(original: &str, ours: &str) -> bool {
    let broken = |note: &str| note.strip_suffix("500 Internal Server Error").map(str::to_owned);
    let better =
        |call: String| ours.starts_with(call.trim_end_matches(|char| char != '>')) && broken(ours).is_none();
    original == ours || broken(original).is_some_and(better)
}

/// Both lists as one, line by line, with the lines that only one of them has marked.
pub(crate) fn difference(left: &[String], right: &[String]) -> Vec<String> {
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
        assert_eq!(difference(&list("abc"), &list("axc")).concat(), "  a- b+ x  c");
        assert_eq!(difference(&list(""), &list("a")).concat(), "+ a");
    }

    #[test]
    fn times_and_pids_are_known_by_the_name_of_their_field() {
        let fields = |pid| XmlValue::Struct(vec![("now".to_owned(), 7.into()), ("pid".to_owned(), pid)]);
        assert_eq!(timeless(fields(0.into())).to_string(), r#"{now: "TIME", pid: 0}"#);
        assert_eq!(timeless(fields(5.into())).to_string(), r#"{now: "TIME", pid: "PID"}"#);
    }
}
