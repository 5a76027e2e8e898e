//! The fields of addresses and forms: any text is read, and what is escaped comes back.
#![no_main]

use ironlance_core::text::url_encoding::encode;
use ironlance_daemon::http::pages::query::Fields;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let fields = Fields::parse(text);
    for name in ["processname", "limit", "lang", "message", "token", "do", text] {
        if let Some(value) = fields.get(name) {
            let query = format!("x={}", encode(value));
            assert!(query.is_ascii());
            // A query that is too long is not read to its end.
            if query.len() < 16 * 1024 {
                assert_eq!(Fields::parse(&query).get("x"), Some(value));
            }
        }
    }
});
