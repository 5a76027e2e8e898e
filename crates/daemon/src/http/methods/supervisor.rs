//! `supervisor.*`: the methods of the original (its rpcinterface.py), with the parameters it names.

use ironlance_core::event::OutputChannel::{self, Stderr, Stdout};
use ironlance_rpc::Fault;

use super::{MethodParam, MethodSpec, Params, change, query};
use crate::request::{LogId, LogPart, LogRequest, ProcessTarget, RpcRequest as Request};

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
    change("addProcessGroup", "boolean", &[GROUP]).owner(
        "Takes a group that the configuration has into service, and starts what starts by itself.",
        |call| Ok(Request::AddProcessGroup { name: call.group()? }),
    ),
    change("clearAllProcessLogs", "array", &[])
        .owner("Empties the logs of all processes.", |_| Ok(Request::ClearAllProcessLogs)),
    change("clearLog", "boolean", &[]).owner("Empties the daemon's own log.", |_| Ok(Request::ClearLog)),
    change("clearProcessLog", "boolean", &[NAME])
        .owner("Empties both logs of a process. The same as clearProcessLogs.", |call| {
            Ok(Request::ClearProcessLogs { name: call.text()? })
        }),
    change("clearProcessLogs", "boolean", &[NAME]).owner("Empties both logs of a process.", |call| {
        Ok(Request::ClearProcessLogs { name: call.text()? })
    }),
    query("getAPIVersion", "string", &[])
        .owner("The version of this interface.", |_| Ok(Request::GetApiVersion)),
    query("getAllConfigInfo", "array", &[])
        .owner("How each process is configured, in the order of their names.", |_| {
            Ok(Request::GetAllConfigInfo)
        }),
    query("getAllProcessInfo", "array", &[])
        .owner("What getProcessInfo tells, for every process, in the order of their names.", |_| {
            Ok(Request::GetAllProcessInfo)
        }),
    query("getIdentification", "string", &[])
        .owner("The identifier of the daemon.", |_| Ok(Request::GetIdentification)),
    query("getPID", "int", &[]).owner("The process id of the daemon.", |_| Ok(Request::GetPid)),
    query("getProcessInfo", "struct", &[NAME])
        .owner("The state of a process, since when, its process id and logs.", |call| {
            Ok(Request::GetProcessInfo { name: call.text()? })
        }),
    query("getState", "struct", &[])
        .owner("The state of the daemon: statecode and statename.", |_| Ok(Request::GetState)),
    query("getSupervisorVersion", "string", &[])
        .owner("The version of Supervisor that the daemon behaves as.", |_| {
            Ok(Request::GetSupervisorVersion)
        }),
    query("getVersion", "string", &[])
        .owner("The version of this interface. The same as getAPIVersion.", |_| Ok(Request::GetApiVersion)),
    query("readLog", "string", &[OFFSET, LENGTH]).log(
        "A part of the daemon's own log. An offset below 0 with length 0 gives that many bytes of the end.",
        |call| read(LogId::Main, call),
    ),
    query("readMainLog", "string", &[OFFSET, LENGTH]).log(
        "A part of the daemon's own log. An offset below 0 with length 0 gives that many bytes of the end. \
            The same as readLog.",
        |call| read(LogId::Main, call),
    ),
    query("readProcessLog", "string", &[NAME, OFFSET, LENGTH]).log(
        "A part of what a process wrote to its standard output. An offset below 0 with length 0 gives that \
            many bytes of the end. The same as readProcessStdoutLog.",
        |call| read(process(call, Stdout)?, call),
    ),
    query("readProcessStderrLog", "string", &[NAME, OFFSET, LENGTH]).log(
        "A part of what a process wrote to its standard error. An offset below 0 with length 0 gives that \
            many bytes of the end.",
        |call| read(process(call, Stderr)?, call),
    ),
    query("readProcessStdoutLog", "string", &[NAME, OFFSET, LENGTH]).log(
        "A part of what a process wrote to its standard output. An offset below 0 with length 0 gives that \
            many bytes of the end.",
        |call| read(process(call, Stdout)?, call),
    ),
    change("reloadConfig", "array", &[]).owner(
        "Reads the configuration again and tells which groups were added, changed and removed. Nothing that \
            runs is touched.",
        |_| Ok(Request::ReloadConfig),
    ),
    change("removeProcessGroup", "boolean", &[GROUP])
        .owner("Takes a group whose processes have stopped out of service.", |call| {
            Ok(Request::RemoveProcessGroup { name: call.group()? })
        }),
    change("restart", "boolean", &[])
        .owner("Stops all processes and starts the daemon afresh.", |_| Ok(Request::Restart)),
    change("sendProcessStdin", "boolean", &[NAME, CHARS])
        .owner("Writes to the standard input of a process.", |call| {
            Ok(Request::SendProcessStdin { name: call.text()?, chars: call.chars()? })
        }),
    change("sendRemoteCommEvent", "boolean", &[TYPE, DATA])
        .owner("Sends an event to the listeners that take REMOTE_COMMUNICATION.", |call| {
            Ok(Request::SendRemoteCommEvent { kind: call.anything()?, data: call.anything()? })
        }),
    change("shutdown", "boolean", &[])
        .owner("Stops all processes and ends the daemon.", |_| Ok(Request::Shutdown)),
    change("signalAllProcesses", "array", &[SIGNAL]).owner("Sends a signal to all processes.", |call| {
        Ok(Request::Signal { target: ProcessTarget::All, signal: call.signal()? })
    }),
    change("signalProcess", "boolean", &[NAMES, SIGNAL]).owner("Sends a signal to a process.", |call| {
        Ok(Request::Signal { target: ProcessTarget::Named(call.text()?), signal: call.signal()? })
    }),
    change("signalProcessGroup", "array", &[GROUP, SIGNAL])
        .owner("Sends a signal to all processes of a group.", |call| {
            Ok(Request::Signal { target: ProcessTarget::Group(call.group()?), signal: call.signal()? })
        }),
    change("startAllProcesses", "array", &[WAIT]).owner("Starts all processes.", |call| {
        Ok(Request::Start { target: ProcessTarget::All, wait: call.wait() })
    }),
    change("startProcess", "boolean", &[NAMES, WAIT]).owner("Starts a process.", |call| {
        Ok(Request::Start { target: ProcessTarget::Named(call.text()?), wait: call.wait() })
    }),
    change("startProcessGroup", "array", &[GROUP, WAIT]).owner("Starts all processes of a group.", |call| {
        Ok(Request::Start { target: ProcessTarget::Group(call.group()?), wait: call.wait() })
    }),
    change("stopAllProcesses", "array", &[WAIT]).owner("Stops all processes.", |call| {
        Ok(Request::Stop { target: ProcessTarget::All, wait: call.wait() })
    }),
    change("stopProcess", "boolean", &[NAMES, WAIT]).owner("Stops a process.", |call| {
        Ok(Request::Stop { target: ProcessTarget::Named(call.text()?), wait: call.wait() })
    }),
    change("stopProcessGroup", "array", &[GROUP, WAIT]).owner("Stops all processes of a group.", |call| {
        Ok(Request::Stop { target: ProcessTarget::Group(call.group()?), wait: call.wait() })
    }),
    query("tailProcessLog", "array", &[NAME, OFFSET, LENGTH]).log(
        "The newest of what a process wrote to its standard output, with the offset behind it, and whether \
            more than length bytes had come since the offset given. The same as tailProcessStdoutLog.",
        |call| tail(process(call, Stdout)?, call),
    ),
    query("tailProcessStderrLog", "array", &[NAME, OFFSET, LENGTH]).log(
        "The newest of what a process wrote to its standard error, with the offset behind it, and whether \
            more than length bytes had come since the offset given.",
        |call| tail(process(call, Stderr)?, call),
    ),
    query("tailProcessStdoutLog", "array", &[NAME, OFFSET, LENGTH]).log(
        "The newest of what a process wrote to its standard output, with the offset behind it, and whether \
            more than length bytes had come since the offset given.",
        |call| tail(process(call, Stdout)?, call),
    ),
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
