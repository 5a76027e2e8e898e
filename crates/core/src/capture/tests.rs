//! Messages between tags, cut anywhere.

use super::*;
use proptest::prelude::*;

/// Pushes the chunks, closes, and gives the plain output in one and the messages.
fn split(maxbytes: usize, chunks: &[&[u8]]) -> (String, Vec<String>) {
    let mut plain = Vec::new();
    let mut messages = Vec::new();
    let mut inside = Vec::new();
    let mut splitter = Splitter::new(maxbytes);
    let mut sink = |piece: Piece<'_>| match piece {
        Piece::Plain(bytes) => plain.extend_from_slice(bytes),
        Piece::Inside(bytes) => inside.extend_from_slice(bytes),
        Piece::Captured(bytes) => {
            assert!(inside.ends_with(&bytes));
            inside.clear();
            messages.push(String::from_utf8(bytes).unwrap());
        }
    };
    for chunk in chunks {
        splitter.push(chunk, &mut sink);
    }
    splitter.finish(&mut sink);
    (String::from_utf8(plain).unwrap(), messages)
}

#[test]
fn what_stands_between_the_tags_is_a_message_and_the_rest_is_output() {
    let text = b"one\n<!--XSUPERVISOR:BEGIN-->Hello!<!--XSUPERVISOR:END-->two\n";
    assert_eq!(split(1024, &[text]), ("one\ntwo\n".into(), vec!["Hello!".into()]));
    let text =
        b"<!--XSUPERVISOR:BEGIN--><!--XSUPERVISOR:END--><!--XSUPERVISOR:BEGIN-->b<!--XSUPERVISOR:END-->";
    assert_eq!(split(1024, &[text]), (String::new(), vec![String::new(), "b".into()]));
}

#[test]
fn a_tag_may_be_cut_anywhere() {
    let text = b"a<<!--XSUPERVISOR:BEGIN-->m<!--XSUPERVISOR:BEGIN-->n<!--XSUPERVISOR:END-->z<!--";
    let whole = split(1024, &[text]);
    assert_eq!(whole, ("a<z<!--".into(), vec!["m<!--XSUPERVISOR:BEGIN-->n".into()]));
    for at in 0..text.len() {
        assert_eq!(split(1024, &[&text[..at], &text[at..]]), whole, "cut at {at}");
    }
    let bytes: Vec<&[u8]> = text.chunks(1).collect();
    assert_eq!(split(1024, &bytes), whole);
}

#[test]
fn output_that_cannot_be_a_tag_is_passed_on_at_once_and_the_end_of_it_at_the_end() {
    let mut splitter = Splitter::new(10);
    let mut seen = Vec::new();
    splitter.push(b"short", &mut |piece| seen.push(format!("{piece:?}")));
    splitter.push(b"<!--X", &mut |piece| seen.push(format!("{piece:?}")));
    assert_eq!(seen, [format!("{:?}", Piece::Plain(b"short"))]);
    splitter.finish(&mut |piece| seen.push(format!("{piece:?}")));
    assert_eq!(seen[1..], [format!("{:?}", Piece::Plain(b"<!--X"))]);
}

#[test]
fn a_message_that_grows_too_long_loses_its_beginning_but_one_piece_is_kept_whole() {
    let begin_end = |parts: &[&[u8]]| {
        let mut chunks = vec![BEGIN];
        chunks.extend_from_slice(parts);
        chunks.push(END);
        split(10, &chunks).1.remove(0)
    };
    assert_eq!(begin_end(&[b"0123456789"]), "0123456789");
    assert_eq!(begin_end(&[b"01234567", b"89ab"]), "456789ab");
    assert_eq!(begin_end(&[b"0", b"0123456789abcdef"]), "0123456789abcdef");
}

#[test]
fn a_message_without_its_end_is_no_output_and_no_message() {
    assert_eq!(split(100, &[b"a", BEGIN, b"lost"]), ("a".into(), vec![]));
}

proptest! {
    #[test]
    fn cuts_do_not_change_what_comes_out(
        parts in prop::collection::vec(prop::sample::select(vec![
            "<!--XSUPERVISOR:BEGIN-->", "<!--XSUPERVISOR:END-->", "<!--XSUPERVISOR:", "<", "-->", "BEGIN-->", "abc\n"
        ]), 0..12),
        cuts in prop::collection::vec(0usize..200, 0..12),
    ) {
        let text = parts.concat();
        let mut cuts: Vec<usize> = cuts.into_iter().filter(|cut| *cut < text.len()).collect();
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        let chunks: Vec<&[u8]> = cuts.windows(2).map(|pair| &text.as_bytes()[pair[0]..pair[1]]).collect();
        prop_assert_eq!(split(1 << 20, &chunks), split(1 << 20, &[text.as_bytes()]));
    }
}
