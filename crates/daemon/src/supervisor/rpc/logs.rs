//! Methods about logs: where they are, clearing and reopening. They are read outside of the owner.

use std::path::Path;

use ironlance_config::MainLogTarget;
use ironlance_core::event::Event;
use ironlance_core::log_level::Level;
use ironlance_core::process::lifecycle::DaemonState;
use ironlance_rpc::{FaultKind, Value};

use super::RpcResult;
use crate::io::pipes::CHANNELS;
use crate::log::rotating_file::{self, RotatingFile};
use crate::request::{LogId, LogLocation};
use crate::state::ids::ProcessId;
use crate::state::pending_calls::process_status;
use crate::supervisor::Supervisor;

impl Supervisor {
    fn main_log_file(&self) -> Option<&Path> {
        match &self.env.settings.logfile {
            MainLogTarget::File(path) => Some(path),
            MainLogTarget::Syslog => None,
        }
    }

    pub(super) fn clear_main_log(&mut self) -> RpcResult {
        self.main_log_file().filter(|path| path.exists()).ok_or_else(|| FaultKind::NoFile.bare())?;
        self.io.log.log(Level::Info, "reopening log file");
        self.io.log.clear().map_err(|_| FaultKind::Failed.bare())?;
        Ok(Value::Bool(true))
    }

    pub(super) fn clear_process_logs(&mut self, name: &str) -> RpcResult {
        let (id, _) = self.find_process(name)?;
        self.clear_logs_of(id).map_err(|_| FaultKind::Failed.about(name))?;
        Ok(Value::Bool(true))
    }

    pub(super) fn clear_all_process_logs(&mut self) -> Value {
        let mut results = Vec::new();
        for id in self.state.table.by_priority() {
            let Some(process) = self.state.table.process(id) else { continue };
            let namespec = process.namespec().clone();
            let outcome = self.clear_logs_of(id).map_err(|_| FaultKind::Failed.about(&namespec));
            results.push(process_status(&namespec, outcome.as_ref().err()));
        }
        Value::Array(results)
    }

    /// Empties both logs of a process, whether it runs or not.
    fn clear_logs_of(&mut self, id: ProcessId) -> std::io::Result<()> {
        let Some(process) = self.state.table.process(id) else { return Ok(()) };
        for channel in CHANNELS {
            match (self.io.pipes.output_mut(id, channel), process.log(channel)) {
                (Some(output), _) => output.log.as_mut().map_or(Ok(()), RotatingFile::remove_and_reopen)?,
                (None, Some(path)) => rotating_file::truncate(path)?,
                (None, None) => {}
            }
        }
        Ok(())
    }

    /// Where the log is that a client wants to read or follow; all that has been written so far is in it.
    pub(in crate::supervisor) fn log_location(&mut self, what: &LogId) -> LogLocation {
        self.flush_deferred();
        let path = match what {
            LogId::Main => Ok(self.main_log_file().map(Path::to_owned)),
            LogId::Process { name, channel } => {
                self.find_process(name).map(|(_, process)| process.log(*channel).map(Path::to_owned))
            }
        };
        LogLocation { stopping: self.state.daemon_state != DaemonState::Running, path }
    }

    /// Opens every log anew under its name: another program has rotated them.
    pub(in crate::supervisor) fn reopen_logs(&mut self) {
        self.io.log.log(Level::Info, "supervisord logreopen");
        self.io.log.reopen();
        for (id, channel) in
            self.state.table.by_priority().into_iter().flat_map(|id| CHANNELS.map(|of| (id, of)))
        {
            let log = self.io.pipes.output_mut(id, channel).and_then(|output| output.log.as_mut());
            let (Some(Err(error)), Some(process)) =
                (log.map(RotatingFile::reopen), self.state.table.process(id))
            else {
                continue;
            };
            let line = format!("cannot open a log of {} again: {error}", process.namespec());
            self.io.log.log(Level::Error, &line);
        }
    }

    pub(super) fn send_remote_event(&mut self, kind: &str, data: &str) -> Value {
        self.decide(|state, turn| state.publish(&Event::remote(kind, data), turn));
        Value::Bool(true)
    }
}
