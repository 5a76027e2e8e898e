//! `ironlance.*`: what supervisord knows beyond the original's answers. docs/xmlrpc.md has the structs.

use super::{Access, Answer, Param, Row};
use crate::request::RpcRequest;

const NAME: Param = Param { kind: "string", name: "name", about: "The process, as NAME or GROUP:NAME." };

/// The methods of this namespace.
pub(super) const ROWS: &[Row] = &[
    Row {
        name: "getAlerts",
        returns: "array",
        params: &[],
        optional: 0,
        access: Access::Reads,
        help: "Each state folder that event listeners keep their alerts in: how many wait and since when, how many were \
            given up, and why the last try failed.",
        answer: Answer::Outboxes,
    },
    Row {
        name: "getAllProcessEnds",
        returns: "array",
        params: &[],
        optional: 0,
        access: Access::Reads,
        help: "How each process last ended that has ended at all, in the order of supervisor.getAllProcessInfo.",
        answer: Answer::Owner(|_| Ok(RpcRequest::GetAllProcessEnds)),
    },
    Row {
        name: "getDaemonInfo",
        returns: "struct",
        params: &[],
        optional: 0,
        access: Access::Reads,
        help: "Facts about the daemon itself: version, process id, start, configuration file, memory, descriptors.",
        answer: Answer::Owner(|_| Ok(RpcRequest::GetDaemonInfo)),
    },
    Row {
        name: "getListeners",
        returns: "array",
        params: &[],
        optional: 0,
        access: Access::Reads,
        help: "Each event listener: its state, the event it works on, and the counts of its pool.",
        answer: Answer::Owner(|_| Ok(RpcRequest::GetListeners)),
    },
    Row {
        name: "getProcessEnd",
        returns: "struct",
        params: &[NAME],
        optional: 0,
        access: Access::Reads,
        help: "How a process last ended: exit status or signal, core dump, out-of-memory kill, how long it had been \
            up, and the last lines it had written.",
        answer: Answer::Owner(|params| Ok(RpcRequest::GetProcessEnd { name: params.text()? })),
    },
];
