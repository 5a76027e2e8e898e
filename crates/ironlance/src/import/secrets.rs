//! Heuristics for secrets in command lines and configurations. Used by `import` and `init`.

use ironlance_core::text::shlex;

/// Parts of names whose values are secrets.
const NAMES: [&str; 7] = ["password", "passwd", "passphrase", "secret", "token", "api_key", "apikey"];

/// Whether something in a command line looks like a password: a login in a URL, or the value of an option or a variable
/// that is named so.
pub(crate) fn looks_secret(command: &str) -> bool {
    let words = shlex::split(command).unwrap_or_default();
    words.iter().any(|word| has_login(word) || assigns(word))
        || words.windows(2).any(|pair| names_secret(&pair[0]) && is_value(&pair[1]))
}

/// Whether a name is that of a secret. The path of a file with a secret is none.
pub(crate) fn is_secret_name(name: &str) -> bool {
    let name = name.to_lowercase().replace('-', "_");
    NAMES.iter().any(|part| name.contains(part)) && !name.contains("file") && !name.contains("path")
}

/// `--password`, as a word of its own, and the short options of sendEmail and ssmtp.
fn names_secret(word: &str) -> bool {
    ["-xp", "-ap"].contains(&word) || word.starts_with("--") && !word.contains('=') && is_secret_name(word)
}

fn is_value(word: &str) -> bool {
    !word.is_empty() && !word.starts_with('-')
}

/// `--password=x`, `DB_PASSWORD=x`.
fn assigns(word: &str) -> bool {
    let is_name = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    word.split_once('=').is_some_and(|(name, value)| {
        name.chars().all(is_name) && is_secret_name(name) && !value.is_empty() && !value.starts_with('$')
    })
}

/// `scheme://user:password@host`.
pub(crate) fn has_login(word: &str) -> bool {
    let Some((_, rest)) = word.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let login = authority.rsplit_once('@').and_then(|(login, _)| login.split_once(':'));
    login.is_some_and(|(_, password)| !password.is_empty() && !password.starts_with("%("))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_known_by_what_stands_before_them() {
        for line in [
            "web --password=x",
            "web --db-password hunter2",
            "env API_TOKEN=x web",
            "smtp smtp://joe:pw@mail",
            "sendemail -xu joe -xp pw",
            "w amqp://a:b@h/c@d",
        ] {
            assert!(looks_secret(line), "{line}");
        }
        for line in [
            "web --port=80",
            "web --password-file /x",
            "web http://h:80/a@b:c",
            "web --smtp smtp://joe@mail",
            "web --password",
            "tokenizer x",
            "web --token-path x",
        ] {
            assert!(!looks_secret(line), "{line}");
        }
    }
}
