//! Stopping and starting a process through supervisord, without ever leaving it stopped.
//!
//! Between stop and start a listener may be killed, or supervisord may refuse. Therefore the name is written to
//! a ledger on disk before the stop and taken out after the start; what is left in the ledger is started at the
//! next tick, by this listener or by its successor.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use ironlance_alert::outbox::folder::prepare;
use ironlance_core::ProcessState;
use ironlance_rpc::{CallError, Supervisor};

use crate::say;

/// The names of processes that were stopped by us and are not up again, kept on disk.
#[derive(Debug)]
pub struct Ledger {
    file: PathBuf,
    owed: BTreeSet<String>,
}

impl Ledger {
    /// Reads the ledger `file`; one that is not there is empty.
    pub fn open(file: PathBuf) -> Self {
        let owed = fs::read_to_string(&file).unwrap_or_default().lines().map(str::to_owned).collect();
        Self { file, owed }
    }

    /// Whether any process is owed a start.
    pub fn is_empty(&self) -> bool {
        self.owed.is_empty()
    }

    fn owe(&mut self, name: &str) {
        if self.owed.insert(name.to_owned()) {
            self.store();
        }
    }

    fn paid(&mut self, name: &str) {
        if self.owed.remove(name) {
            self.store();
        }
    }

    /// A ledger that cannot be written only matters if we are killed right now; the list in memory stays.
    fn store(&self) {
        if self.owed.is_empty() {
            let _ = fs::remove_file(&self.file);
            return;
        }
        let text: String = self.owed.iter().map(|name| format!("{name}\n")).collect();
        let new = self.file.with_extension("new");
        let folder = self.file.parent().unwrap_or_else(|| Path::new("/"));
        let written = prepare(folder).map_err(|error| error.to_string()).and_then(|()| {
            let written = fs::write(&new, text).and_then(|()| fs::rename(&new, &self.file));
            written.map_err(|error| format!("cannot write {}: {error}", self.file.display()))
        });
        if let Err(error) = written {
            say(&format!("{error}: should I be killed between a stop and a start, the program stays down\n"));
        }
    }

    /// Starts what is owed a start and is not up; `say_line` is told of each try.
    pub fn settle(&mut self, supervisor: &Supervisor, say_line: &mut dyn FnMut(&str)) {
        for name in self.owed.clone() {
            match supervisor.process_info(&name).map(|info| ProcessState::from_code(info.state)) {
                Ok(Some(ProcessState::Stopped | ProcessState::Exited | ProcessState::Fatal)) => {
                    match supervisor.start_process(&name) {
                        Ok(()) => {
                            self.paid(&name);
                            say_line(&format!("{name} started"));
                        }
                        Err(error) => {
                            say_line(&format!("Failed to start process {name}, trying again: {error}"));
                        }
                    }
                }
                // Supervisord is at it, or somebody else was faster, or nobody can tell yet.
                Ok(Some(ProcessState::Running) | None) => self.paid(&name),
                Ok(Some(_)) => {}
                Err(CallError::Fault(fault)) => {
                    self.paid(&name);
                    say_line(&format!("Failed to start process {name}: {fault}"));
                }
                Err(error) => say_line(&format!("Failed to start process {name}, trying again: {error}")),
            }
        }
    }
}

/// How far a restart came.
#[derive(Debug)]
pub enum Restart {
    /// Stopped and started.
    Done,
    /// Supervisord did not stop it, for this reason; nobody has tried to start it.
    NotStopped(CallError),
    /// It is stopped, and the start failed for this reason; it is tried again at every tick.
    NotStarted(CallError),
}

/// Stops and starts a process. With `start_anyway` a start is tried also when the stop failed, as httpok does;
/// `stop_failed` is then told why it failed.
pub fn restart(
    supervisor: &Supervisor,
    ledger: &mut Ledger,
    name: &str,
    stop_failed: Option<&mut dyn FnMut(&CallError)>,
) -> Restart {
    ledger.owe(name);
    if let Err(error) = supervisor.stop_process(name) {
        let Some(stop_failed) = stop_failed else {
            // A fault leaves the process as it is; after a lost connection nobody knows, so the debt stays.
            if matches!(error, CallError::Fault(_)) {
                ledger.paid(name);
            }
            return Restart::NotStopped(error);
        };
        stop_failed(&error);
    }
    match supervisor.start_process(name) {
        Ok(()) => {
            ledger.paid(name);
            Restart::Done
        }
        Err(error) => Restart::NotStarted(error),
    }
}
