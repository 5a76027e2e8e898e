//! A DingTalk robot (`dingtalk=`): [`DingTalk`]. Markdown of DingTalk's sort: a line break is an empty line, no fences.
//!
//! | `errcode` | outcome |
//! |---|---|
//! | 0 | taken |
//! | 130101 too fast, 90030 over its limit | unreachable for 10 minutes, for which the robot is blocked |
//! | 460101, 101002 too long | unfit |
//! | 310000 signature, keyword or address refused | unreachable |
//! | none, others | unreachable: a gateway that blocks answers JSON without `errcode` |

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ironlance_core::text::url_encoding;
use ironlance_net::HttpUrl;
use serde_json::{Value, json};

use super::answer_code::{CodeMeaning, judge};
use super::http::{HttpSender, Post, revealed, secret_url};
use super::signature::hmac_sha256;
use super::{DeliveryChannel, DeliveryError, DeliveryProgress, OutgoingAlert, Receipt};
use crate::render::card::{CardMessage, CardText, Detail};
use crate::secret::Secret;

/// The bytes of a body, of the answer to a longer one.
const LARGEST_BODY: usize = 20_000;
/// The seconds for which a robot is blocked that was too fast.
const BLOCKED: u64 = 600;
/// What the numbers in answers mean.
const CODES: &[(i64, CodeMeaning)] = &[
    (130_101, CodeMeaning::TooFast(BLOCKED)),
    (90_030, CodeMeaning::TooFast(BLOCKED)),
    (460_101, CodeMeaning::Unfit),
    (101_002, CodeMeaning::Unfit),
    (310_000, CodeMeaning::Configuration),
];

/// A robot.
#[derive(Debug)]
pub(super) struct DingTalk {
    url: Secret,
    secret: Option<Secret>,
    look: DingTalkLook,
    http: HttpSender,
}

/// What of the settings shows in a message.
#[derive(Debug)]
struct DingTalkLook {
    /// Phone numbers, or `all`.
    at: Vec<String>,
    /// A word that must stand in each message.
    keyword: Option<String>,
}

impl DingTalk {
    /// A robot at a URL.
    pub(super) fn new(
        url: &Secret,
        secret: Option<&Secret>,
        at: &[String],
        keyword: Option<&str>,
        http: HttpSender,
    ) -> Self {
        let look = DingTalkLook { at: at.to_vec(), keyword: keyword.map(str::to_owned) };
        Self { url: url.clone(), secret: secret.cloned(), look, http }
    }

    /// The URL of a request at this time.
    fn signed_url(&self, now: SystemTime) -> Result<HttpUrl, DeliveryError> {
        let mut url = secret_url("dingtalk", &self.url)?;
        if let Some(secret) = &self.secret {
            let millis = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis().to_string();
            let separator = if url.target.contains('?') { '&' } else { '?' };
            let sign = sign(&revealed(secret)?, &millis);
            url.target.push_str(&format!("{separator}timestamp={millis}&sign={sign}"));
        }
        Ok(url)
    }
}

impl DeliveryChannel for DingTalk {
    fn send(
        &mut self,
        outgoing: &OutgoingAlert<'_>,
        progress: &mut dyn DeliveryProgress,
    ) -> Result<Receipt, DeliveryError> {
        let body = self.look.payload(&outgoing.message()?);
        let post = Post::json(self.signed_url(SystemTime::now())?, &body);
        judge(&self.http.send(post, progress)?, "errcode", CODES)
    }
}

/// The signature of a moment in milliseconds, percent-encoded once.
fn sign(secret: &str, millis: &str) -> String {
    let mac = hmac_sha256(secret.as_bytes(), format!("{millis}\n{secret}").as_bytes());
    url_encoding::encode(&STANDARD.encode(mac))
}

