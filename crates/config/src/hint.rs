//! "Did you mean": keys and sections that nobody reads, and that are nearly ones that somebody would.

use ironlance_core::nearest::suggest;

use crate::expand::Names;
use crate::ini::{Entry, Section};
use crate::reading::{Page, Reading};
use crate::section::{SORTS, Sort};
use crate::value::shown;

/// So many unknown names are compared; whoever has more has not mistyped them.
const MAX_COMPARED: usize = 2000;

/// Adds a warning for each key that is nearly one of its section's, and for each section that is nearly of a known sort.
pub(crate) fn keys(reading: &mut Reading<'_>) {
    let mut left = MAX_COMPARED;
    for section in reading.ini.sections() {
        if left == 0 {
            return;
        }
        let page = Page::new(section, Names::default());
        let Some(sort) = sort_of(&section.name) else {
            left -= 1;
            if let Some(meant) = nearest_sort(&section.name) {
                reading.warn_at(
                    &page,
                    "",
                    &format!("is no section of ours and is ignored: did you mean [{}]?", shown(&meant)),
                );
            }
            continue;
        };
        for entry in section.entries().iter().filter(|entry| !sort.knows(&entry.key)).take(left) {
            left -= 1;
            if let Some(meant) = nearest(&entry.key, sort) {
                reading.warn_at(&page, &entry.key, &format!("is unknown and ignored: did you mean {meant}?"));
            }
        }
    }
}

/// The keys of a section that nobody reads, and that are not nearly ones that somebody would. Those of a plug-in are its own.
pub(crate) fn strangers(section: &Section) -> Vec<&Entry> {
    let Some(sort) = sort_of(&section.name).filter(|sort| !sort.is_plugin()) else { return Vec::new() };
    let unknown = section.entries().iter().filter(|entry| !sort.knows(&entry.key)).take(MAX_COMPARED);
    unknown.filter(|entry| nearest(&entry.key, sort).is_none()).collect()
}

fn sort_of(section: &str) -> Option<&'static Sort> {
    // An http server may have a label, and any other ending as well.
    SORTS.iter().find(|sort| match sort.prefix {
        prefix if prefix.ends_with(':') || prefix.ends_with("http_server") => section.starts_with(prefix),
        whole => section == whole,
    })
}

impl Sort {
    /// Whether a key is one of its own, or one that is marked as somebody else's.
    fn knows(&self, key: &str) -> bool {
        key.starts_with("x-") || self.keys.iter().chain(self.also).any(|known| *known == key)
    }
}

fn nearest(key: &str, sort: &Sort) -> Option<&'static str> {
    if sort.knows(key) {
        return None;
    }
    suggest(key, sort.keys.iter().chain(sort.also).copied())
}

fn nearest_sort(section: &str) -> Option<String> {
    let (prefix, label) = match section.find(':') {
        Some(at) => section.split_at(at + 1),
        None => (section, ""),
    };
    let meant = suggest(prefix, SORTS.iter().map(|sort| sort.prefix))?;
    Some(format!("{meant}{label}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_is_recognised() {
        let program = SORTS.iter().find(|sort| sort.prefix == "program:").unwrap();
        for (key, meant) in [
            ("autorestrat", Some("autorestart")),
            ("auto_restart", Some("autorestart")),
            ("comand", Some("command")),
            ("stdout_logfiles", Some("stdout_logfile")),
            ("autorestart", None),
            ("x-comand", None),
            ("description", None),
            ("use", Some("user")),
            ("url", None),
        ] {
            assert_eq!(nearest(key, program), meant, "{key}");
        }
        assert_eq!(nearest_sort("progam:web").as_deref(), Some("program:web"));
        assert_eq!(nearest_sort("supervisord"), Some("supervisord".to_owned()));
        assert_eq!(nearest_sort("something:web"), None);
        assert!(sort_of("program:x").is_some() && sort_of("supervisorx").is_none());
    }
}
