//! A mailer's command line, to find out what it takes on its standard input.
#![no_main]

use ironlance_alert::channel::sendmail::input_format::of_command_line;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = of_command_line(&String::from_utf8_lossy(data));
});
