//! A whole configuration, to typed values; no fault may be one of the reader's own.
#![no_main]

use std::cell::LazyCell;
use std::fs;
use std::path::PathBuf;

use ironlance_config::{HostEnv, Overrides, load, load_ctl_settings, load_raw};
use libfuzzer_sys::fuzz_target;

thread_local! {
    static FILE: LazyCell<PathBuf> =
        const { LazyCell::new(|| std::env::temp_dir().join(format!("ironlance-fuzz-{}.conf", std::process::id()))) };
}

fuzz_target!(|data: &[u8]| {
    // A pattern may lead anywhere on this machine.
    if data.windows(5).any(|word| word.eq_ignore_ascii_case(b"files")) {
        return;
    }
    let file = FILE.with(|file| PathBuf::clone(file));
    fs::write(&file, data).expect("a file in the folder for temporary files");
    let machine = HostEnv {
        environment: vec![("HOME".to_owned(), "/root".to_owned())],
        cwd: "/".into(),
        host_node_name: "box".to_owned(),
        temp_dir: "/tmp".into(),
        uid: 0,
    };
    let _ = (load_ctl_settings(&file, &machine), load_raw(&file, &machine));
    if let Err(faults) = load(&file, &Overrides::default(), &machine) {
        assert!(faults.0.iter().all(|fault| !fault.what.contains("by a fault of ours")));
    }
});
