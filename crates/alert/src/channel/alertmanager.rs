//! Alertmanager's API v2 (`alertmanager=`): [`Alertmanager`] posts the incidents of a card.
//!
//! Alertmanager takes for over what it is not told again in time: `watch` tells it each minute what still burns, and each
//! post is good for five minutes. So nothing has to be remembered here, and a host that is gone resolves by itself.
//!
//! | incident | `endsAt` |
//! |---|---|
//! | wrong, or up again and not yet over | five minutes from now |
//! | over | when it was over; of the family `down` not before `alertmanager_hold`, since a crash that is over within Alertmanager's `group_wait` would never be told |
//!
//! Of two ends that are both to come Alertmanager keeps the later: a crash that is over before its hold ends five minutes after
//! its last post at the latest. An end that has passed counts at once.

use serde_json::{Value, json};

use super::http::{HttpAnswer, HttpSender, Post, secret_url};
use super::incident::{Incident, rfc3339};
use super::{DeliveryChannel, DeliveryError, DeliveryProgress, OutgoingAlert, Receipt};
use crate::card::CardKind;
use crate::outbox::unix_time;
use crate::render::card::{CardMessage, Detail};
use crate::secret::Secret;
use ironlance_core::alerting::incident::Family;

/// For how many seconds a post is good.
const GOOD_FOR: i64 = 300;

/// One member of a cluster.
pub(super) struct Alertmanager {
    url: Secret,
    hold: i64,
    sender: HttpSender,
}

impl Alertmanager {
    pub(super) fn new(url: &Secret, hold: u64, sender: HttpSender) -> Self {
        Self { url: url.clone(), hold: i64::try_from(hold).unwrap_or(i64::MAX), sender }
    }
}

impl DeliveryChannel for Alertmanager {
    fn send(
        &mut self,
        outgoing: &OutgoingAlert<'_>,
        progress: &mut dyn DeliveryProgress,
    ) -> Result<Receipt, DeliveryError> {
        let message = outgoing.message()?;
        let now = unix_time();
        if is_outdated(&message, now) {
            return Ok(Receipt { answer: "out of date: not posted".to_owned(), ..Receipt::default() });
        }
        let alerts = alerts(&message, now, self.hold);
        if alerts.is_empty() {
            return Ok(Receipt { answer: "nothing to post".to_owned(), ..Receipt::default() });
        }
        let url = secret_url("alertmanager", &self.url)?;
        let path = url.target.trim_end_matches('/');
        let target = format!("{path}/api/v2/alerts");
        let answer = self.sender.send(Post::json(url.with_target(&target), &alerts), progress)?;
        judge(&answer)?;
        Ok(answer.taken())
    }
}

/// 200 is success. 400 means an invalid label: the other alerts of the post were taken, and the answer names the label.
fn judge(answer: &HttpAnswer) -> Result<(), DeliveryError> {
    match answer.status {
        200 => Ok(()),
        400 => Err(answer.rejected()),
        413 | 422 => Err(answer.unfit()),
        _ => Err(answer.unreachable()),
    }
}

/// Whether a later message has told it again: `watch` does so each minute.
fn is_outdated(message: &CardMessage<'_>, now: i64) -> bool {
    message.card.kind == CardKind::Reminder && now.saturating_sub(message.card.at) >= GOOD_FOR
}

