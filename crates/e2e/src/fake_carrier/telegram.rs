//! Telegram's Bot API: [`TelegramRules`], sendMessage with a parser of its HTML.

use serde_json::Value;

use super::robot::{has_only, json_post};
use super::{CarrierAnswer, CarrierRequest, CarrierRules};

/// The elements that it knows.
const ELEMENTS: [&str; 8] = ["b", "i", "u", "s", "code", "pre", "a", "blockquote"];
/// The entities that it knows.
const ENTITIES: [&str; 4] = ["lt;", "gt;", "amp;", "quot;"];

/// A bot that is a member of one chat.
pub struct TelegramRules {
    token: String,
    chat: i64,
}

impl TelegramRules {
    /// A bot of this token in this chat.
    pub fn new(token: &str, chat: i64) -> Self {
        Self { token: token.to_owned(), chat }
    }
}

fn error(status: u16, code: i64, words: &str) -> CarrierAnswer {
    CarrierAnswer::new(status, format!("{{\"ok\":false,\"error_code\":{code},\"description\":\"{words}\"}}"))
}

fn bad_request(words: &str) -> CarrierAnswer {
    error(400, 400, &format!("Bad Request: {words}"))
}

/// The text without its elements; nothing where they are not closed in order, or not known.
fn parsed(html: &str) -> Option<String> {
    let mut open: Vec<&str> = Vec::new();
    let mut pieces = html.split('<');
    let mut text = pieces.next()?.to_owned();
    for piece in pieces {
        let (tag, rest) = piece.split_once('>')?;
        match tag.strip_prefix('/') {
            Some(name) if open.last() == Some(&name) => drop(open.pop()),
            Some(_) => return None,
            None => {
                let name = tag.split(' ').next()?;
                if !ELEMENTS.contains(&name) || (name == "a") != tag.starts_with("a href=\"") {
                    return None;
                }
                open.push(name);
            }
        }
        text.push_str(rest);
    }
    let entities_known =
        text.split('&').skip(1).all(|rest| ENTITIES.iter().any(|entity| rest.starts_with(entity)));
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&");
    (open.is_empty() && entities_known).then_some(text)
}

impl CarrierRules for TelegramRules {
    fn judge(&mut self, request: &CarrierRequest) -> Result<CarrierAnswer, CarrierAnswer> {
        if request.target != format!("/bot{}/sendMessage", self.token) {
            return Err(error(404, 404, "Not Found"));
        }
        let keys = ["chat_id", "text", "parse_mode", "link_preview_options", "message_thread_id"];
        let body = json_post(request).filter(|body| has_only(body, &keys));
        let body = body.ok_or_else(|| bad_request("message text is empty"))?;
        if body["chat_id"].as_i64() != Some(self.chat) {
            return Err(bad_request("chat not found"));
        }
        let text = body["text"].as_str().unwrap_or_default();
        let text = match body["parse_mode"].as_str() {
            Some("HTML") => parsed(text).ok_or_else(|| bad_request("can't parse entities"))?,
            Some(_) => return Err(bad_request("unsupported parse_mode")),
            None if body["parse_mode"] == Value::Null => text.to_owned(),
            None => return Err(bad_request("unsupported parse_mode")),
        };
        match text.encode_utf16().count() {
            0 => Err(bad_request("message text is empty")),
            1..=4096 => Ok(CarrierAnswer::new(200, "{\"ok\":true,\"result\":{\"message_id\":1}}")),
            _ => Err(bad_request("message is too long")),
        }
    }
}
