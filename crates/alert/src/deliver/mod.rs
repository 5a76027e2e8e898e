//! The deliverer: a process of its own that carries alerts out, so that no listener waits for a mail server.
//!
//! A listener starts it with the lock of the outbox for its standard input: it holds the lock for as long as it
//! lives, whatever becomes of the listener. Its standard output is the end of a pipe that only the listener reads;
//! when that breaks, the listener is gone. Then it finishes what is due, and leaves the rest to the next one.

pub(crate) mod backoff;
pub mod engine;
pub mod plan;
pub mod store;

use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use inotify::{Inotify, WatchMask};
use rustix::event::{PollFd, PollFlags, poll};

use crate::outbox::{Outbox, record};
use engine::{Engine, Input};
use store::{Memory, Store};

/// How long alerts that are only in memory are tried after the listener has gone.
const MEMORY_AFTER_LISTENER: Duration = Duration::from_secs(3600);
/// How often the folder is looked at where it cannot be watched.
const LOOK: Duration = Duration::from_secs(5);

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
    outbox.sweep();
    let (tell, inbox) = channel();
    watch_listener(tell.clone(), Duration::ZERO);
    watch_folders(&outbox, tell.clone());
    Engine::new(Arc::new(outbox.clone())).run(&inbox, &tell);
    outbox.forget_ways();
    ExitCode::SUCCESS
}

/// Delivers the alerts that stand in our standard input, and are nowhere else.
pub fn memory() -> ExitCode {
    let _ = rustix::process::setsid();
    let mut content = Vec::new();
    if let Err(error) = io::stdin().lock().read_to_end(&mut content) {
        return fail(&format!("cannot read the alerts to deliver: {error}"));
    }
    let alerts = match record::read_all(&content) {
        Ok(alerts) => alerts,
        Err(error) => return fail(&format!("cannot read the alerts to deliver: {error}")),
    };
    let (tell, inbox) = channel();
    watch_listener(tell.clone(), MEMORY_AFTER_LISTENER);
    let store = Arc::new(Memory::new(alerts));
    Engine::new(Arc::<Memory>::clone(&store)).run(&inbox, &tell);
    for id in store.ids() {
        let subject =
            store.load(&id).ok().flatten().and_then(|stored| stored.alert.subject).unwrap_or_default();
        fail(&format!("lost, as it could neither be stored nor sent: {subject}"));
    }
    ExitCode::SUCCESS
}

fn fail(line: &str) -> ExitCode {
    crate::say(line);
    ExitCode::FAILURE
}

/// Tells when the reader of our standard output is gone, and `grace` is over.
fn watch_listener(tell: Sender<Input>, grace: Duration) {
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
        pass(grace);
        let _ = tell.send(Input::Leave);
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
fn watch_folders(outbox: &Outbox, tell: Sender<Input>) {
    let outbox = outbox.clone();
    thread::spawn(move || {
        if watch(&outbox, &tell).is_err() {
            // Out of watches: look from time to time instead.
            while tell.send(Input::Changed(Vec::new())).is_ok() {
                pass(LOOK);
            }
        }
    });
}

fn watch(outbox: &Outbox, tell: &Sender<Input>) -> io::Result<()> {
    let mut inotify = Inotify::init()?;
    let new = inotify.watches().add(outbox.new_dir(), WatchMask::MOVED_TO)?;
    inotify.watches().add(outbox.ways_dir(), WatchMask::MOVED_TO | WatchMask::CREATE)?;
    // What came between the first look and the watch.
    let _ = tell.send(Input::Changed(Vec::new()));
    let mut buffer = [0; 4096];
    loop {
        let (mut changed, mut nudged) = (Vec::new(), false);
        for event in inotify.read_events_blocking(&mut buffer)? {
            match event.name.and_then(OsStr::to_str) {
                Some(name) if event.wd == new => changed.push(name.to_owned()),
                _ => nudged = true,
            }
        }
        let input = if nudged { Input::Nudged } else { Input::Changed(changed) };
        if tell.send(input).is_err() {
            return Ok(());
        }
    }
}
