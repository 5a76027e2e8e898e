//! The table: which options, variables, headers and parameters have a secret for their value.

use std::ops::Range;

/// A name that has one of these in it, whatever stands around it.
const PARTS: [&str; 16] = [
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "api_key",
    "apikey",
    "access_key",
    "accesskey",
    "private_key",
    "credential",
    "authorization",
    "bearer",
    "cookie",
    "webhook",
];
/// A name of which one of these is a part between `-`, `_` or `.`.
const WORDS: [&str; 9] = ["pass", "passwrd", "pw", "psk", "otp", "passin", "passout", "sig", "signature"];
/// Names that end so have the place of a secret for their value, not the secret.
const PLACES: [&str; 5] = ["file", "path", "dir", "eval", "env"];

/// Short options with a secret, of any program: sendEmail's, and those of ssmtp and swaks.
const SHORT: [&str; 2] = ["-xp", "-ap"];
/// Short options with a secret of certain programs; the name of the program is its beginning.
const OF_PROGRAM: [(&str, &str); 15] = [
    ("ssmtp", "-ap"),
    ("crashmailbatch", "-p"),
    ("fatalmailbatch", "-p"),
    ("crashsms", "-p"),
    ("mysql", "-p"),
    ("mariadb", "-p"),
    ("sshpass", "-p"),
    ("redis-cli", "-a"),
    ("unzip", "-P"),
    ("zip", "-P"),
    ("mosquitto", "-P"),
    ("ldap", "-w"),
    ("swaks", "-ap"),
    ("smtp-cli", "--pass"),
    ("htpasswd", "-b"),
];
/// Programs whose `-p` is something else; of every other it is hidden.
const OTHER_P: [&str; 24] = [
    "crashmail",
    "httpok",
    "memmon",
    "ssh",
    "mkdir",
    "docker",
    "podman",
    "ps",
    "cp",
    "install",
    "nc",
    "nginx",
    "psql",
    "pg_dump",
    "redis-cli",
    "redis-server",
    "bash",
    "su",
    "tee",
    "xargs",
    "patch",
    "chronyd",
    "gunicorn",
    "perl",
];
/// Options whose value is `user:password`.
const LOGINS: [&str; 5] = ["-u", "--user", "-U", "--proxy-user", "-a"];
/// Parameters of a URL that have a secret, beside those that are named like one.
const QUERY: [&str; 5] = ["key", "sig", "code", "auth", "hash"];

/// What comes behind a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NextWord {
    /// Nothing of interest.
    Plain,
    /// A secret.
    Secret,
    /// `user:password`.
    Login,
    /// A secret up to the end of the line.
    Header,
    /// A secret, if an equals sign comes first.
    Name,
}

/// Whether a name is one of a secret. A file with the secret in it is none.
pub fn is_secret_name(name: &str) -> bool {
    if name.len() > 200 {
        return false;
    }
    let name = name.to_lowercase().replace(['-', '.'], "_");
    if PLACES.iter().any(|place| name.ends_with(place)) {
        return false;
    }
    let mut words = name.split('_').filter(|word| !word.is_empty());
    PARTS.iter().any(|part| name.contains(part))
        || words.clone().any(|word| WORDS.contains(&word) || is_pass(word))
        || words.next_back() == Some("auth")
}

/// `smtppass`, but not `bypass`.
fn is_pass(word: &str) -> bool {
    word.ends_with("pass") && !["bypass", "compass"].contains(&word)
}

