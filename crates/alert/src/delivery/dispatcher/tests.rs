//! The worker on a real outbox, with shell commands for mailers.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::*;
use crate::alert::{Alert, AlertEntry};
use crate::channel::{DeliveryChannel, DeliveryProgress, OutgoingAlert, Receipt, RecipientRefusal, Retry};
use crate::delivery::worker::{DAY, OpenChannel};
use crate::outbox::delivery_log::{DeliveryOutcome, DeliveryRecord};
use crate::outbox::record::{FailedAttempt, StoredAlert};
use crate::outbox::store::Store;
use crate::outbox::{Outbox, OutboxFolder, unix_time};
use crate::receiver::{Format, Transport};
use crate::render::card::Detail;

fn put(outbox: &Outbox, command: &str, subject: &str) -> String {
    let alert = Alert { subject: Some(subject.into()), ..Alert::sample(command, "text") };
    outbox.put(&alert, None).unwrap();
    alert.id
}

/// Runs the worker until it ends by itself.
fn run(outbox: &Outbox, lifetime: i64, first: Option<Input>) {
    let (tell, inbox) = channel();
    if let Some(first) = first {
        tell.send(first.into()).unwrap();
    }
    let worker = DeliveryWorker { lifetime, ..DeliveryWorker::new(Arc::new(outbox.clone())) };
    worker.run(&inbox, &tell);
}

fn mails(dir: &Path) -> usize {
    fs::read_to_string(dir.join("mails")).unwrap_or_default().matches("Subject: ").count()
}

fn setup() -> (tempfile::TempDir, Outbox, String) {
    let dir = tempfile::tempdir().unwrap();
    let outbox = Outbox::open(dir.path()).unwrap();
    let command = format!("cat >> {}/mails", dir.path().display());
    (dir, outbox, command)
}

#[test]
fn everything_that_waits_is_sent_once() {
    let (dir, outbox, command) = setup();
    for number in 0..20 {
        put(&outbox, &command, &number.to_string());
    }
    run(&outbox, DAY, None);
    assert_eq!(mails(dir.path()), 20);
    assert!(outbox.is_empty());
}

#[test]
fn a_mailer_that_comes_back_gets_everything_once() {
    let (dir, outbox, command) = setup();
    let flag = dir.path().join("tried");
    let command = format!("if [ ! -e {0} ]; then touch {0}; exit 75; fi; {command}", flag.display());
    for number in 0..3 {
        put(&outbox, &command, &number.to_string());
    }
    run(&outbox, DAY, None);
    assert_eq!(mails(dir.path()), 3);
}

#[test]
fn a_deliverer_that_drains_leaves_what_is_not_due() {
    let (dir, outbox, command) = setup();
    put(&outbox, "exit 75", "never");
    put(&outbox, &command, "works");
    run(&outbox, DAY, Some(Input::Drain));
    assert_eq!(mails(dir.path()), 1);
    let ids = outbox.ids(OutboxFolder::New).unwrap();
    assert_eq!(ids.len(), 1);
    let stored = outbox.load(OutboxFolder::New, &ids[0]).unwrap();
    assert_eq!(stored.attempts[0].reason, "the mailer ended with status 75 (exit …)");
}

#[test]
fn an_alert_that_is_too_old_is_given_up_with_its_last_reason() {
    let (_dir, outbox, _) = setup();
    let id = put(&outbox, "exit 75", "old");
    run(&outbox, -1, None);
    let stored = outbox.load(OutboxFolder::Dead, &id).unwrap();
    assert_eq!(stored.attempts[0].reason, "too old; last: the mailer ended with status 75 (exit …)");
}

#[test]
fn a_damaged_file_goes_to_the_dead_and_the_rest_is_sent() {
    let (dir, outbox, command) = setup();
    fs::write(outbox.new_dir().join("0"), "garbage\n").unwrap();
    put(&outbox, &command, "whole");
    run(&outbox, DAY, None);
    assert_eq!(mails(dir.path()), 1);
    assert_eq!(outbox.ids(OutboxFolder::Dead).unwrap(), ["0"]);
}

