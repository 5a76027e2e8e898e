//! Makes one snapshot for all open pages: [`Broadcaster`], when something happens, and every two seconds with new CPU
//! and memory figures. Nothing runs while no page is open.

use std::cell::RefCell;
use std::future::ready;
use std::rc::{Rc, Weak};
use std::time::Duration;

use ironlance_core::event::kind::EventKind;
use tokio::sync::watch;
use tokio::task::{spawn_blocking, spawn_local};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::snapshot::Snapshot;
use super::usage_sampler::{UsageByPid, UsageSampler};
use crate::http::outboxes::OutboxReader;
use crate::http::owner::OwnerClient;
use crate::view::outboxes::OutboxView;
use crate::view::stream::EventStream;

/// Sampling interval of CPU and memory.
const SAMPLE_INTERVAL: Duration = Duration::from_secs(2);
/// Events within this time make one snapshot.
const COALESCE_TIME: Duration = Duration::from_millis(60);
/// If making a snapshot takes long, events within this many times its duration make one, to limit the load.
const LOAD_FACTOR: u32 = 10;
/// Time limit for reading the outboxes of listeners.
const OUTBOX_TIME: Duration = Duration::from_millis(300);
/// How many pages of one server may be live at a time. Each is a connection.
const MAX_RECEIVERS: usize = 128;

type SnapshotSender = watch::Sender<Option<Rc<Snapshot>>>;
pub(super) type SnapshotReceiver = watch::Receiver<Option<Rc<Snapshot>>>;

/// Hands out receivers of snapshots. The task that makes them runs only while there is a receiver.
pub(super) struct Broadcaster {
    owner: OwnerClient,
    outbox_reader: OutboxReader,
    snapshots: RefCell<Weak<SnapshotSender>>,
}

impl Broadcaster {
    pub(super) fn new(owner: OwnerClient, outbox_reader: OutboxReader) -> Self {
        Self { owner, outbox_reader, snapshots: RefCell::default() }
    }

    /// One more receiver; `None` if there are too many.
    pub(super) fn subscribe(&self) -> Option<SnapshotReceiver> {
        if let Some(snapshots) = self.snapshots.borrow().upgrade() {
            return (snapshots.receiver_count() < MAX_RECEIVERS).then(|| snapshots.subscribe());
        }
        let (snapshots, reader) = watch::channel(None);
        let snapshots = Rc::new(snapshots);
        *self.snapshots.borrow_mut() = Rc::downgrade(&snapshots);
        spawn_local(make_snapshots(self.owner.clone(), self.outbox_reader.clone(), snapshots));
        Some(reader)
    }

    /// The latest usage, if any page is live.
    pub(super) fn usage(&self) -> Option<UsageByPid> {
        let snapshots = self.snapshots.borrow().upgrade()?;
        snapshots.borrow().as_ref().map(|snapshot| snapshot.usage.clone())
    }
}

/// Makes snapshots until there is no receiver.
async fn make_snapshots(owner: OwnerClient, outbox_reader: OutboxReader, snapshots: Rc<SnapshotSender>) {
    let mut events = owner.subscribe(EventKind::NOTABLE.to_vec()).await;
    let mut coalesce_time = COALESCE_TIME;
    let (mut sampler, mut usage, mut samples) = (Some(UsageSampler::default()), UsageByPid::new(), 0);
    let mut outboxes: Vec<Rc<OutboxView>> = Vec::new();
    let mut sample_interval = interval(SAMPLE_INTERVAL);
    sample_interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let happened = tokio::select! {
            biased;
            _ = sample_interval.tick() => false,
            () = next_event(&mut events) => true,
        };
        if snapshots.receiver_count() == 0 {
            return;
        }
        if happened {
            sleep(coalesce_time).await;
        } else if events.is_none() {
            events = owner.subscribe(EventKind::NOTABLE.to_vec()).await;
        }
        // A subscription that was too slow is renewed at the next sampling.
        if !drain(&mut events).await {
            events = None;
        }
        let began = Instant::now();
        let Some(mut view) = owner.view().await else { return };
        if !happened {
            outboxes = match view.listeners.as_slice() {
                [] => Vec::new(),
                _ => outbox_reader
                    .read(OUTBOX_TIME)
                    .await
                    .unwrap_or_default()
                    .into_iter()
                    .map(Rc::new)
                    .collect(),
            };
            let roots: Vec<u32> = view.programs.iter().filter_map(|program| program.pid).collect();
            let mut sampling = sampler.take().unwrap_or_default();
            let sampled = spawn_blocking(move || {
                let usage = sampling.sample(&roots);
                (sampling, usage)
            });
            if let Ok((back, new)) = sampled.await {
                (sampler, usage, samples) = (Some(back), new, samples + 1);
            }
        }
        view.add_outboxes(&outboxes);
        snapshots.send_replace(Some(Rc::new(Snapshot::new(view, usage.clone(), samples))));
        if happened {
            coalesce_time = (began.elapsed() * LOAD_FACTOR).clamp(COALESCE_TIME, SAMPLE_INTERVAL);
        }
    }
}

/// Waits for the next event. After the end of the stream it waits for ever.
async fn next_event(events: &mut Option<EventStream>) {
    if let Some(stream) = events {
        if stream.recv().await.is_some() {
            return;
        }
        *events = None;
    }
    std::future::pending::<()>().await;
}

/// Discards the queued events; false at the end of the stream.
async fn drain(events: &mut Option<EventStream>) -> bool {
    let Some(stream) = events else { return false };
    loop {
        tokio::select! {
            biased;
            one = stream.recv() => if one.is_none() { return false },
            () = ready(()) => return true,
        }
    }
}
