//! The method table: for each XML-RPC method its parameters, result, needed access and handler. It is constant.

mod ironlance;
mod parameter;
mod supervisor;
mod system;

use ironlance_rpc::{Fault, FaultKind, Value};

pub use parameter::Params;

use super::access::Access;
use super::history::HistoryRequest;
use crate::request::{LogRequest, RpcRequest};

/// A parameter: its type and name as `system.methodSignature` and `system.methodHelp` give them.
pub struct MethodParam {
    /// Type, such as `string`.
    pub kind: &'static str,
    /// Name.
    pub name: &'static str,
    /// Whether it may be missing; only the last ones may.
    pub optional: bool,
    /// Description.
    pub about: &'static str,
}

impl MethodParam {
    const fn required(kind: &'static str, name: &'static str, about: &'static str) -> Self {
        Self { kind, name, optional: false, about }
    }

    const fn optional(kind: &'static str, name: &'static str, about: &'static str) -> Self {
        Self { kind, name, optional: true, about }
    }
}

/// One method.
pub struct MethodSpec {
    /// Its name after the dot.
    pub name: &'static str,
    /// The type of its result.
    pub returns: &'static str,
    /// Its parameters in order.
    pub params: &'static [MethodParam],
    /// The access that a client needs to call it.
    pub needs: Access,
    /// What it does, for `system.methodHelp`.
    pub help: &'static str,
    /// What answers it.
    pub handler: MethodHandler,
}

/// The first columns of the table.
struct Signature {
    name: &'static str,
    returns: &'static str,
    params: &'static [MethodParam],
    needs: Access,
}

/// A method that changes nothing.
const fn query(name: &'static str, returns: &'static str, params: &'static [MethodParam]) -> Signature {
    Signature { name, returns, params, needs: Access::ReadOnly }
}

/// A method that changes something.
const fn change(name: &'static str, returns: &'static str, params: &'static [MethodParam]) -> Signature {
    Signature { name, returns, params, needs: Access::Full }
}

impl Signature {
    const fn owner(
        self,
        help: &'static str,
        read: fn(&mut Params) -> Result<RpcRequest, Fault>,
    ) -> MethodSpec {
        self.handled(help, MethodHandler::Owner(read))
    }

    const fn log(self, help: &'static str, read: fn(&mut Params) -> Result<LogRequest, Fault>) -> MethodSpec {
        self.handled(help, MethodHandler::Log(read))
    }

    const fn handled(self, help: &'static str, handler: MethodHandler) -> MethodSpec {
        let Self { name, returns, params, needs } = self;
        MethodSpec { name, returns, params, needs, help, handler }
    }
}

/// What answers a method, and how its parameters are read.
#[derive(Clone, Copy)]
pub enum MethodHandler {
    /// The owner of all state.
    Owner(fn(&mut Params) -> Result<RpcRequest, Fault>),
    /// The log reader.
    Log(fn(&mut Params) -> Result<LogRequest, Fault>),
    /// The table itself.
    Table(fn(&Interfaces, &mut Params) -> Result<Value, Fault>),
    /// The outbox reader.
    Outboxes,
    /// The reader of the journal.
    History(fn(&mut Params) -> Result<HistoryRequest, Fault>),
    /// `system.multicall`.
    Multicall,
}

/// A call whose parameters have been read.
#[derive(Debug)]
pub enum PreparedCall {
    /// A request to the owner.
    Owner(RpcRequest),
    /// A log to be read.
    Log(LogRequest),
    /// The result itself.
    Value(Value),
    /// The outboxes of listeners are to be read.
    Outboxes,
    /// The journal is to be read.
    History(HistoryRequest),
    /// Several calls, to be carried out in order.
    Multicall(Vec<Value>),
}

/// The namespaces that are offered, and the methods of each.
///
/// `supervisor.*` is offered under the name of each `[rpcinterface:NAME]` section with the stock factory, as in the
/// original; without such a section there is only `system.*`.
#[derive(Clone, Debug)]
pub struct Interfaces {
    names: Vec<String>,
}

impl Interfaces {
    /// The stock interfaces under these names.
    pub fn new(names: Vec<String>) -> Self {
        Self { names }
    }

    /// Finds a method by its full name, such as `supervisor.getState`.
    pub fn find(&self, method: &str) -> Result<&'static MethodSpec, Fault> {
        let unknown = || FaultKind::UnknownMethod.bare();
        let (namespace, name) = method.split_once('.').ok_or_else(unknown)?;
        let methods = self.rows(namespace).ok_or_else(unknown)?;
        methods.iter().find(|row| row.name == name).ok_or_else(unknown)
    }

    /// Reads the parameters of a call.
    pub fn prepare(&self, row: &MethodSpec, params: Vec<Value>) -> Result<PreparedCall, Fault> {
        if params.len() > row.params.len()
            || params.len() < row.params.iter().filter(|param| !param.optional).count()
        {
            return Err(FaultKind::IncorrectParameters.bare());
        }
        let mut params = Params::new(params);
        match row.handler {
            MethodHandler::Owner(read) => read(&mut params).map(PreparedCall::Owner),
            MethodHandler::Log(read) => read(&mut params).map(PreparedCall::Log),
            MethodHandler::Table(tell) => tell(self, &mut params).map(PreparedCall::Value),
            MethodHandler::Outboxes => Ok(PreparedCall::Outboxes),
            MethodHandler::History(read) => read(&mut params).map(PreparedCall::History),
            MethodHandler::Multicall => match params.value()? {
                Value::Array(calls) => Ok(PreparedCall::Multicall(calls)),
                _ => Err(FaultKind::IncorrectParameters.bare()),
            },
        }
    }

    fn rows(&self, namespace: &str) -> Option<&'static [MethodSpec]> {
        if namespace == "system" {
            return Some(system::METHODS);
        }
        if self.names.iter().any(|name| name == namespace) {
            return Some(supervisor::METHODS);
        }
        (namespace == "ironlance" && !self.names.is_empty()).then_some(ironlance::METHODS)
    }

    /// All methods with their full names, sorted by name.
    fn all(&self) -> Vec<(String, &'static MethodSpec)> {
        let mut namespaces: Vec<&str> = self.names.iter().map(String::as_str).collect();
        namespaces.extend(["ironlance", "system"]);
        namespaces.sort_unstable();
        namespaces.dedup();
        let mut all: Vec<_> = namespaces
            .into_iter()
            .flat_map(|space| self.rows(space).unwrap_or_default().iter().map(move |row| (space, row)))
            .map(|(space, row)| (format!("{space}.{}", row.name), row))
            .collect();
        all.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        all
    }
}

#[cfg(test)]
mod tests;
