//! Held against CPython 3.11: what UnhosedConfigParser of Supervisor 4.3.0 made of the same texts.

use ironlance_core::text::python;
use proptest::prelude::*;

use super::*;

/// `[section]key='value';…`, `[DEFAULT]` first; or Python's words for what is wrong.
fn read(text: &str) -> Result<String, String> {
    let mut ini = Ini::default();
    ini.read(text, 0).map_err(|error| error.original("f"))?;
    let mut out = String::new();
    let defaults = Some(ini.defaults()).filter(|section| !section.entries().is_empty());
    for section in defaults.into_iter().chain(ini.sections()) {
        out.push_str(&format!("[{}]", section.name));
        for entry in section.entries() {
            out.push_str(&format!("{}={};", entry.key, python::repr(&entry.value)));
        }
    }
    Ok(out)
}

#[rustfmt::skip]
const TEXTS: &[(&str, Result<&str, &str>)] = &[
    ("[a]\nk=v\n", Ok("[a]k='v';")),
    ("[a]\nk = v ; c\nl=x;y\nm=x #c\nn=x#y\n", Ok("[a]k='v';l='x;y';m='x';n='x#y';")),
    ("[a]\nk=v\n more\n\n  and\n\nl=2\n", Ok("[a]k='v\\nmore\\n\\nand';l='2';")),
    ("[a]\nk=v\n ; comment\n more\n", Ok("[a]k='v\\nmore';")),
    ("[a]\nk=v\n # c ; d\n\n\n", Ok("[a]k='v';")),
    ("[a]\n k=v\n l=w\n  deeper\n", Ok("[a]k='v';l='w\\ndeeper';")),
    ("[a]\n  k=v\n l=w\n", Ok("[a]k='v';l='w';")),
    ("[a]\nK: V=1\nÉ=x\n", Ok("[a]k='V=1';é='x';")),
    ("[a]\nk==v\nl:=w\n", Ok("[a]k='=v';l='=w';")),
    ("[a]\nk=\nl=x\n", Ok("[a]k='';l='x';")),
    ("[a]\nk=\n  v\n", Ok("[a]k='\\nv';")),
    ("[a]\nk=1\n[b]\nk=2\n[a]\nl=3\nk=4\n", Ok("[a]k='4';l='3';[b]k='2';")),
    ("[DEFAULT]\nd=1\n[a]\nk=2\n[DEFAULT]\nd=3\n", Ok("[DEFAULT]d='3';[a]k='2';")),
    ("[ a ]\nk=v\n", Ok("[ a ]k='v';")),
    ("[a]b]\nk=v\n", Ok("[a]b]k='v';")),
    ("[a] trailing\nk=v\n", Ok("[a]k='v';")),
    ("[]]\nk=v\n", Ok("[]]k='v';")),
    ("[a]=x\nk=v\n", Ok("[a]k='v';")),
    ("[a]\nk=v\n[b]\n", Ok("[a]k='v';[b]")),
    ("[a]\nk=\"x ; y\"\nl=\"x;y\"\n", Ok("[a]k='\"x';l='\"x;y\"';")),
    ("[a]\nk=a#b#c #d ;e\n", Ok("[a]k='a#b#c #d';")),
    ("[a]\nk=a #d;e ;f\n", Ok("[a]k='a';")),
    ("[a]\r\nk=v\r\n more\rl=w\r", Ok("[a]k='v\\nmore';l='w';")),
    ("[a]\nk=v\n\tmore\n", Ok("[a]k='v\\nmore';")),
    ("[a]\nk=v\u{a0}\n\u{a0}more\n", Ok("[a]k='v\\nmore';")),
    ("[a]\nk=v\n\u{1c}x\n", Ok("[a]k='v\\nx';")),
    ("; c\n# d\n\n[a]\n;k=v\nk=v", Ok("[a]k='v';")),
    ("[a]\nk = a = b : c\n", Ok("[a]k='a = b : c';")),
    ("[a]\nk=v\n [b]\n", Ok("[a]k='v\\n[b]';")),
    ("[a]\n [b]\nk=v\n", Ok("[a][b]k='v';")),
    ("[a]\nkey with spaces = v\n", Ok("[a]key with spaces='v';")),
    ("[a]\nk=%(here)s/x\nl=%%\n", Ok("[a]k='%(here)s/x';l='%%';")),
    ("k=v\n[a]\n", Err("File contains no section headers.\nfile: 'f', line: 1\n'k=v\\n'")),
    ("\n\n  nonsense\n", Err("File contains no section headers.\nfile: 'f', line: 3\n'  nonsense\\n'")),
    ("[a]\nnonsense\nk=v\n", Err("Source contains parsing errors: 'f'\n\t[line  2]: 'nonsense\\n'")),
    ("[a]\n=v\nk=w\n", Err("Source contains parsing errors: 'f'\n\t[line  2]: '=v\\n'")),
    (":\n", Err("File contains no section headers.\nfile: 'f', line: 1\n':\\n'")),
    ("[a]\n: v\n  continued\nx\n", Err("Source contains parsing errors: 'f'\n\t[line  2]: ': v\\n'\n\t[line  3]: '  continued\\n'\n\t[line  4]: 'x\\n'")),
    ("[a]\nk=v\nbad line\n  more\nother bad", Err("Source contains parsing errors: 'f'\n\t[line  3]: 'bad line\\n'\n\t[line  5]: 'other bad'")),
    ("[a]\n[]\n", Err("Source contains parsing errors: 'f'\n\t[line  2]: '[]\\n'")),
    ("[a\nk=v\n", Err("File contains no section headers.\nfile: 'f', line: 1\n'[a\\n'")),
    ("[DEFAULT]\nbad\n", Err("Source contains parsing errors: 'f'\n\t[line  2]: 'bad\\n'")),
    ("", Ok("")),
    ("\n", Ok("")),
    ("[a]", Ok("[a]")),
    ("[a]\nx = [b]\n", Ok("[a]x='[b]';")),
    ("[a]\nk=v\n\n\n[b]\nk=v\n\n   \n", Ok("[a]k='v';[b]k='v';")),
    ("[a]\nK=1\nk=2\n", Ok("[a]k='2';")),
    ("[a]\nk=v # c\n ; d\n   e # f\n", Ok("[a]k='v\\ne';")),
];

