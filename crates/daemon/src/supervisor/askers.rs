//! Who asks for what is being done: recognised, logged, and noted with the processes that it concerns.

use std::fs;
use std::rc::Rc;

use ironlance_core::level::Level;
use ironlance_core::plain::plain;

use super::Supervisor;
use super::ends::Signalled;
use super::population::ProcessId;
use crate::asker::{Asker, Client, Peer, Reason};
use crate::request::Request;

impl Supervisor {
    /// The same asker with what the owner knows of it: one of its own processes, or the name of a command.
    pub(super) fn recognised(&self, asker: Asker) -> Rc<Asker> {
        let Asker::Client(Client { peer: Peer::Local { pid: Some(pid), uid, .. }, user }) = asker else {
            return Rc::new(asker);
        };
        if let Some(process) = self.population.pids.get(&pid).and_then(|id| self.population.process(*id)) {
            return Rc::new(Asker::Process(process.namespec().clone()));
        }
        // A listener may be started by a shell.
        let parent = parent(pid).and_then(|parent| self.population.pids.get(&parent));
        let listener =
            parent.and_then(|id| self.population.process(*id)).filter(|process| process.is_listener());
        if let Some(listener) = listener {
            return Rc::new(Asker::Process(listener.namespec().clone()));
        }
        let command = fs::read_to_string(format!("/proc/{pid}/comm")).ok();
        let command = command.map(|command| command.trim_end().into());
        Rc::new(Asker::Client(Client { peer: Peer::Local { pid: Some(pid), uid, command }, user }))
    }

    /// Who asks for what is being done right now.
    pub(super) fn who_asks(&self) -> Rc<Asker> {
        self.asker.clone().unwrap_or_else(|| Rc::new(Asker::Unknown))
    }

    /// Says in the log who starts, stops or signals something.
    pub(super) fn log_who_asks(&mut self, request: &Request) {
        if let Some(deed) = request.deed() {
            let line = format!("{} asked for by {}", plain(&deed), self.who_asks());
            self.log.log(Level::Info, &line);
        }
    }

    /// Notes why a process is being stopped.
    pub(super) fn note_reason(&mut self, id: ProcessId, reason: Reason) {
        if let Some(process) = self.population.process_mut(id) {
            process.reason = Some(reason);
        }
    }

    /// Notes that somebody has a signal sent to a process.
    pub(super) fn note_signal(&mut self, id: ProcessId, number: i32) {
        let (by, at) = (Reason::Signal(self.who_asks()), self.clock.mono());
        if let Some(process) = self.population.process_mut(id) {
            process.signalled = Some(Signalled { number, at, by });
        }
    }
}

/// The parent of a process (proc_pid_stat(5), field 4; the name before it may have blanks and brackets).
fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_of_a_process_is_found_whatever_its_name_is() {
        assert_eq!(parent(std::process::id()), Some(std::os::unix::process::parent_id()));
        assert_eq!(parent(u32::MAX), None);
    }
}
