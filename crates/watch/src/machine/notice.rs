//! The parts of a message, and the lines of the history: [`NoticeDraft`] and [`notice`].

use ironlance_alert::card::{CardItem, CardKind, Mark};
use ironlance_config::alerting::AlertReceiver;
use ironlance_core::alerting::channel::Channel;
use ironlance_core::alerting::incident::Severity;

use super::bucket::Grouping;
use super::effect::{Audience, Decision, Effect, Notice, Verdict};
use super::record::Situation;
use super::subject::IncidentKey;

/// A message in the making.
#[derive(Debug, Default)]
pub(super) struct NoticeDraft {
    pub(super) items: Vec<CardItem>,
    /// What only channels that keep incidents are told.
    pub(super) quiet: Vec<CardItem>,
    pub(super) marks: Vec<Mark>,
    /// What each item is to the receiver.
    pub(super) sorts: Vec<Sort>,
    pub(super) keys: Vec<IncidentKey>,
}

/// What an item is to the receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
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
    receiver.channels.iter().any(Channel::is_stateful)
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
pub(super) fn cut_tail(mut item: CardItem, receiver: &AlertReceiver) -> CardItem {
    if receiver.log_lines == 0 {
        item.tail = None;
    } else if let Some(tail) = &mut item.tail {
        tail.lines.drain(..tail.lines.len().saturating_sub(receiver.log_lines));
    }
    item
}

impl NoticeDraft {
    /// What sort of message it is: what is new counts most.
    pub(super) fn kind(&self) -> CardKind {
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