impl DingTalkLook {
    /// The body of a request.
    fn payload(&self, message: &CardMessage<'_>) -> Value {
        let limit = if message.detail == Detail::Rich { LARGEST_BODY } else { LARGEST_BODY / 2 };
        let render = |text: &CardText| match message.detail {
            Detail::Rich => self.markdown(text),
            Detail::Plain => self.text(text, &text.plain()),
            Detail::Line => self.text(text, &text.line()),
        };
        message.fit(render, |body| body.to_string().len() <= limit)
    }

    fn markdown(&self, text: &CardText) -> Value {
        let title = self.with_keyword(&format!("{} {}", text.symbol, text.title));
        let mut blocks = vec![format!("### {}", escape(&title))];
        for item in &text.items {
            if text.has_headings() || item.facts.is_empty() {
                blocks.push(format!("**{}** {}", escape(&item.heading), escape(&item.dated_sentence)));
            }
            blocks.extend(
                item.facts
                    .iter()
                    .map(|fact| format!("**{}**{}{}", fact.name, text.colon, escape(&fact.value))),
            );
            if let Some(tail) = &item.tail {
                blocks.push(format!("**{}**", escape(&tail.heading)));
                blocks.extend(tail.lines.iter().map(|line| format!("> {}", escape(line))));
            }
            blocks.extend(item.runbook.iter().map(|link| format!("[{}]({})", link.label, link.url)));
        }
        blocks.extend(text.names.iter().chain(&text.notes).map(|line| escape(line)));
        blocks.extend(text.page.iter().map(|link| format!("[{}]({})", link.label, link.url)));
        blocks.extend(text.ack.clone());
        blocks.extend(self.mentions(text));
        json!({
            "msgtype": "markdown",
            "markdown": { "title": title, "text": blocks.join("\n\n") },
            "at": self.at(text),
        })
    }

    fn text(&self, text: &CardText, content: &str) -> Value {
        let mut content = self.with_keyword(content);
        content.extend(self.mentions(text).map(|mentions| format!("\n{mentions}")));
        json!({ "msgtype": "text", "text": { "content": content }, "at": self.at(text) })
    }

    fn with_keyword(&self, text: &str) -> String {
        match &self.keyword {
            Some(keyword) if !text.contains(keyword.as_str()) => format!("{keyword} {text}"),
            _ => text.to_owned(),
        }
    }

    /// The phone numbers to mention; none where all of it is over.
    fn mobiles(&self, text: &CardText) -> Vec<&str> {
        let at = self.at.iter().filter(|_| !text.is_over).map(String::as_str);
        at.filter(|who| *who != "all").collect()
    }

    fn at(&self, text: &CardText) -> Value {
        let all = !text.is_over && self.at.iter().any(|who| who == "all");
        json!({ "atMobiles": self.mobiles(text), "isAtAll": all })
    }

    /// A mention works only if it stands in the text, too.
    fn mentions(&self, text: &CardText) -> Option<String> {
        let mobiles = self.mobiles(text);
        let names: Vec<String> = mobiles.iter().map(|mobile| format!("@{mobile}")).collect();
        (!names.is_empty()).then(|| names.join(" "))
    }
}

