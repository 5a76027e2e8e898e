//! One value to a typed one, or why not: for a person, and in the original's words.

pub(crate) mod number;

use ironlance_core::log_level::Level;
use ironlance_core::process::lifecycle::Autorestart;
use ironlance_core::redact::redact;
use ironlance_core::{signal, text::python};

use crate::account::{Account, Accounts};
use crate::group::SocketOwner;
use crate::host_env::HostEnv;
use crate::ini::{is_space, strip};
use crate::path;
use crate::program::LogTarget;

/// A value that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidValue {
    /// For a person: `cannot …: value`.
    pub what: String,
    /// The words of Supervisor 4.3.
    pub original: String,
}

/// The longest value that is shown in full, in characters.
const SHOWN: usize = 200;

impl InvalidValue {
    /// `cannot {what}: {value}`, and the original's words.
    pub fn new(what: &str, value: &str, original: impl Into<String>) -> Self {
        Self { what: format!("cannot {what}: {}", shown(value)), original: original.into() }
    }
}

/// The part of a value that is searched for secrets, in bytes.
const LOOKED_AT: usize = 4096;

/// A value on one line and of bounded length, without what looks like a secret: what is shown goes to logs.
pub fn shown(value: &str) -> String {
    let mut out = String::new();
    let value = quotable(value);
    for (at, c) in value.chars().enumerate() {
        if at == SHOWN {
            out.push('…');
            break;
        }
        if c.is_control() { out.extend(c.escape_default()) } else { out.push(c) }
    }
    if out.is_empty() { "(nothing)".to_owned() } else { out }
}

/// A value as the original's words may have it: without what looks like a secret, and of bounded length.
pub fn quotable(value: &str) -> String {
    match value.len() <= LOOKED_AT {
        true => redact(value),
        false => redact(&value[..value.floor_char_boundary(LOOKED_AT)]) + "…",
    }
}

/// A whole number.
pub fn integer(text: &str) -> Result<i64, InvalidValue> {
    number::integer(text).map_err(|original| InvalidValue::new("read as a whole number", text, original))
}

/// A whole number, what is below zero taken as zero.
pub fn count(text: &str) -> Result<u64, InvalidValue> {
    integer(text).map(|number| u64::try_from(number).unwrap_or(0))
}

/// How many old files to keep; what is below zero taken as zero.
pub fn backups(text: &str) -> Result<u32, InvalidValue> {
    count(text).map(|number| u32::try_from(number).unwrap_or(u32::MAX))
}

/// An octal number.
pub fn octal(text: &str) -> Result<i64, InvalidValue> {
    let original = || format!("{text} can not be converted to an octal type");
    number::octal(text).ok_or_else(|| InvalidValue::new("read as an octal number", text, original()))
}

/// An octal umask, as the kernel takes it.
pub fn umask(text: &str) -> Result<u32, InvalidValue> {
    octal(text).map(|number| low_bits(number, 0o777))
}

/// Octal permissions of a file, as the kernel takes them.
pub fn mode(text: &str) -> Result<u32, InvalidValue> {
    octal(text).map(|number| low_bits(number, 0o7777))
}

fn low_bits(number: i64, mask: i64) -> u32 {
    u32::try_from(number & mask).unwrap_or(0)
}

const SIZES: [(&str, i64); 3] = [("kb", 1 << 10), ("mb", 1 << 20), ("gb", 1 << 30)];

/// A number of bytes, with KB, MB or GB or without; may be below zero.
pub fn byte_size(text: &str) -> Result<i64, InvalidValue> {
    let lower = text.to_lowercase();
    let found = SIZES.iter().find_map(|(suffix, factor)| Some((lower.strip_suffix(suffix)?, *factor)));
    let (digits, factor) = found.unwrap_or((&lower, 1));
    let what = "read as a size (a number of bytes, or one with KB, MB or GB)";
    let number = number::integer(digits).map_err(|original| InvalidValue::new(what, text, original))?;
    Ok(number.saturating_mul(factor))
}

/// The same, what is below zero taken as zero.
pub fn bytes(text: &str) -> Result<u64, InvalidValue> {
    byte_size(text).map(|size| u64::try_from(size).unwrap_or(0))
}

