//! One look for all pages that are open: at whatever happens, and every two seconds at the gauges; none where nobody
//! watches.

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

/// The gauges are looked at so often.
const PACE: Duration = Duration::from_secs(2);
/// What happens in so short a time is shown together.
const BREATH: Duration = Duration::from_millis(60);
/// And where a look takes long, what happens in this many times as long: watching must not be what the daemon does.
const REST: u32 = 10;
/// A look at the outboxes of listeners may take so long.
const LOOK_TIME: Duration = Duration::from_millis(300);
/// So many pages of one server may be live at a time; each is a connection for as long as it is looked at.
const WATCHERS: usize = 128;

type SnapshotSender = watch::Sender<Option<Rc<Snapshot>>>;
pub(super) type SnapshotReceiver = watch::Receiver<Option<Rc<Snapshot>>>;

/// Where watchers meet. There is nothing behind it as long as nobody watches.
pub(super) struct Broadcaster {
    owner: OwnerClient,
    outbox_reader: OutboxReader,
    snapshots: RefCell<Weak<SnapshotSender>>,
}

impl Broadcaster {
    pub(super) fn new(owner: OwnerClient, outbox_reader: OutboxReader) -> Self {
        Self { owner, outbox_reader, snapshots: RefCell::default() }
    }

    /// One more watcher; nothing where there are too many.
    pub(super) fn join(&self) -> Option<SnapshotReceiver> {
        if let Some(snapshots) = self.snapshots.borrow().upgrade() {
            return (snapshots.receiver_count() < WATCHERS).then(|| snapshots.subscribe());
        }
        let (snapshots, reader) = watch::channel(None);
        let snapshots = Rc::new(snapshots);
        *self.snapshots.borrow_mut() = Rc::downgrade(&snapshots);
        spawn_local(look(self.owner.clone(), self.outbox_reader.clone(), snapshots));
        Some(reader)
    }

    /// The newest usage, where somebody watches.
    pub(super) fn usage(&self) -> Option<UsageByPid> {
        let snapshots = self.snapshots.borrow().upgrade()?;
        snapshots.borrow().as_ref().map(|snapshot| snapshot.usage.clone())
    }
}

/// Looks for all watchers, until there is none.
async fn look(owner: OwnerClient, outbox_reader: OutboxReader, snapshots: Rc<SnapshotSender>) {
    let mut happenings = owner.subscribe(EventKind::NOTABLE.to_vec()).await;
    let mut breath = BREATH;
    let (mut sampler, mut usage, mut samples) = (Some(UsageSampler::default()), UsageByPid::new(), 0);
    let mut outboxes: Vec<Rc<OutboxView>> = Vec::new();
    let mut pace = interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let happened = tokio::select! {
            biased;
            _ = pace.tick() => false,
            () = something(&mut happenings) => true,
        };
        if snapshots.receiver_count() == 0 {
            return;
        }
        if happened {
            sleep(breath).await;
        } else if happenings.is_none() {
            happenings = owner.subscribe(EventKind::NOTABLE.to_vec()).await;
        }
        // One that could not keep up is asked for anew with the next look at the gauges.
        if !drain(&mut happenings).await {
            happenings = None;
        }
        let began = Instant::now();
        let Some(mut view) = owner.view().await else { return };
        if !happened {
            outboxes = match view.listeners.as_slice() {
                [] => Vec::new(),
                _ => {
                    outbox_reader.look(LOOK_TIME).await.unwrap_or_default().into_iter().map(Rc::new).collect()
                }
            };
            let roots: Vec<u32> = view.programs.iter().filter_map(|program| program.pid).collect();
            let mut measuring = sampler.take().unwrap_or_default();
            let measured = spawn_blocking(move || {
                let usage = measuring.look(&roots);
                (measuring, usage)
            });
            if let Ok((back, new)) = measured.await {
                (sampler, usage, samples) = (Some(back), new, samples + 1);
            }
        }
        view.add_outboxes(&outboxes);
        snapshots.send_replace(Some(Rc::new(Snapshot::new(view, usage.clone(), samples))));
        if happened {
            breath = (began.elapsed() * REST).clamp(BREATH, PACE);
        }
    }
}

/// Waits for anything to happen. A stream that has ended is put away, and then nothing does.
async fn something(happenings: &mut Option<EventStream>) {
    if let Some(stream) = happenings {
        if stream.recv().await.is_some() {
            return;
        }
        *happenings = None;
    }
    std::future::pending::<()>().await;
}

/// Takes what waits in the stream; says whether the stream goes on.
async fn drain(happenings: &mut Option<EventStream>) -> bool {
    let Some(stream) = happenings else { return false };
    loop {
        tokio::select! {
            biased;
            one = stream.recv() => if one.is_none() { return false },
            () = ready(()) => return true,
        }
    }
}
