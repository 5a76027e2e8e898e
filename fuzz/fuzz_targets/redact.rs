//! Command lines and output of mailers on their way to people: nothing panics, and a marked secret never comes out.
#![no_main]

use ironlance_core::redact::{Secrets, program_only, redact, redact_words};
use libfuzzer_sys::fuzz_target;

/// Contains nothing that a text would hold by chance.
const SECRET: &str = "zQhunter2Qz";

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let _ = (redact(&text), program_only(&text));
    let words: Vec<String> = text.split('\n').map(str::to_owned).collect();
    let _ = redact_words(&words);
    let command = format!("mailer --password '{SECRET}' {text}");
    let secrets = Secrets::of(&command);
    assert!(!secrets.hide(&command).contains(SECRET));
    assert!(!secrets.hide(&text.replace('\u{0}', SECRET)).contains(SECRET));
});
