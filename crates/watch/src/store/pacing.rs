//! When to commit: [`CommitPacing`], at most five times a second, and at once only for messages. Pure; the owner of the loop asks it.
//!
//! | since the last commit | due |
//! |---|---|
//! | nothing | never |
//! | a change | 1 s after it: its events are in the journal and can be folded again |
//! | a message | at once, but 200 ms after the last commit |
//! | a commit that failed | 1 s after it, then twice as long each time, up to 1 min; a message as above |

use std::time::Duration;

/// The least time between two commits.
const INTERVAL: Duration = Duration::from_millis(200);
/// The longest time that a change waits.
const MAX_WAIT: Duration = Duration::from_secs(1);
/// The longest time until a failed commit is tried again.
const MAX_RETRY: Duration = Duration::from_secs(60);

/// Decides when the next commit is due. Times are those of one monotonic clock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommitPacing {
    /// When the first change since the last commit came.
    changed: Option<Duration>,
    has_message: bool,
    /// When the last commit ended, whether it succeeded or not.
    last: Option<Duration>,
    /// The number of commits that have failed since the last one that has not.
    failures: u32,
}

impl CommitPacing {
    /// Notes that the state has changed.
    pub fn note_change(&mut self, now: Duration) {
        self.changed.get_or_insert(now);
    }

    /// Notes that there is a message to commit.
    pub fn note_message(&mut self, now: Duration) {
        self.note_change(now);
        self.has_message = true;
    }

    /// When the next commit is due; `None` where there is nothing to commit.
    pub fn due(&self) -> Option<Duration> {
        let changed = self.changed?;
        let earliest = self.last.map_or(Duration::ZERO, |last| last + INTERVAL);
        if self.has_message {
            return Some(changed.max(earliest));
        }
        let retry = self.last.filter(|_| self.failures > 0).map(|last| last + self.retry_after());
        Some(retry.unwrap_or(changed + MAX_WAIT).max(earliest))
    }

    /// Notes that a commit has succeeded.
    pub fn note_success(&mut self, now: Duration) {
        *self = Self { last: Some(now), ..Self::default() };
    }

    /// Notes that a commit has failed: the state is tried again, its messages are not.
    pub fn note_failure(&mut self, now: Duration) {
        *self = Self {
            changed: Some(now),
            has_message: false,
            last: Some(now),
            failures: self.failures.saturating_add(1),
        };
    }

    fn retry_after(&self) -> Duration {
        let doublings = self.failures.saturating_sub(1).min(6);
        (Duration::from_secs(1) * 2_u32.pow(doublings)).min(MAX_RETRY)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn nothing_is_due_where_nothing_has_changed() {
        let mut pacing = CommitPacing::default();
        assert_eq!(pacing.due(), None);
        pacing.note_change(ms(10));
        pacing.note_success(ms(20));
        assert_eq!(pacing.due(), None);
    }

    #[test]
    fn a_change_waits_a_second_and_a_message_does_not() {
        let mut pacing = CommitPacing::default();
        pacing.note_change(ms(10));
        pacing.note_change(ms(500));
        assert_eq!(pacing.due(), Some(ms(1010)));
        pacing.note_message(ms(600));
        assert!(pacing.due() <= Some(ms(600)));
        pacing.note_success(ms(601));
        pacing.note_message(ms(602));
        assert_eq!(pacing.due(), Some(ms(801)), "five times a second at most");
    }

    #[test]
    fn a_commit_that_failed_is_tried_again_ever_more_seldom_but_with_each_message() {
        let mut pacing = CommitPacing::default();
        let mut now = ms(0);
        let mut waits = Vec::new();
        for _ in 0..8 {
            pacing.note_failure(now);
            let due = pacing.due().unwrap();
            waits.push((due - now).as_secs());
            now = due;
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        pacing.note_failure(now);
        pacing.note_message(now + ms(10));
        assert_eq!(pacing.due(), Some(now + INTERVAL));
        pacing.note_success(now);
        assert_eq!(pacing.due(), None);
    }

    proptest! {
        #[test]
        fn a_second_has_five_commits_and_no_message_waits_longer_than_the_interval(
            inputs in prop::collection::vec((0_u64..400, any::<bool>()), 1..200),
        ) {
            let mut pacing = CommitPacing::default();
            let (mut now, mut commits, mut waiting) = (ms(0), Vec::new(), None::<Duration>);
            for (wait, is_message) in inputs {
                let until = now + ms(wait);
                while let Some(due) = pacing.due().filter(|due| *due <= until) {
                    now = now.max(due);
                    if let Some(since) = waiting.take() {
                        prop_assert!(now - since <= INTERVAL);
                    }
                    commits.push(now);
                    pacing.note_success(now);
                }
                now = until;
                if is_message {
                    pacing.note_message(now);
                    waiting.get_or_insert(now);
                } else {
                    pacing.note_change(now);
                }
            }
            for six in commits.windows(6) {
                prop_assert!(six[5] - six[0] >= ms(1000));
            }
        }
    }
}
