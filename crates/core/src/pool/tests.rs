//! Events on their way through a pool.

use super::*;
use crate::handshake::{Answer, READY};
use crate::name::Namespec;
use crate::notice::{Channel, Detail};
use crate::state::ProcessState;

mod random;

const A: MemberId = MemberId(1);
const B: MemberId = MemberId(2);

fn pool(capacity: Capacity) -> Pool {
    Pool::new(GroupName("mail".into()), "supervisor".into(), capacity)
}

fn name(id: MemberId) -> ProcessName {
    ProcessName(format!("mail_{}", id.0))
}

/// A pool with these members, all READY.
fn ready(capacity: Capacity, ids: &[MemberId]) -> Pool {
    let mut pool = pool(capacity);
    for id in ids {
        pool.join(*id, name(*id));
        pool.heard(*id, b"READY\n");
    }
    pool
}

fn fatal() -> Notice {
    Notice::state(&Namespec::new("web", "web"), ProcessState::Backoff, ProcessState::Fatal, Detail::Nothing)
}

fn log() -> Notice {
    Notice::log(Channel::Stdout, &Namespec::new("web", "web"), 1, b"x\n")
}

/// What was sent: to whom, and the serial.
fn sent(out: &[PoolEffect]) -> Vec<(u32, u64)> {
    let serial = |bytes: &[u8]| {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let token = text.split(' ').find_map(|token| token.strip_prefix("serial:")).unwrap();
        token.parse().unwrap()
    };
    let one = |effect: &PoolEffect| match effect {
        PoolEffect::Send { member, bytes } => Some((member.0, serial(bytes))),
        PoolEffect::Log(..) | PoolEffect::Restart { .. } => None,
    };
    out.iter().filter_map(one).collect()
}

fn lines(out: &[PoolEffect]) -> Vec<String> {
    let one = |effect: &PoolEffect| match effect {
        PoolEffect::Log(level, line) => Some(format!("{} {line}", level.tag())),
        PoolEffect::Send { .. } | PoolEffect::Restart { .. } => None,
    };
    out.iter().filter_map(one).collect()
}

fn restarts(out: &[PoolEffect]) -> Vec<(u32, &str)> {
    let one = |effect: &'_ PoolEffect| matches!(effect, PoolEffect::Restart { .. });
    let mut all = Vec::new();
    for effect in out.iter().filter(|effect| one(effect)) {
        if let PoolEffect::Restart { member, why } = effect {
            all.push((member.0, why.as_str()));
        }
    }
    all
}

#[test]
fn an_event_is_sent_with_the_header_of_the_original_and_its_length_in_characters() {
    let mut pool = pool(Capacity::Unset);
    pool.join(A, name(A));
    assert_eq!(sent(&pool.offer(20, &fatal())), []);
    assert_eq!(sent(&pool.heard(A, b"READY\n")), [(1, 20)]);
    pool.heard(A, b"RESULT 2\nOKREADY\n");
    let notice = Notice::log(Channel::Stderr, &Namespec::new("g", "p"), 7, "grüß".as_bytes());
    let out = pool.offer(21, &notice);
    let PoolEffect::Send { bytes, .. } = &out[0] else { panic!("{out:?}") };
    assert_eq!(
        std::str::from_utf8(bytes).unwrap(),
        "ver:3.0 server:supervisor serial:21 pool:mail poolserial:1 eventname:PROCESS_LOG_STDERR len:51\n\
         processname:p groupname:g pid:7 channel:stderr\ngrüß"
    );
    assert_eq!(pool.answered(), 1);
}

#[test]
fn the_first_ready_member_gets_the_oldest_event() {
    let mut pool = ready(Capacity::Unset, &[B, A]);
    assert_eq!(sent(&pool.offer(0, &fatal())), [(1, 0)]);
    assert_eq!(sent(&pool.offer(1, &fatal())), [(2, 1)]);
    assert_eq!(sent(&pool.offer(2, &fatal())), []);
    assert_eq!(sent(&pool.offer(3, &fatal())), []);
    assert_eq!(pool.pending(), 2);
    assert_eq!(sent(&pool.heard(B, b"RESULT 2\nOKREADY\n")), [(2, 2)]);
    assert_eq!(sent(&pool.heard(A, b"RESULT 2\nOKREADY\n")), [(1, 3)]);
}

