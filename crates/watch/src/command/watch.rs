//! `ironlance watch`: [`WatchProcess`] wires events, machines, store and deliverer together, and decides nothing itself.
//!
//! ```text
//! stdin, journal ─▶ feed ─▶ machine ─▶ messages ─▶ commit ─▶ outbox ═ deliverer
//!        ▲                    ▲                                │
//!        └─ RESULT when safe  └── outbox as it stands ◀── inotify
//! ```
//!
//! It sleeps in poll(2) until there is input, or the next deadline. Without open incidents there is none.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ironlance_alert::{Alert, AlertEntry};
use ironlance_config::alerting::Action;
use ironlance_core::Namespec;
use ironlance_core::event::kind::EventKind;
use ironlance_core::event::{Event, wire};
use ironlance_core::journal::{JournalEntry, JournalRecord};
use ironlance_core::listener::protocol::{ListenerResult, READY};
use ironlance_host::code_pages::CodePageTrimmer;
use ironlance_host::local_time::LocalClock;
use ironlance_host::state_folder::own_state_folder;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::configuration::{ConfigChoice, LoadedConfig};
use super::journal_watch::{JournalWatch, is_written_by_parent, parent_run};
use super::message::{Sender, host_name, messages_of};
use super::signals::SignalFlags;
use super::waiting_messages::WaitingMessages;
use crate::checks::{Actions, ProgramChecks};
use crate::machine::{Effect, Input, Moment, SnapshotPart, Watch, WatchSnapshot};
use crate::source::event_pipe::{EventPipe, PipedEvent};
use crate::source::feed::{Accepted, EventFeed, FeedPosition, SupervisorRun};
use crate::source::supervisor::{ListedProcess, SupervisorClient};
use crate::source::translation::{entry_of, input_of};
use crate::store::{
    CommitPacing, HistoryLine, HistoryLog, RecoveredState, SavedState, StoreOptions, WatchStore,
};

/// How much of standard input is read at a time.
const READ_SIZE: usize = 64 * 1024;
/// The first pause after the supervisor did not answer; it doubles up to [`MAX_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest one.
const MAX_PAUSE: Duration = Duration::from_secs(60);
/// How often the outbox is looked at where changes of it are not reported.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Runs until the supervisor closes standard input.
pub fn run(choice: &ConfigChoice) -> ExitCode {
    match WatchProcess::start(choice.clone()).and_then(WatchProcess::serve) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            log(&why);
            ExitCode::FAILURE
        }
    }
}

/// Writes a line to stderr, which the supervisor logs.
fn log(line: &str) {
    // There is no other place to report a failure.
    let _ = io::stderr().lock().write_all(format!("{line}\n").as_bytes());
}

/// Says what is wrong, unless it was said already.
fn log_change(known: &mut Option<String>, now: Option<String>) {
    if let Some(line) = now.as_ref().filter(|_| *known != now) {
        log(line);
    }
    *known = now;
}

/// The process.
struct WatchProcess {
    choice: ConfigChoice,
    loaded: LoadedConfig,
    supervisor: SupervisorClient,
    machine: Watch,
    feed: EventFeed,
    pipe: EventPipe,
    /// The pool's number of the last event, to see what was dropped.
    pool_serial: Option<u64>,
    store: WatchStore,
    pacing: CommitPacing,
    history: HistoryLog,
    outbox: WaitingMessages,
    checks: ProgramChecks,
    /// None where there is no supervisor to ask.
    actions: Option<Actions>,
    /// What is done after the next commit.
    pending: Vec<(Namespec, Action)>,
    /// Of a journal that the supervisor writes.
    journal: Option<JournalWatch>,
    journal_folder: PathBuf,
    /// What the steps since the last commit have made.
    alerts: Vec<Alert>,
    records: Vec<HistoryLine>,
    /// The last event is used but not stored: it is answered after the next commit.
    answer_after_commit: bool,
    /// When the supervisor is to be asked for its processes, and how often that has failed.
    reconcile: Option<Duration>,
    failures: u32,
    /// The configuration may have changed.
    reload_due: bool,
    /// Why the state is not stored.
    trouble: Option<String>,
    /// Why the journal cannot be read, and the history not be written: said once.
    journal_trouble: Option<String>,
    history_trouble: Option<String>,
    signals: SignalFlags,
    origin: String,
    sender: Sender,
    clock: WatchClocks,
    code_pages: CodePageTrimmer,
}

