//! A WeCom group robot: [`WeComRules`].

use serde_json::Value;

use super::robot::{RequestTimes, has_only, json_post, now_millis};
use super::{CarrierAnswer, CarrierRequest, CarrierRules};

/// The tags that its Markdown knows, without `<`.
const TAGS: [&str; 5] =
    ["font color=\"info\">", "font color=\"comment\">", "font color=\"warning\">", "/font>", "@"];

/// A robot.
#[derive(Default)]
pub struct WeComRules {
    times: RequestTimes,
}

fn error(code: i64, words: &str) -> CarrierAnswer {
    CarrierAnswer::new(200, format!("{{\"errcode\":{code},\"errmsg\":\"{words}\"}}"))
}

fn content(body: &Value, kind: &str, keys: &[&str], most: usize) -> Result<String, CarrierAnswer> {
    let content = body[kind]["content"].as_str().filter(|_| has_only(&body[kind], keys));
    let content = content.ok_or_else(|| error(40_058, "missing or unknown parameter"))?;
    if content.len() > most {
        return Err(error(40_058, "content exceed max length"));
    }
    Ok(content.to_owned())
}

impl CarrierRules for WeComRules {
    fn judge(&mut self, request: &CarrierRequest) -> Result<CarrierAnswer, CarrierAnswer> {
        let now = now_millis();
        if !request.target.starts_with("/cgi-bin/webhook/send?key=") {
            return Err(error(93_000, "invalid webhook url"));
        }
        if !self.times.allow(20, 60_000, now) {
            return Err(error(45_009, "api freq out of limit"));
        }
        let body = json_post(request).ok_or_else(|| error(40_008, "invalid message type"))?;
        match body["msgtype"].as_str() {
            Some("markdown") => {
                let content = content(&body, "markdown", &["content"], 4096)?;
                if !content.split('<').skip(1).all(|rest| TAGS.iter().any(|tag| rest.starts_with(tag))) {
                    return Err(error(40_058, "unknown tag"));
                }
            }
            Some("text") => {
                content(&body, "text", &["content", "mentioned_list", "mentioned_mobile_list"], 2048)?;
            }
            _ => return Err(error(40_008, "invalid message type")),
        }
        Ok(CarrierAnswer::new(200, "{\"errcode\":0,\"errmsg\":\"ok\"}"))
    }
}
