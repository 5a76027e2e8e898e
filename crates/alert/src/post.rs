//! The listener's side of the outbox: put an alert there, and see to it that somebody delivers.

use std::fs::File;
use std::io::{self, Seek, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::MemfdFlags;
use rustix::pipe::{PipeFlags, pipe_with};

use crate::alert::{Alert, Draft, Entry, Form};
use crate::deliver::backoff;
use crate::outbox::batch::Batch;
use crate::outbox::{Outbox, Place, Way, new_id, record, unix_time};
use crate::route::{Route, Transport};
use crate::say;
use crate::secret::Secret;

/// How often, at most, to look for alerts that others have left behind.
const LOOK_AFTER: Duration = Duration::from_secs(60);
/// How long to stay for alerts that are on their way when there is nothing else to do any more.
const LAST_MOMENT: Duration = Duration::from_secs(3);
/// So many processes at most deliver from memory at a time.
const MEMORY_DELIVERERS: usize = 64;
/// So many entries of a batch have details; a mail of thousands would help nobody.
const DETAILED_ENTRIES: usize = 50;

/// What a listener's post office needs to know.
#[derive(Clone, Debug)]
pub struct PostOptions {
    /// The state folder, which holds the outbox.
    pub state_dir: PathBuf,
    /// Which listener this is, the same after a restart: see [`Alert::origin`].
    pub origin: String,
    /// This host.
    pub host: String,
    /// How and to whom.
    pub route: Route,
    /// The program that delivers; `deliver` and its arguments are added.
    pub program: PathBuf,
}

/// Takes alerts from a listener. Nothing in here fails: what goes wrong is said on stderr, and the alert goes another
/// way.
#[derive(Debug)]
pub struct Post {
    options: PostOptions,
    outbox: Option<Outbox>,
    batch: Option<Batch>,
    deliverer: Deliverer,
    looked: Instant,
    /// Something was stored since the last answer.
    has_stored: bool,
}

impl Post {
    /// Opens the outbox, takes up what an earlier process left, and starts delivering what waits.
    pub fn open(mut options: PostOptions) -> Self {
        embed_password(&mut options.route.transport);
        let outbox = Outbox::open(&options.state_dir);
        let outbox = outbox.inspect_err(|error| say_trouble(&options.state_dir, error)).ok();
        let deliverer = Deliverer::new(options.program.clone());
        let post = Self { options, outbox, batch: None, deliverer, looked: Instant::now(), has_stored: true };
        if let Some(outbox) = &post.outbox {
            post.correct_way(outbox);
            if !outbox.is_empty() {
                post.deliverer.deliver(outbox);
            }
        }
        post
    }

    /// Alerts of ours that wait with another transport, or that an earlier word sends another way, shall take the
    /// present one.
    fn correct_way(&self, outbox: &Outbox) {
        let (origin, transport) = (&self.options.origin, &self.options.route.transport);
        let way = Way { transport: transport.clone(), from: self.options.route.from.clone() };
        let left = outbox.way(origin);
        if left.as_ref() == Some(&way) {
            return;
        }
        let other = |place, id: &String| {
            outbox.load(place, id).is_ok_and(|stored| {
                stored.alert.origin == *origin && stored.alert.route.transport != *transport
            })
        };
        let waits = |place| outbox.ids(place).unwrap_or_default().iter().any(|id| other(place, id));
        if (left.is_some() || waits(Place::New) || waits(Place::Dead))
            && let Err(error) = outbox.set_way(origin, &way)
        {
            say(&error.to_string());
        }
    }

    /// Whether an earlier process of this listener has stored the alert of this event and was killed before it
    /// could say so.
    pub fn seen(&self, event: &str) -> bool {
        let of_batch = self.batch.as_ref().and_then(Batch::unanswered);
        of_batch == Some(event) || self.outbox.as_ref().is_some_and(|outbox| outbox.is_unanswered(event))
    }

    /// An alert is being made: whoever will deliver it can get ready meanwhile.
    pub fn announce(&self) {
        if let Some(outbox) = &self.outbox {
            self.deliverer.start(outbox, Start::Announced);
        }
    }

    /// Takes an alert; it is safe when this returns. `event` is what it was made of, for [`Post::seen`].
    pub fn send(&mut self, event: Option<&str>, draft: Draft) {
        self.has_stored = true;
        let alert = self.alert(draft.subject, draft.form, draft.entries);
        self.send_alert(&alert, event);
    }

    fn send_alert(&mut self, alert: &Alert, event: Option<&str>) {
        let Some(outbox) = self.outbox() else { return self.deliverer.deliver_from_memory(alert) };
        match outbox.put(alert, event) {
            Ok(()) => self.deliverer.deliver(&outbox),
            Err(error) => {
                say_trouble(&self.options.state_dir, &error);
                self.deliverer.deliver_from_memory(alert);
            }
        }
    }

    /// The outbox, opened again if it could not be before.
    fn outbox(&mut self) -> Option<Outbox> {
        if self.outbox.is_none() {
            let opened = Outbox::open(&self.options.state_dir);
            self.outbox = opened.inspect_err(|error| say_trouble(&self.options.state_dir, error)).ok();
        }
        self.outbox.clone()
    }

    fn alert(&self, subject: Option<String>, form: Form, entries: Vec<Entry>) -> Alert {
        Alert {
            id: new_id(),
            origin: self.options.origin.clone(),
            host: self.options.host.clone(),
            created: unix_time(),
            route: self.options.route.clone(),
            subject,
            form,
            entries,
        }
    }

    /// Begins to collect, with what an earlier process has collected and not sent.
    pub fn open_batch(&mut self, subject: Option<String>, form: Form) {
        let draft = self.alert(subject, form, Vec::new());
        let in_memory = Batch::in_memory(&Outbox::at(&self.options.state_dir), draft.clone());
        let Some(outbox) = self.outbox() else {
            self.batch = Some(in_memory);
            return;
        };
        let opened =
            Batch::open(&outbox, draft).inspect_err(|error| say_trouble(&self.options.state_dir, error));
        self.batch = Some(opened.unwrap_or(in_memory));
    }

    /// What has been collected.
    pub fn batch(&self) -> &[Entry] {
        self.batch.as_ref().map(Batch::entries).unwrap_or_default()
    }

    /// Whether a further entry of the batch shall have details.
    pub fn wants_details(&self) -> bool {
        self.batch().len() < DETAILED_ENTRIES
    }

    /// Adds to the batch; it is safe when this returns.
    pub fn add_to_batch(&mut self, event: &str, entry: Entry) {
        self.has_stored = true;
        let outbox = self.outbox();
        let Some(batch) = &mut self.batch else { return };
        let fallback = || Outbox::at(&self.options.state_dir);
        if let Err(error) = batch.add(&outbox.unwrap_or_else(fallback), entry, event) {
            say(&format!("{error}; keeping the batch in memory"));
        }
    }

    /// Sends what has been collected, if anything.
    pub fn send_batch(&mut self) {
        let outbox = self.outbox().unwrap_or_else(|| Outbox::at(&self.options.state_dir));
        let Some(batch) = self.batch.as_mut().filter(|batch| !batch.entries().is_empty()) else { return };
        match batch.send(&outbox) {
            None => self.deliverer.deliver(&outbox),
            Some(alert) => {
                self.send_alert(&alert, None);
                self.batch.iter().for_each(Batch::discard);
            }
        }
    }

    /// The supervisor was told that the last event is dealt with.
    pub fn answered(&mut self) {
        if !std::mem::take(&mut self.has_stored) {
            return;
        }
        if let Some(batch) = &mut self.batch {
            batch.answered();
        } else if let Some(outbox) = &self.outbox {
            outbox.answered(&self.options.origin);
        }
    }

    /// There will be no further alert: gives those that were stored a moment to be delivered before we end. What is
    /// still on its way then goes on without us, or waits for our successor.
    pub fn close(&self) {
        self.deliverer.wait(LAST_MOMENT);
    }

    /// At most once a minute, sees to alerts that nobody delivers any more.
    pub fn look_after(&mut self) {
        if self.looked.elapsed() < LOOK_AFTER {
            return;
        }
        self.looked = Instant::now();
        if let Some(outbox) = self.outbox.as_ref().filter(|outbox| !outbox.is_empty()) {
            self.deliverer.deliver(outbox);
        }
    }
}

/// A password that only this process has in its environment must be with the alert: another may deliver it.
fn embed_password(transport: &mut Transport) {
    if let Transport::Smtp(server) = transport
        && let Some(secret @ Secret::Env(_)) = &server.password
    {
        match secret.reveal() {
            Ok(password) => server.password = Some(Secret::Literal(password)),
            Err(error) => say(&error.to_string()),
        }
    }
}

fn say_trouble(state_dir: &std::path::Path, error: &dyn std::error::Error) {
    let outbox = state_dir.join("outbox");
    say(&format!("cannot use the outbox {}: {error}; delivering from memory", outbox.display()));
}

/// What the threads of a deliverer share with the listener.
#[derive(Debug, Default)]
struct Shared {
    /// A thread is seeing to the outbox.
    on_disk: bool,
    /// Something came in since that thread last looked.
    again: bool,
    /// So many threads are seeing to alerts that are only in memory.
    in_memory: usize,
    /// Alerts that wait for such a thread.
    queue: Vec<Alert>,
}

/// Why a deliverer is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    /// An alert is in the outbox.
    Stored,
    /// An alert is on its way there.
    Announced,
}

