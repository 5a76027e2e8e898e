//! /proc/PID/cgroup and the files of control groups.
#![no_main]

use ironlance_checks::memory::cgroup::{bytes, memory_file};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let file = memory_file(data);
    assert!(
        file.is_none_or(|file| file.starts_with("/sys/fs/cgroup") && !file.iter().any(|name| name == ".."))
    );
    let _ = bytes(data);
});
