//! PagerDuty's Events API v2: [`PagerDutyRules`] checks lengths and words, and remembers which incidents are open.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{CarrierAnswer, CarrierRequest, CarrierRules};

/// The only routing key that it knows.
pub const KEY: &str = "0123456789abcdef0123456789abcdef";

/// The events API.
#[derive(Debug, Default)]
pub struct PagerDutyRules {
    open: BTreeSet<String>,
}

impl CarrierRules for PagerDutyRules {
    fn judge(&mut self, request: &CarrierRequest) -> Result<CarrierAnswer, CarrierAnswer> {
        let invalid = |why: &str| {
            let body = format!(
                r#"{{"status":"invalid event","message":"Event object is invalid","errors":["{why}"]}}"#
            );
            Err(CarrierAnswer::new(400, body))
        };
        if !request.is_json_post_to("/v2/enqueue") {
            return Err(CarrierAnswer::new(404, ""));
        }
        let event = request.json();
        if event["routing_key"] != KEY {
            return invalid("'routing_key' is missing or invalid");
        }
        let Some(key) = event["dedup_key"].as_str().filter(|key| !key.is_empty() && key.len() <= 255) else {
            return invalid("'dedup_key' is too long");
        };
        match event["event_action"].as_str() {
            Some("trigger") => {
                let payload = &event["payload"];
                let is_text = |value: &Value, most| {
                    value.as_str().is_some_and(|text| !text.is_empty() && text.chars().count() <= most)
                };
                if !is_text(&payload["summary"], 1024) || !is_text(&payload["source"], 1024) {
                    return invalid("'payload.summary' or 'payload.source' is missing or too long");
                }
                let severities = ["critical", "error", "warning", "info"];
                if !payload["severity"].as_str().is_some_and(|word| severities.contains(&word)) {
                    return invalid(
                        "'payload.severity' is invalid (must be one of the following: 'critical', …)",
                    );
                }
                self.open.insert(key.to_owned());
            }
            // The real one drops it in silence: a test must see it.
            Some("acknowledge" | "resolve") if !self.open.contains(key) => {
                return Err(CarrierAnswer::new(202, r#"{"status":"success","message":"dropped"}"#));
            }
            Some("acknowledge") => {}
            Some("resolve") => drop(self.open.remove(key)),
            _ => return invalid("'event_action' is invalid"),
        }
        Ok(CarrierAnswer::new(
            202,
            format!(r#"{{"status":"success","message":"Event processed","dedup_key":"{key}"}}"#),
        ))
    }
}
