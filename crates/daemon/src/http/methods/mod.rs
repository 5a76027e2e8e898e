//! The static table of all methods: what each takes, gives and changes. Nothing in it is computed.

mod ironlance;
mod parameter;
mod supervisor;
mod system;

use ironlance_rpc::{Fault, FaultKind, Value};

pub use parameter::Params;

use super::access::Access;
use crate::request::{LogRequest, RpcRequest};

/// A parameter: its type and name as `system.methodSignature` and `system.methodHelp` give them.
pub struct MethodParam {
    /// Type, such as `string`.
    pub kind: &'static str,
    /// Name.
    pub name: &'static str,
    /// In words.
    pub about: &'static str,
}

/// One method.
pub struct MethodSpec {
    /// Its name after the dot.
    pub name: &'static str,
    /// The type of its result.
    pub returns: &'static str,
    /// Its parameters in order.
    pub params: &'static [MethodParam],
    /// How many of them, from the end, may be missing.
    pub optional: usize,
    /// What a client must be allowed to do to call it.
    pub needs: Access,
    /// What it does, for `system.methodHelp`.
    pub help: &'static str,
    /// Who answers it.
    pub handler: MethodHandler,
}

/// Who answers a method, and how its parameters are read.
#[derive(Clone, Copy)]
pub enum MethodHandler {
    /// The owner of all state.
    Owner(fn(&mut Params) -> Result<RpcRequest, Fault>),
    /// A log's file, whose place the owner tells.
    Log(fn(&mut Params) -> Result<LogRequest, Fault>),
    /// The table itself.
    Table(fn(&Interfaces, &mut Params) -> Result<Value, Fault>),
    /// The disk: what waits in the outboxes of listeners.
    Outboxes,
    /// `system.multicall`.
    Multicall,
}

/// A call whose method and parameters have been understood.
#[derive(Debug)]
pub enum PreparedCall {
    /// The owner is to be asked.
    Owner(RpcRequest),
    /// A log is to be read.
    Log(LogRequest),
    /// This is the answer.
    Value(Value),
    /// The outboxes of listeners are to be looked into.
    Outboxes,
    /// Several calls, to be answered one after the other.
    Multicall(Vec<Value>),
}

/// The namespaces that are offered, and the methods of each.
///
/// `supervisor.*` is there under the name of each `[rpcinterface:NAME]` section with the stock factory, as in the
/// original; without any there is only `system.*`.
#[derive(Clone, Debug)]
pub struct Interfaces {
    names: Vec<String>,
}

impl Interfaces {
    /// The stock interfaces under these names.
    pub fn new(names: Vec<String>) -> Self {
        Self { names }
    }

    /// The method of a full name such as `supervisor.getState`.
    pub fn find(&self, method: &str) -> Result<&'static MethodSpec, Fault> {
        let unknown = || FaultKind::UnknownMethod.bare();
        let (namespace, name) = method.split_once('.').ok_or_else(unknown)?;
        let methods = self.rows(namespace).ok_or_else(unknown)?;
        methods.iter().find(|row| row.name == name).ok_or_else(unknown)
    }

    /// Reads the parameters of a call.
    pub fn prepare(&self, row: &MethodSpec, params: Vec<Value>) -> Result<PreparedCall, Fault> {
        if params.len() > row.params.len() || params.len() + row.optional < row.params.len() {
            return Err(FaultKind::IncorrectParameters.bare());
        }
        let mut params = Params::new(params);
        match row.handler {
            MethodHandler::Owner(read) => read(&mut params).map(PreparedCall::Owner),
            MethodHandler::Log(wish) => wish(&mut params).map(PreparedCall::Log),
            MethodHandler::Table(tell) => tell(self, &mut params).map(PreparedCall::Value),
            MethodHandler::Outboxes => Ok(PreparedCall::Outboxes),
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

    /// Every full name with its row, in the order of the names.
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
