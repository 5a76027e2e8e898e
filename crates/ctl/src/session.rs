//! The session that every verb works with: options, output, input, exit status, and the connection to one supervisord.

use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use ironlance_core::Namespec;
use ironlance_net::PersistentConnection;
use ironlance_rpc::api::StructError;
use ironlance_rpc::{CallError, Client, FaultKind, ProcessInfo, Record, Value};

use crate::error::{ConnectFailure, CtlError};
use crate::options::Options;
use crate::output::buffer::{OutputBuffer, TerminalInfo};
use crate::output::style;
use crate::selector;
use crate::terminal::interrupt::{InterruptGuard, InterruptHandler};
use crate::terminal::line_reader::{LineEditor, LineReader};

/// The version of the XML-RPC interface.
const API_VERSION: &str = "3.0";
/// The time limit for the list of processes.
const LIST_TIMEOUT: Duration = Duration::from_secs(30);

/// What most verbs print when supervisord stops.
pub(crate) const SHUTTING_DOWN: (FaultKind, &str) =
    (FaultKind::ShutdownState, "ERROR: supervisor shutting down");

/// Calls a method of supervisord.
pub(crate) type CallFn<'a> = dyn FnMut(&str, &[Value]) -> Result<Value, CtlError> + 'a;

/// Exit statuses: those of LSB init scripts that the original uses, and those of `status`.
pub(crate) mod exit_status {
    /// Any other failure.
    pub(crate) const GENERIC: u8 = 1;
    /// Invalid arguments.
    pub(crate) const INVALID_ARGS: u8 = 2;
    /// Supervisord lacks the feature.
    pub(crate) const UNIMPLEMENTED_FEATURE: u8 = 3;
    /// Supervisord refuses connections.
    pub(crate) const INSUFFICIENT_PRIVILEGES: u8 = 4;
    /// Supervisord has another API version.
    pub(crate) const NOT_INSTALLED: u8 = 5;
    /// Supervisord or a program does not run.
    pub(crate) const NOT_RUNNING: u8 = 7;
    /// `status`: a program does not run.
    pub(crate) const STATUS_NOT_RUNNING: u8 = 3;
    /// `status`: unknown.
    pub(crate) const STATUS_UNKNOWN: u8 = 4;
}

/// One user with one supervisord.
pub(crate) struct Session {
    /// Supervisord's address and the credentials. After a change, call [`Session::disconnect`].
    pub(crate) options: Options,
    /// The exit status so far.
    pub(crate) status: u8,
    /// Lines from stdin.
    pub(crate) input: LineReader,
    /// The line editor, on a terminal.
    pub(crate) editor: Option<Box<dyn LineEditor>>,
    /// Handling of ^C.
    pub(crate) interrupts: InterruptHandler,
    output: OutputBuffer,
    connection: Option<(Client, PersistentConnection)>,
}

impl Session {
    /// A session that prints to stdout.
    pub(crate) fn new(options: Options) -> Self {
        Self::writing_to(options, Box::new(io::stdout()))
    }

    /// A session that prints to `out`.
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

    /// Prints a line. It is written with the next call to supervisord, prompt or [`Session::flush`].
    pub(crate) fn print(&mut self, line: &str) {
        self.output.push(line.as_bytes());
        self.output.push(b"\n");
    }

    /// Prints a line with text from outside: on a terminal, control characters are escaped.
    pub(crate) fn print_sanitized(&mut self, line: &str) {
        let line = style::sanitized(line, self.terminal());
        self.print(&line);
    }

    /// Prints bytes unchanged, without a newline.
    pub(crate) fn print_bytes(&mut self, bytes: &[u8]) {
        self.output.push(bytes);
    }

    /// Writes the buffered output. Call it before anything that takes time.
    pub(crate) fn flush(&mut self) {
        self.output.flush();
    }

    /// The error of writing to stdout, if it failed.
    pub(crate) const fn output_error(&self) -> Option<&io::Error> {
        self.output.failure()
    }