/// The clocks of this process, in the zone of `[watch]`.
struct WatchClocks {
    start: Instant,
    local: LocalClock,
}

impl WatchClocks {
    fn now(&self) -> Moment {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Moment { mono: self.start.elapsed(), wall, civil: self.local.civil_minute(wall) }
    }
}

impl WatchProcess {
    fn start(choice: ConfigChoice) -> Result<Self, String> {
        let loaded = choice.load()?;
        loaded.faults.iter().for_each(|line| log(line));
        let folder = loaded.supervisor_folder();
        let options =
            StoreOptions { supervisor: folder.clone(), state_dir: own_state_folder(), program: own_binary() };
        let (store, RecoveredState { state, faults }) =
            WatchStore::open::<SnapshotPart>(options).map_err(|error| error.to_string())?;
        faults.iter().for_each(|fault| log(&fault.to_string()));
        let local = LocalClock::of_zone(loaded.alerting.watch.timezone.as_deref());
        let clock = WatchClocks { start: Instant::now(), local };
        let now = clock.now();
        let position = |state: &SavedState<SnapshotPart>| FeedPosition {
            cursor: state.cursor,
            boot: state.boot.clone(),
        };
        let position = state.as_ref().map(position);
        let journal = folder.join("journal");
        let is_ours = is_written_by_parent(&journal);
        let run = SupervisorRun { boot: parent_run(), identifier: loaded.identifier.clone() };
        let max_bytes = loaded.alerting.watch.journal_maxbytes;
        let (feed, fault) =
            EventFeed::open(&journal, run, is_ours, max_bytes, position.as_ref(), now.wall_millis());
        if let Some(fault) = fault {
            log(&format!("{fault}; events are used without a journal"));
        }
        let alerting = loaded.alerting.clone();
        let machine = match state {
            Some(state) => Watch::from_snapshot(WatchSnapshot { parts: state.parts }, alerting, &now),
            None => Watch::new(alerting, &now),
        };
        let client = || {
            loaded.client().unwrap_or_else(|error| {
                log(&error.to_string());
                None
            })
        };
        let supervisor = client();
        let actions = client().and_then(|client| {
            let opened = Actions::open(client, folder.join("watch/restart"), log);
            opened.map_err(|error| log(&format!("cannot carry out actions: {error}"))).ok()
        });
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let origin = format!("watch {name}");
        Ok(Self {
            outbox: WaitingMessages::new(store.outbox(), origin.clone()),
            journal: is_ours.then(|| JournalWatch::new(&journal)).flatten(),
            journal_folder: journal,
            signals: SignalFlags::install().map_err(|error| format!("cannot receive signals: {error}"))?,
            sender: Sender { host: host_name(), supervisor: loaded.identifier.clone() },
            checks: ProgramChecks::new(own_binary(), &loaded.alerting, log),
            actions,
            pending: Vec::new(),
            history: HistoryLog::new(&folder, loaded.alerting.watch.history),
            choice,
            loaded,
            supervisor: SupervisorClient::new(supervisor),
            machine,
            feed,
            pipe: EventPipe::default(),
            pool_serial: None,
            store,
            pacing: CommitPacing::default(),
            alerts: Vec::new(),
            records: Vec::new(),
            answer_after_commit: false,
            reconcile: Some(Duration::ZERO),
            failures: 0,
            reload_due: false,
            trouble: None,
            journal_trouble: None,
            history_trouble: None,
            origin,
            clock,
            code_pages: CodePageTrimmer::default(),
        })
    }

    fn serve(mut self) -> Result<(), String> {
        let broken = |error: io::Error| format!("cannot talk to the supervisor: {error}");
        write_all(READY).map_err(broken)?;
        let end = loop {
            let has_tried = self.work();
            if self.answer_after_commit && has_tried {
                self.answer_after_commit = false;
                answer().map_err(broken)?;
            }
            if self.signals.must_end() {
                break Ok(());
            }
            let has_input = self.wait().map_err(broken)?;
            if has_input && !self.read_input()? {
                break Ok(());
            }
        };
        self.feed.end(self.clock.now().wall_millis());
        self.fold_journal();
        if self.pacing.due().is_some() {
            self.commit();
        }
        self.store.close();
        end
    }

