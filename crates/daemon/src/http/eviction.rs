//! Which connection makes room for a new one when all seats are taken.
//!
//! ```text
//!   1  refused         it has its 401 or 403, and is only waited for
//!   2  slow stranger   nothing but a part of a request, for longer than a moment
//!   3  stranger        while strangers have more than a quarter of the seats
//!   4  idle            answered, and silent since
//!   5  stranger        one who has just come
//!   6  slow client     a later request that does not come, or an answer that is not taken
//!   7  follower        while followers have more than three quarters of the seats
//! ```
//!
//! In each of these the one that has been so longest. Who is being answered stays.
//!
//! A stranger has shown no password yet; where the server has none, it has had no answer yet.

use std::time::Duration;

use super::limits::Limits;
use super::phase::Phase;

/// What is known of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) phase: Phase,
    /// How long it has been in this phase.
    pub(super) age: Duration,
    /// How long the client has taken nothing of its answer.
    pub(super) stuck: Option<Duration>,
    pub(super) is_stranger: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Refused,
    SlowStranger,
    StrangerInCrowd,
    Idle,
    Stranger,
    SlowClient,
    Follower,
}

/// The connection that has to go, of all there are; nothing where all are being answered.
pub(super) fn choose<K: Copy + Ord>(all: &[(K, Standing)], limits: &Limits) -> Option<K> {
    let count = |is: fn(&Standing) -> bool| all.iter().filter(|(_, standing)| is(standing)).count();
    let crowd = Crowd {
        strangers: count(|standing| standing.is_stranger) > limits.connections / 4,
        followers: count(|standing| is_follower(standing.phase)) > limits.connections * 3 / 4,
    };
    let ranked = all.iter().filter_map(|(key, standing)| {
        let rank = rank(standing, &crowd, limits)?;
        Some(((rank, std::cmp::Reverse(standing.stuck.unwrap_or(standing.age)), *key), *key))
    });
    ranked.min_by_key(|(order, _)| *order).map(|(_, key)| key)
}

/// Of whom there are too many.
struct Crowd {
    strangers: bool,
    followers: bool,
}

fn is_follower(phase: Phase) -> bool {
    matches!(phase, Phase::Tail | Phase::Live)
}