    /// Prints a line to stderr, for what does not fit on stdout, as beside JSON.
    pub(crate) fn print_error(&mut self, line: &str) {
        self.flush();
        // A closed stderr cannot be reported anywhere.
        let _ = writeln!(io::stderr(), "{}", style::escape_controls(line));
    }

    /// On a terminal, prints similar names for a name that no process has.
    pub(crate) fn print_suggestion(&mut self, name: &str) {
        if let Some(line) = self.suggestion(name) {
            self.print(&line);
        }
    }

    /// The line that [`Session::print_suggestion`] would print.
    pub(crate) fn suggestion(&mut self, name: &str) -> Option<String> {
        if !self.terminal().is_terminal {
            return None;
        }
        // Optional help: an error here is not reported.
        let infos = self.all_process_info_soon().ok()?;
        let all: Vec<Namespec> = infos.iter().map(ProcessInfo::namespec).collect();
        selector::suggestion(name, &all).map(|line| style::escape_controls(&line))
    }

    /// All processes, in supervisord's order.
    pub(crate) fn all_process_info(&mut self) -> Result<Vec<ProcessInfo>, CtlError> {
        all_process_info(&mut self.caller())
    }

    /// The same with a short time limit, for what is only help or progress.
    pub(crate) fn all_process_info_soon(&mut self) -> Result<Vec<ProcessInfo>, CtlError> {
        all_process_info(&mut |method, params| self.call_within(Some(LIST_TIMEOUT), method, params))
    }

    /// Replaces patterns by the names they match, see [`crate::selector::expand`]. Calls supervisord only where there is a
    /// pattern.
    pub(crate) fn resolve(&mut self, names: &[&str]) -> Result<Vec<String>, CtlError> {
        if names.contains(&"all") || !names.iter().any(|name| selector::is_pattern(name)) {
            return Ok(names.iter().map(|name| (*name).to_owned()).collect());
        }
        let all: Vec<Namespec> = self.all_process_info_soon()?.iter().map(ProcessInfo::namespec).collect();
        Ok(selector::expand(names, &all))
    }

    /// Prints a line and sets the exit status.
    pub(crate) fn fail(&mut self, status: u8, line: &str) {
        self.print_sanitized(line);
        self.status = status;
    }

    /// Fails with the line for the fault; returns an error that has none.
    pub(crate) fn fail_by_fault(
        &mut self,
        error: CtlError,
        lines: &[(FaultKind, &str)],
    ) -> Result<(), CtlError> {
        let Some((_, line)) = lines.iter().find(|(kind, _)| error.is_fault(*kind)) else { return Err(error) };
        self.fail(exit_status::GENERIC, line);
        Ok(())
    }

    /// The properties of stdout.
    pub(crate) fn terminal(&self) -> TerminalInfo {
        TerminalInfo::of_stdout()
    }

    /// Redirects ^C: while the guard lives, it makes the socket readable.
    pub(crate) fn catch_interrupts(&mut self) -> Result<(InterruptGuard, UnixStream), CtlError> {
        self.interrupts.catch().map_err(|reason| CtlError::System { what: "watch for ^C", reason })
    }

    /// A client for calls and pages beside those of this session.
    pub(crate) fn client(&mut self) -> Result<Client, CtlError> {
        Ok(self.server()?.0.clone())
    }

    /// Calls a method without a time limit.
    pub(crate) fn call(&mut self, method: &str, params: &[Value]) -> Result<Value, CtlError> {
        self.call_within(None, method, params)
    }

    /// Calls a method with a time limit.
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

    /// [`Session::call`] as a function.
    pub(crate) fn caller(&mut self) -> impl FnMut(&str, &[Value]) -> Result<Value, CtlError> {
        |method, params| self.call(method, params)
    }

    /// A process by its name.
    pub(crate) fn process_info(&mut self, name: &str) -> Result<ProcessInfo, CtlError> {
        let method = "supervisor.getProcessInfo";
        let info = self.call(method, &[name.into()])?;
        Ok(ProcessInfo::from_value(info).map_err(CallError::unreadable(method))?)
    }