    /// Does what is due. Returns whether it has tried to store the state: what is not on the disk then is in memory, and in
    /// that of the deliverer, and no event may wait for the disk.
    fn work(&mut self) -> bool {
        self.fold_journal();
        if self.signals.take_reload() || std::mem::take(&mut self.reload_due) {
            self.reload();
        }
        self.reconcile_if_due();
        let readings = self.checks.work(self.clock.now().mono);
        readings.into_iter().for_each(|reading| self.step(reading));
        let outcomes = self.actions.as_ref().map(Actions::outcomes).unwrap_or_default();
        outcomes.into_iter().for_each(|outcome| self.step(outcome));
        if let Some(backlogs) = self.outbox.changed(self.store.outbox()) {
            self.step(Input::Outbox(backlogs));
        }
        let now = self.clock.now().mono;
        if self.machine.next_deadline().is_some_and(|due| due <= now) {
            self.step(Input::Wake);
        }
        let is_due = self.pacing.due().is_some_and(|due| due <= self.clock.now().mono);
        if is_due {
            self.commit();
        }
        self.store.keep_delivering();
        is_due
    }

    /// Sleeps until there is something to do. Returns whether standard input has something.
    fn wait(&mut self) -> io::Result<bool> {
        let now = self.clock.now().mono;
        let looks = self.outbox.needs_looks().then_some(now + LOOK_EVERY);
        let deadlines = [
            self.machine.next_deadline(),
            self.pacing.due(),
            self.reconcile,
            looks,
            self.checks.next_deadline(),
        ];
        let left = deadlines.into_iter().flatten().min().map(|due| due.saturating_sub(now));
        let trim = if left.is_none_or(|left| left > Duration::from_secs(1)) {
            self.code_pages.before_wait()
        } else {
            None
        };
        let timeout = [left, trim].into_iter().flatten().min();
        // A deadline must be over when the wait is.
        let timeout = timeout.map(|time| time + Duration::from_millis(1));
        let timeout = timeout.and_then(|time| Timespec::try_from(time).ok());
        let stdin = io::stdin();
        let mut sources = vec![(stdin.as_fd(), PollFlags::IN), (self.signals.fd(), PollFlags::IN)];
        let outbox = self.outbox.fd().map(|fd| {
            sources.push((fd, PollFlags::IN));
            sources.len() - 1
        });
        sources.extend(self.journal.as_ref().map(|journal| (journal.fd(), PollFlags::IN)));
        sources.extend(self.actions.as_ref().map(|actions| (actions.descriptor(), PollFlags::IN)));
        sources.extend(self.checks.descriptors());
        let mut fds: Vec<PollFd<'_>> =
            sources.iter().map(|(fd, flags)| PollFd::from_borrowed_fd(*fd, *flags)).collect();
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let is_ready = |at: usize| !fds[at].revents().is_empty();
        let (has_input, has_outbox) = (is_ready(0), outbox.is_some_and(is_ready));
        self.signals.drain();
        if has_outbox {
            self.outbox.note_change();
        }
        if let Some(journal) = &mut self.journal {
            journal.drain();
        }
        Ok(has_input)
    }

    /// Reads standard input; `Ok(false)` at its end.
    fn read_input(&mut self) -> Result<bool, String> {
        let mut buffer = vec![0; READ_SIZE];
        let read = match rustix::io::read(io::stdin(), &mut buffer) {
            Ok(read) => read,
            Err(rustix::io::Errno::INTR) => return Ok(true),
            Err(error) => return Err(format!("cannot read standard input: {error}")),
        };
        if read == 0 {
            return Ok(false);
        }
        self.pipe.feed(&buffer[..read]);
        while let Some(event) = self.pipe.next_event().map_err(|error| error.to_string())? {
            self.receive(&event)?;
        }
        Ok(true)
    }

