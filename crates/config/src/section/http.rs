//! `[inet_http_server]` and `[unix_http_server]`: where the daemon is to be talked to.

use crate::ini::{Section, strip};
use crate::loader::context::{FaultRecorded, LoadContext, SectionScope};
use crate::path::normalize;
use crate::server::{Credentials, HttpServer, Password, ServerAddress};
use crate::template::ExpansionNames;
use crate::value::{self, InvalidValue};

/// The keys of a TCP server.
pub(crate) const INET_KEYS: [&str; 5] =
    ["port", "username", "password", "allow_anonymous_changes", "allowed_hosts"];
/// The keys of a unix socket.
pub(crate) const UNIX_KEYS: [&str; 5] = ["file", "chmod", "chown", "username", "password"];

/// Nobody but its owner talks to a socket unless told otherwise.
const DEFAULT_MODE: u32 = 0o700;

/// Every server, those on TCP first.
pub(crate) fn read(reading: &mut LoadContext<'_>) -> Vec<HttpServer> {
    let mut servers = Vec::new();
    for (prefix, read) in [("inet_http_server", inet as ReadServer), ("unix_http_server", unix)] {
        for section in reading.ini.sections().iter().filter(|section| section.name.starts_with(prefix)) {
            let page = SectionScope::new(section, ExpansionNames::default());
            servers.extend(read(reading, &page).ok());
        }
    }
    servers
}

type ReadServer = for<'a> fn(&mut LoadContext<'a>, &SectionScope<'a>) -> Result<HttpServer, FaultRecorded>;

fn inet<'a>(reading: &mut LoadContext<'a>, page: &SectionScope<'a>) -> Result<HttpServer, FaultRecorded> {
    let credentials = credentials(reading, page);
    let port = needed(reading, page, "port", "listen without a port");
    let (host, port) = value::inet_address(&port?).map_err(|bad| reading.refuse(page, "port", bad))?;
    let allow_anonymous_changes = reading.or(page, "allow_anonymous_changes", false, value::boolean);
    let allowed_hosts = reading.or(page, "allowed_hosts", Vec::new(), value::host_names);
    Ok(HttpServer {
        allow_anonymous_changes,
        allowed_hosts,
        ..server(page.section, ServerAddress::Tcp { host, port }, credentials?)
    })
}

fn unix<'a>(reading: &mut LoadContext<'a>, page: &SectionScope<'a>) -> Result<HttpServer, FaultRecorded> {
    // Only the path may be said in relation to the configuration file.
    let placed = SectionScope::new(page.section, ExpansionNames::default().with("here", reading.here));
    let file = needed(reading, &placed, "file", "listen without a file");
    let credentials = credentials(reading, page);
    let accounts = reading.accounts;
    let owner = reading.optional(page, "chown", |text| {
        value::owner(text, accounts)
            .map_err(|bad| InvalidValue { original: format!("Invalid sockchown value {text}"), ..bad })
    });
    let mode = reading.or(page, "chmod", DEFAULT_MODE, |text| {
        value::mode(text)
            .map_err(|bad| InvalidValue { original: format!("Invalid chmod value {text}"), ..bad })
    });
    let path = normalize(strip(&file?), reading.host);
    Ok(server(page.section, ServerAddress::Unix { path, mode, owner }, credentials?))
}

fn server(section: &Section, address: ServerAddress, credentials: Option<Credentials>) -> HttpServer {
    let (section, allowed_hosts) = (section.name.clone(), Vec::new());
    HttpServer { section, address, credentials, allow_anonymous_changes: false, allowed_hosts }
}

/// The value of a key without which there is no server.
fn needed<'a>(
    reading: &mut LoadContext<'a>,
    page: &SectionScope<'a>,
    key: &str,
    what: &str,
) -> Result<String, FaultRecorded> {
    match reading.text(page, key)? {
        Some(text) => Ok(text.into_owned()),
        None => {
            let original = format!("section [{}] has no {key} value", page.section.name);
            Err(reading.refuse(page, key, InvalidValue { what: format!("cannot {what}"), original }))
        }
    }
}

fn credentials<'a>(
    reading: &mut LoadContext<'a>,
    page: &SectionScope<'a>,
) -> Result<Option<Credentials>, FaultRecorded> {
    let username = reading.text(page, "username");
    let password = reading.text(page, "password");
    let missing = match (username?, password?) {
        (None, None) => return Ok(None),
        (Some(username), Some(password)) => {
            let Some(password) = Password::read(&password) else {
                return Err(reading.refuse(page, "password", no_digest(page)));
            };
            return Ok(Some(Credentials { username: username.into_owned(), password }));
        }
        (Some(_), None) => "password",
        (None, Some(_)) => "username",
    };
    let original = format!(
        "Section [{}] contains incomplete authentication: If a username or a password is specified, both the username \
         and password must be specified",
        page.section.name
    );
    let what = format!("cannot ask for a password without both a username and a password: no {missing}");
    Err(reading.refuse(page, missing, InvalidValue { what, original }))
}

/// The value is not shown: it may be the password after all.
fn no_digest(page: &SectionScope<'_>) -> InvalidValue {
    let section = &page.section.name;
    InvalidValue {
        what: "cannot read what follows {SHA} as a SHA-1 digest, which has 40 hexadecimal digits: printf %s 'thepassword' | \
               sha1sum"
            .to_owned(),
        original: format!("Section [{section}] contains a password of {{SHA}} without a digest of 40 hexadecimal digits"),
    }
}
