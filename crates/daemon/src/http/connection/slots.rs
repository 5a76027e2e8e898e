//! The connections of one server: [`ConnectionSlots`] bounds their number and closes one to make room for a new one.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use ironlance_core::log_level::Level;
use tokio::sync::Notify;

use super::eviction;
use super::state::{CloseMode, ConnectionState, Phase};
use crate::http::DaemonLog;
use crate::http::limits::HttpLimits;

/// All connections of a server, at most `connections` of them.
pub(in crate::http) struct ConnectionSlots {
    limits: HttpLimits,
    connections: RefCell<BTreeMap<u64, Rc<ConnectionState>>>,
    next_id: Cell<u64>,
    freed: Notify,
    daemon_log: Rc<dyn DaemonLog>,
}

/// One connection's slot; freed when dropped.
pub(in crate::http) struct ConnectionSlot {
    id: u64,
    slots: Rc<ConnectionSlots>,
    pub(in crate::http) state: Rc<ConnectionState>,
}

impl ConnectionSlots {
    pub(in crate::http) fn new(limits: HttpLimits, daemon_log: Rc<dyn DaemonLog>) -> Self {
        Self {
            limits,
            connections: RefCell::default(),
            next_id: Cell::default(),
            freed: Notify::new(),
            daemon_log,
        }
    }

    /// A slot for a new connection; `None` if all are taken by clients that are being answered.
    pub(in crate::http) fn acquire(self: &Rc<Self>) -> Option<ConnectionSlot> {
        if self.connections.borrow().len() >= self.limits.connections && !self.evict_one() {
            return None;
        }
        let number = self.next_id.replace(self.next_id.get() + 1);
        let state = Rc::new(ConnectionState::new(self.limits));
        self.connections.borrow_mut().insert(number, Rc::clone(&state));
        Some(ConnectionSlot { id: number, slots: Rc::clone(self), state })
    }

    /// Closes the connection that can best be spared. Its slot counts as free at once.
    pub(in crate::http) fn evict_one(&self) -> bool {
        let mut taken = self.connections.borrow_mut();
        let all: Vec<_> = taken.iter().map(|(&number, state)| (number, state.status())).collect();
        let Some(number) = eviction::choose(&all, &self.limits) else { return false };
        if let Some(state) = taken.remove(&number) {
            state.request_close(CloseMode::Now);
        }
        true
    }

    /// Closes all connections: those with a response in progress after it, unless the client has stopped reading, the
    /// others at once. Returns when all are closed, or after `close_time`.
    pub(in crate::http) async fn close_all(&self) {
        for state in self.connections.borrow().values() {
            let busy = matches!(state.phase(), Phase::Responding | Phase::Body | Phase::EventStream)
                && !state.is_stalled();
            state.request_close(if busy { CloseMode::AfterResponse } else { CloseMode::Now });
        }
        let all_gone = async {
            while !self.connections.borrow().is_empty() {
                self.freed.notified().await;
            }
        };
        if tokio::time::timeout(self.limits.close_time, all_gone).await.is_err() {
            self.connections.borrow().values().for_each(|state| state.request_close(CloseMode::Now));
        }
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        self.slots.connections.borrow_mut().remove(&self.id);
        self.slots.freed.notify_one();
        if std::thread::panicking() {
            let line = "a client was cut off: answering it failed (a defect of ironlance, please report it)";
            self.slots.daemon_log.log(Level::Error, line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Silence;

    impl DaemonLog for Silence {
        fn enabled(&self, _: Level) -> bool {
            false
        }

        fn log(&self, _: Level, _: &str) {}
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_connection_takes_the_slot_of_one_that_can_be_spared() {
        let limits = HttpLimits { connections: 2, ..HttpLimits::default() };
        let slots = Rc::new(ConnectionSlots::new(limits, Rc::new(Silence)));
        let [busy, body] = [(); 2].map(|()| slots.acquire().unwrap());
        [&busy, &body].into_iter().for_each(|slot| slot.state.mark_verified());
        busy.state.enter(Phase::Responding);
        body.state.enter(Phase::Body);
        assert!(slots.acquire().is_none(), "a body has a moment to come");
        tokio::time::advance(limits.client_grace * 2).await;
        let _late = slots.acquire().unwrap();
        assert_eq!(body.state.close_requested().await, CloseMode::Now);
    }

    #[tokio::test(start_paused = true)]
    async fn at_the_end_who_takes_nothing_is_not_waited_for() {
        let limits = HttpLimits::default();
        let slots = Rc::new(ConnectionSlots::new(limits, Rc::new(Silence)));
        let [reader, sleeper, slow] = [(); 3].map(|()| slots.acquire().unwrap());
        for slot in [&reader, &sleeper, &slow] {
            slot.state.enter(Phase::EventStream);
            slot.state.mark_stalled();
        }
        tokio::time::advance(limits.close_time).await;
        reader.state.mark_progress();
        slow.state.mark_progress();
        slow.state.mark_stalled();
        let leaves = async {
            assert_eq!(sleeper.state.close_requested().await, CloseMode::Now);
            assert_eq!(reader.state.close_requested().await, CloseMode::AfterResponse);
            assert_eq!(slow.state.close_requested().await, CloseMode::AfterResponse);
            drop([reader, sleeper, slow]);
        };
        tokio::join!(slots.close_all(), leaves);
    }
}
