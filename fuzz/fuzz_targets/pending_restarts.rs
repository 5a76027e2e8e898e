//! The file of pending restarts, with any content.
#![no_main]

use ironlance_checks::restart::parse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = parse(&String::from_utf8_lossy(data), 7);
});
