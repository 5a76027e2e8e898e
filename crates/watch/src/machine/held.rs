//! What of a bucket is held back: [`release`] and [`judge`], which ask the mutes.

use std::time::Duration;

use ironlance_config::alerting::AlertReceiver;
use ironlance_core::alerting::incident::{AlertCause, Phase, Severity};

use super::bucket::{Bucket, BucketChange, BucketChangeKind, Grouping};
use super::effect::{Effect, Hold, RefusalReason, Verdict};
use super::mute;
use super::notice::decided;
use super::record::Situation;
use super::reminder::is_burning;
use super::subject::IncidentKey;

/// Takes the holds away that do not hold any more.
pub(super) fn release(bucket: &mut Bucket, receiver: &AlertReceiver, situation: &Situation<'_>) {
    if bucket.changed.values().all(|change| change.hold.is_none()) {
        bucket.look_again = None;
        return;
    }
    let (mut is_released, mut ends) = (false, Vec::new());
    for (key, change) in &mut bucket.changed {
        if change.hold.is_none() {
            continue;
        }
        match hold_of(key, change, receiver, situation) {
            Some((hold, end)) => {
                change.hold = Some(hold);
                ends.extend(end);
            }
            // What is well again by then may be over soon: only the digest of quiet hours has it.
            None if is_forgotten_where_up(change)
                && !situation.incidents.get(key).is_some_and(is_burning) => {}
            None => {
                change.held = change.hold.take();
                is_released = true;
            }
        }
    }
    bucket.look_again = ends.into_iter().min().map(|end| situation.time().after(end.min(mute::LOOK_AGAIN)));
    if is_released {
        let at_once = Grouping { wait: Duration::ZERO, interval: receiver.group_interval };
        bucket.make_due(at_once, situation.time());
    }
}

/// Whether a change is told after its hold only where it is still bad.
fn is_forgotten_where_up(change: &BucketChange) -> bool {
    change.closed.is_none() && change.hold.as_ref().is_some_and(|hold| !hold.keeps_what_is_over())
}

/// What holds a change back.
fn hold_of(
    key: &IncidentKey,
    change: &BucketChange,
    receiver: &AlertReceiver,
    situation: &Situation<'_>,
) -> Option<(Hold, Option<Duration>)> {
    let (cause, severity) = match (&change.closed, situation.incidents.get(key)) {
        (Some(item), _) => (AlertCause::of(key.family, item.phase), item.severity),
        (None, Some(record)) => (record.cause(), situation.severity(record)),
        (None, None) => return None,
    };
    let found = situation.hold(receiver, key, cause, severity)?;
    // What is over does not hide under what holds as long as it is bad.
    (change.kind != BucketChangeKind::Over || found.0.keeps_what_is_over()).then_some(found)
}

/// Decides for each change that waits whether it is told, held, or not told at all.
pub(super) fn judge(
    bucket: &mut Bucket,
    receiver: &AlertReceiver,
    situation: &Situation<'_>,
    effects: &mut Vec<Effect>,
) {
    let mut ends = bucket.look_again.into_iter().collect::<Vec<_>>();
    let known = &bucket.known;
    bucket.changed.retain(|key, change| {
        if change.hold.is_some() || change.kind == BucketChangeKind::Recovered {
            return true;
        }
        let mut say = |what| {
            effects.push(decided(situation, key, change.incident, Some(&receiver.name), what));
        };
        let severity = match (&change.closed, situation.incidents.get(key)) {
            (Some(item), _) => item.severity,
            (None, Some(record)) => situation.severity(record),
            (None, None) => return false,
        };
        let is_free = known.contains_key(key) || change.kind == BucketChangeKind::Handed;
        if !is_free && severity < receiver.severity {
            say(Verdict::NotRouted(RefusalReason::Severity(severity)));
            return false;
        }
        let found = match change.kind {
            BucketChangeKind::Over => over_hold(key, change, receiver, situation, severity),
            _ => hold_of(key, change, receiver, situation),
        };
        let Some((hold, end)) = found else { return true };
        let is_dropped = match change.kind {
            BucketChangeKind::Over => !hold.keeps_what_is_over(),
            BucketChangeKind::Acked => true,
            BucketChangeKind::Bad | BucketChangeKind::Handed | BucketChangeKind::Recovered => {
                hold == Hold::Shutdown
            }
        };
        if is_dropped {
            say(Verdict::Dropped(hold));
            return false;
        }
        say(Verdict::Held(hold.clone()));
        ends.extend(end.map(|end| situation.time().after(end.min(mute::LOOK_AGAIN))));
        change.hold = Some(hold);
        true
    });
    bucket.look_again = ends.into_iter().min();
}

/// What holds back, or forgets, what is over already when its message is due.
fn over_hold(
    key: &IncidentKey,
    change: &BucketChange,
    receiver: &AlertReceiver,
    situation: &Situation<'_>,
    severity: Severity,
) -> Option<(Hold, Option<Duration>)> {
    let phase = change.closed.as_ref().map_or(Phase::Bad, |item| item.phase);
    let cause = AlertCause::of(key.family, phase);
    situation.hold(receiver, key, cause, severity)
}
