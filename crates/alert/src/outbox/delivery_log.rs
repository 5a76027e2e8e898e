//! Who got what, and when: the file `log` of the outbox, a [`DeliveryRecord`] for each alert that a channel has taken or that was
//! given up. Written by the deliverer, without secrets; not synced.

use ironlance_core::redact::redact;
use ironlance_host::line_log::LineLog;
use serde::{Deserialize, Serialize};

use super::{Outbox, unix_time};
use crate::alert::Alert;

/// The length at which the file is followed by a new one, in bytes.
const MAX_BYTES: u64 = 1 << 20;
/// The number of older files.
const OLDER: usize = 4;
/// The most characters of an answer or a reason that are kept.
const MAX_WORDS: usize = 500;

/// What became of an alert, for all of its recipients or some.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryRecord {
    /// When, in seconds since 1970.
    pub at: i64,
    /// The alert's id.
    pub id: String,
    /// Which listener it is of: see [`Alert::origin`].
    pub origin: String,
    /// The name of the receiver; empty where it has none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub receiver: String,
    /// The addresses and the channel.
    pub to: String,
    /// What it was about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// How it ended.
    pub outcome: DeliveryOutcome,
}

/// How the delivery of an alert has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryOutcome {
    /// The channel has taken it, with this answer; empty where there is none.
    Taken(String),
    /// It was given up for this reason.
    GivenUp(String),
}

impl DeliveryRecord {
    /// What became of this alert at this time (seconds since 1970).
    pub fn of(alert: &Alert, outcome: DeliveryOutcome, at: i64) -> Self {
        let plain = |words: &str| redact(words).chars().take(MAX_WORDS).collect::<String>();
        Self {
            at,
            id: alert.id.clone(),
            origin: redact(&alert.origin),
            receiver: alert.receiver.name.clone(),
            to: alert.receiver.to_string(),
            subject: alert.subject.clone(),
            outcome: match outcome {
                DeliveryOutcome::Taken(answer) => DeliveryOutcome::Taken(plain(&answer)),
                DeliveryOutcome::GivenUp(reason) => DeliveryOutcome::GivenUp(plain(&reason)),
            },
        }
    }
}

impl Outbox {
    /// What was delivered and given up: the records are of [`DeliveryRecord`].
    pub fn delivery_log(&self) -> LineLog {
        LineLog::new(self.dir().join("log"), MAX_BYTES, OLDER)
    }

    /// Notes what became of an alert. A full disk may refuse it: it is only for people.
    pub(crate) fn note_delivery(&self, alert: &Alert, outcome: DeliveryOutcome) {
        let record = DeliveryRecord::of(alert, outcome, unix_time());
        let _ = self.delivery_log().append(&[record]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbox::record::FailedAttempt;
    use crate::outbox::store::Store;

    #[test]
    fn what_a_channel_took_and_what_was_given_up_is_in_the_log() {
        let dir = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(dir.path()).unwrap();
        let [taken, dead] = ["taken", "dead"].map(|text| Alert::sample("mail", text));
        outbox.put(&dead, None).unwrap();
        outbox.note_taken(&taken, "250 OK");
        let attempt: FailedAttempt = serde_json::from_str(r#"{"at":1,"reason":"550 no"}"#).unwrap();
        outbox.dead_letter(&dead.id, &attempt).unwrap();
        let log = outbox.delivery_log().read::<DeliveryRecord>().unwrap();
        let shown: Vec<_> = log.records.into_iter().map(|record| (record.id, record.outcome)).collect();
        let taken = (taken.id, DeliveryOutcome::Taken("250 OK".to_owned()));
        assert_eq!(shown, [taken, (dead.id, DeliveryOutcome::GivenUp("550 no".to_owned()))]);
    }

    #[test]
    fn answers_are_kept_without_secrets_and_cut() {
        let alert = Alert::sample("mail", "text");
        let outcome = DeliveryOutcome::GivenUp(format!("{} https://u:secret@host/", "é".repeat(470)));
        let record = DeliveryRecord::of(&alert, outcome, 7);
        let DeliveryOutcome::GivenUp(reason) = record.outcome else { panic!("{record:?}") };
        assert!(!reason.contains("secret") && reason.chars().count() <= MAX_WORDS, "{reason}");
        assert_eq!((record.at, record.id), (7, alert.id));
    }
}
