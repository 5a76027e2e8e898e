//! Where mail is given to: [`MailServer`], parsed from a `smtp://` or `smtps://` URL, or from `host[:port]` as Python's smtplib reads it.

use ironlance_core::text::url_encoding;
use ironlance_net::{HostPort, HostPortError, split_userinfo};

use crate::receiver::Security;

const SMTP_PORT: u16 = 25;
/// RFC 8314: submission over TLS from the first byte, by whatever scheme it is named.
const SMTPS_PORT: u16 = 465;

/// A mail server as given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailServer {
    /// The notation that it was given in.
    pub scheme: ServerScheme,
    /// Name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// The account.
    pub user: Option<String>,
    /// Its password.
    pub password: Option<String>,
}

/// The notation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerScheme {
    /// `smtp://`
    Smtp,
    /// `smtps://`
    Smtps,
    /// `host[:port]`
    Bare,
}

impl MailServer {
    /// superlance's default for the batch mailers.
    pub fn localhost() -> Self {
        Self {
            scheme: ServerScheme::Bare,
            host: "localhost".into(),
            port: SMTP_PORT,
            user: None,
            password: None,
        }
    }

    /// Reads a `smtp://` or `smtps://` URL; `Err` says what is wrong with it.
    pub fn from_url(text: &str) -> Result<Self, &'static str> {
        let (scheme, rest) = text.split_once("://").ok_or("not smtp://HOST or smtps://HOST")?;
        let (scheme, default_port) = match scheme.to_ascii_lowercase().as_str() {
            "smtp" => (ServerScheme::Smtp, SMTP_PORT),
            "smtps" => (ServerScheme::Smtps, SMTPS_PORT),
            _ => return Err("not smtp://HOST or smtps://HOST"),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (userinfo, host) = split_userinfo(rest);
        let (user, password) = userinfo.map(credentials).transpose()?.unwrap_or_default();
        let (host, port) = host_and_port(host)?;
        Ok(Self { scheme, host, port: port.unwrap_or(default_port), user, password })
    }

    /// Reads `host[:port]` or a URL.
    pub fn from_host(text: &str) -> Result<Self, &'static str> {
        if text.contains("://") {
            return Self::from_url(text);
        }
        let (host, port) = host_and_port(text)?;
        Ok(Self { host, port: port.unwrap_or(SMTP_PORT), ..Self::localhost() })
    }

    /// How a connection to this server is secured; `tls`: `--tls` was given.
    pub fn security(&self, tls: bool) -> Security {
        match (self.scheme, tls) {
            (ServerScheme::Smtps, _) => Security::Implicit,
            (ServerScheme::Smtp, _) | (ServerScheme::Bare, true) if self.port == SMTPS_PORT => {
                Security::Implicit
            }
            (_, true) => Security::StartTls,
            (ServerScheme::Smtp, false) => Security::Offered,
            (ServerScheme::Bare, false) => Security::Plain,
        }
    }
}

type Credentials = (Option<String>, Option<String>);

fn credentials(userinfo: &str) -> Result<Credentials, &'static str> {
    let (user, password) = match userinfo.split_once(':') {
        Some((user, password)) => (user, Some(password)),
        None => (userinfo, None),
    };
    if user.is_empty() {
        return Err("the user before @ is missing");
    }
    let decode = |text: &str| {
        url_encoding::decode(text).ok_or("a % is not followed by two hexadecimal digits of UTF-8")
    };
    let password = password.filter(|password| !password.is_empty()).map(decode).transpose()?;
    Ok((Some(decode(user)?), password))
}

