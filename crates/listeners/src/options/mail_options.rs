//! The rows of the options about mails, for all six commands. They fill [`MailOptions`]; `destination` resolves it.

use super::mail_server::{MailServer, TlsDemand, redacted};
use super::option_error::{OptionError, OptionRow, cannot_use};
use super::shared_options::{MailOptions, SharedOptions};
use ironlance_core::cli::{
    OptionArg, Takes,
    table::{original, ours},
};

fn mail<T: AsMut<SharedOptions>>(target: &mut T) -> &mut MailOptions {
    &mut target.as_mut().mail
}

/// A value that must not be empty.
pub(super) fn filled(given: &OptionArg) -> Result<String, OptionError> {
    match given.value() {
        "" => Err(OptionError::value(given, "it is empty")),
        value => Ok(value.to_owned()),
    }
}

fn server<T: AsMut<SharedOptions>>(
    target: &mut T,
    given: &OptionArg,
    parsed: Result<MailServer, &'static str>,
) -> Result<(), OptionError> {
    let server =
        parsed.map_err(|why| OptionError::Unusable(cannot_use(given, &redacted(given.value()), why)))?;
    mail(target).server = Some((given.name.clone(), server));
    Ok(())
}

/// `-s` and `-m` of crashmail, httpok and memmon.
pub(super) fn mailer_rows<T: AsMut<SharedOptions>>() -> Vec<OptionRow<T>> {
    vec![
        original(
            's',
            "sendmail_program",
            Takes::Value("COMMAND"),
            "a command line for sh that takes the mail on its standard input; \
             /usr/sbin/sendmail -t -i by default",
            set_sendmail,
        ),
        original(
            'm',
            "email",
            Takes::Value("ADDRESS"),
            "to whom; may be repeated, or a list with commas; without it no mail is sent",
            |target, given| mail(target).recipients.push(given.value().to_owned()),
        ),
    ]
}

/// The mail server of crashmail, httpok and memmon.
pub(super) fn server_rows<T: AsMut<SharedOptions>>() -> Vec<OptionRow<T>> {
    vec![
        ours(
            "smtp",
            Takes::Value("URL"),
            "send by this mail server instead: smtp://[USER@]HOST[:PORT], with STARTTLS where it is offered, \
             or smtps://[USER@]HOST[:PORT]",
            |target, given| server(target, given, MailServer::from_url(given.value())),
        ),
        ours(
            "from",
            Takes::Value("ADDRESS"),
            "the sender; with --smtp it is ironlance@ and this host's name by default",
            |target, given| {
                mail(target).from = Some(filled(given)?);
                Ok(())
            },
        ),
        ours("tls", Takes::Nothing, "with --smtp: no mail without TLS", set_tls),
    ]
}

/// Superlance's mail options of the batch mailers.
pub(super) fn batch_rows<T: AsMut<SharedOptions>>() -> Vec<OptionRow<T>> {
    vec![
        original(
            't',
            "toEmail",
            Takes::Value("LIST"),
            "to whom: addresses, with commas; must be given",
            |target, given| mail(target).recipients = vec![given.value().to_owned()],
        ),
        original('f', "fromEmail", Takes::Value("ADDRESS"), "from whom; must be given", |target, given| {
            mail(target).from = Some(given.value().to_owned());
        }),
        original(
            'H',
            "smtpHost",
            Takes::Value("HOST[:PORT]"),
            "the mail server, localhost by default; smtp://[USER@]HOST[:PORT] (STARTTLS where it is \
             offered) and smtps://... as well",
            |target, given| server(target, given, MailServer::from_host(given.value())),
        ),
        original(
            'u',
            "userName",
            Takes::Value("USER"),
            "the user name at the mail server",
            |target, given| mail(target).user = Some(given.value().to_owned()),
        ),
        original(
            'p',
            "password",
            Takes::Value("PASSWORD"),
            "the password for the mail server, which every user can see in ps: --password-file is better",
            |target, given| mail(target).password = Some(given.value().to_owned()),
        ),
        original(None, "tls", Takes::Nothing, "no mail without TLS", set_tls),
    ]
}

/// `--sendmail_program` of the batch mailers, whose `-s` is the subject.
pub(super) fn batch_sendmail_row<T: AsMut<SharedOptions>>() -> OptionRow<T> {
    ours(
        "sendmail_program",
        Takes::Value("COMMAND"),
        "send by this command line for sh instead, which takes the mail on its standard input",
        set_sendmail,
    )
}

/// The options that all six commands have.
pub(super) fn shared_rows<T: AsMut<SharedOptions>>() -> Vec<OptionRow<T>> {
    vec![
        ours(
            "password-file",
            Takes::Value("FILE"),
            "the password for the mail server is the first line of this file; else it is taken from \
             IRONLANCE_SMTP_PASSWORD in the environment, else from the systemd credential ironlance-smtp-password",
            |target, given| {
                mail(target).password_file = Some(filled(given)?.into());
                Ok(())
            },
        ),
        ours(
            "ca-file",
            Takes::Value("FILE"),
            "trust the certificate authorities in this PEM file too",
            |target, given| {
                mail(target).ca_file = Some(filled(given)?.into());
                Ok(())
            },
        ),
        ours(
            "body-only",
            Takes::Nothing,
            "the command takes what people read, not a mail: To, Subject, a blank line and the text, as in superlance; \
             sendemail, mail, mailx, mutt, curl and others are known by their names",
            |target, _| mail(target).body_only = true,
        ),
        ours("brief", Takes::Nothing, "leave out the Details below a message", |target, _| {
            mail(target).brief = true;
        }),
        ours(
            "test-alert",
            Takes::Nothing,
            "send one alert by what is configured, tell each step, and exit with 0 or 1",
            |target, _| mail(target).test_alert = true,
        ),
    ]
}

fn set_sendmail<T: AsMut<SharedOptions>>(target: &mut T, given: &OptionArg) {
    mail(target).sendmail = Some(given.clone());
}

fn set_tls<T: AsMut<SharedOptions>>(target: &mut T, _: &OptionArg) {
    mail(target).tls = TlsDemand::Required;
}
