//! Escalation and fallback: [`handovers`], the incidents that one receiver hands over to another.
//!
//! ```text
//!   known ──── told for `escalate=`'s time, bad, not acknowledged ────▶ escalated
//!     │  └──── its message is in the outbox for `fallback=`'s time ───▶ fallen back
//!     └─ Closed: done; Ack: no escalation, and where it came, the other receiver learns of the Ack
//! ```
//!
//! | state | input | next | effect |
//! |---|---|---|---|
//! | known | `after` has passed since it was told or the last acknowledgement ended; bad, not up | escalated | the other receiver's bucket, marked |
//! | known | its last message waits since `after` | fallen back | the other receiver's bucket, marked |
//! | escalated, fallen back | either again | the same | |
//!
//! From then on it is one of the incident's receivers to its end.

use ironlance_alert::card::Mark;
use ironlance_config::alerting::{AlertReceiver, Handover};

use super::bucket::{Bucket, KnownIncident};
use super::clock::WatchTime;
use super::effect::Verdict;
use super::flush::ReceiverMemory;
use super::incident::IncidentState;
use super::record::{IncidentRecord, Situation};
use super::subject::IncidentKey;

/// An incident that goes to another receiver as well.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct HandoverDue {
    pub(super) key: IncidentKey,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) mark: Mark,
    pub(super) verdict: Verdict,
}

/// The incidents of a bucket that are handed over now.
pub(super) fn handovers(
    bucket: &mut Bucket,
    receiver: &AlertReceiver,
    memory: &ReceiverMemory,
    situation: &Situation<'_>,
) -> Vec<HandoverDue> {
    let now = situation.time();
    let mut due = Vec::new();
    if !has_any(receiver) {
        return due;
    }
    for (key, known) in &mut bucket.known {
        let Some(record) = current(known, situation.incidents.get(key)) else { continue };
        let hand = |handover: &Handover, mark, verdict| HandoverDue {
            key: key.clone(),
            from: receiver.name.clone(),
            to: handover.receiver.clone(),
            mark,
            verdict,
        };
        if let Some((handover, at)) = escalation(known, receiver, record, situation)
            && at <= now
        {
            known.is_escalated = true;
            let seconds = now.since(known.unacked_since).as_secs();
            let mark = Mark::NotAcknowledged { receiver: receiver.name.clone(), seconds };
            due.push(hand(handover, mark, Verdict::Escalated { to: handover.receiver.clone() }));
        }
        if let Some((handover, at)) = fallback(known, receiver, memory)
            && at <= now
        {
            known.is_fallen_back = true;
            let reason = memory.last_error.clone().unwrap_or_else(|| "not taken yet".to_owned());
            let mark = Mark::NotDelivered { receiver: receiver.name.clone(), reason: reason.clone() };
            due.push(hand(handover, mark, Verdict::FellBack { to: handover.receiver.clone(), reason }));
        }
    }
    due
}

/// When the next incident of a bucket may be handed over.
pub(super) fn next_deadline(
    bucket: &Bucket,
    receiver: &AlertReceiver,
    memory: &ReceiverMemory,
    situation: &Situation<'_>,
) -> Option<WatchTime> {
    if !has_any(receiver) {
        return None;
    }
    let deadlines = bucket.known.iter().filter_map(|(key, known)| {
        let record = current(known, situation.incidents.get(key))?;
        let escalation = escalation(known, receiver, record, situation).map(|(_, at)| at);
        let fallback = fallback(known, receiver, memory).map(|(_, at)| at);
        escalation.into_iter().chain(fallback).min()
    });
    deadlines.min()
}

const fn has_any(receiver: &AlertReceiver) -> bool {
    receiver.escalate.is_some() || receiver.fallback.is_some()
}

fn current<'r>(known: &KnownIncident, record: Option<&'r IncidentRecord>) -> Option<&'r IncidentRecord> {
    record.filter(|record| record.number == known.incident && record.machine.is_open())
}

fn escalation<'c>(
    known: &KnownIncident,
    receiver: &'c AlertReceiver,
    record: &IncidentRecord,
    situation: &Situation<'_>,
) -> Option<(&'c Handover, WatchTime)> {
    let handover = receiver.escalate.as_ref().filter(|_| !known.is_escalated)?;
    let is_waiting = record.machine.state == IncidentState::Firing
        && !record.machine.is_acked(situation.now.wall_millis());
    is_waiting.then(|| (handover, known.unacked_since.after(handover.after)))
}

fn fallback<'c>(
    known: &KnownIncident,
    receiver: &'c AlertReceiver,
    memory: &ReceiverMemory,
) -> Option<(&'c Handover, WatchTime)> {
    let handover = receiver.fallback.as_ref().filter(|_| !known.is_fallen_back)?;
    memory.waiting.contains(&known.message).then(|| (handover, known.at.after(handover.after)))
}
