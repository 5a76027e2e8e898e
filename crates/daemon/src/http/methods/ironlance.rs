//! `ironlance.*`: our extensions of the interface. docs/xmlrpc.md describes the structs.

use super::{MethodHandler, MethodParam, MethodSpec, query};
use crate::request::RpcRequest as Request;

const NAME: MethodParam = MethodParam::required("string", "name", "The process, as NAME or GROUP:NAME.");

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
