//! What listeners say, cut anywhere.

use super::*;
use proptest::prelude::*;

/// Parses the chunks. The listener is sent an event as soon as all of a chunk is parsed and it is READY.
fn parse(chunks: &[&[u8]]) -> (Vec<ProtocolMessage>, ListenerState) {
    let (said, parser) = listen(chunks);
    (said, parser.state())
}

fn listen(chunks: &[&[u8]]) -> (Vec<ProtocolMessage>, ProtocolParser) {
    let mut parser = ProtocolParser::default();
    let mut said = Vec::new();
    for chunk in chunks {
        let mut data = *chunk;
        while let Some(word) = parser.next_message(&mut data) {
            said.push(word);
        }
        assert!(data.is_empty());
        parser.event_sent();
    }
    (said, parser)
}

fn refusal(result: &str) -> ProtocolMessage {
    ProtocolMessage::Result(result.into())
}

/// A parser in a state, by what brings it there.
fn in_state(state: ListenerState) -> ProtocolParser {
    let mut parser = ProtocolParser::default();
    let mut data: &[u8] = match state {
        ListenerState::Acknowledged => b"",
        ListenerState::Ready | ListenerState::Busy | ListenerState::Unknown => b"READY\n",
    };
    while parser.next_message(&mut data).is_some() {}
    match state {
        ListenerState::Acknowledged | ListenerState::Ready => {}
        ListenerState::Busy => parser.event_sent(),
        ListenerState::Unknown => parser.close(),
    }
    assert_eq!(parser.state(), state);
    parser
}

/// The rows of a table of states, without the first cell's mark-up.
fn table<'a>(text: &'a str, prefix: &str) -> Vec<Vec<&'a str>> {
    let rows = text.lines().filter_map(|line| line.strip_prefix(prefix));
    let cells =
        rows.map(|row| row.trim_matches(['|', ' ']).split('|').map(|cell| cell.trim_matches([' ', '`'])));
    cells.map(Iterator::collect).collect()
}

#[test]
fn the_table_of_states_is_what_the_machine_does_here_and_in_the_documents() {
    let states =
        [ListenerState::Acknowledged, ListenerState::Ready, ListenerState::Busy, ListenerState::Unknown];
    let inputs: [&[u8]; 4] = [b"READY\n", b"RESULT 2\nOK", b" \n", b"hello\n"];
    let sources =
        [table(include_str!("mod.rs"), "//! | "), table(include_str!("../../../../../docs/events.md"), "| ")];
    for rows in sources {
        let busy_again = (ListenerState::Busy, "BUSY, has spoken");
        for (state, name) in states.map(|state| (state, state.name())).into_iter().chain([busy_again]) {
            let wanted = rows.iter().find(|row| row.len() == 5 && row[0] == name);
            let wanted = wanted.unwrap_or_else(|| panic!("no row for {name}"));
            for (at, input) in inputs.into_iter().enumerate() {
                let mut parser = in_state(state);
                if name != state.name() {
                    assert_eq!(parser.next_message(&mut &b"READY\n"[..]), Some(ProtocolMessage::StrayOutput));
                    assert_eq!(parser.next_message(&mut &b""[..]), Some(ProtocolMessage::RepeatedReady));
                    parser.in_stray_output = false;
                }
                let mut data = input;
                let mut stray = "";
                while let Some(said) = parser.next_message(&mut data) {
                    stray = if said == ProtocolMessage::StrayOutput { ", stray" } else { stray };
                }
                let got = format!("{}{stray}", parser.state().name());
                assert_eq!(got, wanted[at + 1], "{} and {:?}", state.name(), excerpt(input));
            }
        }
    }
}

#[test]
fn a_listener_says_ready_and_results_in_turn() {
    let (said, state) = parse(&[b"READY\n", b"RESULT 2\nOKREADY\n", b"RESULT 4\nFAIL", b"REA"]);
    assert_eq!(
        said,
        [ProtocolMessage::Ready, ProtocolMessage::Accepted, ProtocolMessage::Ready, refusal("FAIL")]
    );
    assert_eq!(state, ListenerState::Acknowledged);
}

