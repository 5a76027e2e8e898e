//! One person with one supervisord: what every verb works with.

use std::io::{self, Write};
use std::time::Duration;

use ironlance_core::Namespec;
use ironlance_net::PersistentConnection;
use ironlance_rpc::{CallError, Client, FaultKind, ProcessInfo, Value};

use crate::error::{ConnectFailure, CtlError};
use crate::options::Options;
use crate::output::buffer::{OutputBuffer, TerminalInfo};
use crate::output::style;
use crate::selector;
use crate::struct_view::unexpected_answer;
use crate::terminal::interrupt::InterruptHandler;
use crate::terminal::line_reader::{LineEditor, LineReader};

/// The version of the interface that we speak.
const API_VERSION: &str = "3.0";
/// A supervisord that cannot say within this time which processes it has counts as none.
const LIST_TIMEOUT: Duration = Duration::from_secs(30);

/// A call to supervisord.
pub(crate) type CallFn<'a> = dyn FnMut(&str, &[Value]) -> Result<Value, CtlError> + 'a;

/// Statuses to end with: LSB's for init scripts, as far as the original uses them, and for `status`.
pub(crate) mod exit_status {
    /// Something went wrong.
    pub(crate) const GENERIC: u8 = 1;
    /// What was asked for makes no sense.
    pub(crate) const INVALID_ARGS: u8 = 2;
    /// Supervisord lacks what is needed.
    pub(crate) const UNIMPLEMENTED_FEATURE: u8 = 3;
    /// Supervisord refuses connections.
    pub(crate) const INSUFFICIENT_PRIVILEGES: u8 = 4;
    /// Supervisord is another version.
    pub(crate) const NOT_INSTALLED: u8 = 5;
    /// Supervisord or a program does not run.
    pub(crate) const NOT_RUNNING: u8 = 7;
    /// `status`: a program does not run.
    pub(crate) const STATUS_NOT_RUNNING: u8 = 3;
    /// `status`: nothing is known.
    pub(crate) const STATUS_UNKNOWN: u8 = 4;
}

/// What every verb works with.
pub(crate) struct Session {
    /// Whom we talk to, and as whom. Whoever changes them calls [`Session::disconnect`].
    pub(crate) options: Options,
    /// The status to end with, so far.
    pub(crate) status: u8,
    /// What is typed or piped in.
    pub(crate) input: LineReader,
    /// The person whose lines can be edited, if there is one.
    pub(crate) editor: Option<Box<dyn LineEditor>>,
    /// What ^C means.
    pub(crate) interrupts: InterruptHandler,
    output: OutputBuffer,
    connection: Option<(Client, PersistentConnection)>,
}

impl Session {
    /// A session that speaks to stdout.
    pub(crate) fn new(options: Options) -> Self {
        Self::writing_to(options, Box::new(io::stdout()))
    }

    /// A session that speaks to `out`.
    pub(crate) fn writing_to(options: Options, out: Box<dyn io::Write>) -> Self {
        Self {
            options,
            status: 0,
            input: LineReader::default(),
            editor: None,
            interrupts: InterruptHandler::default(),
            output: OutputBuffer::new(out),
            connection: None,
        }
    }

    /// Says a line. It goes out with the next call to supervisord, question or [`Session::flush`].
    pub(crate) fn print(&mut self, line: &str) {
        self.output.push(line.as_bytes());
        self.output.push(b"\n");
    }

    /// Says a line with names and words of strangers: a terminal obeys nothing that is in it.
    pub(crate) fn print_sanitized(&mut self, line: &str) {
        let line = style::sanitized(line, self.terminal());
        self.print(&line);
    }

    /// Says bytes as they are, without an end of line.
    pub(crate) fn print_bytes(&mut self, bytes: &[u8]) {
        self.output.push(bytes);
    }

    /// Sends out what was said. Call it before anything that takes time.
    pub(crate) fn flush(&mut self) {
        self.output.flush();
    }

    /// Whether what we say reaches nobody any more.
    pub(crate) const fn is_output_broken(&self) -> bool {
        self.output.failure().is_some()
    }

    /// Why what was said could not be written, if so.
    pub(crate) const fn output_error(&self) -> Option<&io::Error> {
        self.output.failure()
    }

    /// Says on stderr what has no room on stdout, as beside JSON.
    pub(crate) fn print_error(&mut self, line: &str) {
        self.flush();
        // A stderr that is gone leaves nobody to complain to.
        let _ = writeln!(io::stderr(), "{}", style::escape_controls(line));
    }

    /// Says to a person at a terminal whom a name that nobody has may mean.
    pub(crate) fn print_suggestion(&mut self, name: &str) {
        if let Some(line) = self.suggestion(name) {
            self.print(&line);
        }
    }

    /// The line that [`Session::print_suggestion`] would say.
    pub(crate) fn suggestion(&mut self, name: &str) -> Option<String> {
        if !self.terminal().is_terminal {
            return None;
        }
        // It is a kindness: who cannot tell is not asked why.
        let infos = self.all_process_info().ok()?;
        let all: Vec<Namespec> = infos.iter().map(ProcessInfo::namespec).collect();
        selector::suggestion(name, &all).map(|line| style::escape_controls(&line))
    }

    /// The processes that supervisord has.
    pub(crate) fn all_process_info(&mut self) -> Result<Vec<ProcessInfo>, CtlError> {
        let method = "supervisor.getAllProcessInfo";
        let Value::Array(infos) = self.call_within(Some(LIST_TIMEOUT), method, &[])? else {
            return Err(unexpected_answer(method, "the list"));
        };
        let read = |info| ProcessInfo::from_value(info).map_err(|error| CallError::from(error).into());
        infos.iter().map(read).collect()
    }

