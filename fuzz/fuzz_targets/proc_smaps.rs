//! /proc/PID/smaps_rollup, in whatever form a kernel may give it.
#![no_main]

use ironlance_checks::memory::smaps::pss_bytes;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Some(bytes) = pss_bytes(data) {
        assert_eq!(bytes % 1024, 0);
    }
});
