//! Silences: [`SilenceList`], what operators have asked for, and for how long.
//!
//! ```text
//!        Add, from > now            from               until, End
//!   – ────────────────▶ pending ──────────▶ active ─────────────────▶ expired ──5 days──▶ –
//!   └───────────────────────────────────────▲
//!        Add
//! ```
//!
//! | state | input | next |
//! |---|---|---|
//! | – | Add | pending where it begins later, else active |
//! | pending | its begin | active |
//! | pending, active | its end, End | expired |
//! | expired | 5 days | – |
//!
//! Times are wall times, since people write them so; a clock that is set moves a silence with it.

use ironlance_core::Selection;
use ironlance_core::alerting::incident::AlertCause;
use serde::{Deserialize, Serialize};

/// The longest silence: 30 days, in milliseconds.
const MAX_LENGTH: u64 = 30 * 86_400_000;
/// An expired silence is forgotten after this time: 5 days, in milliseconds.
const EXPIRED: u64 = 5 * 86_400_000;
/// The most silences, and the most patterns of one.
const MAX_SILENCES: usize = 1000;

/// A silence. Times are milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    /// Its number.
    pub id: u64,
    /// The word of the caller that asked for it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub request: String,
    /// The patterns.
    pub programs: Vec<String>,
    /// Only these; all where it is empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<AlertCause>,
    /// From when.
    pub from: u64,
    /// Until when.
    pub until: u64,
    /// Who asked for it.
    pub by: String,
    /// Why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub comment: String,
    /// Its end is in the history already.
    #[serde(default)]
    pub(super) is_over: bool,
}

/// Where a silence stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SilenceState {
    /// It begins later.
    Pending,
    /// It holds messages back.
    Active,
    /// It is over.
    Expired,
}

/// All silences that are not forgotten.
#[derive(Clone, Debug, Default)]
pub(super) struct SilenceList {
    /// With their patterns read.
    silences: Vec<(Silence, Selection)>,
}

impl Silence {
    /// Where it stands at a wall time.
    pub const fn state(&self, wall: u64) -> SilenceState {
        if self.is_over || wall >= self.until {
            SilenceState::Expired
        } else if wall < self.from {
            SilenceState::Pending
        } else {
            SilenceState::Active
        }
    }
}

/// Reads patterns.
pub(super) fn selection(patterns: &[String]) -> Result<Selection, String> {
    if patterns.is_empty() || patterns.len() > MAX_SILENCES {
        return Err(format!("cannot take {} patterns", patterns.len()));
    }
    let mut selection = Selection::default();
    for pattern in patterns {
        selection.add(pattern).map_err(|error| error.to_string())?;
    }
    Ok(selection)
}

impl SilenceList {
    /// Adds a silence; gives why it cannot be.
    pub(super) fn add(&mut self, silence: Silence, wall: u64) -> Result<(), String> {
        if silence.until <= silence.from.max(wall) {
            return Err("cannot silence: its end is over".to_owned());
        }
        if silence.until.saturating_sub(silence.from.max(wall)) > MAX_LENGTH {
            return Err("cannot silence for more than 30 days".to_owned());
        }
        if self.silences.iter().filter(|(silence, _)| silence.state(wall) != SilenceState::Expired).count()
            >= MAX_SILENCES
        {
            return Err(format!("cannot silence: there are {MAX_SILENCES} silences"));
        }
        let selection = selection(&silence.programs)?;
        if self.silences.len() >= 2 * MAX_SILENCES
            && let Some(oldest) = self.silences.iter().position(|(silence, _)| silence.is_over)
        {
            self.silences.remove(oldest);
        }
        self.silences.push((silence, selection));
        Ok(())
    }

    /// Ends a silence; gives whether there was one to end.
    pub(super) fn end(&mut self, id: u64, wall: u64) -> bool {
        let found = self.silences.iter_mut().find(|(silence, _)| {
            silence.id == id && !silence.is_over && silence.state(wall) != SilenceState::Expired
        });
        found.is_some_and(|(silence, _)| {
            silence.until = wall;
            silence.is_over = true;
            true
        })
    }

