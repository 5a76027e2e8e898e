//! Unknown keys and sections: [`warn_unknown_keys`] adds a "did you mean" for those that are nearly known ones.

use ironlance_core::text::suggest::suggest;

use crate::expansion::ExpansionNames;
use crate::ini::{IniEntry, Section};
use crate::loader::context::{LoadContext, SectionScope};
use crate::section::alerting::program::NAMED_CHECK;
use crate::section::{SECTION_KINDS, SectionKind};
use crate::value::shown;

/// The most unknown names that are compared.
const MAX_COMPARED: usize = 2000;

/// Adds a warning for each key that is nearly one of its section's, and for each section that is nearly of a known sort.
pub(crate) fn warn_unknown_keys(context: &mut LoadContext<'_>) {
    let mut left = MAX_COMPARED;
    for section in context.ini.sections() {
        if left == 0 {
            return;
        }
        let scope = SectionScope::new(section, ExpansionNames::default());
        let Some(sort) = kind_of(&section.name) else {
            left -= 1;
            if let Some(meant) = suggest_section(&section.name) {
                context.warn_at(
                    &scope,
                    "",
                    &format!("is no section of ours and is ignored: did you mean [{}]?", shown(&meant)),
                );
            }
            continue;
        };
        for entry in section.entries().iter().filter(|entry| !sort.knows(&entry.key)).take(left) {
            left -= 1;
            if let Some(meant) = suggest_key(&entry.key, sort) {
                context.warn_at(
                    &scope,
                    &entry.key,
                    &format!("is unknown and ignored: did you mean {meant}?"),
                );
            }
        }
    }
}

/// The unknown keys of a section that are not nearly known ones either. Those of a plug-in are its own.
pub(crate) fn unknown_keys(section: &Section) -> Vec<&IniEntry> {
    let Some(sort) = kind_of(&section.name).filter(|sort| !sort.is_plugin()) else { return Vec::new() };
    let unknown = section.entries().iter().filter(|entry| !sort.knows(&entry.key)).take(MAX_COMPARED);
    unknown.filter(|entry| suggest_key(&entry.key, sort).is_none()).collect()
}

fn kind_of(section: &str) -> Option<&'static SectionKind> {
    // An http server may have a label, and any other ending as well.
    SECTION_KINDS.iter().find(|sort| match sort.prefix {
        prefix if prefix.ends_with(':') || prefix.ends_with("http_server") => section.starts_with(prefix),
        whole => section == whole,
    })
}

impl SectionKind {
    /// Whether a key is one of its own, or one that is marked as another tool's.
    fn knows(&self, key: &str) -> bool {
        let is_named_check =
            key.starts_with(NAMED_CHECK) && self.also.iter().any(|keys| keys.contains(&"healthcheck"));
        key.starts_with("x-") || is_named_check || self.all().any(|known| known == key)
    }

    /// Every key that it knows.
    pub(crate) fn all(&self) -> impl Iterator<Item = &'static str> {
        self.keys.iter().chain(self.also.iter().copied().flatten()).copied()
    }
}

fn suggest_key(key: &str, sort: &SectionKind) -> Option<&'static str> {
    if sort.knows(key) {
        return None;
    }
    suggest(key, sort.all())
}

fn suggest_section(section: &str) -> Option<String> {
    let (prefix, label) = match section.find(':') {
        Some(at) => section.split_at(at + 1),
        None => (section, ""),
    };
    let meant = suggest(prefix, SECTION_KINDS.iter().map(|sort| sort.prefix))?;
    Some(format!("{meant}{label}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_is_recognised() {
        let program = SECTION_KINDS.iter().find(|sort| sort.prefix == "program:").unwrap();
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
            assert_eq!(suggest_key(key, program), meant, "{key}");
        }
        assert_eq!(suggest_section("progam:web").as_deref(), Some("program:web"));
        assert_eq!(suggest_section("supervisord"), Some("supervisord".to_owned()));
        assert_eq!(suggest_section("something:web"), None);
        assert!(kind_of("program:x").is_some() && kind_of("supervisorx").is_none());
    }
}
