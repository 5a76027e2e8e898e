//! Starts children: the command, the environment (`SUPERVISOR_*`), the logs, the pipes, and the entry in the process table.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::rc::Rc;

use ironlance_config as config;
use ironlance_core::event::OutputChannel;
use ironlance_core::log_level::Level;
use ironlance_core::process::lifecycle::{DaemonState, Input};

use super::Supervisor;
use crate::child::command::{self, ResolvedCommand};
use crate::child::fcgi_socket::FastCgiSocket;
use crate::child::identity::Identity;
use crate::child::spawn::{self, SpawnOptions, SpawnedChild};
use crate::io::host_lookup::{Address, LookupResult};
use crate::io::output::Output;
use crate::io::pipes::ChildPipes;
use crate::io::stdin::ChildStdin;
use crate::log::rotating_file::RotatingFile;
use crate::state::ids::{GroupId, ProcessId};
use crate::state::process_table::Process;
use crate::state::state_folder::ListenerStateFolder;

/// The files that a child's standard output and standard error go to.
type OutputLogs = (Option<RotatingFile>, Option<RotatingFile>);

/// The types of events that a pool asked for, as in `events=`: a listener can warn of those that it does not use.
fn event_names(kind: &config::GroupKind) -> Option<String> {
    let config::GroupKind::Listeners { events, .. } = kind else { return None };
    Some(events.iter().map(|event| event.name()).collect::<Vec<_>>().join(","))
}

impl Supervisor {
    /// Starts a process. Gives what came of it, or nothing where the name of a host has to be looked up first.
    pub(super) fn spawn(&mut self, id: ProcessId) -> Option<Input> {
        let host = self.unresolved_address(id);
        let address = host.as_ref().and_then(|(host, port)| self.io.lookups.address_for(id, host, *port));
        if host.is_some() && address.is_none() {
            self.state.table.process_mut(id)?.awaits_address = true;
            return None;
        }
        Some(self.spawn_at(id, address))
    }

    /// Starts a process. Gives what came of it. `address` is that of a TCP socket that is not open yet.
    fn spawn_at(&mut self, id: ProcessId, address: Option<Address>) -> Input {
        let spawned = self.try_spawn(id, address);
        if let Some(process) = self.state.table.process_mut(id) {
            process.awaits_address = false;
            if let Err(why) = &spawned {
                process.down_reason = Some(why.as_str().into());
            }
        }
        match spawned {
            Ok(pid) => Input::Spawned { pid },
            Err(why) => Input::SpawnFailed { why },
        }
    }

    /// The name of a host has been looked up: the processes that waited for it start now. In a shutdown nothing starts:
    /// they wait until they are stopped.
    pub(super) fn on_lookup_done(&mut self, found: &LookupResult) {
        if self.state.daemon_state != DaemonState::Running {
            return;
        }
        for id in self.io.lookups.complete(found) {
            let outcome = self.spawn_at(id, Some(found.address.clone()));
            self.step(id, outcome);
        }
    }

    /// The host and port of the socket that has to be opened before the process can start.
    fn unresolved_address(&self, id: ProcessId) -> Option<(String, u16)> {
        let group_id = self.state.table.process(id)?.group;
        let group = self.state.table.group(group_id)?;
        let config::GroupKind::FastCgi(settings) = &group.config.kind else { return None };
        let config::SocketAddress::Tcp { host, port } = &settings.address else { return None };
        self.open_socket(group_id).is_none().then(|| (host.clone(), *port))
    }

