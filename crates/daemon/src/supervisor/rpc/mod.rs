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
use crate::request::{MethodCall, RpcRequest};
use crate::state::ids::{GroupId, ProcessId};
use crate::state::pending_calls::Goal;
use crate::state::process_table::Process;

/// The version of the interface.
const API_VERSION: &str = "3.0";
/// The Supervisor that clients find: its interface is what we have.
pub(crate) const SUPERVISOR_VERSION: &str = "4.3.0";

/// An answer that is known at once.
type RpcResult = Result<Value, Fault>;

/// A process or a whole group, by the name that a client gave.
pub(super) enum Target {
    Process(ProcessId),
    Group(GroupId),
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
            RpcRequest::StartProcess { name, wait } => {
                return self.start_or_stop_named(&name, Goal::Up, wait, call);
            }
            RpcRequest::StartProcessGroup { name, wait } => {
                return self.start_or_stop_group(&name, Goal::Up, wait, call);
            }
            RpcRequest::StartAllProcesses { wait } => return self.start_or_stop_all(Goal::Up, wait, call),
            RpcRequest::StopProcess { name, wait } => {
                return self.start_or_stop_named(&name, Goal::Down, wait, call);
            }
            RpcRequest::StopProcessGroup { name, wait } => {
                return self.start_or_stop_group(&name, Goal::Down, wait, call);
            }
            RpcRequest::StopAllProcesses { wait } => return self.start_or_stop_all(Goal::Down, wait, call),
            at_once => self.answer_at_once(at_once),
        };
        self.io.calls.reply(call, answer);
    }

    fn answer_at_once(&mut self, request: RpcRequest) -> RpcResult {
        match request {
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
            RpcRequest::Restart => self.restart_on_request(),
            RpcRequest::ReloadConfig => self.reload_configuration(),
            RpcRequest::AddProcessGroup { name } => self.add_named_group(name),
            RpcRequest::RemoveProcessGroup { name } => self.remove_named_group(name),
            RpcRequest::SignalProcess { name, signal } => self.signal_process(&name, &signal),
            RpcRequest::SignalProcessGroup { name, signal } => self.signal_group(&name, &signal),
            RpcRequest::SignalAllProcesses { signal } => Ok(self.signal_all(&signal)),
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
            RpcRequest::StartProcess { .. }
            | RpcRequest::StartProcessGroup { .. }
            | RpcRequest::StartAllProcesses { .. }
            | RpcRequest::StopProcess { .. }
            | RpcRequest::StopProcessGroup { .. }
            | RpcRequest::StopAllProcesses { .. } => Err(FaultKind::Failed.bare()),
        }
    }

    fn state(&self) -> Value {
        let (code, name) = state_code_and_name(self.state.daemon_state);
        Value::Struct(vec![
            ("statecode".into(), Value::Int(code)),
            ("statename".into(), Value::Str(name.into())),
        ])
    }

    /// What a name means: `NAME`, `GROUP:NAME`, `GROUP:*` or `GROUP:` (options.py, split_namespec).
    pub(super) fn find(&self, name: &str) -> Result<Target, Fault> {
        let unknown = || FaultKind::BadName.about(name);
        let (group, process) = match name.split_once(':') {
            Some((group, "" | "*")) => (group, None),
            Some((group, process)) => (group, Some(process)),
            None => (name, Some(name)),
        };
        let id = self.state.table.group_id(&GroupName(group.to_owned())).ok_or_else(unknown)?;
        let Some(process) = process else { return Ok(Target::Group(id)) };
        let group = self.state.table.group(id).ok_or_else(unknown)?;
        let member = group.member(&ProcessName(process.to_owned()));
        member.map(Target::Process).ok_or_else(unknown)
    }

    /// The process that a name means; a group is a fault.
    pub(super) fn find_process(&self, name: &str) -> Result<(ProcessId, &Process), Fault> {
        let unknown = || FaultKind::BadName.about(name);
        let Target::Process(id) = self.find(name)? else { return Err(unknown()) };
        self.state.table.process(id).map(|process| (id, process)).ok_or_else(unknown)
    }

    pub(super) fn find_group(&self, name: &str) -> Result<GroupId, Fault> {
        self.state.table.group_id(&GroupName(name.to_owned())).ok_or_else(|| FaultKind::BadName.about(name))
    }
}

/// `statecode` and `statename` (SupervisorStates of states.py).
const fn state_code_and_name(state: DaemonState) -> (i64, &'static str) {
    let code = match state {
        DaemonState::Running => 1,
        DaemonState::Restarting => 0,
        DaemonState::Shutdown => -1,
    };
    (code, state.name())
}