/// `Some` for one of the words that mean true or false, in any case.
fn truth(text: &str) -> Option<bool> {
    match text.to_lowercase().as_str() {
        "yes" | "true" | "on" | "1" => Some(true),
        "no" | "false" | "off" | "0" => Some(false),
        _ => None,
    }
}

/// True or false.
pub fn boolean(text: &str) -> Result<bool, InvalidValue> {
    truth(text).ok_or_else(|| {
        let original = format!("not a valid boolean value: {}", python::repr(text));
        InvalidValue::new("read as true or false", text, original)
    })
}

/// True, false or `unexpected`.
pub fn autorestart(text: &str) -> Result<Autorestart, InvalidValue> {
    let lower = text.to_lowercase();
    match truth(&lower) {
        Some(true) => Ok(Autorestart::Always),
        Some(false) => Ok(Autorestart::Never),
        None if lower == "unexpected" => Ok(Autorestart::Unexpected),
        None => {
            let original = format!("invalid 'autorestart' value {}", python::repr(&lower));
            Err(InvalidValue::new("read as true, false or unexpected", text, original))
        }
    }
}

/// A signal's name, with or without SIG, or its number.
pub fn stop_signal(text: &str) -> Result<i32, InvalidValue> {
    let (found, sort) = match number::integer(text) {
        Ok(number) => (signal::number(&number.to_string()), "number"),
        Err(_) => (signal::number(text), "name"),
    };
    found.ok_or_else(|| {
        let original = format!("value {} is not a valid signal {sort}", python::repr(text));
        InvalidValue::new("find the signal", text, original)
    })
}

/// A log level by its name.
pub fn level(text: &str) -> Result<Level, InvalidValue> {
    Level::from_name(&text.to_lowercase()).ok_or_else(|| {
        let original = format!("bad logging level name {}", python::repr(text));
        InvalidValue::new("find the log level", text, original)
    })
}

/// Texts with commas between them; nothing is no text at all.
pub fn list(text: &str) -> Vec<&str> {
    if text.is_empty() { Vec::new() } else { text.split(',').map(strip).collect() }
}

/// Exit statuses with commas between them, each from 0 to 255.
pub fn exit_codes(text: &str) -> Result<Vec<i32>, InvalidValue> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let code = |part: &str| {
        let number = number::integer(part).ok()?;
        u8::try_from(number).ok().map(i32::from)
    };
    text.split(',').map(code).collect::<Option<Vec<i32>>>().ok_or_else(|| {
        let original = format!("not a valid list of exit codes: {}", python::repr(text));
        InvalidValue::new("read as exit statuses (0 to 255, commas between them)", text, original)
    })
}

/// The name of a process or a group: without the signs that its place on the wire gives a meaning to.
pub fn name(text: &str) -> Result<String, InvalidValue> {
    let name = strip(text);
    match [' ', ':', '/'].into_iter().find(|sign| name.contains(*sign)) {
        None => Ok(name.to_owned()),
        Some(sign) => {
            let (quoted, sign) = (python::repr(text), python::repr(&sign.to_string()));
            let original = format!("Invalid name: {quoted} because of character: {sign}");
            Err(InvalidValue::new(&format!("use {sign} in a name"), text, original))
        }
    }
}

/// Whether a text falls apart where events are taken apart, at blanks (any of Python's) and at the first colon.
pub fn breaks_tokens(text: &str) -> bool {
    text.contains(|c| is_space(c) || c == ':')
}

/// A port, from 1.
pub fn port(text: &str) -> Result<u16, InvalidValue> {
    let number = integer(text)?;
    let bound = match number {
        ..1 => "below lower bound (1)",
        1..=0xffff => return Ok(u16::try_from(number).unwrap_or(u16::MAX)),
        _ => "above upper bound (65535)",
    };
    Err(InvalidValue::new("use as a port (1 to 65535)", text, format!("{number} is {bound}")))
}

