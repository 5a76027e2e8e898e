//! What clients are told: one file for each subject of the XML-RPC interface (rpcinterface.py).

mod configuration;
mod info;
mod life;
mod logs;
mod ours;
mod view;

use ironlance_core::lifecycle::Mood;
use ironlance_core::{GroupName, ProcessName};
use ironlance_rpc::{Fault, FaultKind, Value};

use super::Supervisor;
use super::population::{GroupId, Process, ProcessId};
use super::waits::Until;
use crate::request::{Call, Request};

/// The version of the interface.
const API_VERSION: &str = "3.0";
/// The Supervisor that clients find: its interface is what we have.
pub(crate) const SUPERVISOR_VERSION: &str = "4.3.0";

/// An answer that is known at once.
type Answer = Result<Value, Fault>;

/// A process or a whole group, by the name that a client gave.
pub(super) enum Named {
    Process(ProcessId),
    Group(GroupId),
}

impl Supervisor {
    /// Answers a call, now or when what it asks for has come true.
    pub(super) fn answer(&mut self, call: Call) {
        let Call { request, asker, reply } = call;
        self.asker = Some(self.recognised(asker));
        if self.mood != Mood::Running && !request.is_answered_while_stopping() {
            let _ = reply.send(Err(FaultKind::ShutdownState.bare()));
            return;
        }
        self.log_who_asks(&request);
        let answer = match request {
            Request::StartProcess { name, wait } => {
                return self.bring_named(&name, Until::Up, wait, reply);
            }
            Request::StartProcessGroup { name, wait } => {
                return self.bring_group(&name, Until::Up, wait, reply);
            }
            Request::StartAllProcesses { wait } => return self.bring_all(Until::Up, wait, reply),
            Request::StopProcess { name, wait } => {
                return self.bring_named(&name, Until::Down, wait, reply);
            }
            Request::StopProcessGroup { name, wait } => {
                return self.bring_group(&name, Until::Down, wait, reply);
            }
            Request::StopAllProcesses { wait } => return self.bring_all(Until::Down, wait, reply),
            at_once => self.answer_at_once(at_once),
        };
        // A client that has gone misses nothing.
        let _ = reply.send(answer);
    }

    fn answer_at_once(&mut self, request: Request) -> Answer {
        match request {
            Request::GetApiVersion => Ok(Value::Str(API_VERSION.into())),
            Request::GetSupervisorVersion => Ok(Value::Str(SUPERVISOR_VERSION.into())),
            Request::GetIdentification => Ok(Value::Str(self.settings.identifier.clone())),
            Request::GetState => Ok(self.state()),
            Request::GetPid => Ok(Value::Int(i64::from(std::process::id()))),
            Request::ClearLog => self.clear_main_log(),
            Request::Shutdown => {
                self.end_on_request(Mood::Shutdown);
                Ok(Value::Bool(true))
            }
            Request::Restart => self.restart_on_request(),
            Request::ReloadConfig => self.reload_configuration(),
            Request::AddProcessGroup { name } => self.add_named_group(name),
            Request::RemoveProcessGroup { name } => self.remove_named_group(name),
            Request::SignalProcess { name, signal } => self.signal_process(&name, &signal),
            Request::SignalProcessGroup { name, signal } => self.signal_group(&name, &signal),
            Request::SignalAllProcesses { signal } => Ok(self.signal_all(&signal)),
            Request::GetAllConfigInfo => Ok(self.all_config_info()),
            Request::GetProcessInfo { name } => self.process_info(&name),
            Request::GetAllProcessInfo => Ok(self.all_process_info()),
            Request::ClearProcessLogs { name } => self.clear_process_logs(&name),
            Request::ClearAllProcessLogs => Ok(self.clear_all_process_logs()),
            Request::SendProcessStdin { name, chars } => self.send_process_stdin(&name, &chars),
            Request::SendRemoteCommEvent { kind, data } => Ok(self.send_remote_event(&kind, &data)),
            Request::GetProcessEnd { name } => self.process_end(&name),
            Request::GetAllProcessEnds => Ok(self.all_process_ends()),
            Request::GetListeners => Ok(self.listeners()),
            Request::GetDaemonInfo => Ok(self.daemon_info()),
            Request::StartProcess { .. }
            | Request::StartProcessGroup { .. }
            | Request::StartAllProcesses { .. }
            | Request::StopProcess { .. }
            | Request::StopProcessGroup { .. }
            | Request::StopAllProcesses { .. } => Err(FaultKind::Failed.bare()),
        }
    }

    fn state(&self) -> Value {
        let (code, name) = mood_in_words(self.mood);
        Value::Struct(vec![
            ("statecode".into(), Value::Int(code)),
            ("statename".into(), Value::Str(name.into())),
        ])
    }

    /// Who is meant: `NAME`, `GROUP:NAME`, `GROUP:*` or `GROUP:` (options.py, split_namespec).
    pub(super) fn find(&self, name: &str) -> Result<Named, Fault> {
        let unknown = || FaultKind::BadName.about(name);
        let (group, process) = match name.split_once(':') {
            Some((group, "" | "*")) => (group, None),
            Some((group, process)) => (group, Some(process)),
            None => (name, Some(name)),
        };
        let id = self.population.group_id(&GroupName(group.to_owned())).ok_or_else(unknown)?;
        let Some(process) = process else { return Ok(Named::Group(id)) };
        let group = self.population.group(id).ok_or_else(unknown)?;
        let member = group.member(&ProcessName(process.to_owned()));
        member.map(Named::Process).ok_or_else(unknown)
    }

    /// The one process that is meant; a group is none.
    pub(super) fn find_process(&self, name: &str) -> Result<(ProcessId, &Process), Fault> {
        let unknown = || FaultKind::BadName.about(name);
        let Named::Process(id) = self.find(name)? else { return Err(unknown()) };
        self.population.process(id).map(|process| (id, process)).ok_or_else(unknown)
    }

    pub(super) fn find_group(&self, name: &str) -> Result<GroupId, Fault> {
        self.population.group_id(&GroupName(name.to_owned())).ok_or_else(|| FaultKind::BadName.about(name))
    }
}

/// `statecode` and `statename` (SupervisorStates of states.py).
const fn mood_in_words(mood: Mood) -> (i64, &'static str) {
    match mood {
        Mood::Running => (1, "RUNNING"),
        Mood::Restarting => (0, "RESTARTING"),
        Mood::Shutdown => (-1, "SHUTDOWN"),
    }
}
