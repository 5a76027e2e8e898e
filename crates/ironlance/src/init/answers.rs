//! Parsers of the answers that `init` builds a configuration from, given by options or in the dialog.

use std::path::PathBuf;

use anyhow::{Result, anyhow, bail};
use ironlance_alert::address::addresses;
use ironlance_core::redact::redact_mail_server;
use ironlance_core::text::shlex;
use ironlance_core::text::url_encoding;
use ironlance_net::{HostPort, split_userinfo};

use crate::import::path_search::find_program;

/// The listeners of the configuration; a program cannot have their names.
pub(super) const LISTENERS: [&str; 2] = ["crashmail", "fatalmailbatch"];

/// How mail is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum MailTransport {
    /// A command that takes a mail on its standard input.
    Sendmail(String),
    /// A mail server.
    Server(ServerAnswer),
    /// A file that alerts are appended to; an empty path is [`ConfigPaths`](super::paths::ConfigPaths)'s.
    File(PathBuf),
}

/// A mail server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ServerAnswer {
    /// `smtp://[USER@]HOST[:PORT]` or `smtps://…`, without a password.
    pub(super) url: String,
    /// The user to log in as.
    pub(super) user: Option<String>,
    /// The password that was given in the URL.
    pub(super) password: Option<String>,
    /// The host is this machine.
    pub(super) is_local: bool,
}

/// A program to keep running.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ProgramAnswer {
    /// Its name in the configuration.
    pub(super) name: String,
    /// Its command line, in shell syntax.
    pub(super) command: String,
}

/// Recipients, sender and transport of the mails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MailSettings {
    /// Addresses, separated by commas.
    pub(super) to: String,
    /// The sender.
    pub(super) from: String,
    /// The transport.
    pub(super) transport: MailTransport,
    /// The absolute path of the file with the password, if the server has a user.
    pub(super) password_file: Option<PathBuf>,
}

/// One or more mail addresses.
pub(super) fn mail_to(text: &str) -> Result<String> {
    let found = addresses(&[text.to_owned()]);
    if found.is_empty() {
        bail!("cannot mail to nobody: give an address such as ops@example.com");
    }
    match found.iter().find(|address| !is_address(address)) {
        Some(bad) => bail!("cannot use as a mail address: {bad}"),
        None => Ok(found.join(",")),
    }
}

/// Whether it is a plain address, without a display name or spaces.
fn is_address(text: &str) -> bool {
    let strange = |c: char| c.is_whitespace() || c.is_control() || "<>\"'`\\$;|&()".contains(c);
    let parts: Vec<&str> = text.split('@').collect();
    !text.contains(strange)
        && !text.starts_with('-')
        && parts.len() <= 2
        && parts.iter().all(|part| !part.is_empty())
}

/// The sender.
pub(super) fn mail_from(text: &str) -> Result<String> {
    match is_address(text) {
        true => Ok(text.to_owned()),
        false => bail!("cannot use as a mail address: {text}"),
    }
}

/// `sendmail` for the mailer that was found, a command with a path, `file` or `file:PATH`, or a mail server.
pub(super) fn transport(text: &str, found: Option<&str>) -> Result<MailTransport> {
    if text == "sendmail" {
        return match found {
            Some(command) => Ok(MailTransport::Sendmail(command.to_owned())),
            None => bail!(
                "cannot find sendmail on this machine: name a mail server, or a mailer by its full path; or take file"
            ),
        };
    }
    if let Some(path) = text.strip_prefix("file").filter(|rest| rest.is_empty() || rest.starts_with(':')) {
        return file(path.trim_start_matches(':'));
    }
    if text.starts_with('/') { sendmail(text) } else { server(text).map(MailTransport::Server) }
}

/// A file for alerts; without a path the default one.
pub(super) fn file(path: &str) -> Result<MailTransport> {
    if !path.is_empty() && !path.starts_with('/') {
        bail!("cannot use a relative path for alerts, which come from elsewhere: {path}");
    }
    one_line(path).map(|path| MailTransport::File(PathBuf::from(path)))
}

/// A command that takes a mail.
pub(super) fn sendmail(text: &str) -> Result<MailTransport> {
    if text.trim().is_empty() {
        bail!("cannot send mail by an empty command");
    }
    one_line(text).map(|text| MailTransport::Sendmail(text.to_owned()))
}

