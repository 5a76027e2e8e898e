//! The receiver of a web hook: [`WebhookRules`] verifies the signature of Standard Webhooks with Python's own hmac, and
//! reads Alertmanager's body of version 4 or a CloudEvent.

use std::process::Command;

use serde_json::Value;

use super::{CarrierAnswer, CarrierRequest, CarrierRules};

/// The key that requests are signed with.
pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A receiver.
#[derive(Debug, Default)]
pub struct WebhookRules {
    /// It reads CloudEvents, not Alertmanager's body.
    pub reads_cloud_events: bool,
}

impl CarrierRules for WebhookRules {
    fn judge(&mut self, request: &CarrierRequest) -> Result<CarrierAnswer, CarrierAnswer> {
        if !is_signed(request) {
            return Err(CarrierAnswer::new(401, "No matching signature found"));
        }
        let body = request.json();
        let is_right = if self.reads_cloud_events {
            request.header("content-type") == Some("application/cloudevents+json") && is_cloud_event(&body)
        } else {
            request.is_json_post_to("/hook?key=secret") && is_alertmanager(&body)
        };
        if is_right {
            Ok(CarrierAnswer::new(204, ""))
        } else {
            Err(CarrierAnswer::new(400, "unknown fields"))
        }
    }
}

fn is_signed(request: &CarrierRequest) -> bool {
    const PROGRAM: &str = "import base64, hashlib, hmac, sys; id, at, key, body = sys.argv[1:]; \
        mac = hmac.new(base64.b64decode(key), f'{id}.{at}.{body}'.encode(), hashlib.sha256); \
        print('v1,' + base64.b64encode(mac.digest()).decode(), end='')";
    let header = |name| request.header(name).unwrap_or_default();
    let key = SECRET.trim_start_matches("whsec_");
    let body = String::from_utf8_lossy(&request.body);
    let mut python = Command::new("python3");
    python.args(["-c", PROGRAM, header("webhook-id"), header("webhook-timestamp"), key, &body]);
    let signature = python.output().map(|output| output.stdout).unwrap_or_default();
    !signature.is_empty() && signature == header("webhook-signature").as_bytes()
}

fn has_keys(value: &Value, keys: &[&str]) -> bool {
    value
        .as_object()
        .is_some_and(|object| object.len() == keys.len() && keys.iter().all(|key| object.contains_key(*key)))
}

fn is_alertmanager(body: &Value) -> bool {
    let keys = [
        "version",
        "groupKey",
        "truncatedAlerts",
        "status",
        "receiver",
        "groupLabels",
        "commonLabels",
        "commonAnnotations",
        "externalURL",
        "alerts",
        "ironlance",
    ];
    let alert_keys = ["status", "labels", "annotations", "startsAt", "endsAt", "generatorURL", "fingerprint"];
    let alerts = body["alerts"].as_array();
    has_keys(body, &keys)
        && body["version"] == "4"
        && alerts.is_some_and(|alerts| alerts.iter().all(|alert| has_keys(alert, &alert_keys)))
}

fn is_cloud_event(body: &Value) -> bool {
    let text = |name: &str| body[name].as_str().is_some_and(|text| !text.is_empty());
    body["specversion"] == "1.0" && ["id", "source", "type", "subject", "time"].into_iter().all(text)
}
