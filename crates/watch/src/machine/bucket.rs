//! What one receiver knows of one group of incidents, and is to be told: [`Bucket`].
//!
//! ```text
//!   change ──▶ changed ──── due: first + group_wait, last + group_interval ────▶ known ──repeat──▶ reminder
//!                 │  held by a mute: stays                                          │
//!                 ▼  over before it was told, or told as up again: forgotten        ▼ Closed: changed once more
//! ```
//!
//! | change | does |
//! |---|---|
//! | Open, Worse, Handed | due; not up |
//! | Again, waiting already, or known to be bad and no crash | not up |
//! | Again, otherwise | due; not up |
//! | Up | up: the message will say "running again" |
//! | Closed, waiting and not known | is told as over; nothing where a mute holds it that forgets such, or at a shutdown |
//! | Closed(Well), known as up | forgotten: the message said so; channels that keep incidents close it |
//! | Closed(Well), known as bad | due, as recovered |
//! | Closed otherwise, known | forgotten; channels that keep incidents close it, people get a line in the next message |
//! | Closed, neither waiting nor known | |
//! | Acked, handed over by an escalation, and known | due |
//!
//! It makes no message itself: [`super::flush`] takes what is due, asks the mutes and the budget, and tells the bucket what
//! was told.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ironlance_alert::card::{CardItem, Mark};
use ironlance_core::alerting::incident::{Family, Phase};
use serde::{Deserialize, Serialize};

use super::clock::WatchTime;
use super::effect::{CloseReason, Hold};
use super::subject::IncidentKey;

/// The most lines beside incidents that wait for a message.
const MAX_ASIDES: usize = 100;

/// A bucket.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Bucket {
    pub(super) receiver: String,
    /// What its incidents agree in, by `group_by=`.
    pub(super) group: Vec<String>,
    #[serde(with = "super::pairs", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) changed: BTreeMap<IncidentKey, BucketChange>,
    #[serde(with = "super::pairs", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) known: BTreeMap<IncidentKey, KnownIncident>,
    /// What is well at the moment.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) up: BTreeSet<IncidentKey>,
    /// Lines for people beside incidents: in the next message.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) asides: Vec<CardItem>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) due: Option<WatchTime>,
    /// When the last message was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) last: Option<WatchTime>,
    /// Some of the lines make a message by themselves.
    #[serde(default)]
    pub(super) has_due_asides: bool,
    /// The pace of the receiver makes it wait.
    #[serde(default)]
    pub(super) is_paced: bool,
    /// When Alertmanager is to be told again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) refresh: Option<WatchTime>,
    /// When what is held is to be looked at again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) look_again: Option<WatchTime>,
}

/// A change that the receiver is to be told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct BucketChange {
    /// The number of the incident.
    pub(super) incident: u64,
    pub(super) kind: BucketChangeKind,
    /// The incident at its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) closed: Option<Box<CardItem>>,
    /// What the reader has to know of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) marks: Vec<Mark>,
    /// What holds it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) hold: Option<Hold>,
    /// What held it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) held: Option<Hold>,
}

/// What sort of change it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum BucketChangeKind {
    /// It is bad.
    Bad,
    /// It was never told, and is over.
    Over,
    /// It is known, and over.
    Recovered,
    /// Another receiver hands it over.
    Handed,
    /// It was acknowledged.
    Acked,
}

/// What the receiver knows of an incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KnownIncident {
    /// The number of the incident.
    pub(super) incident: u64,
    /// The worst phase that was told.
    pub(super) phase: Phase,
    /// It was told that it is up again.
    pub(super) is_up: bool,
    /// When it was told last, and by which message.
    pub(super) at: WatchTime,
    pub(super) message: u64,
    /// Since when nobody has acknowledged it.
    pub(super) unacked_since: WatchTime,
    /// When the next reminder is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) remind: Option<WatchTime>,
    /// It was handed over because nobody acknowledged it.
    #[serde(default)]
    pub(super) is_escalated: bool,
    /// It was handed over because it could not be delivered.
    #[serde(default)]
    pub(super) is_fallen_back: bool,
}

/// What happens to an incident, as a bucket sees it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum BucketInput {
    /// It began or became worse.
    Bad,
    /// It is bad again, in this phase at worst.
    Again(Phase),
    /// It is well at the moment.
    Up,
    /// It is over.
    Closed(CloseReason, Box<CardItem>),
    /// Another receiver hands it over, for this reason.
    Handed(Mark),
    /// It was acknowledged.
    Acked(Mark),
}

/// What has to be done at once.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum BucketEffect {
    /// Channels that keep incidents close it.
    Close(Box<CardItem>),
    /// It is not told any more: this held it until it was over.
    Dropped(Hold),
}

/// `group_wait=` and `group_interval=`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grouping {
    pub(super) wait: Duration,
    pub(super) interval: Duration,
}

impl Bucket {
    pub(super) fn new(receiver: &str, group: Vec<String>) -> Self {
        Self { receiver: receiver.to_owned(), group, ..Self::default() }
    }

    /// Whether it has anything to do with an incident.
    pub(super) fn concerns(&self, key: &IncidentKey) -> bool {
        self.changed.contains_key(key) || self.known.contains_key(key)
    }

