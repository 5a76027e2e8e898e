//! One look for all pages that are open: at whatever happens, and every two seconds at the gauges; none where nobody
//! watches.

use std::cell::RefCell;
use std::future::ready;
use std::rc::{Rc, Weak};
use std::time::Duration;

use ironlance_core::event::kind::EventKind;
use tokio::sync::{mpsc, watch};
use tokio::task::{spawn_blocking, spawn_local};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::gauge::{Gauge, Readings};
use super::owner;
use super::snapshot::Snapshot;
use crate::http::outboxes::OutboxReader;
use crate::inbox::Input;
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
/// What makes a page look different.
const KINDS: [EventKind; 4] = [
    EventKind::ProcessState,
    EventKind::ProcessGroup,
    EventKind::SupervisorStateChange,
    EventKind::RemoteCommunication,
];

type Board = watch::Sender<Option<Rc<Snapshot>>>;
pub(super) type Reader = watch::Receiver<Option<Rc<Snapshot>>>;

/// Where watchers meet. There is nothing behind it as long as nobody watches.
pub(super) struct Hub {
    owner: mpsc::Sender<Input>,
    outbox_reader: OutboxReader,
    board: RefCell<Weak<Board>>,
}

impl Hub {
    pub(super) fn new(owner: mpsc::Sender<Input>, outbox_reader: OutboxReader) -> Self {
        Self { owner, outbox_reader, board: RefCell::default() }
    }

    /// One more watcher; nothing where there are too many.
    pub(super) fn join(&self) -> Option<Reader> {
        if let Some(board) = self.board.borrow().upgrade() {
            return (board.receiver_count() < WATCHERS).then(|| board.subscribe());
        }
        let (board, reader) = watch::channel(None);
        let board = Rc::new(board);
        *self.board.borrow_mut() = Rc::downgrade(&board);
        spawn_local(look(self.owner.clone(), self.outbox_reader.clone(), board));
        Some(reader)
    }

    /// The newest readings, where somebody watches.
    pub(super) fn readings(&self) -> Option<Readings> {
        let board = self.board.borrow().upgrade()?;
        board.borrow().as_ref().map(|snapshot| snapshot.readings.clone())
    }
}

/// Looks for all watchers, until there is none.
async fn look(owner: mpsc::Sender<Input>, outbox_reader: OutboxReader, board: Rc<Board>) {
    let mut happenings = owner::watch(&owner, &KINDS).await;
    let mut breath = BREATH;
    let (mut gauge, mut readings, mut looks) = (Some(Gauge::default()), Readings::new(), 0);
    let mut outboxes: Vec<Rc<OutboxView>> = Vec::new();
    let mut pace = interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let happened = tokio::select! {
            biased;
            _ = pace.tick() => false,
            () = something(&mut happenings) => true,
        };
        if board.receiver_count() == 0 {
            return;
        }
        if happened {
            sleep(breath).await;
        } else if happenings.is_none() {
            happenings = owner::watch(&owner, &KINDS).await;
        }
        // One that could not keep up is asked for anew with the next look at the gauges.
        if !drain(&mut happenings).await {
            happenings = None;
        }
        let began = Instant::now();
        let Some(mut view) = owner::view(&owner).await else { return };
        if !happened {
            outboxes = match view.listeners.as_slice() {
                [] => Vec::new(),
                _ => {
                    outbox_reader.look(LOOK_TIME).await.unwrap_or_default().into_iter().map(Rc::new).collect()
                }
            };
            let roots: Vec<u32> = view.programs.iter().filter_map(|program| program.pid).collect();
            let mut measuring = gauge.take().unwrap_or_default();
            let measured = spawn_blocking(move || {
                let readings = measuring.look(&roots);
                (measuring, readings)
            });
            if let Ok((back, new)) = measured.await {
                (gauge, readings, looks) = (Some(back), new, looks + 1);
            }
        }
        view.add_outboxes(&outboxes);
        board.send_replace(Some(Rc::new(Snapshot::new(view, readings.clone(), looks))));
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
