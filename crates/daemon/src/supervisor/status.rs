//! One process's line in the answer to a request about several (rpcinterface.py, make_allfunc).

use ironlance_core::Namespec;
use ironlance_rpc::{Fault, FaultKind, Value};

/// How it went for one process; without a fault it went well.
pub(super) fn process_status(namespec: &Namespec, fault: Option<&Fault>) -> Value {
    let (code, description) =
        fault.map_or((FaultKind::Success.code(), "OK"), |fault| (fault.code, fault.string.as_str()));
    Value::Struct(vec![
        ("name".into(), Value::Str(namespec.process.0.clone())),
        ("group".into(), Value::Str(namespec.group.0.clone())),
        ("status".into(), Value::Int(code)),
        ("description".into(), Value::Str(description.to_owned())),
    ])
}
