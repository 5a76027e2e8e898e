//! Slack (`slack=`, `slack_token=`): [`Slack`] posts a card as an attachment with a coloured bar, to an incoming webhook or by
//! chat.postMessage.
//!
//! Names, facts and output stand in mrkdwn, of which exactly `&`, `<` and `>` are escaped: that disarms `<!channel>` and
//! `<@U…>` as well.

use std::time::Duration;

use serde_json::{Value, json};

use super::http::{HttpAnswer, HttpSender, Post, revealed, secret_url};
use super::{DeliveryChannel, DeliveryError, DeliveryProgress, OutgoingAlert, Receipt};
use crate::render::card::{CardMessage, CardText, Detail, ItemText};
use crate::secret::Secret;
use ironlance_net::HttpUrl;

/// Where chat.postMessage is.
const POST_MESSAGE: &str = "https://slack.com/api/chat.postMessage";
/// The characters of a section's text.
const MAX_SECTION: usize = 3000;
/// The characters of a field, and the fields of a section.
const MAX_FIELD: usize = 2000;
const MAX_FIELDS: usize = 10;
/// The blocks of a message; known from practice.
const MAX_BLOCKS: usize = 50;
/// The characters of a message without blocks: what is longer is split, and a fence in it broken.
const MAX_TEXT: usize = 4000;
/// How long everything waits after "rate limited" without a time.
const PAUSE: Duration = Duration::from_secs(60);

/// What Slack's words of refusal mean; those that are not here can be mended in the configuration.
const VERDICTS: &[(&str, Verdict)] = &[
    ("invalid_blocks", Verdict::Unfit),
    ("invalid_blocks_format", Verdict::Unfit),
    ("invalid_attachments", Verdict::Unfit),
    ("invalid_payload", Verdict::Unfit),
    ("msg_too_long", Verdict::Unfit),
    ("msg_blocks_too_long", Verdict::Unfit),
    ("too_many_attachments", Verdict::Unfit),
    ("no_text", Verdict::Unfit),
    ("rate_limited", Verdict::RateLimited),
    ("ratelimited", Verdict::RateLimited),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Unfit,
    RateLimited,
}

/// Slack.
pub(super) struct Slack {
    destination: Destination,
    sender: HttpSender,
}

/// Where a message goes.
pub(super) enum Destination {
    /// An incoming webhook.
    Webhook(Secret),
    /// A channel, by a bot's token.
    Channel {
        /// The token.
        token: Secret,
        /// The channel.
        channel: String,
    },
}

impl Slack {
    pub(super) fn new(destination: Destination, sender: HttpSender) -> Self {
        Self { destination, sender }
    }

    fn post(&self, mut payload: Value) -> Result<Post, DeliveryError> {
        match &self.destination {
            Destination::Webhook(url) => Ok(Post::json(secret_url("slack", url)?, &payload)),
            Destination::Channel { token, channel } => {
                payload["channel"] = channel.clone().into();
                let url = HttpUrl::parse(POST_MESSAGE)
                    .map_err(|error| DeliveryError::unreachable(error.to_string()))?;
                let mut post = Post::json(url, &payload);
                // Without the charset Slack complains in its answer.
                post.content_type = "application/json; charset=utf-8";
                Ok(post.with_header("Authorization", format!("Bearer {}", revealed(token)?.trim())))
            }
        }
    }
}

impl DeliveryChannel for Slack {
    fn send(
        &mut self,
        outgoing: &OutgoingAlert<'_>,
        progress: &mut dyn DeliveryProgress,
    ) -> Result<Receipt, DeliveryError> {
        let payload = payload(&outgoing.message()?);
        let answer = self.sender.send(self.post(payload)?, progress)?;
        judge(&answer)?;
        Ok(answer.taken())
    }
}

/// Success is the text `ok`, or JSON with `"ok": true`; whatever the status.
fn judge(answer: &HttpAnswer) -> Result<(), DeliveryError> {
    let json = serde_json::from_slice::<Value>(&answer.body).ok().filter(Value::is_object);
    let text = String::from_utf8_lossy(&answer.body);
    let (is_ok, word) = match &json {
        Some(json) => (json["ok"] == true, json["error"].as_str().unwrap_or_default()),
        None => (text.trim() == "ok", text.trim()),
    };
    let verdict = VERDICTS.iter().find(|(known, _)| *known == word).map(|(_, verdict)| *verdict);
    match (answer.status, verdict) {
        (200, None) if is_ok => Ok(()),
        (_, Some(Verdict::RateLimited)) | (429, _) => {
            let said = json.as_ref().and_then(|json| json["retry_after"].as_f64());
            let said = said.and_then(|seconds| Duration::try_from_secs_f64(seconds.ceil()).ok());
            Err(answer.unreachable_for(answer.retry_after.or(said).unwrap_or(PAUSE)))
        }
        (_, Some(Verdict::Unfit)) | (413, None) => Err(answer.unfit()),
        _ => Err(answer.unreachable()),
    }
}

