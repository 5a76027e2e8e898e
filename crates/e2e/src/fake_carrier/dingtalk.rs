//! A DingTalk robot with a signature and a keyword: [`DingTalkRules`].

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::robot::{RequestTimes, has_only, hmac_sha256, json_post, now_millis, parameter};
use super::{CarrierAnswer, CarrierRequest, CarrierRules};

/// The bytes of a body.
const LARGEST: usize = 20_000;
/// The clock of a client may be off by this, in milliseconds.
const HOUR: u64 = 3_600_000;

/// A robot.
#[derive(Default)]
pub struct DingTalkRules {
    /// The key of the signature.
    pub secret: String,
    /// A word that must occur.
    pub keyword: String,
    times: RequestTimes,
    blocked_until: u64,
}

impl DingTalkRules {
    /// A robot with this key and keyword.
    pub fn new(secret: &str, keyword: &str) -> Self {
        Self { secret: secret.to_owned(), keyword: keyword.to_owned(), ..Self::default() }
    }

    fn is_signed(&self, request: &CarrierRequest, now: u64) -> bool {
        let Some(millis) = parameter(request, "timestamp") else { return false };
        let sign = hmac_sha256(self.secret.as_bytes(), format!("{millis}\n{}", self.secret).as_bytes());
        let is_now = millis.parse::<u64>().is_ok_and(|millis| millis.abs_diff(now) <= HOUR);
        is_now && parameter(request, "sign") == Some(STANDARD.encode(sign))
    }
}

fn error(code: i64, words: &str) -> CarrierAnswer {
    CarrierAnswer::new(200, format!("{{\"errcode\":{code},\"errmsg\":\"{words}\"}}"))
}

impl CarrierRules for DingTalkRules {
    fn judge(&mut self, request: &CarrierRequest) -> Result<CarrierAnswer, CarrierAnswer> {
        let now = now_millis();
        if !request.target.starts_with("/robot/send?") || parameter(request, "access_token").is_none() {
            return Err(error(300_001, "token is not exist"));
        }
        if now < self.blocked_until || !self.times.allow(20, 60_000, now) {
            self.blocked_until = self.blocked_until.max(now + 600_000);
            return Err(error(130_101, "send too fast, exceed 20 times per minute"));
        }
        if !self.is_signed(request, now) {
            return Err(error(310_000, "sign not match"));
        }
        if request.body.len() > LARGEST {
            return Err(error(460_101, "message too long, exceed 20000 bytes"));
        }
        let body = json_post(request).ok_or_else(|| error(40_035, "invalid json"))?;
        let text = match body["msgtype"].as_str() {
            Some("markdown") if has_only(&body["markdown"], &["title", "text"]) => &body["markdown"]["text"],
            Some("text") if has_only(&body["text"], &["content"]) => &body["text"]["content"],
            _ => &Value::Null,
        };
        let text = text.as_str().ok_or_else(|| error(40_035, "missing parameter"))?;
        if !has_only(&body, &["msgtype", "markdown", "text", "at"])
            || !has_only(&body["at"], &["atMobiles", "isAtAll"])
        {
            return Err(error(40_035, "unknown parameter"));
        }
        if !text.contains(&self.keyword) {
            return Err(error(310_000, "keywords not in content"));
        }
        // The real robot takes it, and mentions no one.
        let mobiles = body["at"]["atMobiles"].as_array().map(Vec::as_slice).unwrap_or_default();
        if !mobiles.iter().filter_map(Value::as_str).all(|mobile| text.contains(&format!("@{mobile}"))) {
            return Err(error(40_035, "a mention does not stand in the text"));
        }
        Ok(CarrierAnswer::new(200, "{\"errcode\":0,\"errmsg\":\"ok\"}"))
    }
}