    /// Gives the pid, or why the process could not be started, in the original's words.
    fn try_spawn(&mut self, id: ProcessId, address: Option<Address>) -> Result<u32, String> {
        let process = self.state.table.process(id).ok_or("it has been removed")?;
        let resolved = self.resolve(process).map_err(|error| error.to_string())?;
        let (name, uid) = (process.namespec().process.clone(), process.program().uid);
        let logs = open_logs(process).map_err(|error| spawn::dispatcher_error(&name.0, &error))?;
        let socket = self.fastcgi_socket(id, address)?;
        let now = self.io.clock.mono();
        let identity = uid.map(|uid| self.env.identities.look_up(uid, now));
        self.find_state_folder(id, &resolved);
        let child = self.launch(id, &resolved, socket.as_deref(), identity.as_deref())?;
        let pid = child.pid;
        if !self.io.oom.is_watched() {
            self.check_oom_kills();
        }
        self.register_child(id, child, logs, socket);
        Ok(pid)
    }

    /// The file that a process's command means, and its arguments.
    pub(super) fn resolve(&self, process: &Process) -> Result<ResolvedCommand, command::CommandError> {
        let program = process.program();
        let own = program.environment.get("PATH").map(String::as_str);
        let path = command::search_path(own, self.env.inherited("PATH").and_then(OsStr::to_str));
        command::resolve(&program.command, &path)
    }

    fn launch(
        &mut self,
        id: ProcessId,
        resolved: &ResolvedCommand,
        socket: Option<&FastCgiSocket>,
        identity: Option<&Identity>,
    ) -> Result<SpawnedChild, String> {
        let process = self.state.table.process(id).ok_or("it has been removed")?;
        let program = process.program();
        let environment = self.environment_of(process);
        let own_stderr = process.is_listener() || !program.redirect_stderr;
        let options = SpawnOptions {
            file: &resolved.file,
            argv: &resolved.argv,
            environment: &environment,
            directory: program.directory.as_deref(),
            umask: program.umask,
            identity,
            stdin: socket
                .map_or(spawn::StdinSource::Pipe, |socket| spawn::StdinSource::Socket(socket.as_fd())),
            stderr: if own_stderr { spawn::StderrTarget::Pipe } else { spawn::StderrTarget::SameAsStdout },
            nofile: self.env.nofile_of_children,
        };
        self.io.children.spawn(&options).map_err(|error| error.message(&process.namespec().process.0))
    }

    /// The daemon's environment, supervisord's own variables, and the program's.
    fn environment_of(&self, process: &Process) -> Vec<(OsString, OsString)> {
        let program = process.program();
        let url = program.serverurl.as_ref().or(self.env.server_url.as_ref()).filter(|url| !url.is_empty());
        let namespec = process.namespec();
        let events = event_names(&process.group_config.kind);
        let state = process.state_folder.as_deref().and_then(ListenerStateFolder::variable);
        let ours = [
            Some(("SUPERVISOR_ENABLED", OsStr::new("1"))),
            url.map(|url| ("SUPERVISOR_SERVER_URL", OsStr::new(url))),
            Some(("SUPERVISOR_PROCESS_NAME", OsStr::new(&namespec.process.0))),
            Some(("SUPERVISOR_GROUP_NAME", OsStr::new(&namespec.group.0))),
            state,
            events.as_deref().map(|events| ("IRONLANCE_EVENTS", OsStr::new(events))),
        ];
        let ours: Vec<(&str, &OsStr)> = ours.into_iter().flatten().collect();
        let replaced = |key: &OsStr| {
            let own = key.to_str().is_some_and(|key| program.environment.contains_key(key));
            own || ours.iter().any(|(name, _)| *name == key)
        };
        let inherited = self.env.environment.iter().filter(|(key, _)| !replaced(key)).cloned();
        // A state folder that was made overrides one that is shared with programs of other users.
        let is_state = |key: &str| state.is_some_and(|(name, _)| name == key);
        let ours = ours.iter().filter(|(key, _)| is_state(key) || !program.environment.contains_key(*key));
        let ours = ours.map(|(key, value)| ((*key).into(), (*value).into()));
        let own = program.environment.iter().filter(|(key, _)| !is_state(key));
        let own = own.map(|(key, value)| (key.into(), value.into()));
        inherited.chain(ours).chain(own).collect()
    }