/// The host and the port; a port of 0 is the default, as for smtplib.
fn host_and_port(text: &str) -> Result<(String, Option<u16>), &'static str> {
    let HostPort { host, port } = HostPort::of_mail_server(text).map_err(HostPortError::reason)?;
    let odd = |c: char| c.is_whitespace() || c.is_control() || "/@[]?#\\".contains(c);
    if host.contains(odd) {
        return Err("this is no host name");
    }
    Ok((host.to_owned(), port.filter(|port| *port != 0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ironlance_core::redact::redact_mail_server;
    use proptest::prelude::*;

    fn parts(server: Result<MailServer, &'static str>) -> (String, u16, String, String) {
        let server = server.unwrap();
        (server.host, server.port, server.user.unwrap_or_default(), server.password.unwrap_or_default())
    }

    fn expected(host: &str, port: u16, user: &str, password: &str) -> (String, u16, String, String) {
        (host.into(), port, user.into(), password.into())
    }

    #[test]
    fn urls_are_taken_apart() {
        for (url, wanted) in [
            ("smtp://mail", expected("mail", 25, "", "")),
            ("SMTPS://mail/", expected("mail", 465, "", "")),
            ("smtp://mail:587", expected("mail", 587, "", "")),
            ("smtps://joe@mail", expected("mail", 465, "joe", "")),
            ("smtp://joe%40x.org:p%3Aq%25@[::1]:26", expected("::1", 26, "joe@x.org", "p:q%")),
            ("smtp://joe@x.org:a/b@c@mail", expected("mail", 25, "joe@x.org", "a/b@c")),
            ("smtp://j%C3%B6:@mail", expected("mail", 25, "jö", "")),
        ] {
            assert_eq!(parts(MailServer::from_url(url)), wanted, "{url}");
        }
    }

    #[test]
    fn hosts_are_taken_apart_as_smtplib_does() {
        for (text, host, port) in [
            ("localhost", "localhost", 25),
            ("mail:2525", "mail", 2525),
            ("mail:0", "mail", 25),
            ("::1", "::1", 25),
            ("fe80::1:25", "fe80::1:25", 25),
            ("[::1]:2525", "::1", 2525),
            ("[::1]", "::1", 25),
            ("smtps://mail", "mail", 465),
        ] {
            assert_eq!(parts(MailServer::from_host(text)), expected(host, port, "", ""), "{text}");
        }
    }

    #[test]
    fn what_is_no_server_is_refused() {
        for text in ["", "mail", "http://mail", "smtp://", "smtp:///", "smtp://@mail", "smtp://:pw@mail"] {
            assert!(MailServer::from_url(text).is_err(), "{text}");
        }
        for text in
            ["smtp://a%4@mail", "smtp://a%ff@mail", "smtp://mail/path", "smtp://mail?x=1", "smtp://[::1"]
        {
            assert!(MailServer::from_url(text).is_err(), "{text}");
        }
        for text in ["", ":25", "mail:x", "mail:", "mail:70000", "a b", "[::1]x", "joe@mail", "mail\n"] {
            // An empty port is refused as well: smtplib calls it nonnumeric.
            assert!(MailServer::from_host(text).is_err(), "{text}");
        }
    }

    #[test]
    fn security_follows_from_scheme_port_and_demand() {
        let security = |text, tls| MailServer::from_host(text).unwrap().security(tls);
        for (text, without, with) in [
            ("mail", Security::Plain, Security::StartTls),
            ("mail:465", Security::Plain, Security::Implicit),
            ("smtp://mail", Security::Offered, Security::StartTls),
            ("smtp://mail:465", Security::Implicit, Security::Implicit),
            ("smtps://mail:587", Security::Implicit, Security::Implicit),
        ] {
            assert_eq!(security(text, false), without, "{text}");
            assert_eq!(security(text, true), with, "{text} --tls");
        }
    }

    #[test]
    fn a_password_is_left_out_of_messages() {
        assert_eq!(redact_mail_server("smtp://joe:secret@mail:x"), "smtp://***@mail:x");
        assert_eq!(redact_mail_server("smtp://joe:se@cret@mail"), "smtp://***@mail");
        assert_eq!(redact_mail_server("secret@mail"), "***@mail");
        assert_eq!(redact_mail_server("mail:x"), "mail:x");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(smtps?://)?\\PC{0,40}") {
            let _ = (MailServer::from_url(&text), MailServer::from_host(&text), redact_mail_server(&text));
        }

        #[test]
        fn a_percent_encoded_user_and_password_come_back(user in "\\PC{1,12}", password in "\\PC{1,12}") {
            let encode = |text: &str| -> String { text.bytes().map(|byte| format!("%{byte:02x}")).collect() };
            let url = format!("smtps://{}:{}@mail:99", encode(&user), encode(&password));
            prop_assert_eq!(parts(MailServer::from_url(&url)), (String::from("mail"), 99, user, password));
        }
    }
}
