//! A segment of the journal that a crash, a disk or a person has damaged.
#![no_main]

use ironlance_core::journal::segment::{first_number, records};
use ironlance_core::text::checked_line;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    check(data);
    // A fuzzer does not find checksums: here every line gets the one that fits, so that the JSON is read.
    let text = String::from_utf8_lossy(data);
    let _ = first_number(&text);
    let sealed: String =
        text.lines().map(|json| format!("{:08x} {json}\n", crc32fast::hash(json.as_bytes()))).collect();
    check(sealed.as_bytes());
});

/// What can be read can be written, and read again; a record that is cut off changes nothing.
fn check(bytes: &[u8]) {
    let piece = records(bytes);
    assert!(piece.length <= bytes.len());
    let mut again: String = piece.records.iter().map(checked_line::encode).collect();
    let length = again.len();
    let Some(last) = piece.records.last().map(checked_line::encode) else { return };
    again.push_str(&last[..last.len() - 1]);
    let read = records(again.as_bytes());
    // A number may be written longer than it was read.
    if read.damaged == 0 {
        assert_eq!((&read.records, read.length), (&piece.records, length));
    }
}
