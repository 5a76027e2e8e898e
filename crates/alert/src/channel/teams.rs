//! Microsoft Teams (`teams=`): [`Teams`] posts an Adaptive Card to the URL of a workflow.
//!
//! A TextBlock reads a subset of Markdown: a line ends with an empty line, and a link in a program's output is broken by a
//! character without width. A mention needs an entity, which is never sent.

use std::time::Duration;

use serde_json::{Value, json};

use super::http::{HttpAnswer, HttpSender, Post, secret_url};
use super::{DeliveryChannel, DeliveryError, DeliveryProgress, OutgoingAlert, Receipt};
use crate::render::card::{CardMessage, CardText, Detail};
use crate::secret::Secret;

/// The bytes of a post: Microsoft says about 28 KB.
const MAX_POST: usize = 27_000;
/// Teams has reported its rate limit with status 200 and these words.
const RATE_LIMITED: &str = "error 429";
/// How long everything waits then.
const PAUSE: Duration = Duration::from_secs(60);

/// A workflow of Microsoft Teams.
pub(super) struct Teams {
    url: Secret,
    sender: HttpSender,
}

impl Teams {
    pub(super) fn new(url: &Secret, sender: HttpSender) -> Self {
        Self { url: url.clone(), sender }
    }
}

impl DeliveryChannel for Teams {
    fn send(
        &mut self,
        outgoing: &OutgoingAlert<'_>,
        progress: &mut dyn DeliveryProgress,
    ) -> Result<Receipt, DeliveryError> {
        let post = Post::json(secret_url("teams", &self.url)?, &payload(&outgoing.message()?));
        let answer = self.sender.send(post, progress)?;
        judge(&answer)?;
        Ok(answer.taken())
    }
}

/// 2xx is success, but for a rate limit in the words.
fn judge(answer: &HttpAnswer) -> Result<(), DeliveryError> {
    let text = String::from_utf8_lossy(&answer.body).to_ascii_lowercase();
    if answer.status == 429 || (200..300).contains(&answer.status) && text.contains(RATE_LIMITED) {
        return Err(answer.unreachable_for(answer.retry_after.unwrap_or(PAUSE)));
    }
    answer.by_status()
}

/// The payload of a card in the form that is asked for.
fn payload(message: &CardMessage<'_>) -> Value {
    let fits = |limit: usize| move |payload: &Value| payload.to_string().len() <= limit;
    match message.detail {
        Detail::Rich => message.fit(rich, fits(MAX_POST)),
        Detail::Plain => message.fit(|text| post(&[block(&text.plain())], &[]), fits(MAX_POST / 2)),
        Detail::Line => post(&[block(&message.text().line())], &[]),
    }
}

fn rich(text: &CardText) -> Value {
    let mut title = block(&format!("{} {}", text.symbol, text.title));
    title["weight"] = "Bolder".into();
    title["size"] = "Medium".into();
    title["style"] = "heading".into();
    title["color"] = match text.color {
        "#d32f2f" => "Attention",
        "#ed6c02" => "Warning",
        "#2e7d32" => "Good",
        _ => "Accent",
    }
    .into();
    let mut body = vec![title];
    for item in &text.items {
        if text.has_headings() || item.facts.is_empty() {
            body.push(block(&item.line()));
        }
        if !item.facts.is_empty() {
            let fact = |name: &str, value: &str| json!({ "title": disarmed(name), "value": disarmed(value) });
            let facts: Vec<Value> = item.facts.iter().map(|each| fact(each.name, &each.value)).collect();
            body.push(json!({ "type": "FactSet", "facts": facts }));
        }
        if let Some(tail) = &item.tail {
            let mut output = block(&tail.lines.join("\n"));
            output["fontType"] = "Monospace".into();
            output["size"] = "Small".into();
            body.push(output);
        }
    }
    body.extend(text.names.iter().chain(&text.notes).chain(&text.ack).map(|line| block(line)));
    let runbooks = text.items.iter().filter_map(|item| item.runbook.as_ref()).take(1);
    let is_web = |url: &str| url.starts_with("https://") || url.starts_with("http://");
    let actions = runbooks.chain(&text.page).filter(|link| is_web(&link.url));
    let actions =
        actions.map(|link| json!({ "type": "Action.OpenUrl", "title": link.label, "url": link.url }));
    post(&body, &actions.collect::<Vec<_>>())
}

/// A text as a TextBlock.
fn block(text: &str) -> Value {
    json!({ "type": "TextBlock", "text": disarmed(text).replace('\n', "\n\n"), "wrap": true })
}

/// A text without links of Markdown.
fn disarmed(text: &str) -> String {
    text.replace("](", "]\u{200b}(")
}

fn post(body: &[Value], actions: &[Value]) -> Value {
    let mut card = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": { "width": "full" },
        "body": body,
    });
    if !actions.is_empty() {
        card["actions"] = json!(actions);
    }
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": card,
        }],
    })
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
    fn a_crash_is_an_adaptive_card() {
        let (_, card) = &samples::all(Language::English)[0];
        let payload = payload_of(card, Detail::Rich);
        assert_eq!(
            (&payload["type"], &payload["attachments"][0]["contentUrl"]),
            (&"message".into(), &Value::Null)
        );
        let content = &payload["attachments"][0]["content"];
        assert_eq!(content["body"][0]["text"], "🔴 shop:web crashed on web1");
        assert_eq!(content["body"][0]["color"], "Attention");
        assert_eq!(content["body"][1]["facts"][2], json!({ "title": "ran for", "value": "2 min 3 s" }));
        assert!(
            content["body"][2]["text"]
                .as_str()
                .unwrap()
                .starts_with("Traceback (most recent call last):\n\n")
        );
        assert_eq!(
            content["actions"][0],
            json!({ "type": "Action.OpenUrl", "title": "runbook", "url": "https://wiki.example.com/shop-web" })
        );
    }

    #[test]
    fn a_link_in_output_leads_nowhere() {
        assert_eq!(block("[free](http://evil)\nx")["text"], "[free]\u{200b}(http://evil)\n\nx");
    }

    #[test]
    fn a_rate_limit_is_known_by_status_and_by_words() {
        assert_eq!(judge(&answer_for_tests(202, "", None)), Ok(()));
        assert_eq!(judge(&answer_for_tests(200, "1", None)), Ok(()));
        let words =
            "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429";
        for (status, body) in [(200, words), (429, "")] {
            let answer = answer_for_tests(status, body, None);
            assert_eq!(judge(&answer), Err(answer.unreachable_for(PAUSE)));
        }
        let answer = answer_for_tests(413, "", None);
        assert_eq!(judge(&answer), Err(answer.unfit()));
        let answer = answer_for_tests(401, "", None);
        assert_eq!(judge(&answer), Err(answer.unreachable()));
    }

    proptest! {
        #[test]
        fn every_card_fits(card in samples::any_card()) {
            for detail in [Detail::Rich, Detail::Plain, Detail::Line] {
                prop_assert!(payload_of(&card, detail).to_string().len() <= MAX_POST);
            }
        }
    }
}