/// Whether a parameter of a URL has a secret.
pub(super) fn is_secret_parameter(name: &str) -> bool {
    is_secret_name(name) || QUERY.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// The name at the end of a text: `token` of `{"token"`.
pub(super) fn last_name(text: &str) -> &str {
    let text = text.trim_end_matches(['"', '\'']);
    let start = text.rfind(|c: char| !(c.is_ascii_alphanumeric() || "_-.".contains(c)));
    let start = start.map_or(0, |at| at + text[at..].chars().next().map_or(1, char::len_utf8));
    &text[start..]
}

/// Stores in `program` the file name of the program that the following options belong to, if the tables have it.
pub(super) fn note_program(word: &str, program: &mut String) {
    let name = word.rsplit('/').next().unwrap_or_default();
    let name = name.strip_prefix("superlance.").unwrap_or(name).trim_end_matches(".py");
    let has_own = OF_PROGRAM.iter().any(|(known, _)| is_called(name, known));
    if has_own || OTHER_P.contains(&name) {
        name.clone_into(program);
    } else if ["|", ";", "&&", "||", "&"].iter().any(|operator| word.ends_with(operator)) {
        program.clear();
    }
}

/// `mysqldump` is called like `mysql`; `zip` and `su` have other names behind them that mean other things.
fn is_called(name: &str, known: &str) -> bool {
    match known {
        "mysql" | "mariadb" | "ldap" | "mosquitto" => name.starts_with(known),
        _ => name == known,
    }
}

/// What comes behind `word`, which stands behind `before`.
pub(super) fn next_word(before: &str, word: &str, program: &str) -> NextWord {
    // `Authorization: x y`, `Authorization:x y`.
    if let Some((name, value)) = word.split_once(':')
        && !value.starts_with("//")
        // `cat: /etc/smtp_password: No such file`: what is wrong with a file, not a header.
        && !(word.starts_with('/') && value.is_empty())
        && is_secret_name(last_name(name))
    {
        return NextWord::Header;
    }
    if let Some(name) = word.strip_suffix('=') {
        return if is_secret_name(last_name(name)) { NextWord::Secret } else { NextWord::Plain };
    }
    // The dialogue with a mail server, as mailers show it.
    if before.eq_ignore_ascii_case("auth")
        && ["plain", "login", "xoauth2", "oauthbearer"].contains(&&*word.to_lowercase())
    {
        return NextWord::Header;
    }
    if word.eq_ignore_ascii_case("bearer") {
        return NextWord::Secret;
    }
    if LOGINS.contains(&word) && !is_of_program(word, program) {
        return NextWord::Login;
    }
    if !word.starts_with('-') {
        return if is_secret_name(word) { NextWord::Name } else { NextWord::Plain };
    }
    let is_long = word.len() > 2 && !word.contains('=') && is_secret_name(word.trim_start_matches('-'));
    if is_long || SHORT.contains(&word) || is_of_program(word, program) || is_shortened(word, program) {
        return NextWord::Secret;
    }
    if word == "-p" && !OTHER_P.contains(&program) { NextWord::Secret } else { NextWord::Plain }
}

fn is_of_program(option: &str, program: &str) -> bool {
    OF_PROGRAM.iter().any(|(known, own)| *own == option && is_called(program, known))
}

/// `--pas` of the batch mailers, which take any beginning of `--password`.
fn is_shortened(option: &str, program: &str) -> bool {
    option.len() > 2 && "--password".starts_with(option) && is_of_program("-p", program)
}

/// Whether a value behind `-p` is a port: a number, and nothing says that this program's is a password.
pub(super) fn is_port(option: &str, value: &str, program: &str) -> bool {
    option == "-p" && !is_of_program("-p", program) && value.parse::<u16>().is_ok()
}

/// Where in a word a secret stands: `--password=x`, `DB_PASSWORD=x`, `-px` of mysql, `-ujoe:x`, `joe:x@host`.
pub(super) fn value_at(word: &str, program: &str) -> Option<Range<usize>> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    if let Some(at) = word.find('=') {
        let name = &word[..at];
        let is_own = is_secret_name(name) || is_shortened(name, program);
        if at + 1 < word.len() && is_own && name.chars().all(is_name) {
            return Some(at + 1..word.len());
        }
    }
    let own = OF_PROGRAM.iter().find(|(known, option)| {
        is_called(program, known)
            && !option.starts_with("--")
            && word.len() > option.len()
            && word.starts_with(option)
    });
    own.map(|(_, option)| option.len()..word.len()).or_else(|| login_at(word))
}

/// Where the password stands in `-ujoe:x`, `--user=joe:x` and `joe:x@host`.
fn login_at(word: &str) -> Option<Range<usize>> {
    if word.contains("://") || word.contains(char::is_whitespace) {
        return None;
    }
    let colon = word.find(':')?;
    let is_option = |option: &str| {
        word.strip_prefix(option).is_some_and(|rest| rest.starts_with('=') || !option.starts_with("--"))
    };
    if LOGINS.iter().any(|option| is_option(option)) {
        return Some(colon + 1..word.len());
    }
    word.rfind('@').filter(|at| *at > colon + 1).map(|at| colon + 1..at)
}
