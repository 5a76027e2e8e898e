//! An alert file that a crash, a disk or a person has damaged.
#![no_main]

use ironlance_alert::outbox::record::{FailedAttempt, OutboxRecord, file, line, read};
use ironlance_alert::render::card::Detail;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    check(data);
    // A fuzzer does not find checksums: here every line gets the one that fits, so that the JSON is read.
    let text = String::from_utf8_lossy(data);
    let sealed: String =
        text.lines().map(|json| format!("{:08x} {json}\n", crc32fast::hash(json.as_bytes()))).collect();
    check(sealed.as_bytes());
});

/// What can be read can be written, and read again; a failed try that is cut off changes nothing.
fn check(bytes: &[u8]) {
    let Ok(stored) = read(bytes) else { return };
    let mut again = file(&stored.alert, stored.unacked.as_deref());
    for attempt in &stored.attempts {
        again.push_str(&line(&OutboxRecord::Attempt(attempt.clone())));
    }
    assert_eq!(read(again.as_bytes()).as_ref(), Ok(&stored));
    let (reason, detail) = ("refused".to_owned(), Detail::Rich);
    let attempt = line(&OutboxRecord::Attempt(FailedAttempt { at: 7, reason, tried: 7, detail }));
    again.push_str(&attempt[..attempt.len() / 2]);
    assert_eq!(read(again.as_bytes()).as_ref(), Ok(&stored));
}
