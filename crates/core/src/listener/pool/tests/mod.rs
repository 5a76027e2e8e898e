//! Events on their way through a pool.

use std::rc::Rc;

use super::*;
use crate::event::{Event, OutputChannel, ProcessOutput, StateDetail};
use crate::listener::protocol::{ListenerResult, READY};
use crate::process::name::Namespec;
use crate::process::state::ProcessState;

mod random;

const A: MemberId = MemberId(1);
const B: MemberId = MemberId(2);

/// When nothing is said about the time.
const T: Duration = Duration::from_secs(1000);

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn pool(capacity: Capacity) -> Pool {
    Pool::new(GroupName("mail".into()), "supervisor".into(), capacity, ResultHandler::Default)
}

fn name(id: MemberId) -> ProcessName {
    ProcessName(format!("mail_{}", id.0))
}

/// A pool with these members, all READY.
fn ready(capacity: Capacity, ids: &[MemberId]) -> Pool {
    let mut pool = pool(capacity);
    for id in ids {
        pool.add_member(*id, name(*id), T);
        pool.on_stdout(*id, b"READY\n", T);
    }
    pool
}

fn fatal() -> Event {
    state(ProcessState::Fatal)
}

fn state(to: ProcessState) -> Event {
    thread_local!(static WEB: Rc<Namespec> = Rc::new(Namespec::new("web", "web")));
    WEB.with(|web| Event::state(Rc::clone(web), ProcessState::Backoff, to, StateDetail::Nothing))
}

fn output(data: &[u8]) -> Event {
    let process = Rc::new(Namespec::new("web", "web"));
    Event::Log(OutputChannel::Stdout, ProcessOutput::new(&process, 1, data))
}

fn tick(seconds: u32) -> Event {
    Event::Tick { seconds, when: u64::from(seconds) }
}

fn log() -> Event {
    output(b"x\n")
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
        _ => None,
    };
    out.iter().filter_map(one).collect()
}

