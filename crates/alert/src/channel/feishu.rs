//! A Feishu or Lark robot (`feishu=`): [`Feishu`]. A card whose texts are all `plain_text`, so nothing of others is markup;
//! the plain forms are a text, in which `<` would begin a mention.
//!
//! | `code` | outcome |
//! |---|---|
//! | 0 | taken |
//! | 11232 too fast | unreachable for a minute |
//! | 9499 bad or too large body | unfit |
//! | 19021 signature or clock, 19022 address, 19024 keyword, others, none | unreachable |

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::answer_code::{CodeMeaning, judge};
use super::http::{HttpSender, Post, revealed, secret_url};
use super::signature::hmac_sha256;
use super::{DeliveryChannel, DeliveryError, DeliveryProgress, OutgoingAlert, Receipt};
use crate::render::card::{CardMessage, CardText, Detail, ItemText};
use crate::secret::Secret;

/// The bytes of a body without its signature: 20 KB with it.
const LARGEST_BODY: usize = 20_000 - 200;
/// The bytes of the output of one item: an element of a card.
const LARGEST_OUTPUT: usize = 6000;
/// A field whose text is not longer than this stands beside another one.
const SHORT_FIELD: usize = 40;
/// What the numbers in answers mean.
const CODES: &[(i64, CodeMeaning)] = &[
    (11_232, CodeMeaning::TooFast(60)),
    (9_499, CodeMeaning::Unfit),
    (19_021, CodeMeaning::Configuration),
    (19_022, CodeMeaning::Configuration),
    (19_024, CodeMeaning::Configuration),
];

/// A robot.
#[derive(Debug)]
pub(super) struct Feishu {
    url: Secret,
    secret: Option<Secret>,
    /// Open ids, or `all`.
    at: Vec<String>,
    http: HttpSender,
}

impl Feishu {
    /// A robot at a URL.
    pub(super) fn new(url: &Secret, secret: Option<&Secret>, at: &[String], http: HttpSender) -> Self {
        Self { url: url.clone(), secret: secret.cloned(), at: at.to_vec(), http }
    }
}

impl DeliveryChannel for Feishu {
    fn send(
        &mut self,
        outgoing: &OutgoingAlert<'_>,
        progress: &mut dyn DeliveryProgress,
    ) -> Result<Receipt, DeliveryError> {
        let mut body = payload(&outgoing.message()?, &self.at);
        if let Some(secret) = &self.secret {
            let seconds =
                SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs().to_string();
            body["sign"] = json!(sign(&revealed(secret)?, &seconds));
            body["timestamp"] = json!(seconds);
        }
        let post = Post::json(secret_url("feishu", &self.url)?, &body);
        judge(&self.http.send(post, progress)?, "code", CODES)
    }
}

/// The signature of a moment in seconds: of no message, with the moment and the secret as the key.
fn sign(secret: &str, seconds: &str) -> String {
    STANDARD.encode(hmac_sha256(format!("{seconds}\n{secret}").as_bytes(), b""))
}

/// The body of a request, without its signature.
fn payload(message: &CardMessage<'_>, at: &[String]) -> Value {
    let limit = if message.detail == Detail::Rich { LARGEST_BODY } else { LARGEST_BODY / 2 };
    let render = |text: &CardText| match message.detail {
        Detail::Rich => card(text, at),
        Detail::Plain => plain(text, &text.plain(), at),
        Detail::Line => plain(text, &text.line(), at),
    };
    message.fit(render, |body| body.to_string().len() <= limit)
}

/// The users that a message mentions; none where all of it is over.
fn mentions(text: &CardText, at: &[String], attribute: &str) -> String {
    let at = at.iter().filter(|_| !text.is_over);
    at.map(|who| format!("<at {attribute}={who}></at>")).collect()
}

fn plain(text: &CardText, content: &str, at: &[String]) -> Value {
    let mentions = mentions(text, at, "user_id");
    let space = if mentions.is_empty() { "" } else { "\n" };
    json!({ "msg_type": "text", "content": { "text": format!("{}{space}{mentions}", content.replace('<', "＜")) } })
}

fn plain_text(content: &str) -> Value {
    json!({ "tag": "plain_text", "content": content })
}

fn button(label: &str, url: &str) -> Value {
    json!({ "tag": "button", "text": plain_text(label), "url": url, "type": "default" })
}

/// The name of the header's colour.
fn template(color: &str) -> &'static str {
    match color {
        "#d32f2f" => "red",
        "#ed6c02" => "orange",
        "#2e7d32" => "green",
        "#5c6bc0" => "indigo",
        _ => "blue",
    }
}