    /// `names` as verbs without patterns take them, see [`crate::selector::expand`]. Supervisord is asked only where there is a
    /// pattern.
    pub(crate) fn resolve(&mut self, names: &[&str]) -> Result<Vec<String>, CtlError> {
        if names.contains(&"all") || !names.iter().any(|name| selector::is_pattern(name)) {
            return Ok(names.iter().map(|name| (*name).to_owned()).collect());
        }
        let all: Vec<Namespec> = self.all_process_info()?.iter().map(ProcessInfo::namespec).collect();
        Ok(selector::expand(names, &all))
    }

    /// Says a line and notes the status to end with.
    pub(crate) fn fail(&mut self, status: u8, line: &str) {
        self.print_sanitized(line);
        self.status = status;
    }

    /// What stdout is.
    pub(crate) fn terminal(&self) -> TerminalInfo {
        TerminalInfo::of_stdout()
    }

    /// Supervisord, for calls and pages beside those of this session.
    pub(crate) fn client(&mut self) -> Result<Client, CtlError> {
        Ok(self.server()?.0.clone())
    }

    /// Calls a method, and waits for as long as supervisord takes.
    pub(crate) fn call(&mut self, method: &str, params: &[Value]) -> Result<Value, CtlError> {
        self.call_within(None, method, params)
    }

    /// The same, for at most so long.
    pub(crate) fn call_within(
        &mut self,
        timeout: Option<Duration>,
        method: &str,
        params: &[Value],
    ) -> Result<Value, CtlError> {
        self.flush();
        let (client, kept) = self.server()?;
        let answer = client.call_on(kept, method, params, timeout);
        answer.map_err(|error| CtlError::from_call(error, &self.options.serverurl))
    }

    /// Forgets the connection: other options count from the next call on.
    pub(crate) fn disconnect(&mut self) {
        self.connection = None;
    }

    fn server(&mut self) -> Result<&mut (Client, PersistentConnection), CtlError> {
        let server = match self.connection.take() {
            Some(server) => server,
            None => (client_for(&self.options)?, PersistentConnection::new()),
        };
        Ok(self.connection.insert(server))
    }

    /// Whether a supervisord of our version answers; if not, that is said and the status noted.
    pub(crate) fn check_server(&mut self) -> Result<bool, CtlError> {
        let error = match self.call("supervisor.getVersion", &[]) {
            Ok(Value::Str(version)) if version == API_VERSION => return Ok(true),
            Ok(version) => {
                let version = as_python_text(&version);
                self.fail(
                    exit_status::NOT_INSTALLED,
                    &format!(
                        "Sorry, this version of supervisorctl expects to talk to a server with API version \
                         {API_VERSION}, but the remote version is {version}."
                    ),
                );
                return Ok(false);
            }
            Err(error) => error,
        };
        if error.fault().is_some_and(|fault| fault.code == FaultKind::UnknownMethod.code()) {
            self.fail(
                exit_status::UNIMPLEMENTED_FEATURE,
                "Sorry, supervisord responded but did not recognize the supervisor namespace commands that \
                 supervisorctl uses to control it.  Please check that the [rpcinterface:supervisor] section is \
                 enabled in the configuration file (see sample.conf).",
            );
            return Ok(false);
        }
        let Some(absence) = error.connect_failure() else { return Err(error) };
        let code = match absence {
            ConnectFailure::Refused => exit_status::INSUFFICIENT_PRIVILEGES,
            ConnectFailure::NoSocket => exit_status::NOT_RUNNING,
        };
        let line = format!("{} {}", self.options.serverurl, absence.description());
        self.fail(code, &line);
        Ok(false)
    }

    /// Notes the status for a result of a verb; a kind in `ignored` leaves it as it is.
    pub(crate) fn note_result(&mut self, code: i64, ignored: Option<FaultKind>) {
        let is = |kind: FaultKind| kind.code() == code;
        let dead = [FaultKind::SpawnError, FaultKind::AbnormalTermination, FaultKind::NotRunning];
        if is(FaultKind::Success) || ignored.is_some_and(is) {
            return;
        }
        self.status = if dead.into_iter().any(is) { exit_status::NOT_RUNNING } else { exit_status::GENERIC };
    }
}

/// Whom to call, and as whom: credentials are given where there is a name and a password.
fn client_for(options: &Options) -> Result<Client, CtlError> {
    let url = &options.serverurl;
    if !(url.starts_with("http://") || url.starts_with("unix://")) {
        return Err(ironlance_rpc::client::EndpointError::Protocol(url.clone()).into());
    }
    let (username, password) = match (&options.username, &options.password) {
        (Some(username), Some(password)) => (Some(username.clone()), Some(password.clone())),
        _ => (None, None),
    };
    Ok(Client::new(url, username, password)?)
}

/// A value in an answer that should have been a text, as Python would show it where that is simple.
fn as_python_text(value: &Value) -> String {
    match value {
        Value::Str(text) | Value::DateTime(text) => text.clone(),
        Value::Int(number) => number.to_string(),
        Value::Double(number) => format!("{number:?}"),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Nil => "None".to_owned(),
        Value::Array(_) | Value::Struct(_) | Value::Base64(_) => "no text".to_owned(),
    }
}