fn lines(out: &[PoolEffect]) -> Vec<String> {
    let one = |effect: &PoolEffect| match effect {
        PoolEffect::Log(level, line) => Some(format!("{} {line}", level.tag())),
        _ => None,
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
    let mut pool = pool(Capacity::Default);
    pool.add_member(A, name(A), T);
    assert_eq!(sent(&pool.offer(20, &fatal())), []);
    assert_eq!(sent(&pool.on_stdout(A, b"READY\n", T)), [(1, 20)]);
    pool.on_stdout(A, b"RESULT 2\nOKREADY\n", T);
    let process = Rc::new(Namespec::new("g", "p"));
    let output = ProcessOutput::new(&process, 7, "grüß".as_bytes());
    let out = pool.offer(21, &Event::Log(OutputChannel::Stderr, output));
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
    let mut pool = ready(Capacity::Default, &[B, A]);
    assert_eq!(sent(&pool.offer(0, &fatal())), [(1, 0)]);
    assert_eq!(sent(&pool.offer(1, &fatal())), [(2, 1)]);
    assert_eq!(sent(&pool.offer(2, &fatal())), []);
    assert_eq!(sent(&pool.offer(3, &fatal())), []);
    assert_eq!(pool.pending(), 2);
    assert_eq!(sent(&pool.on_stdout(B, b"RESULT 2\nOKREADY\n", T)), [(2, 2)]);
    assert_eq!(sent(&pool.on_stdout(A, b"RESULT 2\nOKREADY\n", T)), [(1, 3)]);
}

#[test]
fn events_of_refusing_and_dying_members_come_back_in_their_old_order() {
    let mut pool = ready(Capacity::Default, &[A, B]);
    for serial in 0..4 {
        pool.offer(serial, &fatal());
    }
    let out = pool.on_stdout(A, b"RESULT 4\nFAIL", T);
    assert_eq!(lines(&out)[0], "WARN mail_1: event was rejected");
    assert_eq!(sent(&pool.member_exited(B, T)), []);
    assert_eq!(sent(&pool.on_stdout(A, b"READY\n", T)), [(1, 0)]);
    for serial in 1..4 {
        assert_eq!(sent(&pool.on_stdout(A, b"RESULT 2\nOKREADY\n", T)), [(1, serial)]);
    }
    assert_eq!((pool.pending(), pool.dropped().total()), (0, 0));
}

#[test]
fn an_event_of_a_member_that_dies_goes_to_another_that_is_ready() {
    let mut pool = ready(Capacity::Default, &[A]);
    pool.offer(0, &fatal());
    pool.add_member(B, name(B), T);
    pool.on_stdout(B, b"READY\n", T);
    assert_eq!(sent(&pool.member_exited(A, T)), [(2, 0)]);
}

#[test]
fn a_buffer_of_a_size_that_is_set_drops_its_oldest_event_in_the_words_of_the_original() {
    let mut pool = pool(Capacity::Fixed(2));
    pool.offer(5, &fatal());
    pool.offer(6, &log());
    let out = pool.offer(7, &log());
    assert_eq!(lines(&out), ["ERRO pool mail event buffer overflowed, discarding event 5"]);
    assert_eq!((pool.pending(), pool.dropped().total()), (2, 1));
}

#[test]
fn debug_lines_are_not_made_where_nobody_reads_them() {
    let mut pool = ready(Capacity::Default, &[A]);
    pool.set_log_level(Level::Info);
    pool.offer(0, &fatal());
    // That it answers at all is told.
    pool.on_stdout(A, b"RESULT 2\nOKREADY\n", T);
    pool.offer(1, &fatal());
    let out = pool.on_stdout(A, b"RESULT 2\nOKREADY\n", T);
    assert_eq!(out.capacity(), 0);
}

#[test]
fn a_member_shows_its_state_event_and_last_result() {
    let mut pool = ready(Capacity::Default, &[A]);
    let view = |pool: &Pool| {
        let view = pool.members().next().unwrap();
        (view.state, view.event, view.last_result)
    };
    assert_eq!(view(&pool), (ListenerState::Ready, None, None));
    pool.offer(9, &fatal());
    assert_eq!(view(&pool), (ListenerState::Busy, Some(9), None));
    pool.on_stdout(A, b"RESULT 2\nOK", T);
    assert_eq!(view(&pool), (ListenerState::Acknowledged, None, Some("OK".into())));
    pool.on_stdout(A, b"READY\n", T);
    pool.offer(10, &fatal());
    pool.on_stdout(A, b"RESULT 5\nlater", T);
    assert_eq!(view(&pool), (ListenerState::Acknowledged, None, Some("later".into())));
    assert_eq!(pool.pending(), 1);
}

#[test]
fn a_process_that_joins_under_the_number_of_another_takes_its_place() {
    let mut pool = ready(Capacity::Default, &[A]);
    pool.offer(0, &fatal());
    pool.add_member(A, name(A), T);
    assert_eq!((pool.members().count(), pool.pending()), (1, 1));
}

#[test]
fn a_member_that_is_being_stopped_gets_no_more_events_and_may_answer_the_one_it_has() {
    let mut pool = ready(Capacity::Default, &[A]);
    assert_eq!(sent(&pool.offer(0, &fatal())), [(1, 0)]);
    pool.stop_requested(A, StoppedBy::Other);
    assert_eq!(sent(&pool.on_stdout(A, b"RESULT 2\nOKREADY\n", T)), []);
    assert_eq!(sent(&pool.offer(1, &fatal())), []);
    assert_eq!((pool.answered(), pool.pending()), (1, 1));
    pool.member_exited(A, T);
    pool.add_member(A, name(A), T);
    assert_eq!(sent(&pool.on_stdout(A, b"READY\n", T)), [(1, 1)]);
}

#[test]
fn a_member_with_closed_stdin_gives_its_event_back_and_is_recycled_if_it_does_not_end() {
    let mut pool = ready(Capacity::Default, &[A, B]);
    pool.offer(0, &fatal());
    assert_eq!(sent(&pool.on_stdin_closed(A, T)), [(2, 0)]);
    assert_eq!(pool.next_deadline(), Some(T + secs(1)));
    assert_eq!(restarts(&pool.wake(T + secs(1))), [(1, "closed its stdin")]);
    assert_eq!(pool.on_stdin_closed(A, T), []);
    assert_eq!(pool.member_exited(A, T), []);
    assert_eq!(pool.next_deadline(), None);
}

#[test]
fn a_member_with_closed_stdout_may_finish_its_work_and_is_recycled_then() {
    let mut pool = ready(Capacity::Default, &[A]);
    pool.offer(0, &fatal());
    pool.on_stdout_closed(A, T);
    assert_eq!(restarts(&pool.wake(T + secs(29))), []);
    assert_eq!(restarts(&pool.wake(T + secs(30))), [(1, "closed its stdout")]);
    assert_eq!((pool.pending(), pool.members().next().unwrap().event), (1, None));
    // Without an event there is nothing to finish.
    let mut pool = ready(Capacity::Default, &[A]);
    pool.on_stdout_closed(A, T);
    assert_eq!(sent(&pool.offer(0, &fatal())), []);
    assert_eq!(restarts(&pool.wake(T + secs(1))), [(1, "closed its stdout")]);
}

#[test]
fn a_member_that_babbles_may_go_on_and_its_result_counts() {
    let mut pool = ready(Capacity::Default, &[A]);
    pool.offer(0, &fatal());
    let out = pool.on_stdout(A, b"sending a mail\n", T);
    assert_eq!(
        lines(&out),
        ["WARN mail_1: babbled: \"sending a mail\"; a listener's stdout is for READY and RESULT only"]
    );
    assert_eq!((sent(&out), restarts(&out)), (vec![], vec![]));
    assert_eq!(pool.stray_output(A), (1, "sending a mail".into()));
    assert_eq!(pool.next_deadline(), Some(T + secs(30)));
    let out = pool.on_stdout(A, b"RESULT 2\nOKREADY\n", T + secs(29));
    assert_eq!((pool.answered(), restarts(&out), pool.next_deadline()), (1, vec![], None));
    assert_eq!(pool.wake(T + secs(60)), []);
}

#[test]
fn a_member_that_babbles_and_then_says_nothing_is_recycled_and_its_event_is_given_again() {
    let mut pool = ready(Capacity::Default, &[A, B]);
    pool.offer(0, &fatal());
    pool.on_stdout(A, b"oops\n", T);
    pool.on_stdout(A, b"more\n", T + secs(20));
    let out = pool.wake(T + secs(30));
    let why = "babbled and then said neither RESULT nor READY";
    assert_eq!(
        lines(&out),
        [
            "DEBG mail_1: BUSY -> UNKNOWN".to_owned(),
            "WARN mail_1: has entered the UNKNOWN state and will no longer receive events, this usually \
             indicates the process violated the eventlistener protocol"
                .to_owned(),
            "DEBG rebuffering event 0 for pool mail (buf size=0)".into(),
            "DEBG event 0 sent to listener mail_2".into(),
        ]
    );
    assert_eq!((sent(&out), restarts(&out)), (vec![(2, 0)], vec![(1, why)]));
    let view = pool.members().next().unwrap();
    assert_eq!((view.id, view.state, view.event), (A, ListenerState::Unknown, None));
}

#[test]
fn a_member_that_is_starting_may_babble_as_long_as_it_likes_and_one_without_an_event_too() {
    let mut pool = pool(Capacity::Default);
    pool.add_member(A, name(A), T);
    pool.offer(0, &fatal());
    pool.on_stdout(A, b"version 1.2 starting\n", T);
    assert_eq!(pool.next_deadline(), None);
    assert_eq!(sent(&pool.on_stdout(A, b"READY\n", T + secs(500))), [(1, 0)]);
    pool.on_stdout(A, b"RESULT 2\nOKREADY\n", T + secs(500));
    pool.on_stdout(A, b"still there\n", T + secs(600));
    assert_eq!(pool.next_deadline(), None);
    // But one that does not come back to READY is lost.
    pool.offer(1, &fatal());
    pool.on_stdout(A, b"RESULT 3\nOKREADY\n", T + secs(700));
    assert_eq!(pool.next_deadline(), Some(T + secs(730)));
}

#[test]
fn a_result_that_does_not_come_to_its_end_is_given_up() {
    let mut pool = ready(Capacity::Default, &[A]);
    pool.offer(0, &fatal());
    pool.on_stdout(A, b"RESULT 20\nOKREADY\n", T);
    let out = pool.wake(T + secs(30));
    assert_eq!(restarts(&out), [(1, "gave a RESULT that is shorter than it announced")]);
}

#[test]
fn a_member_that_asks_for_more_without_a_result_is_recycled() {
    let mut pool = ready(Capacity::Default, &[A]);
    pool.offer(0, &fatal());
    let out = pool.on_stdout(A, b"done\nREADY\n", T);
    assert_eq!(restarts(&out), [(1, "said READY without a RESULT for its event")]);
    assert_eq!(pool.pending(), 1);
}

#[test]
fn a_ready_too_many_is_let_pass_if_a_result_follows() {
    let mut pool = pool(Capacity::Default);
    pool.add_member(A, name(A), T);
    pool.offer(0, &fatal());
    assert_eq!(sent(&pool.on_stdout(A, b"READY\n", T)), [(1, 0)]);
    assert_eq!(restarts(&pool.on_stdout(A, b"READY\n", T)), []);
    assert_eq!(pool.next_deadline(), Some(T + secs(2)));
    pool.on_stdout(A, b"RESULT 2\nOKREADY\n", T);
    assert_eq!((pool.answered(), pool.next_deadline()), (1, None));
    pool.offer(1, &fatal());
    pool.on_stdout(A, b"READY\n", T);
    assert_eq!(restarts(&pool.wake(T + secs(2))), [(1, "said READY without a RESULT for its event")]);
}

#[test]
fn what_a_member_babbled_is_remembered_over_its_restarts_until_somebody_stops_it() {
    let mut pool = ready(Capacity::Default, &[A]);
    pool.on_stdout(A, b"usage: mail\n", T);
    pool.member_exited(A, T);
    assert_eq!(pool.stray_output(A), (1, "usage: mail".into()));
    pool.add_member(A, name(A), T);
    assert_eq!(pool.stray_output(A), (1, "usage: mail".into()));
    pool.on_stdout(A, b"usage again\n", T);
    assert_eq!(pool.stray_output(A), (2, "usage again".into()));
    pool.stop_requested(A, StoppedBy::Other);
    pool.member_exited(A, T);
    assert_eq!(pool.stray_output(A), (0, String::new()));
}

#[test]
fn one_that_always_babbles_is_told_of_less_and_less_often() {
    let mut pool = ready(Capacity::Default, &[A]);
    pool.set_log_level(Level::Warn);
    let mut told = 0;
    for serial in 0..100 {
        pool.offer(serial, &fatal());
        told += lines(&pool.on_stdout(A, b"working\nRESULT 2\nOKREADY\n", T)).len();
    }
    assert_eq!((told, pool.answered()), (7, 100));
    assert_eq!(pool.stray_output(A).0, 100);
}

#[test]
fn an_event_that_nobody_deals_with_is_given_again_three_times_and_then_a_dead_letter() {
    let mut pool = ready(Capacity::Default, &[A]);
    assert_eq!(sent(&pool.offer(7, &fatal())), [(1, 7)]);
    assert_eq!(sent(&pool.on_stdout(A, b"RESULT 4\nFAILREADY\n", T)), [(1, 7)]);
    let mut now = T;
    for (other, pause) in [(8, 1), (9, 5)] {
        // Meanwhile others are dealt with.
        assert_eq!(sent(&pool.on_stdout(A, b"RESULT 4\nFAILREADY\n", now)), []);
        assert_eq!(sent(&pool.offer(other, &log())), [(1, other)]);
        pool.on_stdout(A, b"RESULT 2\nOKREADY\n", now);
        assert_eq!(pool.next_deadline(), Some(now + secs(pause)));
        now += secs(pause);
        assert_eq!(sent(&pool.wake(now)), [(1, 7)]);
    }
    let out = pool.on_stdout(A, b"RESULT 4\nFAILREADY\n", now);
    assert_eq!(
        lines(&out)[2],
        "ERRO dead letter: event 7 (PROCESS_STATE_FATAL) of pool mail was given 4 times and is given up; last mail_1, \
         which rejected it; processname:web groupname:web from_state:BACKOFF"
    );
    assert_eq!((pool.dead_letters().to_string(), pool.pending()), ("1 PROCESS_STATE_FATAL".into(), 0));
    assert_eq!((pool.next_deadline(), pool.answered()), (None, 2));
}

#[test]
fn the_end_of_a_member_that_was_told_to_stop_is_no_failure_of_its_event() {
    let mut pool = ready(Capacity::Default, &[A]);
    pool.offer(0, &fatal());
    for _ in 0..10 {
        pool.stop_requested(A, StoppedBy::Other);
        pool.member_exited(A, T);
        pool.add_member(A, name(A), T);
        assert_eq!(sent(&pool.on_stdout(A, b"READY\n", T)), [(1, 0)]);
    }
    for _ in 0..3 {
        pool.member_exited(A, T);
        pool.wake(T + secs(10));
        pool.add_member(A, name(A), T);
        assert_eq!(sent(&pool.on_stdout(A, b"READY\n", T)), [(1, 0)]);
    }
    let out = pool.member_exited(A, T);
    assert!(lines(&out)[0].starts_with("ERRO dead letter: event 0 "), "{out:?}");
}

#[test]
fn an_event_that_has_its_taker_stopped_each_time_comes_to_an_end() {
    // How often it is given, where the taker is stopped each time.
    let given = |by: StoppedBy| {
        let mut pool = ready(Capacity::Default, &[A]);
        let (mut times, mut now) = (sent(&pool.offer(0, &fatal())).len(), T);
        while pool.dead_letters().total() == 0 {
            pool.stop_requested(A, by);
            pool.member_exited(A, now);
            now += secs(10);
            pool.wake(now);
            pool.add_member(A, name(A), now);
            times += sent(&pool.on_stdout(A, b"READY\n", now)).len();
            assert!(times < 100, "{by:?}");
        }
        assert_eq!(pool.pending(), 0);
        times
    };
    let again = usize::from(MAX_REDELIVERIES);
    assert_eq!(given(StoppedBy::OwnPool), 1 + again);
    assert_eq!(given(StoppedBy::Other), 1 + again + usize::from(MAX_WITHDRAWALS));
}

#[test]
fn every_result_is_acceptance_where_the_handler_is_not_the_stock_one() {
    for handler in [ResultHandler::AcceptAll, ResultHandler::PrintToStdout] {
        let mut pool = Pool::new(GroupName("mail".into()), "supervisor".into(), Capacity::Default, handler);
        pool.add_member(A, name(A), T);
        pool.on_stdout(A, b"READY\n", T);
        pool.offer(0, &fatal());
        let data = "processname:web channel:stdout\nhello\n";
        let answer = format!("RESULT {}\n{data}READY\n", data.len());
        let out = pool.on_stdout(A, answer.as_bytes(), T);
        assert_eq!((pool.answered(), pool.pending()), (1, 0));
        let printed = out.contains(&PoolEffect::Stdout(b"web stdout | hello\n".to_vec()));
        assert_eq!(printed, handler == ResultHandler::PrintToStdout);
    }
}

#[test]
fn a_member_shows_once_that_it_says_ready_and_once_that_it_answers() {
    let mut pool = pool(Capacity::Default);
    pool.add_member(A, name(A), T);
    let shown = |out: Vec<PoolEffect>| {
        let one = |effect: &PoolEffect| match effect {
            PoolEffect::Milestone { what, .. } => Some(*what),
            _ => None,
        };
        out.iter().find_map(one)
    };
    assert_eq!(shown(pool.on_stdout(A, b"READY\n", T)), Some(Milestone::Ready));
    pool.offer(0, &fatal());
    assert_eq!(shown(pool.on_stdout(A, b"RESULT 2\nOK", T)), Some(Milestone::Answered));
    assert_eq!(shown(pool.on_stdout(A, b"READY\n", T)), None);
}

#[test]
fn an_event_that_was_rejected_goes_to_another_member_that_is_ready() {
    let mut pool = ready(Capacity::Default, &[A, B]);
    assert_eq!(sent(&pool.offer(0, &fatal())), [(1, 0)]);
    assert_eq!(sent(&pool.on_stdout(A, b"RESULT 4\nFAILREADY\n", T)), [(2, 0)]);
    pool.on_stdout(B, b"RESULT 2\nOKREADY\n", T);
    assert_eq!(pool.answered(), 1);
}

#[test]
fn ten_thousand_programs_in_one_burst_lose_no_event() {
    use ProcessState as S;
    let mut pool = pool(Capacity::Default);
    pool.add_member(A, name(A), T);
    let names: Vec<Rc<Namespec>> =
        (0..10_000).map(|number| Rc::new(Namespec::new("web", format!("web_{number}")))).collect();
    let mut serial = 0;
    // All are killed and started again, and again, before the listener has said READY.
    for round in 0..3 {
        for (at, who) in names.iter().enumerate() {
            let pid = u32::try_from(at).unwrap();
            for (from, to, detail) in [
                (S::Running, S::Exited, StateDetail::Exit { expected: false, pid }),
                (S::Exited, S::Starting, StateDetail::Tries(0)),
                (S::Starting, S::Running, StateDetail::Pid(pid)),
            ] {
                pool.offer(serial, &Event::state(Rc::clone(who), from, to, detail));
                serial += 1;
            }
            pool.offer(serial, &log());
            serial += 1;
        }
        assert_eq!(pool.pending(), (round + 1) * 40_000);
    }
    let mut exits = 0;
    let mut out = pool.on_stdout(A, b"READY\n", T);
    while let Some(PoolEffect::Send { bytes, .. }) =
        out.iter().find(|one| matches!(one, PoolEffect::Send { .. }))
    {
        exits += usize::from(bytes.windows(20).any(|part| part == b"PROCESS_STATE_EXITED"));
        out = pool.on_stdout(A, b"RESULT 2\nOKREADY\n", T);
    }
    assert_eq!((exits, pool.dropped().total(), pool.pending()), (30_000, 0, 0));
}

#[test]
fn a_million_states_wait_before_one_is_given_up_and_transient_ones_go_first() {
    let mut pool = pool(Capacity::Default);
    let (starting, exited) = (state(ProcessState::Starting), state(ProcessState::Exited));
    let mut serial = 0;
    let mut offer = |pool: &mut Pool, event: &Event| {
        pool.offer(serial, event);
        serial += 1;
    };
    for _ in 0..10 {
        offer(&mut pool, &log());
        offer(&mut pool, &tick(5));
    }
    for _ in 0..500_000 {
        offer(&mut pool, &starting);
        offer(&mut pool, &exited);
    }
    assert_eq!((pool.dropped().total(), pool.pending(), STATE_EVENT_BYTES), (0, 1_000_020, 48));
    let mut lines = 0;
    for _ in 0..1_500_000 {
        lines += pool.offer(serial, &exited).len();
        serial += 1;
    }
    // One line for each power of two, and for each tick that was merged.
    assert!((20..40).contains(&lines), "{lines}");
    let dropped: Vec<_> = pool.dropped().counts().collect();
    let kinds: Vec<_> = dropped.iter().map(|(kind, _)| *kind).collect();
    use EventKind as K;
    assert_eq!(kinds, [K::ProcessStateExited, K::ProcessStateStarting, K::ProcessLogStdout, K::Tick5]);
    assert_eq!((dropped[1].1, dropped[2].1, dropped[3].1, pool.merged()), (500_000, 10, 1, 9));
    assert!(pool.buffer().is_full);
    assert!(pool.buffer().bytes <= MINOR_BYTES + STATE_BYTES);
}

#[test]
fn output_and_ticks_push_out_no_state_and_a_mute_listener_does_not_eat_the_memory() {
    let mut pool = pool(Capacity::Default);
    let block = vec![b'x'; 1 << 20];
    let block_output = output(&block);
    pool.offer(0, &fatal());
    pool.offer(1, &tick(60));
    for serial in 2..100 {
        pool.offer(serial, &block_output);
        assert!(pool.buffer().bytes <= MINOR_BYTES + 2 * STATE_EVENT_BYTES, "{:?}", pool.buffer());
    }
    assert!(pool.dropped().total() > 80, "{}", pool.dropped());
    assert_eq!(pool.dropped().counts().count(), 1);
    assert!(pool.is_filled(3, 4) && pool.buffer().is_full);
    pool.add_member(A, name(A), T);
    // What is not output is still there.
    assert_eq!(sent(&pool.on_stdout(A, b"READY\n", T)), [(1, 0)]);
    assert_eq!(sent(&pool.on_stdout(A, b"RESULT 2\nOKREADY\n", T)), [(1, 1)]);
}

#[test]
fn a_refused_event_pushes_nothing_out_where_the_size_is_not_set() {
    let mut pool = ready(Capacity::Default, &[A]);
    for serial in 0..2000 {
        pool.offer(serial, &fatal());
    }
    pool.on_stdout(A, b"RESULT 4\nFAIL", T);
    assert_eq!((pool.pending(), pool.dropped().total()), (2000, 0));
    assert_eq!(sent(&pool.on_stdout(A, b"READY\n", T)), [(1, 0)]);
}

#[test]
fn a_new_pool_takes_over_what_waits_in_the_old_one_and_says_what_it_does_not_want() {
    let mut old = ready(Capacity::Default, &[A]);
    for serial in 0..3 {
        old.offer(serial, &fatal());
    }
    old.offer(3, &log());
    old.on_stdout(A, b"RESULT 4\nFAILREADY\nRESULT 4\nFAIL", T);
    let mut new = ready(Capacity::Default, &[B]);
    let (out, unwanted) = new.take_over(old, |kind| kind.is_a(EventKind::ProcessState));
    assert_eq!(sent(&out), [(2, 0)]);
    assert_eq!((new.pending(), unwanted.to_string()), (2, "1 PROCESS_LOG_STDOUT".into()));
    assert_eq!(new.unanswered().to_string(), "3 PROCESS_STATE_FATAL");
    new.on_stdout(B, b"RESULT 2\nOKREADY\n", T);
    // The numbers go on.
    new.on_stdout(B, b"RESULT 2\nOKREADY\nRESULT 2\nOKREADY\n", T);
    new.on_stdout(B, b"RESULT 2\nOKREADY\n", T);
    let out = new.offer(9, &fatal());
    let PoolEffect::Send { bytes, .. } = &out[0] else { panic!("{out:?}") };
    assert!(String::from_utf8_lossy(bytes).contains("serial:9 pool:mail poolserial:4 "), "{out:?}");
}
