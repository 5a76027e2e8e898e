//! A WeCom group robot (`wecom=`): [`WeCom`]. Markdown with colours and mentions of user ids; the text form where phone
//! numbers or all are mentioned, since only that one can.
//!
//! | `errcode` | outcome |
//! |---|---|
//! | 0 | taken |
//! | 45009 too fast | unreachable for a minute |
//! | 40058 bad parameter | unfit |
//! | 93000 wrong key, others, none | unreachable |

use serde_json::{Value, json};

use super::answer_code::{CodeMeaning, judge};
use super::http::{HttpSender, Post, secret_url};
use super::{DeliveryChannel, DeliveryError, DeliveryProgress, OutgoingAlert, Receipt};
use crate::render::card::{CardMessage, CardText, Detail};
use crate::secret::Secret;

/// The bytes of the content in Markdown, and of a text.
const LARGEST_MARKDOWN: usize = 4096;
const LARGEST_TEXT: usize = 2048;
/// What the numbers in answers mean. 93000 and 40058 are known from practice: the vendor's page does not explain them.
const CODES: &[(i64, CodeMeaning)] =
    &[(45_009, CodeMeaning::TooFast(60)), (40_058, CodeMeaning::Unfit), (93_000, CodeMeaning::Configuration)];

/// A robot.
#[derive(Debug)]
pub(super) struct WeCom {
    url: Secret,
    /// User ids, phone numbers, `@all`.
    at: Vec<String>,
    http: HttpSender,
}

impl WeCom {
    /// A robot at a URL.
    pub(super) fn new(url: &Secret, at: &[String], http: HttpSender) -> Self {
        Self { url: url.clone(), at: at.to_vec(), http }
    }
}

impl DeliveryChannel for WeCom {
    fn send(
        &mut self,
        outgoing: &OutgoingAlert<'_>,
        progress: &mut dyn DeliveryProgress,
    ) -> Result<Receipt, DeliveryError> {
        let body = payload(&outgoing.message()?, &self.at);
        let post = Post::json(secret_url("wecom", &self.url)?, &body);
        judge(&self.http.send(post, progress)?, "errcode", CODES)
    }
}

/// The users that a message mentions.
enum Mention<'a> {
    User(&'a str),
    Mobile(&'a str),
    All,
}

impl<'a> Mention<'a> {
    fn of(text: &'a str) -> Self {
        match text {
            "all" | "@all" => Self::All,
            text if text.len() >= 7 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'+') => {
                Self::Mobile(text)
            }
            text => Self::User(text),
        }
    }
}

/// The body of a request.
fn payload(message: &CardMessage<'_>, at: &[String]) -> Value {
    let mentions: Vec<Mention<'_>> = at.iter().map(|text| Mention::of(text)).collect();
    let is_over = message.text().is_over;
    let users_only = mentions.iter().all(|mention| matches!(mention, Mention::User(_)));
    let mentions = if is_over { &[] } else { &mentions[..] };
    if message.detail == Detail::Rich && (users_only || is_over) {
        let render = |text: &CardText| markdown(text, mentions);
        let content = message.fit(render, |content| content.len() <= LARGEST_MARKDOWN);
        return json!({ "msgtype": "markdown", "markdown": { "content": content } });
    }
    let limit = if message.detail == Detail::Rich { LARGEST_TEXT } else { LARGEST_TEXT / 2 };
    let render =
        |text: &CardText| disarm(&if message.detail == Detail::Line { text.line() } else { text.plain() });
    let content = message.fit(render, |content| content.len() <= limit);
    let mut text = json!({ "content": content });
    let (mut users, mut mobiles) = (Vec::new(), Vec::new());
    for mention in mentions {
        match mention {
            Mention::User(user) => users.push(*user),
            Mention::Mobile(mobile) => mobiles.push(*mobile),
            Mention::All => users.push("@all"),
        }
    }
    if !users.is_empty() {
        text["mentioned_list"] = json!(users);
    }
    if !mobiles.is_empty() {
        text["mentioned_mobile_list"] = json!(mobiles);
    }
    json!({ "msgtype": "text", "text": text })
}

