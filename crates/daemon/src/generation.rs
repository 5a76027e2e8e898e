//! One generation of the daemon, between two restarts: [`run`] starts up, then drives the owner and the HTTP servers on
//! one thread until the daemon ends or restarts.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use ironlance_config::{Config, HostEnv, Overrides};
use ironlance_core::log_level::Level;
use ironlance_core::text::panic_message::panic_message;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio::task::LocalSet;

use crate::child::exec_errors::ExecErrorPipe;
use crate::http::{self, BoundServer, DaemonLog, HttpLimits, InheritedSocket, ServerHandle};
use crate::inbox::Input;
use crate::reload::Reload;
use crate::signals::SignalReceiver;
use crate::startup::{self, StartOrigin, Started};
use crate::supervisor::{InheritedPools, Startup, Supervisor};

/// Requests that wait for the owner; more wait in their connections.
const INBOX_CAPACITY: usize = 256;

/// How a generation ends.
pub(crate) enum GenerationEnd {
    /// The daemon ends.
    Exit,
    /// Another generation begins with this; `nofile` is the soft limit of descriptors for children.
    Restart { reload: Box<Reload>, nofile: u64 },
    /// The owner has panicked; its children were stopped in order.
    Panicked,
}

/// Runs one generation. `pools` are events that waited in the generation before.
///
/// The error is what the original prints after `Error: `.
pub(crate) fn run(
    config: Config,
    origin: StartOrigin,
    pools: InheritedPools,
    overrides: &Overrides,
    host_env: &HostEnv,
) -> Result<GenerationEnd, String> {
    let Started { config, sockets, log, signals, nofile, pidfile } = startup::start(config, origin)?;
    let duplicates: io::Result<Vec<InheritedSocket>> = sockets.iter().map(BoundServer::duplicate).collect();
    let (rebound_sender, rebound) = mpsc::unbounded_channel();
    let startup = Startup {
        config,
        overrides: overrides.clone(),
        host_env: host_env.clone(),
        log,
        nofile_of_children: Some(nofile),
        exec_errors: ExecErrorPipe::new().map_err(|error| format!("cannot make a pipe: {error}"))?,
        sockets: duplicates.map_err(|error| format!("cannot duplicate a socket: {error}"))?,
        inherited: pools,
        reopened_sockets: rebound_sender,
        pidfile: pidfile.clone(),
    };
    let end = serve(startup, sockets, rebound, signals, nofile);
    if let Some(pidfile) = pidfile {
        pidfile.remove();
    }
    end
}

/// Drives the owner and the HTTP servers on one thread. `rebound` are sockets that the owner has bound again, as their
/// files were removed.
fn serve(
    startup: Startup,
    sockets: Vec<BoundServer>,
    rebound: mpsc::UnboundedReceiver<BoundServer>,
    mut signals: SignalReceiver,
    nofile: u64,
) -> Result<GenerationEnd, String> {
    let cannot = |error: io::Error| format!("cannot start the event loop: {error}");
    // The owner may have work for many turns: clients, signals and the clock are looked at between any two.
    let runtime =
        Builder::new_current_thread().enable_io().enable_time().event_interval(1).build().map_err(cannot)?;
    let local = LocalSet::new();
    let (interfaces, level) = (startup.config.interfaces.clone(), startup.config.settings.loglevel);
    let mut owner = {
        let _inside = runtime.enter();
        signals.enter_runtime().map_err(cannot)?;
        Supervisor::new(startup).map_err(cannot)?
    };
    owner.start_all();
    let (sender, mut inbox) = mpsc::channel(INBOX_CAPACITY);
    let daemon_log: Rc<dyn DaemonLog> = Rc::new(InboxLog { sender: sender.clone(), level });
    let servers = HttpServers { open: RefCell::default(), interfaces, owner: sender, daemon_log };
    let servers = Rc::new(servers);
    let serve_all = async { sockets.into_iter().try_for_each(|socket| servers.serve(socket)) };
    local.block_on(&runtime, serve_all).map_err(cannot)?;
    let rebinding = local.spawn_local(serve_rebound(Rc::clone(&servers), rebound));
    let outcome = run_owner(&runtime, &local, &mut owner, &mut inbox, &mut signals);
    // Requests that come now, as from a multicall after its shutdown, are answered with a fault and do not wait.
    drop(inbox);
    rebinding.abort();
    local.block_on(&runtime, async {
        for (_, serving) in servers.open.take() {
            serving.close().await;
        }
    });
    Ok(match outcome {
        None => GenerationEnd::Panicked,
        Some(None) => GenerationEnd::Exit,
        Some(Some(reload)) => GenerationEnd::Restart { reload, nofile },
    })
}

/// The servers at work, by their sections.
struct HttpServers {
    open: RefCell<BTreeMap<String, ServerHandle>>,
    interfaces: Vec<String>,
    owner: mpsc::Sender<Input>,
    daemon_log: Rc<dyn DaemonLog>,
}

impl HttpServers {
    /// Answers on this socket, in the place of the one that the section had before. The error is that of the runtime.
    fn serve(&self, socket: BoundServer) -> io::Result<()> {
        let section = socket.section().to_owned();
        let limits = HttpLimits::default();
        let serving = http::serve(vec![socket], &self.interfaces, &self.owner, &self.daemon_log, limits)?;
        self.open.borrow_mut().insert(section, serving);
        Ok(())
    }
}

/// Answers on sockets that are bound again later.
async fn serve_rebound(servers: Rc<HttpServers>, mut rebound: mpsc::UnboundedReceiver<BoundServer>) {
    while let Some(socket) = rebound.recv().await {
        if let Err(error) = servers.serve(socket) {
            let line = format!("cannot serve a socket that was bound again: {error}");
            servers.daemon_log.log(Level::Error, &line);
        }
    }
}

/// Runs the owner until it is done. After a panic the owner logs it and stops the children in order; then there is no
/// outcome.
fn run_owner(
    runtime: &Runtime,
    local: &LocalSet,
    owner: &mut Supervisor,
    inbox: &mut mpsc::Receiver<Input>,
    signals: &mut SignalReceiver,
) -> Option<Option<Box<Reload>>> {
    let mut run = |fault: Option<&str>| {
        catch_unwind(AssertUnwindSafe(|| {
            fault.into_iter().for_each(|fault| owner.emergency_stop(fault));
            local.block_on(runtime, owner.run(inbox, signals))
        }))
    };
    match run(None) {
        Ok(outcome) => Some(outcome),
        Err(panic) => {
            // A second panic ends the daemon: nothing is left that could stop the children in order.
            let _ = run(Some(panic_message(&*panic)));
            None
        }
    }
}

/// The main log for the HTTP servers: lines go through the owner, which has the log.
struct InboxLog {
    sender: mpsc::Sender<Input>,
    level: Level,
}

impl DaemonLog for InboxLog {
    fn enabled(&self, level: Level) -> bool {
        level >= self.level
    }

    fn log(&self, level: Level, text: &str) {
        // With a full inbox the line is dropped: the requests in it go before lines about clients.
        let _ = self.sender.try_send(Input::Log { level, line: text.to_owned() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_for_a_full_inbox_is_dropped_and_nothing_waits() {
        let (sender, mut inbox) = mpsc::channel(1);
        let log = InboxLog { sender, level: Level::Info };
        for line in ["first", "second"] {
            log.log(Level::Warn, line);
        }
        assert!(matches!(inbox.try_recv(), Ok(Input::Log { level: Level::Warn, line }) if line == "first"));
        assert!(inbox.try_recv().is_err());
        assert!(log.enabled(Level::Info) && !log.enabled(Level::Debug));
    }
}