#[test]
fn alerts_in_memory_are_sent_as_well() {
    let (dir, outbox, command) = setup();
    let id = put(&outbox, &command, "in memory");
    let stored = outbox.load(OutboxFolder::New, &id).unwrap();
    let store = Arc::new(crate::delivery::store::MemoryStore::new(None));
    store.add(stored);
    let (tell, inbox) = channel();
    DeliveryWorker::new(Arc::<crate::delivery::store::MemoryStore>::clone(&store)).run(&inbox, &tell);
    assert_eq!((mails(dir.path()), store.ids().len()), (1, 0));
}

struct Fussy;

impl DeliveryChannel for Fussy {
    /// Takes the mail for `a`, refuses `b` for ever and `c` for now, and takes whatever is left alone.
    fn send(
        &mut self,
        outgoing: &OutgoingAlert<'_>,
        _: &mut dyn DeliveryProgress,
    ) -> Result<Receipt, DeliveryError> {
        let refusal = |to: &str, retry| RecipientRefusal { recipient: to.into(), reason: "no".into(), retry };
        if outgoing.alert.receiver.to.len() == 1 {
            return Ok(Receipt::default());
        }
        Ok(Receipt {
            refused: vec![refusal("b", Retry::Never), refusal("c", Retry::Later)],
            answer: "250 OK".into(),
        })
    }
}

#[test]
fn each_recipient_has_a_fate_of_its_own() {
    let (_dir, outbox, _) = setup();
    let id = put(&outbox, "fussy", "to three");
    let mut stored = outbox.load(OutboxFolder::New, &id).unwrap();
    stored.alert.receiver.to = ["a", "b", "c"].map(str::to_owned).to_vec();
    outbox.replace(&stored).unwrap();
    let (tell, inbox) = channel();
    tell.send(Input::Drain.into()).unwrap();
    let worker =
        DeliveryWorker { open: |_| Box::new(Fussy), ..DeliveryWorker::new(Arc::new(outbox.clone())) };
    worker.run(&inbox, &tell);
    let left = outbox.load(OutboxFolder::New, &id).unwrap().alert.receiver.to;
    let dead = outbox.load(OutboxFolder::Dead, &format!("{id}.refused")).unwrap().alert.receiver.to;
    assert_eq!((left, dead), (vec!["c".to_owned()], vec!["b".to_owned()]));
    worker.run(&inbox, &tell);
    assert!(outbox.is_empty());
    let log = outbox.delivery_log().read::<DeliveryRecord>().unwrap().records;
    let log: Vec<_> = log.into_iter().map(|record| (record.to, record.outcome)).collect();
    let to = |name: &str| format!("{name} by command fussy");
    let taken = |answer: &str| DeliveryOutcome::Taken(answer.to_owned());
    let given_up = DeliveryOutcome::GivenUp("no".to_owned());
    assert_eq!(log, [(to("a"), taken("250 OK")), (to("b"), given_up), (to("c"), taken(""))]);
}

fn read_only() -> OutboxError {
    OutboxError::Foreign { path: "outbox".into(), reason: "read-only".into() }
}

/// Keeps what it should let go, as a folder that became read-only does.
struct Stuck(Outbox);

impl Store for Stuck {
    fn ids(&self) -> Vec<String> {
        self.0.ids(OutboxFolder::New).unwrap()
    }
    fn load(&self, id: &str) -> Result<Option<StoredAlert>, OutboxError> {
        Store::load(&self.0, id)
    }
    fn is_waiting(&self, id: &str) -> bool {
        self.0.is_waiting(id)
    }
    fn location_hint(&self, _: &str) -> String {
        String::new()
    }
    fn remove_delivered(&self, _: &str) -> Result<(), OutboxError> {
        Err(read_only())
    }
    fn dead_letter(&self, _: &str, _: &FailedAttempt) -> Result<(), OutboxError> {
        Err(read_only())
    }
    fn dead_letter_part(&self, _: &Alert, _: &FailedAttempt) -> Result<(), OutboxError> {
        Ok(())
    }
    fn set_recipients(&self, _: &StoredAlert) -> Result<(), OutboxError> {
        Ok(())
    }
    fn record_attempt(&self, _: &str, _: &FailedAttempt) {}
}

