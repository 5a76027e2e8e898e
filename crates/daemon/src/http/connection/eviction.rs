//! Chooses the connection that is closed when all slots are taken and a new client connects: [`choose`], a pure
//! function.
//!
//! ```text
//!   1  refused           has got its 401 or 403; only waits to be closed
//!   2  slow unverified   has sent only part of its first request, for longer than the grace time
//!   3  unverified        while more than a quarter of the slots are unverified
//!   4  idle              has been answered, no new request
//!   5  unverified        has just connected
//!   6  slow client       sends a later request too slowly, or does not read its response
//!   7  streaming         while more than three quarters of the slots are streams
//! ```
//!
//! Within a rank the oldest is chosen. A connection that is being answered is never closed.
//!
//! Unverified means: no password has been shown; on a server without a password: no response has been sent yet.

use super::state::{ConnectionStatus, Phase};
use crate::http::limits::HttpLimits;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Refused,
    SlowUnverified,
    CrowdedUnverified,
    Idle,
    Unverified,
    SlowClient,
    Streaming,
}

/// The connection to close; `None` if all are being answered.
pub(in crate::http) fn choose<K: Copy + Ord>(
    all: &[(K, ConnectionStatus)],
    limits: &HttpLimits,
) -> Option<K> {
    let count = |is: fn(&ConnectionStatus) -> bool| all.iter().filter(|(_, status)| is(status)).count();
    let crowd = Crowded {
        unverified: count(|status| status.is_unverified) > limits.connections / 4,
        streaming: count(|status| is_streaming(status.phase)) > limits.connections * 3 / 4,
    };
    let ranked = all.iter().filter_map(|(key, status)| {
        let rank = rank(status, &crowd, limits)?;
        Some(((rank, std::cmp::Reverse(status.stalled.unwrap_or(status.age)), *key), *key))
    });
    ranked.min_by_key(|(order, _)| *order).map(|(_, key)| key)
}

/// Which kinds of connections have more than their share of the slots.
struct Crowded {
    unverified: bool,
    streaming: bool,
}

fn is_streaming(phase: Phase) -> bool {
    matches!(phase, Phase::LogTail | Phase::EventStream)
}