#[test]
fn events_of_refusing_and_dying_members_come_back_in_their_old_order() {
    let mut pool = ready(Capacity::Unset, &[A, B]);
    for serial in 0..4 {
        pool.offer(serial, &fatal());
    }
    let out = pool.heard(A, b"RESULT 4\nFAIL");
    assert_eq!(lines(&out)[0], "WARN mail_1: event was rejected");
    assert_eq!(sent(&pool.leave(B)), []);
    assert_eq!(sent(&pool.heard(A, b"READY\n")), [(1, 0)]);
    for serial in 1..4 {
        assert_eq!(sent(&pool.heard(A, b"RESULT 2\nOKREADY\n")), [(1, serial)]);
    }
    assert_eq!((pool.pending(), pool.dropped()), (0, 0));
}

#[test]
fn an_event_of_a_member_that_dies_goes_to_another_that_is_ready() {
    let mut pool = ready(Capacity::Unset, &[A]);
    pool.offer(0, &fatal());
    pool.join(B, name(B));
    pool.heard(B, b"READY\n");
    assert_eq!(sent(&pool.leave(A)), [(2, 0)]);
}

#[test]
fn a_member_with_closed_stdin_gives_its_event_back_and_is_restarted() {
    let mut pool = ready(Capacity::Unset, &[A, B]);
    pool.offer(0, &fatal());
    let out = pool.refused(A);
    assert_eq!(sent(&out), [(2, 0)]);
    assert_eq!(restarts(&out), [(1, "closed its stdin")]);
    assert_eq!(pool.refused(A), []);
    assert_eq!(pool.leave(A), []);
}

#[test]
fn a_member_that_breaks_the_protocol_is_restarted_and_its_event_is_sent_to_another() {
    let mut pool = ready(Capacity::Unset, &[A, B]);
    pool.offer(0, &fatal());
    let out = pool.heard(A, b"oops\n");
    assert_eq!(
        lines(&out),
        [
            "WARN mail_1: bad result line: 'oops'",
            "DEBG mail_1: BUSY -> UNKNOWN",
            "WARN mail_1: has entered the UNKNOWN state and will no longer receive events, this usually indicates \
             the process violated the eventlistener protocol; restarting it, it said \"oops\" where RESULT and a \
             length were due",
            "DEBG rebuffering event 0 for pool mail (buf size=0, max=1024)",
            "DEBG event 0 sent to listener mail_2",
        ]
    );
    assert_eq!(sent(&out), [(2, 0)]);
    assert_eq!(restarts(&out), [(1, "said \"oops\" where RESULT and a length were due")]);
    let view = pool.members().next().unwrap();
    assert_eq!((view.id, view.state, view.event), (A, ListenerState::Unknown, None));
}

#[test]
fn an_answer_before_the_event_is_babble() {
    let mut pool = pool(Capacity::Unset);
    pool.join(A, name(A));
    pool.offer(0, &fatal());
    let out = pool.heard(A, b"READY\nRESULT 2\nOK");
    assert_eq!(sent(&out), []);
    assert_eq!(restarts(&out).len(), 1);
    assert_eq!((pool.pending(), pool.answered()), (1, 0));
}

#[test]
fn a_buffer_of_a_size_that_is_set_drops_its_oldest_event_in_the_words_of_the_original() {
    let mut pool = pool(Capacity::Fixed(2));
    pool.offer(5, &fatal());
    pool.offer(6, &log());
    let out = pool.offer(7, &log());
    assert_eq!(lines(&out), ["ERRO pool mail event buffer overflowed, discarding event 5"]);
    assert_eq!((pool.pending(), pool.dropped()), (2, 1));
}

#[test]
fn an_unset_buffer_merges_ticks_then_drops_output_and_state_events_last() {
    let mut pool = pool(Capacity::Unset);
    pool.offer(0, &Notice::tick(5, 5));
    pool.offer(1, &fatal());
    pool.offer(2, &log());
    pool.offer(3, &Notice::remote("a", "b"));
    pool.offer(4, &Notice::tick(5, 10));
    pool.offer(5, &Notice::tick(60, 60));
    for serial in 6..1024 {
        pool.offer(serial, &fatal());
    }
    assert_eq!(
        lines(&pool.offer(1024, &fatal())),
        ["DEBG pool mail event buffer is full, leaving out tick event 0"]
    );
    assert_eq!((pool.merged(), pool.dropped()), (1, 0));
    let discarded = |out: &[PoolEffect]| lines(out)[0].rsplit(' ').next().unwrap().parse::<u64>().unwrap();
    assert_eq!(discarded(&pool.offer(1025, &fatal())), 2);
    assert_eq!(discarded(&pool.offer(1026, &Notice::tick(60, 120))), 5);
    assert_eq!(pool.merged(), 2);
    let order: Vec<u64> = (1027..1031).map(|serial| discarded(&pool.offer(serial, &fatal()))).collect();
    assert_eq!(order, [3, 4, 1026, 1]);
    assert_eq!(discarded(&pool.offer(1031, &log())), 1031);
    assert_eq!((pool.pending(), pool.dropped()), (1024, 6));
}

