//! The listener's side of the outbox: [`Submitter`] puts alerts there and keeps a deliverer running. It never waits for a mail.

mod launcher;
mod memory_handover;
mod outbox_delivery;

use std::path::PathBuf;

use crate::alert::{Alert, AlertEntry};
use crate::log;
use crate::notification::Notification;
use crate::outbox::batch::Batch;
use crate::outbox::record::StoredAlert;
use crate::outbox::{Outbox, OutboxError, OutboxFolder, TransportOverride, new_id, unix_time};
use crate::receiver::Receiver;
pub use outbox_delivery::OutboxDelivery;

/// The entries of a batch that have details.
const DETAILED_ENTRIES: usize = 50;

/// What a [`Submitter`] needs to know: its state folder, its origin and its receiver.
#[derive(Clone, Debug)]
pub struct SubmitterOptions {
    /// The state folder, which holds the outbox.
    pub state_dir: PathBuf,
    /// Which listener this is, the same after a restart: see [`Alert::origin`].
    pub origin: String,
    /// This host.
    pub host: String,
    /// See [`Receiver`].
    pub receiver: Receiver,
    /// The program that delivers; `deliver` and its arguments are added.
    pub program: PathBuf,
}

/// Takes notifications from a listener. Nothing in here fails: errors are logged, and the alert is delivered from memory.
#[derive(Debug)]
pub struct Submitter {
    options: SubmitterOptions,
    delivery: OutboxDelivery,
    batch: Option<Batch>,
    /// Something was stored since the last [`Submitter::ack`].
    has_stored: bool,
}

impl Submitter {
    /// Opens the outbox, finishes what an earlier process was killed in, and starts delivering what waits.
    pub fn open(mut options: SubmitterOptions) -> Self {
        if let Err(error) = options.receiver.transport.embed_environment() {
            log(&error.to_string());
        }
        let delivery = OutboxDelivery::new(&options.state_dir, options.program.clone());
        let mut submitter = Self { delivery, batch: None, has_stored: true, options };
        if submitter.is_open() {
            submitter.override_transport();
            submitter.delivery.deliver_waiting();
        }
        submitter
    }

    fn outbox(&self) -> &Outbox {
        self.delivery.outbox()
    }

    /// Whether the outbox can be used; opens it, if it could not be used before.
    fn is_open(&mut self) -> bool {
        let opened = self.delivery.open();
        if let Err(error) = &opened {
            self.log_outbox_error(error);
        }
        opened.is_ok()
    }

    fn log_outbox_error(&self, error: &OutboxError) {
        let outbox = self.outbox().dir().display();
        log(&format!("cannot use the outbox {outbox}: {error}; delivering from memory"));
    }

    /// Sets our transport for alerts of ours that wait with another, and for those of an earlier override.
    fn override_transport(&self) {
        let outbox = self.outbox();
        let SubmitterOptions { origin, receiver, .. } = &self.options;
        let left = outbox.transport_override(origin, receiver);
        if left.as_ref() == Some(&TransportOverride::of(receiver)) {
            return;
        }
        let has_other = |place, id: &String| {
            outbox.load(place, id).is_ok_and(|StoredAlert { alert, .. }| {
                let theirs = &alert.receiver;
                let is_ours = alert.origin == *origin && theirs.name == receiver.name;
                is_ours && theirs.transport != receiver.transport
            })
        };
        let waits = |place| outbox.ids(place).unwrap_or_default().iter().any(|id| has_other(place, id));
        if (left.is_some() || waits(OutboxFolder::New) || waits(OutboxFolder::Dead))
            && let Err(error) = outbox.set_transport_override(origin, receiver)
        {
            log(&error.to_string());
        }
    }

    /// Whether an earlier process of this listener has stored the alert of this event and was killed before it
    /// answered.
    pub fn is_duplicate(&self, event: &str) -> bool {
        let of_batch = self.batch.as_ref().and_then(Batch::unacked);
        of_batch == Some(event) || (self.delivery.is_open() && self.outbox().is_unacked(event))
    }

    /// Starts the deliverer early, while a notification is still being made.
    pub fn prewarm(&self) {
        self.delivery.prewarm();
    }

    /// Takes a notification; it is safe when this returns. `event` is what it was made of, for
    /// [`Submitter::is_duplicate`].
    pub fn submit(&mut self, event: Option<&str>, subject: String, notification: Notification) {
        self.has_stored = true;
        let alert = self.alert(Some(subject), vec![notification.into()]);
        self.store(&alert, event);
    }

    fn store(&mut self, alert: &Alert, event: Option<&str>) {
        if !self.is_open() {
            return self.delivery.deliver_from_memory(alert);
        }
        match self.delivery.make_room(alert.size()).and_then(|()| self.outbox().put(alert, event)) {
            Ok(()) => self.delivery.deliver(),
            Err(error) => {
                self.log_outbox_error(&error);
                self.delivery.deliver_from_memory(alert);
            }
        }
    }

    fn alert(&self, subject: Option<String>, entries: Vec<AlertEntry>) -> Alert {
        Alert {
            id: new_id(),
            origin: self.options.origin.clone(),
            host: self.options.host.clone(),
            created: unix_time(),
            receiver: self.options.receiver.clone(),
            subject,
            entries,
        }
    }

    /// Begins a batch, with what an earlier process has collected and not sent.
    pub fn open_batch(&mut self, subject: Option<String>) {
        let empty = self.alert(subject, Vec::new());
        let mut batch = Batch::in_memory(self.outbox(), empty.clone());
        if self.is_open() {
            match Batch::open(self.outbox(), empty) {
                Ok(opened) => batch = opened,
                Err(error) => self.log_outbox_error(&error),
            }
        }
        self.batch = Some(batch);
        // A batch that was too large for one mail is among the alerts by now.
        self.delivery.deliver_waiting();
    }

