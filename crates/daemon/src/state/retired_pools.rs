//! Events that outlive their pool: an `update` takes a changed pool out of service and puts the new one in, and a restart
//! begins anew. Waiting events are handed on by the pool's name; the log says which ones no pool takes over.

use std::time::Duration;

use ironlance_core::GroupName;
use ironlance_core::event::kind::EventKind;
use ironlance_core::listener::bus::PoolId;
use ironlance_core::listener::pool::Pool;
use ironlance_core::log_level::Level;

use super::ids::GroupId;
use super::timers::Timer;
use super::{State, Turn};

/// How long events are kept for a pool of the same name.
const KEEP_FOR: Duration = Duration::from_secs(60);

/// A pool out of service; its events are for the next pool of its name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RetiredPool {
    pub(crate) pool: Pool,
    /// It stays subscribed under this number until it is given up, so that no event between the old pool and the new one
    /// is missed.
    subscriber: Option<GroupId>,
    /// How many events it had when it went out of service.
    waiting_at_removal: u64,
    /// When it is given up (monotonic).
    until: Duration,
}

/// What one generation of the daemon hands to the next: events that wait, and the number of the next.
#[derive(Debug, Default)]
pub(crate) struct InheritedPools {
    pub(crate) pools: Vec<Pool>,
    pub(crate) next_serial: u64,
}

impl State {
    /// A pool is out of service: its events wait a while for a new one, with those that come meanwhile.
    pub(crate) fn retire_pool(&mut self, pool: Pool, subscriber: Option<GroupId>, turn: &mut Turn<'_>) {
        let waiting = pool.unanswered();
        let until = turn.now.mono + KEEP_FOR;
        if waiting.total() > 0 {
            let line = format!(
                "pool {} is out of service; the events that wait in it are kept for a pool of that name for {} s: {waiting}",
                pool.name(),
                KEEP_FOR.as_secs()
            );
            turn.log(Level::Info, line);
        }
        if waiting.total() > 0 || subscriber.is_some() {
            let waiting_at_removal = waiting.total();
            self.retired_pools.push(RetiredPool { pool, subscriber, waiting_at_removal, until });
        }
        self.reschedule_retired_pools(turn);
    }

    /// A pool is new: it gets what waits for one of its name.
    pub(crate) fn adopt_retired_pools(
        &mut self,
        id: GroupId,
        name: &GroupName,
        wanted: &[EventKind],
        turn: &mut Turn<'_>,
    ) {
        let is_its = |retired: &mut RetiredPool| retired.pool.name() == name;
        let adopted: Vec<RetiredPool> = self.retired_pools.extract_if(.., is_its).collect();
        adopted.into_iter().for_each(|retired| self.hand_over(id, wanted, retired, turn));
        self.reschedule_retired_pools(turn);
    }

    fn hand_over(&mut self, id: GroupId, wanted: &[EventKind], retired: RetiredPool, turn: &mut Turn<'_>) {
        self.unsubscribe(&retired);
        let old = retired.pool;
        let waiting = old.unanswered();
        if waiting.total() == 0 {
            return;
        }
        let Some(pool) = self.pool_mut(id) else { return };
        let name = pool.name().clone();
        let (effects, unwanted) = pool.take_over(old, |kind| wanted.iter().any(|asked| kind.is_a(*asked)));
        self.apply_pool_effects(id, effects, turn);
        turn.log(
            Level::Info,
            format!("pool {name} takes over the events that waited in the old one: {waiting}"),
        );
        if unwanted.total() > 0 {
            let line =
                format!("pool {name} does not want events that waited, which are forgotten: {unwanted}");
            turn.log(Level::Warn, line);
        }
    }

    /// Gives up the events that no pool has taken over in time.
    pub(crate) fn discard_retired_pools(&mut self, turn: &mut Turn<'_>) {
        let now = turn.now.mono;
        let due: Vec<RetiredPool> =
            self.retired_pools.extract_if(.., |retired| retired.until <= now).collect();
        for retired in due {
            self.unsubscribe(&retired);
            let (name, waiting) = (retired.pool.name(), retired.pool.unanswered());
            let level = match waiting.total() {
                0 => continue,
                // The pool was removed while it had no events: later ones are not expected to be handled.
                _ if retired.waiting_at_removal == 0 => Level::Info,
                _ => Level::Warn,
            };
            let line =
                format!("pool {name} is no more, and events that waited in it are forgotten: {waiting}");
            turn.log(level, line);
        }
        self.reschedule_retired_pools(turn);
    }

    fn unsubscribe(&mut self, retired: &RetiredPool) {
        if let Some(id) = retired.subscriber {
            self.bus.unsubscribe(PoolId(id.0));
        }
    }

    fn reschedule_retired_pools(&self, turn: &mut Turn<'_>) {
        turn.timers.set(Timer::RetiredPools, self.retired_pools.iter().map(|retired| retired.until).min());
    }

    /// The events that wait, for the pools of the daemon's next generation; no pool has them any more.
    pub(crate) fn export_pools(&mut self) -> InheritedPools {
        let retired = std::mem::take(&mut self.retired_pools).into_iter().map(|retired| retired.pool);
        let mut pools: Vec<Pool> = retired.filter(|pool| pool.unanswered().total() > 0).collect();
        for id in self.table.pool_ids() {
            let pool = self.table.group_mut(id).and_then(|group| group.pool.take());
            pools.extend(pool.filter(|pool| pool.unanswered().total() > 0));
        }
        InheritedPools { pools, next_serial: self.bus.next_serial() }
    }

    /// Takes over what [`State::export_pools`] gave in the generation before this one.
    pub(crate) fn import_pools(&mut self, inherited: InheritedPools, turn: &mut Turn<'_>) {
        self.bus.advance_serial_to(inherited.next_serial);
        inherited.pools.into_iter().for_each(|pool| self.retire_pool(pool, None, turn));
    }

    /// The daemon ends: the log says which events end with it.
    pub(crate) fn log_lost_events(&mut self, turn: &mut Turn<'_>) {
        for pool in self.export_pools().pools {
            let waiting = pool.unanswered();
            let is_expected = waiting.counts().all(|(kind, _)| kind.is_any_of(&EXPECTED_AT_EXIT));
            let level = if is_expected { Level::Info } else { Level::Warn };
            let line =
                format!("events that nobody has dealt with end with pool {}: {}", pool.name(), waiting);
            turn.log(level, line);
        }
    }
}

/// The pool out of service that asks for events under this number.
pub(crate) fn pool_mut(retired: &mut [RetiredPool], id: GroupId) -> Option<&mut Pool> {
    retired.iter_mut().find(|retired| retired.subscriber == Some(id)).map(|retired| &mut retired.pool)
}

/// Types of events that every shutdown makes when no listener can take them any more.
const EXPECTED_AT_EXIT: [EventKind; 4] = [
    EventKind::ProcessStateStopping,
    EventKind::ProcessStateStopped,
    EventKind::SupervisorStateChangeStopping,
    EventKind::Tick,
];
