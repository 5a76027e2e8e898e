//! The rows of the options about mails, for all six commands. They fill the [`Options`]; `destination` resolves them.

use super::option_error::{OptionError, cannot_use};
use super::row::{OptionRow, filled, original, ours};
use super::shared_options::Options;
use ironlance_alert::mail_server::MailServer;
use ironlance_core::cli::OptionArg;
use ironlance_core::redact::redact_mail_server;

fn set_server<O>(
    options: &mut Options<O>,
    given: &OptionArg,
    parsed: Result<MailServer, &'static str>,
) -> Result<(), OptionError> {
    let server = parsed
        .map_err(|why| OptionError::Unusable(cannot_use(given, &redact_mail_server(given.value()), why)))?;
    options.mail.server = Some((given.name.clone(), server));
    Ok(())
}

/// `-s` and `-m` of crashmail, httpok and memmon.
pub(super) fn mailer_rows<O>() -> Vec<OptionRow<Options<O>>> {
    vec![
        original(
            "-s, --sendmail_program COMMAND",
            "a command line for sh that takes the mail on its standard input; \
             /usr/sbin/sendmail -t -i by default",
            set_sendmail,
        ),
        original(
            "-m, --email ADDRESS",
            "to whom; may be repeated, or a list with commas; without it no mail is sent",
            |options, given| options.mail.recipients.push(given.value().to_owned()),
        ),
    ]
}

/// The mail server of crashmail, httpok and memmon.
pub(super) fn server_rows<O>() -> Vec<OptionRow<Options<O>>> {
    vec![
        ours(
            "--smtp URL",
            "send by this mail server instead: smtp://[USER@]HOST[:PORT], with STARTTLS where it is offered, \
             or smtps://[USER@]HOST[:PORT]",
            |options, given| set_server(options, given, MailServer::from_url(given.value())),
        ),
        ours(
            "--from ADDRESS",
            "the sender; with --smtp it is ironlance@ and this host's name by default",
            |options, given| filled(given).map(|from| options.mail.from = Some(from)),
        ),
        ours("--tls", "with --smtp: no mail without TLS", set_tls),
    ]
}

/// Superlance's mail options of the batch mailers.
pub(super) fn batch_rows<O>() -> Vec<OptionRow<Options<O>>> {
    vec![
        original("-t, --toEmail LIST", "to whom: addresses, with commas; must be given", |options, given| {
            options.mail.recipients = vec![given.value().to_owned()];
        }),
        original("-f, --fromEmail ADDRESS", "from whom; must be given", |options, given| {
            options.mail.from = Some(given.value().to_owned());
        }),
        original(
            "-H, --smtpHost HOST[:PORT]",
            "the mail server, localhost by default; smtp://[USER@]HOST[:PORT] (STARTTLS where it is \
             offered) and smtps://... as well",
            |options, given| set_server(options, given, MailServer::from_host(given.value())),
        ),
        original("-u, --userName USER", "the user name at the mail server", |options, given| {
            options.mail.user = Some(given.value().to_owned());
        }),
        original(
            "-p, --password PASSWORD",
            "the password for the mail server, which every user can see in ps: --password-file is better",
            |options, given| options.mail.password = Some(given.value().to_owned()),
        ),
        original("--tls", "no mail without TLS", set_tls),
    ]
}

/// `--sendmail_program` of the batch mailers, whose `-s` is the subject.
pub(super) fn batch_sendmail_row<O>() -> OptionRow<Options<O>> {
    ours(
        "--sendmail_program COMMAND",
        "send by this command line for sh instead, which takes the mail on its standard input",
        set_sendmail,
    )
}

/// The options that all six commands have.
pub(super) fn shared_rows<O>() -> Vec<OptionRow<Options<O>>> {
    vec![
        ours(
            "--password-file FILE",
            "the password for the mail server is the first line of this file; else it is taken from \
             IRONLANCE_SMTP_PASSWORD in the environment, else from the systemd credential ironlance-smtp-password",
            |options, given| filled(given).map(|file| options.mail.password_file = Some(file.into())),
        ),
        ours("--ca-file FILE", "trust the certificate authorities in this PEM file too", |options, given| {
            filled(given).map(|file| options.mail.ca_file = Some(file.into()))
        }),
        ours(
            "--body-only",
            "the command takes what people read, not a mail: To, Subject, a blank line and the text, as in superlance; \
             sendemail, mail, mailx, mutt, curl and others are known by their names",
            |options, _| options.mail.body_only = true,
        ),
        ours("--brief", "leave out the Details below a message", |options, _| options.brief = true),
        ours(
            "--test-alert",
            "send one alert by what is configured, tell each step, and exit with 0 or 1",
            |options, _| options.test_alert = true,
        ),
    ]
}

fn set_sendmail<O>(options: &mut Options<O>, given: &OptionArg) {
    options.mail.sendmail = Some(given.clone());
}

fn set_tls<O>(options: &mut Options<O>, _: &OptionArg) {
    options.mail.tls = true;
}
