//! The sample configuration: every section and key, for a person to begin with.

/// The text of a configuration file. It can be used as it is; each line that begins with a semicolon and no space is a
/// key or a section that can be switched on by taking the semicolon away, where its example exists.
///
/// The first line, the sections, keys and values, their order and which of them are switched on are those of the sample
/// of Supervisor 4.3 (skel/sample.conf): scripts edit them by pattern. What is ours alone stands in between.
pub const SAMPLE: &str = include_str!("../sample/supervisord.conf");

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::fs;

    use super::SAMPLE;
    use crate::section::SECTION_KINDS;
    use crate::{Config, HostEnv, Overrides, load, load_ctl_settings};

    /// Keys by the sort of their section: `program:`.
    type Keys = BTreeMap<String, BTreeSet<String>>;

    const DOCUMENT: &str = include_str!("../../../docs/configuration.md");

    /// Examples that exist on no machine, and ones that do.
    const EXAMPLES: [(&str, &str); 4] = [
        ("user=chrism ", "user=nobody "),
        ("user=supervisord ", "user=nobody "),
        ("=/a/path ", "=/tmp/path "),
        ("programs=progname1,progname2 ", "programs=theprogramname "),
    ];

    /// The sample with all that can be switched on, and examples that exist.
    fn switched_on() -> String {
        let on = |line: &str| match line.strip_prefix(';') {
            Some(rest) if rest.starts_with(|c: char| c == '[' || c.is_ascii_lowercase()) => rest.to_owned(),
            _ => line.to_owned(),
        };
        let text = SAMPLE.lines().map(on).collect::<Vec<_>>().join("\n");
        EXAMPLES.iter().fold(text, |text, (example, real)| text.replace(example, real))
    }

    fn sort(section: &str) -> String {
        section.split_inclusive(':').next().unwrap_or_default().to_owned()
    }

    /// Every key with its line.
    fn entries() -> Vec<(String, String, String)> {
        let text = switched_on();
        let mut section = "";
        let mut entries = Vec::new();
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with(';')) {
            match line.strip_prefix('[').and_then(|line| line.split_once(']')) {
                Some((name, _)) => section = name,
                None => {
                    let (key, rest) = line.split_once('=').unwrap();
                    entries.push((sort(section), key.trim().to_owned(), rest.to_owned()));
                }
            }
        }
        entries
    }

    fn in_sample() -> Keys {
        let mut keys = Keys::new();
        for (sort, key, _) in entries() {
            keys.entry(sort).or_default().insert(key);
        }
        keys
    }

    /// The cells of each row of the document, with the sort of its section.
    fn rows() -> Vec<(String, Vec<&'static str>)> {
        let mut rows = Vec::new();
        for part in DOCUMENT.split("\n## [").skip(1) {
            let (heading, text) = part.split_once("]\n").unwrap();
            for line in text.lines().filter(|line| line.starts_with("| `")) {
                rows.push((sort(heading), line.split('|').map(str::trim).collect()));
            }
        }
        rows
    }

    fn in_document() -> Keys {
        let mut keys = Keys::new();
        for (sort, cells) in rows() {
            keys.entry(sort).or_default().insert(cells[1].trim_matches('`').to_owned());
        }
        keys
    }

    fn read(text: &str) -> (Config, String) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("supervisord.conf");
        fs::write(&file, text).unwrap();
        // Something for [include] to find.
        fs::create_dir_all(folder.path().join("relative/directory")).unwrap();
        let more = folder.path().join("relative/directory/more.ini");
        fs::write(more, "[program:more]\ncommand=/bin/true\n").unwrap();
        let machine = HostEnv {
            environment: Vec::new(),
            cwd: folder.path().into(),
            host_node_name: "box".to_owned(),
            temp_dir: "/tmp".into(),
            uid: 0,
        };
        let config = load(&file, &Overrides::default(), &machine).unwrap_or_else(|faults| panic!("{faults}"));
        let control = load_ctl_settings(&file, &machine).unwrap_or_else(|faults| panic!("{faults}"));
        (config, control.serverurl)
    }

    #[test]
    fn the_sample_is_read_without_a_word_and_runs_nothing() {
        let (config, serverurl) = read(SAMPLE);
        assert_eq!(config.notes.warnings, Vec::<String>::new());
        assert!(config.groups.is_empty());
        assert_eq!(config.servers.len(), 1);
        assert_eq!(serverurl, "unix:///tmp/supervisor.sock");
    }

    #[test]
    fn every_key_in_it_can_be_switched_on() {
        let (config, _) = read(&switched_on());
        let warnings = &config.notes.warnings;
        // The examples of the original's sample say these two against each other.
        assert!(warnings[0].contains("redirect_stderr=true but"), "{warnings:?}");
        // With a password on the server, listeners need one too.
        let asks = |line: &String| line.contains("cannot ask supervisord anything");
        assert!(warnings[1..].iter().all(asks), "{warnings:?}");
        let names: Vec<&str> = config.groups.iter().map(|group| group.name.0.as_str()).collect();
        for name in [
            "thegroupname",
            "thefastcgi",
            "theeventlistenername",
            "crashmail",
            "httpok",
            "memmon",
            "crashsms",
        ] {
            assert!(names.contains(&name), "{name} is not in {names:?}");
        }
        assert_eq!(config.servers.len(), 2);
    }

    #[test]
    fn the_document_the_sample_and_the_parser_know_the_same_keys() {
        let (sample, document) = (in_sample(), in_document());
        for sort in &SECTION_KINDS {
            let own: BTreeSet<String> = sort.keys.iter().map(|key| (*key).to_owned()).collect();
            let of_others = |key: &&String| sort.also.iter().any(|keys| keys.contains(&key.as_str()));
            assert_eq!(document[sort.prefix], own, "docs/configuration.md: [{}]", sort.prefix);
            let named: BTreeSet<String> = sample[sort.prefix]
                .iter()
                .filter(|key| own.contains(*key) || !of_others(key))
                .cloned()
                .collect();
            assert_eq!(named, own, "sample: [{}]", sort.prefix);
        }
        assert_eq!(sample.len(), SECTION_KINDS.len(), "a section that the parser does not know");
    }

    #[test]
    fn the_defaults_in_it_are_those_of_the_document() {
        let mut count = 0;
        for (sort, cells) in rows() {
            let Some(default) = cells[3].strip_prefix('`').and_then(|cell| cell.strip_suffix('`')) else {
                continue;
            };
            let key = cells[1].trim_matches('`');
            let shown = entries()
                .iter()
                .any(|(other, name, rest)| *other == sort && name == key && rest.contains(default));
            assert!(shown, "[{sort}] {key} does not show its default {default}");
            count += 1;
        }
        assert!(count > 40, "only {count} defaults were found");
    }
}