    /// The numbers of those that have expired since the last call. Forgets the old ones.
    pub(super) fn expire(&mut self, wall: u64) -> Vec<u64> {
        self.silences.retain(|(silence, _)| wall.saturating_sub(silence.until) < EXPIRED);
        let expired =
            self.silences.iter_mut().filter(|(silence, _)| !silence.is_over && wall >= silence.until);
        expired
            .map(|(silence, _)| {
                silence.is_over = true;
                silence.id
            })
            .collect()
    }

    /// The active silence that matches and lasts longest.
    pub(super) fn matching(
        &self,
        matches: impl Fn(&Selection) -> bool,
        cause: AlertCause,
        wall: u64,
    ) -> Option<&Silence> {
        let active = self.silences.iter().filter(|(silence, selection)| {
            silence.state(wall) == SilenceState::Active
                && (silence.causes.is_empty() || silence.causes.contains(&cause))
                && matches(selection)
        });
        active.map(|(silence, _)| silence).max_by_key(|silence| (silence.until, silence.id))
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Silence> {
        self.silences.iter().map(|(silence, _)| silence)
    }

    /// Takes one in that was stored; one that cannot be read matches nothing.
    pub(super) fn restore(&mut self, silence: Silence) {
        if let Ok(selection) = selection(&silence.programs) {
            self.silences.push((silence, selection));
        }
    }
}

#[cfg(test)]
mod tests {
    use ironlance_core::Namespec;

    use super::*;

    fn silence(from: u64, until: u64) -> Silence {
        Silence {
            id: 5,
            request: String::new(),
            programs: vec!["web:*".to_owned(), "!web:c".to_owned()],
            causes: vec![AlertCause::Crash],
            from,
            until,
            by: "anna".to_owned(),
            comment: "deploy".to_owned(),
            is_over: false,
        }
    }

    fn matches(list: &SilenceList, process: &str, cause: AlertCause, wall: u64) -> bool {
        let program = Namespec::new("web", process);
        list.matching(|selection| selection.includes(&program), cause, wall).is_some()
    }

    #[test]
    fn a_silence_holds_for_its_patterns_causes_and_time() {
        let mut list = SilenceList::default();
        list.add(silence(1000, 2000), 500).unwrap();
        assert!(!matches(&list, "a", AlertCause::Crash, 999));
        assert!(matches(&list, "a", AlertCause::Crash, 1000));
        assert!(!matches(&list, "a", AlertCause::Fatal, 1000));
        assert!(!matches(&list, "c", AlertCause::Crash, 1000));
        assert!(!matches(&list, "a", AlertCause::Crash, 2000));
        assert!(list.expire(1999).is_empty());
        assert_eq!(list.expire(2000), [5]);
        assert!(list.expire(2001).is_empty());
        assert_eq!(list.iter().count(), 1);
        list.expire(2000 + EXPIRED);
        assert_eq!(list.iter().count(), 0);
    }

    #[test]
    fn an_operator_may_end_it() {
        let mut list = SilenceList::default();
        list.add(silence(0, 2000), 500).unwrap();
        assert!(!list.end(6, 600) && list.end(5, 600) && !list.end(5, 601));
        assert!(!matches(&list, "a", AlertCause::Crash, 601));
        assert!(list.expire(3000).is_empty(), "its end is known already");
    }

    #[test]
    fn what_has_no_end_or_no_pattern_is_refused() {
        let mut list = SilenceList::default();
        assert!(list.add(silence(0, 400), 500).is_err());
        assert!(list.add(silence(0, u64::MAX), 500).is_err());
        assert!(list.add(Silence { programs: vec![], ..silence(0, 1000) }, 500).is_err());
        assert!(
            list.add(Silence { programs: vec!["a:b:".to_owned(), ":x".to_owned()], ..silence(0, 1000) }, 500)
                .is_err()
        );
        for id in 0..2000 {
            let _ = list.add(Silence { id, ..silence(0, 1000) }, 500);
        }
        assert_eq!(list.iter().count(), MAX_SILENCES);
    }
}
