//! `ironlance.*`: our extensions of the interface. docs/xmlrpc.md describes the structs.

use super::{MethodHandler, MethodParam, MethodSpec, query};
use crate::http::history::HistoryRequest;
use crate::request::RpcRequest as Request;

const NAME: MethodParam = MethodParam::required("string", "name", "The process, as NAME or GROUP:NAME.");

const NAMES: MethodParam = MethodParam::required(
    "array",
    "names",
    "Processes as NAME, GROUP:NAME or GROUP:*, or patterns of these; an empty array for all records.",
);
const LIMIT: MethodParam = MethodParam::required("int", "limit", "At most this many records; 500 at most.");
const BEFORE: MethodParam = MethodParam::optional(
    "int",
    "before",
    "Only records before the one with this number; 0 for the last ones.",
);

/// The methods of this namespace.
pub(super) const METHODS: &[MethodSpec] = &[
    query("getAlerts", "array", &[]).handled(
        "Each state folder that event listeners keep their alerts in: how many wait and since when, how many \
            were given up, and why the last try failed.",
        MethodHandler::Outboxes,
    ),
    query("getAllProcessEnds", "array", &[]).owner(
        "How each process last ended that has ended at all, in the order of supervisor.getAllProcessInfo.",
        |_| Ok(Request::GetAllProcessEnds),
    ),
    query("getDaemonInfo", "struct", &[]).owner(
        "Facts about the daemon itself: version, process id, start, configuration file, memory, \
            descriptors.",
        |_| Ok(Request::GetDaemonInfo),
    ),
    query("getHistory", "array", &[NAMES, LIMIT, BEFORE]).handled(
        "The last records of the daemon's journal, the oldest first: what happened to processes, groups and the daemon, \
            when and why. NO_FILE where the configuration has no alert section.",
        MethodHandler::History(|call| HistoryRequest::new(call.texts()?, call.integer()?, call.integer_or(0)?)),
    ),
    query("getListeners", "array", &[])
        .owner("Each event listener: its state, the event it works on, and the counts of its pool.", |_| {
            Ok(Request::GetListeners)
        }),
    query("getProcessEnd", "struct", &[NAME]).owner(
        "How a process last ended: exit status or signal, core dump, out-of-memory kill, how long it had \
            been up, and the last lines it had written.",
        |call| Ok(Request::GetProcessEnd { name: call.text()? }),
    ),
];
