//! The command line of httpok: [`parse`] to [`HttpokOptions`].

use std::path::PathBuf;
use std::time::Duration;

use super::destination::{self, MailDestination};
use super::mail_options::{filled, mailer_rows, server_rows, shared_rows};
use super::option_error::{OptionError, OptionRow, ParserStyle, count, help_row, parsed};
use super::shared_options::{SharedOptions, group_row, remind_row, superlance_filter_rows};
use super::{OptionsEnv, Parsed, number};
use crate::rule::filter::ProcessFilter;
use crate::rule::http_restart::{Eagerness, MaxRestarts};
use crate::rule::reminder::RemindInterval;
use ironlance_core::cli::{
    OptionArg, Takes, getopt,
    help::{CommandHelp, HelpPage},
    table::{original, ours},
};
use ironlance_core::redact::redact;

/// The options of httpok.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpokOptions {
    /// The page; empty only together with `test_alert`.
    pub url: String,
    /// The programs to restart. With none named none is restarted; with `filter.any` all are.
    pub filter: ProcessFilter,
    /// Time limit for the whole check.
    pub timeout: Duration,
    /// The expected statuses; never empty.
    pub statuses: Vec<u16>,
    /// Text that the body must contain; never empty.
    pub in_body: Option<String>,
    /// The folder for cores of hung processes.
    pub core_dir: Option<PathBuf>,
    /// The command line that writes one, up to the file's name.
    pub gcore: String,
    /// Whether to check when no program is RUNNING.
    pub eagerness: Eagerness,
    /// A name for the subject.
    pub name: Option<String>,
    /// The mail transport and the recipients.
    pub destination: MailDestination,
    /// The failures in a row that it takes to act; at least 1.
    pub retries: u32,
    /// How long a program is left alone after its start.
    pub grace: Duration,
    /// How often a program may be restarted.
    pub max_restarts: Option<MaxRestarts>,
    /// The request.
    pub request: CheckRequest,
    /// Do not verify the page's certificate.
    pub insecure: bool,
    /// Certificate authorities to trust for the page, in addition to the system's.
    pub ca_file: Option<PathBuf>,
    /// Mail, and restart nothing.
    pub notify_only: bool,
    /// How long the same problem is not mailed again.
    pub remind: RemindInterval,
    /// Leave out the Details.
    pub brief: bool,
    /// Send one alert now and exit.
    pub test_alert: bool,
}

/// The request to the web server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckRequest {
    /// `GET`, or `POST` with data, by default.
    pub method: String,
    /// Names and values, in their order.
    pub headers: Vec<(String, String)>,
    /// The body; empty for none.
    pub data: String,
    /// The file whose first line is `USER:PASSWORD`.
    pub auth_file: Option<PathBuf>,
}

const PAGE: HelpPage = HelpPage {
    command: "httpok",
    original: "as in superlance",
    operands: " URL",
    about: "An event listener of supervisord for TICK_60: fetches URL, and restarts programs and mails when it does \
            not answer well. URL is http://..., https://..., or unix:/path/to.sock:/page for a socket. PATTERN is NAME, \
            GROUP:NAME or GROUP:*; a ! before it leaves these out.",
    example: "httpok -p shop:web -t 5 --retries 2 -m ops@example.com \\\nhttp://localhost:8080/health",
};

/// The values as given; `options` has those that need no resolving.
#[derive(Default)]
struct RawOptions {
    options: HttpokOptions,
    method: Option<String>,
    data: Option<String>,
    shared: SharedOptions,
}

impl Default for HttpokOptions {
    /// What superlance does without options.
    fn default() -> Self {
        Self {
            url: String::new(),
            filter: ProcessFilter::default(),
            timeout: Duration::from_secs(10),
            statuses: Vec::new(),
            in_body: None,
            core_dir: None,
            gcore: "/usr/bin/gcore -o".into(),
            eagerness: Eagerness::default(),
            name: None,
            destination: MailDestination::default(),
            retries: 1,
            grace: Duration::ZERO,
            max_restarts: None,
            request: CheckRequest::default(),
            insecure: false,
            ca_file: None,
            notify_only: false,
            remind: RemindInterval::default(),
            brief: false,
            test_alert: false,
        }
    }
}

impl AsMut<SharedOptions> for RawOptions {
    fn as_mut(&mut self) -> &mut SharedOptions {
        &mut self.shared
    }
}