#[test]
fn what_was_sent_and_cannot_be_removed_is_not_sent_again() {
    let (dir, outbox, command) = setup();
    put(&outbox, &command, "once");
    let (tell, inbox) = channel();
    let leave = tell.clone();
    let mails_file = dir.path().join("mails");
    let leaver = thread::spawn(move || {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !mails_file.exists() && Instant::now() < deadline {
            thread::park_timeout(Duration::from_millis(5));
        }
        // Whoever sends without end has sent many by the time that these have come.
        for _ in 0..20 {
            leave.send(Input::RetryAll.into()).unwrap();
            thread::park_timeout(Duration::from_millis(10));
        }
        leave.send(Input::Drain.into()).unwrap();
    });
    DeliveryWorker::new(Arc::new(Stuck(outbox))).run(&inbox, &tell);
    leaver.join().unwrap();
    assert_eq!(mails(dir.path()), 1);
}

struct Broken;

impl DeliveryChannel for Broken {
    fn send(
        &mut self,
        _: &OutgoingAlert<'_>,
        _: &mut dyn DeliveryProgress,
    ) -> Result<Receipt, DeliveryError> {
        panic!("a fault of ours");
    }
}

#[test]
fn a_channel_that_panics_is_a_channel_that_fails() {
    let (_dir, outbox, _) = setup();
    put(&outbox, "broken", "x");
    let (tell, inbox) = channel();
    tell.send(Input::Drain.into()).unwrap();
    DeliveryWorker { open: |_| Box::new(Broken), ..DeliveryWorker::new(Arc::new(outbox.clone())) }
        .run(&inbox, &tell);
    assert_eq!(outbox.ids(OutboxFolder::New).unwrap().len(), 1);
}

/// Cannot read once, when the alert is about to be sent, as a process that is out of descriptors.
struct Hiccup(Outbox, std::sync::atomic::AtomicUsize);

impl Store for Hiccup {
    fn ids(&self) -> Vec<String> {
        self.0.ids(OutboxFolder::New).unwrap()
    }
    fn load(&self, id: &str) -> Result<Option<StoredAlert>, OutboxError> {
        if self.1.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 1 {
            let source = std::io::Error::other("out of descriptors");
            let error = OutboxError::Io { action: "open", path: id.into(), source };
            return Err(error);
        }
        Store::load(&self.0, id)
    }
    fn is_waiting(&self, id: &str) -> bool {
        self.0.is_waiting(id)
    }
    fn location_hint(&self, _: &str) -> String {
        String::new()
    }
    fn remove_delivered(&self, id: &str) -> Result<(), OutboxError> {
        Store::remove_delivered(&self.0, id)
    }
    fn dead_letter(&self, id: &str, attempt: &FailedAttempt) -> Result<(), OutboxError> {
        Store::dead_letter(&self.0, id, attempt)
    }
    fn dead_letter_part(&self, _: &Alert, _: &FailedAttempt) -> Result<(), OutboxError> {
        Ok(())
    }
    fn set_recipients(&self, _: &StoredAlert) -> Result<(), OutboxError> {
        Ok(())
    }
    fn record_attempt(&self, _: &str, _: &FailedAttempt) {}
}

#[test]
fn an_alert_that_cannot_be_read_for_once_is_sent_later() {
    let (dir, outbox, command) = setup();
    put(&outbox, &command, "later");
    let (tell, inbox) = channel();
    DeliveryWorker::new(Arc::new(Hiccup(outbox.clone(), 0.into()))).run(&inbox, &tell);
    assert_eq!(mails(dir.path()), 1);
    assert!(outbox.is_empty() && outbox.ids(OutboxFolder::Dead).unwrap().is_empty());
}

/// A channel that takes a moment to disconnect, as a mail server does.
struct Polite(std::path::PathBuf);

impl DeliveryChannel for Polite {
    fn send(
        &mut self,
        _: &OutgoingAlert<'_>,
        _: &mut dyn DeliveryProgress,
    ) -> Result<Receipt, DeliveryError> {
        Ok(Receipt::default())
    }
}

impl Drop for Polite {
    fn drop(&mut self) {
        thread::park_timeout(Duration::from_millis(50));
        fs::write(&self.0, "bye").unwrap();
    }
}

