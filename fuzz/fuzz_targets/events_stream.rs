//! The stream of events that supervisorctl follows, in any pieces: each event is one harmless line, and little is kept.
#![no_main]

use ironlance_ctl::events::Lines;
use ironlance_ctl::events::feed::MOST;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut whole = Vec::new();
    let mut pieces = Vec::new();
    let gather = |lines: &mut Lines, piece: &[u8], into: &mut Vec<String>| {
        lines.push(piece, &mut |line| {
            assert!(!line.chars().any(char::is_control), "{line:?}");
            into.push(line.to_owned());
        });
        assert!(lines.kept() <= MOST);
    };
    // The first byte says how long the pieces are.
    let Some((size, stream)) = data.split_first() else { return };
    gather(&mut Lines::in_a_pipe(), stream, &mut whole);
    let mut lines = Lines::in_a_pipe();
    for piece in stream.chunks(usize::from(*size).max(1)) {
        gather(&mut lines, piece, &mut pieces);
    }
    assert_eq!(whole, pieces);
});
