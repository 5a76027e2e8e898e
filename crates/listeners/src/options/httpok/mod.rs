//! The command line of httpok: [`parse`] to [`Options`] with [`HttpokOptions`].

use std::path::PathBuf;
use std::time::Duration;

use super::destination;
use super::mail_options::{mailer_rows, server_rows, shared_rows};
use super::option_error::{OptionError, ParserStyle, parsed};
use super::row::{OptionRow, count, filled, help_row, original, ours};
use super::shared_options::{group_row, remind_row, superlance_filter_rows};
use super::{Options, OptionsEnv, Parsed, number};
use crate::rule::http_restart::{Eagerness, MaxRestarts};
use ironlance_core::cli::help::{CommandHelp, HelpPage};
use ironlance_core::cli::{OptionArg, getopt};
use ironlance_core::redact::redact;

/// The options that httpok alone has.
#[derive(Debug)]
pub struct HttpokOptions {
    /// The page; empty only together with `--test-alert`.
    pub url: String,
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
    /// The failures in a row that it takes to act; at least 1.
    pub retries: u32,
    /// How long a program is left alone after its start.
    pub grace: Duration,
    /// How often a program may be restarted.
    pub max_restarts: Option<MaxRestarts>,
    method: Option<String>,
    /// Names and values of the request's headers, in their order.
    pub headers: Vec<(String, String)>,
    /// The request's body.
    pub data: Option<String>,
    /// The file whose first line is `USER:PASSWORD`.
    pub auth_file: Option<PathBuf>,
    /// Do not verify the page's certificate.
    pub insecure: bool,
    /// Certificate authorities to trust for the page, in addition to the system's.
    pub ca_file: Option<PathBuf>,
    /// Mail, and restart nothing.
    pub notify_only: bool,
}

const PAGE: HelpPage = HelpPage {
    command: "httpok",
    operands: " URL",
    about: "An event listener of supervisord for TICK_60: fetches URL, and restarts programs and mails when it does \
            not answer well. URL is http://..., https://..., or unix:/path/to.sock:/page for a socket. PATTERN is NAME, \
            GROUP:NAME or GROUP:*; a ! before it leaves these out.",
    example: "httpok -p shop:web -t 5 --retries 2 -m ops@example.com \\\nhttp://localhost:8080/health",
};

impl Default for HttpokOptions {
    /// What superlance does without options.
    fn default() -> Self {
        Self {
            url: String::new(),
            timeout: Duration::from_secs(10),
            statuses: Vec::new(),
            in_body: None,
            core_dir: None,
            gcore: "/usr/bin/gcore -o".into(),
            eagerness: Eagerness::default(),
            name: None,
            retries: 1,
            grace: Duration::ZERO,
            max_restarts: None,
            method: None,
            headers: Vec::new(),
            data: None,
            auth_file: None,
            insecure: false,
            ca_file: None,
            notify_only: false,
        }
    }
}

impl HttpokOptions {
    /// The request's method.
    pub fn method(&self) -> &str {
        self.method.as_deref().unwrap_or(if self.data.is_some() { "POST" } else { "GET" })
    }
}

type HttpokRow = OptionRow<Options<HttpokOptions>>;

fn rows() -> Vec<HttpokRow> {
    let mut rows = vec![help_row()];
    rows.extend(superlance_filter_rows(
        "restart these programs if they are RUNNING; may be repeated",
        "restart every RUNNING program but those left out, whatever -p says",
    ));
    rows.extend(check_rows());
    rows.extend(mailer_rows());
    rows.push(group_row(
        "--group GROUP",
        "restart the programs of this group if they are RUNNING; ! leaves it out; may be repeated",
    ));
    rows.extend(restraint_rows());
    rows.extend(request_rows());
    rows.extend(server_rows());
    rows.extend(shared_rows());
    rows
}

/// Superlance's options for the check and the restart.
fn check_rows() -> Vec<HttpokRow> {
    vec![
        original(
            "-t, --timeout SECONDS",
            "for the whole check, 10 by default; a refused connection is tried again until then",
            set_timeout,
        ),
        original("-c, --code STATUS", "an expected status, 200 by default; may be repeated", add_status),
        original("-b, --body TEXT", "must be in the body", |options, given| {
            options.own.in_body = Some(given.value().to_owned()).filter(|text| !text.is_empty());
        }),
        original(
            "-g, --gcore COMMAND",
            "what writes a core, given a file and a pid; /usr/bin/gcore -o by default",
            |options, given| options.own.gcore = given.value().to_owned(),
        ),
        original(
            "-d, --coredir FOLDER",
            "write a core of each hung process to this folder before it is restarted",
            |options, given| {
                options.own.core_dir = Some(given.value()).filter(|dir| !dir.is_empty()).map(PathBuf::from);
            },
        ),
        original(
            "-e, --eager",
            "check also when none of the programs is RUNNING; the default",
            |options, _| options.own.eagerness = Eagerness::Eager,
        ),
        original("-E, --not-eager", "do not check when none of the programs is RUNNING", |options, _| {
            options.own.eagerness = Eagerness::NotEager;
        }),
        original("-n, --name NAME", "a name for the subject: httpok [NAME]: ...", |options, given| {
            options.own.name = Some(given.value().to_owned());
        }),
    ]
}

