//! One person with one supervisord: what every verb works with.

use std::io::{self, Write};
use std::time::Duration;

use ironlance_core::Namespec;
use ironlance_net::PersistentConnection;
use ironlance_rpc::{CallError, Client, FaultKind, ProcessInfo, Value};

use crate::input::{Edits, Input};
use crate::interrupt::Interrupts;
use crate::options::Options;
use crate::paint;
use crate::pattern;
use crate::record::lacking;
use crate::screen::{Screen, Terminal};
use crate::trouble::{Absence, Trouble};

/// The version of the interface that we speak.
const API_VERSION: &str = "3.0";
/// A supervisord that cannot say within this time which processes it has counts as none.
const PROMPT: Duration = Duration::from_secs(30);

/// A call to supervisord.
pub(crate) type Ask<'a> = dyn FnMut(&str, &[Value]) -> Result<Value, Trouble> + 'a;

/// Statuses to end with: LSB's for init scripts, as far as the original uses them, and for `status`.
pub(crate) mod status {
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
    /// Whom we talk to, and as whom. Whoever changes them calls [`Session::hang_up`].
    pub(crate) options: Options,
    /// The status to end with, so far.
    pub(crate) status: u8,
    /// What is typed or piped in.
    pub(crate) input: Input,
    /// The person whose lines can be edited, if there is one.
    pub(crate) editor: Option<Box<dyn Edits>>,
    /// What ^C means.
    pub(crate) interrupts: Interrupts,
    screen: Screen,
    server: Option<(Client, PersistentConnection)>,
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
            input: Input::default(),
            editor: None,
            interrupts: Interrupts::default(),
            screen: Screen::new(out),
            server: None,
        }
    }

    /// Says a line. It goes out with the next call to supervisord, question or [`Session::flush`].
    pub(crate) fn say(&mut self, line: &str) {
        self.screen.push(line.as_bytes());
        self.screen.push(b"\n");
    }

    /// Says a line with names and words of strangers: a terminal obeys nothing that is in it.
    pub(crate) fn tell(&mut self, line: &str) {
        let line = paint::shown(line, self.terminal());
        self.say(&line);
    }

    /// Says bytes as they are, without an end of line.
    pub(crate) fn say_bytes(&mut self, bytes: &[u8]) {
        self.screen.push(bytes);
    }

    /// Sends out what was said. Call it before anything that takes time.
    pub(crate) fn flush(&mut self) {
        self.screen.flush();
    }

    /// Whether what we say reaches nobody any more.
    pub(crate) const fn is_unheard(&self) -> bool {
        self.screen.failure().is_some()
    }

    /// Why what was said could not be written, if so.
    pub(crate) const fn loss(&self) -> Option<&io::Error> {
        self.screen.failure()
    }

    /// Says on stderr what has no room on stdout, as beside JSON.
    pub(crate) fn complain(&mut self, line: &str) {
        self.flush();
        // A stderr that is gone leaves nobody to complain to.
        let _ = writeln!(io::stderr(), "{}", paint::escape_controls(line));
    }

    /// Says to a person at a terminal whom a name that nobody has may mean.
    pub(crate) fn suggest(&mut self, name: &str) {
        if let Some(line) = self.suggestion(name) {
            self.say(&line);
        }
    }

    /// The line that [`Session::suggest`] would say.
    pub(crate) fn suggestion(&mut self, name: &str) -> Option<String> {
        if !self.terminal().is_terminal {
            return None;
        }
        // It is a kindness: who cannot tell is not asked why.
        let infos = self.all_process_info().ok()?;
        let all: Vec<Namespec> = infos.iter().map(ProcessInfo::namespec).collect();
        pattern::suggestion(name, &all).map(|line| paint::escape_controls(&line))
    }

    /// The processes that supervisord has.
    pub(crate) fn all_process_info(&mut self) -> Result<Vec<ProcessInfo>, Trouble> {
        let method = "supervisor.getAllProcessInfo";
        let Value::Array(infos) = self.call_within(Some(PROMPT), method, &[])? else {
            return Err(lacking(method, "the list"));
        };
        let read = |info| ProcessInfo::from_value(info).map_err(|error| CallError::from(error).into());
        infos.iter().map(read).collect()
    }

    /// `names` as verbs without patterns take them, see [`pattern::expand`]. Supervisord is asked only where there is a
    /// pattern.
    pub(crate) fn resolve(&mut self, names: &[&str]) -> Result<Vec<String>, Trouble> {
        if names.contains(&"all") || !names.iter().any(|name| pattern::is_pattern(name)) {
            return Ok(names.iter().map(|name| (*name).to_owned()).collect());
        }
        let all: Vec<Namespec> = self.all_process_info()?.iter().map(ProcessInfo::namespec).collect();
        Ok(pattern::expand(names, &all))
    }

    /// Says a line and notes the status to end with.
    pub(crate) fn refuse(&mut self, status: u8, line: &str) {
        self.tell(line);
        self.status = status;
    }

    /// What stdout is.
    pub(crate) fn terminal(&self) -> Terminal {
        Terminal::of_stdout()
    }

    /// Supervisord, for calls and pages beside those of this session.
    pub(crate) fn supervisor(&mut self) -> Result<Client, Trouble> {
        Ok(self.server()?.0.clone())
    }

    /// Calls a method, and waits for as long as supervisord takes.
    pub(crate) fn call(&mut self, method: &str, params: &[Value]) -> Result<Value, Trouble> {
        self.call_within(None, method, params)
    }

    /// The same, for at most so long.
    pub(crate) fn call_within(
        &mut self,
        timeout: Option<Duration>,
        method: &str,
        params: &[Value],
    ) -> Result<Value, Trouble> {
        self.flush();
        let (supervisor, kept) = self.server()?;
        let answer = supervisor.call_on(kept, method, params, timeout);
        answer.map_err(|error| Trouble::of(error, &self.options.serverurl))
    }

    /// Forgets the connection: other options count from the next call on.
    pub(crate) fn hang_up(&mut self) {
        self.server = None;
    }

    fn server(&mut self) -> Result<&mut (Client, PersistentConnection), Trouble> {
        let server = match self.server.take() {
            Some(server) => server,
            None => (dial_plan(&self.options)?, PersistentConnection::new()),
        };
        Ok(self.server.insert(server))
    }

    /// Whether a supervisord of our version answers; if not, that is said and the status noted.
    pub(crate) fn is_up(&mut self) -> Result<bool, Trouble> {
        let trouble = match self.call("supervisor.getVersion", &[]) {
            Ok(Value::Str(version)) if version == API_VERSION => return Ok(true),
            Ok(version) => {
                let version = shown(&version);
                self.refuse(
                    status::NOT_INSTALLED,
                    &format!(
                        "Sorry, this version of supervisorctl expects to talk to a server with API version \
                         {API_VERSION}, but the remote version is {version}."
                    ),
                );
                return Ok(false);
            }
            Err(trouble) => trouble,
        };
        if trouble.fault().is_some_and(|fault| fault.code == FaultKind::UnknownMethod.code()) {
            self.refuse(
                status::UNIMPLEMENTED_FEATURE,
                "Sorry, supervisord responded but did not recognize the supervisor namespace commands that \
                 supervisorctl uses to control it.  Please check that the [rpcinterface:supervisor] section is \
                 enabled in the configuration file (see sample.conf).",
            );
            return Ok(false);
        }
        let Some(absence) = trouble.absence() else { return Err(trouble) };
        let code = match absence {
            Absence::Refused => status::INSUFFICIENT_PRIVILEGES,
            Absence::NoFile => status::NOT_RUNNING,
        };
        let line = format!("{} {}", self.options.serverurl, absence.words());
        self.refuse(code, &line);
        Ok(false)
    }

    /// Notes the status for a result of a verb; a kind in `ignored` leaves it as it is.
    pub(crate) fn note_result(&mut self, code: i64, ignored: Option<FaultKind>) {
        let is = |kind: FaultKind| kind.code() == code;
        let dead = [FaultKind::SpawnError, FaultKind::AbnormalTermination, FaultKind::NotRunning];
        if is(FaultKind::Success) || ignored.is_some_and(is) {
            return;
        }
        self.status = if dead.into_iter().any(is) { status::NOT_RUNNING } else { status::GENERIC };
    }
}

/// Whom to call, and as whom: credentials are given where there is a name and a password.
fn dial_plan(options: &Options) -> Result<Client, Trouble> {
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
fn shown(value: &Value) -> String {
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

/// A call that failed, as trouble with it.
pub(crate) fn is_fault(trouble: &Trouble, kind: FaultKind) -> bool {
    matches!(trouble, Trouble::Call(CallError::Fault(fault)) if fault.code == kind.code())
}
