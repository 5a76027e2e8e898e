//! An event's header and body, as any supervisord may send them.
#![no_main]

use ironlance_core::{Envelope, Event};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let (header, body) = text.split_once('\n').unwrap_or((&text, ""));
    if let Ok(envelope) = Envelope::parse(header) {
        let _ = Event::parse(&envelope, body);
    }
});