/// The payload of a card in the form that is asked for.
fn payload(message: &CardMessage<'_>) -> Value {
    match message.detail {
        Detail::Rich => message.fit(rich, fits),
        Detail::Plain => message.fit(plain, |payload| characters(&payload["text"]) <= MAX_TEXT / 2),
        Detail::Line => json!({ "text": escape(&message.text().line()), "mrkdwn": false }),
    }
}

fn plain(text: &CardText) -> Value {
    json!({ "text": escape(&text.plain()), "mrkdwn": false })
}

fn rich(text: &CardText) -> Value {
    let title = format!("{} {}", text.symbol, text.title);
    let why = text.items.first().and_then(|item| item.facts.first()).filter(|_| !text.has_headings());
    let subtitle = why.map(|fact| format!("\n{}", escape(&fact.value))).unwrap_or_default();
    let mut blocks = vec![section(&format!("*{}*{subtitle}", escape(&title)))];
    let mut lines: Vec<String> = Vec::new();
    for item in &text.items {
        if text.has_headings() || item.facts.is_empty() {
            lines.push(item_line(item));
        }
        let facts = item.facts.iter().skip(usize::from(why.is_some()));
        let facts: Vec<Value> =
            facts.map(|fact| mrkdwn(&format!("*{}*\n{}", fact.name, escape(&fact.value)))).collect();
        if (facts.is_empty() && item.tail.is_none()) || blocks.len() + 4 >= MAX_BLOCKS {
            continue;
        }
        blocks.extend(section_of(&mut lines));
        for fields in facts.chunks(MAX_FIELDS) {
            blocks.push(json!({ "type": "section", "fields": fields }));
        }
        if let Some(tail) = &item.tail {
            blocks.push(section(&format!("```{}```", fenced(&tail.lines))));
        }
    }
    blocks.extend(section_of(&mut lines));
    lines.extend(text.names.iter().chain(&text.notes).map(|line| escape(line)));
    blocks.extend(section_of(&mut lines));
    let runbooks = text.items.iter().filter_map(|item| item.runbook.as_ref()).take(1);
    let mut links: Vec<String> = runbooks
        .chain(&text.page)
        .map(|link| format!("<{}|{}>", link_target(&link.url), escape(link.label)))
        .collect();
    links.extend(text.ack.iter().map(|ack| format!("`{}`", escape(&ack.replace('`', "'")))));
    if !links.is_empty() {
        blocks.push(json!({ "type": "context", "elements": [mrkdwn(&links.join(" · "))] }));
    }
    let notification = match why {
        Some(fact) => format!("{title}: {}", fact.value),
        None => title,
    };
    json!({ "text": escape(&notification), "attachments": [{ "color": text.color, "blocks": blocks }] })
}

/// A line of a list: the name as code, since `*` and `_` cannot be escaped.
fn item_line(item: &ItemText) -> String {
    let name = item.heading.replace('`', "'");
    format!("`{}` {} ({})", escape(&name), escape(&item.sentence), escape(&item.time))
}

/// A section of the lines so far, if there are any.
fn section_of(lines: &mut Vec<String>) -> Option<Value> {
    let text = std::mem::take(lines).join("\n");
    (!text.is_empty()).then(|| section(&text))
}

fn section(text: &str) -> Value {
    json!({ "type": "section", "text": mrkdwn(text) })
}

fn mrkdwn(text: &str) -> Value {
    json!({ "type": "mrkdwn", "text": text })
}

