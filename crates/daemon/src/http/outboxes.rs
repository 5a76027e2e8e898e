//! Reads the outboxes of event listeners: [`OutboxReader`]. The owner says where they are; a thread reads the disk.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use ironlance_core::Namespec;
use ironlance_rpc::api::OutboxStatus;
use ironlance_rpc::{Record, Value};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;

use super::owner::OwnerClient;
use crate::view::outboxes::OutboxView;

/// How long an XML-RPC client waits for the disk.
pub(super) const RPC_WAIT: Duration = Duration::from_secs(2);

/// Reads outboxes, one pass at a time: a disk that hangs blocks one thread.
#[derive(Clone)]
pub(super) struct OutboxReader {
    owner: OwnerClient,
    turn: Arc<Semaphore>,
}

impl OutboxReader {
    pub(super) fn new(owner: OwnerClient) -> Self {
        Self { owner, turn: Arc::new(Semaphore::new(1)) }
    }

    /// All state folders of listeners and what waits there; a folder that cannot be read in this time is reported so.
    /// `None` if the owner is stopping.
    pub(super) async fn read(&self, patience: Duration) -> Option<Vec<OutboxView>> {
        let folders = self.owner.state_folders().await?;
        if folders.is_empty() {
            return Some(Vec::new());
        }
        let asked = folders.clone();
        let read = async {
            let turn = Arc::clone(&self.turn).acquire_owned().await.ok()?;
            let (reply, answer) = oneshot::channel();
            // Not a thread of the runtime: shutting it down would wait for a disk that hangs.
            let started = thread::Builder::new().name("outboxes".into()).spawn(move || {
                let _turn = turn;
                let seen: Vec<OutboxView> = asked.into_iter().filter_map(|folder| folder.read()).collect();
                // The caller may have been dropped.
                let _ = reply.send(seen);
            });
            started.ok()?;
            answer.await.ok()
        };
        let seen = timeout(patience, read).await.ok().flatten();
        Some(seen.unwrap_or_else(|| folders.into_iter().map(|folder| folder.timed_out()).collect()))
    }
}

/// The result of `ironlance.getAlerts`.
pub(super) fn to_value(outboxes: Vec<OutboxView>) -> Value {
    Value::Array(outboxes.into_iter().map(outbox_value).collect())
}

fn outbox_value(view: OutboxView) -> Value {
    let OutboxView { folder, alerts } = view;
    let seconds = |time: Duration| NonZeroU64::new(time.as_secs());
    let (last_error, last_error_at) =
        alerts.last_error.map_or((String::new(), None), |error| (error.reason, seconds(error.at)));
    let outbox = OutboxStatus {
        folder: folder.path.display().to_string(),
        user: folder.user,
        listeners: folder.listeners.iter().map(Namespec::qualified).collect(),
        trouble: folder.trouble.unwrap_or_default(),
        waiting: alerts.waiting as u64,
        oldest: alerts.oldest.and_then(seconds),
        dead: alerts.dead as u64,
        last_error,
        last_error_at,
    };
    outbox.to_value()
}
