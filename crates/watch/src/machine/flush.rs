//! From a bucket to a message: [`flush`], when its time has come. Asks the mutes, the severity and the budget of the receiver.

use std::collections::BTreeSet;
use std::time::Duration;

use ironlance_alert::card::{CardItem, CardKind, Mark};
use ironlance_config::alerting::AlertReceiver;
use ironlance_core::alerting::incident::{AlertCause, Phase, Severity};
use serde::{Deserialize, Serialize};

use super::bucket::{Bucket, BucketChange, BucketChangeKind, Grouping, KnownIncident};
use super::budget::Budget;
use super::clock::WatchTime;
use super::effect::{Audience, Decision, Effect, Hold, Notice, RefusalReason, Verdict};
use super::incident::IncidentState;
use super::mute;
use super::record::{IncidentRecord, Situation};
use super::routing;
use super::subject::IncidentKey;

/// Reminders that are due within this time are told together.
const TOGETHER: Duration = Duration::from_secs(60);

/// What is remembered of a receiver beside its buckets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiverMemory {
    pub(super) name: String,
    /// It is told of incidents from this number on.
    pub(super) first_incident: u64,
    pub(super) budget: Budget,
    /// Its messages in the outbox.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) waiting: BTreeSet<u64>,
    /// Why one of them could not be delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) last_error: Option<String>,
}

/// A message in the making.
#[derive(Debug, Default)]
struct Draft {
    items: Vec<CardItem>,
    /// What only channels that keep incidents are told.
    quiet: Vec<CardItem>,
    marks: Vec<Mark>,
    /// What each item is to the receiver.
    sorts: Vec<Sort>,
    keys: Vec<IncidentKey>,
}

/// What an item is to the receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    New,
    Worse,
    Over,
    Reminder,
    Held,
    Digest,
    Acked,
}

/// `group_wait=` and `group_interval=` of a receiver.
pub(super) const fn grouping(receiver: &AlertReceiver) -> Grouping {
    Grouping { wait: receiver.group_wait, interval: receiver.group_interval }
}

/// Whether it has a channel that keeps incidents of its own.
pub(super) fn has_stateful(receiver: &AlertReceiver) -> bool {
    receiver.channels.iter().any(ironlance_core::alerting::channel::Channel::is_stateful)
}

/// A line of the history about an incident and a receiver.
pub(super) fn decided(
    situation: &Situation<'_>,
    key: &IncidentKey,
    incident: u64,
    receiver: Option<&str>,
    what: Verdict,
) -> Effect {
    Effect::Decided(Decision {
        at: situation.now.wall_millis(),
        incident: Some(incident),
        subject: Some(key.subject.clone()),
        family: Some(key.family),
        receiver: receiver.map(str::to_owned),
        what,
    })
}

/// Makes the message of a bucket where it is due.
pub(super) fn flush(
    bucket: &mut Bucket,
    receiver: &AlertReceiver,
    memory: &mut ReceiverMemory,
    situation: &Situation<'_>,
    next_message: &mut u64,
    effects: &mut Vec<Effect>,
) {
    let now = situation.time();
    release(bucket, receiver, situation);
    let is_due = bucket.due.is_some_and(|due| due <= now);
    let is_remind = bucket.known.values().any(|known| known.remind.is_some_and(|at| at <= now));
    if !is_due && !is_remind {
        return;
    }
    if let Some(last) = bucket.last
        && now < last.after(receiver.group_interval)
    {
        postpone(bucket, last.after(receiver.group_interval));
        return;
    }
    if is_due {
        judge(bucket, receiver, situation, effects);
    }
    let reminders = if is_remind { reminders(bucket, receiver, situation) } else { Vec::new() };
    let has_news = is_due && bucket.changed.values().any(|change| change.hold.is_none());
    let has_asides = is_due && bucket.has_due_asides;
    if !has_news && !has_asides && reminders.is_empty() {
        if is_due {
            bucket.due = None;
        }
        return;
    }
    if let Some((reason, until)) = memory.budget.refusal(receiver, &memory.waiting, now) {
        if !bucket.is_paced {
            bucket.is_paced = true;
            for (key, change) in bucket.changed.iter().filter(|(_, change)| change.hold.is_none()) {
                let what = Verdict::Paced(reason.clone());
                effects.push(decided(situation, key, change.incident, Some(&receiver.name), what));
            }
        }
        postpone(bucket, until);
        return;
    }
    let message = *next_message;
    let mut draft = Draft::default();
    if is_due {
        tell_changes(bucket, receiver, situation, message, &mut draft);
        bucket.due = None;
        bucket.has_due_asides = false;
    }
    for key in reminders {
        tell_reminder(bucket, receiver, situation, &key, message, &mut draft);
    }
    bucket.is_paced = false;
    let quiet = std::mem::take(&mut draft.quiet);
    if !draft.items.is_empty() || has_asides {
        *next_message += 1;
        bucket.last = Some(now);
        let asides = std::mem::take(&mut bucket.asides);
        send(draft, asides, receiver, memory, situation, message, effects);
    }
    if !quiet.is_empty() && has_stateful(receiver) {
        effects.push(notice(
            next_number(next_message),
            receiver,
            Audience::Stateful,
            CardKind::Recovered,
            quiet,
        ));
    }
}

