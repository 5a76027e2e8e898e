//! What of the machines survives a restart: [`WatchSnapshot`].

use ironlance_config::alerting::Alerting;
use serde::{Deserialize, Serialize};

use super::bucket::Bucket;
use super::clock::{ClockReading, Moment, WatchClock};
use super::down::ProgramMemory;
use super::flush::ReceiverMemory;
use super::reading::Reading;
use super::record::IncidentRecord;
use super::silence::Silence;
use super::watch::Watch;

/// All that must survive a restart. `store` writes a line for each part; their order does not matter.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WatchSnapshot {
    /// The parts.
    pub parts: Vec<SnapshotPart>,
}

/// A part of a snapshot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SnapshotPart {
    /// The clock and the counters; there is one.
    Counters(Counters),
    /// What is remembered of a program.
    Program(ProgramMemory),
    /// An incident.
    Incident(IncidentRecord),
    /// The readings of a check.
    Reading(Reading),
    /// What is remembered of a receiver.
    Receiver(ReceiverMemory),
    /// What a receiver knows of a group of incidents.
    Bucket(Bucket),
    /// A silence.
    Silence(Silence),
}

/// The clock and the counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// The clock at the last step.
    pub clock: ClockReading,
    /// The supervisor is stopping.
    #[serde(default)]
    pub is_stopping: bool,
    /// The number of the next incident.
    pub next_incident: u64,
    /// The number of the next message.
    pub next_message: u64,
    /// The number of the next silence.
    pub next_silence: u64,
}

impl Watch {
    /// What must survive a restart, as of the last step.
    pub fn to_snapshot(&self) -> WatchSnapshot {
        let counters = Counters {
            clock: self.facts.clock.reading(),
            is_stopping: self.facts.is_stopping,
            next_incident: self.next_incident,
            next_message: self.next_message,
            next_silence: self.next_silence,
        };
        let mut parts = vec![SnapshotPart::Counters(counters)];
        parts.extend(self.facts.programs.values().cloned().map(SnapshotPart::Program));
        parts.extend(self.facts.incidents.values().cloned().map(SnapshotPart::Incident));
        parts.extend(self.facts.readings.values().cloned().map(SnapshotPart::Reading));
        parts.extend(self.receivers.values().cloned().map(SnapshotPart::Receiver));
        parts.extend(self.buckets.values().cloned().map(SnapshotPart::Bucket));
        parts.extend(self.silences().cloned().map(SnapshotPart::Silence));
        WatchSnapshot { parts }
    }

    /// Machines that go on from a snapshot: the time between counts by the wall clock. What the configuration does not
    /// know any more is dropped.
    pub fn from_snapshot(snapshot: WatchSnapshot, config: Alerting, now: &Moment) -> Self {
        let mut watch = Self::new(config, now);
        watch.receivers.clear();
        for part in snapshot.parts {
            match part {
                SnapshotPart::Counters(counters) => {
                    watch.facts.clock = WatchClock::resume(counters.clock, now);
                    watch.facts.is_stopping = counters.is_stopping;
                    watch.next_incident = counters.next_incident;
                    watch.next_message = counters.next_message;
                    watch.next_silence = counters.next_silence;
                }
                SnapshotPart::Program(memory) => {
                    watch.facts.programs.insert(memory.program.clone(), memory);
                }
                SnapshotPart::Incident(record) => {
                    watch.facts.incidents.insert(record.key.clone(), record);
                }
                SnapshotPart::Reading(reading) => {
                    let place = (reading.program.clone(), reading.family, reading.check.clone());
                    watch.facts.readings.insert(place, reading);
                }
                SnapshotPart::Receiver(memory) => {
                    watch.receivers.insert(memory.name.clone(), memory);
                }
                SnapshotPart::Bucket(bucket) => {
                    watch.buckets.insert((bucket.receiver.clone(), bucket.group.clone()), bucket);
                }
                SnapshotPart::Silence(silence) => watch.facts.silences.restore(silence),
            }
        }
        watch.trimmed = watch.facts.clock.time();
        let mut late = Vec::new();
        watch.follow_config(now, &mut late);
        watch.late = late;
        watch
    }
}
