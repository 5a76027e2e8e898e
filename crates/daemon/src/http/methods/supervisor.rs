//! `supervisor.*`: the methods of the original (its rpcinterface.py), with the parameters it names.

use ironlance_core::event::OutputChannel;
use ironlance_rpc::Fault;

use super::{MethodHandler, MethodParam, MethodSpec, Params};
use crate::http::access::Access;
use crate::request::{LogId, LogPart, LogRequest, RpcRequest};

const NAME: MethodParam = MethodParam::required("string", "name", "The process, as NAME or GROUP:NAME.");
const NAMES: MethodParam =
    MethodParam::required("string", "name", "The process, as NAME or GROUP:NAME; GROUP:* for a whole group.");
const GROUP: MethodParam = MethodParam::required("string", "name", "The group.");
const WAIT: MethodParam =
    MethodParam::optional("boolean", "wait", "Whether to answer only when it is done; true if not given.");
const SIGNAL: MethodParam = MethodParam::required("string", "signal", "A name (HUP, SIGHUP) or a number.");
const OFFSET: MethodParam = MethodParam::required("int", "offset", "Where to begin, in bytes.");
const LENGTH: MethodParam = MethodParam::required("int", "length", "How many bytes at most.");
const CHARS: MethodParam = MethodParam::required("string", "chars", "What to write, sent as UTF-8.");
const TYPE: MethodParam = MethodParam::required("string", "type", "What the event calls its type.");
const DATA: MethodParam = MethodParam::required("string", "data", "The rest of the event's body.");