#[test]
fn a_refused_event_pushes_nothing_out_where_the_size_is_not_set() {
    let mut pool = ready(Capacity::Unset, &[A]);
    for serial in 0..1025 {
        pool.offer(serial, &fatal());
    }
    pool.heard(A, b"RESULT 4\nFAIL");
    assert_eq!((pool.pending(), pool.dropped()), (1025, 0));
    assert_eq!(sent(&pool.heard(A, b"READY\n")), [(1, 0)]);
}

#[test]
fn debug_lines_are_not_made_where_nobody_reads_them() {
    let mut pool = ready(Capacity::Unset, &[A]);
    pool.log_from(Level::Info);
    pool.offer(0, &fatal());
    let out = pool.heard(A, b"RESULT 2\nOKREADY\n");
    assert_eq!(out.capacity(), 0);
}

#[test]
fn a_member_shows_its_state_event_and_last_result() {
    let mut pool = ready(Capacity::Unset, &[A]);
    let view = |pool: &Pool| {
        let view = pool.members().next().unwrap();
        (view.state, view.event, view.last_result)
    };
    assert_eq!(view(&pool), (ListenerState::Ready, None, None));
    pool.offer(9, &fatal());
    assert_eq!(view(&pool), (ListenerState::Busy, Some(9), None));
    pool.heard(A, b"RESULT 2\nOK");
    assert_eq!(view(&pool), (ListenerState::Acknowledged, None, Some("OK".into())));
    pool.heard(A, b"READY\n");
    pool.offer(10, &fatal());
    pool.heard(A, b"RESULT 5\nlater");
    assert_eq!(view(&pool), (ListenerState::Acknowledged, None, Some("later".into())));
    assert_eq!(pool.pending(), 1);
}

#[test]
fn a_process_that_joins_under_the_number_of_another_takes_its_place() {
    let mut pool = ready(Capacity::Unset, &[A]);
    pool.offer(0, &fatal());
    pool.join(A, name(A));
    assert_eq!((pool.members().count(), pool.pending()), (1, 1));
}

#[test]
fn a_member_that_is_being_stopped_gets_no_more_events_and_may_answer_the_one_it_has() {
    let mut pool = ready(Capacity::Unset, &[A]);
    assert_eq!(sent(&pool.offer(0, &fatal())), [(1, 0)]);
    pool.retire(A);
    assert_eq!(sent(&pool.heard(A, b"RESULT 2\nOKREADY\n")), []);
    assert_eq!(sent(&pool.offer(1, &fatal())), []);
    assert_eq!((pool.answered(), pool.pending()), (1, 1));
    pool.leave(A);
    pool.join(A, name(A));
    assert_eq!(sent(&pool.heard(A, b"READY\n")), [(1, 1)]);
}

#[test]
fn an_event_that_was_rejected_goes_to_another_member_that_is_ready() {
    let mut pool = ready(Capacity::Unset, &[A, B]);
    assert_eq!(sent(&pool.offer(0, &fatal())), [(1, 0)]);
    assert_eq!(sent(&pool.heard(A, b"RESULT 4\nFAILREADY\n")), [(2, 0)]);
    assert_eq!(pool.rejections_in_a_row(), 1);
    pool.heard(B, b"RESULT 2\nOKREADY\n");
    assert_eq!((pool.answered(), pool.rejections_in_a_row()), (1, 0));
}

#[test]
fn a_pool_that_was_paused_goes_on_where_it_stopped() {
    let mut pool = ready(Capacity::Unset, &[A]);
    pool.pause();
    assert_eq!(sent(&pool.offer(0, &fatal())), []);
    assert_eq!(sent(&pool.offer(1, &fatal())), []);
    assert_eq!(sent(&pool.resume()), [(1, 0)]);
    assert_eq!(sent(&pool.heard(A, b"RESULT 2\nOKREADY\n")), [(1, 1)]);
}

#[test]
fn a_mute_listener_does_not_eat_the_memory() {
    let mut pool = pool(Capacity::Unset);
    let block = vec![b'x'; 1 << 20];
    let output = Notice::log(Channel::Stdout, &Namespec::new("web", "web"), 1, &block);
    pool.offer(0, &fatal());
    for serial in 1..100 {
        pool.offer(serial, &output);
        assert!(pool.pending_bytes() <= MAX_BYTES, "{}", pool.pending_bytes());
    }
    assert!(pool.dropped() > 80, "{}", pool.dropped());
    pool.join(A, name(A));
    // What is not output is still there.
    assert_eq!(sent(&pool.heard(A, b"READY\n")), [(1, 0)]);
}
