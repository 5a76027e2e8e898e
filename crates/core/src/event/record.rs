//! An event as people read it: numbered, with its time and its reason. The daemon keeps the last ones and streams new ones.

use std::rc::Rc;
use std::time::Duration;

use super::Event;

/// Something that has happened, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRecord {
    /// Counts up from 1 in this daemon's life.
    pub number: u64,
    /// When, since 1970.
    pub at: Duration,
    /// What.
    pub event: Event,
    /// Why, where a process went down: `exit status 1`, `terminated by SIGKILL`, a step that failed.
    pub why: Option<Rc<str>>,
}