#[test]
fn words_may_be_cut_anywhere() {
    let result = b"RESULT 2\nOKREADY\n";
    for at in 0..result.len() {
        let (said, state) = parse(&[b"READ", b"Y\n", &result[..at], &result[at..]]);
        assert_eq!(
            said,
            [ProtocolMessage::Ready, ProtocolMessage::Accepted, ProtocolMessage::Ready],
            "cut at {at}"
        );
        assert_eq!(state, ListenerState::Busy);
    }
}

#[test]
fn white_space_between_a_result_and_ready_is_no_fault_and_told_once() {
    for answer in ["RESULT 2\nOK\nREADY\n", "RESULT 2\nOK\r\n\r\nREADY\r\n", "RESULT 2\nOK  \t READY \n"] {
        let (said, parser) = listen(&[b"READY\n", answer.as_bytes(), answer.as_bytes()]);
        let words: Vec<&ProtocolMessage> =
            said.iter().filter(|said| **said != ProtocolMessage::Whitespace).collect();
        assert_eq!(
            words,
            [
                &ProtocolMessage::Ready,
                &ProtocolMessage::Accepted,
                &ProtocolMessage::Ready,
                &ProtocolMessage::Accepted,
                &ProtocolMessage::Ready
            ],
            "{answer:?}"
        );
        assert!(said.len() - words.len() <= 1, "{said:?}");
        assert_eq!((parser.state(), parser.stray_output()), (ListenerState::Busy, &b""[..]));
    }
}

#[test]
fn an_empty_result_and_any_other_than_ok_is_told_with_its_data() {
    assert_eq!(parse(&[b"READY\n", b"RESULT 0\n"]).0[1], refusal(""));
    assert_eq!(parse(&[b"READY\n", b"RESULT 3\nOK\n"]).0[1], ProtocolMessage::Accepted);
    assert_eq!(parse(&[b"READY\n", b"RESULT 3\nNOK"]).0[1], refusal("NOK"));
    let long = [b"RESULT 1048576\n".to_vec(), vec![b'x'; 1_048_576]].concat();
    let (said, state) = parse(&[b"READY\n", &long]);
    assert_eq!(said[1], refusal(&"x".repeat(200)));
    assert_eq!(state, ListenerState::Acknowledged);
}

#[test]
fn a_result_is_kept_whole_where_it_is_needed() {
    let mut parser = ProtocolParser::new(ResultRetention::Full);
    let mut said = Vec::new();
    let long = [b"RESULT 300000\n".to_vec(), vec![b'x'; 300_000]].concat();
    for chunk in [&b"READY\n"[..], &long[..200_000], &long[200_000..]] {
        let mut data = chunk;
        said.extend(std::iter::from_fn(|| parser.next_message(&mut data)));
        parser.event_sent();
    }
    assert_eq!(said[1], ProtocolMessage::Result(vec![b'x'; 300_000]));
    assert!(parser.partial.capacity() <= MAX_EXCERPT);
}

#[test]
fn a_length_may_stand_in_white_space_and_the_word_in_any_case_as_for_the_original() {
    assert_eq!(parse(&[b"READY\n", b"RESULT  2 \r\nOK"]).0[1], ProtocolMessage::Accepted);
    assert_eq!(parse(&[b"READY\n", b"RESULT +02\nOK"]).0[1], ProtocolMessage::Accepted);
    assert_eq!(parse(&[b"READY\n", b"Result 2\nOK"]).0[1], ProtocolMessage::Accepted);
}

