//! The stream of events that supervisorctl follows, in any pieces: each event is one harmless line, and little is kept.
#![no_main]

use ironlance_ctl::events::EventLines;
use ironlance_ctl::events::sse::MAX_MESSAGE;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut whole = Vec::new();
    let mut pieces = Vec::new();
    let gather = |lines: &mut EventLines, piece: &[u8], into: &mut Vec<String>| {
        lines.push(piece, &mut |line| {
            assert!(!line.chars().any(char::is_control), "{line:?}");
            into.push(line.to_owned());
        });
        assert!(lines.buffered() <= MAX_MESSAGE);
    };
    // The first byte says how long the pieces are.
    let Some((size, stream)) = data.split_first() else { return };
    gather(&mut EventLines::for_pipe(), stream, &mut whole);
    let mut lines = EventLines::for_pipe();
    for piece in stream.chunks(usize::from(*size).max(1)) {
        gather(&mut lines, piece, &mut pieces);
    }
    assert_eq!(whole, pieces);
});
