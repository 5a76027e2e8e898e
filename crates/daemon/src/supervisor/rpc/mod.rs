//! The methods of the XML-RPC interface (rpcinterface.py), a file for each subject; requests come typed from `inbox`.

mod configuration;
mod extensions;
mod logs;
mod process_control;
mod process_info;
mod snapshot;

use ironlance_core::process::lifecycle::DaemonState;
use ironlance_core::{GroupName, ProcessName};
use ironlance_rpc::{Fault, FaultKind, Value};

use super::Supervisor;
use crate::request::{MethodCall, ProcessTarget, RpcRequest};
use crate::state::ids::ProcessId;
use crate::state::pending_calls::Goal;
use crate::state::process_table::Process;

/// The version of the interface.
const API_VERSION: &str = "3.0";
/// The Supervisor that clients find: its interface is what we have.
pub(crate) const SUPERVISOR_VERSION: &str = "4.3.0";

/// An answer that is known at once.
type RpcResult = Result<Value, Fault>;

/// The processes that a client means.
pub(super) enum Found<'a> {
    /// One, by this name.
    One(ProcessId, &'a str),
    /// Several, by rising priority.
    Many(Vec<ProcessId>),
}

impl Supervisor {
    /// Answers a call, now or when what it asks for is done.
    pub(super) fn answer(&mut self, call: MethodCall) {
        let MethodCall { request, requester, reply } = call;
        let call = self.io.calls.add(reply);
        self.state.requester = Some(self.identify(requester));
        if self.state.daemon_state != DaemonState::Running && !request.is_answered_while_stopping() {
            return self.io.calls.reply(call, Err(FaultKind::ShutdownState.bare()));
        }
        self.log_requester(&request);
        let answer = match request {
            RpcRequest::Start { target, wait } => return self.start_or_stop(&target, Goal::Up, wait, call),
            RpcRequest::Stop { target, wait } => return self.start_or_stop(&target, Goal::Down, wait, call),
            RpcRequest::Signal { target, signal } => self.signal(&target, &signal),
            RpcRequest::GetApiVersion => Ok(Value::Str(API_VERSION.into())),
            RpcRequest::GetSupervisorVersion => Ok(Value::Str(SUPERVISOR_VERSION.into())),
            RpcRequest::GetIdentification => Ok(Value::Str(self.env.settings.identifier.clone())),
            RpcRequest::GetState => Ok(self.state()),
            RpcRequest::GetPid => Ok(Value::Int(i64::from(std::process::id()))),
            RpcRequest::ClearLog => self.clear_main_log(),
            RpcRequest::Shutdown => {
                self.request_shutdown(DaemonState::Shutdown);
                Ok(Value::Bool(true))
            }
            RpcRequest::Restart => self.restart(),
            RpcRequest::ReloadConfig => self.reload_configuration(),
            RpcRequest::AddProcessGroup { name } => self.add_named_group(name),
            RpcRequest::RemoveProcessGroup { name } => self.remove_named_group(name),
            RpcRequest::GetAllConfigInfo => Ok(self.all_config_info()),
            RpcRequest::GetProcessInfo { name } => self.process_info(&name),
            RpcRequest::GetAllProcessInfo => Ok(self.all_process_info()),
            RpcRequest::ClearProcessLogs { name } => self.clear_process_logs(&name),
            RpcRequest::ClearAllProcessLogs => Ok(self.clear_all_process_logs()),
            RpcRequest::SendProcessStdin { name, chars } => self.send_process_stdin(&name, &chars),
            RpcRequest::SendRemoteCommEvent { kind, data } => Ok(self.send_remote_event(&kind, &data)),
            RpcRequest::GetProcessEnd { name } => self.process_end(&name),
            RpcRequest::GetAllProcessEnds => Ok(self.all_process_ends()),
            RpcRequest::GetListeners => Ok(self.listeners()),
            RpcRequest::GetDaemonInfo => Ok(self.daemon_info()),
        };
        self.io.calls.reply(call, answer);
    }

    /// `statecode` and `statename` (SupervisorStates of states.py).
    fn state(&self) -> Value {
        let code: i64 = match self.state.daemon_state {
            DaemonState::Running => 1,
            DaemonState::Restarting => 0,
            DaemonState::Shutdown => -1,
        };
        Value::record([("statecode", code.into()), ("statename", self.state.daemon_state.name().into())])
    }

    /// What a name means: `NAME`, `GROUP:NAME`, `GROUP:*` or `GROUP:` (options.py, split_namespec).
    fn find<'a>(&self, name: &'a str) -> Result<Found<'a>, Fault> {
        let unknown = || FaultKind::BadName.about(name);
        let (group, process) = match name.split_once(':') {
            Some((group, "" | "*")) => (group, None),
            Some((group, process)) => (group, Some(process)),
            None => (name, Some(name)),
        };
        let id = self.state.table.group_id(&GroupName(group.to_owned())).ok_or_else(unknown)?;
        let Some(process) = process else { return Ok(Found::Many(self.state.table.members_by_priority(id))) };
        let group = self.state.table.group(id).ok_or_else(unknown)?;
        let member = group.member(&ProcessName(process.to_owned()));
        member.map(|id| Found::One(id, name)).ok_or_else(unknown)
    }

    /// What a start, stop or signal is for.
    pub(super) fn find_target<'a>(&self, target: &'a ProcessTarget) -> Result<Found<'a>, Fault> {
        let table = &self.state.table;
        match target {
            ProcessTarget::Named(name) => self.find(name),
            ProcessTarget::Group(name) => {
                let id = table.group_id(&GroupName(name.clone()));
                let id = id.ok_or_else(|| FaultKind::BadName.about(name))?;
                Ok(Found::Many(table.members_by_priority(id)))
            }
            ProcessTarget::All => Ok(Found::Many(table.listed_by_priority())),
        }
    }

    /// The process that a name means; a group is a fault.
    pub(super) fn find_process(&self, name: &str) -> Result<(ProcessId, &Process), Fault> {
        let unknown = || FaultKind::BadName.about(name);
        let Found::One(id, _) = self.find(name)? else { return Err(unknown()) };
        self.state.table.process(id).map(|process| (id, process)).ok_or_else(unknown)
    }
}
