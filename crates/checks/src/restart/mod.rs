//! Restarting a process through supervisord: [`restart`], and [`PendingRestarts`], the file of stopped programs that are
//! still to be started. Called by httpok, memmon and `watch`.
//!
//! The caller can be killed between stop and start, and supervisord can refuse the start. So the name is written to the
//! file before the stop and removed after the start. What is left is started at the next [`PendingRestarts::retry`], by
//! this process or the next one, unless [`decision`] abandons it.
//!
//! The file has a line for each program: `1700000000 shop:web`, the time of the last try and the name. A line
//! without a time, as older versions wrote it, is as old as the file.

pub mod decision;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use ironlance_alert::outbox::folder::prepare;
use ironlance_core::ProcessState;
use ironlance_rpc::{CallError, Client};

use self::decision::{PendingRestart, ProgramStatus, RetryDecision, decide};

/// Further lines are not read.
const MAX_ENTRIES: usize = 10_000;

/// The processes that this caller stopped and that are not up again, kept on disk. Several threads may restart at once.
#[derive(Debug)]
pub struct PendingRestarts {
    file: PathBuf,
    pending: Mutex<BTreeMap<String, PendingRestart>>,
    /// Logs a line of ours.
    note: fn(&str),
}

impl PendingRestarts {
    /// Reads `file`; a missing file is an empty list. `note` logs a line.
    pub fn open(file: PathBuf, note: fn(&str)) -> Self {
        let text = fs::read_to_string(&file).unwrap_or_default();
        let written = fs::metadata(&file).and_then(|data| data.modified()).unwrap_or(UNIX_EPOCH);
        let pending = Mutex::new(parse(&text, seconds(written)));
        Self { file, pending, note }
    }

    /// Whether nothing is left to be started.
    pub fn is_empty(&self) -> bool {
        self.pending().is_empty()
    }

    fn pending(&self) -> MutexGuard<'_, BTreeMap<String, PendingRestart>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records that the process is to be started, with the time of now.
    fn begin(&self, name: &str) {
        let restart = PendingRestart { last_try: seconds(SystemTime::now()) };
        let mut pending = self.pending();
        if pending.insert(name.to_owned(), restart) != Some(restart) {
            self.store(&pending);
        }
    }

    fn finish(&self, name: &str) {
        let mut pending = self.pending();
        if pending.remove(name).is_some() {
            self.store(&pending);
        }
    }

    /// Writes the file. A failure matters only if this process is killed before the start; the list in memory stays.
    fn store(&self, pending: &BTreeMap<String, PendingRestart>) {
        if pending.is_empty() {
            let _ = fs::remove_file(&self.file);
            return;
        }
        let text: String =
            pending.iter().map(|(name, pending)| format!("{} {name}\n", pending.last_try)).collect();
        let new = self.file.with_extension("new");
        let folder = self.file.parent().unwrap_or_else(|| Path::new("/"));
        let written = prepare(folder).map_err(|error| error.to_string()).and_then(|()| {
            let written = fs::write(&new, text).and_then(|()| fs::rename(&new, &self.file));
            written.map_err(|error| format!("cannot write {}: {error}", self.file.display()))
        });
        if let Err(error) = written {
            (self.note)(&format!(
                "{error}: should I be killed between a stop and a start, the program stays down"
            ));
        }
    }

