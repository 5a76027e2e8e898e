//! An event's header and body, as any supervisord may send them.
#![no_main]

use ironlance_core::Envelope;
use ironlance_core::event::kind::EventKind;
use ironlance_core::event::wire;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let (header, body) = text.split_once('\n').unwrap_or((&text, ""));
    if let Ok(envelope) = Envelope::parse(header)
        && let Some(Ok(event)) =
            EventKind::from_name(&envelope.event_name).map(|kind| wire::decode(kind, body))
    {
        assert_eq!(wire::decode(event.kind(), &wire::encode(&event)).as_ref(), Ok(&event));
    }
});
