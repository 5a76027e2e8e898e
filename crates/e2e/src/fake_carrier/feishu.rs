//! A Feishu robot with a signature: [`FeishuRules`]. It refuses DingTalk's way to sign.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::robot::{RequestTimes, has_only, hmac_sha256, json_post, now_millis};
use super::{CarrierAnswer, CarrierRequest, CarrierRules};

/// The bytes of a body.
const LARGEST: usize = 20 * 1024;
/// The elements of a card.
const ELEMENTS: [&str; 5] = ["div", "hr", "action", "note", "markdown"];

/// A robot.
#[derive(Default)]
pub struct FeishuRules {
    secret: String,
    second: RequestTimes,
    minute: RequestTimes,
}

impl FeishuRules {
    /// A robot with this key.
    pub fn new(secret: &str) -> Self {
        Self { secret: secret.to_owned(), ..Self::default() }
    }

    fn is_signed(&self, body: &Value, now: u64) -> bool {
        let Some(seconds) = body["timestamp"].as_str() else { return false };
        let sign = STANDARD.encode(hmac_sha256(format!("{seconds}\n{}", self.secret).as_bytes(), b""));
        let is_now = seconds.parse::<u64>().is_ok_and(|seconds| seconds.abs_diff(now / 1000) <= 3600);
        is_now && body["sign"].as_str() == Some(&sign)
    }
}

fn error(code: i64, words: &str) -> CarrierAnswer {
    let status = if code == 9_499 { 400 } else { 200 };
    CarrierAnswer::new(status, format!("{{\"code\":{code},\"msg\":\"{words}\",\"data\":{{}}}}"))
}

/// Whether a card is of known elements, and what is not ours is plain text.
fn is_card(card: &Value) -> bool {
    let title = &card["header"]["title"];
    let elements = card["elements"].as_array().map(Vec::as_slice).unwrap_or_default();
    has_only(card, &["config", "header", "elements"])
        && title["tag"] == "plain_text"
        && title["content"].is_string()
        && elements.iter().all(|element| ELEMENTS.iter().any(|tag| element["tag"] == *tag))
}

impl CarrierRules for FeishuRules {
    fn judge(&mut self, request: &CarrierRequest) -> Result<CarrierAnswer, CarrierAnswer> {
        let now = now_millis();
        if !request.target.starts_with("/open-apis/bot/v2/hook/") {
            return Err(error(19_001, "param invalid: incoming webhook access token invalid"));
        }
        if !self.second.allow(5, 1000, now) || !self.minute.allow(100, 60_000, now) {
            return Err(error(11_232, "frequency limited psm"));
        }
        let Some(body) = json_post(request).filter(|_| request.body.len() <= LARGEST) else {
            return Err(error(9_499, "Bad Request"));
        };
        if !self.is_signed(&body, now) {
            return Err(error(
                19_021,
                "sign match fail or timestamp is not within one hour from current time",
            ));
        }
        let is_known = match body["msg_type"].as_str() {
            Some("interactive") => {
                has_only(&body, &["timestamp", "sign", "msg_type", "card"]) && is_card(&body["card"])
            }
            Some("text") => body["content"]["text"].is_string(),
            _ => false,
        };
        if is_known {
            Ok(CarrierAnswer::new(
                200,
                "{\"StatusCode\":0,\"StatusMessage\":\"success\",\"code\":0,\"msg\":\"success\"}",
            ))
        } else {
            Err(error(9_499, "Bad Request"))
        }
    }
}
