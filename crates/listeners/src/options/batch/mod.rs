//! The command line of the batch mailers, crashmailbatch, fatalmailbatch and crashsms: [`parse`] to [`BatchOptions`].

use ironlance_alert::Receiver;
use ironlance_core::text::python::repr;

use super::destination::resolve_batch;
use super::mail_options::{batch_rows, batch_sendmail_row, shared_rows};
use super::option_error::{OptionError, OptionRow, ParserStyle, help_row, parsed};
use super::shared_options::{SharedOptions, group_row, on_row, program_row};
use super::{OptionsEnv, Parsed, number};
use crate::rule::batch::{BatchInterval, BatchMailer};
use crate::rule::filter::ProcessFilter;
use crate::rule::trigger::Triggers;
use ironlance_core::cli::{
    OptionArg, Takes,
    help::{CommandHelp, HelpPage},
    optparse,
    table::{original, ours},
};

/// The characters of one short message in the GSM 7-bit alphabet (3GPP TS 23.038).
const SMS_LENGTH: usize = 160;

/// The options of a batch mailer.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchOptions {
    /// The programs; with none named, all but the excluded ones.
    pub filter: ProcessFilter,
    /// The state changes that make an entry.
    pub triggers: Triggers,
    /// How long a batch is collected.
    pub interval: BatchInterval,
    /// The event that is the clock, such as `TICK_60`.
    pub tick_event: String,
    /// The seconds between two of these.
    pub tick_seconds: u64,
    /// The subject as superlance logs it: the given one, or else the command's own; crashsms has none. With an empty
    /// one the mail has no Subject header.
    pub subject: Option<String>,
    /// Maximum length of a short message, in GSM-7 characters.
    pub max_length: Option<usize>,
    /// The mail transport, the sender and the recipients.
    pub receiver: Receiver,
    /// Leave out the Details.
    pub brief: bool,
    /// Send one alert now and exit.
    pub test_alert: bool,
    /// Arguments that are no options. Superlance ignores them silently.
    pub ignored: Vec<String>,
}

const fn page(mailer: BatchMailer) -> &'static HelpPage {
    match mailer {
        BatchMailer::Crashmailbatch => &HelpPage {
            command: "crashmailbatch",
            original: "as in superlance",
            operands: "",
            about: "An event listener of supervisord for PROCESS_STATE,TICK_60: collects the programs that exit \
                    unexpectedly, and mails about all of them once per interval.",
            example: "crashmailbatch -t ops@example.com -f supervisor@example.com -i 5",
        },
        BatchMailer::Fatalmailbatch => &HelpPage {
            command: "fatalmailbatch",
            original: "as in superlance",
            operands: "",
            about: "An event listener of supervisord for PROCESS_STATE,TICK_60: collects the programs that could \
                    not be started, and mails about all of them once per interval.",
            example: "fatalmailbatch -t ops@example.com -f supervisor@example.com",
        },
        BatchMailer::Crashsms => &HelpPage {
            command: "crashsms",
            original: "as in superlance",
            operands: "",
            about: "An event listener of supervisord for PROCESS_STATE,TICK_60: collects the programs that exit \
                    unexpectedly, and sends a short message about them once per interval, by a provider that \
                    takes mail.",
            example: "crashsms -t 1234567890@sms.example.com -f supervisor@example.com \\\n-e TICK_5 --max-length",
        },
    }
}

const fn on_help(mailer: BatchMailer) -> &'static str {
    match mailer {
        BatchMailer::Crashmailbatch | BatchMailer::Crashsms => {
            "what counts, with commas: exited (unexpectedly; the default), expected (exits), fatal, backoff, \
             stopped, stopping, starting, running, unknown"
        }
        BatchMailer::Fatalmailbatch => {
            "what counts, with commas: fatal (the default), exited (unexpectedly), expected (exits), backoff, \
             stopped, stopping, starting, running, unknown"
        }
    }
}

struct RawOptions {
    interval: f64,
    tick: OptionArg,
    subject: Option<String>,
    max_length: Option<usize>,
    shared: SharedOptions,
}

