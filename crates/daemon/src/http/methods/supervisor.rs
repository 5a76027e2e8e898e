//! `supervisor.*`: the methods of the original (its rpcinterface.py), with the parameters it names.

use ironlance_core::event::notice::OutputChannel;
use ironlance_rpc::Fault;

use super::{Access, Answer, Param, Params, Row};
use crate::request::{LogId, LogPart, LogRequest, RpcRequest};

const NAME: Param = Param { kind: "string", name: "name", about: "The process, as NAME or GROUP:NAME." };
const NAMES: Param = Param {
    kind: "string",
    name: "name",
    about: "The process, as NAME or GROUP:NAME; GROUP:* for a whole group.",
};
const GROUP: Param = Param { kind: "string", name: "name", about: "The group." };
const WAIT: Param = Param {
    kind: "boolean",
    name: "wait",
    about: "Whether to answer only when it is done; true if not given.",
};
const SIGNAL: Param = Param { kind: "string", name: "signal", about: "A name (HUP, SIGHUP) or a number." };
const OFFSET: Param = Param { kind: "int", name: "offset", about: "Where to begin, in bytes." };
const LENGTH: Param = Param { kind: "int", name: "length", about: "How many bytes at most." };
const CHARS: Param = Param { kind: "string", name: "chars", about: "What to write, sent as UTF-8." };
const TYPE: Param = Param { kind: "string", name: "type", about: "What the event calls its type." };
const DATA: Param = Param { kind: "string", name: "data", about: "The rest of the event's body." };

