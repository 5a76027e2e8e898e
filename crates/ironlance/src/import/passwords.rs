//! Passwords: on command lines, where `ps` shows them, and in files that everybody can read.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use ironlance_config::env_pairs::parse_env_pairs;
use ironlance_config::ini::Section;

use super::finding::{Findings, Weight};
use super::look::Look;
use super::secret::{is_secret_name, looks_secret};

/// Read permission for everybody.
const READABLE: u32 = 0o004;

/// What is found about passwords. None is ever shown.
pub(super) fn examine(look: &Look<'_>, found: &mut Findings) {
    for section in look.runners() {
        // As it is written: what comes from the environment is not in the file, but ps shows it all the same.
        if look.text(section, "command").is_some_and(|command| looks_secret(&command)) {
            let text = "has a password, which ps shows to every user; a file or a variable of environment= keeps it \
                        from them";
            found.about(look.outline, section, "command", Weight::Attention, text);
        }
    }
    for section in look.outline.ini.sections() {
        server(look, section, found);
        if !found.is_full(Weight::Attention) {
            readable(look, section, found);
        }
    }
}

fn server(look: &Look<'_>, section: &Section, found: &mut Findings) {
    if section.name.contains("_http_server") && is_plain(look, section, "password") {
        let text = "is in plain text; {SHA} and its SHA-1 sum do as well: printf %s 'thepassword' | sha1sum";
        found.about(look.outline, section, "password", Weight::Attention, text);
    }
}

/// Whether the value stands in the file as it is.
fn is_plain(look: &Look<'_>, section: &Section, key: &str) -> bool {
    let value = look.outline.ini.get(section, key).map(|entry| entry.value.as_str());
    value.is_some_and(|value| !value.is_empty() && !value.starts_with("{SHA}") && !value.contains("%(ENV_"))
}

fn readable(look: &Look<'_>, section: &Section, found: &mut Findings) {
    for entry in section.entries() {
        let file = look.outline.file(entry.place);
        let is_secret = match entry.key.as_str() {
            "password" => is_plain(look, section, "password"),
            "command" => looks_secret(&entry.value),
            "environment" => names_secret(&entry.value),
            _ => false,
        };
        let Some(mode) = mode(look, file).filter(|mode| is_secret && mode & READABLE != 0) else { continue };
        let text =
            format!("is a secret in a file that every user can read (mode {mode:04o}): chmod 640, or 600");
        found.about(look.outline, section, &entry.key, Weight::Attention, &text);
    }
}

fn names_secret(environment: &str) -> bool {
    let pairs = parse_env_pairs(environment).unwrap_or_default();
    pairs.iter().any(|(name, value)| is_secret_name(name) && !value.is_empty() && !value.contains("%(ENV_"))
}

fn mode(look: &Look<'_>, file: &str) -> Option<u32> {
    let data = fs::metadata(look.machine.cwd.join(file)).ok()?;
    Some(data.permissions().mode() & 0o7777)
}