    /// Takes an event, and answers it if it is safe.
    fn receive(&mut self, event: &PipedEvent) -> Result<(), String> {
        let header = &event.envelope;
        let expected = self.pool_serial.map(|last| last + 1);
        if let (Some(expected), Some(serial)) = (expected, header.pool_serial)
            && serial != expected
            && serial + 1 != expected
        {
            self.request_reconcile();
        }
        self.pool_serial = header.pool_serial.or(self.pool_serial);
        let kind = EventKind::from_name(&header.event_name);
        self.reload_due |=
            matches!(kind, Some(EventKind::ProcessGroupAdded | EventKind::ProcessGroupRemoved));
        self.note_beat(event, kind);
        self.adopt_journal();
        self.fold_journal();
        let mut is_safe = true;
        if let (Some(entry), Some(serial)) = (entry_of(event, self.loaded.config.as_ref()), header.serial) {
            let at = self.clock.now().wall_millis();
            match self.feed.accept(serial, entry, at) {
                Ok(Accepted::Stored | Accepted::Known) => {}
                Ok(Accepted::Loose(record)) => {
                    self.use_record(*record);
                    is_safe = false;
                }
                Err(error) => log(&error.to_string()),
            }
        }
        if !is_safe {
            self.pacing.note_message(self.clock.now().mono);
            self.answer_after_commit = true;
            return Ok(());
        }
        answer().map_err(|error| format!("cannot talk to the supervisor: {error}"))
    }

    /// Reads the journal of a supervisor that could not write it before.
    fn adopt_journal(&mut self) {
        if self.feed.is_without_journal() && is_written_by_parent(&self.journal_folder) {
            self.feed.adopt();
            self.journal = JournalWatch::new(&self.journal_folder);
        }
    }

    /// Tells the checks that a program has shown that it is alive.
    fn note_beat(&mut self, event: &PipedEvent, kind: Option<EventKind>) {
        if !self.checks.needs_beats() {
            return;
        }
        if let Some(Ok(Event::Communication(_, output))) = kind.map(|kind| wire::decode(kind, &event.body)) {
            self.checks.beat(&output.process, self.clock.now().wall_millis());
        }
    }

    /// Uses the records that have come.
    fn fold_journal(&mut self) {
        loop {
            let piece = match self.feed.read() {
                Ok(piece) => piece,
                Err(error) => {
                    let why = format!("cannot read the journal: {error}");
                    log_change(&mut self.journal_trouble, Some(why));
                    return;
                }
            };
            self.journal_trouble = None;
            if piece.missing > 0 {
                log(&format!("{} record(s) of the journal are missing", piece.missing));
                self.request_reconcile();
            }
            if piece.records.is_empty() {
                return;
            }
            piece.records.into_iter().for_each(|record| self.use_record(record));
        }
    }

    fn use_record(&mut self, mut record: JournalRecord) {
        match &mut record.entry {
            JournalEntry::Start { .. } => self.request_reconcile(),
            JournalEntry::Event(event) => self.supervisor.add_end(event),
            JournalEntry::Stop { .. } | JournalEntry::Pool { .. } => {}
        }
        match input_of(&record) {
            Ok(Some(input)) => self.step(input),
            // Up to where it has been read is part of the state.
            Ok(None) => self.pacing.note_change(self.clock.now().mono),
            Err(why) => log(&why),
        }
    }

    fn step(&mut self, input: Input) {
        let now = self.clock.now();
        self.checks.observe(&input);
        let is_quiet = matches!(input, Input::Wake | Input::Outbox(_));
        let effects = self.machine.step(input, &now);
        if !is_quiet || !effects.is_empty() {
            self.pacing.note_change(now.mono);
        }
        self.carry_out(effects, &now);
    }

    fn carry_out(&mut self, effects: Vec<Effect>, now: &Moment) {
        for effect in effects {
            match effect {
                Effect::Notify(notice) => {
                    let receivers = &self.loaded.alerting.receivers;
                    let Some(receiver) = receivers.iter().find(|one| one.name == notice.receiver) else {
                        continue;
                    };
                    let settings = &self.loaded.alerting.watch;
                    let at = now.wall_seconds();
                    for (mut to, card) in messages_of(&notice, receiver, settings, &self.sender, at) {
                        if let Err(error) = to.transport.embed_environment() {
                            log(&error.to_string());
                        }
                        self.alerts.push(Alert {
                            id: self.store.message_id(notice.number, now.wall),
                            origin: self.origin.clone(),
                            host: self.sender.host.clone(),
                            created: at,
                            receiver: to,
                            subject: None,
                            entries: vec![AlertEntry::Card(Box::new(card))],
                        });
                    }
                    self.pacing.note_message(now.mono);
                }
                Effect::Act { program, action } => {
                    self.pending.push((program, action));
                    self.pacing.note_message(now.mono);
                }
                Effect::Decided(decision) => self.records.push(HistoryLine::Decided(Box::new(decision))),
                Effect::Closed(closed) => self.records.push(HistoryLine::Closed(Box::new(closed))),
            }
        }
    }

