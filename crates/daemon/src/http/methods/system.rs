//! `system.*`: methods about the method table itself.

use std::fmt::Write;

use ironlance_rpc::{Fault, FaultKind, Value};

use super::MethodHandler::{Multicall, Table};
use super::{Interfaces, MethodParam, MethodSpec, Params, query};

const METHOD: MethodParam =
    MethodParam::required("string", "name", "A method with its namespace, such as supervisor.getState.");

const CALLS: MethodParam =
    MethodParam::required("array", "calls", "Structs with methodName (a string) and params (an array).");

/// The methods of this namespace.
pub(super) const METHODS: &[MethodSpec] = &[
    query("listMethods", "array", &[]).handled("The names of all methods, sorted.", Table(list_methods)),
    query("methodHelp", "string", &[METHOD])
        .handled("What a method does, takes and gives.", Table(method_help)),
    query("methodSignature", "array", &[METHOD])
        .handled("The type of a method's result, and of each of its parameters.", Table(method_signature)),
    query("multicall", "array", &[CALLS]).handled(
        "Answers several calls one after the other, each when the one before it is done. The result has, for \
            each, its result, or a struct of faultCode and faultString.",
        Multicall,
    ),
];

fn list_methods(interfaces: &Interfaces, _: &mut Params) -> Result<Value, Fault> {
    Ok(Value::Array(interfaces.all().into_iter().map(|(name, _)| Value::Str(name)).collect()))
}

fn method_help(interfaces: &Interfaces, params: &mut Params) -> Result<Value, Fault> {
    let row = find_described(interfaces, params)?;
    let mut help = format!("{}\n\n", row.help);
    // Writing into a String cannot fail.
    for MethodParam { kind, name, about, .. } in row.params {
        let _ = writeln!(help, "@param {kind} {name} {about}");
    }
    let _ = writeln!(help, "@return {} result", row.returns);
    Ok(Value::Str(help))
}

fn method_signature(interfaces: &Interfaces, params: &mut Params) -> Result<Value, Fault> {
    let row = find_described(interfaces, params)?;
    let types = std::iter::once(row.returns).chain(row.params.iter().map(|param| param.kind));
    Ok(Value::Array(types.map(Value::from).collect()))
}

/// The method that the parameter names; SIGNATURE_UNSUPPORTED if there is none.
fn find_described(interfaces: &Interfaces, params: &mut Params) -> Result<&'static MethodSpec, Fault> {
    let unsupported = |_| FaultKind::SignatureUnsupported.bare();
    let method = params.text().map_err(unsupported)?;
    interfaces.find(&method).map_err(unsupported)
}
