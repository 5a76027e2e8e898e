//! A card as a mail: [`CardMail`], its subject, text, HTML and header fields. `mime` puts them together.
//!
//! Both parts say the same. The HTML has inline styles only, no images, and no links but those to the run book and the page.

use ironlance_core::alerting::incident::Severity;

use super::card::{CardMessage, CardText, Detail, ItemText, Link, clean::clean};
use crate::card::{Card, CardItem};

/// The incidents that a header field names.
const MOST_NAMED: usize = 20;
/// The largest text part in bytes: a storm of thousands is cut.
const LARGEST: usize = 512 * 1024;

/// The parts of a mail.
pub(super) struct CardMail {
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) html: String,
    /// Header fields: the thread, and what filters ask for.
    pub(super) headers: Vec<(&'static str, String)>,
}

impl CardMail {
    /// The mail of a card; `host` is the right side of its Message-IDs.
    pub(super) fn new(card: &Card, late: Option<(u64, &str)>, host: &str) -> Self {
        let message = CardMessage { card, detail: Detail::Rich, late };
        let text = message.fit(CardText::clone, |text| text.plain_body().len() <= LARGEST);
        Self { text: plain(&text), html: html(&text), headers: headers(card, host), subject: text.subject }
    }
}

fn plain(text: &CardText) -> String {
    format!("{}\n\n{}\n-- \n{}\n", text.title, text.plain_body(), text.signature)
}

/// The Message-ID that all mails about an incident refer to, so that mail clients show them as one thread. There is no mail
/// of that name.
fn thread_id(item: &CardItem, supervisor: &str, host: &str) -> String {
    let supervisor: String = supervisor.chars().filter(char::is_ascii_alphanumeric).collect();
    format!("<incident.{}.{supervisor}@{host}>", item.incident)
}

fn headers(card: &Card, host: &str) -> Vec<(&'static str, String)> {
    let named = || card.items.iter().take(MOST_NAMED);
    let threads: Vec<String> = named().map(|item| thread_id(item, &card.supervisor, host)).collect();
    let incidents: Vec<String> =
        named().map(|item| format!("{}#{}", clean(&card.host), item.incident)).collect();
    let programs: Vec<String> = named().map(|item| clean(&item.program)).collect();
    let mut headers = vec![
        ("In-Reply-To", threads.first().cloned().unwrap_or_default()),
        ("References", threads.join(" ")),
        ("X-Ironlance-Incident", incidents.join(", ")),
        ("X-Ironlance-Program", programs.join(", ")),
        ("X-Ironlance-Severity", card.severity.name().to_owned()),
    ];
    if card.severity >= Severity::Error && card.items.iter().any(|item| item.until.is_none()) {
        headers.push(("Importance", "high".to_owned()));
    }
    headers
}

/// A text in an element or an attribute.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            other => out.push(other),
        }
    }
    out
}

fn html(text: &CardText) -> String {
    let mut html = format!(
        "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><meta name=\"color-scheme\" content=\"light dark\"></head><body>\n\
         <table role=\"presentation\" width=\"600\" style=\"border-left:6px solid {};font:14px sans-serif\"><tr>\
         <td style=\"padding:12px\">\n<h2 style=\"margin:0 0 8px\">{}</h2>\n",
        text.color,
        escape(&text.title)
    );
    for item in &text.items {
        html.push_str(&item_html(item, text.has_headings()));
    }
    for line in text.names.iter().chain(&text.notes) {
        html.push_str(&format!("<p style=\"margin:8px 0\">{}</p>\n", escape(line)));
    }
    html.extend(text.page.iter().map(link));
    html.extend(
        text.ack.iter().map(|ack| format!("<p style=\"margin:8px 0\"><code>{}</code></p>\n", escape(ack))),
    );
    html.push_str(&format!("<p style=\"color:#757575;font-size:12px\">{}</p>\n", escape(&text.signature)));
    html + "</td></tr></table></body></html>\n"
}

fn item_html(item: &ItemText, has_heading: bool) -> String {
    let mut html = String::new();
    if has_heading || item.facts.is_empty() {
        let heading = escape(&item.heading);
        let rest = escape(&item.dated_sentence);
        html.push_str(&format!("<p style=\"margin:8px 0\"><b>{heading}</b> {rest}</p>\n"));
    }
    if !item.facts.is_empty() {
        html.push_str("<table role=\"presentation\" style=\"font:14px sans-serif\">\n");
        html.extend(item.facts.iter().map(|fact| {
            let (name, value) = (escape(fact.name), escape(&fact.value));
            format!("<tr><th align=\"left\" valign=\"top\">{name}</th><td>{value}</td></tr>\n")
        }));
        html.push_str("</table>\n");
    }
    if let Some(tail) = &item.tail {
        let lines = escape(&tail.lines.join("\n"));
        html.push_str(&format!("<p style=\"margin:8px 0 0\">{}</p>\n", escape(&tail.heading)));
        html.push_str(&format!("<pre style=\"white-space:pre-wrap\">{lines}</pre>\n"));
    }
    html.extend(item.runbook.iter().map(link));
    html
}

fn link(link: &Link) -> String {
    format!("<p style=\"margin:8px 0\"><a href=\"{}\">{}</a></p>\n", escape(&link.url), escape(link.label))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::card::Language;
    use crate::render::card::samples;
    use proptest::prelude::*;

    #[test]
    fn both_parts_say_the_same_and_markup_of_others_is_text() {
        let (_, card) = &samples::all(Language::English)[0];
        let mail = CardMail::new(card, None, "web1.example.com");
        assert!(mail.subject.starts_with("[web1] shop:web crashed: killed by SIGKILL"));
        let unescaped =
            mail.html.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&");
        for line in mail.text.lines().filter(|line| *line != "-- ") {
            let value = line.trim().split_once(": ").map_or(line.trim(), |(_, value)| value);
            assert!(unescaped.contains(value.trim_end_matches(':')), "{line} in {}", mail.html);
        }
        assert!(mail.html.contains("in &lt;module&gt;") && mail.html.contains("solid #d32f2f"));
    }

    #[test]
    fn mails_about_an_incident_are_one_thread_and_bad_ones_are_important() {
        let cards = samples::all(Language::English);
        let headers = |index: usize| CardMail::new(&cards[index].1, None, "web1").headers;
        let (fired, recovered) = (headers(0), headers(2));
        assert_eq!(fired[0], ("In-Reply-To", "<incident.42.supervisor@web1>".to_owned()));
        assert_eq!(fired[..2], recovered[..2]);
        assert!(fired.contains(&("Importance", "high".to_owned())));
        assert!(!recovered.iter().any(|(name, _)| *name == "Importance"));
        assert!(fired.contains(&("X-Ironlance-Incident", "web1#42".to_owned())));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_card_opens_an_element_of_its_own(card in samples::any_card()) {
            let html = CardMail::new(&card, None, "web1").html;
            let known = ["!DOCTYPE", "html", "head", "meta", "body", "table", "tr", "td", "th", "h2", "p", "b", "pre", "a", "code"];
            for element in html.split('<').skip(1) {
                let name = element.trim_start_matches('/').split([' ', '>']).next().unwrap();
                prop_assert!(known.contains(&name), "<{}", name);
            }
        }
    }
}
