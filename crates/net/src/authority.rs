//! The authority of a URL, `[USERINFO@]HOST[:PORT]`: [`HostPort`], for URLs, `Host` headers and mail servers. It decodes
//! nothing and knows no default port.

use thiserror::Error;

/// A host and a port, borrowed from the text that was parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostPort<'a> {
    /// The host, without the brackets of an IPv6 address; not empty.
    pub host: &'a str,
    /// The port, if there is one.
    pub port: Option<u16>,
}

/// Why a text is no host and port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{}", self.reason())]
pub enum HostPortError {
    /// There is no host.
    NoHost,
    /// `[` without `]`.
    OpenBracket,
    /// The `]` is followed by something else than a port.
    AfterBracket,
    /// The port is not a number, or out of range.
    Port,
}

impl HostPortError {
    /// What is wrong.
    pub fn reason(self) -> &'static str {
        match self {
            Self::NoHost => "the host is missing",
            Self::OpenBracket => "the ] is missing",
            Self::AfterBracket => "something else than :PORT stands behind the ]",
            Self::Port => "the port is not a number from 1 to 65535",
        }
    }
}

impl<'a> HostPort<'a> {
    /// Parses `HOST[:PORT]` of a URL (RFC 3986, 3.2): an IPv6 address has brackets, an empty port is none, and port 0 is
    /// an error.
    pub fn of_url(text: &'a str) -> Result<Self, HostPortError> {
        let (host, port) = match bracketed(text)? {
            Some(parts) => parts,
            None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
        };
        let parsed = Self::new(host, port.filter(|port| !port.is_empty()))?;
        if parsed.port == Some(0) { Err(HostPortError::Port) } else { Ok(parsed) }
    }

    /// Parses `HOST[:PORT]` as Python's smtplib does: several colons without brackets are an IPv6 address, an empty port
    /// is an error, and port 0 is taken.
    pub fn of_mail_server(text: &'a str) -> Result<Self, HostPortError> {
        let (host, port) = match (bracketed(text)?, text.split_once(':')) {
            (Some(parts), _) => parts,
            (None, Some((host, port))) if !port.contains(':') => (host, Some(port)),
            (None, _) => (text, None),
        };
        Self::new(host, port)
    }

    fn new(host: &'a str, port: Option<&str>) -> Result<Self, HostPortError> {
        if host.is_empty() {
            return Err(HostPortError::NoHost);
        }
        let number = |digits: &str| {
            // A sign is no digit, though `parse` takes it.
            let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
            digits.parse().ok().filter(|_| is_number).ok_or(HostPortError::Port)
        };
        Ok(Self { host, port: port.map(number).transpose()? })
    }
}

/// The address and the port of `[ADDRESS][:PORT]`; `None` for a text without a bracket in front.
fn bracketed(text: &str) -> Result<Option<(&str, Option<&str>)>, HostPortError> {
    let Some(inside) = text.strip_prefix('[') else { return Ok(None) };
    let (host, behind) = inside.split_once(']').ok_or(HostPortError::OpenBracket)?;
    match behind.strip_prefix(':') {
        None if !behind.is_empty() => Err(HostPortError::AfterBracket),
        port => Ok(Some((host, port))),
    }
}

