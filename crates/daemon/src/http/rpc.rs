//! Calls: found in the table, allowed or not, asked of the owner.

use std::borrow::Cow;

use ironlance_core::log_level::Level;
use ironlance_core::redact::redact;
use ironlance_rpc::{Fault, FaultKind, Members, Value};
use tokio::sync::oneshot;

use super::access::Access;
use super::methods::PreparedCall;
use super::outboxes;
use super::router::Service;
use super::xml_response::MethodResult;
use crate::inbox::Input;
use crate::request::{MethodCall, RpcRequest};
use crate::requester::Requester;

/// The members of a configuration that can hold a secret: the options of a command, and the login in a URL.
const SECRET_MEMBERS: [&str; 2] = ["command", "serverurl"];

/// What `getAllConfigInfo` answers, without secrets.
fn redacted(answer: Value) -> Value {
    match answer {
        Value::Array(values) => Value::Array(values.into_iter().map(redacted).collect()),
        Value::Struct(members) => {
            let member = |(name, value): (Cow<'static, str>, Value)| match value {
                Value::Str(text) if SECRET_MEMBERS.contains(&&*name) => (name, Value::Str(redact(&text))),
                value => (name, value),
            };
            Value::Struct(members.into_iter().map(member).collect())
        }
        other => other,
    }
}

impl Service {
    /// The answer to one call.
    pub(super) async fn call(
        &self,
        asker: &Requester,
        method: &str,
        params: Vec<Value>,
    ) -> Result<MethodResult, Fault> {
        match self.plan(method, params)? {
            PreparedCall::Multicall(calls) => Ok(self.multicall(asker, calls).await),
            run => self.one(asker, run).await,
        }
    }

    async fn one(&self, asker: &Requester, prepare: PreparedCall) -> Result<MethodResult, Fault> {
        match prepare {
            PreparedCall::Owner(request) => self.call_owner(asker, request).await.map(MethodResult::Value),
            PreparedCall::Log(wish) => self.reader.read(wish).await,
            PreparedCall::Value(value) => Ok(MethodResult::Value(value)),
            PreparedCall::Outboxes => self.outboxes().await.map(MethodResult::Value),
            PreparedCall::Multicall(_) => Err(recursive_multicall()),
        }
    }

    fn plan(&self, method: &str, params: Vec<Value>) -> Result<PreparedCall, Fault> {
        let row = self.interfaces.find(method)?;
        if !self.access.allows(row.needs) {
            self.daemon_log
                .log(Level::Warn, &format!("{method} was refused: {} has no password", self.section));
            return Err(FaultKind::Failed.about(format_args!(
                "cannot change anything here: [{}] can be reached from other hosts and has no password; set username \
                 and password in it, bind it to 127.0.0.1, or set allow_anonymous_changes=true if that is meant",
                self.section
            )));
        }
        self.interfaces.prepare(row, params)
    }

    /// `system.multicall`: one call after the other, each when the one before has its answer.
    async fn multicall(&self, asker: &Requester, calls: Vec<Value>) -> MethodResult {
        let mut results = Vec::new();
        let mut size = 0;
        for call in calls {
            let outcome = if size < self.limits.pending_response_bytes as u64 {
                self.multicall_entry(asker, call).await
            } else {
                Err(FaultKind::Failed.about("cannot answer this call: the answers before it are too long"))
            };
            let result = outcome.unwrap_or_else(|fault| {
                let members = [("faultCode", fault.code.into()), ("faultString", fault.string.into())];
                MethodResult::Value(Value::record(members))
            });
            size += result.size_hint();
            results.push(result);
        }
        MethodResult::Multicall(results)
    }

    async fn multicall_entry(&self, asker: &Requester, call: Value) -> Result<MethodResult, Fault> {
        let Value::Struct(members) = call else { return Err(FaultKind::IncorrectParameters.bare()) };
        let (method, params) = multicall_target(members)?;
        self.one(asker, self.plan(&method, params)?).await
    }

    async fn outboxes(&self) -> Result<Value, Fault> {
        let seen = self.outbox_reader.look(outboxes::RPC_WAIT).await;
        seen.map(outboxes::to_value).ok_or_else(|| FaultKind::ShutdownState.bare())
    }

    async fn call_owner(&self, asker: &Requester, request: RpcRequest) -> Result<Value, Fault> {
        let is_configuration = matches!(request, RpcRequest::GetAllConfigInfo);
        let (reply, answer) = oneshot::channel();
        // An owner that is gone, or drops the question, is one that stops.
        let gone = || FaultKind::ShutdownState.bare();
        self.owner
            .send(Input::Call(MethodCall { request, asker: asker.clone(), reply }))
            .await
            .map_err(|_| gone())?;
        let answer = answer.await.map_err(|_| gone())??;
        // Who only reads may be anybody; who may do everything could read the configuration itself.
        Ok(if is_configuration && self.access == Access::ReadOnly { redacted(answer) } else { answer })
    }
}

fn recursive_multicall() -> Fault {
    FaultKind::IncorrectParameters.about("Recursive system.multicall forbidden")
}

/// The method and parameters that an entry of `system.multicall` names.
fn multicall_target(members: Members) -> Result<(String, Vec<Value>), Fault> {
    let (mut method, mut params) = (Value::Nil, Value::Array(Vec::new()));
    for (name, value) in members {
        match &*name {
            "methodName" => method = value,
            "params" => params = value,
            _ => {}
        }
    }
    let method = match method {
        Value::Str(method) => method,
        Value::Nil => return Err(FaultKind::IncorrectParameters.about("No methodName")),
        _ => return Err(FaultKind::IncorrectParameters.about("methodName is no string")),
    };
    if method == "system.multicall" {
        return Err(recursive_multicall());
    }
    match params {
        Value::Array(params) => Ok((method, params)),
        _ => Err(FaultKind::IncorrectParameters.bare()),
    }
}
