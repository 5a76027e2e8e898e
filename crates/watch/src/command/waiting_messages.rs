//! What of ours waits in the outbox: [`WaitingMessages`], read when inotify reports a change, as the machines want to know it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use inotify::{Inotify, WatchMask};
use ironlance_alert::outbox::{Outbox, OutboxFolder};

use crate::machine::{ReceiverBacklog, WaitingMessage};

/// Messages in the outbox that this `watch` has made.
#[derive(Debug)]
pub(crate) struct WaitingMessages {
    origin: String,
    /// None where the kernel gives no watch: then it is read at every wake-up while something waits.
    inotify: Option<Inotify>,
    /// Those that waited when it was read last, with their receivers.
    waiting: BTreeMap<String, String>,
    has_changed: bool,
}

impl WaitingMessages {
    /// Watches the outbox; `origin` is that of its alerts.
    pub(crate) fn new(outbox: &Outbox, origin: String) -> Self {
        let watch = || -> io::Result<Inotify> {
            let inotify = Inotify::init()?;
            let changes = WatchMask::DELETE
                | WatchMask::MOVED_FROM
                | WatchMask::MOVED_TO
                | WatchMask::CLOSE_WRITE
                | WatchMask::DONT_FOLLOW
                | WatchMask::ONLYDIR;
            inotify.watches().add(outbox.new_dir(), changes)?;
            Ok(inotify)
        };
        Self { origin, inotify: watch().ok(), waiting: BTreeMap::new(), has_changed: true }
    }

    /// To be polled for reading.
    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.inotify.as_ref().map(Inotify::as_fd)
    }

    /// Notes what inotify reports, or that messages were stored.
    pub(crate) fn note_change(&mut self) {
        if let Some(inotify) = &mut self.inotify {
            let mut buffer = [0; 4096];
            while inotify.read_events(&mut buffer).is_ok_and(|mut events| events.next().is_some()) {}
        }
        self.has_changed = true;
    }

    /// Whether it must be looked at now and then, as changes are not reported.
    pub(crate) fn needs_looks(&self) -> bool {
        self.inotify.is_none() && !self.waiting.is_empty()
    }

    /// The outbox as it stands, if it may have changed.
    pub(crate) fn changed(&mut self, outbox: &Outbox) -> Option<Vec<ReceiverBacklog>> {
        if !std::mem::take(&mut self.has_changed) && !self.needs_looks() {
            return None;
        }
        let ids = outbox.ids(OutboxFolder::New).unwrap_or_default();
        let mut backlogs: BTreeMap<String, ReceiverBacklog> = BTreeMap::new();
        let backlog = |receiver: &str| ReceiverBacklog {
            receiver: receiver.to_owned(),
            waiting: Vec::new(),
            rejected: None,
        };
        let mut waiting = BTreeMap::new();
        for id in ids {
            let Ok(stored) = outbox.load(OutboxFolder::New, &id) else { continue };
            if stored.alert.origin != self.origin || stored.sent {
                continue;
            }
            let receiver = stored.alert.receiver.name.clone();
            let message = WaitingMessage {
                message: number_of(&id).unwrap_or(0),
                attempts: u32::try_from(stored.attempts.len()).unwrap_or(u32::MAX),
                last_error: stored.attempts.last().map(|attempt| attempt.reason.clone()),
            };
            backlogs.entry(receiver.clone()).or_insert_with(|| backlog(&receiver)).waiting.push(message);
            waiting.insert(id, receiver);
        }
        let gone: BTreeSet<&String> = self.waiting.keys().filter(|id| !waiting.contains_key(*id)).collect();
        for id in gone {
            // What was delivered is in no folder any more.
            let Ok(stored) = outbox.load(OutboxFolder::Dead, id) else { continue };
            let receiver = &self.waiting[id];
            let reason = stored.attempts.last().map(|attempt| attempt.reason.clone());
            let entry = backlogs.entry(receiver.clone()).or_insert_with(|| backlog(receiver));
            entry.rejected = Some(reason.unwrap_or_default());
        }
        self.waiting = waiting;
        Some(backlogs.into_values().collect())
    }
}

/// The number of a message by its id in the outbox: `TIME.NUMBER.RANDOM`.
fn number_of(id: &str) -> Option<u64> {
    id.split('.').nth(1)?.parse().ok()
}