/// The methods of this namespace.
pub(super) const METHODS: &[MethodSpec] = &[
    MethodSpec {
        name: "addProcessGroup",
        returns: "boolean",
        params: &[GROUP],
        needs: Access::Full,
        help: "Takes a group that the configuration has into service, and starts what starts by itself.",
        handler: MethodHandler::Owner(|params| Ok(RpcRequest::AddProcessGroup { name: params.group()? })),
    },
    MethodSpec {
        name: "clearAllProcessLogs",
        returns: "array",
        params: &[],
        needs: Access::Full,
        help: "Empties the logs of all processes.",
        handler: MethodHandler::Owner(|_| Ok(RpcRequest::ClearAllProcessLogs)),
    },
    MethodSpec {
        name: "clearLog",
        returns: "boolean",
        params: &[],
        needs: Access::Full,
        help: "Empties the daemon's own log.",
        handler: MethodHandler::Owner(|_| Ok(RpcRequest::ClearLog)),
    },
    MethodSpec {
        name: "clearProcessLog",
        returns: "boolean",
        params: &[NAME],
        needs: Access::Full,
        help: "Empties both logs of a process. The same as clearProcessLogs.",
        handler: MethodHandler::Owner(|params| Ok(RpcRequest::ClearProcessLogs { name: params.text()? })),
    },
    MethodSpec {
        name: "clearProcessLogs",
        returns: "boolean",
        params: &[NAME],
        needs: Access::Full,
        help: "Empties both logs of a process.",
        handler: MethodHandler::Owner(|params| Ok(RpcRequest::ClearProcessLogs { name: params.text()? })),
    },
    MethodSpec {
        name: "getAPIVersion",
        returns: "string",
        params: &[],
        needs: Access::ReadOnly,
        help: "The version of this interface.",
        handler: MethodHandler::Owner(|_| Ok(RpcRequest::GetApiVersion)),
    },
    MethodSpec {
        name: "getAllConfigInfo",
        returns: "array",
        params: &[],
        needs: Access::ReadOnly,
        help: "How each process is configured, in the order of their names.",
        handler: MethodHandler::Owner(|_| Ok(RpcRequest::GetAllConfigInfo)),
    },
    MethodSpec {
        name: "getAllProcessInfo",
        returns: "array",
        params: &[],
        needs: Access::ReadOnly,
        help: "What getProcessInfo tells, for every process, in the order of their names.",
        handler: MethodHandler::Owner(|_| Ok(RpcRequest::GetAllProcessInfo)),
    },
    MethodSpec {
        name: "getIdentification",
        returns: "string",
        params: &[],
        needs: Access::ReadOnly,
        help: "The identifier of the daemon.",
        handler: MethodHandler::Owner(|_| Ok(RpcRequest::GetIdentification)),
    },
    MethodSpec {
        name: "getPID",
        returns: "int",
        params: &[],
        needs: Access::ReadOnly,
        help: "The process id of the daemon.",
        handler: MethodHandler::Owner(|_| Ok(RpcRequest::GetPid)),
    },
    MethodSpec {
        name: "getProcessInfo",
        returns: "struct",
        params: &[NAME],
        needs: Access::ReadOnly,
        help: "The state of a process, since when, its process id and logs.",
        handler: MethodHandler::Owner(|params| Ok(RpcRequest::GetProcessInfo { name: params.text()? })),
    },
    MethodSpec {
        name: "getState",
        returns: "struct",
        params: &[],
        needs: Access::ReadOnly,
        help: "The state of the daemon: statecode and statename.",
        handler: MethodHandler::Owner(|_| Ok(RpcRequest::GetState)),
    },
    MethodSpec {
        name: "getSupervisorVersion",
        returns: "string",
        params: &[],
        needs: Access::ReadOnly,
        help: "The version of Supervisor that the daemon behaves as.",
        handler: MethodHandler::Owner(|_| Ok(RpcRequest::GetSupervisorVersion)),
    },
    MethodSpec {
        name: "getVersion",
        returns: "string",
        params: &[],
        needs: Access::ReadOnly,
        help: "The version of this interface. The same as getAPIVersion.",
        handler: MethodHandler::Owner(|_| Ok(RpcRequest::GetApiVersion)),
    },
    MethodSpec {
        name: "readLog",
        returns: "string",
        params: &[OFFSET, LENGTH],
        needs: Access::ReadOnly,
        help: "A part of the daemon's own log. An offset below 0 with length 0 gives that many bytes of the \
            end.",
        handler: MethodHandler::Log(|params| read(LogId::Main, params)),
    },
    MethodSpec {
        name: "readMainLog",
        returns: "string",
        params: &[OFFSET, LENGTH],
        needs: Access::ReadOnly,
        help: "A part of the daemon's own log. An offset below 0 with length 0 gives that many bytes of the \
            end. The same as readLog.",
        handler: MethodHandler::Log(|params| read(LogId::Main, params)),
    },
    MethodSpec {
        name: "readProcessLog",
        returns: "string",
        params: &[NAME, OFFSET, LENGTH],
        needs: Access::ReadOnly,
        help: "A part of what a process wrote to its standard output. An offset below 0 with length 0 gives \
            that many bytes of the end. The same as readProcessStdoutLog.",
        handler: MethodHandler::Log(|params| read(process(params, OutputChannel::Stdout)?, params)),
    },
    MethodSpec {
        name: "readProcessStderrLog",
        returns: "string",
        params: &[NAME, OFFSET, LENGTH],
        needs: Access::ReadOnly,
        help: "A part of what a process wrote to its standard error. An offset below 0 with length 0 gives \
            that many bytes of the end.",
        handler: MethodHandler::Log(|params| read(process(params, OutputChannel::Stderr)?, params)),
    },
    MethodSpec {
        name: "readProcessStdoutLog",
        returns: "string",
        params: &[NAME, OFFSET, LENGTH],
        needs: Access::ReadOnly,
        help: "A part of what a process wrote to its standard output. An offset below 0 with length 0 gives \
            that many bytes of the end.",
        handler: MethodHandler::Log(|params| read(process(params, OutputChannel::Stdout)?, params)),
    },
    MethodSpec {
        name: "reloadConfig",
        returns: "array",
        params: &[],
        needs: Access::Full,
        help: "Reads the configuration again and tells which groups were added, changed and removed. \
            Nothing that runs is touched.",
        handler: MethodHandler::Owner(|_| Ok(RpcRequest::ReloadConfig)),
    },
    MethodSpec {
        name: "removeProcessGroup",
        returns: "boolean",
        params: &[GROUP],
        needs: Access::Full,
        help: "Takes a group whose processes have stopped out of service.",
        handler: MethodHandler::Owner(|params| Ok(RpcRequest::RemoveProcessGroup { name: params.group()? })),
    },
    MethodSpec {
        name: "restart",
        returns: "boolean",
        params: &[],
        needs: Access::Full,
        help: "Stops all processes and starts the daemon afresh.",
        handler: MethodHandler::Owner(|_| Ok(RpcRequest::Restart)),
    },
    MethodSpec {
        name: "sendProcessStdin",
        returns: "boolean",
        params: &[NAME, CHARS],
        needs: Access::Full,
        help: "Writes to the standard input of a process.",
        handler: MethodHandler::Owner(|params| {
            Ok(RpcRequest::SendProcessStdin { name: params.text()?, chars: params.chars()? })
        }),
    },
    MethodSpec {
        name: "sendRemoteCommEvent",
        returns: "boolean",
        params: &[TYPE, DATA],
        needs: Access::Full,
        help: "Sends an event to the listeners that take REMOTE_COMMUNICATION.",
        handler: MethodHandler::Owner(|params| {
            Ok(RpcRequest::SendRemoteCommEvent { kind: params.anything()?, data: params.anything()? })
        }),
    },
    MethodSpec {
        name: "shutdown",
        returns: "boolean",
        params: &[],
        needs: Access::Full,
        help: "Stops all processes and ends the daemon.",
        handler: MethodHandler::Owner(|_| Ok(RpcRequest::Shutdown)),
    },
    MethodSpec {
        name: "signalAllProcesses",
        returns: "array",
        params: &[SIGNAL],
        needs: Access::Full,
        help: "Sends a signal to all processes.",
        handler: MethodHandler::Owner(|params| {
            Ok(RpcRequest::SignalAllProcesses { signal: params.signal()? })
        }),
    },
    MethodSpec {
        name: "signalProcess",
        returns: "boolean",
        params: &[NAMES, SIGNAL],
        needs: Access::Full,
        help: "Sends a signal to a process.",
        handler: MethodHandler::Owner(|params| {
            Ok(RpcRequest::SignalProcess { name: params.text()?, signal: params.signal()? })
        }),
    },
    MethodSpec {
        name: "signalProcessGroup",
        returns: "array",
        params: &[GROUP, SIGNAL],
        needs: Access::Full,
        help: "Sends a signal to all processes of a group.",
        handler: MethodHandler::Owner(|params| {
            Ok(RpcRequest::SignalProcessGroup { name: params.group()?, signal: params.signal()? })
        }),
    },
    MethodSpec {
        name: "startAllProcesses",
        returns: "array",
        params: &[WAIT],
        needs: Access::Full,
        help: "Starts all processes.",
        handler: MethodHandler::Owner(|params| Ok(RpcRequest::StartAllProcesses { wait: params.wait() })),
    },
    MethodSpec {
        name: "startProcess",
        returns: "boolean",
        params: &[NAMES, WAIT],
        needs: Access::Full,
        help: "Starts a process.",
        handler: MethodHandler::Owner(|params| {
            Ok(RpcRequest::StartProcess { name: params.text()?, wait: params.wait() })
        }),
    },
    MethodSpec {
        name: "startProcessGroup",
        returns: "array",
        params: &[GROUP, WAIT],
        needs: Access::Full,
        help: "Starts all processes of a group.",
        handler: MethodHandler::Owner(|params| {
            Ok(RpcRequest::StartProcessGroup { name: params.group()?, wait: params.wait() })
        }),
    },
    MethodSpec {
        name: "stopAllProcesses",
        returns: "array",
        params: &[WAIT],
        needs: Access::Full,
        help: "Stops all processes.",
        handler: MethodHandler::Owner(|params| Ok(RpcRequest::StopAllProcesses { wait: params.wait() })),
    },
    MethodSpec {
        name: "stopProcess",
        returns: "boolean",
        params: &[NAMES, WAIT],
        needs: Access::Full,
        help: "Stops a process.",
        handler: MethodHandler::Owner(|params| {
            Ok(RpcRequest::StopProcess { name: params.text()?, wait: params.wait() })
        }),
    },
    MethodSpec {
        name: "stopProcessGroup",
        returns: "array",
        params: &[GROUP, WAIT],
        needs: Access::Full,
        help: "Stops all processes of a group.",
        handler: MethodHandler::Owner(|params| {
            Ok(RpcRequest::StopProcessGroup { name: params.group()?, wait: params.wait() })
        }),
    },
    MethodSpec {
        name: "tailProcessLog",
        returns: "array",
        params: &[NAME, OFFSET, LENGTH],
        needs: Access::ReadOnly,
        help: "The newest of what a process wrote to its standard output, with the offset behind it, and \
            whether more than length bytes had come since the offset given. The same as \
            tailProcessStdoutLog.",
        handler: MethodHandler::Log(|params| tail(process(params, OutputChannel::Stdout)?, params)),
    },
    MethodSpec {
        name: "tailProcessStderrLog",
        returns: "array",
        params: &[NAME, OFFSET, LENGTH],
        needs: Access::ReadOnly,
        help: "The newest of what a process wrote to its standard error, with the offset behind it, and \
            whether more than length bytes had come since the offset given.",
        handler: MethodHandler::Log(|params| tail(process(params, OutputChannel::Stderr)?, params)),
    },
    MethodSpec {
        name: "tailProcessStdoutLog",
        returns: "array",
        params: &[NAME, OFFSET, LENGTH],
        needs: Access::ReadOnly,
        help: "The newest of what a process wrote to its standard output, with the offset behind it, and \
            whether more than length bytes had come since the offset given.",
        handler: MethodHandler::Log(|params| tail(process(params, OutputChannel::Stdout)?, params)),
    },
];

fn process(params: &mut Params, channel: OutputChannel) -> Result<LogId, Fault> {
    Ok(LogId::Process { name: params.text()?, channel })
}

fn read(whose: LogId, params: &mut Params) -> Result<LogRequest, Fault> {
    let part = LogPart::Read { offset: params.integer()?, length: params.integer()? };
    Ok(LogRequest { log: whose, part })
}

fn tail(whose: LogId, params: &mut Params) -> Result<LogRequest, Fault> {
    let part = LogPart::Tail { offset: params.integer()?, length: params.integer()? };
    Ok(LogRequest { log: whose, part })
}
