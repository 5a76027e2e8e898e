//! The ledger of programs that are owed a start, as anybody may have written it.
#![no_main]

use ironlance_listeners::restart::parse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = parse(&String::from_utf8_lossy(data), 7);
});
