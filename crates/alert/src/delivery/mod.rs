//! The deliverer: a process of its own ([`outbox`], [`memory`]) that sends alerts, so that no listener waits for a mail server.
//!
//! A listener starts it with the lock of the outbox as its standard input, so the lock is held for as long as the process
//! lives. Its standard output is a pipe that only the listener reads; when that breaks, the listener is gone. The
//! deliverer then goes on for the linger time, or until another deliverer wants the lock. On SIGTERM and SIGINT it finishes
//! the mails in hand and ends.

pub(crate) mod attempt;
mod dispatcher;
pub mod lock_holder;
pub mod machine;
pub mod schedule;
pub mod stop_deliverers;
pub mod store;
pub mod worker;

use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use inotify::{Inotify, WatchMask};
use rustix::event::{PollFd, PollFlags, poll};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::outbox::record::StoredAlert;
use crate::outbox::store::Store;
use crate::outbox::{Outbox, record};
use machine::Input;
use store::MemoryStore;
use worker::{DeliveryWorker, Message};

/// How often the folder is listed where inotify cannot watch it.
const POLL: Duration = Duration::from_secs(5);
/// The longest alert that is read from a listener, in bytes.
const LONGEST: usize = 64 * 1024 * 1024;
/// The most alerts that are named in the log when they are lost.
const NAMED: usize = 20;

/// Delivers the outbox in `dir`, whose lock is our standard input. Ends when nothing waits.
pub fn outbox(dir: &Path) -> ExitCode {
    // A session of its own: signals to the listener's process group do not reach this process.
    let _ = rustix::process::setsid();
    let Some(state_dir) = dir.parent().filter(|_| dir.file_name() == Some(OsStr::new("outbox"))) else {
        return fail(&format!("cannot deliver {}: it is no outbox", dir.display()));
    };
    let outbox = match Outbox::open(state_dir) {
        Ok(outbox) => outbox,
        Err(error) => return fail(&error.to_string()),
    };
    if !outbox.is_locked_by(&io::stdin()) {
        return fail(&format!("cannot deliver {}: my input is not its lock", dir.display()));
    }
    outbox.clean_tmp();
    let (tell, inbox) = channel();
    watch_signals(tell.clone(), || Input::Stop);
    watch_listener(tell.clone());
    watch_folders(&outbox, tell.clone());
    let worker =
        DeliveryWorker { heartbeat: lock_holder::heartbeat, ..DeliveryWorker::new(Arc::new(outbox.clone())) };
    let remaining = worker.run(&inbox, &tell);
    outbox.clear_overrides();
    if remaining > 0 {
        log_remaining(&outbox, remaining);
    }
    ExitCode::SUCCESS
}

/// Writes how many alerts stay to stderr and to `last-error`: supervisord reads our stderr only while our listener runs.
fn log_remaining(outbox: &Outbox, stay: usize) {
    const LAST: &str = "; last: ";
    let before = outbox.last_error().map(|(_, reason)| reason);
    let reason = before.as_deref().map(|all| all.split_once(LAST).map_or(all, |(_, reason)| reason));
    let reason = reason.map(|reason| format!("{LAST}{reason}")).unwrap_or_default();
    let line = format!(
        "{stay} alert(s) stay in the outbox until a listener starts, or ironlance outbox retry{reason}"
    );
    crate::log(&line);
    // A disk that refuses this has refused alerts as well, and that was logged.
    let _ = outbox.set_last_error(crate::outbox::unix_time(), &line);
}

/// Delivers alerts that are only in memory: they come on standard input, each behind a line with its length. Once the outbox
/// of `state_dir` can be used again, they are moved there.
pub fn memory(state_dir: Option<&Path>) -> ExitCode {
    let _ = rustix::process::setsid();
    let (tell, inbox) = channel();
    let store = Arc::new(MemoryStore::new(state_dir.map(Path::to_owned)));
    // Alerts in memory would be lost: everything is attempted once more, not only the mails in hand.
    watch_signals(tell.clone(), || Input::Drain);
    let is_orphaned = Arc::new(AtomicBool::new(false));
    take_alerts(Arc::clone(&store), tell.clone(), Arc::clone(&is_orphaned));
    let mut worker = DeliveryWorker::new(Arc::<MemoryStore>::clone(&store));
    worker.heartbeat = lock_holder::heartbeat_to_listener;
    worker.settings.is_from_memory = true;
    worker.run(&inbox, &tell);
    if !is_orphaned.load(Ordering::SeqCst) {
        // The listener still has all of them, and gives them to the next process.
        return ExitCode::FAILURE;
    }
    log_lost(&store);
    if let Some(outbox) = state_dir.map(Outbox::at).filter(|outbox| !outbox.is_empty()) {
        return become_deliverer(&outbox);
    }
    ExitCode::SUCCESS
}

