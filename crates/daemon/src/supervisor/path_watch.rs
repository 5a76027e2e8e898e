//! Sockets and the pidfile come back where somebody has removed them, such as a cleaner of old files in /tmp.
//!
//! The kernel tells when the file itself is unlinked or renamed (inotify on the inode), so nothing is looked at in vain;
//! SIGUSR2 has everything looked at as well.
//!
//! ```text
//!   unlinked, renamed ──▶ a second's pause ──▶ look ──▶ there is nothing ──▶ make it again ──▶ watch the new one
//!                                               │                               └─ cannot: half a minute, look
//!                                               └─▶ ours, or somebody else's: leave it
//! ```

use std::fs;
use std::future::pending;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ironlance_config::{self as config, SocketAddress};
use ironlance_core::log_level::Level;
use ironlance_core::process::lifecycle::DaemonState;
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};

use super::Supervisor;
use crate::http::{self, BoundServer, DaemonLog};
use crate::readable_fd::ReadableFd;
use crate::startup::pidfile::Pidfile;

/// Who removes a file to put another one in its place has so much time.
const SETTLE_TIME: Duration = Duration::from_secs(1);
/// What could not be made again is tried again after this time.
const RETRY_AFTER: Duration = Duration::from_secs(30);

/// When the names are looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct CheckSchedule {
    due: Option<Duration>,
    /// The last try failed, and this was said.
    failing: bool,
}

impl CheckSchedule {
    /// Something has happened to one of the files.
    fn schedule(&mut self, now: Duration) {
        let soon = now + SETTLE_TIME;
        self.due = Some(self.due.map_or(soon, |due| due.min(soon)));
    }

    /// Somebody wants to have them looked at now.
    const fn schedule_now(&mut self, now: Duration) {
        self.due = Some(now);
    }

    /// Whether it is time to look; it is not asked for again then.
    fn take_due(&mut self, now: Duration) -> bool {
        self.due.take_if(|due| *due <= now).is_some()
    }

    /// How looking went. Says whether a failure is to be said: only the first in a row is.
    fn completed(&mut self, all_there: bool, now: Duration) -> bool {
        let news = !all_there && !self.failing;
        self.failing = !all_there;
        if !all_there {
            self.due = Some(now + RETRY_AFTER);
        }
        news
    }
}

/// The kernel's notices about our files.
pub(super) struct PathWatch {
    kernel: Option<(OwnedFd, ReadableFd)>,
    timing: CheckSchedule,
}

impl PathWatch {
    /// To be called in the runtime. Where the kernel has no notices left, only SIGUSR2 helps.
    pub(super) fn new() -> Self {
        let make = || -> io::Result<_> {
            let fd = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
            let readiness = ReadableFd::new(fd.as_fd())?;
            Ok((fd, readiness))
        };
        Self { kernel: make().ok(), timing: CheckSchedule::default() }
    }

    /// Watches the file that is at the path now. One that is gone already counts as noticed.
    pub(super) fn watch(&mut self, path: &Path, now: Duration) {
        let Some((kernel, _)) = &self.kernel else { return };
        let wanted =
            WatchFlags::ATTRIB | WatchFlags::MOVE_SELF | WatchFlags::DELETE_SELF | WatchFlags::DONT_FOLLOW;
        if let Err(rustix::io::Errno::NOENT) = inotify::add_watch(kernel, path, wanted) {
            self.timing.schedule(now);
        }
    }

    /// Waits until something has happened to one of the files. Nothing is lost if the waiting is given up.
    pub(super) async fn changed(&self) {
        let told = match &self.kernel {
            Some((_, readiness)) => readiness.readable().await,
            None => pending().await,
        };
        if told.is_err() {
            pending::<()>().await;
        }
    }

    /// What happened does not matter: all are looked at.
    fn read(&self) {
        let Some((kernel, _)) = &self.kernel else { return };
        let mut notices = [0; 4096];
        while rustix::io::read(kernel, &mut notices).is_ok_and(|read| read > 0) {}
    }
}

impl Supervisor {
    /// Watches everything that has a name now.
    pub(super) fn watch_paths(&mut self) {
        let now = self.clock.mono();
        let pidfile = self.pidfile.as_ref().map(|pidfile| pidfile.path().to_owned());
        let sockets = self.sockets.iter().filter_map(|kept| kept.path().map(Path::to_owned));
        for path in pidfile.into_iter().chain(sockets) {
            self.path_watch.watch(&path, now);
        }
    }

    /// The kernel has something about one of our files.
    pub(super) fn on_path_change(&mut self) {
        self.path_watch.read();
        self.path_watch.timing.schedule(self.clock.mono());
    }

    /// Looks at all names when there is time to.
    pub(super) fn check_paths_now(&mut self) {
        self.path_watch.timing.schedule_now(self.clock.mono());
    }

    /// When that is (monotonic).
    pub(super) const fn paths_deadline(&self) -> Option<Duration> {
        self.path_watch.timing.due
    }