    /// Whether a further entry of the batch is to have details.
    pub fn wants_details(&self) -> bool {
        self.batch.as_ref().is_none_or(|batch| batch.entries().len() < DETAILED_ENTRIES)
    }

    /// Adds to the batch; it is safe when this returns.
    pub fn add_to_batch(&mut self, event: &str, notification: Notification) {
        self.has_stored = true;
        let entry = AlertEntry::from(notification);
        // All its events have been answered, so the event at hand is in one mail only.
        if self.batch.as_ref().is_some_and(Batch::is_large) {
            log("the batch is large: it is sent before its time");
            self.send_batch();
        }
        let size = entry.size(self.options.receiver.format);
        let room = if self.is_open() { self.delivery.make_room(size) } else { Ok(()) };
        let Some(batch) = &mut self.batch else { return };
        let added = match room {
            Ok(()) => batch.add(self.delivery.outbox(), entry, event),
            Err(error) => {
                batch.add_in_memory(entry);
                Err(error)
            }
        };
        if let Err(error) = added {
            log(&format!("{error}; keeping the batch in memory"));
        }
    }

    /// Sends what has been collected; gives its lines, without details, unless there are none.
    pub fn send_batch(&mut self) -> Option<String> {
        let batch = self.batch.as_mut().filter(|batch| !batch.entries().is_empty())?;
        let format = self.options.receiver.format;
        let lines: Vec<_> = batch.entries().iter().map(|entry| entry.render(format)).collect();
        let lines = lines.join("\n");
        match batch.send(self.delivery.outbox()) {
            None => self.delivery.deliver(),
            Some(alert) => {
                self.store(&alert, None);
                self.batch.iter().for_each(Batch::discard);
            }
        }
        Some(lines)
    }

    /// Notes that the supervisor has the answer to the last event.
    pub fn ack(&mut self) {
        if !std::mem::take(&mut self.has_stored) {
            return;
        }
        if let Some(batch) = &mut self.batch {
            batch.ack();
        } else if self.delivery.is_open() {
            self.outbox().ack(&self.options.origin);
        }
    }

    /// Before the listener ends: gives what was stored a moment to be delivered. The deliverer goes on with the rest.
    pub fn close(&self) {
        self.delivery.close();
    }

    /// At most once a minute, starts a deliverer if alerts wait, and removes dead letters that are too old.
    pub fn kick_stale(&mut self) {
        self.delivery.kick_stale();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notification::Cause;
    use crate::outbox::record;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;
    use std::thread;
    use std::time::{Duration, Instant};

    /// A stand-in for the deliverer: takes alerts out of the outbox and writes down how many.
    fn deliverer(dir: &Path, script: &str) -> PathBuf {
        let program = dir.join("deliverer");
        fs::write(&program, format!("#!/bin/sh\ncd {}\n{script}\n", dir.display())).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        program
    }

    fn submitter(state_dir: &Path, program: PathBuf) -> Submitter {
        Submitter::open(SubmitterOptions {
            state_dir: state_dir.to_owned(),
            origin: "test".into(),
            host: "web1".into(),
            receiver: Alert::sample("true", "").receiver,
            program,
        })
    }

    fn submit(submitter: &mut Submitter, event: Option<&str>) {
        let cause = Cause::Test { command: "test".into(), host: "web1".into() };
        let notification = Notification { cause, time: String::new(), details: Vec::new() };
        submitter.submit(event, "subject".into(), notification);
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
        let mut submitter = submitter(dir.path(), deliverer(dir.path(), TAKE));
        for _ in 0..50 {
            submit(&mut submitter, None);
        }
        let taken = || fs::read_dir(dir.path().join("taken")).unwrap().count();
        until("all are taken", || taken() == 50);
    }

    #[test]
    fn a_deliverer_that_breaks_down_is_started_again() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("taken")).unwrap();
        let script = format!("[ -e once ] || {{ touch once; kill -9 $$; }}; {TAKE}");
        let mut submitter = submitter(dir.path(), deliverer(dir.path(), &script));
        submit(&mut submitter, None);
        until("it is taken", || fs::read_dir(dir.path().join("taken")).unwrap().count() == 1);
    }

    #[test]
    fn without_an_outbox_the_alert_goes_to_a_deliverer_by_memory() {
        let dir = tempfile::tempdir().unwrap();
        let script = "[ \"$2\" = --memory ] && { read length; head -c $length >got.part; mv got.part got; \
            sed -n 's/.*\"id\":\"\\([^\"]*\\)\".*/done \\1/p' got | head -n 1; cat; }";
        fs::write(dir.path().join("outbox"), "in the way").unwrap();
        let mut submitter = submitter(dir.path(), deliverer(dir.path(), script));
        submit(&mut submitter, Some("event"));
        let got = || fs::read(dir.path().join("got")).unwrap_or_default();
        until("it is handed over", || record::read(&got()).is_ok());
        submitter.close();
    }

    #[test]
    fn an_event_is_seen_by_the_successor_until_it_was_answered() {
        let dir = tempfile::tempdir().unwrap();
        let program = deliverer(dir.path(), "exec sleep 0");
        let mut first = submitter(dir.path(), program.clone());
        submit(&mut first, Some("event 1"));
        let mut second = submitter(dir.path(), program.clone());
        assert!(second.is_duplicate("event 1") && !second.is_duplicate("event 2"));
        second.ack();
        assert!(!second.is_duplicate("event 1"));
        assert!(!submitter(dir.path(), program).is_duplicate("event 1"));
    }
}
