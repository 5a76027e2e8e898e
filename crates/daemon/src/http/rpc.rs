//! Calls: found in the table, allowed or not, asked of the owner.

use std::borrow::Cow;

use ironlance_core::log_level::Level;
use ironlance_core::redact::redact;
use ironlance_rpc::{Fault, FaultKind, Members, Value};
use tokio::sync::oneshot;

use super::answer::Desk;
use super::document::Told;
use super::methods::{Access, Plan};
use super::outboxes;
use crate::inbox::Input;
use crate::request::{MethodCall, RpcRequest};
use crate::requester::Requester;

/// What a client may do at this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rights {
    /// Everything.
    All,
    /// Only what changes nothing: the server is open to other hosts and has no password.
    Reads,
}

/// The members of a configuration that can hold a secret: the options of a command, and the login in a URL.
const MAY_HOLD_SECRETS: [&str; 2] = ["command", "serverurl"];

/// What `getAllConfigInfo` answers, without secrets.
fn redacted(answer: Value) -> Value {
    match answer {
        Value::Array(values) => Value::Array(values.into_iter().map(redacted).collect()),
        Value::Struct(members) => {
            let member = |(name, value): (Cow<'static, str>, Value)| match value {
                Value::Str(text) if MAY_HOLD_SECRETS.contains(&&*name) => (name, Value::Str(redact(&text))),
                value => (name, value),
            };
            Value::Struct(members.into_iter().map(member).collect())
        }
        other => other,
    }
}

impl Desk {
    /// The answer to one call.
    pub(super) async fn call(
        &self,
        asker: &Requester,
        method: &str,
        params: Vec<Value>,
    ) -> Result<Told, Fault> {
        match self.plan(method, params)? {
            Plan::Each(calls) => Ok(self.each(asker, calls).await),
            one => self.one(asker, one).await,
        }
    }

    async fn one(&self, asker: &Requester, plan: Plan) -> Result<Told, Fault> {
        match plan {
            Plan::Ask(request) => self.ask(asker, request).await.map(Told::Value),
            Plan::Read(wish) => self.reader.told(wish).await,
            Plan::Told(value) => Ok(Told::Value(value)),
            Plan::Outboxes => self.outboxes().await.map(Told::Value),
            Plan::Each(_) => Err(recursion()),
        }
    }

    fn plan(&self, method: &str, params: Vec<Value>) -> Result<Plan, Fault> {
        let row = self.interfaces.find(method)?;
        if row.access == Access::Changes && self.rights == Rights::Reads {
            self.journal.log(Level::Warn, &format!("{method} was refused: {} has no password", self.section));
            return Err(FaultKind::Failed.about(format_args!(
                "cannot change anything here: [{}] can be reached from other hosts and has no password; set username \
                 and password in it, bind it to 127.0.0.1, or set allow_anonymous_changes=true if that is meant",
                self.section
            )));
        }
        self.interfaces.plan(row, params)
    }

    /// `system.multicall`: one call after the other, each when the one before has its answer.
    async fn each(&self, asker: &Requester, calls: Vec<Value>) -> Told {
        let mut results = Vec::new();
        let mut size = 0;
        for call in calls {
            let outcome = if size < self.limits.answers as u64 {
                self.one_of_many(asker, call).await
            } else {
                Err(FaultKind::Failed.about("cannot answer this call: the answers before it are too long"))
            };
            let result = outcome.unwrap_or_else(|fault| {
                let members = [("faultCode", fault.code.into()), ("faultString", fault.string.into())];
                Told::Value(Value::record(members))
            });
            size += result.size_hint();
            results.push(result);
        }
        Told::Each(results)
    }

    async fn one_of_many(&self, asker: &Requester, call: Value) -> Result<Told, Fault> {
        let Value::Struct(members) = call else { return Err(FaultKind::IncorrectParameters.bare()) };
        let (method, params) = named(members)?;
        self.one(asker, self.plan(&method, params)?).await
    }

    async fn outboxes(&self) -> Result<Value, Fault> {
        let seen = self.lookout.look(outboxes::PATIENCE).await;
        seen.map(outboxes::value).ok_or_else(|| FaultKind::ShutdownState.bare())
    }

    async fn ask(&self, asker: &Requester, request: RpcRequest) -> Result<Value, Fault> {
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
        Ok(if is_configuration && self.rights == Rights::Reads { redacted(answer) } else { answer })
    }
}

fn recursion() -> Fault {
    FaultKind::IncorrectParameters.about("Recursive system.multicall forbidden")
}

/// The method and parameters that an entry of `system.multicall` names.
fn named(members: Members) -> Result<(String, Vec<Value>), Fault> {
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
        return Err(recursion());
    }
    match params {
        Value::Array(params) => Ok((method, params)),
        _ => Err(FaultKind::IncorrectParameters.bare()),
    }
}
