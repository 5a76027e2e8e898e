//! The machines that decide who is told what, and when: [`Watch`], stepped with [`Input`]s, answers with [`Effect`]s. No I/O,
//! no clock.
//!
//! | machine | for each | file |
//! |---|---|---|
//! | program events | program | `down` |
//! | readings | check | `reading` |
//! | incident | program and family | `incident` |
//! | bucket | receiver and group | `bucket`, `held`, `reminder`, `flush`, `notice` |
//! | mutes, silences | message | `mute`, `silence` |
//! | escalation, fallback | receiver and incident | `handover` |
//! | budget | receiver | `budget` |
//! | refresh | Alertmanager and group | `refresh` |
//!
//! Routing and severity are functions of the configuration (`routing`). `explain` asks the same functions as a step.

mod announce;
mod bucket;
mod budget;
mod checking;
mod clock;
mod down;
mod effect;
mod explain;
mod flush;
mod fold;
mod handover;
mod held;
mod incident;
mod input;
mod mute;
mod notice;
mod operator;
mod pairs;
mod reading;
mod record;
mod refresh;
mod reload;
mod reminder;
mod routing;
mod silence;
mod snapshot;
mod subject;
#[cfg(test)]
pub(crate) mod tests;
mod view;
mod watch;

pub use self::clock::{ClockReading, Moment, WatchTime};
pub use self::effect::{
    Audience, CloseReason, ClosedIncident, Decision, Effect, Hold, Notice, PaceReason, RefusalReason, Verdict,
};
pub use self::input::{
    AckTarget, CheckReading, EarlierRun, Input, ListenerTrouble, OperatorCommand, ProcessReport,
    ReadingResult, ReceiverBacklog, WaitingMessage,
};
pub use self::silence::{Silence, SilenceState};
pub use self::snapshot::{Counters, SnapshotPart, WatchSnapshot};
pub use self::subject::{IncidentKey, Subject};
pub use self::view::{
    Acknowledgement, Explanation, IncidentReceiver, OpenIncident, ReceiverExplanation, RouteExplanation,
};
pub use self::watch::Watch;