/// Logs how many alerts are lost when this process ends, and which.
fn log_lost(store: &MemoryStore) {
    let lost = store.ids();
    if lost.is_empty() {
        return;
    }
    crate::log(&format!("{} alert(s) are lost, as they could neither be stored nor sent", lost.len()));
    for id in lost.iter().take(NAMED) {
        if let Ok(Some(StoredAlert { alert, .. })) = store.load(id) {
            crate::log(&format!("lost: to {}: {}", alert.receiver, alert.subject.unwrap_or_default()));
        }
    }
}

/// Becomes the deliverer of the outbox, unless another has its lock: the listener may be gone.
fn become_deliverer(outbox: &Outbox) -> ExitCode {
    let Some(lock) = outbox.lock_file().ok().filter(|lock| lock.try_lock().is_ok()) else {
        return ExitCode::SUCCESS;
    };
    let mut command = Command::new("/proc/self/exe");
    command.arg0("ironlance").arg("deliver").arg(outbox.dir()).stdin(lock);
    fail(&format!("cannot deliver {}: {}", outbox.dir().display(), command.exec()))
}

fn fail(line: &str) -> ExitCode {
    crate::log(line);
    ExitCode::FAILURE
}

/// Reads alerts from the listener until it closes its end of the pipe.
fn take_alerts(store: Arc<MemoryStore>, tell: Sender<Message>, is_orphaned: Arc<AtomicBool>) {
    thread::spawn(move || {
        let mut input = BufReader::new(io::stdin());
        while let Some(content) = frame(&mut input) {
            match record::read(&content) {
                Ok(stored) => {
                    let id = stored.alert.id.clone();
                    store.add(stored);
                    let _ = tell.send(Message::Changed(vec![id]));
                }
                Err(error) => crate::log(&format!("cannot read an alert to deliver: {error}")),
            }
        }
        is_orphaned.store(true, Ordering::SeqCst);
        let _ = tell.send(Input::Orphaned.into());
    });
}

/// The next alert, as a file: a line with its length in bytes, and these bytes. One that was cut is dropped: the listener
/// still has it.
fn frame(input: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut line = String::new();
    input.read_line(&mut line).ok().filter(|length| *length > 0)?;
    let length = line.trim_end().parse::<usize>().ok().filter(|length| *length <= LONGEST)?;
    let mut content = vec![0; length];
    input.read_exact(&mut content).ok()?;
    Some(content)
}

/// Sends an input when SIGTERM or SIGINT comes.
fn watch_signals(tell: Sender<Message>, what: fn() -> Input) {
    match Signals::new([SIGTERM, SIGINT]) {
        Ok(mut signals) => drop(thread::spawn(move || {
            for _ in signals.forever() {
                let _ = tell.send(what().into());
            }
        })),
        Err(error) => crate::log(&format!("cannot take signals: {error}")),
    }
}

/// Sends [`Input::Orphaned`] when the reader of our standard output is gone.
fn watch_listener(tell: Sender<Message>) {
    thread::spawn(move || {
        let stdout = io::stdout();
        loop {
            let mut fds = [PollFd::from_borrowed_fd(stdout.as_fd(), PollFlags::empty())];
            match poll(&mut fds, None) {
                Ok(_) if fds[0].revents().intersects(PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL) => {
                    break;
                }
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(_) => break,
            }
        }
        let _ = tell.send(Input::Orphaned.into());
    });
}

/// Sends a message when something changes in the folders.
fn watch_folders(outbox: &Outbox, tell: Sender<Message>) {
    let outbox = outbox.clone();
    thread::spawn(move || {
        if watch(&outbox, &tell).is_err() {
            // Out of inotify watches: poll instead.
            while tell.send(Message::Changed(Vec::new())).is_ok() {
                thread::park_timeout(POLL);
            }
        }
    });
}

fn watch(outbox: &Outbox, tell: &Sender<Message>) -> io::Result<()> {
    let mut inotify = Inotify::init()?;
    let new = inotify.watches().add(outbox.new_dir(), WatchMask::MOVED_TO)?;
    inotify.watches().add(outbox.overrides_dir(), WatchMask::MOVED_TO | WatchMask::CREATE)?;
    // For what came before the watch.
    let _ = tell.send(Message::Changed(Vec::new()));
    let mut buffer = [0; 4096];
    loop {
        let (mut changed, mut retry_all, mut handover) = (Vec::new(), false, false);
        for event in inotify.read_events_blocking(&mut buffer)? {
            match event.name {
                Some(name) if event.wd == new => changed.extend(name.to_str().map(str::to_owned)),
                Some(name) if Outbox::is_handover_request(name) => handover = true,
                _ => retry_all = true,
            }
        }
        // They fail once the deliverer has ended, and this process ends as well.
        if retry_all {
            let _ = tell.send(Input::RetryAll.into());
        } else if !changed.is_empty() {
            let _ = tell.send(Message::Changed(changed));
        }
        if handover {
            let _ = tell.send(Input::HandoverRequested.into());
        }
    }
}
