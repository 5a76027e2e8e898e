//! How long to wait after so many failures: growing, and a little different each time.

use std::time::Duration;

use ironlance_core::time::backoff::Backoff;

/// Before jitter.
const BACKOFF: Backoff = Backoff { first: Duration::from_secs(1), max: Duration::from_secs(600) };

/// The pause after the given number of failures in a row (1 or more). `jitter` is a random number from 0 to 1 and
/// moves it by up to a fifth either over, so that many who wait for one server do not come all at once.
pub(crate) fn pause(failures: u32, jitter: f64) -> Duration {
    BACKOFF.pause(failures.max(1)).mul_f64(0.8 + 0.4 * jitter.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn pauses_double_up_to_ten_minutes() {
        let seconds: Vec<u64> = (1..13).map(|failures| pause(failures, 0.5).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600]);
    }

    proptest! {
        #[test]
        fn every_pause_is_within_a_fifth_of_its_step(failures in any::<u32>(), jitter in any::<f64>()) {
            let pause = pause(failures, jitter);
            prop_assert!(pause >= Duration::from_millis(800) && pause <= Duration::from_secs(720));
        }
    }
}