    fn commit(&mut self) {
        if let Err(error) = self.feed.sync() {
            log(&format!("cannot sync the journal: {error}"));
        }
        let FeedPosition { cursor, boot } = self.feed.position();
        let state = SavedState { cursor, boot, parts: self.machine.to_snapshot().parts };
        let alerts = std::mem::take(&mut self.alerts);
        let outcome = self.store.commit(&state, &alerts);
        let now = self.clock.now().mono;
        let trouble = outcome.err().map(|error| error.to_string());
        match &trouble {
            None => self.pacing.note_success(now),
            Some(_) => self.pacing.note_failure(now),
        }
        if !alerts.is_empty() {
            self.outbox.note_change();
        }
        let records = std::mem::take(&mut self.records);
        if !records.is_empty() {
            let outcome = self.history.append(&records, SystemTime::now());
            log_change(&mut self.history_trouble, outcome.err().map(|error| error.to_string()));
        }
        for (program, action) in std::mem::take(&mut self.pending) {
            match &self.actions {
                Some(actions) => actions.start(program, action),
                None => {
                    let why = "there is no supervisord to ask: its configuration has no server";
                    self.step(Input::Acted { program, outcome: Err(why.to_owned()) });
                }
            }
        }
        if trouble != self.trouble {
            if let Some(why) = &trouble {
                log(&format!("cannot store the state: {why}"));
            }
            self.trouble.clone_from(&trouble);
            self.step(Input::OwnTrouble(trouble));
        }
    }

    const fn request_reconcile(&mut self) {
        if self.reconcile.is_none() {
            self.reconcile = Some(Duration::ZERO);
        }
    }

    fn reconcile_if_due(&mut self) {
        let now = self.clock.now().mono;
        if self.reconcile.is_none_or(|due| due > now) {
            return;
        }
        self.reconcile = None;
        if !self.supervisor.is_known() {
            return;
        }
        match self.supervisor.processes() {
            Ok(processes) => {
                self.failures = 0;
                let mut reports = Vec::with_capacity(processes.len());
                for ListedProcess { report, logs } in processes {
                    if self.checks.needs_logs() {
                        self.checks.set_logs(&report.program, logs);
                    }
                    reports.push(report);
                }
                // What has happened until now is in the journal.
                self.fold_journal();
                self.step(Input::Reconciled(reports));
            }
            Err(error) => {
                if self.failures == 0 {
                    log(&format!("cannot ask the supervisor for its processes: {error}; trying again"));
                }
                let pause = FIRST_PAUSE.saturating_mul(1 << self.failures.min(6)).min(MAX_PAUSE);
                self.failures += 1;
                self.reconcile = Some(self.clock.now().mono + pause);
            }
        }
    }

    /// Reads the configuration again. One that cannot be read changes nothing.
    fn reload(&mut self) {
        let loaded = match self.choice.load() {
            Ok(loaded) => loaded,
            Err(why) => return log(&format!("{why}; going on with the configuration as it was")),
        };
        if loaded.faults != self.loaded.faults {
            loaded.faults.iter().for_each(|line| log(line));
        }
        if loaded.alerting != self.loaded.alerting {
            let now = self.clock.now();
            let effects = self.machine.reload(loaded.alerting.clone(), &now);
            self.pacing.note_change(now.mono);
            self.carry_out(effects, &now);
            self.checks.configure(&loaded.alerting);
            self.clock.local = LocalClock::of_zone(loaded.alerting.watch.timezone.as_deref());
        }
        self.loaded = loaded;
    }
}

/// Answers an event, and asks for the next.
fn answer() -> io::Result<()> {
    write_all(&[ListenerResult::Ok.bytes(), READY].concat())
}

/// Std's stdout gives each line to the kernel by itself, and a RESULT is a line and a half.
fn write_all(mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(io::stdout(), bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// This binary, also if it was replaced on disk since.
fn own_binary() -> PathBuf {
    let own = PathBuf::from("/proc/self/exe");
    if own.exists() { own } else { std::env::current_exe().unwrap_or(own) }
}
