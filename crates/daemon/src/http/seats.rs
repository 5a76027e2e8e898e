//! The connections of one server: a bounded number, the longest idle making room for the new.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use ironlance_core::level::Level;
use tokio::sync::Notify;

use super::Journal;
use super::limits::Limits;
use super::pulse::{Leave, Phase, Pulse};

/// All connections of a server.
pub(super) struct Seats {
    limits: Limits,
    taken: RefCell<BTreeMap<u64, Rc<Pulse>>>,
    next: Cell<u64>,
    freed: Notify,
    journal: Rc<dyn Journal>,
}

/// The place of one connection; given back when dropped.
pub(super) struct Seat {
    number: u64,
    seats: Rc<Seats>,
    pub(super) pulse: Rc<Pulse>,
}

impl Seats {
    pub(super) fn new(limits: Limits, journal: Rc<dyn Journal>) -> Self {
        Self { limits, taken: RefCell::default(), next: Cell::default(), freed: Notify::new(), journal }
    }

    /// A seat for a new connection; nothing where all are taken by clients that are being answered.
    pub(super) fn take(self: &Rc<Self>) -> Option<Seat> {
        if self.taken.borrow().len() >= self.limits.connections && !self.make_room() {
            return None;
        }
        let number = self.next.replace(self.next.get() + 1);
        let pulse = Rc::new(Pulse::new(self.limits));
        self.taken.borrow_mut().insert(number, Rc::clone(&pulse));
        Some(Seat { number, seats: Rc::clone(self), pulse })
    }

    /// Asks the connection to leave that has been idle longest, or else the one that has been silent longest before
    /// its first request. Its seat counts as free from now on.
    pub(super) fn make_room(&self) -> bool {
        let mut taken = self.taken.borrow_mut();
        let rank = |phase| match phase {
            Phase::Idle => Some(0),
            Phase::Fresh | Phase::Head => Some(1),
            Phase::Body | Phase::Busy | Phase::Tail => None,
        };
        let candidates =
            taken.iter().filter_map(|(&number, pulse)| Some((rank(pulse.phase())?, pulse.since(), number)));
        let Some((_, _, number)) = candidates.min() else { return false };
        if let Some(pulse) = taken.remove(&number) {
            pulse.ask_to_leave(Leave::Now);
        }
        true
    }

    /// Asks everybody to leave: who is being answered when that is done, the others at once. Ends when all have left,
    /// or after the time for it.
    pub(super) async fn empty(&self) {
        for pulse in self.taken.borrow().values() {
            let busy = matches!(pulse.phase(), Phase::Busy | Phase::Body);
            pulse.ask_to_leave(if busy { Leave::WhenAnswered } else { Leave::Now });
        }
        let all_gone = async {
            while !self.taken.borrow().is_empty() {
                self.freed.notified().await;
            }
        };
        if tokio::time::timeout(self.limits.farewell, all_gone).await.is_err() {
            self.taken.borrow().values().for_each(|pulse| pulse.ask_to_leave(Leave::Now));
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.taken.borrow_mut().remove(&self.number);
        self.seats.freed.notify_one();
        if std::thread::panicking() {
            let line = "a client was cut off: answering it failed (a defect of ironlance, please report it)";
            self.seats.journal.log(Level::Error, line);
        }
    }
}
