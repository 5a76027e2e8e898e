//! A configuration file, and one that it includes, behind a NUL byte.
#![no_main]

use ironlance_config::env_pairs::parse_env_pairs;
use ironlance_config::ini::Ini;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let mut ini = Ini::default();
    for (number, part) in text.split('\0').enumerate() {
        if let Err(error) = ini.read(part, number) {
            assert!(!error.original("x.conf").is_empty());
        }
        let _ = ini.replace_here("/etc");
    }
    for section in ini.sections() {
        for entry in section.entries() {
            assert_eq!(entry.key, entry.key.to_lowercase());
            assert!(entry.place.line > 0);
            let _ = parse_env_pairs(&entry.value);
        }
    }
});
