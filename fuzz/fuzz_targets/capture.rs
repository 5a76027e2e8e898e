//! Output with communication tags, in any pieces: cuts change nothing, and no byte is made up or lost.
#![no_main]

use ironlance_core::capture::{BEGIN, END, Piece, Splitter};
use libfuzzer_sys::fuzz_target;

/// Bytes stand for themselves, but for two that stand for tags: the fuzzer need not find those.
fn output(data: &[u8]) -> Vec<u8> {
    let spell = |byte: &u8| match byte {
        0x01 => BEGIN.to_vec(),
        0x02 => END.to_vec(),
        byte => vec![*byte],
    };
    data.iter().flat_map(spell).collect()
}

/// Everything outside tags, and the messages.
fn split<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> (Vec<u8>, Vec<Vec<u8>>) {
    let mut plain = Vec::new();
    let mut messages = Vec::new();
    let mut splitter = Splitter::new(usize::MAX);
    let mut sink = |piece: Piece<'_>| match piece {
        Piece::Plain(bytes) => plain.extend_from_slice(bytes),
        Piece::Inside(_) => {}
        Piece::Captured(bytes) => messages.push(bytes),
    };
    for chunk in chunks {
        splitter.push(chunk, &mut sink);
    }
    splitter.finish(&mut sink);
    (plain, messages)
}

fuzz_target!(|data: &[u8]| {
    let Some((size, data)) = data.split_first() else { return };
    let output = output(data);
    let whole = split(std::iter::once(&output[..]));
    let pieces = split(output.chunks(usize::from(*size).max(1)));
    assert_eq!(whole, pieces);

    let mut small = Splitter::new(16);
    let mut longest = 0;
    for chunk in output.chunks(8) {
        small.push(chunk, &mut |piece| {
            if let Piece::Captured(message) = piece {
                longest = longest.max(message.len());
            }
        });
    }
    assert!(longest <= 16 + END.len(), "{longest}");
});
