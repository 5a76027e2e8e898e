//! Whatever happens in whatever order: no event is lost, doubled or out of order, but for those that are counted.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Happening {
    Join(u32),
    Leave(u32),
    Offer(u8),
    Heard(u32, Vec<u8>),
    Refused(u32),
    FellSilent(u32),
    Retire(u32),
    /// So many seconds pass.
    Pass(u64),
}

fn happening() -> impl Strategy<Value = Happening> {
    let words: Vec<&[u8]> = vec![
        b"READY\n",
        b"RESULT 2\nOK",
        b"RESULT 4\nFAIL",
        b"RESULT 2\nOKREADY\n",
        b"RESULT 2\nOKREADY\n",
        b"RESULT 2\nOKREADY\n",
        b"REA",
        b"DY\n",
        b"RESULT ",
        b"2\n",
        b"OK",
        b"nonsense\n",
        b"nonsense",
        b"\n",
        b"RESULT 7\nhalf",
    ];
    let member = 0u32..4;
    prop_oneof![
        2 => member.clone().prop_map(Happening::Join),
        1 => member.clone().prop_map(Happening::Leave),
        6 => (0u8..5).prop_map(Happening::Offer),
        8 => (member.clone(), prop::sample::select(words)).prop_map(|(id, word)| Happening::Heard(id, word.to_vec())),
        1 => member.clone().prop_map(Happening::Refused),
        1 => member.clone().prop_map(Happening::FellSilent),
        1 => member.prop_map(Happening::Retire),
        2 => prop::sample::select(vec![0, 1, 4, 40]).prop_map(Happening::Pass),
    ]
}

fn event(kind: u8) -> Event {
    match kind {
        0 => tick(5),
        1 => tick(60),
        2 => log(),
        _ => fatal(),
    }
}

/// Whom an event was last sent to, as seen from outside.
#[derive(Default)]
struct Witness {
    with: BTreeMap<u32, u64>,
    offered: u64,
    answered: BTreeSet<u64>,
    /// How often each event was sent.
    given: BTreeMap<u64, u8>,
}

impl Witness {
    fn see(&mut self, pool: &Pool, out: &[PoolEffect]) {
        // A member that has no event any more was answered, or gave it back.
        let held: BTreeMap<u32, u64> =
            pool.members().filter_map(|view| view.event.map(|serial| (view.id.0, serial))).collect();
        self.with.retain(|id, serial| held.get(id) == Some(serial));
        for (id, serial) in sent(out) {
            assert!(!self.answered.contains(&serial), "event {serial} was answered and is sent again");
            let doubled = self.with.iter().any(|(other, had)| *had == serial && *other != id);
            assert!(!doubled, "event {serial} is with two members");
            self.with.insert(id, serial);
            *self.given.entry(serial).or_default() += 1;
        }
        assert_eq!(self.with, held);
    }
}

fn run(capacity: Capacity, happenings: &[Happening]) -> Pool {
    let mut pool = pool(capacity);
    let mut witness = Witness::default();
    let mut now = T;
    for happening in happenings {
        let before: BTreeMap<u32, u64> = witness.with.clone();
        let answered = pool.answered();
        let out = match happening {
            Happening::Join(id) => pool.add_member(MemberId(*id), name(MemberId(*id)), now),
            Happening::Leave(id) => pool.member_exited(MemberId(*id), now),
            Happening::Offer(kind) => {
                witness.offered += 1;
                pool.offer(witness.offered - 1, &event(*kind))
            }
            Happening::Heard(id, data) => {
                let out = pool.on_stdout(MemberId(*id), data, now);
                if pool.answered() > answered {
                    witness.answered.insert(before[id]);
                }
                out
            }
            Happening::Refused(id) => pool.on_stdin_closed(MemberId(*id), now),
            Happening::FellSilent(id) => {
                pool.on_stdout_closed(MemberId(*id), now);
                Vec::new()
            }
            Happening::Retire(id) => {
                pool.stop_requested(MemberId(*id), StoppedBy::Other);
                Vec::new()
            }
            Happening::Pass(seconds) => {
                now += secs(*seconds);
                let out = pool.wake(now);
                assert!(
                    pool.next_deadline().is_none_or(|due| due > now),
                    "a deadline that waking does not move"
                );
                out
            }
        };
        witness.see(&pool, &out);
        check(&pool, &witness);
    }
    pool
}

