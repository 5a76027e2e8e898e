//! A command line of each of the six, one argument a line.
#![no_main]

use ironlance_listeners::options::{OptionsEnv, batch, crashmail, httpok, memmon};
use ironlance_listeners::rule::batch::BatchMailer;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let args: Vec<String> = text.split('\n').map(str::to_owned).collect();
    let environment = OptionsEnv { variable: &|_| None, host: "box" };
    let _ = crashmail::parse(&args, &environment);
    let _ = httpok::parse(&args, &environment);
    let _ = memmon::parse(&args, &environment);
    for mailer in [BatchMailer::Crashmailbatch, BatchMailer::Fatalmailbatch, BatchMailer::Crashsms] {
        let _ = batch::parse(mailer, &args, &environment);
    }
});
