//! What the machines show: [`OpenIncident`] for lists and the page, [`Explanation`] for `alerts explain`.

use ironlance_config::alerting::ValueSource;
use ironlance_core::alerting::incident::{AlertCause, Family, Phase, Severity};
use serde::{Deserialize, Serialize};

use super::effect::{Hold, PaceReason, RefusalReason};
use super::subject::Subject;

/// An incident that is not over. Times are milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OpenIncident {
    /// Its number.
    pub number: u64,
    /// What it is about.
    pub subject: Subject,
    /// The family.
    pub family: Family,
    /// The phase.
    pub phase: Phase,
    /// How much it matters.
    pub severity: Severity,
    /// It is well at the moment, and not yet for long enough.
    pub is_up: bool,
    /// Since when it is wrong.
    pub since: u64,
    /// How many times it happened.
    pub times: u32,
    /// Who acknowledged it.
    pub ack: Option<Acknowledgement>,
    /// Who was told, and who will be.
    pub receivers: Vec<IncidentReceiver>,
}

/// An acknowledgement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledgement {
    /// Who.
    pub by: String,
    /// When, in milliseconds since 1970.
    pub at: u64,
    /// Until when; to the end of the incident where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<u64>,
    /// Why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub comment: String,
}

/// What a receiver knows of an incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IncidentReceiver {
    /// The receiver.
    pub receiver: String,
    /// When it was told last, and by which message.
    pub last: Option<(u64, u64)>,
    /// When the next message is due.
    pub due: Option<u64>,
    /// What holds the next message back.
    pub hold: Option<Hold>,
}

/// What would happen if a cause came up now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// How much it would matter.
    pub severity: Severity,
    /// Where that stands; `None` where it is built in.
    pub severity_source: Option<ValueSource>,
    /// What each receiver would be told, in the order of the configuration.
    pub receivers: Vec<ReceiverExplanation>,
    /// The incidents of this program that are open; one of them may be this one already.
    pub open: Vec<OpenIncident>,
}

/// What one receiver would be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiverExplanation {
    /// The receiver.
    pub receiver: String,
    /// Whether it is told, and by which rule.
    pub route: RouteExplanation,
    /// It knows of it already: it would not be told once more.
    pub knows: bool,
    /// What would hold the message back.
    pub hold: Option<Hold>,
    /// Where that stands in the configuration, if it does.
    pub hold_source: Option<ValueSource>,
    /// What would make it wait for its turn.
    pub pace: Option<PaceReason>,
    /// When it would be told, in milliseconds since 1970; `None` if not, or if what it waits for has no known end.
    pub at: Option<u64>,
}

/// Why a receiver is told or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteExplanation {
    /// Why not; `None` where it is told.
    pub refusal: Option<RefusalReason>,
    /// The key that decides: `alert`, `only`, `except`, `on`, `alert_on`, `severity`; none where no key does.
    pub key: Option<&'static str>,
    /// Where it stands: the key, or else the receiver's section.
    pub source: ValueSource,
    /// By whose escalation it is told all the same, and when (milliseconds since 1970).
    pub escalation: Option<(String, u64)>,
    /// The cause that was judged.
    pub cause: AlertCause,
}
