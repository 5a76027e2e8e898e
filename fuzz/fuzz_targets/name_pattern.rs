//! A name in --program or --group, compared with the programs that there are: it never panics.
#![no_main]

use ironlance_core::Namespec;
use ironlance_core::listener::name_check::{NamePattern, unmatched_patterns};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let mut lines = text.split('\n');
    let pattern = lines.next().unwrap_or_default().to_owned();
    let known: Vec<Namespec> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(group, name)| Namespec::new(group, name))
        .collect();
    for named in [NamePattern::Program(pattern.clone()), NamePattern::Group(pattern)] {
        let _ = unmatched_patterns(std::slice::from_ref(&named), &known);
    }
});
