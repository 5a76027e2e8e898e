//! Secrets in URLs: logins, parameters, and the paths of web hooks.

use super::PLACEHOLDER;
use super::names::is_secret_parameter;

/// Beginnings of a part of the path after which the rest of the path is the secret.
const HOOKS: [&str; 4] = ["webhook", "hook", "token", "key"];

/// A URL for display: without the password of `user:password@`, whatever stands in it, and without parameters that look like
/// secrets.
pub fn redact_url(url: &str) -> String {
    let start = url.find("://").map_or(0, |at| at + "://".len());
    let end = url[start..].find(['/', '?', '#']).map_or(url.len(), |at| start + at);
    let shown = url[start..end].rsplit_once('@').map(|(login, host)| {
        let user = login.split(':').next().unwrap_or_default();
        format!("{}{user}:{PLACEHOLDER}@{host}{}", &url[..start], &url[end..])
    });
    super::redact(shown.as_deref().unwrap_or(url))
}

/// What was given for a mail server, for display: but for a scheme, all before the last `@` is hidden.
pub fn redact_mail_server(text: &str) -> String {
    let Some((before, host)) = text.rsplit_once('@') else { return text.to_owned() };
    let scheme = before.find("://").map_or("", |end| &before[..end + "://".len()]);
    format!("{scheme}{PLACEHOLDER}@{host}")
}

/// `word` with the secrets of all URLs in it replaced by what `hide` makes of them.
pub(super) fn redact(word: &str, hide: &mut impl FnMut(&str) -> String) -> String {
    let mut out = String::with_capacity(word.len());
    let mut rest = word;
    while let Some(at) = rest.find("://") {
        let (scheme, behind) = rest.split_at(at + "://".len());
        out.push_str(scheme);
        let next = behind.find("://").map_or(behind.len(), |next| start_of_scheme(behind, next));
        let (url, further) = behind.split_at(next);
        let scheme = &scheme[..at];
        one(url, scheme, &mut out, hide);
        rest = further;
    }
    out + rest
}

/// Where the scheme before `://` begins.
fn start_of_scheme(text: &str, end: usize) -> usize {
    let is_scheme = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    end - text[..end].chars().rev().take_while(|c| is_scheme(*c)).count()
}

/// Whether a port may stand behind the first colon of a host: a number, a variable, or the rest of an IPv6 address.
fn is_port(host: &str, port: &str) -> bool {
    let is_address = || port.contains(':') && port.chars().all(|c| c.is_ascii_hexdigit() || ":.".contains(c));
    host.starts_with('[')
        || port.starts_with(['$', '%', '*', '{', '<'])
        || port.chars().all(|c| c.is_ascii_digit())
        || is_address()
}

/// What stands behind `scheme://`.
fn one(url: &str, scheme: &str, out: &mut String, hide: &mut impl FnMut(&str) -> String) {
    let (login, rest) = split_login(url);
    if let Some(login) = login {
        match login.split_once(':') {
            Some((user, password)) => {
                out.push_str(user);
                out.push(':');
                out.push_str(&hide(password));
            }
            // A name alone is a name to a mail server and a token to a web server.
            None if scheme.ends_with("http") || scheme.ends_with("https") => out.push_str(&hide(login)),
            None => out.push_str(login),
        }
        out.push('@');
    }
    let host_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, behind) = rest.split_at(host_end);
    match host.split_once(':') {
        // `user:password` whose host was forgotten.
        Some((user, port)) if login.is_none() && !is_port(host, port) => {
            out.push_str(user);
            out.push(':');
            out.push_str(&hide(port));
        }
        _ => out.push_str(host),
    }
    let path_end = behind.find(['?', '#']).unwrap_or(behind.len());
    let (path, query) = behind.split_at(path_end);
    let mut is_hook = host.starts_with("hooks.");
    for (index, part) in path.split('/').enumerate() {
        if index > 0 {
            out.push('/');
        }
        let lower = part.to_ascii_lowercase();
        if is_hook && !part.is_empty() {
            out.push_str(&hide(part));
        } else if let Some((bot, token)) = part.split_once(':').filter(|_| lower.starts_with("bot")) {
            out.push_str(bot);
            out.push(':');
            out.push_str(&hide(token));
        } else {
            out.push_str(part);
        }
        is_hook |= HOOKS.iter().any(|hook| lower.starts_with(hook));
    }
    for (index, parameter) in query.split_inclusive(['&', '?', '#']).enumerate() {
        let end = parameter.len() - usize::from(parameter.ends_with(['&', '?', '#']));
        match parameter[..end].split_once('=') {
            Some((name, value)) if is_secret_parameter(name) && index > 0 && !value.is_empty() => {
                out.push_str(name);
                out.push('=');
                out.push_str(&hide(value));
                out.push_str(&parameter[end..]);
            }
            _ => out.push_str(parameter),
        }
    }
}

/// The login before the host, if there is one. A password with a slash in it is none for a browser; it is hidden all the
/// same, unless what stands before the slash is a port.
fn split_login(url: &str) -> (Option<&str>, &str) {
    let authority = url.find(['/', '?', '#']).unwrap_or(url.len());
    if let Some(at) = url[..authority].rfind('@') {
        return (Some(&url[..at]), &url[at + 1..]);
    }
    let port = url[..authority].rsplit_once(':').map(|(_, port)| port);
    let is_port = port.is_none_or(|port| port.parse::<u16>().is_ok());
    match url.rfind('@').filter(|_| !is_port) {
        Some(at) => (Some(&url[..at]), &url[at + 1..]),
        None => (None, url),
    }
}
