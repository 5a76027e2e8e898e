//! A Telegram bot (`telegram=`): [`Telegram`], sendMessage of the Bot API in its HTML mode.
//!
//! | answer | outcome |
//! |---|---|
//! | `"ok":true` | taken |
//! | 429 | unreachable, for `parameters.retry_after` |
//! | `migrate_to_chat_id` | sent to the new chat at once; a line in the log asks to mend the configuration |
//! | blocked, kicked, chat not found …, 401, 403, 404 | unreachable: the configuration can be mended |
//! | 400 otherwise: entities, length | unfit |
//! | no JSON, 5xx | unreachable |

use std::time::Duration;

use ironlance_net::HttpUrl;
use serde_json::{Value, json};

use super::http::{HttpAnswer, HttpSender, Post, revealed};
use super::{DeliveryChannel, DeliveryError, DeliveryProgress, OutgoingAlert, Receipt};
use crate::log;
use crate::render::card::{CardMessage, CardText, Detail};
use crate::secret::Secret;

/// The characters of a text after its entities have been parsed; counted in UTF-16 units, of which no counting gives more.
const LONGEST_TEXT: usize = 4096;
/// Words of descriptions that no other form of the content changes.
const PERMANENT: [&str; 7] = [
    "chat not found",
    "bot was blocked",
    "bot was kicked",
    "user is deactivated",
    "not enough rights",
    "thread not found",
    "bot is not a member",
];

/// A bot and the chat that it writes to.
#[derive(Debug)]
pub(super) struct Telegram {
    token: Secret,
    chat: String,
    thread: Option<i64>,
    api: String,
    http: HttpSender,
}

impl Telegram {
    /// A bot of this token at this server.
    pub(super) fn new(token: &Secret, chat: &str, thread: Option<i64>, api: &str, http: HttpSender) -> Self {
        Self { token: token.clone(), chat: chat.to_owned(), thread, api: api.to_owned(), http }
    }

    fn post(&self, body: &Value, progress: &mut dyn DeliveryProgress) -> Result<HttpAnswer, DeliveryError> {
        let token = revealed(&self.token)?;
        let url =
            HttpUrl::parse(&format!("{}/bot{}/sendMessage", self.api, token.trim())).map_err(|error| {
                DeliveryError::unreachable(format!("cannot use telegram_api= and telegram=: {error}"))
            })?;
        self.http.send(Post::json(url, body), progress)
    }
}

impl DeliveryChannel for Telegram {
    fn send(
        &mut self,
        outgoing: &OutgoingAlert<'_>,
        progress: &mut dyn DeliveryProgress,
    ) -> Result<Receipt, DeliveryError> {
        let mut body = payload(&outgoing.message()?, &self.chat, self.thread);
        let answer = self.post(&body, progress)?;
        let Some(moved) = moved_to(&answer) else { return judge(&answer) };
        log(&format!("Telegram: the chat {} is now {moved}: write telegram_chat={moved}", self.chat));
        // A topic of the old chat does not exist in the new one by this number.
        if let Some(body) = body.as_object_mut() {
            body.remove("message_thread_id");
        }
        body["chat_id"] = json!(moved);
        judge(&self.post(&body, progress)?)
    }
}

/// The chat that the answer names in the place of ours.
fn moved_to(answer: &HttpAnswer) -> Option<i64> {
    answer.json().ok()?.get("parameters")?.get("migrate_to_chat_id")?.as_i64()
}

fn judge(answer: &HttpAnswer) -> Result<Receipt, DeliveryError> {
    let json = answer.json()?;
    if json["ok"] == true && (200..300).contains(&answer.status) {
        return Ok(answer.taken());
    }
    if let Some(seconds) = json["parameters"]["retry_after"].as_u64() {
        return Err(answer.unreachable_for(Duration::from_secs(seconds)));
    }
    let description = json["description"].as_str().unwrap_or_default().to_ascii_lowercase();
    if PERMANENT.iter().any(|words| description.contains(words)) {
        return Err(answer.unreachable());
    }
    answer.by_status()?;
    Err(answer.unreachable())
}

/// The body of a request.
fn payload(message: &CardMessage<'_>, chat: &str, thread: Option<i64>) -> Value {
    let is_rich = message.detail == Detail::Rich;
    let limit = if is_rich { LONGEST_TEXT } else { LONGEST_TEXT / 2 };
    let render = |text: &CardText| match message.detail {
        Detail::Rich => html(text),
        Detail::Plain => text.plain(),
        Detail::Line => text.line(),
    };
    let size = |text: &String| if is_rich { parsed_size(text) } else { text.encode_utf16().count() };
    let text = message.fit(render, |text| size(text) <= limit);
    let chat = chat.parse::<i64>().map_or_else(|_| json!(chat), |id| json!(id));
    let mut body = json!({ "chat_id": chat, "text": text, "link_preview_options": { "is_disabled": true } });
    if is_rich {
        body["parse_mode"] = json!("HTML");
    }
    if let Some(thread) = thread {
        body["message_thread_id"] = json!(thread);
    }
    body
}

