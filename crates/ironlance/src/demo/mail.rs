//! [`ParsedMail`]: sender, subject and text of a mail that the SMTP sink received, for display.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jiff::fmt::rfc2822;

use super::smtp_sink::ReceivedMail;

/// The line above the details, which superlance's mails do not have.
const DETAILS: &str = "Details:";

/// A parsed mail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ParsedMail {
    /// Which listener sent it: the part of the sender's address before the `@`.
    pub(super) listener: String,
    /// The recipients.
    pub(super) to: String,
    /// Short messages have none.
    pub(super) subject: Option<String>,
    /// Identifies the mail: a duplicate has the same.
    pub(super) message_id: String,
    /// When the alert was created.
    pub(super) date: Option<Timestamp>,
    /// The body, lines ending in LF.
    pub(super) text: String,
}

impl ParsedMail {
    /// Parses a mail. A text that is no mail counts as a body without a header.
    pub(super) fn parse(received: &ReceivedMail) -> Self {
        let mail = String::from_utf8_lossy(&received.content).replace("\r\n", "\n");
        let (header, body) = mail.split_once("\n\n").unwrap_or(("", &mail));
        let header = header.replace("\n ", " ").replace("\n\t", " ");
        let field = |wanted: &str| {
            let mut fields = header.lines().filter_map(|line| line.split_once(':'));
            fields
                .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
                .map(|(_, value)| without_controls(value.trim()))
        };
        let is_base64 = field("Content-Transfer-Encoding")
            .is_some_and(|encoding| encoding.eq_ignore_ascii_case("base64"));
        Self {
            listener: without_controls(received.from.split('@').next().unwrap_or_default()),
            to: without_controls(&received.to.join(", ")),
            subject: field("Subject"),
            message_id: field("Message-ID").unwrap_or_default(),
            date: field("Date").and_then(|date| rfc2822::parse(&date).ok()).map(|date| date.timestamp()),
            text: without_controls(&if is_base64 { from_base64(body) } else { body.to_owned() }),
        }
    }

    /// The text without its details: the original's words.
    pub(super) fn text_without_details(&self) -> &str {
        self.text
            .split_once(&format!("\n{DETAILS}\n"))
            .map_or(self.text.as_str(), |(words, _)| words)
            .trim_end()
    }
}

/// Decodes base64; any other text is returned as it is.
fn from_base64(body: &str) -> String {
    let packed: String = body.split_whitespace().collect();
    match STANDARD.decode(packed) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).replace("\r\n", "\n"),
        Err(_) => body.to_owned(),
    }
}

/// Replaces control characters, which a terminal would obey.
fn without_controls(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn mail(content: &str) -> ParsedMail {
        let content = content.replace('\n', "\r\n").into_bytes();
        ParsedMail::parse(&ReceivedMail {
            from: "crashmail@demo.example".into(),
            to: vec!["ops@x".into()],
            content,
        })
    }

    #[test]
    fn a_mail_is_read_as_a_person_does() {
        let mail = mail(
            "Subject: flaky\n crashed\nMessage-ID: <1@x>\nDate: Mon, 23 Nov 2026 12:00:00 +0200\n\n\
             It died\n\nDetails:\nhost:  x\nended: exit status 3\nlast lines of stderr:\n    a: b\n",
        );
        assert_eq!((mail.listener.as_str(), mail.to.as_str()), ("crashmail", "ops@x"));
        assert_eq!((mail.subject.as_deref(), mail.message_id.as_str()), (Some("flaky crashed"), "<1@x>"));
        assert_eq!(mail.date, Some("2026-11-23T10:00:00Z".parse().unwrap()));
        assert_eq!(mail.text_without_details(), "It died");
    }

    #[test]
    fn base64_is_unpacked_and_escape_sequences_are_made_harmless() {
        let text = "Content-Transfer-Encoding: base64\nSubject: a\x1b[2Jb\n\nWsO8cmlj\naA==\n";
        let mail = mail(text);
        assert_eq!((mail.text.as_str(), mail.subject.as_deref()), ("Zürich", Some("a [2Jb")));
    }

    proptest! {
        #[test]
        fn any_content_can_be_read(content in prop::collection::vec(any::<u8>(), 0..200)) {
            let mail = ParsedMail::parse(&ReceivedMail { content, ..ReceivedMail::default() });
            prop_assert!(mail.text.chars().all(|c| c == '\n' || !c.is_control()));
        }
    }
}