    /// Makes again what is gone, when it is time to look. Who stops needs no names any more.
    pub(super) fn check_paths(&mut self) {
        let now = self.clock.mono();
        if !self.path_watch.timing.take_due(now) || self.daemon_state != DaemonState::Running {
            return;
        }
        let faults: Vec<String> =
            [self.restore_pidfile(), self.restore_sockets()].into_iter().flatten().collect();
        self.check_fastcgi_sockets();
        if self.path_watch.timing.completed(faults.is_empty(), now) {
            faults.iter().for_each(|fault| self.log.log(Level::Error, fault));
        }
    }

    /// Gives what is to be said where it fails.
    fn restore_pidfile(&mut self) -> Option<String> {
        let path = self.pidfile.as_ref()?.path().to_owned();
        if !is_missing(&path) {
            return None;
        }
        let mut said = Vec::new();
        if Pidfile::write(&path, &mut |_, line| said.push(line.to_owned())).is_none() {
            return Some(format!("cannot make the pidfile {} again: {}", path.display(), said.join("; ")));
        }
        self.log_restored("the pidfile", &path);
        None
    }

    fn restore_sockets(&mut self) -> Option<String> {
        for at in 0..self.sockets.len() {
            let Some(path) = self.sockets[at].path().filter(|path| is_missing(path)).map(Path::to_owned)
            else {
                continue;
            };
            let Some(server) = self.servers.get(at).cloned() else { continue };
            let opened = http::open(&[server], &[], &NoLog).map_err(|error| error.to_string());
            let opened = opened.and_then(|mut all| all.pop().ok_or_else(|| "there is no server".to_owned()));
            let kept = |listening: &BoundServer| listening.duplicate().map_err(|error| error.to_string());
            match opened.and_then(|listening| Ok((kept(&listening)?, listening))) {
                Ok((kept, listening)) => {
                    self.sockets[at] = kept;
                    // Without anybody who answers there the daemon is about to end.
                    let _ = self.reopened_sockets.send(listening);
                    self.log_restored("the socket", &path);
                }
                Err(why) => return Some(format!("cannot make the socket {} again: {why}", path.display())),
            }
        }
        None
    }

    fn log_restored(&mut self, what: &str, path: &Path) {
        let line = format!("{what} {} was removed while supervisord runs: it is made again", path.display());
        self.log.log(Level::Warn, &line);
        self.path_watch.watch(path, self.clock.mono());
    }

    /// Programs that run have the old socket, which nobody can reach any more: only a start gives them a new one.
    fn check_fastcgi_sockets(&mut self) {
        let mut lines = Vec::new();
        for (_, group) in self.table.groups() {
            let config::GroupKind::FastCgi(wish) = &group.config.kind else { continue };
            let SocketAddress::Unix { path, .. } = &wish.address else { continue };
            let Some(socket) = group.socket.upgrade() else { continue };
            if is_missing(path) && !socket.is_unlinked() {
                socket.mark_unlinked();
                lines.push(format!(
                    "the FastCGI socket {} was removed: the programs of {name} that run cannot be reached, and those \
                     that start get a new one (supervisorctl restart '{name}:*')",
                    path.display(),
                    name = group.config.name
                ));
            }
        }
        lines.iter().for_each(|line| self.log.log(Level::Error, line));
    }

    /// Has a FastCGI socket watched that was just made.
    pub(super) fn watch_fastcgi(&mut self, address: &SocketAddress) {
        if let SocketAddress::Unix { path, .. } = address {
            let (path, now) = (PathBuf::from(path), self.clock.mono());
            self.path_watch.watch(&path, now);
        }
    }
}

/// Whether nothing stands at the path. What somebody else has put there is theirs.
fn is_missing(path: &Path) -> bool {
    fs::symlink_metadata(path).is_err_and(|why| why.kind() == io::ErrorKind::NotFound)
}

/// What the original says of a server at a start is not said again.
struct NoLog;

impl DaemonLog for NoLog {
    fn enabled(&self, _: Level) -> bool {
        false
    }

    fn log(&self, _: Level, _: &str) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn it_looks_a_moment_after_the_first_notice_and_not_without_one() {
        let mut timing = CheckSchedule::default();
        assert!(timing.due.is_none() && !timing.take_due(at(1000)));
        timing.schedule(at(10));
        timing.schedule(at(10) + SETTLE_TIME / 2);
        assert_eq!(timing.due, Some(at(10) + SETTLE_TIME));
        assert!(!timing.take_due(at(10)));
        assert!(timing.take_due(at(11)) && timing.due.is_none());
        assert!(!timing.completed(true, at(11)));
        timing.schedule_now(at(20));
        assert!(timing.take_due(at(20)));
    }

    #[test]
    fn what_cannot_be_made_is_tried_again_and_said_once() {
        let mut timing = CheckSchedule::default();
        assert!(timing.completed(false, at(10)));
        assert_eq!(timing.due, Some(at(10) + RETRY_AFTER));
        assert!(timing.take_due(at(40)));
        assert!(!timing.completed(false, at(40)));
        assert!(timing.take_due(at(70)));
        assert!(!timing.completed(true, at(70)) && timing.due.is_none());
        assert!(timing.completed(false, at(80)));
    }
}