/// `HOST[:PORT]`, or a URL.
pub(super) fn server(text: &str) -> Result<ServerAnswer> {
    let text = text.trim();
    let bad = |why: &str| bail!("cannot use as a mail server ({why}): {}", redact_mail_server(text));
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) => (scheme.to_ascii_lowercase(), rest),
        None => ("smtp".to_owned(), text),
    };
    if scheme != "smtp" && scheme != "smtps" {
        return bad("not HOST[:PORT], smtp://… or smtps://…");
    }
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (login, host) = split_userinfo(rest);
    let odd = |c: char| c.is_whitespace() || c.is_control() || "/?#\\'\"`$;|&()<>,".contains(c);
    if host.is_empty()
        || host.starts_with('-')
        || host.contains(odd)
        || login.is_some_and(|login| login.contains(odd))
    {
        return bad("there is no host name, or a sign that must be written as %XX");
    }
    let Some(server) = HostPort::of_mail_server(host).ok().filter(|server| server.port != Some(0)) else {
        return bad("the port is not a number from 1 to 65535, or a ] is missing");
    };
    let (user, password) = match login.map(|login| login.split_once(':').unwrap_or((login, ""))) {
        Some(("", _)) => return bad("there is no user before the @"),
        Some((user, password)) => (Some(user), Some(password).filter(|password| !password.is_empty())),
        None => (None, None),
    };
    let Some(password) = password.map(url_encoding::decode).map_or(Some(None), |decoded| decoded.map(Some))
    else {
        return bad("a % is not followed by two hexadecimal digits");
    };
    let at = user.map(|user| format!("{user}@")).unwrap_or_default();
    Ok(ServerAnswer {
        url: format!("{scheme}://{at}{host}"),
        user: user.map(str::to_owned),
        password,
        is_local: matches!(server.host, "localhost" | "127.0.0.1" | "::1"),
    })
}

/// The answer that stands for no program.
pub(super) const NONE: &str = "none";
/// A program to try a crash on, for a user who has none yet.
pub(super) const EXAMPLE: &str = "example=sleep 1000000";

/// `NAME=COMMAND`, or a command from which the name is derived; an empty answer or `none` is no program.
pub(super) fn program(text: &str) -> Result<Option<ProgramAnswer>> {
    let text = one_line(text.trim())?;
    if text.is_empty() || text == NONE {
        return Ok(None);
    }
    let (name, command) = match named(text)? {
        Some((name, command)) => (name.to_owned(), command),
        None => (name_of(text), text),
    };
    let words =
        shlex::split(command).map_err(|error| anyhow!("cannot split the command ({error}): {command}"))?;
    if words.first().is_none_or(String::is_empty) {
        bail!("cannot run an empty command: {text}");
    }
    if LISTENERS.contains(&name.as_str()) {
        bail!("cannot name the program {name}: that is a listener here; give it as NAME=COMMAND");
    }
    Ok(Some(ProgramAnswer { name, command: command.to_owned() }))
}

/// A name and a command separated by `=`; `None` if the sign belongs to the command, as in `web --port=80`.
fn named(text: &str) -> Result<Option<(&str, &str)>> {
    let Some((before, command)) = text.split_once('=') else { return Ok(None) };
    let (name, command) = (before.trim_end(), command.trim());
    if name.contains('/') || name.contains(char::is_whitespace) {
        return Ok(None);
    }
    if name.is_empty() || !name.chars().all(is_of_name) {
        bail!(
            "cannot name a program {name:?}: a name is made of a-z, A-Z, 0-9, _, - and .; give it as NAME=COMMAND"
        );
    }
    if is_variable(name, command) {
        bail!("cannot run {text}: that sets a variable, as a shell does; give it as NAME=env {text}");
    }
    Ok(Some((name, command)))
}

/// Whether the text is a variable assignment of a shell, `NAME=value command`.
fn is_variable(name: &str, command: &str) -> bool {
    let is_upper = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let words = shlex::split(command).unwrap_or_default();
    name.chars().all(is_upper) && words.len() > 1 && find_program(&words[0]).is_none()
}

/// Refuses two programs of one name.
pub(super) fn reject_duplicates(programs: &[ProgramAnswer]) -> Result<()> {
    let mut names: Vec<&str> = programs.iter().map(|program| program.name.as_str()).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => {
            bail!("cannot have two programs of one name: {}; give each as NAME=COMMAND", pair[0])
        }
        None => Ok(()),
    }
}

const fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')
}

/// The name derived from a command: `/usr/bin/web --port 80` is `web`.
fn name_of(command: &str) -> String {
    let words = shlex::split(command).unwrap_or_default();
    let first = words.first().map(String::as_str).unwrap_or_default();
    let base = first.rsplit('/').next().unwrap_or_default();
    let name: String = base.chars().filter(|c| is_of_name(*c)).collect();
    if name.is_empty() { "program".to_owned() } else { name }
}