fn rank(status: &ConnectionStatus, crowd: &Crowded, limits: &HttpLimits) -> Option<Rank> {
    match status.phase {
        Phase::Refused => Some(Rank::Refused),
        Phase::Idle => Some(Rank::Idle),
        Phase::New | Phase::Head | Phase::Body if status.is_unverified => {
            Some(match (status.age > limits.unverified_grace, crowd.unverified) {
                (true, _) => Rank::SlowUnverified,
                (false, true) => Rank::CrowdedUnverified,
                (false, false) => Rank::Unverified,
            })
        }
        Phase::New | Phase::Head | Phase::Body => {
            (status.age > limits.client_grace).then_some(Rank::SlowClient)
        }
        Phase::Responding => {
            status.stalled.filter(|stuck| *stuck > limits.client_grace).map(|_| Rank::SlowClient)
        }
        Phase::LogTail | Phase::EventStream => crowd.streaming.then_some(Rank::Streaming),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn limits() -> HttpLimits {
        HttpLimits { connections: 8, ..HttpLimits::default() }
    }

    fn status(phase: Phase, seconds: u32, is_stranger: bool) -> ConnectionStatus {
        ConnectionStatus { phase, age: SECOND * seconds, stalled: None, is_unverified: is_stranger }
    }

    fn client(phase: Phase, seconds: u32) -> ConnectionStatus {
        status(phase, seconds, false)
    }

    fn stranger(phase: Phase, seconds: u32) -> ConnectionStatus {
        status(phase, seconds, true)
    }

    /// The index of the chosen connection.
    fn goes(all: &[ConnectionStatus]) -> Option<usize> {
        let all: Vec<_> = all.iter().copied().enumerate().collect();
        choose(&all, &limits())
    }

    #[test]
    fn who_has_shown_no_password_goes_before_who_has() {
        let idle = client(Phase::Idle, 86_400);
        for phase in [Phase::New, Phase::Head, Phase::Body] {
            assert_eq!(goes(&[idle, stranger(phase, 2)]), Some(1), "{phase:?}");
            assert_eq!(goes(&[client(Phase::Responding, 9), stranger(phase, 0)]), Some(1), "{phase:?}");
        }
        assert_eq!(goes(&[stranger(Phase::Head, 20), stranger(Phase::Refused, 0), idle]), Some(1));
    }

    #[test]
    fn a_client_that_has_just_connected_is_not_sent_away_for_one_that_idles() {
        assert_eq!(goes(&[client(Phase::Idle, 5), stranger(Phase::New, 0)]), Some(0));
        let mut crowd = vec![stranger(Phase::New, 0); 3];
        crowd.insert(0, client(Phase::Idle, 5));
        assert_eq!(goes(&crowd), Some(1), "unless such ones are the crowd");
    }

    #[test]
    fn the_slowest_of_a_kind_goes_first() {
        assert_eq!(
            goes(&[stranger(Phase::Body, 2), stranger(Phase::Head, 9), stranger(Phase::New, 5)]),
            Some(1)
        );
        assert_eq!(goes(&[client(Phase::Idle, 2), client(Phase::Idle, 9)]), Some(1));
    }

    #[test]
    fn who_is_being_answered_stays_and_who_takes_nothing_of_it_goes() {
        assert_eq!(goes(&[client(Phase::Responding, 3600), client(Phase::Body, 1)]), None);
        assert_eq!(goes(&[client(Phase::Responding, 3600), client(Phase::Body, 10)]), Some(1));
        let deaf = ConnectionStatus { stalled: Some(SECOND * 10), ..client(Phase::Responding, 20) };
        assert_eq!(goes(&[client(Phase::Responding, 3600), deaf]), Some(1));
    }

    #[test]
    fn followers_have_three_quarters_of_the_slots() {
        let mut all = vec![client(Phase::EventStream, 5); 6];
        assert_eq!(goes(&all), None);
        all.push(client(Phase::LogTail, 9));
        assert_eq!(goes(&all), Some(6));
    }

    fn statuses() -> impl Strategy<Value = ConnectionStatus> {
        let phase = prop::sample::select(vec![
            Phase::New,
            Phase::Head,
            Phase::Body,
            Phase::Responding,
            Phase::Refused,
            Phase::LogTail,
            Phase::EventStream,
            Phase::Idle,
        ]);
        (phase, 0_u32..100, prop::option::of(0_u32..100), any::<bool>()).prop_map(
            |(phase, age, stuck, is_stranger)| ConnectionStatus {
                phase,
                age: SECOND * age,
                stalled: stuck.filter(|_| phase == Phase::Responding).map(|stuck| SECOND * stuck.min(age)),
                is_unverified: is_stranger
                    && !matches!(phase, Phase::Idle | Phase::LogTail | Phase::EventStream),
            },
        )
    }

    proptest! {
        #[test]
        fn while_a_crowd_of_strangers_sits_there_no_client_goes(all in prop::collection::vec(statuses(), 8)) {
            let waits = |one: &ConnectionStatus| one.is_unverified && one.phase != Phase::Responding;
            let crowd = all.iter().filter(|one| waits(one)).count() > 2;
            if let (true, Some(gone)) = (crowd, goes(&all)) {
                prop_assert!(all[gone].is_unverified || all[gone].phase == Phase::Refused);
            }
        }

        #[test]
        fn somebody_goes_wherever_somebody_is_not_being_answered(all in prop::collection::vec(statuses(), 8)) {
            let slow = all.iter().any(|one| match one.phase {
                Phase::Responding | Phase::LogTail | Phase::EventStream => false,
                Phase::Refused | Phase::Idle => true,
                Phase::New | Phase::Head | Phase::Body => one.is_unverified || one.age > SECOND * 5,
            });
            prop_assert!(!slow || goes(&all).is_some());
        }
    }
}
