//! A call of a client, as bytes: nothing makes the reader panic, and what was read is written and read as the same.
#![no_main]

use ironlance_rpc::{read, write};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok((method, params)) = read::request(data) else { return };
    let written = write::request(&method, &params);
    // What XML cannot hold is written as something else, and what is no number equals nothing: only the second
    // reading has to agree.
    let Ok((again, values)) = read::request(written.as_bytes()) else { panic!("cannot read {written:?}") };
    assert_eq!(write::request(&again, &values), written);
});
