//! What passes between watch and its probe.
#![no_main]

use ironlance_checks::probe::protocol::{LineBuffer, ProbeOrder, ProbeReading, line, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut lines = LineBuffer::default();
    lines.push(data);
    while let Some(text) = lines.next_line() {
        if let Ok(order) = parse::<ProbeOrder>(&text) {
            assert_eq!(parse(&line(&order).unwrap()), Ok(order));
        }
        let _ = parse::<ProbeReading>(&text);
    }
});