impl Default for RawOptions {
    fn default() -> Self {
        Self {
            interval: 1.0,
            tick: OptionArg { name: "--tickEvent".into(), value: Some("TICK_60".into()) },
            subject: None,
            max_length: None,
            shared: SharedOptions::default(),
        }
    }
}

impl AsMut<SharedOptions> for RawOptions {
    fn as_mut(&mut self) -> &mut SharedOptions {
        &mut self.shared
    }
}

fn rows(mailer: BatchMailer) -> Vec<OptionRow<RawOptions>> {
    let mut rows = vec![
        help_row(),
        original(
            'i',
            "interval",
            Takes::Value("MINUTES"),
            "how long to collect, 1.0 by default",
            |raw: &mut RawOptions, given| {
                raw.interval = number::float(given.value()).ok_or_else(|| {
                    let value = repr(given.value());
                    OptionError::UsageError(format!(
                        "option {}: invalid floating-point value: {value}",
                        given.name
                    ))
                })?;
                Ok(())
            },
        ),
    ];
    rows.extend(batch_rows());
    rows.push(original('s', "subject", Takes::Value("TEXT"), "the subject", |raw, given| {
        raw.subject = Some(given.value().to_owned());
    }));
    rows.push(original(
        'e',
        "tickEvent",
        Takes::Value("TICK_n"),
        "the event that is the clock, TICK_60 by default; must be among events=",
        |raw, given| raw.tick = given.clone(),
    ));
    rows.push(program_row(
        "only these programs: NAME, GROUP:NAME or GROUP:*; a ! before it leaves these out; may be repeated",
    ));
    rows.push(group_row("only the programs of this group; ! leaves it out; may be repeated"));
    rows.push(on_row(on_help(mailer)));
    if mailer == BatchMailer::Crashsms {
        rows.push(ours(
            "max-length",
            Takes::OptionalNumber("N"),
            "cut the text to one short message: N characters of the GSM alphabet, 160 by default, or \
             70 of any other for each 160; what did not fit is counted",
            set_max_length,
        ));
    }
    rows.push(batch_sendmail_row());
    rows.extend(shared_rows());
    rows
}

fn set_max_length(raw: &mut RawOptions, given: &OptionArg) -> Result<(), OptionError> {
    let length = match &given.value {
        None => SMS_LENGTH,
        Some(text) => text
            .parse()
            .ok()
            .filter(|length| *length > 0)
            .ok_or_else(|| OptionError::value(given, "not a number of characters, at least 1"))?,
    };
    raw.max_length = Some(length);
    Ok(())
}

/// Reads the arguments, without the command's name.
pub fn parse(mailer: BatchMailer, args: &[String], environment: &OptionsEnv<'_>) -> Parsed<BatchOptions> {
    parsed(read(mailer, args, environment), ParserStyle::Optparse, mailer.name(), || help(mailer))
}

/// The help of the command.
pub fn help(mailer: BatchMailer) -> CommandHelp {
    CommandHelp::of_listener(page(mailer), &rows(mailer))
}

fn read(
    mailer: BatchMailer,
    args: &[String],
    environment: &OptionsEnv<'_>,
) -> Result<BatchOptions, OptionError> {
    let mut raw = RawOptions::default();
    let ignored = optparse::parse(&rows(mailer), args, &mut raw)?;
    let receiver = resolve_batch(&raw.shared.mail, environment)?;
    let tick_event = raw.tick.value().to_owned();
    let seconds = tick_event.strip_prefix("TICK_").and_then(|seconds| seconds.parse().ok());
    let tick_seconds = seconds.ok_or_else(|| {
        OptionError::traceback(&raw.tick, &format!("Invalid TICK event name: {}", raw.tick.value()))
    })?;
    Ok(BatchOptions {
        filter: raw.shared.filter.resolved(),
        triggers: raw.shared.triggers.or(mailer.default_trigger()),
        interval: BatchInterval(raw.interval),
        tick_event,
        tick_seconds,
        subject: raw.subject.or(mailer.default_subject().map(str::to_owned)),
        max_length: raw.max_length,
        receiver,
        brief: raw.shared.mail.brief,
        test_alert: raw.shared.mail.test_alert,
        ignored,
    })
}

#[cfg(test)]
mod tests;
