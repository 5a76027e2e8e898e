//! What of the machines survives a restart: [`Snapshot`].

use serde::{Deserialize, Serialize};

use super::clock::ClockReading;

/// All that must survive a restart. `store` writes a line for each part; their order does not matter.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The parts.
    pub parts: Vec<SnapshotPart>,
}

/// A part of a snapshot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SnapshotPart {
    /// The clock and the counters.
    Counters(Counters),
}

/// The clock and the counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// The clock at the last step.
    pub clock: ClockReading,
    /// The number of the next incident.
    pub next_incident: u64,
    /// The number of the next message.
    pub next_message: u64,
    /// The number of the next silence.
    pub next_silence: u64,
}
