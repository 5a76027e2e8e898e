//! /proc/PID/stat and statm of a process that gave itself a wicked name.
#![no_main]

use ironlance_checks::memory::stat::{Stat, resident_pages};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = resident_pages(data);
    let _ = Stat::parse(data);
    // Whatever the name, what follows it decides.
    let fields = b") S 51 1 1 0 -1 0 1 1 1 1 1 1 1 1 20 0 1 0 4711 99 7 1\n";
    let stat = Stat::parse(&[b"1 (", data, fields].concat());
    assert_eq!(stat, Some(Stat { ppid: 51, cpu_ticks: 2, start_ticks: 4711 }));
});
