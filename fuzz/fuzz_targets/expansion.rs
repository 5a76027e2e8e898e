//! A value with `%(name)s` in it.
#![no_main]

use ironlance_config::expansion::percent_format::FormatValue;
use ironlance_config::expansion::{EnvVariables, ExpansionNames, expand};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let mut names = ExpansionNames::default().with("here", "/etc");
    names.set("n", FormatValue::Number(-7));
    names.set("c", FormatValue::Number(0x1f600));
    let variables = EnvVariables::new(&[("X".to_owned(), "50%".to_owned())]);
    match expand(&text, &names, &variables, "program:x.command") {
        Ok(expanded) => assert!(text.contains('%') || expanded.text == text),
        Err(error) => assert!(error.what.starts_with("cannot expand")),
    }
});