    /// Starts the processes of the list that are not up, and gives a line on each try to `log`. Abandoned ones are noted
    /// and removed.
    pub fn retry(&self, supervisor: &Client, log: &mut dyn FnMut(&str)) {
        let all = self.pending().clone();
        for (name, pending) in all {
            let info = match supervisor.process_info(&name) {
                Ok(info) => info,
                Err(CallError::Fault(fault)) => {
                    self.finish(&name);
                    log(&format!("Failed to start process {name}: {fault}"));
                    continue;
                }
                Err(error) => {
                    log(&format!("Failed to start process {name}, trying again: {error}"));
                    continue;
                }
            };
            // Without supervisord's clock the start counts as older than any try of ours.
            let ago = if info.now == 0 { i64::MAX } else { info.now.saturating_sub(info.start) };
            let started_ago = (info.start != 0).then_some(ago);
            let status = ProgramStatus { state: ProcessState::from_code(info.state), started_ago };
            match decide(pending, status, seconds(SystemTime::now())) {
                RetryDecision::Start => match supervisor.start_process(&name) {
                    Ok(()) => {
                        self.finish(&name);
                        log(&format!("{name} started"));
                    }
                    Err(error) => {
                        self.begin(&name);
                        log(&format!("Failed to start process {name}, trying again: {error}"));
                    }
                },
                RetryDecision::Done => self.finish(&name),
                // This caller is running and waits: the entry does not age.
                RetryDecision::Wait => self.begin(&name),
                RetryDecision::Abandon(reason) => {
                    self.finish(&name);
                    (self.note)(&format!("not starting {name}: {reason}"));
                }
            }
        }
    }
}

/// Seconds since 1970.
fn seconds(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// Reads the text of a file that was written at `written`, in seconds since 1970; any text can be read.
pub fn parse(text: &str, written: i64) -> BTreeMap<String, PendingRestart> {
    let entry = |line: &str| match line.split_once(' ') {
        Some((time, name)) if time.len() >= 9 => match time.parse() {
            Ok(last_try) => (name.to_owned(), PendingRestart { last_try }),
            Err(_) => (line.to_owned(), PendingRestart { last_try: written }),
        },
        _ => (line.to_owned(), PendingRestart { last_try: written }),
    };
    text.lines().filter(|line| !line.is_empty()).take(MAX_ENTRIES).map(entry).collect()
}

/// The result of a restart.
#[derive(Debug)]
pub enum RestartOutcome {
    /// Stopped and started.
    Done,
    /// Supervisord did not stop it, for this reason; no start was tried.
    NotStopped(CallError),
    /// It is stopped, and the start failed for this reason; the start is tried again at every retry.
    NotStarted(CallError),
}

/// Stops and starts a process. With `stop_failed` the start is tried even if the stop fails, as httpok does;
/// `stop_failed` then gets the error.
pub fn restart(
    supervisor: &Client,
    restarts: &PendingRestarts,
    name: &str,
    stop_failed: Option<&mut dyn FnMut(&CallError)>,
) -> RestartOutcome {
    restarts.begin(name);
    if let Err(error) = supervisor.stop_process(name) {
        let Some(stop_failed) = stop_failed else {
            // A fault leaves the process as it is. After a lost connection its state is unknown, so the entry stays.
            if matches!(error, CallError::Fault(_)) {
                restarts.finish(name);
            }
            return RestartOutcome::NotStopped(error);
        };
        stop_failed(&error);
    }
    match supervisor.start_process(name) {
        Ok(()) => {
            restarts.finish(name);
            RestartOutcome::Done
        }
        Err(error) => {
            // The time of this try: the stop before it may have taken long.
            restarts.begin(name);
            RestartOutcome::NotStarted(error)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_file_is_read_as_it_was_written_and_old_ones_are_as_old_as_their_file() {
        let folder = std::env::temp_dir().join(format!("ironlance-restarts-{}", std::process::id()));
        let file = folder.join("restart-x");
        let open = || PendingRestarts::open(file.clone(), |_| ());
        let restarts = open();
        restarts.begin("shop:web");
        restarts.begin("a b");
        assert_eq!(*open().pending(), *restarts.pending());
        restarts.finish("a b");
        restarts.finish("shop:web");
        assert!(!file.exists() && open().is_empty());
        fs::remove_dir_all(folder).unwrap();
        let old = parse("shop:web\n1700000000 db\n12 monkeys\n", 7);
        let tried = |name: &str| old[name].last_try;
        assert_eq!((tried("shop:web"), tried("db"), tried("12 monkeys")), (7, 1_700_000_000, 7));
    }

    proptest! {
        #[test]
        fn no_file_makes_the_reader_panic(text in "(?s).{0,120}", numbers in "[0-9 a:\n]{0,60}") {
            let _ = (parse(&text, 0), parse(&numbers, i64::MAX));
        }
    }
}
