//! A supervisord's answer to a call, or what somebody else put on its socket.
#![no_main]

use ironlance_rpc::read::response;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let _ = response(&text);
    // Most of what a fuzzer invents never gets as far as a value: here it begins with one.
    let head = "<methodResponse><params><param><value>";
    let _ = response(&format!("{head}{text}</value></param></params></methodResponse>"));
});
