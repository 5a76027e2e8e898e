//! [`CtlError`]: failures that a verb has no message of its own for; the shell prints them after `error: `.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use ironlance_host::state_folder::UserIdentity;
use ironlance_net::ExchangeError;
use ironlance_rpc::client::EndpointError;
use ironlance_rpc::{CallError, Fault, FaultKind};
use rustix::io::Errno;
use thiserror::Error;

/// A failure without a verb's own message. Where the original prints part of a traceback, this is one line with the
/// reason.
#[derive(Debug, Error)]
pub(crate) enum CtlError {
    /// A call failed.
    #[error("{}", call_failure(.0))]
    Call(#[from] CallError),
    /// The server URL cannot be used.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// The socket exists, but we may not use it.
    #[error("[Errno 13] Permission denied: {path}: {help}")]
    PermissionDenied {
        /// The socket's path.
        path: String,
        /// What would help.
        help: String,
    },
    /// A member of an answer is missing or has another type.
    #[error("cannot read the answer to {method}: {what} is missing or of another type")]
    UnexpectedAnswer {
        /// The method.
        method: String,
        /// The member, or another part of the answer.
        what: String,
    },
    /// A result code that the verb does not know.
    #[error("Unknown result code {code} for {name}")]
    ResultCode {
        /// The code.
        code: i64,
        /// The process.
        name: String,
    },
    /// A number that XML-RPC cannot carry; Python's message.
    #[error("int exceeds XML-RPC limits")]
    TooLarge,
    /// The input ended at a prompt.
    #[error("EOF when reading a line")]
    NoAnswer,
    /// ^C at a prompt, which ends the shell.
    #[error("interrupted")]
    Interrupted,
    /// The operating system refused a terminal setting, a signal handler or a thread.
    #[error("cannot {what}: {reason}")]
    System {
        /// The action that failed.
        what: &'static str,
        /// Why.
        reason: std::io::Error,
    },
}

/// The message of a failed call: the bare reason, as in the original.
fn call_failure(error: &CallError) -> String {
    match error {
        CallError::Unreachable(reason) => reason.to_string(),
        other => other.to_string(),
    }
}

impl CtlError {
    /// The error of a call to this server URL. A socket without permission gets a hint.
    pub(crate) fn from_call(error: CallError, url: &str) -> Self {
        let denied = matches!(&error, CallError::Unreachable(ExchangeError::Dial(dial))
            if dial.errno() == Some(Errno::ACCESS.raw_os_error()));
        match url.strip_prefix("unix://") {
            Some(path) if denied => {
                let help = permission_help(Path::new(path));
                Self::PermissionDenied { path: path.to_owned(), help }
            }
            _ => error.into(),
        }
    }

    /// The fault that supervisord answered with, if it did.
    pub(crate) const fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Call(CallError::Fault(fault)) => Some(fault),
            _ => None,
        }
    }

    /// The fault's message; empty for other errors.
    pub(crate) fn fault_text(&self) -> &str {
        self.fault().map_or("", |fault| &fault.string)
    }

    /// Whether supervisord answered with a fault of this kind.
    pub(crate) fn is_fault(&self, kind: FaultKind) -> bool {
        self.fault().is_some_and(|fault| fault.code == kind.code())
    }

    /// Whether the server requires authentication.
    pub(crate) const fn wants_authentication(&self) -> bool {
        matches!(self, Self::Call(CallError::Http { status: 401, .. }))
    }

    /// Why no server was reached, where that is the reason.
    pub(crate) fn connect_failure(&self) -> Option<ConnectFailure> {
        let Self::Call(CallError::Unreachable(ExchangeError::Dial(dial))) = self else { return None };
        match Errno::from_raw_os_error(dial.errno()?) {
            Errno::CONNREFUSED => Some(ConnectFailure::Refused),
            Errno::NOENT => Some(ConnectFailure::NoSocket),
            _ => None,
        }
    }
}

/// How to get access to a socket that we may not use.
fn permission_help(path: &Path) -> String {
    let me = UserIdentity::current();
    match std::fs::symlink_metadata(path) {
        Ok(found) => {
            let owner = UserIdentity::from_uid(found.uid()).name;
            format!(
                "it is {owner}'s (mode {:04o}), and we are {}; run this as {owner}, or give the socket to a group of yours \
                 with chmod=0770 and chown={owner}:GROUP in [unix_http_server]",
                found.mode() & 0o7777,
                me.name
            )
        }
        Err(_) => format!("{} cannot enter its folder; run this as the user of supervisord", me.name),
    }
}

/// Why no server was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConnectFailure {
    /// Nothing listens at the address.
    Refused,
    /// The socket does not exist.
    NoSocket,
}

impl ConnectFailure {
    /// The text printed after the URL.
    pub(crate) const fn description(self) -> &'static str {
        match self {
            Self::Refused => "refused connection",
            Self::NoSocket => "no such file",
        }
    }
}
