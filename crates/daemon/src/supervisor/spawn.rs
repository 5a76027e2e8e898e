//! Starting a child: its command, its logs, its pipes, its place in the books.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::rc::Rc;

use ironlance_config as config;
use ironlance_core::event::OutputChannel;
use ironlance_core::listener::pool::MemberId;
use ironlance_core::log_level::Level;
use ironlance_core::process::lifecycle::Input;

use super::Supervisor;
use crate::child::command::{self, ResolvedCommand};
use crate::child::fcgi_socket::FastCgiSocket;
use crate::child::identity::Identity;
use crate::child::pipes::Interest;
use crate::child::spawn::{self, SpawnError, SpawnOptions, SpawnedChild};
use crate::io::host_lookup::{Address, LookupResult};
use crate::io::output::{Output, OutputRole};
use crate::io::stdin::ChildStdin;
use crate::io::token::{PipeEnd, token};
use crate::log::rotating_file::RotatingFile;
use crate::state::ids::{GroupId, ProcessId};
use crate::state::process_table::Process;
use crate::state::state_folder::ListenerStateFolder;

/// The files that a child's output goes to.
struct OutputLogs {
    stdout: Option<RotatingFile>,
    stderr: Option<RotatingFile>,
}

/// What a pool of listeners is sent, by the names in `events=`, so that a listener can say what it makes nothing of.
fn event_names(kind: &config::GroupKind) -> Option<String> {
    let config::GroupKind::Listeners { events, .. } = kind else { return None };
    Some(events.iter().map(|event| event.name()).collect::<Vec<_>>().join(","))
}

impl Supervisor {
    /// Starts the process; says how that went, or nothing where the name of a host has to be looked up first.
    pub(super) fn spawn(&mut self, id: ProcessId) -> Option<Input> {
        let address = match self.unresolved_address(id) {
            Some((host, port)) => Some(self.lookups.address_for(id, &host, port)?),
            None => None,
        };
        Some(match self.try_spawn(id, address) {
            Ok(pid) => Input::Spawned { pid },
            Err(why) => {
                if let Some(process) = self.table.process_mut(id) {
                    process.down_reason = Some(why.as_str().into());
                }
                Input::SpawnFailed { why }
            }
        })
    }

    /// The name of a host has been looked up: who waited for it starts now.
    pub(super) fn on_lookup_done(&mut self, found: &LookupResult) {
        for id in self.lookups.complete(found) {
            if let Some(outcome) = self.spawn(id) {
                self.step(id, outcome);
            }
        }
        self.lookups.finish(found);
    }

    /// The host and port of the socket that has to be opened before the process can start.
    fn unresolved_address(&self, id: ProcessId) -> Option<(String, u16)> {
        let group = self.table.group(self.table.process(id)?.group)?;
        let config::GroupKind::FastCgi(wish) = &group.config.kind else { return None };
        let config::SocketAddress::Tcp { host, port } = &wish.address else { return None };
        (group.socket.strong_count() == 0).then(|| (host.clone(), *port))
    }

    /// Starts the process. Gives its pid, or why it could not be started, in the original's words. `address` is that
    /// of a TCP socket that is not open yet.
    fn try_spawn(&mut self, id: ProcessId, address: Option<Address>) -> Result<u32, String> {
        let process = self.table.process(id).ok_or("it has been removed")?;
        let resolved = self.resolve(process).map_err(|error| error.to_string())?;
        let name = process.namespec().process.clone();
        let logs = open_logs(process).map_err(|error| spawn::dispatcher_error(&name.0, &error))?;
        let socket = self.fastcgi_socket(id, address)?;
        let identity = self.identity_of(id);
        self.find_state_folder(id, &resolved);
        let process = self.table.process(id).ok_or("it has been removed")?;
        let born = self
            .launch(process, &resolved, socket.as_deref(), identity.as_deref())
            .map_err(|error| error.message(&name.0))?;
        let pid = born.pid;
        if !self.oom_watch.is_watched() {
            self.check_oom_kills();
        }
        self.register_child(id, born, logs, socket);
        Ok(pid)
    }

