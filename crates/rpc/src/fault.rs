//! XML-RPC faults: [`Fault`], and the kinds that supervisord answers with.

use std::fmt;

use ironlance_core::text::python::repr;

use crate::value::Value;

/// A fault, by Supervisor's codes (its xmlrpc.py, class Faults).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The code of its kind, such as 10 for BAD_NAME.
    pub code: i64,
    /// The message, such as `BAD_NAME: web`.
    pub string: String,
}

impl fmt::Display for Fault {
    /// As Python shows it: `<Fault 10: 'BAD_NAME: web'>`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<Fault {}: {}>", self.code, repr(&self.string))
    }
}

impl std::error::Error for Fault {}

impl From<Fault> for Value {
    /// The struct, as in a response and as an item of `system.multicall`.
    fn from(fault: Fault) -> Self {
        Self::record([("faultCode", fault.code.into()), ("faultString", fault.string.into())])
    }
}

/// The kinds of faults that supervisord answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// No such method.
    UnknownMethod,
    /// Too few or too many parameters, or of a type that the method cannot take.
    IncorrectParameters,
    /// Parameters of the right types with values that do not fit together.
    BadArguments,
    /// No signature is known for the method.
    SignatureUnsupported,
    /// The daemon is stopping or restarting.
    ShutdownState,
    /// No such process or group.
    BadName,
    /// No such signal.
    BadSignal,
    /// No such file.
    NoFile,
    /// A file that cannot be run.
    NotExecutable,
    /// The operation failed.
    Failed,
    /// The process ended while it was waited for.
    AbnormalTermination,
    /// The process could not be started.
    SpawnError,
    /// The process runs already.
    AlreadyStarted,
    /// The process does not run.
    NotRunning,
    /// Not a fault: the status of a success in a list of results.
    Success,
    /// The group is active already.
    AlreadyAdded,
    /// Processes of the group still run.
    StillRunning,
    /// The configuration cannot be read.
    CantReread,
}

impl FaultKind {
    /// The text for people, in supervisorctl and on the web page (supervisorctl.py, `_startresult` and similar); empty
    /// where the fault's own message says more.
    pub const fn description(self) -> &'static str {
        match self {
            Self::BadName => "no such process",
            Self::BadSignal => "bad signal name",
            Self::NoFile => "no such file",
            Self::NotExecutable => "file is not executable",
            Self::AbnormalTermination => "abnormal termination",
            Self::SpawnError => "spawn error",
            Self::AlreadyStarted => "already started",
            Self::NotRunning => "not running",
            Self::ShutdownState => "supervisord is stopping or restarting",
            _ => "",
        }
    }

    /// Its number.
    pub const fn code(self) -> i64 {
        self.code_and_name().0
    }

    /// Its name, such as `BAD_NAME`.
    pub const fn name(self) -> &'static str {
        self.code_and_name().1
    }

    /// The fault without a subject: its message is the name of the kind.
    pub fn bare(self) -> Fault {
        Fault { code: self.code(), string: self.name().to_owned() }
    }

    /// The fault with a subject: `BAD_NAME: web`.
    pub fn about(self, what: impl fmt::Display) -> Fault {
        Fault { code: self.code(), string: format!("{}: {what}", self.name()) }
    }

    const fn code_and_name(self) -> (i64, &'static str) {
        match self {
            Self::UnknownMethod => (1, "UNKNOWN_METHOD"),
            Self::IncorrectParameters => (2, "INCORRECT_PARAMETERS"),
            Self::BadArguments => (3, "BAD_ARGUMENTS"),
            Self::SignatureUnsupported => (4, "SIGNATURE_UNSUPPORTED"),
            Self::ShutdownState => (6, "SHUTDOWN_STATE"),
            Self::BadName => (10, "BAD_NAME"),
            Self::BadSignal => (11, "BAD_SIGNAL"),
            Self::NoFile => (20, "NO_FILE"),
            Self::NotExecutable => (21, "NOT_EXECUTABLE"),
            Self::Failed => (30, "FAILED"),
            Self::AbnormalTermination => (40, "ABNORMAL_TERMINATION"),
            Self::SpawnError => (50, "SPAWN_ERROR"),
            Self::AlreadyStarted => (60, "ALREADY_STARTED"),
            Self::NotRunning => (70, "NOT_RUNNING"),
            Self::Success => (80, "SUCCESS"),
            Self::AlreadyAdded => (90, "ALREADY_ADDED"),
            Self::StillRunning => (91, "STILL_RUNNING"),
            Self::CantReread => (92, "CANT_REREAD"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_shown_as_python_shows_it() {
        let fault = Fault { code: 70, string: "NOT_RUNNING: x".into() };
        assert_eq!(fault.to_string(), "<Fault 70: 'NOT_RUNNING: x'>");
    }

    #[test]
    fn a_fault_of_a_kind_says_what_it_is_about() {
        assert_eq!(FaultKind::BadName.about("web"), Fault { code: 10, string: "BAD_NAME: web".into() });
        assert_eq!(FaultKind::ShutdownState.bare(), Fault { code: 6, string: "SHUTDOWN_STATE".into() });
    }
}
