//! PagerDuty's Events API v2 (`pagerduty=`): [`PagerDuty`] sends an event for each incident of a card.
//!
//! | incident | event |
//! |---|---|
//! | wrong, or up again and not yet over | `trigger`; a second one with the same key worsens it |
//! | acknowledged | `acknowledge` |
//! | over, stopped, removed | `resolve` |
//!
//! The same `dedup_key` makes a second delivery harmless. A `resolve` before its `trigger` would be dropped by PagerDuty, so
//! the queue is strictly in order.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::http::{HttpAnswer, HttpSender, Post, revealed};
use super::incident::{Incident, rfc3339};
use super::{DeliveryChannel, DeliveryError, DeliveryProgress, OutgoingAlert, Receipt};
use crate::card::{Card, CardKind};
use crate::render::card::{CardMessage, Detail};
use crate::secret::Secret;
use ironlance_net::HttpUrl;

/// The characters of a summary.
const MAX_SUMMARY: usize = 1024;
/// The characters of a key.
const MAX_KEY: usize = 255;
/// The bytes of an event.
const MAX_EVENT: usize = 512 * 1024;
/// After 429 and 5xx its documentation asks for a pause of a few minutes.
const PAUSE: Duration = Duration::from_secs(120);

/// A routing key and the server that takes it.
pub(super) struct PagerDuty {
    key: Secret,
    api: String,
    sender: HttpSender,
}

impl PagerDuty {
    pub(super) fn new(key: &Secret, api: &str, sender: HttpSender) -> Self {
        Self { key: key.clone(), api: api.to_owned(), sender }
    }
}

impl DeliveryChannel for PagerDuty {
    fn send(
        &mut self,
        outgoing: &OutgoingAlert<'_>,
        progress: &mut dyn DeliveryProgress,
    ) -> Result<Receipt, DeliveryError> {
        let message = outgoing.message()?;
        let key = revealed(&self.key)?;
        let url = HttpUrl::parse(&format!("{}/v2/enqueue", self.api)).map_err(|error| {
            DeliveryError::unreachable(format!("cannot use the URL of pagerduty_api=: {error}"))
        })?;
        let mut receipt = Receipt::default();
        for event in events(&message, key.trim()) {
            let answer = self.sender.send(Post::json(url.clone(), &event), progress)?;
            judge(&answer)?;
            receipt = answer.taken();
        }
        Ok(receipt)
    }
}

/// 202 is success. What is refused as invalid will never be taken.
fn judge(answer: &HttpAnswer) -> Result<(), DeliveryError> {
    match answer.status {
        202 => Ok(()),
        400 => Err(answer.rejected()),
        413 => Err(answer.unfit()),
        429 | 500..=599 => Err(answer.unreachable_for(answer.retry_after.unwrap_or(PAUSE))),
        _ => Err(answer.unreachable()),
    }
}

/// The events of a card.
fn events(message: &CardMessage<'_>, routing_key: &str) -> Vec<Value> {
    Incident::all(message).iter().map(|incident| event(message, incident, routing_key)).collect()
}

fn event(message: &CardMessage<'_>, incident: &Incident, routing_key: &str) -> Value {
    let (card, item) = (message.card, incident.item());
    let action = match card.kind {
        _ if incident.is_over() => "resolve",
        CardKind::Acknowledged => "acknowledge",
        _ => "trigger",
    };
    let mut event = json!({
        "routing_key": routing_key,
        "event_action": action,
        "dedup_key": dedup_key(&incident.key()),
    });
    if action != "trigger" {
        return event;
    }
    event["client"] = "ironlance".into();
    event["client_url"] = card.url.clone().into();
    if let Some(url) = &item.runbook {
        event["links"] = json!([{ "href": url, "text": "runbook" }]);
    }
    event["payload"] = json!({
        "summary": summary(incident),
        "source": if card.host.is_empty() { "unknown" } else { &card.host },
        "severity": item.severity.name(),
        "timestamp": rfc3339(item.since),
        "component": item.program,
        "group": item.group,
        "class": item.phase.name(),
        "custom_details": custom_details(card, incident, message.detail == Detail::Rich),
    });
    if event.to_string().len() > MAX_EVENT {
        event["payload"]["custom_details"] = custom_details(card, incident, false);
    }
    event
}

/// What happened where and why, in a line.
fn summary(incident: &Incident) -> String {
    let why = incident.why().map(|why| format!(": {why}")).unwrap_or_default();
    (incident.summary() + &why).chars().take(MAX_SUMMARY).collect()
}