    /// The file that a process's command means, and its arguments.
    pub(super) fn resolve(&self, process: &Process) -> Result<ResolvedCommand, command::CommandError> {
        let program = process.program();
        let own = program.environment.get("PATH").map(String::as_str);
        let path = command::search_path(own, self.path.as_deref());
        command::resolve(&program.command, &path)
    }

    fn launch(
        &self,
        process: &Process,
        resolved: &ResolvedCommand,
        socket: Option<&FastCgiSocket>,
        identity: Option<&Identity>,
    ) -> Result<SpawnedChild, SpawnError> {
        let program = process.program();
        let environment = self.environment_of(process);
        let own_stderr = process.is_listener() || !program.redirect_stderr;
        let launch = SpawnOptions {
            file: &resolved.file,
            argv: &resolved.argv,
            environment: &environment,
            directory: program.directory.as_deref(),
            umask: program.umask,
            identity,
            stdin: socket
                .map_or(spawn::StdinSource::Pipe, |socket| spawn::StdinSource::Socket(socket.as_fd())),
            stderr: if own_stderr { spawn::StderrTarget::Pipe } else { spawn::StderrTarget::SameAsStdout },
            nofile: self.nofile_of_children,
        };
        spawn::spawn(&launch, &self.exec_errors)
    }

    /// As whom the process runs.
    fn identity_of(&mut self, id: ProcessId) -> Option<Rc<Identity>> {
        let uid = self.table.process(id)?.program().uid?;
        Some(self.identities.look_up(uid, self.clock.mono()))
    }

    /// The daemon's environment, what children are told of it, and the program's own.
    fn environment_of(&self, process: &Process) -> Vec<(OsString, OsString)> {
        let program = process.program();
        let url = program.serverurl.as_ref().or(self.server_url.as_ref()).filter(|url| !url.is_empty());
        let namespec = process.namespec();
        let events = event_names(&process.group_config.kind);
        let state = process.state_folder.as_deref().and_then(ListenerStateFolder::variable);
        let told = [
            Some(("SUPERVISOR_ENABLED", OsStr::new("1"))),
            url.map(|url| ("SUPERVISOR_SERVER_URL", OsStr::new(url))),
            Some(("SUPERVISOR_PROCESS_NAME", OsStr::new(&namespec.process.0))),
            Some(("SUPERVISOR_GROUP_NAME", OsStr::new(&namespec.group.0))),
            state,
            events.as_deref().map(|events| ("IRONLANCE_EVENTS", OsStr::new(events))),
        ];
        let told: Vec<(&str, &OsStr)> = told.into_iter().flatten().collect();
        let replaced = |key: &OsStr| {
            let own = key.to_str().is_some_and(|key| program.environment.contains_key(key));
            own || told.iter().any(|(name, _)| *name == key)
        };
        let inherited = self.environment.iter().filter(|(key, _)| !replaced(key)).cloned();
        // A state folder that was made goes before one that is shared with programs of other users.
        let is_state = |key: &str| state.is_some_and(|(name, _)| name == key);
        let told = told.iter().filter(|(key, _)| is_state(key) || !program.environment.contains_key(*key));
        let told = told.map(|(key, value)| ((*key).into(), (*value).into()));
        let own = program.environment.iter().filter(|(key, _)| !is_state(key));
        let own = own.map(|(key, value)| (key.into(), value.into()));
        inherited.chain(told).chain(own).collect()
    }

