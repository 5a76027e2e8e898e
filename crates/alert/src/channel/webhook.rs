//! A web hook (`webhook=`): [`Webhook`] posts a card as Alertmanager's webhook of version 4, which many bridges read, or as a
//! CloudEvent 1.0. With `webhook_secret=` it is signed as Standard Webhooks asks.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use ironlance_core::alerting::channel::WebhookFormat;
use ironlance_core::text::url_encoding;
use serde_json::{Value, json};
use sha2::Sha256;

use super::http::{HttpSender, Post, revealed, secret_url};
use super::incident::{Incident, rfc3339};
use super::{DeliveryChannel, DeliveryError, DeliveryProgress, OutgoingAlert, Receipt};
use crate::card::{Card, CardKind};
use crate::outbox::unix_time;
use crate::render::card::{CardMessage, Detail};
use crate::secret::Secret;

/// The largest body, in bytes: our own limit.
const MAX_BODY: usize = 1024 * 1024;
/// What stands in front of a secret of Standard Webhooks.
const SECRET_PREFIX: &str = "whsec_";
/// The `endsAt` of what is not over.
const NO_END: &str = "0001-01-01T00:00:00Z";

/// A web hook and how it is spoken to.
pub(super) struct Webhook {
    url: Secret,
    secret: Option<Secret>,
    format: WebhookFormat,
    header: Option<(String, Secret)>,
    sender: HttpSender,
}

impl Webhook {
    pub(super) fn new(
        url: &Secret,
        secret: Option<&Secret>,
        format: WebhookFormat,
        header: Option<&(String, Secret)>,
        sender: HttpSender,
    ) -> Self {
        Self { url: url.clone(), secret: secret.cloned(), format, header: header.cloned(), sender }
    }
}

impl DeliveryChannel for Webhook {
    fn send(
        &mut self,
        outgoing: &OutgoingAlert<'_>,
        progress: &mut dyn DeliveryProgress,
    ) -> Result<Receipt, DeliveryError> {
        let message = outgoing.message()?;
        let id = &outgoing.alert.id;
        let mut post =
            Post::json(secret_url("webhook", &self.url)?, &fitting_body(&message, id, self.format));
        if self.format == WebhookFormat::Cloudevents {
            post.content_type = "application/cloudevents+json";
        }
        if let Some((name, value)) = &self.header {
            post = post.with_header(name, revealed(value)?);
        }
        if let Some(secret) = &self.secret {
            let key = signing_key(&revealed(secret)?).ok_or_else(|| {
                DeliveryError::unreachable("cannot sign: webhook_secret= is no base64 after whsec_")
            })?;
            let timestamp = unix_time();
            let signature = signature(&key, id, timestamp, &post.body);
            post = post
                .with_header("webhook-id", id.clone())
                .with_header("webhook-timestamp", timestamp.to_string())
                .with_header("webhook-signature", signature);
        }
        let answer = self.sender.send(post, progress)?;
        answer.by_status()?;
        Ok(answer.taken())
    }
}

/// The key in a secret.
fn signing_key(secret: &str) -> Option<Vec<u8>> {
    let secret = secret.trim();
    STANDARD.decode(secret.strip_prefix(SECRET_PREFIX).unwrap_or(secret)).ok().filter(|key| !key.is_empty())
}

