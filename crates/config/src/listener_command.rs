//! Which of superlance's listeners a command line runs, ours or the original's.

use std::path::Path;

/// The listeners of superlance 2.0.0.
pub const NAMES: [&str; 6] =
    ["crashmail", "crashmailbatch", "fatalmailbatch", "crashsms", "httpok", "memmon"];

/// A listener of superlance's, as a command line runs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenerCommand<'w> {
    /// One of [`NAMES`].
    pub name: &'static str,
    /// Its arguments.
    pub args: &'w [String],
    /// The file that is run, where it is not found by its name in the `PATH`.
    pub path: Option<&'w Path>,
}

/// The listener that a command line runs: by its name or path, through ironlance, or by Python.
pub fn parse_command(words: &[String]) -> Option<ListenerCommand<'_>> {
    let base = |word: &str| {
        Path::new(word).file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned()
    };
    let named = |name: &str| NAMES.into_iter().find(|known| *known == name);
    let (first, rest) = words.split_first()?;
    if let Some(name) = named(&base(first)) {
        return Some(ListenerCommand {
            name,
            args: rest,
            path: Some(Path::new(first)).filter(|_| first.contains('/')),
        });
    }
    let (second, rest) = rest.split_first()?;
    if base(first) == "ironlance" {
        return Some(ListenerCommand { name: named(second)?, args: rest, path: None });
    }
    if !base(first).starts_with("python") {
        return None;
    }
    let (module, args) = if second == "-m" { rest.split_first()? } else { (second, rest) };
    let name = named(module.strip_prefix("superlance.").unwrap_or(&base(module)).trim_end_matches(".py"))?;
    Some(ListenerCommand { name, args, path: Some(Path::new(module)) })
}

#[cfg(test)]
mod tests {
    use ironlance_core::text::shlex;

    use super::*;

    fn found(line: &str) -> Option<(String, usize, bool)> {
        let words = shlex::split(line).unwrap();
        parse_command(&words).map(|run| (run.name.to_owned(), run.args.len(), run.path.is_some()))
    }

    #[test]
    fn a_listener_of_superlance_is_known_however_it_is_started() {
        assert_eq!(found("crashmail -a -m x"), Some(("crashmail".into(), 3, false)));
        assert_eq!(found("/venv/bin/memmon -a 1GB"), Some(("memmon".into(), 2, true)));
        assert_eq!(found("/opt/ironlance httpok x"), Some(("httpok".into(), 1, false)));
        assert_eq!(found("python3 -m superlance.crashsms -t x"), Some(("crashsms".into(), 2, true)));
        assert_eq!(found("/usr/bin/python /venv/bin/crashmail -a"), Some(("crashmail".into(), 1, true)));
        for line in
            ["", "python", "python3 my_listener.py", "node crashmailer", "ironlance demo", "sh -c crashmail"]
        {
            assert_eq!(found(line), None, "{line}");
        }
    }
}