fn one_line(text: &str) -> Result<&str> {
    match text.contains(char::is_control) {
        true => bail!("cannot use a line break, a tab or another control character"),
        false => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_are_taken_one_by_one_and_strange_ones_refused() {
        assert_eq!(mail_to(" a@x, b@y ").unwrap(), "a@x,b@y");
        assert_eq!(mail_to("root").unwrap(), "root");
        for text in ["", " , ", "a b@x", "a@", "@x", "a@b@c", "$(id)@x", "-m@x", "a;b@x"] {
            assert!(mail_to(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_mail_server_is_a_host_or_a_url_and_its_password_is_taken_out() {
        let taken = |text: &str| {
            let server = server(text).unwrap();
            (server.url, server.user.unwrap_or_default(), server.password.unwrap_or_default())
        };
        for (text, url, user, password) in [
            ("mail", "smtp://mail", "", ""),
            ("mail:2525", "smtp://mail:2525", "", ""),
            ("SMTPS://joe@mail/", "smtps://joe@mail", "joe", ""),
            ("smtp://joe%40x:p%25%3B%22%23@mail:587", "smtp://joe%40x@mail:587", "joe%40x", "p%;\"#"),
        ] {
            assert_eq!(taken(text), (url.to_owned(), user.to_owned(), password.to_owned()), "{text}");
        }
        for text in
            ["", "http://mail", "smtp://", "smtp://@mail", "a b", "mail;x", "smtp://joe:%zz@mail", "-x"]
        {
            let error = server(text).unwrap_err().to_string();
            assert!(!error.contains("zz"), "{error}");
        }
        for host in ["mail:99999", "mail:0", "mail:", "mail:+25", "mail:smtp", "[::1]:x", "[::1", "[::1]25"] {
            let error = server(host).unwrap_err().to_string();
            assert!(error.contains("from 1 to 65535") && error.ends_with(host), "{error}");
        }
        for host in ["mail:65535", "::1", "[::1]", "[::1]:25"] {
            assert!(server(host).is_ok(), "{host}");
        }
        for (host, is_local) in [("localhost:25", true), ("[::1]", true), ("[::1]:25", true), ("mail", false)]
        {
            assert_eq!(server(host).unwrap().is_local, is_local, "{host}");
        }
    }

    #[test]
    fn sendmail_must_be_there_to_be_chosen_by_its_name() {
        assert_eq!(
            transport("sendmail", Some("/x -t")).unwrap(),
            MailTransport::Sendmail("/x -t".to_owned())
        );
        assert!(transport("sendmail", None).is_err());
        assert_eq!(
            transport("/opt/mailer -a", None).unwrap(),
            MailTransport::Sendmail("/opt/mailer -a".to_owned())
        );
        assert!(matches!(transport("mail", None), Ok(MailTransport::Server(_))));
        assert_eq!(transport("file", None).unwrap(), MailTransport::File("".into()));
        assert_eq!(
            transport("file:/var/mail/alerts", None).unwrap(),
            MailTransport::File("/var/mail/alerts".into())
        );
        assert!(transport("file:alerts", None).is_err() && transport("file:/a\nb", None).is_err());
        assert!(matches!(transport("fileserver", None), Ok(MailTransport::Server(_))));
    }

    #[test]
    fn a_program_has_the_name_it_is_given_or_that_of_its_command() {
        let taken = |text: &str| program(text).unwrap().map(|program| (program.name, program.command));
        assert_eq!(taken("web=/srv/web --port=80"), Some(("web".into(), "/srv/web --port=80".into())));
        assert_eq!(taken("/srv/web --port=80"), Some(("web".into(), "/srv/web --port=80".into())));
        assert_eq!(taken("web = sleep 1"), Some(("web".into(), "sleep 1".into())));
        assert_eq!(taken("WEB=sh -c :"), Some(("WEB".into(), "sh -c :".into())));
        assert_eq!(taken("dd if=/x of=/y"), Some(("dd".into(), "dd if=/x of=/y".into())));
        assert_eq!(taken("./a=b c"), Some(("ab".into(), "./a=b c".into())));
        assert_eq!((taken("  "), taken("none")), (None, None));
        assert_eq!(taken(EXAMPLE), Some(("example".into(), "sleep 1000000".into())));
        for text in ["a:b=/bin/cat", "ü=/bin/cat", "a]=x", "=", "=/bin/cat", "'a'=x"] {
            let error = program(text).unwrap_err().to_string();
            assert!(error.contains("a name is made of a-z"), "{error}");
        }
        let error = program("FOO=1 sleep 5").unwrap_err().to_string();
        assert!(error.ends_with("give it as NAME=env FOO=1 sleep 5"), "{error}");
        for text in ["web=", "x='a", "a\nb", "crashmail=/bin/true"] {
            assert!(program(text).is_err(), "{text}");
        }
        let twice = [program("a=b").unwrap().unwrap(), program("a=c").unwrap().unwrap()];
        assert!(reject_duplicates(&twice).is_err() && reject_duplicates(&twice[..1]).is_ok());
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic(text in "\\PC{0,40}") {
            let _ = (mail_to(&text), transport(&text, None), program(&text), mail_from(&text));
        }
    }
}
