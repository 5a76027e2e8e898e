//! Exponential backoff: a pause that doubles with each failure in a row, up to a limit. [`Backoff`] is used for the restarts
//! of listeners and for the retries of deliveries; jitter is the caller's.

use std::time::Duration;

/// The pauses of one kind of retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The pause after the first failure.
    pub first: Duration,
    /// No pause is longer.
    pub max: Duration,
}

impl Backoff {
    /// The pause after the given number of failures in a row; none without a failure.
    pub fn pause(self, failures: u32) -> Duration {
        match failures.checked_sub(1) {
            None => Duration::ZERO,
            Some(doublings) => self.first.saturating_mul(2_u32.saturating_pow(doublings)).min(self.max),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn pauses_double_up_to_the_limit() {
        let backoff = Backoff { first: Duration::from_secs(1), max: Duration::from_secs(60) };
        let seconds: Vec<u64> = (0..10).map(|failures| backoff.pause(failures).as_secs()).collect();
        assert_eq!(seconds, [0, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(backoff.pause(u32::MAX), Duration::from_secs(60));
    }

    proptest! {
        #[test]
        fn one_more_failure_never_shortens_the_pause_and_at_most_doubles_it(
            first in 1_u64..10_000, max in 1_u64..1 << 40, failures in 1_u32..100,
        ) {
            let backoff = Backoff { first: Duration::from_millis(first), max: Duration::from_millis(max) };
            let (pause, next) = (backoff.pause(failures), backoff.pause(failures + 1));
            prop_assert!(pause <= next && next <= pause * 2 && next <= backoff.max);
        }
    }
}
