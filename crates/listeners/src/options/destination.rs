//! [`ListenerDestination`]: the transport and the recipients of a command's mails, resolved from its [`MailOptions`] and the
//! environment.

use std::path::{Path, PathBuf};

use ironlance_alert::address::addresses;
use ironlance_alert::mail_server::{MailServer, ServerScheme};
use ironlance_alert::{Format, Receiver, Secret, SmtpServer, Transport};
use ironlance_core::cli::OptionArg;

use super::OptionsEnv;
use super::option_error::OptionError;

/// The mailer of superlance's crashmail, httpok and memmon.
const DEFAULT_SENDMAIL: &str = "/usr/sbin/sendmail -t -i";
/// The environment variable with the password of the mail server.
const PASSWORD_VARIABLE: &str = "IRONLANCE_SMTP_PASSWORD";
/// The same as a systemd credential: a file in the folder that `CREDENTIALS_DIRECTORY` names (systemd.exec(5)).
const CREDENTIAL: &str = "ironlance-smtp-password";

/// The options about mails as given: a later one replaces an earlier one, recipients add up.
#[derive(Debug, Default)]
pub(super) struct MailOptions {
    pub(super) recipients: Vec<String>,
    pub(super) from: Option<String>,
    pub(super) sendmail: Option<OptionArg>,
    /// The command takes To, Subject and the text, whatever its name says.
    pub(super) body_only: bool,
    /// The server, and the option's name.
    pub(super) server: Option<(String, MailServer)>,
    pub(super) tls: bool,
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
    pub(super) password_file: Option<PathBuf>,
    pub(super) ca_file: Option<PathBuf>,
}

/// The transport and the recipients of a command's mails.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ListenerDestination {
    /// `None` when there is no recipient.
    pub receiver: Option<Receiver>,
    /// The recipients as given, for the To line that crashmail and httpok log; `None` when there is none.
    pub email: Option<String>,
}

/// Resolves the options of crashmail, httpok or memmon: sendmail, unless a server is given.
pub(super) fn resolve(
    mail: &MailOptions,
    test_alert: bool,
    environment: &OptionsEnv<'_>,
) -> Result<ListenerDestination, OptionError> {
    let to = addresses(&mail.recipients);
    let transport = match &mail.server {
        Some((option, server)) => {
            reject_both(mail, option)?;
            smtp(mail, server, environment)?
        }
        None => {
            reject_unused(mail, "without --smtp")?;
            sendmail(mail)?
        }
    };
    let from = match (&mail.from, &transport) {
        (None, Transport::Smtp(_)) => Some(format!("ironlance@{}", environment.host)),
        (from, _) => from.clone(),
    };
    if to.is_empty() {
        if test_alert {
            return Err(OptionError::Unusable(
                "cannot send a test alert: -m/--email names no recipient".into(),
            ));
        }
        return Ok(ListenerDestination::default());
    }
    let given: Vec<&str> =
        mail.recipients.iter().map(String::as_str).filter(|given| !given.is_empty()).collect();
    let email = given.join(", ");
    // Only a server needs the recipients one by one; a command gets the To line as given.
    let to = match &transport {
        Transport::Smtp(_) => to,
        _ => vec![email.clone()],
    };
    Ok(ListenerDestination {
        receiver: Some(Receiver { name: String::new(), transport, from, to, format: Format::Mail }),
        email: Some(email),
    })
}

/// Resolves the options of a batch mailer: SMTP, unless a command is given.
pub(super) fn resolve_batch(
    mail: &MailOptions,
    environment: &OptionsEnv<'_>,
) -> Result<ListenerDestination, OptionError> {
    let to = addresses(&mail.recipients);
    let missing = |what: &str| OptionError::Incomplete(format!("cannot mail: {what}"));
    if to.is_empty() {
        return Err(missing("-t/--toEmail names no recipient"));
    }
    let from = mail.from.clone().filter(|from| !from.is_empty());
    let from = from.ok_or_else(|| missing("-f/--fromEmail names no sender"))?;
    let transport = match (&mail.sendmail, &mail.server) {
        (Some(_), Some((option, _))) => {
            reject_both(mail, option)?;
            sendmail(mail)?
        }
        (Some(_), None) => {
            reject_unused(mail, "with --sendmail_program")?;
            sendmail(mail)?
        }
        (None, Some((_, server))) => smtp(mail, server, environment)?,
        (None, None) => smtp(mail, &MailServer::localhost(), environment)?,
    };
    let receiver = Receiver { name: String::new(), transport, from: Some(from), to, format: Format::Digest };
    Ok(ListenerDestination { receiver: Some(receiver), email: None })
}