/// A text without markup of its own.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if matches!(character, '\\' | '*' | '_' | '[' | ']' | '`' | '#' | '~') {
            out.push('\\');
        }
        out.push(character);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::card::Language;
    use crate::channel::fake_carrier::{Expected, FakeCarrier, check_outcomes, send_sample};
    use crate::channel::golden::check_payloads;
    use crate::render::card::samples;
    use proptest::prelude::*;
    use std::time::Duration;

    fn look() -> DingTalkLook {
        DingTalkLook { at: vec!["13800138000".into()], keyword: None }
    }

    fn robot(url: &str) -> DingTalk {
        let url = Secret::Literal(format!("{url}/robot/send?access_token=x"));
        DingTalk::new(&url, Some(&Secret::Literal("SECcafe".into())), &[], None, HttpSender::new(None))
    }

    #[test]
    fn the_body_decides_what_an_answer_means() {
        let blocked = r#"{"errcode":130101,"errmsg":"send too fast, exceed 20 times per minute"}"#;
        check_outcomes(
            |url| Box::new(robot(url)),
            &[
                (("200 OK", "", r#"{"errcode":0,"errmsg":"ok"}"#), Expected::Taken),
                (("200 OK", "", blocked), Expected::Unreachable(Some(600))),
                (
                    ("200 OK", "", r#"{"errcode":310000,"errmsg":"sign not match"}"#),
                    Expected::Unreachable(None),
                ),
                (("200 OK", "", r#"{"errcode":460101,"errmsg":"message too long"}"#), Expected::Unfit),
                (("200 OK", "", r#"{"punish":"deny","errmsg":"ok"}"#), Expected::Unreachable(None)),
                (("200 OK", "", r#"{"errcode":987654,"errmsg":"new"}"#), Expected::Unreachable(None)),
                (("200 OK", "", "<html>a login page</html>"), Expected::Unreachable(None)),
                (("502 Bad Gateway", "Retry-After: 7\r\n", ""), Expected::Unreachable(Some(7))),
            ],
        );
    }

    #[test]
    fn a_request_is_signed_for_now() {
        let carrier = FakeCarrier::start(&[("200 OK", "", r#"{"errcode":0}"#)]);
        assert!(send_sample(&mut robot(carrier.url()), Detail::Plain).is_ok());
        let request = carrier.request();
        let target = request.line.split(' ').nth(1).unwrap();
        let (_, query) = target.split_once("&timestamp=").unwrap();
        let (millis, sign) = query.split_once("&sign=").unwrap();
        assert_eq!(sign, super::sign("SECcafe", millis));
        assert_eq!(request.json()["msgtype"], "text");
        assert_eq!(request.header("content-type"), "application/json");
    }

    #[test]
    fn the_signature_is_percent_encoded_once() {
        let secret = "SEC000000000000000000000000000000000000000000000000000000000000cafe";
        let sign = "kumyIMeq93Fp%2FH3rskZNZPehaMF47L%2BREDTBBPmHCQ8%3D";
        assert_eq!(super::sign(secret, "1764495691459"), sign);
        let url = Secret::Literal("https://oapi.dingtalk.com/robot/send?access_token=x".into());
        let secret = Secret::Literal(secret.into());
        let robot = DingTalk::new(&url, Some(&secret), &[], None, HttpSender::new(None));
        let signed = robot.signed_url(UNIX_EPOCH + Duration::from_millis(1_764_495_691_459)).unwrap();
        assert_eq!(signed.target, format!("/robot/send?access_token=x&timestamp=1764495691459&sign={sign}"));
    }

    #[test]
    fn payloads_are_as_they_were_reviewed() {
        check_payloads("dingtalk", |message| look().payload(message));
    }

    #[test]
    fn the_keyword_stands_in_every_form_and_nobody_is_called_for_a_recovery() {
        let look = DingTalkLook { at: vec!["all".into()], keyword: Some("告警".into()) };
        for (_, card) in samples::all(Language::Chinese) {
            for detail in [Detail::Rich, Detail::Plain, Detail::Line] {
                let body = look.payload(&CardMessage { card: &card, detail, late: None });
                assert!(body.to_string().contains("告警"), "{body}");
                let is_over = card.kind == crate::card::CardKind::Recovered;
                assert_eq!(body["at"]["isAtAll"], json!(!is_over), "{body}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_body_is_within_its_limit(card in samples::any_card(), detail in prop::sample::select(vec![Detail::Rich, Detail::Plain, Detail::Line])) {
            let body = look().payload(&CardMessage { card: &card, detail, late: None });
            prop_assert!(body.to_string().len() <= LARGEST_BODY);
            let text = body["markdown"]["text"].as_str().or(body["text"]["content"].as_str()).unwrap();
            prop_assert_eq!(body["at"]["atMobiles"] == json!(["13800138000"]), text.contains("@13800138000"));
        }
    }
}
