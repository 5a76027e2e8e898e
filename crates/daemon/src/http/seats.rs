//! The connections of one server: a bounded number, those that can be spared making room for the new.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use ironlance_core::log_level::Level;
use tokio::sync::Notify;

use super::Journal;
use super::eviction;
use super::limits::Limits;
use super::phase::Phase;
use super::pulse::{Leave, Pulse};

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

    /// Asks the connection to leave that can best be spared. Its seat counts as free from now on.
    pub(super) fn make_room(&self) -> bool {
        let mut taken = self.taken.borrow_mut();
        let all: Vec<_> = taken.iter().map(|(&number, pulse)| (number, pulse.standing())).collect();
        let Some(number) = eviction::choose(&all, &self.limits) else { return false };
        if let Some(pulse) = taken.remove(&number) {
            pulse.ask_to_leave(Leave::Now);
        }
        true
    }

    /// Asks everybody to leave: who is being answered, and takes the answer, when that is done, the others at once.
    /// Ends when all have left, or after the time for it.
    pub(super) async fn empty(&self) {
        for pulse in self.taken.borrow().values() {
            let busy = matches!(pulse.phase(), Phase::Busy | Phase::Body | Phase::Live) && !pulse.is_stuck();
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

#[cfg(test)]
mod tests {
    use super::*;

    struct Silence;

    impl Journal for Silence {
        fn enabled(&self, _: Level) -> bool {
            false
        }

        fn log(&self, _: Level, _: &str) {}
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_connection_takes_the_seat_of_one_that_can_be_spared() {
        let limits = Limits { connections: 2, ..Limits::default() };
        let seats = Rc::new(Seats::new(limits, Rc::new(Silence)));
        let [busy, body] = [(); 2].map(|()| seats.take().unwrap());
        [&busy, &body].into_iter().for_each(|seat| seat.pulse.is_known());
        busy.pulse.enter(Phase::Busy);
        body.pulse.enter(Phase::Body);
        assert!(seats.take().is_none(), "a body has a moment to come");
        tokio::time::advance(limits.client_patience * 2).await;
        let _late = seats.take().unwrap();
        assert_eq!(body.pulse.asked_to_leave().await, Leave::Now);
    }

    #[tokio::test(start_paused = true)]
    async fn at_the_end_who_takes_nothing_is_not_waited_for() {
        let limits = Limits::default();
        let seats = Rc::new(Seats::new(limits, Rc::new(Silence)));
        let [reader, sleeper, slow] = [(); 3].map(|()| seats.take().unwrap());
        for seat in [&reader, &sleeper, &slow] {
            seat.pulse.enter(Phase::Live);
            seat.pulse.sticks();
        }
        tokio::time::advance(limits.farewell).await;
        reader.pulse.flows();
        slow.pulse.flows();
        slow.pulse.sticks();
        let leaves = async {
            assert_eq!(sleeper.pulse.asked_to_leave().await, Leave::Now);
            assert_eq!(reader.pulse.asked_to_leave().await, Leave::WhenAnswered);
            assert_eq!(slow.pulse.asked_to_leave().await, Leave::WhenAnswered);
            drop([reader, sleeper, slow]);
        };
        tokio::join!(seats.empty(), leaves);
    }
}