fn custom_details(card: &Card, incident: &Incident, with_tail: bool) -> Value {
    let mut details = Map::new();
    let number = incident.item().incident;
    details.insert("incident".to_owned(), format!("{}#{number}", card.host).into());
    for fact in incident.facts() {
        details.insert(fact.key.to_owned(), fact.value.clone().into());
    }
    if let Some(tail) = incident.tail().filter(|_| with_tail) {
        details.insert(tail.stream.clone(), tail.lines.join("\n").into());
    }
    if !incident.notes().is_empty() {
        details.insert("notes".to_owned(), incident.notes().join("\n").into());
    }
    Value::Object(details)
}

/// A key that is not too long and still its own.
fn dedup_key(key: &str) -> String {
    if key.chars().count() <= MAX_KEY {
        return key.to_owned();
    }
    let start: String = key.chars().take(MAX_KEY - 9).collect();
    format!("{start}-{:08x}", crc32fast::hash(key.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::card::{ItemStatus, Language};
    use crate::render::card::samples;
    use proptest::prelude::*;

    const KEY: &str = "0123456789abcdef0123456789abcdef";

    fn events_of(card: &Card) -> Vec<Value> {
        events(&CardMessage { card, detail: Detail::Rich, late: None }, KEY)
    }

    #[test]
    fn a_crash_triggers_with_all_that_is_known() {
        let (_, card) = &samples::all(Language::English)[0];
        let expected = json!({
            "routing_key": KEY,
            "event_action": "trigger",
            "dedup_key": "ironlance/web1/supervisor/shop:web/down",
            "client": "ironlance",
            "client_url": "http://web1:9001/",
            "links": [{ "href": "https://wiki.example.com/shop-web", "text": "runbook" }],
            "payload": {
                "summary": "shop:web crashed on web1: killed by SIGKILL, by the kernel: out of memory",
                "source": "web1",
                "severity": "error",
                "timestamp": "2026-11-30T01:48:11Z",
                "component": "shop:web",
                "group": "shop",
                "class": "crash",
                "custom_details": {
                    "incident": "web1#42",
                    "why": "killed by SIGKILL, by the kernel: out of memory",
                    "now": "running again since 09:48:12, pid 4802",
                    "ran_for": "2 min 3 s",
                    "ends": "2 in 10 min",
                    "ended": "2026-11-30 09:48:11 +0800",
                    "stderr": "Traceback (most recent call last):\n  File \"/srv/shop/app_main.py\", line 42, in <module>\n\
                        MemoryError: can't allocate *4 GB* for [cache_map] & friends <at id=all> <!channel> <@all> @all",
                },
            },
        });
        assert_eq!(events_of(card), [expected]);
    }

    #[test]
    fn the_end_resolves_and_an_ack_acknowledges_by_the_same_key() {
        let (_, mut card) = samples::all(Language::English).remove(0);
        let told = |card: &Card| {
            let event = &events_of(card)[0];
            (event["event_action"].clone(), event["dedup_key"].clone(), event["payload"].clone())
        };
        let key = Value::from("ironlance/web1/supervisor/shop:web/down");
        card.kind = CardKind::Acknowledged;
        assert_eq!(told(&card), ("acknowledge".into(), key.clone(), Value::Null));
        for status in
            [ItemStatus::Recovered, ItemStatus::StoppedByOperator, ItemStatus::Removed, ItemStatus::Shutdown]
        {
            card.items[0].status = status;
            assert_eq!(told(&card), ("resolve".into(), key.clone(), Value::Null), "{status:?}");
        }
    }

    #[test]
    fn a_long_key_is_cut_and_stays_its_own() {
        let (a, b) = (dedup_key(&("x".repeat(300) + "a")), dedup_key(&("x".repeat(300) + "b")));
        assert_eq!((a.len(), b.len()), (MAX_KEY, MAX_KEY));
        assert_ne!(a, b);
    }

    proptest! {
        #[test]
        fn every_card_makes_events_within_the_limits(card in samples::any_card()) {
            for event in events_of(&card) {
                prop_assert!(event.to_string().len() <= MAX_EVENT);
                prop_assert!(event["dedup_key"].as_str().unwrap().chars().count() <= MAX_KEY);
                if event["event_action"] == "trigger" {
                    let payload = &event["payload"];
                    let summary = payload["summary"].as_str().unwrap();
                    prop_assert!(!summary.is_empty() && summary.chars().count() <= MAX_SUMMARY);
                    prop_assert!(!payload["source"].as_str().unwrap().is_empty());
                }
            }
        }
    }
}