fn markdown(text: &CardText, mentions: &[Mention<'_>]) -> String {
    let mut lines = vec![format!("## {} {}", text.symbol, disarm(&text.title))];
    for item in &text.items {
        if text.has_headings() || item.facts.is_empty() {
            lines.push(format!("**{}** {}", disarm(&item.heading), disarm(&item.dated_sentence)));
        }
        lines.extend(item.facts.iter().map(|fact| {
            format!("> {}{}<font color=\"comment\">{}</font>", fact.name, text.colon, disarm(&fact.value))
        }));
        if let Some(tail) = &item.tail {
            lines.push(format!("**{}**", disarm(&tail.heading)));
            lines.extend(tail.lines.iter().map(|line| format!("> {}", disarm(line))));
        }
        lines.extend(item.runbook.iter().map(|link| format!("[{}]({})", link.label, link.url)));
    }
    lines.extend(text.names.iter().chain(&text.notes).map(|line| disarm(line)));
    lines.extend(text.page.iter().map(|link| format!("[{}]({})", link.label, link.url)));
    lines.extend(text.ack.iter().map(|ack| format!("`{ack}`")));
    let users = mentions.iter().filter_map(|mention| match mention {
        Mention::User(user) => Some(format!("<@{user}>")),
        Mention::Mobile(_) | Mention::All => None,
    });
    let users: Vec<String> = users.collect();
    if !users.is_empty() {
        lines.push(users.join(" "));
    }
    lines.join("\n")
}

/// A text that can neither colour nor mention nor link: WeCom has no escapes.
fn disarm(text: &str) -> String {
    text.replace('<', "＜").replace("](", "] (")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::card::Language;
    use crate::channel::fake_carrier::{Expected, check_outcomes};
    use crate::channel::golden::check_payloads;
    use crate::render::card::samples;
    use proptest::prelude::*;

    #[test]
    fn the_body_decides_what_an_answer_means() {
        let open = |url: &str| -> Box<dyn DeliveryChannel> {
            Box::new(WeCom::new(&Secret::Literal(format!("{url}/send?key=x")), &[], HttpSender::new(None)))
        };
        check_outcomes(
            open,
            &[
                (("200 OK", "", r#"{"errcode":0,"errmsg":"ok"}"#), Expected::Taken),
                (
                    ("200 OK", "", r#"{"errcode":45009,"errmsg":"api freq out of limit"}"#),
                    Expected::Unreachable(Some(60)),
                ),
                (("200 OK", "", r#"{"errcode":40058,"errmsg":"bad parameter"}"#), Expected::Unfit),
                (
                    ("200 OK", "", r#"{"errcode":93000,"errmsg":"invalid webhook url"}"#),
                    Expected::Unreachable(None),
                ),
                (("200 OK", "", "ok"), Expected::Unreachable(None)),
            ],
        );
    }

    #[test]
    fn payloads_are_as_they_were_reviewed() {
        check_payloads("wecom", |message| payload(message, &["zhangsan".into()]));
    }

    #[test]
    fn phone_numbers_and_all_are_mentioned_in_a_text() {
        let (_, card) = &samples::all(Language::Chinese)[0];
        let message = CardMessage { card, detail: Detail::Rich, late: None };
        let body = payload(&message, &["13800138000".into(), "@all".into(), "lisi".into()]);
        assert_eq!(body["msgtype"], "text");
        assert_eq!(body["text"]["mentioned_list"], json!(["@all", "lisi"]));
        assert_eq!(body["text"]["mentioned_mobile_list"], json!(["13800138000"]));
        assert!(!body.to_string().contains("<@all>"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_content_is_within_its_limit_and_only_our_tags_are_in_it(
            card in samples::any_card(),
            detail in prop::sample::select(vec![Detail::Rich, Detail::Plain, Detail::Line]),
        ) {
            let body = payload(&CardMessage { card: &card, detail, late: None }, &["zhangsan".into()]);
            if let Some(content) = body["markdown"]["content"].as_str() {
                prop_assert!(content.len() <= LARGEST_MARKDOWN);
                for tag in content.split('<').skip(1) {
                    let known = ["font color=\"comment\">", "/font>", "@zhangsan>"];
                    prop_assert!(known.iter().any(|known| tag.starts_with(known)), "<{}", tag);
                }
            } else {
                let content = body["text"]["content"].as_str().unwrap();
                prop_assert!(content.len() <= LARGEST_TEXT && !content.contains('<'));
            }
        }
    }
}