fn rows() -> Vec<OptionRow<RawOptions>> {
    let mut rows = vec![help_row()];
    rows.extend(superlance_filter_rows(
        "restart these programs if they are RUNNING; may be repeated",
        "restart every RUNNING program but those left out, whatever -p says",
    ));
    rows.extend(check_rows());
    rows.extend(mailer_rows());
    rows.push(group_row(
        "restart the programs of this group if they are RUNNING; ! leaves it out; may be repeated",
    ));
    rows.extend(restraint_rows());
    rows.extend(request_rows());
    rows.extend(server_rows());
    rows.extend(shared_rows());
    rows
}

/// Superlance's options for the check and the restart.
fn check_rows() -> Vec<OptionRow<RawOptions>> {
    vec![
        original(
            't',
            "timeout",
            Takes::Value("SECONDS"),
            "for the whole check, 10 by default; a refused connection is tried again until then",
            set_timeout,
        ),
        original(
            'c',
            "code",
            Takes::Value("STATUS"),
            "an expected status, 200 by default; may be repeated",
            add_status,
        ),
        original('b', "body", Takes::Value("TEXT"), "must be in the body", |raw, given| {
            raw.options.in_body = Some(given.value().to_owned()).filter(|text| !text.is_empty());
        }),
        original(
            'g',
            "gcore",
            Takes::Value("COMMAND"),
            "what writes a core, given a file and a pid; /usr/bin/gcore -o by default",
            |raw, given| raw.options.gcore = given.value().to_owned(),
        ),
        original(
            'd',
            "coredir",
            Takes::Value("FOLDER"),
            "write a core of each hung process to this folder before it is restarted",
            |raw, given| {
                raw.options.core_dir = Some(given.value()).filter(|dir| !dir.is_empty()).map(PathBuf::from);
            },
        ),
        original(
            'e',
            "eager",
            Takes::Nothing,
            "check also when none of the programs is RUNNING; the default",
            |raw, _| raw.options.eagerness = Eagerness::Eager,
        ),
        original(
            'E',
            "not-eager",
            Takes::Nothing,
            "do not check when none of the programs is RUNNING",
            |raw, _| raw.options.eagerness = Eagerness::NotEager,
        ),
        original(
            'n',
            "name",
            Takes::Value("NAME"),
            "a name for the subject: httpok [NAME]: ...",
            |raw, given| raw.options.name = Some(given.value().to_owned()),
        ),
    ]
}

/// Our options that limit restarts and mails.
fn restraint_rows() -> Vec<OptionRow<RawOptions>> {
    vec![
        ours(
            "retries",
            Takes::Value("N"),
            "act after N failed checks in a row, 1 by default",
            |raw: &mut RawOptions, given| {
                raw.options.retries = count(given)?;
                Ok(())
            },
        ),
        ours(
            "grace",
            Takes::Value("TIME"),
            "leave programs alone for so long after their start (45, 45s, 2m, 1h)",
            |raw, given| {
                let error = || OptionError::value(given, "not a time such as 45, 45s, 2m or 1h");
                raw.options.grace = number::span(given.value()).ok_or_else(error)?;
                Ok(())
            },
        ),
        ours(
            "max-restarts",
            Takes::Value("N/TIME"),
            "restart a program at most N times in TIME (3/10m); beyond that only mail",
            set_max_restarts,
        ),
        ours("notify-only", Takes::Nothing, "mail, and restart nothing", |raw, _| {
            raw.options.notify_only = true;
        }),
        remind_row(),
    ]
}

/// Our options for the request.
fn request_rows() -> Vec<OptionRow<RawOptions>> {
    vec![
        ours(
            "header",
            Takes::Value("'NAME: VALUE'"),
            "send this header too; may be repeated",
            |raw: &mut RawOptions, given| {
                let header = header(given.value());
                raw.options
                    .request
                    .headers
                    .push(header.ok_or_else(|| OptionError::value(given, "not NAME: VALUE"))?);
                Ok(())
            },
        ),
        ours(
            "method",
            Takes::Value("METHOD"),
            "the request's method; GET, or POST with --data, by default",
            |raw, given| {
                if !is_token(given.value()) {
                    return Err(OptionError::value(given, "not a method such as GET or HEAD"));
                }
                raw.method = Some(given.value().to_owned());
                Ok(())
            },
        ),
        ours("data", Takes::Value("TEXT"), "the request's body", |raw, given| {
            raw.data = Some(given.value().to_owned());
        }),
        ours(
            "auth-file",
            Takes::Value("FILE"),
            "basic authentication: the first line of this file is USER:PASSWORD",
            |raw, given| {
                raw.options.request.auth_file = Some(filled(given)?.into());
                Ok(())
            },
        ),
        ours("insecure", Takes::Nothing, "do not verify the page's certificate", |raw, _| {
            raw.options.insecure = true;
        }),
    ]
}