fn rank(standing: &Standing, crowd: &Crowd, limits: &Limits) -> Option<Rank> {
    match standing.phase {
        Phase::Refused => Some(Rank::Refused),
        Phase::Idle => Some(Rank::Idle),
        Phase::Fresh | Phase::Head | Phase::Body if standing.is_stranger => {
            Some(match (standing.age > limits.stranger_patience, crowd.strangers) {
                (true, _) => Rank::SlowStranger,
                (false, true) => Rank::StrangerInCrowd,
                (false, false) => Rank::Stranger,
            })
        }
        Phase::Fresh | Phase::Head | Phase::Body => {
            (standing.age > limits.client_patience).then_some(Rank::SlowClient)
        }
        Phase::Busy => {
            standing.stuck.filter(|stuck| *stuck > limits.client_patience).map(|_| Rank::SlowClient)
        }
        Phase::Tail | Phase::Live => crowd.followers.then_some(Rank::Follower),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn limits() -> Limits {
        Limits { connections: 8, ..Limits::default() }
    }

    fn standing(phase: Phase, seconds: u32, is_stranger: bool) -> Standing {
        Standing { phase, age: SECOND * seconds, stuck: None, is_stranger }
    }

    fn client(phase: Phase, seconds: u32) -> Standing {
        standing(phase, seconds, false)
    }

    fn stranger(phase: Phase, seconds: u32) -> Standing {
        standing(phase, seconds, true)
    }

    /// Who goes, by the place in the list.
    fn goes(all: &[Standing]) -> Option<usize> {
        let all: Vec<_> = all.iter().copied().enumerate().collect();
        choose(&all, &limits())
    }

    #[test]
    fn who_has_shown_no_password_goes_before_who_has() {
        let idle = client(Phase::Idle, 86_400);
        for phase in [Phase::Fresh, Phase::Head, Phase::Body] {
            assert_eq!(goes(&[idle, stranger(phase, 2)]), Some(1), "{phase:?}");
            assert_eq!(goes(&[client(Phase::Busy, 9), stranger(phase, 0)]), Some(1), "{phase:?}");
        }
        assert_eq!(goes(&[stranger(Phase::Head, 20), stranger(Phase::Refused, 0), idle]), Some(1));
    }

    #[test]
    fn a_client_that_has_just_connected_is_not_sent_away_for_one_that_idles() {
        assert_eq!(goes(&[client(Phase::Idle, 5), stranger(Phase::Fresh, 0)]), Some(0));
        let mut crowd = vec![stranger(Phase::Fresh, 0); 3];
        crowd.insert(0, client(Phase::Idle, 5));
        assert_eq!(goes(&crowd), Some(1), "unless such ones are the crowd");
    }

    #[test]
    fn the_slowest_of_a_kind_goes_first() {
        assert_eq!(
            goes(&[stranger(Phase::Body, 2), stranger(Phase::Head, 9), stranger(Phase::Fresh, 5)]),
            Some(1)
        );
        assert_eq!(goes(&[client(Phase::Idle, 2), client(Phase::Idle, 9)]), Some(1));
    }

    #[test]
    fn who_is_being_answered_stays_and_who_takes_nothing_of_it_goes() {
        assert_eq!(goes(&[client(Phase::Busy, 3600), client(Phase::Body, 1)]), None);
        assert_eq!(goes(&[client(Phase::Busy, 3600), client(Phase::Body, 10)]), Some(1));
        let deaf = Standing { stuck: Some(SECOND * 10), ..client(Phase::Busy, 20) };
        assert_eq!(goes(&[client(Phase::Busy, 3600), deaf]), Some(1));
    }

    #[test]
    fn followers_have_three_quarters_of_the_seats() {
        let mut all = vec![client(Phase::Live, 5); 6];
        assert_eq!(goes(&all), None);
        all.push(client(Phase::Tail, 9));
        assert_eq!(goes(&all), Some(6));
    }

    fn standings() -> impl Strategy<Value = Standing> {
        let phase = prop::sample::select(vec![
            Phase::Fresh,
            Phase::Head,
            Phase::Body,
            Phase::Busy,
            Phase::Refused,
            Phase::Tail,
            Phase::Live,
            Phase::Idle,
        ]);
        (phase, 0_u32..100, prop::option::of(0_u32..100), any::<bool>()).prop_map(
            |(phase, age, stuck, is_stranger)| Standing {
                phase,
                age: SECOND * age,
                stuck: stuck.filter(|_| phase == Phase::Busy).map(|stuck| SECOND * stuck.min(age)),
                is_stranger: is_stranger && !matches!(phase, Phase::Idle | Phase::Tail | Phase::Live),
            },
        )
    }

    proptest! {
        #[test]
        fn while_a_crowd_of_strangers_sits_there_no_client_goes(all in prop::collection::vec(standings(), 8)) {
            let waits = |one: &Standing| one.is_stranger && one.phase != Phase::Busy;
            let crowd = all.iter().filter(|one| waits(one)).count() > 2;
            if let (true, Some(gone)) = (crowd, goes(&all)) {
                prop_assert!(all[gone].is_stranger || all[gone].phase == Phase::Refused);
            }
        }

        #[test]
        fn somebody_goes_wherever_somebody_is_not_being_answered(all in prop::collection::vec(standings(), 8)) {
            let slow = all.iter().any(|one| match one.phase {
                Phase::Busy | Phase::Tail | Phase::Live => false,
                Phase::Refused | Phase::Idle => true,
                Phase::Fresh | Phase::Head | Phase::Body => one.is_stranger || one.age > SECOND * 5,
            });
            prop_assert!(!slow || goes(&all).is_some());
        }
    }
}
