//! A recording event listener for a scenario, and what it was sent.

use std::fs;
use std::path::PathBuf;

use anyhow::Context;

use crate::implementation::Implementation;
use crate::test_dir::TestDir;
use crate::wait::{TIMEOUT, until};

/// The listener's program.
const PROGRAM: &str = include_str!("../python/recorder.py");

/// Where a recording listener writes, and how it is run.
#[derive(Clone, Debug)]
pub struct Recorder {
    file: PathBuf,
    command: String,
}

/// An event as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedEvent {
    /// The header's line, without its end.
    pub header: String,
    /// The body.
    pub body: String,
}

impl RecordedEvent {
    /// A token of the header.
    pub fn token(&self, name: &str) -> Option<&str> {
        self.header
            .split(' ')
            .filter_map(|token| token.split_once(':'))
            .find_map(|(key, value)| (key == name).then_some(value))
    }

    /// The name of the event.
    pub fn name(&self) -> &str {
        self.token("eventname").unwrap_or_default()
    }

    /// The value of a token of the body's first line.
    pub fn body_token(&self, name: &str) -> Option<&str> {
        let first = self.body.lines().next()?;
        first
            .split(' ')
            .filter_map(|token| token.split_once(':'))
            .find_map(|(key, value)| (key == name).then_some(value))
    }
}

impl Recorder {
    /// A recorder of this name that gives these answers (see recorder.py).
    pub fn new(dir: &TestDir, name: &str, answers: &str) -> anyhow::Result<Self> {
        let program = dir.write("recorder.py", PROGRAM)?;
        let file = dir.path(&format!("{name}.events"));
        let python = Implementation::Original.path("python")?;
        let command = format!("{} -ISu {} {} {answers}", python.display(), program.display(), file.display());
        Ok(Self { file, command })
    }

    /// A section that runs it as the listener `NAME` of these events, with room for all of them.
    pub fn section(&self, name: &str, events: &str) -> String {
        let command = &self.command;
        format!("[eventlistener:{name}]\ncommand={command}\nevents={events}\nbuffer_size=1000\nstartsecs=0\n")
    }

    /// The command that runs it.
    pub fn command(&self) -> &str {
        &self.command
    }

    /// What it was sent so far; an event that is not complete yet is left out.
    pub fn events(&self) -> anyhow::Result<Vec<RecordedEvent>> {
        let text = match fs::read(&self.file) {
            Ok(bytes) => String::from_utf8(bytes).context("cannot read the record: it is not UTF-8")?,
            Err(_) => String::new(),
        };
        let mut events = Vec::new();
        let mut rest = text.as_str();
        while let Some((header, after)) = rest.split_once('\n') {
            let event = RecordedEvent { header: header.to_owned(), body: String::new() };
            let length: usize =
                event.token("len").and_then(|len| len.parse().ok()).context("cannot find len")?;
            let end: usize = after.chars().take(length).map(char::len_utf8).sum();
            let Some(next) = after[end..].strip_prefix('\n') else { break };
            events.push(RecordedEvent { body: after[..end].to_owned(), ..event });
            rest = next;
        }
        Ok(events)
    }

    /// Waits until an event meets this; gives all until then and what came with it.
    pub fn wait(
        &self,
        what: &str,
        meets: impl Fn(&RecordedEvent) -> bool,
    ) -> anyhow::Result<Vec<RecordedEvent>> {
        self.wait_all(what, |events| events.iter().any(&meets))
    }

    /// Waits until all events together meet this.
    pub fn wait_all(
        &self,
        what: &str,
        meet: impl Fn(&[RecordedEvent]) -> bool,
    ) -> anyhow::Result<Vec<RecordedEvent>> {
        until(
            &format!("the event {what}"),
            TIMEOUT,
            || Ok(Some(self.events()?).filter(|events| meet(events))),
        )
        .with_context(|| format!("so far: {:#?}", self.events()))
    }
}
