//! `POST /RPC2`: XML-RPC calls, found in the method table, checked for access, and carried out by the owner, the log
//! reader or the table itself.

use std::borrow::Cow;

use hyper::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use ironlance_core::log_level::Level;
use ironlance_core::redact::redact;
use ironlance_core::text::python::repr;
use ironlance_rpc::{Fault, FaultKind, Members, Value, read, write};

use crate::http::access::Access;
use crate::http::error_response::ErrorResponse;
use crate::http::methods::PreparedCall;
use crate::http::outboxes;
use crate::http::reply::Reply;
use crate::http::response_body::Content;
use crate::http::service::{IncomingRequest, Service};
use crate::http::xml_response::{self, MethodResult, XmlResponse};
use crate::request::RpcRequest;
use crate::requester::Requester;

/// At most this much of an invalid request is logged, in characters.
const MAX_SHOWN_CHARS: usize = 400;

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
    pub(in crate::http) async fn rpc(&self, incoming: IncomingRequest<'_>) -> Result<Reply, ErrorResponse> {
        let IncomingRequest { request, peer, state, body_unread, .. } = incoming;
        let headers = request.headers();
        if !headers.contains_key(CONTENT_LENGTH) && !headers.contains_key(TRANSFER_ENCODING) {
            return Err(ErrorResponse::LENGTH_REQUIRED);
        }
        let data = self.read_body(request.into_body(), self.limits.body_bytes, state).await?;
        *body_unread = false;
        let (method, params) = read::request(&data).map_err(|error| self.invalid_call(&data, &error))?;
        let requester = Requester::Client(self.client(peer));
        let content = match self.call_traced(&requester, &method, params).await {
            XmlResponse::Whole(xml) => Content::Whole(xml.into()),
            XmlResponse::Streamed(xml) => {
                let limit = self.limits.pending_response_bytes;
                let counted = self.response_budget.reserve_xml(xml, &self.log_reader, limit);
                counted.ok_or(ErrorResponse::TOO_MANY_PENDING_RESPONSES)?
            }
        };
        Ok(Reply::new("text/xml", content))
    }

    fn invalid_call(&self, data: &[u8], error: &read::ReadError) -> ErrorResponse {
        let shown: String = String::from_utf8_lossy(data).chars().take(MAX_SHOWN_CHARS).collect();
        let complaint = match error {
            read::ReadError::NoMethod => "no method name",
            _ => "unmarshallable",
        };
        let line = format!("XML-RPC request data {} is invalid: {complaint}", repr(&shown));
        self.daemon_log.log(Level::Error, &line);
        // The original does not log the reason.
        self.daemon_log.log(Level::Debug, &error.to_string());
        ErrorResponse::invalid_rpc(&error.to_string())
    }

    /// Calls a method; the call and its outcome are logged at the trace level.
    async fn call_traced(&self, requester: &Requester, method: &str, params: Vec<Value>) -> XmlResponse {
        let trace = self.daemon_log.enabled(Level::Trace);
        if trace {
            self.daemon_log.log(Level::Trace, &format!("XML-RPC method called: {method}()"));
        }
        let result = self.call(requester, method, params).await;
        if trace {
            let outcome = match &result {
                Ok(_) => "successfully".to_owned(),
                Err(fault) => format!("fault: [{}] {}", fault.code, fault.string),
            };
            self.daemon_log.log(Level::Trace, &format!("XML-RPC method {method}() returned {outcome}"));
        }
        match result {
            Ok(result) => xml_response::response(result),
            Err(fault) => XmlResponse::Whole(write::fault(&fault)),
        }
    }

    async fn call(
        &self,
        requester: &Requester,
        method: &str,
        params: Vec<Value>,
    ) -> Result<MethodResult, Fault> {
        match self.prepare(method, params)? {
            PreparedCall::Multicall(calls) => Ok(self.multicall(requester, calls).await),
            single => self.run(requester, single).await,
        }
    }

    async fn run(&self, requester: &Requester, call: PreparedCall) -> Result<MethodResult, Fault> {
        match call {
            PreparedCall::Owner(request) => {
                self.call_owner(requester, request).await.map(MethodResult::Value)
            }
            PreparedCall::Log(request) => self.log_reader.read(request).await,
            PreparedCall::Value(value) => Ok(MethodResult::Value(value)),
            PreparedCall::Outboxes => self.outboxes().await.map(MethodResult::Value),
            PreparedCall::History(request) => {
                self.history_reader.read(request).await.map(MethodResult::Value)
            }
            PreparedCall::Multicall(_) => Err(recursive_multicall()),
        }
    }

    fn prepare(&self, method: &str, params: Vec<Value>) -> Result<PreparedCall, Fault> {
        let method_spec = self.interfaces.find(method)?;
        if !self.access.allows(method_spec.needs) {
            self.daemon_log
                .log(Level::Warn, &format!("{method} was refused: {} has no password", self.section));
            return Err(FaultKind::Failed.about(format_args!(
                "cannot change anything here: [{}] can be reached from other hosts and has no password; set username \
                 and password in it, bind it to 127.0.0.1, or set allow_anonymous_changes=true if that is meant",
                self.section
            )));
        }
        self.interfaces.prepare(method_spec, params)
    }

    /// `system.multicall`: the calls in order, each after the one before it is done.
    async fn multicall(&self, requester: &Requester, calls: Vec<Value>) -> MethodResult {
        let mut results = Vec::new();
        let mut size = 0;
        for call in calls {
            let outcome = if size < self.limits.pending_response_bytes as u64 {
                self.multicall_entry(requester, call).await
            } else {
                Err(FaultKind::Failed.about("cannot answer this call: the answers before it are too long"))
            };
            let result = outcome.unwrap_or_else(|fault| MethodResult::Value(fault.into()));
            size += result.size_hint();
            results.push(result);
        }
        MethodResult::Multicall(results)
    }

    async fn multicall_entry(&self, requester: &Requester, call: Value) -> Result<MethodResult, Fault> {
        let Value::Struct(members) = call else { return Err(FaultKind::IncorrectParameters.bare()) };
        let (method, params) = multicall_target(members)?;
        self.run(requester, self.prepare(&method, params)?).await
    }

    async fn outboxes(&self) -> Result<Value, Fault> {
        let seen = self.outbox_reader.read(outboxes::RPC_WAIT).await;
        seen.map(outboxes::to_value).ok_or_else(|| FaultKind::ShutdownState.bare())
    }

    async fn call_owner(&self, requester: &Requester, request: RpcRequest) -> Result<Value, Fault> {
        let is_configuration = matches!(request, RpcRequest::GetAllConfigInfo);
        let answer = self.owner.call(requester, request).await?;
        // A read-only client may be anyone on the network. One with full access can get the configuration anyway.
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