fn html(text: &CardText) -> String {
    let mut lines = vec![format!("<b>{} {}</b>", text.symbol, escape(&text.title))];
    for item in &text.items {
        if text.has_headings() || item.facts.is_empty() {
            lines.push(format!("<b>{}</b> {}", escape(&item.heading), escape(&item.dated_sentence)));
        }
        let colon = text.colon.trim_end();
        let blank = if colon == text.colon { "" } else { " " };
        lines.extend(
            item.facts
                .iter()
                .map(|fact| format!("<b>{}{colon}</b>{blank}{}", fact.name, escape(&fact.value))),
        );
        if let Some(tail) = &item.tail {
            lines.push(format!("<b>{}{colon}</b>", escape(&tail.heading)));
            lines.push(format!("<pre>{}</pre>", escape(&tail.lines.join("\n"))));
        }
        lines.extend(item.runbook.iter().map(|link| anchor(link.label, &link.url)));
    }
    lines.extend(text.names.iter().chain(&text.notes).map(|line| escape(line)));
    lines.extend(text.page.iter().map(|link| anchor(link.label, &link.url)));
    lines.extend(text.ack.iter().map(|ack| format!("<code>{}</code>", escape(ack))));
    lines.join("\n")
}

fn anchor(label: &str, url: &str) -> String {
    format!("<a href=\"{}\">{label}</a>", escape(url).replace('"', "&quot;"))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The UTF-16 units of our HTML after its entities have been parsed: tags count nothing, an entity is one.
fn parsed_size(html: &str) -> usize {
    let (mut size, mut in_tag, mut in_entity) = (0, false, false);
    for character in html.chars() {
        match character {
            '<' => in_tag = true,
            '>' => in_tag = false,
            _ if in_tag => {}
            '&' => {
                in_entity = true;
                size += 1;
            }
            ';' if in_entity => in_entity = false,
            _ if in_entity => {}
            other => size += other.len_utf16(),
        }
    }
    size
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::fake_carrier::{Expected, FakeCarrier, check_outcomes, send_sample};
    use crate::channel::golden::check_payloads;
    use crate::render::card::samples;
    use proptest::prelude::*;

    fn bot(url: &str) -> Telegram {
        Telegram::new(&Secret::Literal("1:T".into()), "-7", Some(3), url, HttpSender::new(None))
    }

    #[test]
    fn the_body_decides_what_an_answer_means() {
        let too_many = r#"{"ok":false,"error_code":429,"description":"Too Many Requests","parameters":{"retry_after":35}}"#;
        let entities = r#"{"ok":false,"error_code":400,"description":"Bad Request: can't parse entities"}"#;
        let not_found = r#"{"ok":false,"error_code":400,"description":"Bad Request: chat not found"}"#;
        let blocked =
            r#"{"ok":false,"error_code":403,"description":"Forbidden: bot was blocked by the user"}"#;
        check_outcomes(
            |url| Box::new(bot(url)),
            &[
                (("200 OK", "", r#"{"ok":true,"result":{}}"#), Expected::Taken),
                (("429 Too Many Requests", "", too_many), Expected::Unreachable(Some(35))),
                (("400 Bad Request", "", entities), Expected::Unfit),
                (("400 Bad Request", "", not_found), Expected::Unreachable(None)),
                (("403 Forbidden", "", blocked), Expected::Unreachable(None)),
                (("200 OK", "", r#"{"ok":false}"#), Expected::Unreachable(None)),
                (("502 Bad Gateway", "", "<html>"), Expected::Unreachable(None)),
            ],
        );
    }

    #[test]
    fn a_chat_that_has_moved_gets_the_message_at_once() {
        let moved = r#"{"ok":false,"error_code":400,"description":"Bad Request: group chat was upgraded to a supergroup chat","parameters":{"migrate_to_chat_id":-100123}}"#;
        let carrier = FakeCarrier::start(&[("400 Bad Request", "", moved), ("200 OK", "", r#"{"ok":true}"#)]);
        assert!(send_sample(&mut bot(carrier.url()), Detail::Rich).is_ok());
        let (first, second) = (carrier.request(), carrier.request());
        assert_eq!(first.line, "POST /bot1:T/sendMessage HTTP/1.1");
        let ids = |body: &Value| (body["chat_id"].clone(), body.get("message_thread_id").is_some());
        assert_eq!((ids(&first.json()), ids(&second.json())), ((json!(-7), true), (json!(-100_123), false)));
    }

    #[test]
    fn payloads_are_as_they_were_reviewed() {
        check_payloads("telegram", |message| payload(message, "-1001234567890", None));
    }

    #[test]
    fn a_chat_is_a_number_or_a_name_and_a_topic_is_a_number() {
        let (_, card) = &samples::all(crate::card::Language::English)[0];
        let message = CardMessage { card, detail: Detail::Line, late: None };
        let body = payload(&message, "@ops", Some(7));
        assert_eq!((&body["chat_id"], &body["message_thread_id"]), (&json!("@ops"), &json!(7)));
        assert_eq!(payload(&message, "-100", None)["chat_id"], json!(-100));
        assert!(body.get("parse_mode").is_none());
    }

    #[test]
    fn an_entity_counts_once_and_a_tag_not_at_all() {
        assert_eq!(parsed_size("<b>a&amp;b</b>; 🔴<a href=\"x\">y</a>"), 3 + 2 + 2 + 1);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_text_is_within_its_limit_and_has_our_tags_only(
            card in samples::any_card(),
            detail in prop::sample::select(vec![Detail::Rich, Detail::Plain, Detail::Line]),
        ) {
            let body = payload(&CardMessage { card: &card, detail, late: None }, "1", None);
            let text = body["text"].as_str().unwrap();
            if detail == Detail::Rich {
                prop_assert!(parsed_size(text) <= LONGEST_TEXT);
                for tag in text.split('<').skip(1) {
                    let name = tag.trim_start_matches('/').split([' ', '>']).next().unwrap();
                    prop_assert!(["b", "pre", "code", "a"].contains(&name), "<{}", name);
                }
            } else {
                prop_assert!(text.encode_utf16().count() <= LONGEST_TEXT / 2);
            }
        }
    }
}