/// `HOST:PORT`, `:PORT`, `*:PORT` or `PORT`; the host is empty for any address.
pub fn inet_address(text: &str) -> Result<(String, u16), InvalidValue> {
    let Some((host, digits)) = text.rsplit_once(':') else {
        let port = port(text).map_err(|bad| InvalidValue {
            what: bad.what,
            original: format!("not a valid port number: {} ", python::repr(text)),
        })?;
        return Ok((String::new(), port));
    };
    if digits.is_empty() {
        return Err(InvalidValue::new("find a port number", text, "no port number specified in ''"));
    }
    let port = port(digits)?;
    let host = host.to_lowercase();
    Ok((if host == "*" { String::new() } else { host }, port))
}

/// A folder that exists; gives its path with `~` resolved.
pub fn existing_folder(text: &str, machine: &HostEnv) -> Result<String, InvalidValue> {
    let path = path::expand_user(text, machine);
    if path::is_folder(&path, machine) {
        return Ok(path);
    }
    Err(InvalidValue::new("find the directory", text, format!("{text} is not an existing directory")))
}

/// A file whose folder exists; gives its path with `~` resolved.
pub fn file_in_folder(text: &str, machine: &HostEnv) -> Result<String, InvalidValue> {
    let path = path::expand_user(text, machine);
    let folder = path::parent(&path);
    if folder.is_empty() || path::is_folder(folder, machine) {
        return Ok(path);
    }
    let original = format!("The directory named as part of the path {text} does not exist");
    Err(InvalidValue::new("find the directory of the file", text, original))
}

/// Whether a `serverurl` is something else than AUTO.
pub fn is_other_than_auto(text: &str) -> bool {
    strip(text).to_uppercase() != "AUTO"
}

/// What `stdout_logfile` and `stderr_logfile` may say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogDestination {
    /// A file, AUTO or NONE.
    Target(LogTarget),
    /// The deprecated way to ask for syslog.
    Syslog,
}

/// The log file of a child: AUTO, NONE, `syslog` or a path.
pub fn log_file(text: &str, machine: &HostEnv) -> Result<LogDestination, InvalidValue> {
    let target = match text.to_lowercase().as_str() {
        "none" | "off" | "" => LogTarget::None,
        "auto" => LogTarget::Auto,
        "syslog" => return Ok(LogDestination::Syslog),
        _ => LogTarget::File(file_in_folder(text, machine)?.into()),
    };
    Ok(LogDestination::Target(target))
}

/// A user by name or number.
pub fn user(text: &str, accounts: &Accounts) -> Result<Account, InvalidValue> {
    accounts.user(text).ok_or_else(|| {
        let sort = if number::integer(text).is_ok() { "id" } else { "name" };
        InvalidValue::new("find the user", text, format!("Invalid user {sort} {text}"))
    })
}

/// `USER` or `USER:GROUP`, each by name or number.
pub fn owner(text: &str, accounts: &Accounts) -> Result<SocketOwner, InvalidValue> {
    let refuse = |what| InvalidValue::new(what, text, format!("Invalid user:group definition {text}"));
    let (user, group) = match text.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (text, None),
    };
    let uid = accounts.user(user).ok_or_else(|| refuse("find the user of"))?.uid;
    let gid = match group {
        None => None,
        Some(group) => Some(accounts.group(group).ok_or_else(|| refuse("find the group of"))?),
    };
    Ok(SocketOwner { uid: Some(uid), gid })
}

/// Names of hosts, with commas between them: `status.example`, `.example` or `*.example` for all below it, `*` for any.
/// The result is in lower case, and says `.example` for both. A port behind a name is left out: names have none.
pub fn host_names(text: &str) -> Result<Vec<String>, InvalidValue> {
    let mut names = Vec::new();
    for given in text.split(',').map(strip).filter(|name| !name.is_empty()) {
        let name = given.to_ascii_lowercase();
        let name = if name.starts_with("*.") { &name[1..] } else { &*name };
        let is_port = |port: &str| !port.is_empty() && port.bytes().all(|digit| digit.is_ascii_digit());
        let name = name.rsplit_once(':').filter(|(_, port)| is_port(port)).map_or(name, |(name, _)| name);
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        let is_empty = name.trim_matches('.').is_empty();
        if name != "*" && (is_empty || !name.bytes().all(is_name)) {
            let original = format!("{given} is not a host name");
            return Err(InvalidValue::new("use as the name of a host", given, original));
        }
        names.push(name.to_owned());
    }
    Ok(names)
}

#[cfg(test)]
mod tests;