/// Lines within a fence: a fence in them is broken by a character without width.
fn fenced(lines: &[String]) -> String {
    escape(&lines.join("\n")).replace("```", "`\u{200b}`\u{200b}`")
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A URL within `<URL|label>`.
fn link_target(url: &str) -> String {
    escape(url).replace('|', "%7C")
}

fn characters(text: &Value) -> usize {
    text.as_str().map_or(0, |text| text.chars().count())
}

/// Whether a payload is within Slack's limits.
fn fits(payload: &Value) -> bool {
    let no_blocks = Vec::new();
    let blocks = payload["attachments"][0]["blocks"].as_array().unwrap_or(&no_blocks);
    let block_fits = |block: &Value| {
        let fields = block["fields"].as_array();
        let context = &block["elements"][0]["text"];
        characters(&block["text"]["text"]) <= MAX_SECTION
            && characters(context) <= MAX_FIELD
            && fields.is_none_or(|fields| fields.iter().all(|field| characters(&field["text"]) <= MAX_FIELD))
    };
    characters(&payload["text"]) <= MAX_TEXT && blocks.len() <= MAX_BLOCKS && blocks.iter().all(block_fits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::card::{Card, Language};
    use crate::channel::http::answer_for_tests;
    use crate::render::card::samples;
    use proptest::prelude::*;

    fn payload_of(card: &Card, detail: Detail) -> Value {
        payload(&CardMessage { card, detail, late: None })
    }

    #[test]
    fn a_crash_is_an_attachment_with_a_coloured_bar() {
        let (_, card) = &samples::all(Language::English)[0];
        let expected = json!({
            "text": "🔴 shop:web crashed on web1: killed by SIGKILL, by the kernel: out of memory",
            "attachments": [{ "color": "#d32f2f", "blocks": [
                { "type": "section", "text": { "type": "mrkdwn",
                    "text": "*🔴 shop:web crashed on web1*\nkilled by SIGKILL, by the kernel: out of memory" } },
                { "type": "section", "fields": [
                    { "type": "mrkdwn", "text": "*now*\nrunning again since 09:48:12, pid 4802" },
                    { "type": "mrkdwn", "text": "*ran for*\n2 min 3 s" },
                    { "type": "mrkdwn", "text": "*ends*\n2 in 10 min" },
                    { "type": "mrkdwn", "text": "*ended*\n2026-11-30 09:48:11 +0800" },
                ] },
                { "type": "section", "text": { "type": "mrkdwn",
                    "text": "```Traceback (most recent call last):\n  File \"/srv/shop/app_main.py\", line 42, in &lt;module&gt;\n\
                        MemoryError: can't allocate *4 GB* for [cache_map] &amp; friends &lt;at id=all&gt; &lt;!channel&gt; &lt;@all&gt; @all```" } },
                { "type": "context", "elements": [{ "type": "mrkdwn",
                    "text": "<https://wiki.example.com/shop-web|runbook> · <http://web1:9001/|page> · `ack: ironlance alerts ack 42`" }] },
            ] }],
        });
        assert_eq!(payload_of(card, Detail::Rich), expected);
    }

    #[test]
    fn a_storm_is_a_list_of_names() {
        let (_, storm) = &samples::all(Language::English)[1];
        let payload = payload_of(storm, Detail::Rich);
        let blocks = payload["attachments"][0]["blocks"].as_array().unwrap();
        let list = blocks[1]["text"]["text"].as_str().unwrap();
        assert!(list.starts_with("`db` "), "{list}");
        assert!(fits(&payload));
    }

    #[test]
    fn plainer_forms_have_no_markup() {
        let (_, card) = &samples::all(Language::English)[0];
        let plain = payload_of(card, Detail::Plain);
        assert_eq!((plain["mrkdwn"].clone(), plain["attachments"].clone()), (false.into(), Value::Null));
        assert!(plain["text"].as_str().unwrap().contains("ran for: 2 min 3 s"));
        assert_eq!(payload_of(card, Detail::Line)["text"], "shop:web crashed on web1");
    }

    #[test]
    fn an_answer_is_judged_by_its_words() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        let waits = |answer: &HttpAnswer, after| {
            Err(DeliveryError::Unreachable { reason: answer.line().into(), after })
        };
        for (status, body, retry_after) in [(200, "ok", None), (200, r#"{"ok":true,"ts":"1"}"#, None)] {
            assert_eq!(judge(&answer_for_tests(status, body, retry_after)), Ok(()), "{body}");
        }
        for (status, body) in [
            (200, "OK, whatever"),
            (200, "<html>ok</html>"),
            (200, ""),
            (200, r#"{"ok":false,"error":"channel_not_found"}"#),
            (200, r#"{"error":"x"}"#),
            (403, "invalid_token"),
            (404, "no_service"),
            (410, "channel_is_archived"),
            (500, "ok"),
            (502, ""),
            (302, "ok"),
            (400, "user_not_found"),
        ] {
            let answer = answer_for_tests(status, body, None);
            assert_eq!(judge(&answer), waits(&answer, None), "{status} {body}");
        }
        for (status, body) in [
            (400, "invalid_blocks"),
            (400, "invalid_payload"),
            (400, "no_text"),
            (200, r#"{"ok":false,"error":"invalid_attachments"}"#),
            (413, "too large"),
        ] {
            let answer = answer_for_tests(status, body, None);
            assert_eq!(judge(&answer), Err(answer.unfit()), "{status} {body}");
        }
        let limited = r#"{"retry_after":7,"ok":false,"error":"rate_limited"}"#;
        for (status, body, header, after) in [
            (429, limited, None, seconds(7)),
            (429, limited, seconds(9), seconds(9)),
            (200, r#"{"ok":false,"error":"ratelimited"}"#, None, seconds(60)),
            (429, "", None, seconds(60)),
        ] {
            let answer = answer_for_tests(status, body, header);
            assert_eq!(judge(&answer), waits(&answer, after), "{status} {body}");
        }
    }

    proptest! {
        #[test]
        fn every_card_fits_and_mentions_nobody(card in samples::any_card()) {
            let payload = payload_of(&card, Detail::Rich);
            prop_assert!(fits(&payload), "{payload}");
            prop_assert!(!payload.to_string().contains("<!") && !payload.to_string().contains("<@"));
            let plain = payload_of(&card, Detail::Plain);
            prop_assert!(characters(&plain["text"]) <= MAX_TEXT / 2);
        }

        #[test]
        fn no_answer_makes_the_judge_panic(status in 100_u16..600, body in prop::collection::vec(any::<u8>(), 0..100)) {
            let mut answer = answer_for_tests(status, "", None);
            answer.body = body;
            let _ = judge(&answer);
        }
    }
}
