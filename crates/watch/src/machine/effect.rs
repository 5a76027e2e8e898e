//! What the machines decide: [`Effect`] of [`super::Watch::step`]. All of it is data; `store` and `source` carry it out.

use ironlance_alert::card::{CardItem, CardKind, Mark};
use ironlance_config::alerting::Action;
use ironlance_core::Namespec;
use ironlance_core::alerting::incident::{AlertCause, Family, Phase, Severity};
use serde::{Deserialize, Serialize};

use super::subject::Subject;

/// What is to be done, in this order.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Tell a receiver.
    Notify(Notice),
    /// Do something about a program; answered by [`super::Input::Acted`].
    Act {
        /// The program.
        program: Namespec,
        /// What. Never `Notify`; the budget of a restart is judged already.
        action: Action,
    },
    /// A line for the history.
    Decided(Decision),
    /// An incident is over; for the history.
    Closed(ClosedIncident),
}

/// A message to one receiver: what a card is made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// Counts up; names the messages in the outbox.
    pub number: u64,
    /// The receiver, `[alert:x]`'s `x`.
    pub receiver: String,
    /// Which of its channels.
    pub audience: Audience,
    /// What sort of message it is.
    pub kind: CardKind,
    /// The highest severity of its items.
    pub severity: Severity,
    /// All of its incidents, by severity, then by age: more than `max_items=` of the receiver, perhaps.
    pub items: Vec<CardItem>,
    /// Further lines for people, not for channels that keep incidents: programs that were started or stopped. Not empty
    /// where there is no item.
    pub asides: Vec<CardItem>,
    /// What the reader has to know of the message itself.
    pub marks: Vec<Mark>,
}

/// Which channels of a receiver get a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// All. Channels that keep incidents get each item by itself.
    All,
    /// Only those that keep incidents of their own: each item is closed or acknowledged there.
    Stateful,
    /// Only Alertmanager: nothing is new, but it forgets what it is not told again.
    Refresh,
}

/// Why something was told, or was not: a line of the history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// When, in milliseconds since 1970.
    pub at: u64,
    /// The incident; none for silences.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<u64>,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Subject>,
    /// The family.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<Family>,
    /// The receiver, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receiver: Option<String>,
    /// What was decided, and why.
    pub what: Verdict,
}

/// What was decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The incident began.
    Opened(Phase),
    /// It became worse.
    Worse(Phase),
    /// It is well at the moment.
    Up,
    /// It is bad again.
    Again,
    /// It is over.
    Closed(CloseReason),
    /// There are too many incidents: this one is not followed.
    TooMany,
    /// The receiver is not told.
    NotRouted(RefusalReason),
    /// It waits for its message until this time (milliseconds since 1970).
    Due(u64),
    /// It is held back.
    Held(Hold),
    /// It was over before the hold ended, and is not told any more.
    Dropped(Hold),
    /// It was told by this message.
    Told {
        /// [`Notice::number`].
        message: u64,
        /// What sort of message it was.
        kind: CardKind,
    },
    /// The receiver's pace or its full outbox makes it wait.
    Paced(PaceReason),
    /// It goes to this receiver as well, as it was not acknowledged.
    Escalated {
        /// The other receiver.
        to: String,
    },
    /// It goes to this receiver as well, as it could not be delivered.
    FellBack {
        /// The other receiver.
        to: String,
        /// Why.
        reason: String,
    },
    /// It was acknowledged.
    Acked {
        /// Who.
        by: String,
        /// Until when; to its end where there is none.
        until: Option<u64>,
        /// Why.
        comment: String,
    },
    /// The acknowledgement is gone: somebody took it back, or the incident became worse.
    Unacked {
        /// Who; nobody where it became worse.
        by: Option<String>,
    },
    /// A silence was added.
    SilenceAdded(u64),
    /// A silence has ended.
    SilenceEnded {
        /// Which.
        id: u64,
        /// Who ended it; nobody where its time was over.
        by: Option<String>,
    },
    /// A command of an operator cannot be followed.
    Refused(String),
    /// An action is done about it.
    Acting(String),
    /// An action is not done: its budget is used up.
    NotActing(String),
}

/// Why an incident is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CloseReason {
    /// It was well for long enough.
    Well,
    /// An operator stopped the program.
    Operator,
    /// The program or the check was removed.
    Removed,
    /// The supervisor stopped.
    Shutdown,
}

/// Why a receiver is not told of something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalReason {
    /// `alert=` of the program names others.
    NotNamed,
    /// `only=` or `except=` leave it out.
    NotSelected,
    /// The cause is not in its `on=`.
    ReceiverCause(AlertCause),
    /// The cause is not in the program's `alert_on=`.
    ProgramCause(AlertCause),
    /// It is less severe than `severity=`.
    Severity(Severity),
    /// It began before the receiver was configured.
    Earlier,
    /// It is about this receiver itself, or the receiver's fallback is told.
    Itself,
}

/// Why a message is held back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hold {
    /// The supervisor is stopping.
    Shutdown,
    /// The program itself is down, or does not run.
    SameProgram,
    /// A silence that an operator asked for.
    Silence {
        /// Its number.
        id: u64,
        /// Who.
        by: String,
        /// Until when, in milliseconds since 1970.
        until: u64,
        /// Why.
        comment: String,
    },
    /// A `[silence:x]`.
    SilenceWindow {
        /// The `x`.
        name: String,
        /// `when=`.
        window: String,
        /// Why.
        comment: String,
    },
    /// The receiver's quiet hours.
    Quiet {
        /// `quiet=`.
        window: String,
    },
}

/// Why a message has to wait that is due.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaceReason {
    /// This number of messages waits in the outbox.
    Backlog(usize),
    /// The pace of this channel.
    Channel(String),
}

/// An incident that is over, for the history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClosedIncident {
    /// Why it is over.
    pub reason: CloseReason,
    /// What it was.
    pub item: CardItem,
    /// The receivers that knew of it.
    pub receivers: Vec<String>,
}
