//! Alertmanager's API v2: [`AlertmanagerRules`] takes and refuses what version 0.25 does.

use serde_json::Value;

use super::{CarrierAnswer, CarrierRequest, CarrierRules};

/// The API.
#[derive(Debug, Default)]
pub struct AlertmanagerRules;

impl CarrierRules for AlertmanagerRules {
    fn judge(&mut self, request: &CarrierRequest) -> Result<CarrierAnswer, CarrierAnswer> {
        let refusal = |status, words: &str| Err(CarrierAnswer::new(status, format!("\"{words}\"")));
        if !request.is_json_post_to("/api/v2/alerts") {
            return Err(CarrierAnswer::new(404, "404 page not found"));
        }
        let body = request.json();
        let Some(alerts) = body.as_array() else {
            return refusal(400, "parsing alerts body from failed: cannot unmarshal object");
        };
        for alert in alerts {
            let labels = alert["labels"].as_object();
            let Some(labels) = labels.filter(|labels| !labels.is_empty()) else {
                return refusal(400, "at least one label pair required");
            };
            if let Some(name) = labels.keys().find(|name| !is_label(name)) {
                return refusal(400, &format!("invalid label set: invalid name {name}"));
            }
            let texts = labels
                .values()
                .chain(alert["annotations"].as_object().into_iter().flat_map(|map| map.values()));
            if texts.into_iter().any(|text| !text.is_string()) {
                return refusal(400, "cannot unmarshal into a string");
            }
            let (starts, ends) = (&alert["startsAt"], &alert["endsAt"]);
            if !is_time(starts) || !is_time(ends) {
                return refusal(400, "parsing time");
            }
            if ends.as_str() < starts.as_str() {
                return refusal(400, "start time must be before end time");
            }
            if alert
                .get("generatorURL")
                .is_some_and(|url| !url.as_str().is_some_and(|url| url.contains("://")))
            {
                return refusal(422, "generatorURL in body must be of type uri");
            }
        }
        Ok(CarrierAnswer::new(200, ""))
    }
}

fn is_label(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// `2026-11-30T01:48:11Z`: texts of this form compare as the times do.
fn is_time(text: &Value) -> bool {
    text.as_str().is_some_and(|text| text.len() == 20 && text.ends_with('Z') && text.as_bytes()[10] == b'T')
}