/// Splits `[USERINFO@]HOST[:PORT]` at the last `@`, because a password may contain others.
pub fn split_userinfo(authority: &str) -> (Option<&str>, &str) {
    authority.rsplit_once('@').map_or((None, authority), |(userinfo, rest)| (Some(userinfo), rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Parsed = Result<(&'static str, Option<u16>), HostPortError>;

    #[test]
    fn hosts_and_ports_are_split_as_urls_and_as_mail_servers() {
        use HostPortError::{AfterBracket, NoHost, OpenBracket, Port};
        // The text, what it is in a URL, and what it is as a mail server.
        let table: [(&str, Parsed, Parsed); 29] = [
            ("mail", Ok(("mail", None)), Ok(("mail", None))),
            ("mail:25", Ok(("mail", Some(25))), Ok(("mail", Some(25)))),
            ("mail:00025", Ok(("mail", Some(25))), Ok(("mail", Some(25)))),
            ("mail:65535", Ok(("mail", Some(65535))), Ok(("mail", Some(65535)))),
            ("mail:", Ok(("mail", None)), Err(Port)),
            ("mail:0", Err(Port), Ok(("mail", Some(0)))),
            ("mail:65536", Err(Port), Err(Port)),
            ("mail:99999999999999999999999", Err(Port), Err(Port)),
            ("mail:+25", Err(Port), Err(Port)),
            ("mail:-25", Err(Port), Err(Port)),
            ("mail: 25", Err(Port), Err(Port)),
            ("mail:25\n", Err(Port), Err(Port)),
            ("mail:smtp", Err(Port), Err(Port)),
            ("mail:\u{0662}\u{0665}", Err(Port), Err(Port)),
            ("[::1]", Ok(("::1", None)), Ok(("::1", None))),
            ("[::1]:26", Ok(("::1", Some(26))), Ok(("::1", Some(26)))),
            ("[::1]:", Ok(("::1", None)), Err(Port)),
            ("[::1]26", Err(AfterBracket), Err(AfterBracket)),
            ("[::1]:26:27", Err(Port), Err(Port)),
            ("[::1]]", Err(AfterBracket), Err(AfterBracket)),
            ("[::1", Err(OpenBracket), Err(OpenBracket)),
            ("[", Err(OpenBracket), Err(OpenBracket)),
            ("[]", Err(NoHost), Err(NoHost)),
            ("[]:26", Err(NoHost), Err(NoHost)),
            ("::1", Err(NoHost), Ok(("::1", None))),
            ("fe80::1:25", Err(Port), Ok(("fe80::1:25", None))),
            ("", Err(NoHost), Err(NoHost)),
            (":25", Err(NoHost), Err(NoHost)),
            ("joe:pw@mail", Err(Port), Err(Port)),
        ];
        for (text, in_url, as_mail_server) in table {
            let parts = |parsed: HostPort<'static>| (parsed.host, parsed.port);
            assert_eq!(HostPort::of_url(text).map(parts), in_url, "{text:?} in a URL");
            assert_eq!(
                HostPort::of_mail_server(text).map(parts),
                as_mail_server,
                "{text:?} as a mail server"
            );
        }
    }

    #[test]
    fn the_userinfo_ends_at_the_last_at_sign() {
        for (text, parts) in [
            ("mail:25", (None, "mail:25")),
            ("joe@mail", (Some("joe"), "mail")),
            ("joe:a@b/c@[::1]:25", (Some("joe:a@b/c"), "[::1]:25")),
            ("@", (Some(""), "")),
            ("", (None, "")),
        ] {
            assert_eq!(split_userinfo(text), parts, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn every_text_is_an_error_or_a_part_of_itself(text in "[\\[\\]:@a-f0-9.]{0,20}|\\PC{0,20}") {
            for parsed in [HostPort::of_url(&text), HostPort::of_mail_server(&text)].into_iter().flatten() {
                prop_assert!(!parsed.host.is_empty() && text.contains(parsed.host));
            }
        }

        #[test]
        fn a_host_and_a_port_come_back(
            userinfo in prop::option::of("\\PC{0,9}"), host in "[a-z0-9.-]{1,9}|\\[[0-9a-f:]{1,9}\\]", port in 1..=u16::MAX,
        ) {
            let host_port = format!("{host}:{port}");
            let prefix = userinfo.as_ref().map(|userinfo| format!("{userinfo}@")).unwrap_or_default();
            let text = format!("{prefix}{host_port}");
            prop_assert_eq!(split_userinfo(&text), (userinfo.as_deref(), host_port.as_str()));
            let expected = HostPort { host: host.trim_matches(['[', ']']), port: Some(port) };
            prop_assert_eq!(HostPort::of_url(&host_port), Ok(expected));
            prop_assert_eq!(HostPort::of_mail_server(&host_port), Ok(expected));
        }
    }
}
