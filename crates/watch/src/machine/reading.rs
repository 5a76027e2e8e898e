//! Readings of one check or limit: [`Reading`], N failures of M, or over the limit for a time.
//!
//! ```text
//!                 N of the last M are bad,
//!                 or all for T
//!        good ─────────────────────────────▶ bad
//!             ◀─────────────────────────────
//!                 the last N are good,
//!                 or one below the limit
//! ```
//!
//! | state | result | next | change |
//! |---|---|---|---|
//! | good | N bad of M, or bad for T | bad | `TurnedBad`, acts |
//! | bad | N good in a row, or one below the limit | good | `TurnedGood` |
//! | bad, started anew since | as good to bad | bad | acts |
//! | any | otherwise | the same | |

use std::collections::VecDeque;
use std::time::Duration;

use ironlance_core::Namespec;
use ironlance_core::alerting::incident::Family;
use serde::{Deserialize, Serialize};

use super::clock::WatchTime;

/// The most results that are remembered.
const MAX_RESULTS: usize = 1000;

/// When readings are a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReadingRule {
    /// `fail N of M`.
    Count {
        /// N.
        fail: usize,
        /// M.
        of: usize,
    },
    /// `for T`.
    Lasting(Duration),
}

/// What a result changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReadingChange {
    /// It is a fault now.
    TurnedBad,
    /// It is none any more.
    TurnedGood,
}

/// The readings of one check of one program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    pub(super) program: Namespec,
    pub(super) family: Family,
    pub(super) check: String,
    /// The last results, oldest first; true is good.
    results: VecDeque<bool>,
    /// Since when each result is bad.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bad_since: Option<WatchTime>,
    pub(super) is_bad: bool,
    /// This process was seen to be at fault, and the action was due: a fault may be one of the process before.
    pub(super) is_confirmed: bool,
}

impl Reading {
    pub(super) const fn new(program: Namespec, family: Family, check: String) -> Self {
        Self {
            program,
            family,
            check,
            results: VecDeque::new(),
            bad_since: None,
            is_bad: false,
            is_confirmed: false,
        }
    }

    /// Takes a result in. The second value: the action is due.
    pub(super) fn result(
        &mut self,
        is_good: bool,
        at: WatchTime,
        rule: ReadingRule,
    ) -> (Option<ReadingChange>, bool) {
        let of = match rule {
            ReadingRule::Count { fail, of } => of.max(fail).clamp(1, MAX_RESULTS),
            ReadingRule::Lasting(_) => 1,
        };
        self.results.push_back(is_good);
        while self.results.len() > of {
            self.results.pop_front();
        }
        self.bad_since = if is_good { None } else { self.bad_since.or(Some(at)) };
        let (is_fault, is_well) = match rule {
            ReadingRule::Count { fail, .. } => {
                let fail = fail.clamp(1, MAX_RESULTS);
                let bad = self.results.iter().filter(|good| !**good).count();
                let good = self.results.iter().rev().take_while(|good| **good).count();
                (bad >= fail && !is_good, good >= fail)
            }
            ReadingRule::Lasting(time) => {
                (self.bad_since.is_some_and(|since| at.since(since) >= time), is_good)
            }
        };
        let change = if self.is_bad && is_well {
            self.is_bad = false;
            self.is_confirmed = false;
            self.results.clear();
            Some(ReadingChange::TurnedGood)
        } else if !self.is_bad && is_fault {
            self.is_bad = true;
            Some(ReadingChange::TurnedBad)
        } else {
            None
        };
        let acts = is_fault && !self.is_confirmed;
        self.is_confirmed |= is_fault;
        (change, acts)
    }

    /// The program was started: what was read before is of another process.
    pub(super) fn program_started(&mut self) {
        self.results.clear();
        self.bad_since = None;
        self.is_confirmed = false;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reading() -> Reading {
        Reading::new(Namespec::new("web", "web"), Family::Health, String::new())
    }

    /// `g` and `b` each ten seconds; `B`, `G` where it turns, `!` behind where it acts.
    fn play(reading: &mut Reading, results: &str, rule: ReadingRule) -> String {
        let mut out = String::new();
        for (index, result) in results.chars().enumerate() {
            let at = WatchTime(1_000_000 + u64::try_from(index).unwrap() * 10_000);
            let (change, acts) = reading.result(result == 'g', at, rule);
            out.push(match change {
                None => result,
                Some(ReadingChange::TurnedBad) => 'B',
                Some(ReadingChange::TurnedGood) => 'G',
            });
            out.push_str(if acts { "!" } else { "" });
        }
        out
    }

    #[test]
    fn n_failures_of_m_are_a_fault_and_n_good_ones_in_a_row_end_it() {
        let rule = ReadingRule::Count { fail: 3, of: 5 };
        assert_eq!(play(&mut reading(), "bgbgbggbgggb", rule), "bgbgB!ggbggGb");
        assert_eq!(play(&mut reading(), "bbggggbb", rule), "bbggggbb");
        let one = ReadingRule::Count { fail: 1, of: 1 };
        assert_eq!(play(&mut reading(), "bbgbg", one), "B!bGB!G");
    }

    #[test]
    fn over_the_limit_for_a_time_is_a_fault_until_one_reading_is_below() {
        let rule = ReadingRule::Lasting(Duration::from_secs(30));
        assert_eq!(play(&mut reading(), "bbbgbbbbbg", rule), "bbbgbbbB!bG");
        assert_eq!(play(&mut reading(), "bg", ReadingRule::Lasting(Duration::ZERO)), "B!G");
    }

    proptest! {
        #[test]
        fn a_fault_begins_with_n_of_m_and_ends_with_n_in_a_row(
            results in proptest::collection::vec(any::<bool>(), 1..80),
            fail in 1_usize..5,
            more in 0_usize..4,
        ) {
            let (mut reading, mut since, mut is_bad) = (reading(), 0, false);
            let rule = ReadingRule::Count { fail, of: fail + more };
            for index in 0..results.len() {
                let (change, _) = reading.result(results[index], WatchTime(0), rule);
                let seen = &results[since..=index];
                let last = &seen[seen.len().saturating_sub(fail + more)..];
                let bad = last.iter().filter(|good| !**good).count();
                let good = seen.iter().rev().take_while(|good| **good).count();
                if is_bad && good >= fail {
                    prop_assert_eq!(change, Some(ReadingChange::TurnedGood));
                    (is_bad, since) = (false, index + 1);
                } else if !is_bad && bad >= fail && !results[index] {
                    prop_assert_eq!(change, Some(ReadingChange::TurnedBad));
                    is_bad = true;
                } else {
                    prop_assert_eq!(change, None);
                }
                prop_assert_eq!(reading.is_bad, is_bad);
            }
        }
    }

    #[test]
    fn a_fault_that_lasts_over_a_start_acts_again_and_is_no_new_fault() {
        let rule = ReadingRule::Count { fail: 2, of: 2 };
        let mut reading = reading();
        assert_eq!(play(&mut reading, "bbb", rule), "bB!b");
        reading.program_started();
        assert_eq!(play(&mut reading, "bbb", rule), "bb!b");
        reading.program_started();
        assert_eq!(play(&mut reading, "gg", rule), "gG");
    }
}