    /// Whether nothing is to be remembered of it.
    pub(super) fn is_spent(&self, interval: Duration, now: WatchTime) -> bool {
        self.changed.is_empty()
            && self.known.is_empty()
            && self.asides.is_empty()
            && self.last.is_none_or(|last| now.since(last) >= interval)
    }

    /// Takes a change of an incident in.
    pub(super) fn put(
        &mut self,
        key: &IncidentKey,
        incident: u64,
        input: BucketInput,
        grouping: Grouping,
        now: WatchTime,
    ) -> Option<BucketEffect> {
        match input {
            BucketInput::Up => {
                if self.concerns(key) {
                    self.up.insert(key.clone());
                }
                None
            }
            BucketInput::Bad => self.change(key, incident, BucketChangeKind::Bad, None, grouping, now),
            BucketInput::Again(phase) => {
                self.up.remove(key);
                let is_crash = key.family == Family::Down && matches!(phase, Phase::Crash | Phase::Backoff);
                let is_known_bad = self.known.get(key).is_some_and(|known| !known.is_up);
                if self.changed.contains_key(key) || (is_known_bad && !is_crash) {
                    return None;
                }
                self.change(key, incident, BucketChangeKind::Bad, None, grouping, now)
            }
            BucketInput::Handed(mark) => {
                self.change(key, incident, BucketChangeKind::Handed, Some(mark), grouping, now)
            }
            BucketInput::Acked(mark) => {
                if self.changed.contains_key(key) {
                    return None;
                }
                let is_up = self.up.contains(key);
                let effect = self.change(key, incident, BucketChangeKind::Acked, Some(mark), grouping, now);
                if is_up {
                    self.up.insert(key.clone());
                }
                effect
            }
            BucketInput::Closed(reason, item) => self.close(key, incident, reason, item, grouping, now),
        }
    }

    /// Adds a line that is about no incident and makes a message by itself.
    pub(super) fn put_aside(&mut self, item: CardItem, grouping: Grouping, now: WatchTime) {
        self.keep_aside(item);
        self.has_due_asides = true;
        self.make_due(grouping, now);
    }

    /// Adds a line for the next message.
    pub(super) fn keep_aside(&mut self, item: CardItem) {
        if self.asides.len() >= MAX_ASIDES {
            self.asides.remove(0);
        }
        self.asides.push(item);
    }

    /// Makes it due as a change does.
    pub(super) fn make_due(&mut self, grouping: Grouping, now: WatchTime) {
        let next = self.earliest(grouping.interval, now.after(grouping.wait));
        self.due = Some(self.due.map_or(next, |due| due.min(next)));
    }

    /// When a message may be made that is wanted at a time.
    pub(super) fn earliest(&self, interval: Duration, wanted: WatchTime) -> WatchTime {
        self.last.map_or(wanted, |last| wanted.max(last.after(interval)))
    }

    fn change(
        &mut self,
        key: &IncidentKey,
        incident: u64,
        kind: BucketChangeKind,
        mark: Option<Mark>,
        grouping: Grouping,
        now: WatchTime,
    ) -> Option<BucketEffect> {
        self.up.remove(key);
        let before = self.changed.remove(key);
        let mut change =
            BucketChange { incident, kind, closed: None, marks: Vec::new(), hold: None, held: None };
        let mut effect = None;
        if let Some(before) = before {
            if before.incident == incident {
                if before.kind == BucketChangeKind::Handed {
                    change.kind = BucketChangeKind::Handed;
                }
                change.marks = before.marks;
                change.hold = before.hold;
                change.held = before.held;
            } else {
                // The end of the one before was not told yet: for people it goes on.
                effect = before
                    .closed
                    .filter(|_| before.kind == BucketChangeKind::Recovered)
                    .map(BucketEffect::Close);
            }
        }
        change.marks.extend(mark);
        self.changed.insert(key.clone(), change);
        self.make_due(grouping, now);
        effect
    }

    fn close(
        &mut self,
        key: &IncidentKey,
        incident: u64,
        reason: CloseReason,
        item: Box<CardItem>,
        grouping: Grouping,
        now: WatchTime,
    ) -> Option<BucketEffect> {
        self.up.remove(key);
        let waiting = self.changed.remove(key);
        let Some(known) = self.known.get(key) else {
            let waiting = waiting?;
            if reason == CloseReason::Shutdown {
                return Some(BucketEffect::Dropped(Hold::Shutdown));
            }
            if let Some(hold) = waiting.hold.as_ref().filter(|hold| !hold.keeps_what_is_over()) {
                return Some(BucketEffect::Dropped(hold.clone()));
            }
            let change = BucketChange { kind: BucketChangeKind::Over, closed: Some(item), ..waiting };
            self.changed.insert(key.clone(), change);
            return None;
        };
        if reason != CloseReason::Well || known.is_up {
            // What is known may be the incident before, whose end was not told yet.
            let is_this = known.incident == incident;
            self.known.remove(key);
            if reason != CloseReason::Well {
                self.keep_aside((*item).clone());
            }
            return is_this.then_some(BucketEffect::Close(item));
        }
        let change = BucketChange {
            incident,
            kind: BucketChangeKind::Recovered,
            closed: Some(item),
            marks: Vec::new(),
            hold: None,
            held: None,
        };
        self.changed.insert(key.clone(), change);
        self.make_due(grouping, now);
        None
    }
}