fn check(pool: &Pool, witness: &Witness) {
    let held = witness.with.len() as u64;
    let accounted = pool.answered()
        + pool.dropped().total()
        + pool.dead_letters().total()
        + pool.merged()
        + held
        + pool.pending() as u64;
    assert_eq!(accounted, witness.offered, "an event is neither answered nor there nor counted as lost");
    assert_eq!(pool.answered(), witness.answered.len() as u64);
    let ready = pool
        .members
        .iter()
        .any(|one| one.parser.state() == ListenerState::Ready && one.stop_requested_by.is_none());
    assert!(!ready || pool.queue.is_empty(), "an event waits although a member is READY");
    if let Capacity::Fixed(max) = pool.capacity {
        assert!(pool.queue.len() <= max);
    }
    let waiting = pool.queue.sorted();
    assert_eq!(waiting.len(), pool.queue.len());
    assert!(waiting.windows(2).all(|two| two[0].pool_serial < two[1].pool_serial), "an event waits twice");
    let cost: usize = waiting.iter().map(|event| event.memory()).sum();
    assert_eq!(cost, pool.queue.memory());
    let minor = waiting.iter().filter(|event| !Queue::is_state(event.event.kind()));
    assert_eq!(minor.map(|event| event.memory()).sum::<usize>(), pool.queue.minor_memory());
}

proptest! {
    #[test]
    fn below_capacity_nothing_is_lost(happenings in prop::collection::vec(happening(), 0..120)) {
        let pool = run(Capacity::Default, &happenings);
        prop_assert_eq!((pool.dropped().total(), pool.merged()), (0, 0));
    }

    #[test]
    fn no_event_is_counted_as_a_failure_of_its_taker_more_often_than_the_limit(
        happenings in prop::collection::vec(happening(), 0..200)
    ) {
        let pool = run(Capacity::Default, &happenings);
        let events = pool.queue.sorted().into_iter().chain(pool.delayed.iter().map(|(_, event)| event));
        prop_assert!(events.into_iter().all(|event| event.failures <= MAX_REDELIVERIES));
    }

    #[test]
    fn in_a_small_buffer_every_loss_is_counted(happenings in prop::collection::vec(happening(), 0..120)) {
        run(Capacity::Fixed(3), &happenings);
    }

    #[test]
    fn a_listener_that_works_gets_every_event_once_and_in_order(
        happenings in prop::collection::vec(happening(), 0..60), cuts in prop::collection::vec(1usize..5, 1..40)
    ) {
        let mut pool = run(Capacity::Default, &happenings);
        for id in 0..4 {
            pool.member_exited(MemberId(id), T);
        }
        pool.wake(Duration::MAX);
        let waiting: Vec<u64> = pool.queue.sorted().iter().map(|event| event.serial).collect();
        let mut out = pool.add_member(A, name(A), T);
        let mut listener = Listener::default();
        let mut cuts = cuts.into_iter().cycle();
        while let Some(bytes) = listener.say(&out) {
            out = Vec::new();
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                let (now, later) = rest.split_at(cuts.next().unwrap().min(rest.len()));
                out.extend(pool.on_stdout(A, now, T));
                rest = later;
            }
        }
        prop_assert_eq!(listener.got, waiting);
        prop_assert_eq!(pool.pending(), 0);
    }
}

/// The other end: a listener that answers each event with OK.
#[derive(Default)]
struct Listener {
    begun: bool,
    got: Vec<u64>,
}

impl Listener {
    fn say(&mut self, out: &[PoolEffect]) -> Option<Vec<u8>> {
        let sent = sent(out);
        self.got.extend(sent.iter().map(|(_, serial)| *serial));
        match (std::mem::replace(&mut self.begun, true), sent.len()) {
            (false, _) => Some(b"READY\n".to_vec()),
            (true, 0) => None,
            (true, _) => Some([ListenerResult::Ok.bytes(), READY].concat()),
        }
    }
}