    /// The books are opened for a child that has been born.
    fn register_child(
        &mut self,
        id: ProcessId,
        born: SpawnedChild,
        logs: OutputLogs,
        socket: Option<Rc<FastCgiSocket>>,
    ) {
        let now = self.clock.mono();
        self.table.pids.insert(born.pid, id);
        let Some(process) = self.table.process_mut(id) else { return };
        let program = &process.group_config.programs[process.index];
        let syslog = |wish: &config::OutputConfig| wish.syslog.then(|| self.syslog.clone());
        let (out, err) = (syslog(&program.stdout), syslog(&program.stderr));
        let role = if process.is_listener() { OutputRole::Listener } else { OutputRole::Program };
        let stdout = Output::new(born.stdout, OutputChannel::Stdout, &program.stdout, logs.stdout, out, role);
        let stderr = born.stderr.map(|fd| {
            Output::new(fd, OutputChannel::Stderr, &program.stderr, logs.stderr, err, OutputRole::Program)
        });
        let mut watched = Ok(());
        for (end, output) in [(PipeEnd::Stdout, Some(&stdout)), (PipeEnd::Stderr, stderr.as_ref())] {
            if let Some((output, fd)) = output.and_then(|output| Some((output, output.fd()?))) {
                watched = watched.and(self.poller.add(fd, token(id, end), Interest::Read, output.urgency()));
            }
        }
        process.stdout = Some(Box::new(stdout));
        process.stderr = stderr.map(Box::new);
        process.stdin = born.stdin.map(ChildStdin::new);
        process.socket = socket;
        (process.stop_reason, process.sent_signal) = (None, None);
        let (group, name) = (process.group, process.namespec().process.clone());
        if let Err(error) = watched {
            let line = format!("cannot watch the output of {name}: {error}");
            self.log.log(Level::Critical, &line);
        }
        let Some(pool) = self.table.group_mut(group).and_then(|group| group.pool.as_mut()) else {
            return;
        };
        let effects = pool.add_member(MemberId(id.0), name, now);
        self.clear_congestion(group);
        self.apply_pool_effects(group, effects);
    }

    /// The socket that the process shares with its group, opened if it is the first to need it, or the file of the one
    /// that the others have was removed.
    fn fastcgi_socket(
        &mut self,
        id: ProcessId,
        address: Option<Address>,
    ) -> Result<Option<Rc<FastCgiSocket>>, String> {
        let Some(id) = self.table.process(id).map(|process| process.group) else { return Ok(None) };
        let Some(group) = self.table.group(id) else { return Ok(None) };
        let config::GroupKind::FastCgi(wish) = &group.config.kind else { return Ok(None) };
        if let Some(socket) = group.socket.upgrade().filter(|socket| !socket.is_unlinked()) {
            return Ok(Some(socket));
        }
        let wish = wish.clone();
        self.log.log(Level::Info, &format!("Creating socket {}", wish.url));
        let socket = FastCgiSocket::open(&wish, address, &mut |level, line| self.log.log(level, line))
            .map_err(|error| format!("cannot open the FastCGI socket {}: {error}", wish.url))?;
        let socket = Rc::new(socket);
        if let Some(group) = self.table.group_mut(id) {
            group.socket = Rc::downgrade(&socket);
        }
        self.watch_fastcgi(&wish.address);
        Ok(Some(socket))
    }

    /// A process has let go of its group's socket.
    pub(super) fn log_socket_closed(&mut self, group: GroupId) {
        let Some(group) = self.table.group(group) else { return };
        if let config::GroupKind::FastCgi(wish) = &group.config.kind
            && group.socket.strong_count() == 0
        {
            self.log.log(Level::Info, &format!("Closing socket {}", wish.url));
        }
    }
}

/// Opens the files of a process's output.
fn open_logs(process: &Process) -> io::Result<OutputLogs> {
    let program = process.program();
    let open = |path: Option<&Path>, wish: &config::OutputConfig| {
        path.map(|path| RotatingFile::open(path, wish.maxbytes, wish.backups)).transpose()
    };
    Ok(OutputLogs {
        stdout: open(process.stdout_log.as_deref(), &program.stdout)?,
        stderr: open(process.stderr_log.as_deref(), &program.stderr)?,
    })
}