#[test]
fn a_result_counts_whatever_stray_output_came_before_it() {
    for stray in
        ["working\n", "a\nb\n", "working...", "x".repeat(5000).as_str(), "\x00\x7f\n", "RESULT x\nOK\n"]
    {
        let answer = format!("{stray}RESULT 2\nOKREADY\n");
        for at in 0..answer.len().min(40) {
            let (said, parser) = listen(&[b"READY\n", &answer.as_bytes()[..at], &answer.as_bytes()[at..]]);
            assert_eq!(
                said,
                [
                    ProtocolMessage::Ready,
                    ProtocolMessage::StrayOutput,
                    ProtocolMessage::Accepted,
                    ProtocolMessage::Ready
                ],
                "{stray:?} cut at {at}"
            );
            let told = stray.trim_end();
            let babble = excerpt(parser.stray_output());
            assert!(
                babble.starts_with(&told[..told.len().min(190)]),
                "{babble:?} for {stray:?}, cut at {at}"
            );
        }
    }
}

#[test]
fn a_ready_counts_whatever_stray_output_came_before_it() {
    for (said, babble) in [
        ("banner\nREADY\n", "banner"),
        ("x READY y\nREADY\n", "x READY y"),
        ("RESULT 2\nOKREADY\n", "RESULT 2\nOK"),
        ("RESULT 2\nOK\nREADY\n", "RESULT 2\nOK"),
    ] {
        let (messages, parser) = listen(&[said.as_bytes()]);
        assert_eq!(messages, [ProtocolMessage::StrayOutput, ProtocolMessage::Ready], "{said:?}");
        assert_eq!(excerpt(parser.stray_output()), babble);
    }
    // A word behind the answer.
    for answer in ["RESULT 2\nOK done\nREADY\n", "RESULT 2\nOK doneREADY\n", "RESULT 2\nOKdone READY\n"] {
        let (said, state) = parse(&[b"READY\n", answer.as_bytes()]);
        assert_eq!(
            said,
            [
                ProtocolMessage::Ready,
                ProtocolMessage::Accepted,
                ProtocolMessage::StrayOutput,
                ProtocolMessage::Ready
            ],
            "{answer:?}"
        );
        assert_eq!(state, ListenerState::Busy);
    }
}

#[test]
fn a_line_that_only_ends_with_ready_is_no_ready() {
    let (said, state) = parse(&[b"Server is READY\n", b"ALREADY\n"]);
    assert_eq!((said, state), (vec![ProtocolMessage::StrayOutput], ListenerState::Acknowledged));
}

#[test]
fn stray_output_is_told_once_until_the_next_word_and_is_quoted_up_to_a_limit() {
    let (said, parser) =
        listen(&[b"READY\n", b"one\n", b"two\n", &[b'x'; 1000], b"\nRESULT 2\nOKREADY\n", b"three\n"]);
    assert_eq!(
        said,
        [
            ProtocolMessage::Ready,
            ProtocolMessage::StrayOutput,
            ProtocolMessage::Accepted,
            ProtocolMessage::Ready,
            ProtocolMessage::StrayOutput
        ]
    );
    assert_eq!(parser.stray_output(), b"three");
    let (_, parser) = listen(&[b"READY\n", b"one\n", b"two\n", &[b'x'; 1000]]);
    assert_eq!(excerpt(parser.stray_output()), format!("one\ntwo\n{}", "x".repeat(192)));
}

#[test]
fn ready_without_a_result_and_a_flood_end_it() {
    let (said, state) = parse(&[b"READY\n", b"x\n", b"READY\n", b"RESULT 2\nOK"]);
    assert_eq!(
        (said.last(), state),
        (Some(&ProtocolMessage::Error(ProtocolViolation::Unanswered)), ListenerState::Unknown)
    );
    let (said, _) = parse(&[b"READY\n", b"RESULT x\nOKREADY\n"]);
    assert_eq!(
        said[1..],
        [ProtocolMessage::StrayOutput, ProtocolMessage::Error(ProtocolViolation::Unanswered)]
    );
    let mut parser = in_state(ListenerState::Busy);
    let chunk = vec![0; 1 << 20];
    let mut told = Vec::new();
    for _ in 0..17 {
        let mut data = &chunk[..];
        told.extend(std::iter::from_fn(|| parser.next_message(&mut data)));
    }
    assert_eq!(
        told,
        [ProtocolMessage::StrayOutput, ProtocolMessage::Error(ProtocolViolation::TooMuchStrayOutput)]
    );
}