#[test]
fn a_channel_has_disconnected_before_the_deliverer_ends() {
    let (dir, outbox, _) = setup();
    let bye = dir.path().join("bye");
    put(&outbox, bye.to_str().unwrap(), "subject");
    let (tell, inbox) = channel();
    let open: OpenChannel = |transport| {
        let Transport::Sendmail { command } = transport else { panic!("another transport") };
        Box::new(Polite(command.into()))
    };
    DeliveryWorker { open, ..DeliveryWorker::new(Arc::new(outbox.clone())) }.run(&inbox, &tell);
    assert!(bye.exists() && outbox.is_empty());
}

/// A connection to a server that puts off all that comes over it; the next connection is to a better one.
struct Sick {
    file: std::path::PathBuf,
    is_first: bool,
    tries: usize,
}

impl DeliveryChannel for Sick {
    fn send(
        &mut self,
        _: &OutgoingAlert<'_>,
        _: &mut dyn DeliveryProgress,
    ) -> Result<Receipt, DeliveryError> {
        self.tries += 1;
        match (self.is_first, self.tries) {
            (true, 1) => Err(DeliveryError::deferred("later")),
            (true, _) => {
                fs::write(&self.file, "kept").unwrap();
                Ok(Receipt::default())
            }
            (false, _) => Ok(Receipt::default()),
        }
    }
}

#[test]
fn a_connection_without_a_mail_is_not_kept_for_the_next_try() {
    let (dir, outbox, _) = setup();
    let file = dir.path().join("connections");
    put(&outbox, file.to_str().unwrap(), "subject");
    let (tell, inbox) = channel();
    let open: OpenChannel = |transport| {
        let Transport::Sendmail { command } = transport else { panic!("another transport") };
        let is_first = !fs::exists(command).unwrap();
        fs::write(command, "opened").unwrap();
        Box::new(Sick { file: command.into(), is_first, tries: 0 })
    };
    let idle = Duration::from_millis(50);
    DeliveryWorker { open, idle, ..DeliveryWorker::new(Arc::new(outbox.clone())) }.run(&inbox, &tell);
    assert!(outbox.is_empty());
    assert_eq!(fs::read_to_string(&file).unwrap(), "opened");
}

/// An alert that has failed before, at that date and after that time of trying (seconds).
fn tried(outbox: &Outbox, command: &str, at: i64, tried: u64) -> String {
    let id = put(outbox, command, "tried");
    outbox.record_attempt(&id, &FailedAttempt { at, reason: "down".into(), tried, detail: Detail::Rich });
    id
}

#[test]
fn a_clock_that_was_set_forward_or_back_buries_nothing_and_keeps_nothing_for_ever() {
    let now = unix_time();
    let day = DAY.unsigned_abs();
    for (at, seconds, is_dead) in [
        // The first try was a second ago; since then the clock was set by four days.
        (now - 4 * DAY, 1, false),
        (now - 4 * DAY, 4 * day, true),
        (now - DAY, 4 * day, false),
        // Set back by a year in between.
        (now + 365 * DAY, 4 * day, false),
        (now + 365 * DAY, 7 * day, true),
    ] {
        let (_dir, outbox, _) = setup();
        let id = tried(&outbox, "exit 75", at, seconds);
        run(&outbox, 3 * DAY, Some(Input::Drain));
        assert_eq!(outbox.load(OutboxFolder::Dead, &id).is_ok(), is_dead, "{at} {seconds}");
    }
}

#[test]
fn a_damaged_alert_is_sent_with_what_is_left_of_it() {
    let (dir, outbox, command) = setup();
    let id = put(&outbox, &command, "damaged");
    let path = outbox.new_dir().join(&id);
    let more = crate::outbox::record::entry_line(&AlertEntry::text("more".into()), Format::Mail, None, None);
    fs::write(&path, fs::read_to_string(&path).unwrap() + &more.replace("more", "MORE")).unwrap();
    run(&outbox, DAY, None);
    assert_eq!(mails(dir.path()), 1);
    assert_eq!(outbox.ids(OutboxFolder::Dead).unwrap(), [format!("{id}.damaged")]);
}

#[test]
fn an_alert_whose_file_says_that_it_was_sent_is_only_removed() {
    let (dir, outbox, command) = setup();
    let id = put(&outbox, &command, "sent");
    outbox.mark_sent(&id).unwrap();
    run(&outbox, DAY, None);
    assert_eq!(mails(dir.path()), 0);
    assert!(outbox.is_empty());
}