/// The methods of this namespace.
pub(super) const ROWS: &[Row] = &[
    Row {
        name: "addProcessGroup",
        returns: "boolean",
        params: &[GROUP],
        optional: 0,
        access: Access::Changes,
        help: "Takes a group that the configuration has into service, and starts what starts by itself.",
        answer: Answer::Owner(|params| Ok(RpcRequest::AddProcessGroup { name: params.group()? })),
    },
    Row {
        name: "clearAllProcessLogs",
        returns: "array",
        params: &[],
        optional: 0,
        access: Access::Changes,
        help: "Empties the logs of all processes.",
        answer: Answer::Owner(|_| Ok(RpcRequest::ClearAllProcessLogs)),
    },
    Row {
        name: "clearLog",
        returns: "boolean",
        params: &[],
        optional: 0,
        access: Access::Changes,
        help: "Empties the daemon's own log.",
        answer: Answer::Owner(|_| Ok(RpcRequest::ClearLog)),
    },
    Row {
        name: "clearProcessLog",
        returns: "boolean",
        params: &[NAME],
        optional: 0,
        access: Access::Changes,
        help: "Empties both logs of a process. The same as clearProcessLogs.",
        answer: Answer::Owner(|params| Ok(RpcRequest::ClearProcessLogs { name: params.text()? })),
    },
    Row {
        name: "clearProcessLogs",
        returns: "boolean",
        params: &[NAME],
        optional: 0,
        access: Access::Changes,
        help: "Empties both logs of a process.",
        answer: Answer::Owner(|params| Ok(RpcRequest::ClearProcessLogs { name: params.text()? })),
    },
    Row {
        name: "getAPIVersion",
        returns: "string",
        params: &[],
        optional: 0,
        access: Access::Reads,
        help: "The version of this interface.",
        answer: Answer::Owner(|_| Ok(RpcRequest::GetApiVersion)),
    },
    Row {
        name: "getAllConfigInfo",
        returns: "array",
        params: &[],
        optional: 0,
        access: Access::Reads,
        help: "How each process is configured, in the order of their names.",
        answer: Answer::Owner(|_| Ok(RpcRequest::GetAllConfigInfo)),
    },
    Row {
        name: "getAllProcessInfo",
        returns: "array",
        params: &[],
        optional: 0,
        access: Access::Reads,
        help: "What getProcessInfo tells, for every process, in the order of their names.",
        answer: Answer::Owner(|_| Ok(RpcRequest::GetAllProcessInfo)),
    },
    Row {
        name: "getIdentification",
        returns: "string",
        params: &[],
        optional: 0,
        access: Access::Reads,
        help: "The identifier of the daemon.",
        answer: Answer::Owner(|_| Ok(RpcRequest::GetIdentification)),
    },
    Row {
        name: "getPID",
        returns: "int",
        params: &[],
        optional: 0,
        access: Access::Reads,
        help: "The process id of the daemon.",
        answer: Answer::Owner(|_| Ok(RpcRequest::GetPid)),
    },
    Row {
        name: "getProcessInfo",
        returns: "struct",
        params: &[NAME],
        optional: 0,
        access: Access::Reads,
        help: "The state of a process, since when, its process id and logs.",
        answer: Answer::Owner(|params| Ok(RpcRequest::GetProcessInfo { name: params.text()? })),
    },
    Row {
        name: "getState",
        returns: "struct",
        params: &[],
        optional: 0,
        access: Access::Reads,
        help: "The state of the daemon: statecode and statename.",
        answer: Answer::Owner(|_| Ok(RpcRequest::GetState)),
    },
    Row {
        name: "getSupervisorVersion",
        returns: "string",
        params: &[],
        optional: 0,
        access: Access::Reads,
        help: "The version of Supervisor that the daemon behaves as.",
        answer: Answer::Owner(|_| Ok(RpcRequest::GetSupervisorVersion)),
    },
    Row {
        name: "getVersion",
        returns: "string",
        params: &[],
        optional: 0,
        access: Access::Reads,
        help: "The version of this interface. The same as getAPIVersion.",
        answer: Answer::Owner(|_| Ok(RpcRequest::GetApiVersion)),
    },
    Row {
        name: "readLog",
        returns: "string",
        params: &[OFFSET, LENGTH],
        optional: 0,
        access: Access::Reads,
        help: "A part of the daemon's own log. An offset below 0 with length 0 gives that many bytes of the \
            end.",
        answer: Answer::Log(|params| read(LogId::Main, params)),
    },
    Row {
        name: "readMainLog",
        returns: "string",
        params: &[OFFSET, LENGTH],
        optional: 0,
        access: Access::Reads,
        help: "A part of the daemon's own log. An offset below 0 with length 0 gives that many bytes of the \
            end. The same as readLog.",
        answer: Answer::Log(|params| read(LogId::Main, params)),
    },
    Row {
        name: "readProcessLog",
        returns: "string",
        params: &[NAME, OFFSET, LENGTH],
        optional: 0,
        access: Access::Reads,
        help: "A part of what a process wrote to its standard output. An offset below 0 with length 0 gives \
            that many bytes of the end. The same as readProcessStdoutLog.",
        answer: Answer::Log(|params| read(process(params, OutputChannel::Stdout)?, params)),
    },
    Row {
        name: "readProcessStderrLog",
        returns: "string",
        params: &[NAME, OFFSET, LENGTH],
        optional: 0,
        access: Access::Reads,
        help: "A part of what a process wrote to its standard error. An offset below 0 with length 0 gives \
            that many bytes of the end.",
        answer: Answer::Log(|params| read(process(params, OutputChannel::Stderr)?, params)),
    },
    Row {
        name: "readProcessStdoutLog",
        returns: "string",
        params: &[NAME, OFFSET, LENGTH],
        optional: 0,
        access: Access::Reads,
        help: "A part of what a process wrote to its standard output. An offset below 0 with length 0 gives \
            that many bytes of the end.",
        answer: Answer::Log(|params| read(process(params, OutputChannel::Stdout)?, params)),
    },
    Row {
        name: "reloadConfig",
        returns: "array",
        params: &[],
        optional: 0,
        access: Access::Changes,
        help: "Reads the configuration again and tells which groups were added, changed and removed. \
            Nothing that runs is touched.",
        answer: Answer::Owner(|_| Ok(RpcRequest::ReloadConfig)),
    },
    Row {
        name: "removeProcessGroup",
        returns: "boolean",
        params: &[GROUP],
        optional: 0,
        access: Access::Changes,
        help: "Takes a group whose processes have stopped out of service.",
        answer: Answer::Owner(|params| Ok(RpcRequest::RemoveProcessGroup { name: params.group()? })),
    },
    Row {
        name: "restart",
        returns: "boolean",
        params: &[],
        optional: 0,
        access: Access::Changes,
        help: "Stops all processes and starts the daemon afresh.",
        answer: Answer::Owner(|_| Ok(RpcRequest::Restart)),
    },
    Row {
        name: "sendProcessStdin",
        returns: "boolean",
        params: &[NAME, CHARS],
        optional: 0,
        access: Access::Changes,
        help: "Writes to the standard input of a process.",
        answer: Answer::Owner(|params| {
            Ok(RpcRequest::SendProcessStdin { name: params.text()?, chars: params.chars()? })
        }),
    },
    Row {
        name: "sendRemoteCommEvent",
        returns: "boolean",
        params: &[TYPE, DATA],
        optional: 0,
        access: Access::Changes,
        help: "Sends an event to the listeners that take REMOTE_COMMUNICATION.",
        answer: Answer::Owner(|params| {
            Ok(RpcRequest::SendRemoteCommEvent { kind: params.anything()?, data: params.anything()? })
        }),
    },
    Row {
        name: "shutdown",
        returns: "boolean",
        params: &[],
        optional: 0,
        access: Access::Changes,
        help: "Stops all processes and ends the daemon.",
        answer: Answer::Owner(|_| Ok(RpcRequest::Shutdown)),
    },
    Row {
        name: "signalAllProcesses",
        returns: "array",
        params: &[SIGNAL],
        optional: 0,
        access: Access::Changes,
        help: "Sends a signal to all processes.",
        answer: Answer::Owner(|params| Ok(RpcRequest::SignalAllProcesses { signal: params.signal()? })),
    },
    Row {
        name: "signalProcess",
        returns: "boolean",
        params: &[NAMES, SIGNAL],
        optional: 0,
        access: Access::Changes,
        help: "Sends a signal to a process.",
        answer: Answer::Owner(|params| {
            Ok(RpcRequest::SignalProcess { name: params.text()?, signal: params.signal()? })
        }),
    },
    Row {
        name: "signalProcessGroup",
        returns: "array",
        params: &[GROUP, SIGNAL],
        optional: 0,
        access: Access::Changes,
        help: "Sends a signal to all processes of a group.",
        answer: Answer::Owner(|params| {
            Ok(RpcRequest::SignalProcessGroup { name: params.group()?, signal: params.signal()? })
        }),
    },
    Row {
        name: "startAllProcesses",
        returns: "array",
        params: &[WAIT],
        optional: 1,
        access: Access::Changes,
        help: "Starts all processes.",
        answer: Answer::Owner(|params| Ok(RpcRequest::StartAllProcesses { wait: params.wait() })),
    },
    Row {
        name: "startProcess",
        returns: "boolean",
        params: &[NAMES, WAIT],
        optional: 1,
        access: Access::Changes,
        help: "Starts a process.",
        answer: Answer::Owner(|params| {
            Ok(RpcRequest::StartProcess { name: params.text()?, wait: params.wait() })
        }),
    },
    Row {
        name: "startProcessGroup",
        returns: "array",
        params: &[GROUP, WAIT],
        optional: 1,
        access: Access::Changes,
        help: "Starts all processes of a group.",
        answer: Answer::Owner(|params| {
            Ok(RpcRequest::StartProcessGroup { name: params.group()?, wait: params.wait() })
        }),
    },
    Row {
        name: "stopAllProcesses",
        returns: "array",
        params: &[WAIT],
        optional: 1,
        access: Access::Changes,
        help: "Stops all processes.",
        answer: Answer::Owner(|params| Ok(RpcRequest::StopAllProcesses { wait: params.wait() })),
    },
    Row {
        name: "stopProcess",
        returns: "boolean",
        params: &[NAMES, WAIT],
        optional: 1,
        access: Access::Changes,
        help: "Stops a process.",
        answer: Answer::Owner(|params| {
            Ok(RpcRequest::StopProcess { name: params.text()?, wait: params.wait() })
        }),
    },
    Row {
        name: "stopProcessGroup",
        returns: "array",
        params: &[GROUP, WAIT],
        optional: 1,
        access: Access::Changes,
        help: "Stops all processes of a group.",
        answer: Answer::Owner(|params| {
            Ok(RpcRequest::StopProcessGroup { name: params.group()?, wait: params.wait() })
        }),
    },
    Row {
        name: "tailProcessLog",
        returns: "array",
        params: &[NAME, OFFSET, LENGTH],
        optional: 0,
        access: Access::Reads,
        help: "The newest of what a process wrote to its standard output, with the offset behind it, and \
            whether more than length bytes had come since the offset given. The same as \
            tailProcessStdoutLog.",
        answer: Answer::Log(|params| tail(process(params, OutputChannel::Stdout)?, params)),
    },
    Row {
        name: "tailProcessStderrLog",
        returns: "array",
        params: &[NAME, OFFSET, LENGTH],
        optional: 0,
        access: Access::Reads,
        help: "The newest of what a process wrote to its standard error, with the offset behind it, and \
            whether more than length bytes had come since the offset given.",
        answer: Answer::Log(|params| tail(process(params, OutputChannel::Stderr)?, params)),
    },
    Row {
        name: "tailProcessStdoutLog",
        returns: "array",
        params: &[NAME, OFFSET, LENGTH],
        optional: 0,
        access: Access::Reads,
        help: "The newest of what a process wrote to its standard output, with the offset behind it, and \
            whether more than length bytes had come since the offset given.",
        answer: Answer::Log(|params| tail(process(params, OutputChannel::Stdout)?, params)),
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