/// Takes the holds away that do not hold any more.
fn release(bucket: &mut Bucket, receiver: &AlertReceiver, situation: &Situation<'_>) {
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

/// Whether it is bad at the moment, or bad as a whole.
fn is_burning(record: &IncidentRecord) -> bool {
    record.machine.state == IncidentState::Firing
        || (record.is_up() && matches!(record.machine.phase(), Phase::Loop | Phase::Flapping))
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
fn judge(
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

/// The reminders that are due; puts those off that may not come now.
fn reminders(bucket: &mut Bucket, receiver: &AlertReceiver, situation: &Situation<'_>) -> Vec<IncidentKey> {
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

/// Puts off what is due.
fn postpone(bucket: &mut Bucket, until: WatchTime) {
    bucket.due = bucket.due.map(|due| due.max(until));
    for known in bucket.known.values_mut() {
        known.remind = known.remind.map(|at| at.max(until));
    }
}

/// Puts the changes that nothing holds into a draft.
fn tell_changes(
    bucket: &mut Bucket,
    receiver: &AlertReceiver,
    situation: &Situation<'_>,
    message: u64,
    draft: &mut Draft,
) {
    let free = bucket.changed.iter().filter(|(_, change)| change.hold.is_none());
    let keys = free.map(|(key, _)| key.clone()).collect::<Vec<_>>();
    for key in keys {
        let Some(change) = bucket.changed.remove(&key) else { continue };
        let is_over = matches!(change.kind, BucketChangeKind::Over | BucketChangeKind::Recovered);
        let known = bucket.known.get(&key);
        let sort = match (change.kind, &change.held) {
            (BucketChangeKind::Acked, _) => Sort::Acked,
            (_, Some(Hold::Quiet { .. })) => Sort::Digest,
            (BucketChangeKind::Over | BucketChangeKind::Recovered, _) => Sort::Over,
            (_, Some(_)) => Sort::Held,
            (_, None) if known.is_some_and(|known| !known.is_up && known.incident == change.incident) => {
                Sort::Worse
            }
            (_, None) => Sort::New,
        };
        let marks = change.held.iter().filter_map(|hold| hold.mark(&key.subject)).chain(change.marks.clone());
        for mark in marks {
            if !draft.marks.contains(&mark) {
                draft.marks.push(mark);
            }
        }
        if let Some(item) = change.closed {
            let was_opened = bucket.known.remove(&key).is_some_and(|known| known.incident == item.incident);
            let is_quiet = change.kind == BucketChangeKind::Recovered
                && !routing::wants_recoveries(situation.config, receiver, &key.subject);
            if is_quiet {
                draft.quiet.extend(was_opened.then_some(*item));
                continue;
            }
            draft.items.push(*item);
        } else if let Some(record) = situation.incidents.get(&key).filter(|_| !is_over) {
            know(bucket, receiver, situation, record, message);
            draft.items.push(situation.item(record));
        } else {
            continue;
        }
        draft.sorts.push(sort);
        draft.keys.push(key);
    }
}

/// Notes that an incident is told.
fn know(
    bucket: &mut Bucket,
    receiver: &AlertReceiver,
    situation: &Situation<'_>,
    record: &IncidentRecord,
    message: u64,
) {
    let now = situation.time();
    let before = bucket.known.get(&record.key).filter(|known| known.incident == record.number);
    let known = KnownIncident {
        incident: record.number,
        phase: record.machine.phase(),
        is_up: record.is_blip(),
        at: now,
        message,
        unacked_since: before.map_or(now, |known| known.unacked_since),
        remind: receiver.repeat.map(|repeat| now.after(repeat)),
        is_escalated: before.is_some_and(|known| known.is_escalated),
        is_fallen_back: before.is_some_and(|known| known.is_fallen_back),
    };
    bucket.known.insert(record.key.clone(), known);
}

/// Puts a reminder into a draft.
fn tell_reminder(
    bucket: &mut Bucket,
    receiver: &AlertReceiver,
    situation: &Situation<'_>,
    key: &IncidentKey,
    message: u64,
    draft: &mut Draft,
) {
    let Some(record) = situation.incidents.get(key) else { return };
    let now = situation.time();
    if let Some(known) = bucket.known.get_mut(key) {
        known.remind = receiver.repeat.map(|repeat| now.after(repeat));
        known.at = now;
        known.message = message;
    }
    draft.items.push(situation.item(record));
    draft.sorts.push(Sort::Reminder);
    draft.keys.push(key.clone());
}

/// Makes the message of a draft.
fn send(
    draft: Draft,
    asides: Vec<CardItem>,
    receiver: &AlertReceiver,
    memory: &mut ReceiverMemory,
    situation: &Situation<'_>,
    message: u64,
    effects: &mut Vec<Effect>,
) {
    let kind = draft.kind();
    for (key, item) in draft.keys.iter().zip(&draft.items) {
        let what = Verdict::Told { message, kind };
        effects.push(decided(situation, key, item.incident, Some(&receiver.name), what));
    }
    memory.budget.sent(receiver, draft.items.len(), situation.time());
    memory.waiting.insert(message);
    let Effect::Notify(made) = notice(message, receiver, Audience::All, kind, draft.items) else { return };
    let severity = asides.iter().map(|item| item.severity).chain([made.severity]).max();
    let asides = asides.into_iter().map(|item| cut_tail(item, receiver)).collect();
    let severity = severity.unwrap_or(made.severity);
    effects.push(Effect::Notify(Notice { asides, marks: draft.marks, severity, ..made }));
}

/// The number of a message.
pub(super) const fn next_number(next_message: &mut u64) -> u64 {
    let number = *next_message;
    *next_message += 1;
    number
}

/// A message of these items.
pub(super) fn notice(
    number: u64,
    receiver: &AlertReceiver,
    audience: Audience,
    kind: CardKind,
    items: Vec<CardItem>,
) -> Effect {
    let mut items = items.into_iter().map(|item| cut_tail(item, receiver)).collect::<Vec<_>>();
    items.sort_by(|one, other| {
        (other.severity, one.since, one.incident).cmp(&(one.severity, other.since, other.incident))
    });
    let severity = items.iter().map(|item| item.severity).max().unwrap_or(Severity::Info);
    let receiver = receiver.name.clone();
    let (asides, marks) = (Vec::new(), Vec::new());
    Effect::Notify(Notice { number, receiver, audience, kind, severity, items, asides, marks })
}

/// Leaves of the output the lines that the receiver wants.
fn cut_tail(mut item: CardItem, receiver: &AlertReceiver) -> CardItem {
    if receiver.log_lines == 0 {
        item.tail = None;
    } else if let Some(tail) = &mut item.tail {
        tail.lines.drain(..tail.lines.len().saturating_sub(receiver.log_lines));
    }
    item
}

impl Draft {
    /// What sort of message it is: what is new counts most.
    fn kind(&self) -> CardKind {
        let has = |sort| self.sorts.contains(&sort);
        if has(Sort::New) {
            CardKind::Firing
        } else if has(Sort::Worse) {
            CardKind::Worse
        } else if has(Sort::Digest) {
            CardKind::Digest
        } else if has(Sort::Held) {
            CardKind::Held
        } else if has(Sort::Over) {
            CardKind::Recovered
        } else if has(Sort::Reminder) {
            CardKind::Reminder
        } else if has(Sort::Acked) {
            CardKind::Acknowledged
        } else {
            CardKind::Firing
        }
    }
}
