//! Findings about passwords: on command lines, where `ps` shows them, and in files that every user can read.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use ironlance_config::env_pairs::parse_env_pairs;
use ironlance_config::ini::Section;
use ironlance_core::redact::{has_secret, is_secret_name};

use super::inspect::ConfigView;
use super::report::{FindingKind, Findings};

/// Read permission for all users.
const READABLE: u32 = 0o004;

/// Adds the findings about passwords. No password is ever shown.
pub(super) fn examine(view: &ConfigView<'_>, found: &mut Findings) {
    for section in view.runners() {
        // Expanded: a password from the environment is not in the file, but `ps` shows it.
        if view.value(section, "command").is_some_and(|command| has_secret(&command)) {
            let text = "has a password, which ps shows to every user; a file or a variable of environment= keeps it \
                        from them";
            found.about(view.outline, section, "command", text);
        }
    }
    for section in view.outline.ini.sections() {
        server(view, section, found);
        if !found.is_full(FindingKind::Attention) {
            readable(view, section, found);
        }
    }
}

fn server(view: &ConfigView<'_>, section: &Section, found: &mut Findings) {
    if section.name.contains("_http_server") && is_plain(view, section, "password") {
        let text = "is in plain text; {SHA} and its SHA-1 sum do as well: printf %s 'thepassword' | sha1sum";
        found.about(view.outline, section, "password", text);
    }
}

/// Whether the value is in the file in plain text.
fn is_plain(view: &ConfigView<'_>, section: &Section, key: &str) -> bool {
    let value = view.outline.ini.get(section, key).map(|entry| entry.value.as_str());
    value.is_some_and(|value| !value.is_empty() && !value.starts_with("{SHA}") && !value.contains("%(ENV_"))
}

fn readable(view: &ConfigView<'_>, section: &Section, found: &mut Findings) {
    for entry in section.entries() {
        let file = view.outline.file(entry.place);
        let is_secret = match entry.key.as_str() {
            "password" => is_plain(view, section, "password"),
            "command" => has_secret(&entry.value),
            "environment" => names_secret(&entry.value),
            _ => false,
        };
        let Some(mode) = mode(view, file).filter(|mode| is_secret && mode & READABLE != 0) else { continue };
        let text =
            format!("is a secret in a file that every user can read (mode {mode:04o}): chmod 640, or 600");
        found.about(view.outline, section, &entry.key, &text);
    }
}

fn names_secret(environment: &str) -> bool {
    let pairs = parse_env_pairs(environment).unwrap_or_default();
    pairs.iter().any(|(name, value)| is_secret_name(name) && !value.is_empty() && !value.contains("%(ENV_"))
}

fn mode(view: &ConfigView<'_>, file: &str) -> Option<u32> {
    let data = fs::metadata(view.host_env.cwd.join(file)).ok()?;
    Some(data.permissions().mode() & 0o7777)
}
