//! `[inet_http_server]` and `[unix_http_server]`: where the daemon is to be talked to.

use crate::expansion::ExpansionNames;
use crate::ini::{Section, strip};
use crate::loader::context::{FaultRecorded, LoadContext, SectionScope};
use crate::path::normalize;
use crate::server::{Credentials, HttpServer, Password, ServerAddress};
use crate::value::{self, InvalidValue};

/// The keys of a TCP server.
pub(crate) const INET_KEYS: [&str; 5] =
    ["port", "username", "password", "allow_anonymous_changes", "allowed_hosts"];
/// The keys of a unix socket.
pub(crate) const UNIX_KEYS: [&str; 5] = ["file", "chmod", "chown", "username", "password"];

/// By default only its owner may use a socket.
const DEFAULT_MODE: u32 = 0o700;

/// Every server, those on TCP first.
pub(crate) fn read(context: &mut LoadContext<'_>) -> Vec<HttpServer> {
    let mut servers = Vec::new();
    for (prefix, read) in [("inet_http_server", inet as ReadServer), ("unix_http_server", unix)] {
        for section in context.ini.sections().iter().filter(|section| section.name.starts_with(prefix)) {
            let scope = SectionScope::new(section, ExpansionNames::default());
            servers.extend(read(context, &scope).ok());
        }
    }
    servers
}

type ReadServer = for<'a> fn(&mut LoadContext<'a>, &SectionScope<'a>) -> Result<HttpServer, FaultRecorded>;

fn inet<'a>(context: &mut LoadContext<'a>, scope: &SectionScope<'a>) -> Result<HttpServer, FaultRecorded> {
    let credentials = credentials(context, scope);
    let port = needed(context, scope, "port", "listen without a port");
    let (host, port) = value::inet_address(&port?).map_err(|bad| context.refuse(scope, "port", bad))?;
    let allow_anonymous_changes = context.or(scope, "allow_anonymous_changes", false, value::boolean);
    let allowed_hosts = context.or(scope, "allowed_hosts", Vec::new(), value::host_names);
    Ok(HttpServer {
        allow_anonymous_changes,
        allowed_hosts,
        ..server(scope.section, ServerAddress::Tcp { host, port }, credentials?)
    })
}

fn unix<'a>(context: &mut LoadContext<'a>, scope: &SectionScope<'a>) -> Result<HttpServer, FaultRecorded> {
    // Only the path may be relative to the configuration file.
    let placed = SectionScope::new(scope.section, ExpansionNames::default().with("here", context.here));
    let file = needed(context, &placed, "file", "listen without a file");
    let credentials = credentials(context, scope);
    let accounts = context.accounts;
    let owner = context.optional(scope, "chown", |text| {
        value::owner(text, accounts)
            .map_err(|bad| InvalidValue { original: format!("Invalid sockchown value {text}"), ..bad })
    });
    let mode = context.or(scope, "chmod", DEFAULT_MODE, |text| {
        value::mode(text)
            .map_err(|bad| InvalidValue { original: format!("Invalid chmod value {text}"), ..bad })
    });
    let path = normalize(strip(&file?), context.host);
    Ok(server(scope.section, ServerAddress::Unix { path, mode, owner }, credentials?))
}

fn server(section: &Section, address: ServerAddress, credentials: Option<Credentials>) -> HttpServer {
    let (section, allowed_hosts) = (section.name.clone(), Vec::new());
    HttpServer { section, address, credentials, allow_anonymous_changes: false, allowed_hosts }
}

/// The value of a key without which there is no server.
fn needed<'a>(
    context: &mut LoadContext<'a>,
    scope: &SectionScope<'a>,
    key: &str,
    what: &str,
) -> Result<String, FaultRecorded> {
    match context.text(scope, key)? {
        Some(text) => Ok(text.into_owned()),
        None => {
            let original = format!("section [{}] has no {key} value", scope.section.name);
            Err(context.refuse(scope, key, InvalidValue { what: format!("cannot {what}"), original }))
        }
    }
}

fn credentials<'a>(
    context: &mut LoadContext<'a>,
    scope: &SectionScope<'a>,
) -> Result<Option<Credentials>, FaultRecorded> {
    let username = context.text(scope, "username");
    let password = context.text(scope, "password");
    let missing = match (username?, password?) {
        (None, None) => return Ok(None),
        (Some(username), Some(password)) => {
            let Some(password) = Password::read(&password) else {
                return Err(context.refuse(scope, "password", no_digest(scope)));
            };
            return Ok(Some(Credentials { username: username.into_owned(), password }));
        }
        (Some(_), None) => "password",
        (None, Some(_)) => "username",
    };
    let original = format!(
        "Section [{}] contains incomplete authentication: If a username or a password is specified, both the username \
         and password must be specified",
        scope.section.name
    );
    let what = format!("cannot ask for a password without both a username and a password: no {missing}");
    Err(context.refuse(scope, missing, InvalidValue { what, original }))
}

/// The value is not shown: it may be the password after all.
fn no_digest(scope: &SectionScope<'_>) -> InvalidValue {
    let section = &scope.section.name;
    InvalidValue {
        what: "cannot read what follows {SHA} as a SHA-1 digest, which has 40 hexadecimal digits: printf %s 'thepassword' | \
               sha1sum"
            .to_owned(),
        original: format!("Section [{section}] contains a password of {{SHA}} without a digest of 40 hexadecimal digits"),
    }
}