fn card(text: &CardText, at: &[String]) -> Value {
    let mut elements = Vec::new();
    let mut buttons = Vec::new();
    for item in &text.items {
        elements.extend(item_elements(item, text));
        buttons.extend(item.runbook.iter().map(|link| {
            let label = if text.has_headings() {
                format!("{} {}", item.heading, link.label)
            } else {
                link.label.to_owned()
            };
            button(&label, &link.url)
        }));
    }
    let notes: Vec<&str> = text.names.iter().chain(&text.notes).map(String::as_str).collect();
    if !notes.is_empty() {
        elements.push(json!({ "tag": "div", "text": plain_text(&notes.join("\n")) }));
    }
    buttons.extend(text.page.iter().map(|link| button(link.label, &link.url)));
    if !buttons.is_empty() {
        elements.push(json!({ "tag": "hr" }));
        elements.push(json!({ "tag": "action", "actions": buttons }));
    }
    if let Some(ack) = &text.ack {
        elements.push(json!({ "tag": "note", "elements": [plain_text(ack)] }));
    }
    let mentions = mentions(text, at, "id");
    if !mentions.is_empty() {
        elements.push(json!({ "tag": "div", "text": { "tag": "lark_md", "content": mentions } }));
    }
    let title = format!("{} {}", text.symbol, text.title);
    json!({
        "msg_type": "interactive",
        "card": {
            "config": { "wide_screen_mode": true },
            "header": { "template": template(text.color), "title": plain_text(&title) },
            "elements": elements,
        },
    })
}

fn item_elements(item: &ItemText, text: &CardText) -> Vec<Value> {
    let mut elements = Vec::new();
    if text.has_headings() || item.facts.is_empty() {
        elements.push(json!({ "tag": "div", "text": plain_text(&item.line()) }));
    }
    let fields: Vec<Value> = item
        .facts
        .iter()
        .map(|fact| {
            let content = format!("{}{}{}", fact.name, text.colon, fact.value);
            json!({ "is_short": content.chars().count() <= SHORT_FIELD, "text": plain_text(&content) })
        })
        .collect();
    if !fields.is_empty() {
        elements.push(json!({ "tag": "div", "fields": fields }));
    }
    if let Some(tail) = &item.tail {
        let mut lines: Vec<&str> = tail.lines.iter().map(String::as_str).collect();
        while lines.len() > 1 && lines.iter().map(|line| line.len() + 1).sum::<usize>() > LARGEST_OUTPUT {
            lines.remove(0);
        }
        elements.push(json!({
            "tag": "div",
            "text": plain_text(&format!("{}\n{}", tail.heading, lines.join("\n"))),
        }));
    }
    elements
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::fake_carrier::{Expected, FakeCarrier, check_outcomes, send_sample};
    use crate::channel::golden::check_payloads;
    use crate::render::card::samples;
    use proptest::prelude::*;

    fn robot(url: &str) -> Feishu {
        let secret = Secret::Literal("cafe".into());
        Feishu::new(&Secret::Literal(format!("{url}/hook/x")), Some(&secret), &[], HttpSender::new(None))
    }

    #[test]
    fn the_body_decides_what_an_answer_means() {
        check_outcomes(
            |url| Box::new(robot(url)),
            &[
                (("200 OK", "", r#"{"StatusCode":0,"code":0,"msg":"success"}"#), Expected::Taken),
                (
                    ("200 OK", "", r#"{"code":11232,"msg":"frequency limited"}"#),
                    Expected::Unreachable(Some(60)),
                ),
                (("400 Bad Request", "", r#"{"code":9499,"msg":"Bad Request"}"#), Expected::Unfit),
                (("200 OK", "", r#"{"code":19021,"msg":"sign match fail"}"#), Expected::Unreachable(None)),
                (
                    ("200 OK", "", r#"{"code":19024,"msg":"Key Words Not Found"}"#),
                    Expected::Unreachable(None),
                ),
                (("413 Payload Too Large", "", ""), Expected::Unfit),
                (("200 OK", "", "{}"), Expected::Unreachable(None)),
            ],
        );
    }

    #[test]
    fn a_request_carries_its_signature_in_the_body() {
        let carrier = FakeCarrier::start(&[("200 OK", "", r#"{"code":0}"#)]);
        assert!(send_sample(&mut robot(carrier.url()), Detail::Rich).is_ok());
        let body = carrier.request().json();
        let seconds = body["timestamp"].as_str().unwrap();
        assert_eq!(body["sign"], json!(super::sign("cafe", seconds)));
        assert_eq!(body["msg_type"], "interactive");
    }

    #[test]
    fn the_signature_has_the_secret_in_its_key() {
        assert_eq!(
            sign("cafe000000000000000000", "1764495691"),
            "R+ESkPej501o2ZYY+iZNveXP7IJ7qFDiE+9dWEHKBxE="
        );
    }

    #[test]
    fn payloads_are_as_they_were_reviewed() {
        check_payloads("feishu", |message| payload(message, &["all".into()]));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_body_is_within_its_limit_and_only_our_mention_is_markup(
            card in samples::any_card(),
            detail in prop::sample::select(vec![Detail::Rich, Detail::Plain, Detail::Line]),
        ) {
            let body = payload(&CardMessage { card: &card, detail, late: None }, &["all".into()]);
            prop_assert!(body.to_string().len() <= LARGEST_BODY);
            if let Some(text) = body["content"]["text"].as_str() {
                prop_assert_eq!(text.replace("<at user_id=all></at>", "").matches('<').count(), 0);
            } else {
                let markup = body.to_string().matches("lark_md").count();
                prop_assert!(markup <= 1);
            }
        }
    }
}