    /// Registers a child: its pid, its pipes, and its place in a pool.
    fn register_child(
        &mut self,
        id: ProcessId,
        child: SpawnedChild,
        logs: OutputLogs,
        socket: Option<Rc<FastCgiSocket>>,
    ) {
        self.state.table.pids.insert(child.pid, id);
        let Some(process) = self.state.table.process_mut(id) else { return };
        (process.stop_reason, process.sent_signal) = (None, None);
        let program = process.program();
        let output = |fd, channel, settings: &config::OutputConfig, log, is_answers| {
            let syslog = settings.syslog.then(|| self.io.syslog.clone());
            Box::new(Output::new(fd, channel, settings, log, syslog, is_answers))
        };
        let stdout =
            output(child.stdout, OutputChannel::Stdout, &program.stdout, logs.0, process.is_listener());
        let stderr = child.stderr.map(|fd| output(fd, OutputChannel::Stderr, &program.stderr, logs.1, false));
        let pipes =
            ChildPipes { stdin: child.stdin.map(ChildStdin::new), outputs: [Some(stdout), stderr], socket };
        let name = process.namespec().process.clone();
        if let Err(error) = self.io.pipes.insert(id, pipes) {
            self.io.log.log(Level::Critical, &format!("cannot watch the output of {name}: {error}"));
        }
        self.decide_only(|state, turn| state.join_pool(id, name, turn));
    }

    /// The socket that the process shares with its group, opened if it is the first to need it, or the file of the one
    /// that the others have was removed.
    fn fastcgi_socket(
        &mut self,
        id: ProcessId,
        address: Option<Address>,
    ) -> Result<Option<Rc<FastCgiSocket>>, String> {
        let Some(id) = self.state.table.process(id).map(|process| process.group) else { return Ok(None) };
        let Some(group) = self.state.table.group(id) else { return Ok(None) };
        let config::GroupKind::FastCgi(settings) = &group.config.kind else { return Ok(None) };
        if let Some(socket) = self.open_socket(id) {
            return Ok(Some(Rc::clone(socket)));
        }
        let settings = settings.clone();
        self.io.log.log(Level::Info, &format!("Creating socket {}", settings.url));
        let socket = FastCgiSocket::open(&settings, address, &mut |level, line| self.io.log.log(level, line))
            .map_err(|error| format!("cannot open the FastCGI socket {}: {error}", settings.url))?;
        if let config::SocketAddress::Unix { path, .. } = &settings.address {
            self.watch_path(path);
        }
        Ok(Some(Rc::new(socket)))
    }

    /// The FastCGI socket of a group, while a process has it and its file has not been removed.
    pub(super) fn open_socket(&self, group: GroupId) -> Option<&Rc<FastCgiSocket>> {
        let members = &self.state.table.group(group)?.members;
        let mut sockets = members.iter().filter_map(|id| self.io.pipes.socket(*id));
        sockets.find(|socket| !socket.is_unlinked())
    }

    /// A process has closed its group's FastCGI socket; with the last one it is gone.
    pub(super) fn log_socket_closed(&mut self, id: ProcessId) {
        let Some(id) = self.state.table.process(id).map(|process| process.group) else { return };
        if self.open_socket(id).is_some() {
            return;
        }
        let Some(group) = self.state.table.group(id) else { return };
        if let config::GroupKind::FastCgi(settings) = &group.config.kind {
            self.io.log.log(Level::Info, &format!("Closing socket {}", settings.url));
        }
    }
}

/// Opens the files of a process's output.
fn open_logs(process: &Process) -> io::Result<OutputLogs> {
    let program = process.program();
    let open = |path: Option<&Path>, settings: &config::OutputConfig| {
        path.map(|path| RotatingFile::open(path, settings.maxbytes, settings.backups)).transpose()
    };
    let stdout = open(process.log(OutputChannel::Stdout), &program.stdout)?;
    Ok((stdout, open(process.log(OutputChannel::Stderr), &program.stderr)?))
}