#[test]
fn a_result_that_is_announced_too_long_is_stray() {
    let (said, state) = parse(&[b"READY\n", b"RESULT 99999999\nOK\n"]);
    assert_eq!(
        (said, state),
        (vec![ProtocolMessage::Ready, ProtocolMessage::StrayOutput], ListenerState::Busy)
    );
}

#[test]
fn a_very_long_result_is_a_result_and_not_kept() {
    for keep in [ResultRetention::Excerpt, ResultRetention::Full] {
        let mut parser = ProtocolParser::new(keep);
        let mut said = Vec::new();
        let mut tell = |parser: &mut ProtocolParser, mut data: &[u8]| {
            said.extend(std::iter::from_fn(|| parser.next_message(&mut data)));
            parser.event_sent();
        };
        tell(&mut parser, b"READY\n");
        tell(&mut parser, b"RESULT 3000002\nOK");
        for _ in 0..3 {
            tell(&mut parser, &vec![b'y'; 1_000_000]);
            assert!(parser.partial.len() <= MAX_FULL_RESULT);
        }
        tell(&mut parser, b"READY\n");
        let [ProtocolMessage::Ready, ProtocolMessage::Result(data), ProtocolMessage::Ready] = &said[..]
        else {
            panic!("{said:?}")
        };
        assert!(data.starts_with(b"OKyyy") && data.len() <= MAX_FULL_RESULT, "{}", data.len());
        assert!(parser.partial.capacity() <= MAX_EXCERPT);
    }
}

#[test]
fn a_byte_order_mark_before_a_word_is_no_fault_wherever_it_is_cut() {
    let text = "\u{feff}READY\n".as_bytes();
    for cut in 0..text.len() {
        assert_eq!(parse(&[&text[..cut], &text[cut..]]).0, [ProtocolMessage::Ready], "{cut}");
    }
    let (said, _) = parse(&[b"READY\n", "\u{feff}RESULT 2\nOK\u{feff}READY\n".as_bytes()]);
    assert_eq!(said[..2], [ProtocolMessage::Ready, ProtocolMessage::Accepted]);
    assert_eq!(said.last(), Some(&ProtocolMessage::Ready));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic_and_what_it_keeps_is_bounded(
        chunks in prop::collection::vec(prop::collection::vec(
            prop::sample::select(b"READY\nSULT 0129OK\xff".to_vec()), 0..80), 0..20)
    ) {
        let mut parser = ProtocolParser::default();
        for chunk in &chunks {
            let mut data = &chunk[..];
            while parser.next_message(&mut data).is_some() {}
            prop_assert!(data.is_empty());
            prop_assert!(parser.partial.len() <= MAX_EXCERPT && parser.stray_output.len() <= MAX_EXCERPT);
            parser.event_sent();
        }
    }

    #[test]
    fn what_is_understood_does_not_depend_on_where_the_bytes_are_cut(
        words in prop::collection::vec(prop::sample::select(vec![
            "READY\n", "RESULT 2\nOK", "\n", "RESULT 4\nFAIL", "stray", "RESULT x\n", " ", "RESULT 2\nOKREADY\n", "REA",
        ]), 0..12),
        cuts in prop::collection::vec(1usize..6, 1..20),
    ) {
        // An event is sent here only after all messages were read, so that both see the same states.
        let text: String = words.concat();
        let run = |cuts: &[usize]| {
            let mut parser = in_state(ListenerState::Busy);
            let (mut said, mut rest) = (Vec::new(), text.as_bytes());
            for cut in cuts.iter().cycle() {
                if rest.is_empty() { break }
                let (mut now, later) = rest.split_at((*cut).min(rest.len()));
                said.extend(std::iter::from_fn(|| parser.next_message(&mut now)).filter(|said| *said != ProtocolMessage::StrayOutput));
                rest = later;
            }
            (said, parser.state())
        };
        prop_assert_eq!(run(&cuts), run(&[usize::MAX]));
    }
}
