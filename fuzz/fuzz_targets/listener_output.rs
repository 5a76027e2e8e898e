//! What a listener writes on its stdout, in any pieces: the pool survives it, keeps little of it, and loses no event.
#![no_main]

use std::time::Duration;

use ironlance_core::event::Event;
use ironlance_core::listener::pool::{Capacity, MemberId, Pool, PoolEffect, ResultHandler};
use ironlance_core::{GroupName, ProcessName};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut pool =
        Pool::new(GroupName("pool".into()), "supervisor".into(), Capacity::Default, ResultHandler::Default);
    let member = MemberId(1);
    let mut now = Duration::ZERO;
    pool.add_member(member, ProcessName("listener".into()), now);
    let mut offered = 0;
    // The first byte of each piece says how long it is.
    let mut rest = data;
    while let Some((size, after)) = rest.split_first() {
        let (piece, later) = after.split_at(usize::from(*size).min(after.len()));
        rest = later;
        pool.offer(offered, &Event::Tick { seconds: 5, when: offered });
        offered += 1;
        let mut effects = pool.on_stdout(member, piece, now);
        now += Duration::from_secs(u64::from(*size) / 16);
        effects.extend(pool.wake(now));
        if effects.iter().any(|effect| matches!(effect, PoolEffect::Restart { .. })) {
            pool.member_exited(member, now);
            pool.add_member(member, ProcessName("listener".into()), now);
        }
        let held = pool.members().filter(|view| view.event.is_some()).count() as u64;
        let lost = pool.dropped().total() + pool.dead_letters().total() + pool.merged();
        assert_eq!(offered, pool.pending() as u64 + held + pool.answered() + lost);
        assert!(pool.members().all(|view| view.last_result.is_none_or(|result| result.len() <= 600)));
        assert!(pool.stray_output(member).1.len() <= 600);
    }
});