/// Starts the process that delivers, when there is something for it to do.
#[derive(Clone, Debug)]
struct Deliverer {
    program: PathBuf,
    shared: Arc<Mutex<Shared>>,
    /// Told when a thread ends.
    idle: Arc<Condvar>,
}

impl Deliverer {
    fn new(program: PathBuf) -> Self {
        Self { program, shared: Arc::default(), idle: Arc::default() }
    }

    /// Waits until no thread of ours is left, or the time is up.
    fn wait(&self, time: Duration) {
        let busy = |shared: &mut Shared| shared.on_disk || shared.in_memory > 0;
        drop(self.idle.wait_timeout_while(self.shared(), time, busy));
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sees to it that the outbox is delivered. A thread waits for the lock, hands it to a process, and waits for
    /// that; it ends when nothing waits any more.
    fn deliver(&self, outbox: &Outbox) {
        self.start(outbox, Start::Stored);
    }

    fn start(&self, outbox: &Outbox, reason: Start) {
        let mut shared = self.shared();
        shared.again |= reason == Start::Stored;
        if !shared.on_disk {
            let (own, outbox) = (self.clone(), outbox.clone());
            shared.on_disk = start(move || own.see_to(&outbox, reason));
        }
    }

    fn see_to(&self, outbox: &Outbox, mut reason: Start) {
        let mut breakdowns = 0;
        loop {
            self.shared().again = false;
            match self.run_on(outbox, std::mem::replace(&mut reason, Start::Stored)) {
                Ok(status) if status.success() => breakdowns = 0,
                Ok(status) => self.recover(&mut breakdowns, &format!("it ended with {status}")),
                Err(error) => self.recover(&mut breakdowns, &error.to_string()),
            }
            let mut shared = self.shared();
            if !shared.again && outbox.is_empty() {
                shared.on_disk = false;
                self.idle.notify_all();
                return;
            }
        }
    }

    /// Says that the deliverer broke down, and waits a while before the next.
    fn recover(&self, breakdowns: &mut u32, reason: &str) {
        *breakdowns += 1;
        let pause = backoff::pause(*breakdowns, 0.5);
        let program = self.program.display();
        say(&format!("the deliverer {program} failed: {reason}; starting another in {} s", pause.as_secs()));
        thread::park_timeout(pause);
    }

    fn run_on(&self, outbox: &Outbox, reason: Start) -> io::Result<ExitStatus> {
        let lock = loop {
            let lock = outbox.lock_file().map_err(io::Error::other)?;
            lock.lock()?;
            // Whoever had it may have seen the folder go; then this is the lock of nothing.
            if outbox.is_locked_by(&lock) {
                break lock;
            }
        };
        if outbox.is_empty() && reason == Start::Stored {
            return Ok(ExitStatus::default());
        }
        let mut command = Command::new(&self.program);
        command.arg0("ironlance").arg("deliver").arg(outbox.dir()).stdin(lock);
        run(command)
    }

    /// Delivers an alert that could not be stored.
    fn deliver_from_memory(&self, alert: &Alert) {
        let mut shared = self.shared();
        shared.queue.push(alert.clone());
        if shared.in_memory < MEMORY_DELIVERERS {
            let own = self.clone();
            shared.in_memory += usize::from(start(move || own.see_to_memory()));
        }
    }

    fn see_to_memory(&self) {
        let mut breakdowns = 0;
        loop {
            let alerts = std::mem::take(&mut self.shared().queue);
            let handed_over = if alerts.is_empty() { Ok(()) } else { self.hand_over(&alerts) };
            match handed_over {
                Ok(()) => breakdowns = 0,
                Err(error) => {
                    self.shared().queue.splice(0..0, alerts);
                    self.recover(&mut breakdowns, &error.to_string());
                }
            }
            let mut shared = self.shared();
            if shared.queue.is_empty() {
                shared.in_memory -= 1;
                self.idle.notify_all();
                return;
            }
        }
    }

    /// Gives alerts to a process of their own, and waits until it is done.
    fn hand_over(&self, alerts: &[Alert]) -> io::Result<()> {
        let mut input = File::from(rustix::fs::memfd_create("alerts", MemfdFlags::CLOEXEC)?);
        for alert in alerts {
            input.write_all(record::file(alert, None).as_bytes())?;
        }
        input.rewind()?;
        let mut command = Command::new(&self.program);
        command.arg0("ironlance").args(["deliver", "--memory"]).stdin(input);
        let status = run(command)?;
        if status.success() { Ok(()) } else { Err(io::Error::other(format!("it ended with {status}"))) }
    }
}

/// Starts a thread; a machine without room for one gets another chance at the next alert.
fn start(work: impl FnOnce() + Send + 'static) -> bool {
    match thread::Builder::new().spawn(work) {
        Ok(_) => true,
        Err(error) => {
            say(&format!("cannot start a thread to deliver: {error}; the alert is kept"));
            false
        }
    }
}

/// Runs a deliverer to its end. Its output is a pipe that nobody writes: when we die, it breaks.
fn run(mut command: Command) -> io::Result<ExitStatus> {
    let (alive, leash): (OwnedFd, OwnedFd) = pipe_with(PipeFlags::CLOEXEC)?;
    let mut child = command.stdout(Stdio::from(leash)).spawn()?;
    // The command holds our ends of the child's descriptors, the lock among them.
    drop(command);
    let status = child.wait();
    drop(alive);
    status
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    /// A stand-in for the deliverer: takes alerts out of the outbox and writes down how many.
    fn deliverer(dir: &Path, script: &str) -> PathBuf {
        let program = dir.join("deliverer");
        fs::write(&program, format!("#!/bin/sh\ncd {}\n{script}\n", dir.display())).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        program
    }

    fn post(state_dir: &Path, program: PathBuf) -> Post {
        Post::open(PostOptions {
            state_dir: state_dir.to_owned(),
            origin: "test".into(),
            host: "web1".into(),
            route: Route {
                transport: Transport::Sendmail { command: "true".into() },
                from: None,
                to: vec!["ops@example.com".into()],
            },
            program,
        })
    }

    fn draft(text: &str) -> Draft {
        let entries = vec![Entry { text: text.into(), details: None }];
        Draft { subject: Some("subject".into()), form: Form::Mail, entries }
    }

    fn until(what: &str, condition: impl Fn() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !condition() {
            assert!(Instant::now() < deadline, "{what}");
            thread::park_timeout(Duration::from_millis(5));
        }
    }

    const TAKE: &str = "for f in outbox/new/*; do [ -e \"$f\" ] && mv \"$f\" taken/; done; exit 0";

    #[test]
    fn what_is_sent_is_delivered_however_it_comes() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("taken")).unwrap();
        let mut post = post(dir.path(), deliverer(dir.path(), TAKE));
        for number in 0..50 {
            post.send(None, draft(&number.to_string()));
        }
        let taken = || fs::read_dir(dir.path().join("taken")).unwrap().count();
        until("all are taken", || taken() == 50);
    }

    #[test]
    fn a_deliverer_that_breaks_down_is_started_again() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("taken")).unwrap();
        let script = format!("[ -e once ] || {{ touch once; kill -9 $$; }}; {TAKE}");
        let mut post = post(dir.path(), deliverer(dir.path(), &script));
        post.send(None, draft("one"));
        until("it is taken", || fs::read_dir(dir.path().join("taken")).unwrap().count() == 1);
    }

    #[test]
    fn without_an_outbox_the_alert_goes_to_a_deliverer_by_memory() {
        let dir = tempfile::tempdir().unwrap();
        let script = "[ \"$2\" = --memory ] && cat >> got";
        fs::write(dir.path().join("outbox"), "in the way").unwrap();
        let mut post = post(dir.path(), deliverer(dir.path(), script));
        post.send(Some("event"), draft("one"));
        let got = || fs::read(dir.path().join("got")).unwrap_or_default();
        until("it is handed over", || record::read(&got()).is_ok());
    }

    #[test]
    fn an_event_is_seen_by_the_successor_until_it_was_answered() {
        let dir = tempfile::tempdir().unwrap();
        let program = deliverer(dir.path(), "exec sleep 0");
        let mut first = post(dir.path(), program.clone());
        first.send(Some("event 1"), draft("one"));
        let mut second = post(dir.path(), program.clone());
        assert!(second.seen("event 1") && !second.seen("event 2"));
        second.answered();
        assert!(!second.seen("event 1"));
        assert!(!post(dir.path(), program).seen("event 1"));
    }
}
