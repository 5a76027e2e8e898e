//! Requests of clients to the owner: [`RpcRequest`] has a variant for each method of `supervisor.*` and `ironlance.*`.

use std::fmt;
use std::path::PathBuf;

use ironlance_core::event::OutputChannel;
use ironlance_core::signal;
use ironlance_rpc::{Fault, Value};
use tokio::sync::oneshot;

use crate::requester::Requester;

/// A method with its parameters. Aliases of a method are the same request, and so are starts, stops and signals by what
/// they are for.
///
/// Names are as the client gave them: `NAME`, `GROUP:NAME`, and where a method takes it `GROUP:*`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is the method of its name; docs/xmlrpc.md describes them")]
pub enum RpcRequest {
    GetApiVersion,
    GetSupervisorVersion,
    GetIdentification,
    GetState,
    GetPid,
    ClearLog,
    Shutdown,
    Restart,
    ReloadConfig,
    AddProcessGroup { name: String },
    RemoveProcessGroup { name: String },
    Start { target: ProcessTarget, wait: ReplyTiming },
    Stop { target: ProcessTarget, wait: ReplyTiming },
    Signal { target: ProcessTarget, signal: RequestedSignal },
    GetAllConfigInfo,
    GetProcessInfo { name: String },
    GetAllProcessInfo,
    ClearProcessLogs { name: String },
    ClearAllProcessLogs,
    SendProcessStdin { name: String, chars: Vec<u8> },
    SendRemoteCommEvent { kind: String, data: String },
    GetProcessEnd { name: String },
    GetAllProcessEnds,
    GetListeners,
    GetDaemonInfo,
}

impl RpcRequest {
    /// Whether the owner answers this also while it stops or restarts; other methods give SHUTDOWN_STATE then.
    pub const fn is_answered_while_stopping(&self) -> bool {
        matches!(
            self,
            Self::SendRemoteCommEvent { .. }
                | Self::GetProcessEnd { .. }
                | Self::GetAllProcessEnds
                | Self::GetListeners
                | Self::GetDaemonInfo
        )
    }

    /// What it starts, stops or signals, for the log; nothing where it does none of these.
    pub fn action(&self) -> Option<String> {
        Some(match self {
            Self::Start { target, .. } => format!("start of {target}"),
            Self::Stop { target, .. } => format!("stop of {target}"),
            Self::Signal { target, signal } => format!("signal {} to {target}", signal.given),
            Self::Shutdown => "shutdown".to_owned(),
            Self::Restart => "restart".to_owned(),
            _ => return None,
        })
    }
}

/// The processes that a start, stop or signal is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProcessTarget {
    /// The process or group of this name.
    Named(String),
    /// All of the group of this name.
    Group(String),
    /// All of all groups.
    All,
}

/// As the log has it.
impl fmt::Display for ProcessTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => f.write_str(name),
            Self::Group(name) => write!(f, "{name}:*"),
            Self::All => f.write_str("all"),
        }
    }
}

/// Whether a start or stop is answered at once or when it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyTiming {
    /// When the process runs, or has stopped.
    WhenDone,
    /// As soon as it has begun.
    AtOnce,
}

/// A signal as a client named it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestedSignal {
    /// As it was given, for BAD_SIGNAL: the name is looked at first, so the owner gives that fault.
    pub given: String,
    /// Its number, where it is a signal of this machine.
    pub number: Option<i32>,
}

impl RequestedSignal {
    /// Reads `HUP`, `SIGHUP` (in any case), or a number.
    pub fn new(given: impl Into<String>) -> Self {
        let given = given.into();
        let number = signal::number(&given);
        Self { given, number }
    }
}

/// A part of a log that a client wants to have. The owner is asked only where the log is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRequest {
    /// Which log.
    pub log: LogId,
    /// Which part of it.
    pub part: LogPart,
}

/// Which part of a log, in the original's terms (options.py, readFile and tailFile).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "bytes, as the methods of these names take them; docs/xmlrpc.md describes them"
)]
pub enum LogPart {
    Read { offset: i64, length: i64 },
    Tail { offset: i64, length: i64 },
}

/// A request and where its answer goes.
#[derive(Debug)]
pub struct MethodCall {
    /// What is asked.
    pub request: RpcRequest,
    /// Who asks.
    pub requester: Requester,
    /// Takes the answer; closed when the client has gone.
    pub reply: oneshot::Sender<Result<Value, Fault>>,
}

/// Where a log is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLocation {
    /// Whether the daemon stops or restarts: calls are then refused.
    pub stopping: bool,
    /// The file; nothing where the log is no file. The fault says that there is no such process.
    pub path: Result<Option<PathBuf>, Fault>,
}

/// The log that is to be read or followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogId {
    /// The daemon's own.
    Main,
    /// That of a process.
    Process {
        /// As the client gave it: `NAME` or `GROUP:NAME`.
        name: String,
        /// Which output.
        channel: OutputChannel,
    },
}
