//! A scenario as one implementation runs it, `Scenario`: a test directory, what is started there, and the notes that are
//! compared. Here is what it notes of a daemon; supervisorctl has a file of its own.

use std::fmt::Display;

use crate::ctl::Ctl;
use crate::daemon::{Daemon, describe};
use crate::implementation::Implementation;
use crate::recorder::RecordedEvent;
use crate::redaction::redact;
use crate::test_dir::TestDir;
use crate::xmlrpc::{HttpStatus, XmlValue};

/// One run of a scenario.
pub struct Scenario {
    /// What is tried: its supervisord, or its supervisorctl.
    pub implementation: Implementation,
    /// Whose daemon a supervisorctl is tried on; else the same.
    pub daemon: Implementation,
    /// The test directory.
    pub dir: TestDir,
    pub(super) ctl: Ctl,
    pub(super) notes: Vec<String>,
}

impl Scenario {
    pub(super) fn new(daemon: Implementation, implementation: Implementation) -> anyhow::Result<Self> {
        let ctl = Ctl::new(implementation);
        Ok(Self { implementation, daemon, dir: TestDir::new()?, ctl, notes: Vec::new() })
    }

    /// Notes what is to be compared, line by line; folders, times and pids are taken out.
    pub fn note(&mut self, what: impl Display) {
        let text = redact(&what.to_string(), self.dir.folder());
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
    pub fn note_call(&mut self, daemon: &Daemon, method: &str, params: &[XmlValue]) -> anyhow::Result<()> {
        self.note_call_any(daemon, &format!("supervisor.{method}"), params)
    }

    /// Calls a method of `supervisor.*` and notes the answer; the order of a list's items is a matter of time.
    pub fn note_call_unordered(
        &mut self,
        daemon: &Daemon,
        method: &str,
        params: &[XmlValue],
    ) -> anyhow::Result<()> {
        let mut answer = daemon.call(method, params)?;
        if let Ok(XmlValue::Array(items)) = &mut answer {
            items.sort_by_key(XmlValue::to_string);
        }
        self.note_answer(method, params, answer);
        Ok(())
    }

    /// Calls a method by its full name and notes the answer.
    pub fn note_call_any(
        &mut self,
        daemon: &Daemon,
        method: &str,
        params: &[XmlValue],
    ) -> anyhow::Result<()> {
        match daemon.ask(method, params) {
            Ok(answer) => self.note_answer(method, params, answer),
            // Where the original's handler breaks, its answer is a status of HTTP.
            Err(error) => match error.downcast_ref::<HttpStatus>() {
                Some(status) => self.note(format!("{method}({}) -> {status}", listed(params))),
                None => return Err(error),
            },
        }
        Ok(())
    }

    fn note_answer(&mut self, method: &str, params: &[XmlValue], answer: Result<XmlValue, XmlValue>) {
        let call = format!("{method}({})", listed(params));
        match answer.map(without_times) {
            // A list is easier to compare item by item.
            Ok(XmlValue::Array(items)) if items.len() > 1 => self.note_all(&format!("{call} ->"), items),
            answer => self.note(format!("{call} -> {}", describe(&answer))),
        }
    }

    /// Notes the fields of `getProcessInfo`, times only by whether there is one.
    pub fn note_info(&mut self, daemon: &Daemon, namespec: &str) -> anyhow::Result<()> {
        let answer = daemon.call("getProcessInfo", &[namespec.into()])?;
        self.note(format!("{namespec}: {}", describe(&answer.map(without_times))));
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
    pub fn expect_difference(&self, actual: impl Display, original: &str, ours: &str) -> anyhow::Result<()> {
        self.implementation.expect_difference(&redact(&actual.to_string(), self.dir.folder()), original, ours)
    }
}

fn listed(params: &[XmlValue]) -> String {
    params.iter().map(XmlValue::to_string).collect::<Vec<_>>().join(", ")
}

/// A value without the numbers that differ between runs: times and pids other than 0.
fn without_times(value: XmlValue) -> XmlValue {
    match value {
        XmlValue::Struct(members) => XmlValue::Struct(
            members
                .into_iter()
                .map(|(name, value)| match (name.as_str(), value) {
                    ("now" | "start" | "stop", XmlValue::Int(time)) if time != 0 => (name, "TIME".into()),
                    ("pid", XmlValue::Int(pid)) if pid != 0 => (name, "PID".into()),
                    (_, value) => (name, without_times(value)),
                })
                .collect(),
        ),
        XmlValue::Array(items) => XmlValue::Array(items.into_iter().map(without_times).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_pids_are_known_by_the_name_of_their_field() {
        let fields = |pid| XmlValue::Struct(vec![("now".to_owned(), 7.into()), ("pid".to_owned(), pid)]);
        assert_eq!(without_times(fields(0.into())).to_string(), r#"{now: "TIME", pid: 0}"#);
        assert_eq!(without_times(fields(5.into())).to_string(), r#"{now: "TIME", pid: "PID"}"#);
    }
}
