//! Events that outlive their pool: an `update` takes a changed pool out of service and puts the new one in, and a restart
//! begins anew. What waits is handed on by name; what nobody takes over is said.

use std::time::Duration;

use ironlance_core::GroupName;
use ironlance_core::event::counts::EventCounts;
use ironlance_core::event::kind::EventKind;
use ironlance_core::listener::bus::PoolId;
use ironlance_core::listener::pool::Pool;
use ironlance_core::log_level::Level;

use super::Supervisor;
use crate::state::ids::GroupId;

/// So long a pool of the same name is waited for.
const KEEP_FOR: Duration = Duration::from_secs(60);

/// The events of a pool that is no more, for a pool of the same name.
pub(super) struct RetiredPool {
    pool: Pool,
    /// What it goes on taking is asked for under this number, until it is given up: between the old pool and the new
    /// one nothing is to be missed.
    subscriber: Option<GroupId>,
    /// How many events it had when it went out of service.
    waiting_at_removal: u64,
    /// When it is given up (monotonic).
    until: Duration,
}

/// What one life of the daemon hands to the next: events that wait, and the number of the next.
#[derive(Debug, Default)]
pub(crate) struct InheritedPools {
    pub(crate) pools: Vec<Pool>,
    pub(crate) next_serial: u64,
}

impl Supervisor {
    /// A pool is out of service: its events wait a while for a new one, with those that come meanwhile.
    pub(super) fn retire_pool(&mut self, pool: Pool, subscriber: Option<GroupId>) {
        let waiting = pool.unanswered();
        let until = self.clock.mono() + KEEP_FOR;
        if waiting.total() > 0 {
            let line = format!(
                "pool {} is out of service; the events that wait in it are kept for a pool of that name for {} s: {waiting}",
                pool.name(),
                KEEP_FOR.as_secs()
            );
            self.log.log(Level::Info, &line);
        }
        if waiting.total() > 0 || subscriber.is_some() {
            self.retired_pools.push(RetiredPool {
                pool,
                subscriber,
                waiting_at_removal: waiting.total(),
                until,
            });
        }
    }

    /// A pool is new: it gets what waits for one of its name.
    pub(super) fn adopt_retired_pools(&mut self, id: GroupId, name: &GroupName, wanted: &[EventKind]) {
        let (ours, others) = std::mem::take(&mut self.retired_pools)
            .into_iter()
            .partition(|estate| estate.pool.name() == name);
        self.retired_pools = others;
        let ours: Vec<RetiredPool> = ours;
        ours.into_iter().for_each(|estate| self.hand_over(id, name, wanted, estate));
    }

    fn hand_over(&mut self, id: GroupId, name: &GroupName, wanted: &[EventKind], estate: RetiredPool) {
        self.unsubscribe(&estate);
        let old = estate.pool;
        let waiting = old.unanswered();
        if waiting.total() == 0 {
            return;
        }
        let Some(pool) = self.table.group_mut(id).and_then(|group| group.pool.as_mut()) else { return };
        let (effects, unwanted) = pool.take_over(old, |kind| wanted.iter().any(|asked| kind.is_a(*asked)));
        self.apply_pool_effects(id, effects);
        self.log.log(
            Level::Info,
            &format!("pool {name} takes over the events that waited in the old one: {waiting}"),
        );
        if unwanted.total() > 0 {
            let line =
                format!("pool {name} does not want events that waited, which are forgotten: {unwanted}");
            self.log.log(Level::Warn, &line);
        }
    }

    /// Nobody waits for ever: what nobody took over is forgotten, and said.
    pub(super) fn discard_retired_pools(&mut self) {
        if self.retired_pools_deadline().is_none_or(|due| self.clock.mono() < due) {
            return;
        }
        let now = self.clock.mono();
        let (due, estates) =
            std::mem::take(&mut self.retired_pools).into_iter().partition(|estate| estate.until <= now);
        self.retired_pools = estates;
        let due: Vec<RetiredPool> = due;
        for estate in due {
            self.unsubscribe(&estate);
            let waiting = estate.pool.unanswered();
            match waiting.total() {
                0 => {}
                // It was removed by somebody who wants no more of them.
                _ if estate.waiting_at_removal == 0 => {
                    self.log_discarded(Level::Info, estate.pool.name(), &waiting);
                }
                _ => self.log_discarded(Level::Warn, estate.pool.name(), &waiting),
            }
        }
    }

    fn unsubscribe(&mut self, estate: &RetiredPool) {
        if let Some(id) = estate.subscriber {
            self.bus.unsubscribe(PoolId(id.0));
        }
    }

    /// When that is due (monotonic).
    pub(super) fn retired_pools_deadline(&self) -> Option<Duration> {
        self.retired_pools.iter().map(|estate| estate.until).min()
    }

    fn log_discarded(&mut self, level: Level, name: &GroupName, events: &EventCounts) {
        let line = format!("pool {name} is no more, and events that waited in it are forgotten: {events}");
        self.log.log(level, &line);
    }

    /// The daemon begins anew: what waits is for the pools of the next life.
    pub(crate) fn export_pools(&mut self) -> InheritedPools {
        let estates = std::mem::take(&mut self.retired_pools).into_iter().map(|estate| estate.pool);
        let mut pools: Vec<Pool> = estates.filter(|pool| pool.unanswered().total() > 0).collect();
        for id in self.table.pool_ids() {
            let pool = self.table.group_mut(id).and_then(|group| group.pool.take());
            pools.extend(pool.filter(|pool| pool.unanswered().total() > 0));
        }
        InheritedPools { pools, next_serial: self.bus.next_serial() }
    }

    /// What the life before this one has left.
    pub(super) fn import_pools(&mut self, legacy: InheritedPools) {
        self.bus.advance_serial_to(legacy.next_serial);
        legacy.pools.into_iter().for_each(|pool| self.retire_pool(pool, None));
    }

    /// The daemon ends: events that wait end with it, which is said.
    pub(super) fn log_lost_events(&mut self) {
        let InheritedPools { pools, .. } = self.export_pools();
        for pool in pools {
            let waiting = pool.unanswered();
            let level = if waiting.counts().all(|(kind, _)| is_expected_at_exit(kind)) {
                Level::Info
            } else {
                Level::Warn
            };
            let line =
                format!("events that nobody has dealt with end with pool {}: {}", pool.name(), waiting);
            self.log.log(level, &line);
        }
    }
}

/// The pool out of service that asks for events under this number.
pub(super) fn pool_mut(estates: &mut [RetiredPool], id: GroupId) -> Option<&mut Pool> {
    estates.iter_mut().find(|estate| estate.subscriber == Some(id)).map(|estate| &mut estate.pool)
}

/// What happens at every end, the listeners' own among it: nobody could have been told.
const fn is_expected_at_exit(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::ProcessStateStopping
            | EventKind::ProcessStateStopped
            | EventKind::SupervisorStateChangeStopping
            | EventKind::Tick5
            | EventKind::Tick60
            | EventKind::Tick3600
    )
}
