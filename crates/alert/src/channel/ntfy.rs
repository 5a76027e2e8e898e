//! ntfy (`ntfy=`): [`Ntfy`] publishes a card as JSON at the root of the server that the topic's URL names.

use std::time::Duration;

use ironlance_core::alerting::incident::Severity;
use ironlance_core::text::url_encoding;
use serde_json::{Value, json};

use super::http::{HttpAnswer, HttpSender, Post, revealed, secret_url};
use super::{DeliveryChannel, DeliveryError, DeliveryProgress, OutgoingAlert, Receipt};
use crate::render::card::{CardMessage, CardText, Detail};
use crate::secret::Secret;
use ironlance_net::HttpUrl;

/// The bytes of a message: a longer one becomes an attachment.
const MAX_MESSAGE: usize = 4096;
/// How long everything waits after 429 without a time.
const PAUSE: Duration = Duration::from_secs(60);

/// A topic.
pub(super) struct Ntfy {
    url: Secret,
    token: Option<Secret>,
    sender: HttpSender,
}

impl Ntfy {
    pub(super) fn new(url: &Secret, token: Option<&Secret>, sender: HttpSender) -> Self {
        Self { url: url.clone(), token: token.cloned(), sender }
    }
}

impl DeliveryChannel for Ntfy {
    fn send(
        &mut self,
        outgoing: &OutgoingAlert<'_>,
        progress: &mut dyn DeliveryProgress,
    ) -> Result<Receipt, DeliveryError> {
        let (server, topic) = server_and_topic(secret_url("ntfy", &self.url)?)
            .ok_or_else(|| DeliveryError::unreachable("cannot use the URL of ntfy=: it has no topic"))?;
        let mut post = Post::json(server, &payload(&outgoing.message()?, &topic));
        if let Some(token) = &self.token {
            post = post.with_header("Authorization", format!("Bearer {}", revealed(token)?.trim()));
        }
        let answer = self.sender.send(post, progress)?;
        judge(&answer)?;
        Ok(answer.taken())
    }
}

/// The server's root and the topic.
fn server_and_topic(url: HttpUrl) -> Option<(HttpUrl, String)> {
    let path = url.target.split('?').next().unwrap_or_default().trim_end_matches('/');
    let (root, topic) = path.rsplit_once('/')?;
    let topic = url_encoding::decode(topic).filter(|topic| !topic.is_empty())?;
    let root = format!("{root}/");
    Some((url.with_target(&root), topic))
}

/// Success is status 200 and the message's id in the answer: another page may have answered.
fn judge(answer: &HttpAnswer) -> Result<(), DeliveryError> {
    match answer.status {
        200 => match answer.json()?["id"].as_str() {
            Some(id) if !id.is_empty() => Ok(()),
            _ => Err(answer.unreachable()),
        },
        429 => Err(answer.unreachable_for(answer.retry_after.unwrap_or(PAUSE))),
        201..=299 => Err(answer.unreachable()),
        _ => answer.by_status(),
    }
}

/// The payload of a card in the form that is asked for.
fn payload(message: &CardMessage<'_>, topic: &str) -> Value {
    let limit = if message.detail == Detail::Rich { MAX_MESSAGE } else { MAX_MESSAGE / 2 };
    let is_line = message.detail == Detail::Line;
    let text = message.fit(CardText::clone, |text| body(text).len() <= limit);
    if is_line {
        return json!({ "topic": topic, "message": text.line() });
    }
    let is_over = text.items.iter().all(|item| item.is_over);
    let (priority, tag) = match message.card.severity {
        _ if is_over => (3, "white_check_mark"),
        Severity::Critical => (5, "rotating_light"),
        Severity::Error => (4, "rotating_light"),
        Severity::Warning => (3, "warning"),
        Severity::Info => (2, "information_source"),
    };
    let body = body(&text);
    let mut payload = json!({
        "topic": topic,
        "title": text.title,
        // An empty message would become the word "triggered".
        "message": if body.is_empty() { text.title.clone() } else { body },
        "priority": priority,
        "tags": [tag],
    });
    let runbook = text.items.iter().find_map(|item| item.runbook.as_ref());
    if let Some(link) = runbook.or(text.page.as_ref()).filter(|_| message.detail == Detail::Rich) {
        payload["click"] = link.url.clone().into();
    }
    payload
}

fn body(text: &CardText) -> String {
    text.plain_body()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::card::{Card, Language};
    use crate::channel::http::answer_for_tests;
    use crate::render::card::samples;
    use proptest::prelude::*;

    fn payload_of(card: &Card, detail: Detail) -> Value {
        payload(&CardMessage { card, detail, late: None }, "web1-ops")
    }

    #[test]
    fn a_crash_is_a_message_with_title_and_priority() {
        let (_, card) = &samples::all(Language::English)[0];
        let payload = payload_of(card, Detail::Rich);
        assert_eq!(payload["title"], "shop:web crashed on web1");
        assert_eq!((&payload["topic"], &payload["priority"]), (&"web1-ops".into(), &4.into()));
        assert_eq!(
            (&payload["tags"][0], &payload["click"]),
            (&"rotating_light".into(), &"https://wiki.example.com/shop-web".into())
        );
        assert!(payload["message"].as_str().unwrap().starts_with("why: killed by SIGKILL"));
        let (_, over) = &samples::all(Language::Chinese)[2];
        assert_eq!(payload_of(over, Detail::Rich)["priority"], 3);
        assert_eq!(
            payload_of(card, Detail::Line),
            json!({ "topic": "web1-ops", "message": "shop:web crashed on web1" })
        );
    }

    #[test]
    fn a_url_is_a_server_and_a_topic() {
        let parts = |url: &str| {
            let (server, topic) = server_and_topic(HttpUrl::parse(url).unwrap())?;
            Some((server.target, topic))
        };
        assert_eq!(parts("https://ntfy.sh/web1-ops"), Some(("/".into(), "web1-ops".into())));
        assert_eq!(parts("https://h/sub/a%20b/?x"), Some(("/sub/".into(), "a b".into())));
        assert_eq!(parts("https://ntfy.sh/"), None);
    }

    #[test]
    fn an_answer_without_the_id_of_a_message_is_no_success() {
        assert_eq!(judge(&answer_for_tests(200, r#"{"id":"x1","event":"message"}"#, None)), Ok(()));
        for body in ["ok", "{}", r#"{"id":""}"#] {
            let answer = answer_for_tests(200, body, None);
            assert_eq!(judge(&answer), Err(answer.unreachable()), "{body}");
        }
        let limited = answer_for_tests(429, r#"{"code":42901,"http":429,"error":"limit reached"}"#, None);
        assert_eq!(judge(&limited), Err(limited.unreachable_for(PAUSE)));
        let invalid = answer_for_tests(400, r#"{"code":40024,"http":400}"#, None);
        assert_eq!(judge(&invalid), Err(invalid.unfit()));
        let denied = answer_for_tests(403, r#"{"code":40301,"http":403}"#, None);
        assert_eq!(judge(&denied), Err(denied.unreachable()));
    }

    proptest! {
        #[test]
        fn every_card_fits(card in samples::any_card()) {
            for detail in [Detail::Rich, Detail::Plain, Detail::Line] {
                let payload = payload_of(&card, detail);
                let message = payload["message"].as_str().unwrap();
                prop_assert!(!message.is_empty() && message.len() <= MAX_MESSAGE);
            }
        }
    }
}
