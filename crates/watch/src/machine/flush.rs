//! From a bucket to a message: [`flush`], when its time has come. Asks the mutes, the severity and the budget of the receiver.

use std::collections::BTreeSet;

use ironlance_alert::card::{CardItem, CardKind};
use ironlance_config::alerting::AlertReceiver;
use serde::{Deserialize, Serialize};

use super::bucket::{Bucket, BucketChangeKind, KnownIncident};
use super::budget::Budget;
use super::clock::WatchTime;
use super::effect::{Audience, Effect, Hold, Notice, Verdict};
use super::held::{judge, release};
use super::notice::{NoticeDraft, Sort, cut_tail, decided, has_stateful, next_number, notice};
use super::record::{IncidentRecord, Situation};
use super::reminder::reminders;
use super::routing;
use super::subject::IncidentKey;

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
    let mut draft = NoticeDraft::default();
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
    draft: &mut NoticeDraft,
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
    draft: &mut NoticeDraft,
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
    draft: NoticeDraft,
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
