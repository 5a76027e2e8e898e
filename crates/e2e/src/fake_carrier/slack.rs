//! Slack's incoming webhook: [`SlackRules`]. Limits and words as Slack documents them.

use serde_json::Value;

use super::{CarrierAnswer, CarrierRequest, CarrierRules};

/// The only hook that it knows.
pub const HOOK: &str = "/services/T000/B000/secret";

/// An incoming webhook.
#[derive(Debug, Default)]
pub struct SlackRules {
    /// It takes messages without attachments only.
    pub refuses_blocks: bool,
}

impl CarrierRules for SlackRules {
    fn judge(&mut self, request: &CarrierRequest) -> Result<CarrierAnswer, CarrierAnswer> {
        let refusal = |status, words: &str| Err(CarrierAnswer::new(status, words));
        if request.target != HOOK {
            return refusal(404, "no_service");
        }
        let payload = request.json();
        let Some(object) = payload.as_object().filter(|_| request.is_json_post_to(HOOK)) else {
            return refusal(400, "invalid_payload");
        };
        if object.keys().any(|key| !["text", "attachments", "mrkdwn"].contains(&key.as_str())) {
            return refusal(400, "invalid_payload");
        }
        if !text_fits(&payload["text"], 40_000) {
            return refusal(400, "no_text");
        }
        for attachment in payload["attachments"].as_array().into_iter().flatten() {
            let blocks = attachment["blocks"].as_array().map(Vec::as_slice).unwrap_or_default();
            let is_valid = !blocks.is_empty() && blocks.len() <= 50 && blocks.iter().all(is_block);
            if self.refuses_blocks || !is_valid {
                return refusal(400, "invalid_blocks");
            }
        }
        Ok(CarrierAnswer::new(200, "ok"))
    }
}

fn is_block(block: &Value) -> bool {
    let texts = |list: &Value, most: usize, length| {
        list.as_array().is_some_and(|list| {
            !list.is_empty() && list.len() <= most && list.iter().all(|text| is_text(text, length))
        })
    };
    match block["type"].as_str() {
        Some("section") if block.get("fields").is_some() => texts(&block["fields"], 10, 2000),
        Some("section") => is_text(&block["text"], 3000),
        Some("context") => texts(&block["elements"], 10, 2000),
        _ => false,
    }
}

fn is_text(text: &Value, length: usize) -> bool {
    text["type"] == "mrkdwn" && text_fits(&text["text"], length)
}

/// Not empty, not too long, and without a mention of a channel or a user.
fn text_fits(text: &Value, length: usize) -> bool {
    text.as_str().is_some_and(|text| {
        let mentions = text.contains("<!") || text.contains("<@");
        !text.is_empty() && text.chars().count() <= length && !mentions
    })
}
