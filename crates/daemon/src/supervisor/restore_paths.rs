//! Makes sockets and the pidfile again that were removed, as by a cleaner of old files in /tmp.
//!
//! The kernel tells when the file itself is unlinked or renamed; SIGUSR2 has everything looked at as well.
//!
//! ```text
//!   unlinked, renamed ──▶ a second's pause ──▶ look ──▶ there is nothing ──▶ make it again ──▶ watch the new one
//!                                               │                               └─ cannot: half a minute, look
//!                                               └─▶ ours, or of another program: leave it
//! ```

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ironlance_config::{self as config, SocketAddress};
use ironlance_core::log_level::Level;
use ironlance_core::process::lifecycle::DaemonState;

use super::Supervisor;
use crate::http::{self, BoundServer};
use crate::reload::SocketErrors;
use crate::startup::pidfile::Pidfile;
use crate::state::timers::Timer;

/// The pause after a file was removed: a program may be about to put another one in its place.
const SETTLE_TIME: Duration = Duration::from_secs(1);
/// When a file that could not be made again is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(30);

impl Supervisor {
    /// Watches every file of ours that has a name now.
    pub(super) fn watch_paths(&mut self) {
        let pidfile = self.io.pidfile.as_ref().map(|pidfile| pidfile.path().to_owned());
        let sockets = self.io.sockets.iter().filter_map(|kept| kept.path().map(Path::to_owned));
        let paths: Vec<PathBuf> = pidfile.into_iter().chain(sockets).collect();
        paths.iter().for_each(|path| self.watch_path(path));
    }

    /// Watches a file of ours.
    pub(super) fn watch_path(&mut self, path: &Path) {
        if self.io.path_watch.watch(path) {
            self.check_paths_soon();
        }
    }

    /// Has all files looked at when a program that puts another one in place has had its time.
    pub(super) fn check_paths_soon(&mut self) {
        self.timers.set_earlier(Timer::CheckPaths, self.io.clock.mono() + SETTLE_TIME);
    }

    /// Makes again what is missing. A daemon that stops needs no names any more.
    pub(super) fn check_paths(&mut self) {
        if self.state.daemon_state != DaemonState::Running {
            return;
        }
        let faults: Vec<String> =
            [self.restore_pidfile(), self.restore_sockets()].into_iter().flatten().collect();
        self.check_fastcgi_sockets();
        let is_new = !faults.is_empty() && !self.io.path_watch.is_failing;
        self.io.path_watch.is_failing = !faults.is_empty();
        if !faults.is_empty() {
            self.timers.set_earlier(Timer::CheckPaths, self.io.clock.mono() + RETRY_AFTER);
        }
        if is_new {
            faults.iter().for_each(|fault| self.io.log.log(Level::Error, fault));
        }
    }

    fn restore_pidfile(&mut self) -> Option<String> {
        let path = self.io.pidfile.as_ref()?.path().to_owned();
        if !is_missing(&path) {
            return None;
        }
        let mut lines = Vec::new();
        if Pidfile::write(&path, &mut |_, line| lines.push(line.to_owned())).is_none() {
            return Some(format!("cannot make the pidfile {} again: {}", path.display(), lines.join("; ")));
        }
        self.log_restored("the pidfile", &path);
        None
    }

    fn restore_sockets(&mut self) -> Option<String> {
        for at in 0..self.io.sockets.len() {
            let Some(path) = self.io.sockets[at].path().filter(|path| is_missing(path)).map(Path::to_owned)
            else {
                continue;
            };
            let Some(server) = self.env.servers.get(at).cloned() else { continue };
            // The original's lines about a server at its start are not repeated.
            let opened =
                http::open(&[server], &[], &SocketErrors::default()).map_err(|error| error.to_string());
            let opened = opened.and_then(|mut all| all.pop().ok_or_else(|| "there is no server".to_owned()));
            let kept = |listening: &BoundServer| listening.duplicate().map_err(|error| error.to_string());
            match opened.and_then(|listening| Ok((kept(&listening)?, listening))) {
                Ok((kept, listening)) => {
                    self.io.sockets[at] = kept;
                    // No server takes it when the daemon is about to end.
                    let _ = self.io.reopened_sockets.send(listening);
                    self.log_restored("the socket", &path);
                }
                Err(why) => return Some(format!("cannot make the socket {} again: {why}", path.display())),
            }
        }
        None
    }

    fn log_restored(&mut self, what: &str, path: &Path) {
        let line = format!("{what} {} was removed while supervisord runs: it is made again", path.display());
        self.io.log.log(Level::Warn, &line);
        self.watch_path(path);
    }

    /// Programs that run have the old socket, which cannot be reached any more: only a start gives them a new one.
    fn check_fastcgi_sockets(&mut self) {
        let mut lines = Vec::new();
        for (id, group) in self.state.table.groups() {
            let config::GroupKind::FastCgi(settings) = &group.config.kind else { continue };
            let SocketAddress::Unix { path, .. } = &settings.address else { continue };
            if let Some(socket) = self.open_socket(id).filter(|_| is_missing(path)) {
                socket.mark_unlinked();
                lines.push(format!(
                    "the FastCGI socket {} was removed: the programs of {name} that run cannot be reached, and those \
                     that start get a new one (supervisorctl restart '{name}:*')",
                    path.display(),
                    name = group.config.name
                ));
            }
        }
        lines.iter().for_each(|line| self.io.log.log(Level::Error, line));
    }
}

/// Whether there is nothing at the path. A file that another program has put there is left alone.
fn is_missing(path: &Path) -> bool {
    fs::symlink_metadata(path).is_err_and(|why| why.kind() == io::ErrorKind::NotFound)
}
