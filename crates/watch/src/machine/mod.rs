//! The machines that decide who is told what, and when: [`Watch`], stepped with [`Input`]s, answers with [`Effect`]s. No I/O,
//! no clock.

mod clock;
mod effect;
mod input;
mod snapshot;
mod subject;
mod view;

use std::time::Duration;

use ironlance_config::alerting::Alerting;
use ironlance_core::Namespec;
use ironlance_core::alerting::incident::AlertCause;

pub use self::clock::{ClockReading, Moment, WatchTime};
pub use self::effect::{
    Audience, CloseReason, ClosedIncident, Decision, Effect, Hold, Notice, PaceReason, RefusalReason, Verdict,
};
pub use self::input::{
    AckTarget, CheckReading, Input, OperatorCommand, PoolTrouble, PreviousRun, ProcessReport, ReadingResult,
    ReceiverBacklog, WaitingMessage,
};
pub use self::snapshot::{Counters, Snapshot, SnapshotPart};
pub use self::subject::{IncidentKey, Subject};
pub use self::view::{
    Acknowledgement, Explanation, IncidentReceiver, OpenIncident, ReceiverExplanation, RouteExplanation,
};

/// All machines together.
#[derive(Debug)]
pub struct Watch {
    config: Alerting,
    clock: clock::WatchClock,
}

impl Watch {
    /// Machines that know of nothing.
    pub fn new(config: Alerting, now: &Moment) -> Self {
        Self { config, clock: clock::WatchClock::new(now) }
    }

    /// Machines that go on from a snapshot.
    pub fn from_snapshot(snapshot: Snapshot, config: Alerting, now: &Moment) -> Self {
        let _ = snapshot;
        Self::new(config, now)
    }

    /// What must survive a restart, as of the last step.
    pub fn to_snapshot(&self) -> Snapshot {
        Snapshot::default()
    }

    /// Takes an input in. Times never go back in `now.mono`.
    pub fn step(&mut self, input: Input, now: &Moment) -> Vec<Effect> {
        let _ = input;
        self.clock.advance(now);
        Vec::new()
    }

    /// When to step with [`Input::Wake`], by the caller's monotonic clock.
    pub fn next_deadline(&self) -> Option<Duration> {
        None
    }

    /// Takes a new configuration. The effects are to be carried out with the one before: a receiver that is gone is
    /// told that its incidents are no longer reported.
    pub fn reload(&mut self, config: Alerting, now: &Moment) -> Vec<Effect> {
        self.config = config;
        self.clock.advance(now);
        Vec::new()
    }

    /// The incidents that are not over, by age.
    pub fn open_incidents(&self) -> Vec<OpenIncident> {
        Vec::new()
    }

    /// What would happen if a cause came up now.
    pub fn explain(&self, program: &Namespec, cause: AlertCause, now: &Moment) -> Option<Explanation> {
        let _ = (program, cause, now);
        None
    }
}
