//! Held against CPython 3.11: what `text % mapping` gave there.

use proptest::prelude::*;

use super::*;

fn told(text: &str) -> Result<Expanded<'_>, ExpandError> {
    let mut names = ExpansionNames::default().with("a", "x");
    names.set("n", FormatValue::Number(5));
    names.set("big", FormatValue::Number(1_234_567));
    names.set("neg", FormatValue::Number(-7));
    names.set("q(r)", FormatValue::Text("it's".to_owned()));
    let variables = EnvVariables::new(&[("P".to_owned(), "50%".to_owned())]);
    expand(text, &names, &variables, "s.k")
}

#[rustfmt::skip]
const GOOD: &[(&str, &str)] = &[
    ("%(a)s", "x"),
    ("<%(a)5s|%(a)-5s|%(a).0s>", "<    x|x    |>"),
    ("%(n)d", "5"),
    ("%(n)02d", "05"),
    ("%(n)+05d", "+0005"),
    ("%(n) d", " 5"),
    ("%(n)-5d|", "5    |"),
    ("%(n)x %(neg)#X %(n)#o", "5 -0X7 0o5"),
    ("%(n)010.3d", "0000000005"),
    ("%(neg)05d", "-0007"),
    ("%(n)e %(big)g %(big)G %(neg).2f %(n)#.0f", "5.000000e+00 1.23457e+06 1.23457E+06 -7.00 5."),
    ("%(n)c%(a)c", "\u{5}x"),
    ("%(a)r %(n)r %(q(r))r", "'x' 5 \"it's\""),
    ("%(ENV_P)s", "50%"),
    ("100%%", "100%"),
    ("%%(a)s", "%(a)s"),
    ("%(n)ld", "5"),
    ("", ""),
    ("no percent", "no percent"),
];

#[rustfmt::skip]
const BAD: &[(&str, &str)] = &[
    ("% (n)d", "unsupported format character '(' (0x28) at index 2"),
    ("%(a)%%s", "unsupported format character '%' (0x25) at index 4"),
    ("%(n)lld", "unsupported format character 'l' (0x6c) at index 5"),
    ("%(", "incomplete format key"),
    ("%(a", "incomplete format key"),
    ("%(a)", "incomplete format"),
    ("%", "incomplete format"),
    ("50% of", "%o format: an integer is required, not dict"),
    ("100%!", "unsupported format character '!' (0x21) at index 4"),
    ("%(a)d", "%d format: a real number is required, not str"),
    ("%(a)x", "%x format: an integer is required, not str"),
    ("%(a)f", "must be real number, not str"),
    ("%(a)*d", "* wants int"),
    ("%(n)*d", "not enough arguments for format string"),
    ("%*d", "* wants int"),
    ("%(n)y", "unsupported format character 'y' (0x79) at index 4"),
    ("é%(n)é", "unsupported format character '?' (0xe9) at index 5"),
    ("%d", "%d format: a real number is required, not dict"),
    ("%c", "%c requires int or char"),
    ("%s%s", "not enough arguments for format string"),
    ("%(a)s%s", "not enough arguments for format string"),
    ("%(n)99999999999999999999d", "width too big"),
    ("%(n).99999999999999999999d", "precision too big"),
    ("%5%", "unsupported format character '%' (0x25) at index 2"),
];

#[test]
fn names_are_expanded_as_python_does() {
    for (text, expected) in GOOD {
        assert_eq!(told(text).map(|expanded| expanded.text.into_owned()).as_deref(), Ok(*expected), "{text}");
    }
}

#[test]
fn what_is_badly_formatted_is_told_in_pythons_words() {
    for (text, why) in BAD {
        let quoted = python::repr(text);
        assert_eq!(
            told(text).unwrap_err().original,
            format!("Format string {quoted} for 's.k' is badly formatted: {why}")
        );
    }
}

#[test]
fn an_unknown_name_is_told_with_those_that_there_are() {
    assert_eq!(
        told("%(zz)s").unwrap_err().original,
        "Format string '%(zz)s' for 's.k' contains names ('zz') which cannot be expanded. Available names: ENV_P, a, \
         big, n, neg, q(r)"
    );
}

#[test]
fn a_field_may_be_wider_than_a_format_of_rust_allows_and_is_refused_beyond_its_bound() {
    for (conversion, length) in [
        ("70000d", 70_000),
        ("-70000d", 70_000),
        ("070000d", 70_000),
        (".70000d", 70_000),
        (".70000f", 70_002),
    ] {
        let text = format!("%(n){conversion}");
        assert_eq!(told(&text).unwrap().text.len(), length, "{text}");
    }
    for (text, length) in [
        ("%(a)70000s", 70_000),
        ("%(n)#.70000x", 70_002),
        ("%(big).70000e", 70_006),
        ("%(big)#.70000g", 70_001),
        ("%(big).70000g", 7),
        ("%(n)70000.70000d", 70_000),
        ("%(n)131072d", 131_072),
    ] {
        assert_eq!(told(text).unwrap().text.len(), length, "{text}");
    }
    assert_eq!(told("%(n)08.3f|%(n).40f").unwrap().text, format!("0005.000|5.{}", "0".repeat(40)));
    for (text, why) in [("%(n)131073d", "width too big"), ("%(n).131073f", "precision too big")] {
        assert!(told(text).unwrap_err().original.ends_with(why), "{text}");
    }
}

/// Python would write the whole environment in its place.
#[test]
fn a_percent_sign_without_a_name_stays_as_it_is() {
    let expanded = told("date +%s").unwrap();
    assert_eq!((expanded.text.as_ref(), expanded.has_bare_percent), ("date +%s", true));
    assert!(!told("%(a)s").unwrap().has_bare_percent);
}

#[test]
fn a_later_name_hides_an_earlier_one_and_gives_way_to_the_variables() {
    let variables = EnvVariables::new(&[("A".to_owned(), "environment".to_owned())]);
    let mut names = ExpansionNames::default();
    names.set("ENV_A", FormatValue::Text("own".to_owned()));
    let value =
        |names: &ExpansionNames| expand("%(ENV_A)s", names, &variables, "k").unwrap().text.into_owned();
    assert_eq!(value(&names), "own");
    names.remove_shadowed(&variables);
    assert_eq!(value(&names), "environment");
}

proptest! {
    #[test]
    fn any_text_is_expanded_or_refused(text in "(%|\\(a\\)|\\(n\\)|[-+ #0-9.*hlLsdxegcr%()]|\\PC)*") {
        if let Err(error) = told(&text) {
            prop_assert!(error.what.starts_with("cannot expand"), "{}", error.what);
        }
    }

    #[test]
    fn doubled_percent_signs_come_back_as_one(text in "\\PC*") {
        let doubled = text.replace('%', "%%");
        let expanded = told(&doubled).map(|expanded| expanded.text.into_owned());
        prop_assert_eq!(expanded, Ok(text));
    }
}