/// The signature of Standard Webhooks, version 1.
fn signature(key: &[u8], id: &str, timestamp: i64, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

/// The body; plainer where it would be too large.
fn fitting_body(message: &CardMessage<'_>, id: &str, format: WebhookFormat) -> Value {
    let body = body(message, id, format);
    match message.detail.plainer() {
        Some(detail) if body.to_string().len() > MAX_BODY => {
            fitting_body(&CardMessage { detail, ..*message }, id, format)
        }
        _ => body,
    }
}

fn body(message: &CardMessage<'_>, id: &str, format: WebhookFormat) -> Value {
    let card = cut_card(message.card, message.detail);
    let message = CardMessage { card: &card, ..*message };
    match format {
        WebhookFormat::Alertmanager => alertmanager_body(&message),
        WebhookFormat::Cloudevents => cloud_event(&message, id),
    }
}

/// The card without output in a plainer form; with three items at most in the plainest.
fn cut_card(card: &Card, detail: Detail) -> Card {
    let mut card = card.clone();
    if detail >= Detail::Plain {
        card.items.iter_mut().for_each(|item| item.tail = None);
    }
    if detail == Detail::Line {
        card.more += card.items.len().saturating_sub(3);
        card.items.truncate(3);
    }
    card
}

fn alertmanager_body(message: &CardMessage<'_>) -> Value {
    let card = message.card;
    let incidents = Incident::all(message);
    let alerts: Vec<Value> = incidents.iter().map(|incident| alert(card, incident)).collect();
    let is_over = incidents.iter().all(Incident::is_over);
    json!({
        "version": "4",
        "groupKey": format!("ironlance/{}/{}:{}", card.host, card.supervisor, card.receiver),
        "truncatedAlerts": card.more,
        "status": if is_over { "resolved" } else { "firing" },
        "receiver": card.receiver,
        "groupLabels": {},
        "commonLabels": common(incidents.iter().map(Incident::labels)),
        "commonAnnotations": common(incidents.iter().map(Incident::annotations)),
        "externalURL": card.url.clone().unwrap_or_default(),
        "alerts": alerts,
        "ironlance": card,
    })
}

fn alert(card: &Card, incident: &Incident) -> Value {
    let item = incident.item();
    let ends_at = incident.is_over().then(|| rfc3339(item.until.unwrap_or(card.at).max(item.since)));
    json!({
        "status": if incident.is_over() { "resolved" } else { "firing" },
        "labels": incident.labels(),
        "annotations": incident.annotations(),
        "startsAt": rfc3339(item.since),
        "endsAt": ends_at.unwrap_or_else(|| NO_END.to_owned()),
        "generatorURL": card.url.clone().unwrap_or_default(),
        "fingerprint": format!("{:016x}", fingerprint(&incident.key())),
    })
}

/// What names an incident in 64 bits: FNV-1a of its key.
fn fingerprint(key: &str) -> u64 {
    key.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// The pairs that all have.
fn common(all: impl Iterator<Item = BTreeMap<String, String>>) -> BTreeMap<String, String> {
    let intersect = |mut common: BTreeMap<String, String>, other: BTreeMap<String, String>| {
        common.retain(|name, value| other.get(name) == Some(value));
        common
    };
    all.reduce(intersect).unwrap_or_default()
}

/// A CloudEvent: `source` and `id` are unique together, and the same for a second delivery.
fn cloud_event(message: &CardMessage<'_>, id: &str) -> Value {
    let card = message.card;
    let kind = match card.kind {
        CardKind::Firing | CardKind::Held => "incident.firing",
        CardKind::Worse => "incident.updated",
        CardKind::Recovered => "incident.recovered",
        CardKind::Reminder => "incident.reminded",
        CardKind::Acknowledged => "incident.acknowledged",
        CardKind::Digest => "digest",
        CardKind::Test => "test",
    };
    let mut event = json!({
        "specversion": "1.0",
        "id": id,
        "source": format!("/ironlance/{}/{}", url_encoding::encode(&card.host), url_encoding::encode(&card.supervisor)),
        "type": format!("io.ironlance.{kind}"),
        "time": rfc3339(card.at),
        "datacontenttype": "application/json",
        "data": card,
    });
    // It must not be empty.
    if let Some(item) = card.items.first().filter(|item| !item.program.is_empty()) {
        event["subject"] = item.program.clone().into();
    }
    event
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::card::Language;
    use crate::render::card::samples;
    use proptest::prelude::*;

    #[test]
    fn a_body_is_signed_as_in_the_vector_of_standard_webhooks() {
        let key = signing_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        assert_eq!(signing_key("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), Some(key.clone()));
        assert_eq!(
            signature(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
        assert_eq!(signing_key("whsec_?"), None);
        assert_eq!(signing_key("whsec_"), None);
    }

    fn body_of(card: &Card, format: WebhookFormat) -> Value {
        fitting_body(&CardMessage { card, detail: Detail::Rich, late: None }, "web1.7.1", format)
    }

    #[test]
    fn the_default_body_is_that_of_alertmanager_with_the_card() {
        let (_, card) = &samples::all(Language::English)[0];
        let body = body_of(card, WebhookFormat::Alertmanager);
        let keys: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(
            keys,
            [
                "alerts",
                "commonAnnotations",
                "commonLabels",
                "externalURL",
                "groupKey",
                "groupLabels",
                "ironlance",
                "receiver",
                "status",
                "truncatedAlerts",
                "version",
            ]
        );
        assert_eq!((&body["status"], &body["version"]), (&"firing".into(), &"4".into()));
        let alert = &body["alerts"][0];
        assert_eq!((&alert["status"], &alert["endsAt"]), (&"firing".into(), &NO_END.into()));
        assert_eq!(body["commonLabels"], alert["labels"]);
        assert_eq!(serde_json::from_value::<Card>(body["ironlance"].clone()).unwrap(), *card);
        let (_, over) = &samples::all(Language::English)[2];
        let body = body_of(over, WebhookFormat::Alertmanager);
        assert_eq!(
            (&body["status"], &body["alerts"][0]["endsAt"]),
            (&"resolved".into(), &"2026-11-30T02:00:15Z".into())
        );
    }

    #[test]
    fn what_all_alerts_share_is_common() {
        let (_, storm) = &samples::all(Language::English)[1];
        let body = body_of(storm, WebhookFormat::Alertmanager);
        assert_eq!(
            body["commonLabels"],
            json!({ "alertname": "ProgramDown", "instance": "web1", "supervisor": "supervisor", "cause": "down" })
        );
    }

    #[test]
    fn a_cloud_event_has_what_the_standard_requires() {
        let (_, mut card) = samples::all(Language::English).remove(0);
        card.host = "web 1/ü".into();
        let mut event = body_of(&card, WebhookFormat::Cloudevents);
        assert_eq!(event["data"]["items"][0]["incident"], 42);
        event["data"] = Value::Null;
        assert_eq!(
            event,
            json!({
                "specversion": "1.0", "id": "web1.7.1", "source": "/ironlance/web%201%2F%C3%BC/supervisor",
                "type": "io.ironlance.incident.firing", "subject": "shop:web", "time": "2026-11-30T01:48:21Z",
                "datacontenttype": "application/json", "data": null,
            })
        );
    }

    #[test]
    fn a_body_that_is_too_large_goes_without_output() {
        let (_, mut card) = samples::all(Language::English).remove(0);
        card.items[0].tail.as_mut().unwrap().lines = vec!["x".repeat(2 * MAX_BODY)];
        let body = body_of(&card, WebhookFormat::Alertmanager);
        assert!(body.to_string().len() < 10_000);
        card.items = vec![samples::item(&"x".repeat(1000)); 2000];
        assert_eq!(body_of(&card, WebhookFormat::Alertmanager)["truncatedAlerts"], 1997);
    }

    proptest! {
        #[test]
        fn every_card_has_a_body_within_the_limit(card in samples::any_card()) {
            for format in [WebhookFormat::Alertmanager, WebhookFormat::Cloudevents] {
                prop_assert!(body_of(&card, format).to_string().len() <= MAX_BODY);
            }
        }
    }
}
