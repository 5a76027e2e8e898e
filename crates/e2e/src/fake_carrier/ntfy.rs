//! An ntfy server: [`NtfyRules`] takes JSON at its root, with a token.

use super::{CarrierAnswer, CarrierRequest, CarrierRules};

/// The token that it asks for.
pub const TOKEN: &str = "tk_0123456789";

/// A server.
#[derive(Debug, Default)]
pub struct NtfyRules;

impl CarrierRules for NtfyRules {
    fn judge(&mut self, request: &CarrierRequest) -> Result<CarrierAnswer, CarrierAnswer> {
        let refusal = |code: u32, words: &str| {
            let status = u16::try_from(code / 100).unwrap_or(400);
            Err(CarrierAnswer::new(status, format!(r#"{{"code":{code},"http":{status},"error":"{words}"}}"#)))
        };
        if !request.is_json_post_to("/") {
            return refusal(40_401, "page not found");
        }
        if request.header("authorization") != Some(&format!("Bearer {TOKEN}")) {
            return refusal(40_301, "forbidden");
        }
        let message = request.json();
        let is_topic = |text: &str| {
            !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
        };
        if !message["topic"].as_str().is_some_and(is_topic) {
            return refusal(40_009, "invalid request: topic invalid");
        }
        if message
            .get("priority")
            .is_some_and(|value| !value.as_u64().is_some_and(|one| (1..=5).contains(&one)))
        {
            return refusal(40_007, "invalid request: priority invalid");
        }
        if message["message"].as_str().is_none_or(|text| text.len() > 4096) {
            return refusal(40_024, "invalid request: request body must be valid JSON");
        }
        Ok(CarrierAnswer::new(200, r#"{"id":"hwQ2YpKdmg","event":"message"}"#))
    }
}
