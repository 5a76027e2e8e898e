//! The deliverer: a process of its own that carries alerts out, so that no listener waits for a mail server.
//!
//! A listener starts it with the lock of the outbox for its standard input: it holds the lock for as long as it
//! lives, whatever becomes of the listener. Its standard output is the end of a pipe that only the listener reads;
//! when that breaks, the listener is gone. Then it goes on for a while, or until another deliverer wants the lock.
//! SIGTERM and SIGINT let it finish the mails in hand and end.

pub(crate) mod attempt;
mod dispatcher;
pub mod lock_holder;
pub mod machine;
pub mod schedule;
pub mod stop;
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
use std::time::{Duration, Instant};

use inotify::{Inotify, WatchMask};
use rustix::event::{PollFd, PollFlags, poll};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::outbox::{Outbox, record};
use machine::{DeliverySettings, Input};
use store::{MemoryStore, Store};
use worker::{DeliveryWorker, Message};

/// How often the folder is looked at where it cannot be watched.
const LOOK: Duration = Duration::from_secs(5);
/// The longest alert that is taken from a listener, in bytes.
const LONGEST: usize = 64 * 1024 * 1024;
/// So many alerts are named that could neither be stored nor sent.
const NAMED: usize = 20;

/// Delivers the outbox in `dir`, whose lock is our standard input. Ends when nothing waits.
pub fn outbox(dir: &Path) -> ExitCode {
    // In a session of our own, what ends the listener's process group does not end us.
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
    let stay = worker.run(&inbox, &tell);
    outbox.clear_overrides();
    if stay > 0 {
        log_remaining(&outbox, stay);
    }
    ExitCode::SUCCESS
}

/// Says how many alerts stay, on stderr and in `last-error`: supervisord reads our stderr only while our listener runs.
fn log_remaining(outbox: &Outbox, stay: usize) {
    const LAST: &str = "; last: ";
    let before = outbox.last_error().map(|(_, reason)| reason);
    let reason = before.as_deref().map(|all| all.split_once(LAST).map_or(all, |(_, reason)| reason));
    let reason = reason.map(|reason| format!("{LAST}{reason}")).unwrap_or_default();
    let line = format!(
        "{stay} alert(s) stay in the outbox until a listener starts, or ironlance outbox retry{reason}"
    );
    crate::log(&line);
    // A disk that takes no note takes no alert either: that has been said.
    let _ = outbox.set_last_error(crate::outbox::unix_time(), &line);
}

/// Delivers the alerts that come on our standard input, each behind a line with its length, and are nowhere else. When
/// the outbox of `state_dir` can be used again they go there.
pub fn memory(state_dir: Option<&Path>) -> ExitCode {
    let _ = rustix::process::setsid();
    let (tell, inbox) = channel();
    let store = Arc::new(MemoryStore::new(state_dir.map(Path::to_owned)));
    // What is only in memory would be lost: one last try of everything, not only of the mails in hand.
    watch_signals(tell.clone(), || Input::Drain);
    let is_orphaned = Arc::new(AtomicBool::new(false));
    take_alerts(Arc::clone(&store), tell.clone(), Arc::clone(&is_orphaned));
    let worker = DeliveryWorker {
        heartbeat: lock_holder::heartbeat_to_listener,
        ..DeliveryWorker::new(Arc::<MemoryStore>::clone(&store))
    };
    let worker =
        DeliveryWorker { settings: DeliverySettings { is_from_memory: true, ..worker.settings }, ..worker };
    worker.run(&inbox, &tell);
    if !is_orphaned.load(Ordering::SeqCst) {
        // The listener has all of them, and gives them to the next one.
        return ExitCode::FAILURE;
    }
    log_lost(&store);
    if let Some(outbox) = state_dir.map(Outbox::at).filter(|outbox| !outbox.is_empty()) {
        return become_deliverer(&outbox);
    }
    ExitCode::SUCCESS
}

/// Says how many alerts go with us, and which.
fn log_lost(store: &MemoryStore) {
    let lost = store.ids();
    if lost.is_empty() {
        return;
    }
    crate::log(&format!("{} alert(s) are lost, as they could neither be stored nor sent", lost.len()));
    for id in lost.iter().take(NAMED) {
        let alert = store.load(id).ok().flatten().map(|stored| stored.alert);
        crate::log(&format!("lost: {}", alert.and_then(|alert| alert.subject).unwrap_or_default()));
    }
}

/// Delivers what was written down, unless somebody does already. Our listener may be gone.
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

/// Takes alerts from a listener until its end of the pipe is closed.
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

/// The next alert, as a file: a line with its length, and so many bytes. One that was cut was not promised to anybody.
fn frame(input: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut line = String::new();
    input.read_line(&mut line).ok().filter(|length| *length > 0)?;
    let length = line.trim_end().parse::<usize>().ok().filter(|length| *length <= LONGEST)?;
    let mut content = vec![0; length];
    input.read_exact(&mut content).ok()?;
    Some(content)
}

/// Tells when we are asked to end.
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

/// Tells when the reader of our standard output is gone.
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

/// Lets time go by in a thread that has nothing else to do.
fn pass(time: Duration) {
    let end = Instant::now() + time;
    while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
        thread::park_timeout(left);
    }
}

/// Tells what changes in the folders.
fn watch_folders(outbox: &Outbox, tell: Sender<Message>) {
    let outbox = outbox.clone();
    thread::spawn(move || {
        if watch(&outbox, &tell).is_err() {
            // Out of watches: look from time to time instead.
            while tell.send(Message::Changed(Vec::new())).is_ok() {
                pass(LOOK);
            }
        }
    });
}

fn watch(outbox: &Outbox, tell: &Sender<Message>) -> io::Result<()> {
    let mut inotify = Inotify::init()?;
    let new = inotify.watches().add(outbox.new_dir(), WatchMask::MOVED_TO)?;
    inotify.watches().add(outbox.overrides_dir(), WatchMask::MOVED_TO | WatchMask::CREATE)?;
    // What came between the first look and the watch.
    let _ = tell.send(Message::Changed(Vec::new()));
    let mut buffer = [0; 4096];
    loop {
        let (mut changed, mut nudged, mut claimed) = (Vec::new(), false, false);
        for event in inotify.read_events_blocking(&mut buffer)? {
            match event.name {
                Some(name) if event.wd == new => changed.extend(name.to_str().map(str::to_owned)),
                Some(name) if Outbox::is_handover_request(name) => claimed = true,
                _ => nudged = true,
            }
        }
        let news = (nudged || !changed.is_empty()).then_some(if nudged {
            Input::RetryAll.into()
        } else {
            Message::Changed(changed)
        });
        for message in news.into_iter().chain(claimed.then_some(Input::HandoverRequested.into())) {
            if tell.send(message).is_err() {
                return Ok(());
            }
        }
    }
}
