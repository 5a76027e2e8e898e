//! "Did you mean": keys and sections that nobody reads, and that are nearly ones that somebody would.

use crate::expand::Names;
use crate::ini::{Entry, Section};
use crate::reading::{Page, Reading};
use crate::section::{SORTS, Sort};
use crate::value::shown;

/// The most letters that may be wrong.
const MAX_DISTANCE: usize = 2;
/// Keys longer than this are not compared.
const MAX_LENGTH: usize = 64;

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
    closest(key, sort.keys.iter().chain(sort.also).copied())
}

fn nearest_sort(section: &str) -> Option<String> {
    let (prefix, label) = match section.find(':') {
        Some(at) => section.split_at(at + 1),
        None => (section, ""),
    };
    let meant = closest(prefix, SORTS.iter().map(|sort| sort.prefix))?;
    Some(format!("{meant}{label}"))
}

/// The known word that differs in so few letters that it may be meant.
pub(crate) fn closest<'k>(word: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    if word.len() > MAX_LENGTH {
        return None;
    }
    let near = known.map(|known| (distance(word, known), known));
    // A short word is near to everything.
    near.filter(|(distance, known)| *distance <= MAX_DISTANCE && distance * 3 <= known.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// How many letters must be changed, added, taken away or swapped with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().abs_diff(b.len()) > MAX_DISTANCE {
        return usize::MAX;
    }
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let mut best = (rows[i][j] + usize::from(x != y)).min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                best = best.min(rows[i - 1][j - 1] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
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
