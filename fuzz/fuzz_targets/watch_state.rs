//! The saved state of `watch` that a crash, a disk or a person has damaged.
#![no_main]

use ironlance_watch::machine::SnapshotPart;
use ironlance_watch::store::SavedState;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = SavedState::<SnapshotPart>::parse(data);
    // A fuzzer does not find checksums: here every line gets the one that fits, so that the JSON is read.
    let text = String::from_utf8_lossy(data);
    let sealed: String =
        text.lines().map(|json| format!("{:08x} {json}\n", crc32fast::hash(json.as_bytes()))).collect();
    if SavedState::<SnapshotPart>::parse(sealed.as_bytes()).is_ok() {
        let short = &sealed.as_bytes()[..sealed.len() - 1];
        assert!(SavedState::<SnapshotPart>::parse(short).is_err(), "a cut file is no state");
    }
});