    /// Closes the connection; the next call uses the current options.
    pub(crate) fn disconnect(&mut self) {
        self.connection = None;
    }

    fn server(&mut self) -> Result<&mut (Client, PersistentConnection), CtlError> {
        let server = match self.connection.take() {
            Some(server) => server,
            None => (client_for(&self.options)?, PersistentConnection::default()),
        };
        Ok(self.connection.insert(server))
    }

    /// Whether a supervisord of this API version answers; otherwise prints why not and sets the exit status.
    pub(crate) fn check_server(&mut self) -> Result<bool, CtlError> {
        match self.call("supervisor.getVersion", &[]) {
            Ok(Value::Str(version)) if version == API_VERSION => return Ok(true),
            Ok(version) => {
                let line = format!(
                    "Sorry, this version of supervisorctl expects to talk to a server with API version \
                     {API_VERSION}, but the remote version is {}.",
                    as_python_text(&version)
                );
                self.fail(exit_status::NOT_INSTALLED, &line);
            }
            Err(error) if error.is_fault(FaultKind::UnknownMethod) => self.fail(
                exit_status::UNIMPLEMENTED_FEATURE,
                "Sorry, supervisord responded but did not recognize the supervisor namespace commands that \
                 supervisorctl uses to control it.  Please check that the [rpcinterface:supervisor] section is \
                 enabled in the configuration file (see sample.conf).",
            ),
            Err(error) => {
                let Some(absence) = error.connect_failure() else { return Err(error) };
                let code = match absence {
                    ConnectFailure::Refused => exit_status::INSUFFICIENT_PRIVILEGES,
                    ConnectFailure::NoSocket => exit_status::NOT_RUNNING,
                };
                let line = format!("{} {}", self.options.serverurl, absence.description());
                self.fail(code, &line);
            }
        }
        Ok(false)
    }

    /// Sets the exit status for the result code of a call; success and `ignored` leave it unchanged.
    pub(crate) fn note_result(&mut self, code: i64, ignored: Option<FaultKind>) {
        let is = |kind: FaultKind| kind.code() == code;
        let dead = [FaultKind::SpawnError, FaultKind::AbnormalTermination, FaultKind::NotRunning];
        if is(FaultKind::Success) || ignored.is_some_and(is) {
            return;
        }
        self.status = if dead.into_iter().any(is) { exit_status::NOT_RUNNING } else { exit_status::GENERIC };
    }
}

/// All processes, in supervisord's order.
pub(crate) fn all_process_info(call: &mut CallFn<'_>) -> Result<Vec<ProcessInfo>, CtlError> {
    let method = "supervisor.getAllProcessInfo";
    Ok(ProcessInfo::list_from_value(call(method, &[])?).map_err(CallError::unreadable(method))?)
}

/// Calls a method of ironlance's own and reads its answer; `None` from a supervisord without it.
pub(crate) fn call_extension<T>(
    call: &mut CallFn<'_>,
    method: &str,
    params: &[Value],
    read: fn(Value) -> Result<T, StructError>,
) -> Result<Option<T>, CtlError> {
    match call(method, params) {
        Err(error) if error.is_fault(FaultKind::UnknownMethod) => Ok(None),
        answer => Ok(Some(read(answer?).map_err(CallError::unreadable(method))?)),
    }
}

/// A client for the options; credentials are sent only where both name and password are set.
fn client_for(options: &Options) -> Result<Client, CtlError> {
    let url = &options.serverurl;
    if !(url.starts_with("http://") || url.starts_with("unix://")) {
        return Err(ironlance_rpc::client::EndpointError::Protocol(url.clone()).into());
    }
    let (username, password) = options.username.clone().zip(options.password.clone()).unzip();
    Ok(Client::new(url, username, password)?)
}

/// A value that should have been a string, as Python would print it where that is simple.
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
