//! The command line of the batch mailers, crashmailbatch, fatalmailbatch and crashsms: [`parse`] to [`Options`] with [`BatchOptions`].

use ironlance_core::cli::help::{CommandHelp, HelpPage};
use ironlance_core::cli::{OptionArg, optparse};
use ironlance_core::text::python::repr;

use super::destination::resolve_batch;
use super::mail_options::{batch_rows, batch_sendmail_row, shared_rows};
use super::option_error::{OptionError, ParserStyle, parsed};
use super::row::{OptionRow, help_row, original, ours};
use super::shared_options::{group_row, on_row, program_row};
use super::{Options, OptionsEnv, Parsed, number};
use crate::rule::batch::BatchMailer;

/// The characters of one short message in the GSM 7-bit alphabet (3GPP TS 23.038).
const SMS_LENGTH: usize = 160;

/// The options that a batch mailer alone has.
#[derive(Debug)]
pub struct BatchOptions {
    /// The minutes that a batch is collected.
    pub interval: f64,
    /// The event that is the clock, such as `TICK_60`, as the option that names it.
    tick: OptionArg,
    /// The seconds between two of these.
    pub tick_seconds: u64,
    /// The subject as superlance logs it: the given one, or else the command's own; crashsms has none. With an empty
    /// one the mail has no Subject header.
    pub subject: Option<String>,
    /// Maximum length of a short message, in GSM-7 characters.
    pub max_length: Option<usize>,
}

impl BatchOptions {
    /// The event that is the clock.
    pub fn tick_event(&self) -> &str {
        self.tick.value()
    }
}

impl Default for BatchOptions {
    fn default() -> Self {
        let tick = OptionArg { name: "--tickEvent".into(), value: Some("TICK_60".into()) };
        Self { interval: 1.0, tick, tick_seconds: 60, subject: None, max_length: None }
    }
}

const fn page(mailer: BatchMailer) -> &'static HelpPage {
    match mailer {
        BatchMailer::Crashmailbatch => &HelpPage {
            command: "crashmailbatch",
            operands: "",
            about: "An event listener of supervisord for PROCESS_STATE,TICK_60: collects the programs that exit \
                    unexpectedly, and mails about all of them once per interval.",
            example: "crashmailbatch -t ops@example.com -f supervisor@example.com -i 5",
        },
        BatchMailer::Fatalmailbatch => &HelpPage {
            command: "fatalmailbatch",
            operands: "",
            about: "An event listener of supervisord for PROCESS_STATE,TICK_60: collects the programs that could \
                    not be started, and mails about all of them once per interval.",
            example: "fatalmailbatch -t ops@example.com -f supervisor@example.com",
        },
        BatchMailer::Crashsms => &HelpPage {
            command: "crashsms",
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

fn rows(mailer: BatchMailer) -> Vec<OptionRow<Options<BatchOptions>>> {
    let mut rows: Vec<OptionRow<Options<BatchOptions>>> = vec![
        help_row(),
        original("-i, --interval MINUTES", "how long to collect, 1.0 by default", set_interval),
    ];
    rows.extend(batch_rows());
    rows.push(original("-s, --subject TEXT", "the subject", |options, given| {
        options.own.subject = Some(given.value().to_owned());
    }));
    rows.push(original(
        "-e, --tickEvent TICK_n",
        "the event that is the clock, TICK_60 by default; must be among events=",
        |options, given| options.own.tick = given.clone(),
    ));
    rows.push(program_row(
        "only these programs: NAME, GROUP:NAME or GROUP:*; a ! before it leaves these out; may be repeated",
    ));
    rows.push(group_row(
        "--group GROUP",
        "only the programs of this group; ! leaves it out; may be repeated",
    ));
    rows.push(on_row(on_help(mailer)));
    if mailer == BatchMailer::Crashsms {
        rows.push(ours(
            "--max-length[=N]",
            "cut the text to one short message: N characters of the GSM alphabet, 160 by default, or \
             70 of any other for each 160; what did not fit is counted",
            set_max_length,
        ));
    }
    rows.push(batch_sendmail_row());
    rows.extend(shared_rows());
    rows
}

fn set_interval(options: &mut Options<BatchOptions>, given: &OptionArg) -> Result<(), OptionError> {
    options.own.interval = number::float(given.value()).ok_or_else(|| {
        let value = repr(given.value());
        OptionError::UsageError(format!("option {}: invalid floating-point value: {value}", given.name))
    })?;
    Ok(())
}

fn set_max_length(options: &mut Options<BatchOptions>, given: &OptionArg) -> Result<(), OptionError> {
    let length = match &given.value {
        None => SMS_LENGTH,
        Some(text) => text
            .parse()
            .ok()
            .filter(|length| *length > 0)
            .ok_or_else(|| OptionError::value(given, "not a number of characters, at least 1"))?,
    };
    options.own.max_length = Some(length);
    Ok(())
}

/// Reads the arguments, without the command's name.
pub fn parse(
    mailer: BatchMailer,
    args: &[String],
    environment: &OptionsEnv<'_>,
) -> Parsed<Options<BatchOptions>> {
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
) -> Result<Options<BatchOptions>, OptionError> {
    let mut options = Options::<BatchOptions>::default();
    let ignored = optparse::parse(&rows(mailer), args, &mut options)?;
    let mut options = options.with_ignored(ignored);
    options.destination = resolve_batch(&options.mail, environment)?;
    options.triggers = options.triggers.or(mailer.default_trigger());
    let own = &mut options.own;
    let seconds = own.tick.value().strip_prefix("TICK_").and_then(|seconds| seconds.parse().ok());
    own.tick_seconds = seconds.ok_or_else(|| {
        OptionError::traceback(&own.tick, &format!("Invalid TICK event name: {}", own.tick.value()))
    })?;
    own.subject = own.subject.take().or(mailer.default_subject().map(str::to_owned));
    Ok(options)
}

#[cfg(test)]
mod tests;
