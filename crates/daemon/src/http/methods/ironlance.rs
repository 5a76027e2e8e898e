//! `ironlance.*`: our extensions of the interface. docs/xmlrpc.md describes the structs.

use super::{MethodHandler, MethodParam, MethodSpec};
use crate::http::access::Access;
use crate::request::RpcRequest;

const NAME: MethodParam = MethodParam::required("string", "name", "The process, as NAME or GROUP:NAME.");

/// The methods of this namespace.
pub(super) const METHODS: &[MethodSpec] = &[
    MethodSpec {
        name: "getAlerts",
        returns: "array",
        params: &[],
        needs: Access::ReadOnly,
        help: "Each state folder that event listeners keep their alerts in: how many wait and since when, how many were \
            given up, and why the last try failed.",
        handler: MethodHandler::Outboxes,
    },
    MethodSpec {
        name: "getAllProcessEnds",
        returns: "array",
        params: &[],
        needs: Access::ReadOnly,
        help: "How each process last ended that has ended at all, in the order of supervisor.getAllProcessInfo.",
        handler: MethodHandler::Owner(|_| Ok(RpcRequest::GetAllProcessEnds)),
    },
    MethodSpec {
        name: "getDaemonInfo",
        returns: "struct",
        params: &[],
        needs: Access::ReadOnly,
        help: "Facts about the daemon itself: version, process id, start, configuration file, memory, descriptors.",
        handler: MethodHandler::Owner(|_| Ok(RpcRequest::GetDaemonInfo)),
    },
    MethodSpec {
        name: "getListeners",
        returns: "array",
        params: &[],
        needs: Access::ReadOnly,
        help: "Each event listener: its state, the event it works on, and the counts of its pool.",
        handler: MethodHandler::Owner(|_| Ok(RpcRequest::GetListeners)),
    },
    MethodSpec {
        name: "getProcessEnd",
        returns: "struct",
        params: &[NAME],
        needs: Access::ReadOnly,
        help: "How a process last ended: exit status or signal, core dump, out-of-memory kill, how long it had been \
            up, and the last lines it had written.",
        handler: MethodHandler::Owner(|params| Ok(RpcRequest::GetProcessEnd { name: params.text()? })),
    },
];
