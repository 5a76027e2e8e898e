//! [`AlertContext`]: gathers the details of an alert and submits it to the outbox. Used by all commands.

use std::path::PathBuf;
use std::{env, fs};

use ironlance_alert::notification::ProcessDetails;
use ironlance_alert::{Notification, Receiver, Submitter, SubmitterOptions};
use ironlance_checks::memory::start_ticks;
use ironlance_core::Namespec;
use ironlance_rpc::Client;

use crate::details::{self, DetailsContext};
use crate::environment::ListenerEnv;
use crate::protocol::ReceivedEvent;

/// What a command needs for its alerts.
pub(super) struct AlertContext {
    /// Asked for details; `None` when no supervisord can be asked.
    pub(super) supervisor: Option<Client>,
    /// `None` without a receiver.
    pub(super) submitter: Option<Submitter>,
    host: String,
    wants_details: bool,
    /// Identifies the running supervisord; its event serials start from 0 in each one.
    supervisord_id: String,
}

impl AlertContext {
    /// Opens the submitter for `command`. Without a receiver no alert is sent.
    pub(super) fn open(
        command: &str,
        environment: &ListenerEnv,
        supervisor: Option<Client>,
        receiver: Option<Receiver>,
        wants_details: bool,
    ) -> Self {
        let submitter = receiver.map(|receiver| {
            Submitter::open(SubmitterOptions {
                state_dir: environment.state_dir.clone(),
                origin: environment.origin(command),
                host: environment.host.clone(),
                receiver,
                program: own_binary(),
            })
        });
        Self {
            supervisor,
            submitter,
            host: environment.host.clone(),
            wants_details,
            supervisord_id: supervisord_id(),
        }
    }

    /// Whether the alert of this event is stored already.
    pub(super) fn is_submitted(&self, received: &ReceivedEvent) -> bool {
        self.submitter.as_ref().is_some_and(|submitter| submitter.is_duplicate(&self.event_key(received)))
    }

    /// A key that identifies the event, and is the same when supervisord sends it again.
    pub(super) fn event_key(&self, received: &ReceivedEvent) -> String {
        format!("{} {}", self.supervisord_id, received.key())
    }

    /// The details about a process, unless `--brief` was given.
    pub(super) fn gather_details(
        &self,
        received: &ReceivedEvent,
        namespec: &Namespec,
        pid: Option<u32>,
    ) -> Option<ProcessDetails> {
        let context = DetailsContext { host: &self.host, supervisor: &received.envelope.server };
        let pid = pid.map(|pid| pid.to_string());
        (self.wants_details && self.submitter.is_some())
            .then(|| details::gather(self.supervisor.as_ref(), &context, namespec, pid.as_deref()))
    }

    /// Submits a notification. `event` is its key, if the same event would make the same mail.
    pub(super) fn submit(&mut self, event: Option<&str>, subject: String, notification: Notification) {
        if let Some(submitter) = &mut self.submitter {
            submitter.submit(event, subject, notification);
        }
    }
}

/// The pid and start time of the supervisord that started this process, and the boot that they belong to.
fn supervisord_id() -> String {
    let parent = rustix::process::getppid().map_or(0, |pid| pid.as_raw_nonzero().get().unsigned_abs());
    let start = start_ticks(parent).unwrap_or_default();
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    format!("{parent} {start} {}", boot.trim())
}

/// This binary, also if it was replaced on disk since.
fn own_binary() -> PathBuf {
    let own = PathBuf::from("/proc/self/exe");
    if own.exists() { own } else { env::current_exe().unwrap_or(own) }
}
