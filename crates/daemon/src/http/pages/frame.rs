//! What all parts of a page share: its language, what its visitor may do, and the moment it shows.

use std::time::{Duration, SystemTime};

use ironlance_host::local_time::LocalClock;

use super::assets::{EDITION, Edition};
use super::gauge::{Reading, Readings};
use super::language::{Choice, Words};
use super::token::Token;

/// What a visitor may do at this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum May {
    /// See and change everything.
    Change,
    /// See.
    Look,
}

/// What the parts of one page are drawn with.
pub(super) struct Frame<'a> {
    pub(super) words: &'static Words,
    pub(super) choice: Choice,
    pub(super) clock: &'a LocalClock,
    /// Since 1970.
    pub(super) now: Duration,
    pub(super) readings: &'a Readings,
    pub(super) edition: Edition,
    /// The way up from where the browser is to where the pages are; nothing, or `../` some times.
    pub(super) root: String,
    may: May,
    /// The hidden fields of every form.
    hidden: String,
}

impl<'a> Frame<'a> {
    pub(super) fn new(
        choice: Choice,
        may: May,
        token: &Token,
        clock: &'a LocalClock,
        now: Duration,
        readings: &'a Readings,
    ) -> Self {
        let language = match choice.kept {
            true => format!("<input type=\"hidden\" name=\"lang\" value=\"{}\">", choice.language.tag()),
            false => String::new(),
        };
        let hidden = match may {
            May::Change => {
                format!("<input type=\"hidden\" name=\"token\" value=\"{}\">{language}", token.as_str())
            }
            May::Look => String::new(),
        };
        let words = choice.language.words();
        let root = String::new();
        Self { words, choice, clock, now, readings, edition: EDITION, root, may, hidden }
    }

    /// Where the page of all programs is, without a query.
    pub(super) fn home(&self) -> &str {
        if self.root.is_empty() { "./" } else { &self.root }
    }

    /// How far the times of the page are ahead of UTC, in seconds.
    pub(super) fn zone(&self) -> i32 {
        let now = SystemTime::UNIX_EPOCH.checked_add(self.now).unwrap_or(SystemTime::UNIX_EPOCH);
        self.clock.local(now).offset().seconds()
    }

    pub(super) fn may_change(&self) -> bool {
        self.may == May::Change
    }

    /// Ready-made HTML: our own digits and tags, nothing from outside.
    pub(super) fn hidden(&self) -> &str {
        &self.hidden
    }

    /// What a process takes, if it is known.
    pub(super) fn reading(&self, pid: Option<u32>) -> Option<Reading> {
        self.readings.get(&pid?).copied()
    }
}
