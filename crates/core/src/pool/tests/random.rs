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
    ];
    let member = 0u32..4;
    prop_oneof![
        2 => member.clone().prop_map(Happening::Join),
        1 => member.clone().prop_map(Happening::Leave),
        6 => (0u8..5).prop_map(Happening::Offer),
        8 => (member.clone(), prop::sample::select(words)).prop_map(|(id, word)| Happening::Heard(id, word.to_vec())),
        1 => member.prop_map(Happening::Refused),
    ]
}

fn notice(kind: u8) -> Notice {
    match kind {
        0 => Notice::tick(5, 5),
        1 => Notice::tick(60, 60),
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
        }
        assert_eq!(self.with, held);
    }
}

fn run(capacity: Capacity, happenings: &[Happening]) -> Pool {
    let mut pool = pool(capacity);
    let mut witness = Witness::default();
    for happening in happenings {
        let before: BTreeMap<u32, u64> = witness.with.clone();
        let answered = pool.answered();
        let out = match happening {
            Happening::Join(id) => pool.join(MemberId(*id), name(MemberId(*id))),
            Happening::Leave(id) => pool.leave(MemberId(*id)),
            Happening::Offer(kind) => {
                witness.offered += 1;
                pool.offer(witness.offered - 1, &notice(*kind))
            }
            Happening::Heard(id, data) => {
                let out = pool.heard(MemberId(*id), data);
                if pool.answered() > answered {
                    witness.answered.insert(before[id]);
                }
                out
            }
            Happening::Refused(id) => pool.refused(MemberId(*id)),
        };
        witness.see(&pool, &out);
        check(&pool, &witness);
    }
    pool
}

fn check(pool: &Pool, witness: &Witness) {
    let held = witness.with.len() as u64;
    let accounted = pool.answered() + pool.dropped() + pool.merged() + held + pool.pending() as u64;
    assert_eq!(accounted, witness.offered, "an event is neither answered nor there nor counted as lost");
    assert_eq!(pool.answered(), witness.answered.len() as u64);
    let ready = pool.members().any(|view| view.state == ListenerState::Ready);
    assert!(!ready || pool.pending() == 0, "an event waits although a member is READY");
    assert!(pool.pending() <= pool.capacity() + 4);
    let serials: Vec<u64> = pool.queue.iter().map(|event| event.pool_serial).collect();
    assert!(serials.is_sorted(), "{serials:?}");
    let bytes: usize = pool.queue.iter().map(|event| event.notice.body.len()).sum();
    assert_eq!(bytes, pool.pending_bytes());
}

proptest! {
    #[test]
    fn below_capacity_nothing_is_lost(happenings in prop::collection::vec(happening(), 0..120)) {
        let pool = run(Capacity::Unset, &happenings);
        prop_assert_eq!((pool.dropped(), pool.merged()), (0, 0));
    }

    #[test]
    fn in_a_small_buffer_every_loss_is_counted(happenings in prop::collection::vec(happening(), 0..120)) {
        run(Capacity::Fixed(3), &happenings);
    }

    #[test]
    fn a_listener_that_works_gets_every_event_once_and_in_order(
        happenings in prop::collection::vec(happening(), 0..60), cuts in prop::collection::vec(1usize..5, 1..40)
    ) {
        let mut pool = run(Capacity::Unset, &happenings);
        for id in 0..4 {
            pool.leave(MemberId(id));
        }
        let waiting: Vec<u64> = pool.queue.iter().map(|event| event.serial).collect();
        let mut out = pool.join(A, name(A));
        let mut listener = Listener::default();
        let mut cuts = cuts.into_iter().cycle();
        while let Some(bytes) = listener.say(&out) {
            out = Vec::new();
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                let (now, later) = rest.split_at(cuts.next().unwrap().min(rest.len()));
                out.extend(pool.heard(A, now));
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
            (true, _) => Some([Answer::Ok.bytes(), READY].concat()),
        }
    }
}
