//! Reminders: what a receiver knows, and is still wrong after `repeat=`.

use std::time::Duration;

use ironlance_config::alerting::AlertReceiver;
use ironlance_core::alerting::incident::Phase;

use super::bucket::Bucket;
use super::clock::WatchTime;
use super::incident::IncidentState;
use super::mute;
use super::record::{IncidentRecord, Situation};
use super::subject::IncidentKey;

/// Reminders that are due within this time are told together.
const TOGETHER: Duration = Duration::from_secs(60);

/// The reminders that are due; puts those off that may not come now.
pub(super) fn reminders(
    bucket: &mut Bucket,
    receiver: &AlertReceiver,
    situation: &Situation<'_>,
) -> Vec<IncidentKey> {
    let now = situation.time();
    let Some(repeat) = receiver.repeat else {
        bucket.known.values_mut().for_each(|known| known.remind = None);
        return Vec::new();
    };
    let retry = now.after(receiver.group_interval.max(Duration::from_secs(1)));
    let mut due = Vec::new();
    for (key, known) in &mut bucket.known {
        let Some(at) = known.remind.filter(|at| *at <= now.after(TOGETHER)) else { continue };
        let record = situation.incidents.get(key).filter(|record| record.machine.is_open());
        let later = match record {
            _ if bucket.changed.contains_key(key) => Some(retry),
            None => Some(retry),
            Some(_) if known.is_up => Some(now.after(repeat)),
            Some(record) => later_reminder(record, receiver, situation, retry, repeat),
        };
        match later {
            None => due.push(key.clone()),
            Some(later) if at <= now => known.remind = Some(later),
            Some(_) => {}
        }
    }
    // Those of the next minute come with one that is due now, and not by themselves.
    let is_one_due =
        due.iter().any(|key| bucket.known.get(key).is_some_and(|known| known.remind <= Some(now)));
    if is_one_due { due } else { Vec::new() }
}

/// When a reminder may come that may not come now.
fn later_reminder(
    record: &IncidentRecord,
    receiver: &AlertReceiver,
    situation: &Situation<'_>,
    retry: WatchTime,
    repeat: Duration,
) -> Option<WatchTime> {
    let now = situation.time();
    if record.machine.is_acked(situation.now.wall_millis()) {
        let until = record.machine.ack.as_ref().and_then(|ack| ack.until);
        return Some(until.map_or(now.after(repeat), |until| situation.clock.at_wall(until)));
    }
    if !is_burning(record) {
        return Some(retry);
    }
    let (_, end) = situation.hold(receiver, &record.key, record.cause(), situation.severity(record))?;
    Some(end.map_or(now.after(repeat), |end| now.after(end.min(mute::LOOK_AGAIN))))
}

/// Whether it is bad at the moment, or bad as a whole.
pub(super) fn is_burning(record: &IncidentRecord) -> bool {
    record.machine.state == IncidentState::Firing
        || (record.is_up() && matches!(record.machine.phase(), Phase::Loop | Phase::Flapping))
}