fn set_timeout(raw: &mut RawOptions, given: &OptionArg) -> Result<(), OptionError> {
    let seconds = whole(given)?;
    let seconds = u32::try_from(seconds).ok().filter(|seconds| *seconds > 0);
    let seconds =
        seconds.ok_or_else(|| OptionError::traceback(given, "not a number of seconds, at least 1"))?;
    raw.options.timeout = Duration::from_secs(seconds.into());
    Ok(())
}

fn add_status(raw: &mut RawOptions, given: &OptionArg) -> Result<(), OptionError> {
    let status = u16::try_from(whole(given)?).ok().filter(|status| *status <= 999);
    raw.options
        .statuses
        .push(status.ok_or_else(|| OptionError::traceback(given, "not an HTTP status such as 200"))?);
    Ok(())
}

fn whole(given: &OptionArg) -> Result<i128, OptionError> {
    number::int(given.value()).ok_or_else(|| OptionError::traceback(given, "not a whole number"))
}

fn set_max_restarts(raw: &mut RawOptions, given: &OptionArg) -> Result<(), OptionError> {
    let parse = || {
        let (most, within) = given.value().split_once('/')?;
        let most = most.trim().parse().ok().filter(|most| *most > 0)?;
        let within = number::span(within).filter(|within| !within.is_zero())?;
        Some(MaxRestarts { most, within })
    };
    let max_restarts =
        parse().ok_or_else(|| OptionError::value(given, "not N/TIME such as 3/10m, both at least 1"))?;
    raw.options.max_restarts = Some(max_restarts);
    Ok(())
}

/// `NAME: VALUE`, valid as a field of a request (RFC 9110, 5.5).
fn header(text: &str) -> Option<(String, String)> {
    let (name, value) = text.split_once(':')?;
    let value = value.trim();
    let fits = is_token(name) && !value.chars().any(|c| c.is_control() && c != '\t');
    fits.then(|| (name.to_owned(), value.to_owned()))
}

/// RFC 9110, 5.6.2.
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// Reads the arguments, without the command's name.
pub fn parse(args: &[String], environment: &OptionsEnv<'_>) -> Parsed<HttpokOptions> {
    parsed(read(args, environment), ParserStyle::Getopt, PAGE.command, help)
}

/// The command's help.
pub fn help() -> CommandHelp {
    CommandHelp::of_listener(&PAGE, &rows())
}

fn read(args: &[String], environment: &OptionsEnv<'_>) -> Result<HttpokOptions, OptionError> {
    let rows = rows();
    let (hits, operands) = getopt::parse(&rows, args)?;
    if hits.iter().any(|hit| hit.row.long == "help") {
        return Err(OptionError::Help);
    }
    let is_test = hits.iter().any(|hit| hit.row.long == "test-alert");
    let url = match operands {
        [url] => url.clone(),
        [] if is_test => String::new(),
        [] => return Err(OptionError::UsageError("cannot check anything: the URL is missing".into())),
        [_, more, ..] => {
            return Err(OptionError::UsageError(format!(
                "cannot use the argument {:?}: one URL is enough",
                redact(more)
            )));
        }
    };
    let mut raw = RawOptions::default();
    getopt::apply(&hits, &mut raw)?;
    raw.resolve(url, environment)
}

impl RawOptions {
    fn resolve(self, url: String, environment: &OptionsEnv<'_>) -> Result<HttpokOptions, OptionError> {
        let Self { options, method, data, shared } = self;
        let default_method = if data.is_some() { "POST" } else { "GET" };
        Ok(HttpokOptions {
            url,
            filter: shared.filter.resolved(),
            statuses: if options.statuses.is_empty() { vec![200] } else { options.statuses },
            // As in superlance, an empty command disables cores.
            core_dir: options.core_dir.filter(|_| !options.gcore.is_empty()),
            destination: destination::resolve(&shared.mail, environment)?,
            request: CheckRequest {
                method: method.unwrap_or_else(|| default_method.to_owned()),
                data: data.unwrap_or_default(),
                ..options.request
            },
            ca_file: shared.mail.ca_file,
            remind: shared.remind,
            brief: shared.mail.brief,
            test_alert: shared.mail.test_alert,
            ..options
        })
    }
}

#[cfg(test)]
mod tests;