/// The alerts of a card. Alertmanager knows no acknowledgements.
fn alerts(message: &CardMessage<'_>, now: i64, hold: i64) -> Vec<Value> {
    let card = message.card;
    if card.kind == CardKind::Acknowledged {
        return Vec::new();
    }
    let alert = |incident: &Incident| {
        let item = incident.item();
        let ends_at = if incident.is_over() {
            let held_until =
                if item.family == Family::Down { item.since.saturating_add(hold) } else { item.since };
            item.until.unwrap_or(card.at).max(held_until)
        } else {
            now.saturating_add(GOOD_FOR)
        };
        let mut annotations = incident.annotations();
        if message.detail != Detail::Rich {
            annotations.retain(|name, _| matches!(name.as_str(), "summary" | "phase" | "description"));
        }
        let mut alert = json!({
            "labels": incident.labels(),
            "annotations": annotations,
            "startsAt": rfc3339(item.since),
            "endsAt": rfc3339(ends_at.max(item.since)),
        });
        // It is refused where it is no URI: not in a plainer form.
        if let Some(url) = card.url.as_ref().filter(|_| message.detail == Detail::Rich) {
            alert["generatorURL"] = url.clone().into();
        }
        alert
    };
    Incident::all(message).iter().map(alert).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::card::{Card, ItemStatus, Language};
    use crate::render::card::samples::{self, CRASHED_AT};
    use proptest::prelude::*;

    const HOLD: i64 = 300;

    fn alerts_of(card: &Card, now: i64) -> Vec<Value> {
        alerts(&CardMessage { card, detail: Detail::Rich, late: None }, now, HOLD)
    }

    #[test]
    fn a_crash_is_posted_with_its_labels() {
        let (_, card) = &samples::all(Language::English)[0];
        let mut alert = alerts_of(card, CRASHED_AT + 60).remove(0);
        assert_eq!(
            alert["labels"],
            json!({
                "alertname": "ProgramDown", "instance": "web1", "supervisor": "supervisor", "group": "shop",
                "program": "shop:web", "cause": "down", "severity": "error",
            })
        );
        assert_eq!(alert["annotations"]["summary"], "shop:web crashed on web1");
        assert_eq!(alert["annotations"]["phase"], "crash");
        let description = alert["annotations"]["description"].as_str().unwrap();
        assert!(
            description.starts_with("killed by SIGKILL, by the kernel: out of memory\nnow: running again")
        );
        alert["labels"] = Value::Null;
        alert["annotations"] = Value::Null;
        assert_eq!(
            alert,
            json!({
                "labels": null, "annotations": null, "generatorURL": "http://web1:9001/",
                "startsAt": "2026-11-30T01:48:11Z", "endsAt": "2026-11-30T01:54:11Z",
            })
        );
    }

    #[test]
    fn a_crash_that_is_over_is_held_and_a_long_one_ends_when_it_did() {
        let (_, mut card) = samples::all(Language::English).remove(0);
        card.items[0].status = ItemStatus::Recovered;
        let ends_at = |card: &Card| alerts_of(card, CRASHED_AT + 9999)[0]["endsAt"].clone();
        card.items[0].until = Some(CRASHED_AT + 12);
        assert_eq!(ends_at(&card), "2026-11-30T01:53:11Z");
        card.items[0].until = Some(CRASHED_AT + 600);
        assert_eq!(ends_at(&card), "2026-11-30T01:58:11Z");
        card.items[0].until = Some(CRASHED_AT + 12);
        card.items[0].family = Family::Health;
        assert_eq!(ends_at(&card), "2026-11-30T01:48:23Z");
        card.items[0].until = Some(CRASHED_AT - 3600);
        assert_eq!(ends_at(&card), "2026-11-30T01:48:11Z", "not before it began");
    }

    #[test]
    fn a_refresh_that_comes_late_and_an_ack_are_not_posted() {
        let (_, mut card) = samples::all(Language::English).remove(0);
        card.kind = CardKind::Reminder;
        let is_outdated =
            |card: &Card, now| is_outdated(&CardMessage { card, detail: Detail::Rich, late: None }, now);
        assert!(is_outdated(&card, card.at + GOOD_FOR) && !is_outdated(&card, card.at + 60));
        card.kind = CardKind::Firing;
        assert!(!is_outdated(&card, card.at + 99_999));
        card.kind = CardKind::Acknowledged;
        assert!(alerts_of(&card, card.at).is_empty());
    }

    proptest! {
        #[test]
        fn no_alert_ends_before_it_starts_or_has_a_label_that_is_refused(card in samples::any_card(), now in 0_i64..4_000_000_000) {
            for alert in alerts_of(&card, now) {
                prop_assert!(alert["startsAt"].as_str().unwrap() <= alert["endsAt"].as_str().unwrap() || now < card.items[0].since);
                for (name, value) in alert["labels"].as_object().unwrap() {
                    prop_assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'));
                    prop_assert!(!value.as_str().unwrap().is_empty());
                }
            }
        }
    }
}