fn reject_both(mail: &MailOptions, option: &str) -> Result<(), OptionError> {
    match &mail.sendmail {
        Some(sendmail) => Err(OptionError::Unusable(format!(
            "cannot use {option} and {} together: which is it?",
            sendmail.name
        ))),
        None => Ok(()),
    }
}

/// Refuses options for a mail server when there is none: a user who gives `--tls` must not believe that it is in effect.
fn reject_unused(mail: &MailOptions, where_not: &str) -> Result<(), OptionError> {
    let orphans = [
        ("--tls", mail.tls),
        ("--password-file", mail.password_file.is_some()),
        ("-u/--userName", mail.user.is_some()),
        ("-p/--password", mail.password.is_some()),
    ];
    match orphans.iter().find(|(_, given)| *given) {
        Some((option, _)) => Err(OptionError::Unusable(format!("cannot use {option} {where_not}"))),
        None => Ok(()),
    }
}

fn sendmail(mail: &MailOptions) -> Result<Transport, OptionError> {
    let command = mail.sendmail.as_ref().map_or(DEFAULT_SENDMAIL, |given| given.value());
    match (&mail.sendmail, command.trim()) {
        (Some(given), "") => Err(OptionError::value(given, "it is empty")),
        (Some(_) | None, _) if mail.body_only => Ok(Transport::BodyOnly { command: command.to_owned() }),
        (Some(_) | None, _) => Ok(Transport::Sendmail { command: command.to_owned() }),
    }
}

fn smtp(
    mail: &MailOptions,
    server: &MailServer,
    environment: &OptionsEnv<'_>,
) -> Result<Transport, OptionError> {
    if mail.body_only {
        return Err(OptionError::Unusable(
            "cannot use --body-only with a mail server, which takes mails".into(),
        ));
    }
    let user = [&mail.user, &server.user].into_iter().flatten().find(|user| !user.is_empty());
    let password = user.and_then(|_| password(mail, server, environment));
    // In superlance `-u` without a password means no AUTH; a user in a URL of ours needs a password.
    if user.is_some() && password.is_none() && server.scheme != ServerScheme::Bare {
        return Err(OptionError::Unusable(format!(
            "cannot authenticate: there is no password; give it by --password-file, by the environment variable \
             {PASSWORD_VARIABLE} or by the systemd credential {CREDENTIAL}"
        )));
    }
    Ok(Transport::Smtp(SmtpServer {
        host: server.host.clone(),
        port: server.port,
        security: server.security(mail.tls),
        user: user.filter(|_| password.is_some()).cloned(),
        password,
        ca_file: mail.ca_file.clone(),
    }))
}

/// The first password found: on the command line, in a file, in the environment, as a credential.
fn password(mail: &MailOptions, server: &MailServer, environment: &OptionsEnv<'_>) -> Option<Secret> {
    let variable = |name: &str| (environment.variable)(name).filter(|value| !value.is_empty());
    let literal = [&mail.password, &server.password].into_iter().flatten().find(|text| !text.is_empty());
    if let Some(literal) = literal {
        return Some(Secret::Literal(literal.clone()));
    }
    if let Some(file) = &mail.password_file {
        return Some(Secret::File(file.clone()));
    }
    if variable(PASSWORD_VARIABLE).is_some() {
        return Some(Secret::Env(PASSWORD_VARIABLE.into()));
    }
    let credential: PathBuf = Path::new(&variable("CREDENTIALS_DIRECTORY")?).join(CREDENTIAL);
    credential.is_file().then_some(Secret::File(credential))
}
