//! What listeners say, cut anywhere.

use super::*;
use proptest::prelude::*;

/// All that an ear understands of the chunks. It is sent an event as soon as all of a chunk is heard and it is READY.
fn hear(chunks: &[&[u8]]) -> (Vec<Said>, ListenerState) {
    let mut ear = Ear::default();
    let mut said = Vec::new();
    for chunk in chunks {
        let mut data = *chunk;
        while let Some(word) = ear.next(&mut data) {
            said.push(word);
        }
        assert!(data.is_empty());
        ear.event_sent();
    }
    (said, ear.state())
}

fn breach(chunks: &[&[u8]]) -> String {
    match hear(chunks) {
        (said, ListenerState::Unknown) => match said.last() {
            Some(Said::Broken(breach)) => breach.to_string(),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_listener_says_ready_and_results_in_turn() {
    let (said, state) = hear(&[b"READY\n", b"RESULT 2\nOKREADY\n", b"RESULT 4\nFAIL", b"REA"]);
    assert_eq!(said, [Said::Ready, Said::Done, Said::Ready, Said::Refused("FAIL".into())]);
    assert_eq!(state, ListenerState::Acknowledged);
}

#[test]
fn words_may_be_cut_anywhere() {
    let result = b"RESULT 2\nOKREADY\n";
    for at in 0..result.len() {
        let (said, state) = hear(&[b"READ", b"Y\n", &result[..at], &result[at..]]);
        assert_eq!(said, [Said::Ready, Said::Done, Said::Ready], "cut at {at}");
        assert_eq!(state, ListenerState::Busy);
    }
}

#[test]
fn an_empty_result_and_any_other_than_ok_is_a_refusal() {
    assert_eq!(hear(&[b"READY\n", b"RESULT 0\n"]).0[1], Said::Refused(String::new()));
    assert_eq!(hear(&[b"READY\n", b"RESULT 3\nOK\n"]).0[1], Said::Refused("OK\n".into()));
    let long = [b"RESULT 1048576\n".to_vec(), vec![b'x'; 1_048_576]].concat();
    let (said, state) = hear(&[b"READY\n", &long]);
    assert_eq!(said[1], Said::Refused("x".repeat(200)));
    assert_eq!(state, ListenerState::Acknowledged);
}

#[test]
fn a_length_may_stand_in_white_space_as_for_python() {
    assert_eq!(hear(&[b"READY\n", b"RESULT  2 \r\nOK"]).0[1], Said::Done);
    assert_eq!(hear(&[b"READY\n", b"RESULT +02\nOK"]).0[1], Said::Done);
}

#[test]
fn whatever_else_is_said_breaks_the_protocol_with_a_reason() {
    assert_eq!(breach(&[b"hello"]), "said \"hello\" where READY was due");
    assert_eq!(breach(&[b"READ", b"ME"]), "said \"README\" where READY was due");
    assert_eq!(
        breach(&[b"READY\nRESULT 2\nOK"]),
        "said \"RESULT 2\\nOK\" while it was READY and had no event"
    );
    assert_eq!(
        breach(&[b"READY\n", b"RESULT 99999999\n"]),
        "announced a RESULT of 99999999 bytes, the limit is 1048576"
    );
    for line in ["OK\n", "\n", "RESULT\n", "RESULT \n", "RESULT two\n", "RESULT -1\n", "result 2\n"] {
        let reason = breach(&[b"READY\n", line.as_bytes()]);
        assert_eq!(
            reason,
            format!("said {:?} where RESULT and a length were due", line.trim_end_matches('\n'))
        );
    }
}

#[test]
fn a_line_without_an_end_is_not_waited_for() {
    let reason = breach(&[b"READY\n", b"RESULT ", &[b' '; 100]]);
    assert!(reason.ends_with("where RESULT and a length were due"), "{reason}");
    let reason = breach(&[b"READY\n", b"something else"]);
    assert_eq!(reason, "said \"something else\" where RESULT and a length were due");
}

#[test]
fn nothing_is_understood_of_a_listener_that_broke_the_protocol() {
    let (said, state) = hear(&[b"x", b"READY\n", b"RESULT 2\nOK"]);
    assert_eq!((said.len(), state), (1, ListenerState::Unknown));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic_and_what_it_keeps_is_bounded(
        chunks in prop::collection::vec(prop::collection::vec(
            prop::sample::select(b"READY\nSULT 0129OK\xff".to_vec()), 0..80), 0..20)
    ) {
        let mut ear = Ear::default();
        for chunk in &chunks {
            let mut data = &chunk[..];
            while ear.next(&mut data).is_some() {}
            prop_assert!(data.is_empty());
            prop_assert!(ear.heard.len() <= MAX_QUOTE);
            ear.event_sent();
        }
    }
}