#[test]
fn nasty_files_are_read_as_python_reads_them() {
    for (text, expected) in TEXTS {
        assert_eq!(read(text), expected.map(str::to_owned).map_err(str::to_owned), "{text:?}");
    }
}

#[test]
fn a_byte_order_mark_stands_before_the_first_section() {
    let mut ini = Ini::default();
    let error = ini.read("\u{feff}[a]\n", 0).unwrap_err();
    assert!(matches!(error, SyntaxError::NoSection { line: 1, .. }), "{error:?}");
}

#[test]
fn a_value_knows_the_line_of_its_key_through_files_and_continuations() {
    let mut ini = Ini::default();
    ini.read("; first\n[a]\nk=1\n  2\n\nl=3\n", 0).unwrap();
    ini.read("[b]\nk=1\n[a]\nk=4\n", 1).unwrap();
    let places = |name: &str| -> Vec<(usize, u32)> {
        let section = ini.section(name).unwrap();
        section.entries().iter().map(|entry| (entry.place.file, entry.place.line)).collect()
    };
    assert_eq!(places("a"), [(1, 4), (0, 6)]);
    assert_eq!(places("b"), [(1, 2)]);
    assert_eq!(ini.section("a").unwrap().place, SourceLocation { file: 0, line: 2 });
}

#[test]
fn here_is_the_folder_of_the_file_that_a_value_stands_in() {
    let mut ini = Ini::default();
    ini.read("[DEFAULT]\nd=%(here)s\n[a]\nk=%(here)s/%(here)s\n", 0).unwrap();
    ini.replace_here("/one").unwrap();
    ini.read("[b]\nk=%(here)s\n[a]\nl=%(here)s\n", 1).unwrap();
    ini.replace_here("/two").unwrap();
    let value = |section: &str, key: &str| {
        ini.get(ini.section(section).unwrap(), key).map(|entry| entry.value.clone())
    };
    assert_eq!(value("a", "k").as_deref(), Some("/one//one"));
    assert_eq!(value("a", "l").as_deref(), Some("/two"));
    assert_eq!(value("a", "d").as_deref(), Some("/one"));
    assert_eq!(value("b", "k").as_deref(), Some("/two"));
    assert_eq!(value("b", "d").as_deref(), Some("/two"));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_by_line(text in "([\\[\\]=: \t\n\r;#%ak]|[\\PC])*") {
        let mut ini = Ini::default();
        let lines = u32::try_from(text.lines().count() + text.matches('\r').count()).unwrap();
        let told = match ini.read(&text, 0) {
            Ok(()) => ini.sections().iter().flat_map(Section::entries).map(|entry| entry.place.line).collect(),
            Err(SyntaxError::NoSection { line, .. }) => vec![line],
            Err(SyntaxError::Lines(bad)) => bad.iter().map(|(line, _)| *line).collect(),
        };
        prop_assert!(told.iter().all(|line| (1..=lines).contains(line)), "{told:?} of {lines}");
    }
}
