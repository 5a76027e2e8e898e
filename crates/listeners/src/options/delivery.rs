//! How and to whom a command's mails go, made of what it was told and of what the environment knows.

use std::path::{Path, PathBuf};

use ironlance_alert::address::addresses;
use ironlance_alert::{Route, Secret, SmtpServer, Transport};

use super::Environment;
use super::refusal::Refusal;
use super::server::{Scheme, Server, TlsDemand};
use super::wishes::Wishes;

/// The mailer of superlance's crashmail, httpok and memmon.
const DEFAULT_SENDMAIL: &str = "/usr/sbin/sendmail -t -i";
/// The password of the mail server, in the environment.
const PASSWORD_VARIABLE: &str = "IRONLANCE_SMTP_PASSWORD";
/// The same as a systemd credential: a file in the folder that `CREDENTIALS_DIRECTORY` names (systemd.exec(5)).
const CREDENTIAL: &str = "ironlance-smtp-password";

/// How and to whom the mails of crashmail, httpok or memmon go.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// `None` when there is no recipient.
    pub route: Option<Route>,
    /// The recipients as they were given, for the To line that is logged; `None` when there is none.
    pub email: Option<String>,
}

/// Makes a delivery of the wishes: by sendmail unless they name a server.
pub(super) fn settle(wishes: &Wishes, environment: &Environment<'_>) -> Result<Delivery, Refusal> {
    let to = addresses(&wishes.recipients);
    let transport = match &wishes.server {
        Some((option, server)) => {
            refuse_both(wishes, option)?;
            smtp(wishes, server, environment)?
        }
        None => {
            refuse_orphans(wishes, "without --smtp")?;
            sendmail(wishes)?
        }
    };
    let from = match (&wishes.from, &transport) {
        (None, Transport::Smtp(_)) => Some(format!("ironlance@{}", environment.host)),
        (from, Transport::Smtp(_) | Transport::Sendmail { .. } | Transport::BodyOnly { .. }) => from.clone(),
    };
    if to.is_empty() {
        if wishes.test_alert {
            return Err(Refusal::Unusable("cannot send a test alert: -m/--email names no recipient".into()));
        }
        return Ok(Delivery { route: None, email: None });
    }
    let given: Vec<&str> =
        wishes.recipients.iter().map(String::as_str).filter(|given| !given.is_empty()).collect();
    let email = given.join(", ");
    // Only a server needs to know them one by one; for a command the To line stands as it was given.
    let to = match &transport {
        Transport::Smtp(_) => to,
        Transport::Sendmail { .. } | Transport::BodyOnly { .. } => vec![email.clone()],
    };
    Ok(Delivery { route: Some(Route { transport, from, to }), email: Some(email) })
}

/// Makes a route of the wishes of a batch mailer: by SMTP unless they name a command.
pub(super) fn settle_batch(wishes: &Wishes, environment: &Environment<'_>) -> Result<Route, Refusal> {
    let to = addresses(&wishes.recipients);
    let missing = |what: &str| Refusal::Incomplete(format!("cannot mail: {what}"));
    if to.is_empty() {
        return Err(missing("-t/--toEmail names no recipient"));
    }
    let from = wishes.from.clone().filter(|from| !from.is_empty());
    let from = from.ok_or_else(|| missing("-f/--fromEmail names no sender"))?;
    let transport = match (&wishes.sendmail, &wishes.server) {
        (Some(_), Some((option, _))) => {
            refuse_both(wishes, option)?;
            sendmail(wishes)?
        }
        (Some(_), None) => {
            refuse_orphans(wishes, "with --sendmail_program")?;
            sendmail(wishes)?
        }
        (None, Some((_, server))) => smtp(wishes, server, environment)?,
        (None, None) => smtp(wishes, &Server::localhost(), environment)?,
    };
    Ok(Route { transport, from: Some(from), to })
}

fn refuse_both(wishes: &Wishes, option: &str) -> Result<(), Refusal> {
    match &wishes.sendmail {
        Some(sendmail) => Err(Refusal::Unusable(format!(
            "cannot use {option} and {} together: which is it?",
            sendmail.name
        ))),
        None => Ok(()),
    }
}

/// Refuses options about a mail server when there is none: who asks for TLS must not believe to have it.
fn refuse_orphans(wishes: &Wishes, where_not: &str) -> Result<(), Refusal> {
    let orphans = [
        ("--tls", wishes.tls == TlsDemand::Required),
        ("--password-file", wishes.password_file.is_some()),
        ("-u/--userName", wishes.user.is_some()),
        ("-p/--password", wishes.password.is_some()),
    ];
    match orphans.iter().find(|(_, given)| *given) {
        Some((option, _)) => Err(Refusal::Unusable(format!("cannot use {option} {where_not}"))),
        None => Ok(()),
    }
}

fn sendmail(wishes: &Wishes) -> Result<Transport, Refusal> {
    let command = wishes.sendmail.as_ref().map_or(DEFAULT_SENDMAIL, |given| given.value());
    match (&wishes.sendmail, command.trim()) {
        (Some(given), "") => Err(Refusal::value(given, "it is empty")),
        (Some(_) | None, _) if wishes.body_only => Ok(Transport::BodyOnly { command: command.to_owned() }),
        (Some(_) | None, _) => Ok(Transport::Sendmail { command: command.to_owned() }),
    }
}

fn smtp(wishes: &Wishes, server: &Server, environment: &Environment<'_>) -> Result<Transport, Refusal> {
    if wishes.body_only {
        return Err(Refusal::Unusable("cannot use --body-only with a mail server, which takes mails".into()));
    }
    let user = [&wishes.user, &server.user].into_iter().flatten().find(|user| !user.is_empty());
    let password = user.and_then(|_| password(wishes, server, environment));
    // Superlance's `-u` alone means no AUTH; a user in a URL of ours has a reason to be there.
    if user.is_some() && password.is_none() && server.scheme != Scheme::Bare {
        return Err(Refusal::Unusable(format!(
            "cannot authenticate: there is no password; give it by --password-file, by the environment variable \
             {PASSWORD_VARIABLE} or by the systemd credential {CREDENTIAL}"
        )));
    }
    Ok(Transport::Smtp(SmtpServer {
        host: server.host.clone(),
        port: server.port,
        security: server.security(wishes.tls),
        user: user.filter(|_| password.is_some()).cloned(),
        password,
        ca_file: wishes.ca_file.clone(),
    }))
}

/// The first password that there is: on the command line, in a file, in the environment, as a credential.
fn password(wishes: &Wishes, server: &Server, environment: &Environment<'_>) -> Option<Secret> {
    let variable = |name: &str| (environment.variable)(name).filter(|value| !value.is_empty());
    let literal = [&wishes.password, &server.password].into_iter().flatten().find(|text| !text.is_empty());
    if let Some(literal) = literal {
        return Some(Secret::Literal(literal.clone()));
    }
    if let Some(file) = &wishes.password_file {
        return Some(Secret::File(file.clone()));
    }
    if variable(PASSWORD_VARIABLE).is_some() {
        return Some(Secret::Env(PASSWORD_VARIABLE.into()));
    }
    let credential: PathBuf = Path::new(&variable("CREDENTIALS_DIRECTORY")?).join(CREDENTIAL);
    credential.is_file().then_some(Secret::File(credential))
}