/// Our options that limit restarts and mails.
fn restraint_rows() -> Vec<HttpokRow> {
    vec![
        ours("--retries N", "act after N failed checks in a row, 1 by default", |options, given| {
            count(given).map(|retries| options.own.retries = retries)
        }),
        ours(
            "--grace TIME",
            "leave programs alone for so long after their start (45, 45s, 2m, 1h)",
            |options, given| {
                let error = || OptionError::value(given, "not a time such as 45, 45s, 2m or 1h");
                options.own.grace = number::span(given.value()).ok_or_else(error)?;
                Ok(())
            },
        ),
        ours(
            "--max-restarts N/TIME",
            "restart a program at most N times in TIME (3/10m); beyond that only mail",
            set_max_restarts,
        ),
        ours("--notify-only", "mail, and restart nothing", |options, _| options.own.notify_only = true),
        remind_row(),
    ]
}

/// Our options for the request.
fn request_rows() -> Vec<HttpokRow> {
    vec![
        ours("--header 'NAME: VALUE'", "send this header too; may be repeated", |options, given| {
            let header = header(given.value());
            options.own.headers.push(header.ok_or_else(|| OptionError::value(given, "not NAME: VALUE"))?);
            Ok(())
        }),
        ours(
            "--method METHOD",
            "the request's method; GET, or POST with --data, by default",
            |options, given| {
                if !is_token(given.value()) {
                    return Err(OptionError::value(given, "not a method such as GET or HEAD"));
                }
                options.own.method = Some(given.value().to_owned());
                Ok(())
            },
        ),
        ours("--data TEXT", "the request's body", |options, given| {
            options.own.data = Some(given.value().to_owned());
        }),
        ours(
            "--auth-file FILE",
            "basic authentication: the first line of this file is USER:PASSWORD",
            |options, given| filled(given).map(|file| options.own.auth_file = Some(file.into())),
        ),
        ours("--insecure", "do not verify the page's certificate", |options, _| options.own.insecure = true),
    ]
}

fn set_timeout(options: &mut Options<HttpokOptions>, given: &OptionArg) -> Result<(), OptionError> {
    let seconds = whole(given)?;
    let seconds = u32::try_from(seconds).ok().filter(|seconds| *seconds > 0);
    let seconds =
        seconds.ok_or_else(|| OptionError::traceback(given, "not a number of seconds, at least 1"))?;
    options.own.timeout = Duration::from_secs(seconds.into());
    Ok(())
}

fn add_status(options: &mut Options<HttpokOptions>, given: &OptionArg) -> Result<(), OptionError> {
    let status = u16::try_from(whole(given)?).ok().filter(|status| *status <= 999);
    options
        .own
        .statuses
        .push(status.ok_or_else(|| OptionError::traceback(given, "not an HTTP status such as 200"))?);
    Ok(())
}

fn whole(given: &OptionArg) -> Result<i128, OptionError> {
    number::int(given.value()).ok_or_else(|| OptionError::traceback(given, "not a whole number"))
}

fn set_max_restarts(options: &mut Options<HttpokOptions>, given: &OptionArg) -> Result<(), OptionError> {
    let parse = || {
        let (most, within) = given.value().split_once('/')?;
        let most = most.trim().parse().ok().filter(|most| *most > 0)?;
        let within = number::span(within).filter(|within| !within.is_zero())?;
        Some(MaxRestarts { most, within })
    };
    let max_restarts =
        parse().ok_or_else(|| OptionError::value(given, "not N/TIME such as 3/10m, both at least 1"))?;
    options.own.max_restarts = Some(max_restarts);
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
pub fn parse(args: &[String], environment: &OptionsEnv<'_>) -> Parsed<Options<HttpokOptions>> {
    parsed(read(args, environment), ParserStyle::Getopt, PAGE.command, help)
}

/// The command's help.
pub fn help() -> CommandHelp {
    CommandHelp::of_listener(&PAGE, &rows())
}

fn read(args: &[String], environment: &OptionsEnv<'_>) -> Result<Options<HttpokOptions>, OptionError> {
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
    let mut options = Options::<HttpokOptions>::default();
    getopt::apply(&hits, &mut options)?;
    let mut options = options.with_ignored(Vec::new());
    let own = &mut options.own;
    own.url = url;
    if own.statuses.is_empty() {
        own.statuses.push(200);
    }
    // As in superlance, an empty command disables cores.
    own.core_dir = own.core_dir.take().filter(|_| !own.gcore.is_empty());
    own.ca_file.clone_from(&options.mail.ca_file);
    options.destination = destination::resolve(&options.mail, options.test_alert, environment)?;
    Ok(options)
}

#[cfg(test)]
mod tests;
