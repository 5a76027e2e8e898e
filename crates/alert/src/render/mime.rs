//! An alert as a mail: RFC 5322 header and MIME body. Called by the mail channels.
//!
//! Names and texts come from programs and configurations; none of them can end a header line.

use email_encoding::headers::writer::EmailWriter;
use email_encoding::{body, headers::rfc2047};
use ironlance_core::text::escape::one_line;
use jiff::Timestamp;

use super::card_mail::CardMail;
use crate::address;
use crate::alert::{Alert, AlertEntry};
use crate::receiver::Format;

/// A header line is folded before it gets longer than this, in octets; the limit is 998 (RFC 5322, 2.1.1).
const LONGEST_LINE: usize = 900;

/// Where a header line is folded, until it is known how lines end; as email-encoding writes it.
const FOLD: &str = "\r\n ";

/// For how many seconds a message has waited, and why.
pub type Lateness<'a> = Option<(u64, &'a str)>;

/// The card of an alert that is a mail.
fn card_mail(alert: &Alert, late: Lateness<'_>) -> Option<CardMail> {
    match (alert.receiver.format, alert.entries.first()) {
        (Format::Card, Some(AlertEntry::Card(card))) => {
            Some(CardMail::new(card, late, &right_side(&alert.host)))
        }
        _ => None,
    }
}

/// The mail for a command such as sendmail: lines end in LF, the text stands as it is; that of a card is encoded.
///
/// To and Subject come first and look as the originals write them; the rest of the header follows.
pub fn mail_for_command(alert: &Alert, late: Lateness<'_>) -> Vec<u8> {
    let card = card_mail(alert, late);
    let mut lines = vec![("To", addresses(&alert.receiver.to))];
    lines.extend(subject(alert, card.as_ref()).map(|subject| ("Subject", unstructured(subject))));
    lines.extend(alert.receiver.from.as_ref().map(|from| ("From", header_address(from))));
    if let Some(card) = &card {
        return alternative(alert, lines, card).replace("\r\n", "\n").into_bytes();
    }
    let text = printable(&alert.text());
    let encoding = if text.is_ascii() { "7bit" } else { "8bit" };
    lines.extend(common(alert));
    lines.extend(text_part(encoding));
    render(&lines, &text, "\n").into_bytes()
}

/// The subject of a mail: that of the alert, else that of its card.
fn subject<'a>(alert: &'a Alert, card: Option<&'a CardMail>) -> Option<&'a str> {
    alert.subject.as_deref().or(card.map(|card| card.subject.as_str()))
}

/// The text for a command that takes a body, which people read as it is: To, Subject, a blank line and the text, as
/// superlance writes them. Nothing is encoded.
pub fn body_for_command(alert: &Alert, late: Lateness<'_>) -> Vec<u8> {
    let card = card_mail(alert, late);
    let to: Vec<String> = alert.receiver.to.iter().map(|to| one_line(to)).collect();
    let subject = subject(alert, card.as_ref()).map(|subject| format!("Subject: {}\n", one_line(subject)));
    let text = printable(&card.as_ref().map_or_else(|| alert.text(), |card| card.text.clone()));
    format!("To: {}\n{}\n{text}", to.join(", "), subject.unwrap_or_default()).into_bytes()
}

/// Which addresses a mail server takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressCharset {
    /// ASCII only: RFC 5322 and a server without SMTPUTF8.
    Ascii,
    /// Any (RFC 6531).
    Utf8,
}

/// The mail for a mail server: lines end in CRLF, and everything is ASCII but for the addresses that are not.
///
/// A recipient whose address the server does not take is left out of To: raw bytes in a header are refused on the way.
pub fn mail_for_server(alert: &Alert, late: Lateness<'_>, charset: AddressCharset) -> Vec<u8> {
    let card = card_mail(alert, late);
    let mut lines: Vec<(&str, String)> = Vec::new();
    lines.extend(subject(alert, card.as_ref()).map(|subject| ("Subject", unstructured(subject))));
    lines.extend(alert.receiver.from.as_ref().map(|from| ("From", header_address(from))));
    let mut to = address::addresses(&alert.receiver.to);
    to.retain(|to| charset == AddressCharset::Utf8 || address::bare(to).is_ascii());
    if !to.is_empty() {
        lines.push(("To", addresses(&to)));
    }
    if let Some(card) = &card {
        return alternative(alert, lines, card).into_bytes();
    }
    let text = printable(&alert.text());
    let plain = text.is_ascii() && text.lines().all(|line| line.len() < LONGEST_LINE);
    let (encoding, text) =
        if plain { ("7bit", text.replace('\n', "\r\n")) } else { ("base64", base64_lines(&text)) };
    lines.extend(common(alert));
    lines.extend(text_part(encoding));
    render(&lines, &text, "\r\n").into_bytes()
}

/// The mail of a card: the text and the HTML as alternatives (RFC 2046, 5.1.4). Both are encoded in base64, so nothing in
/// them can be a boundary.
fn alternative(alert: &Alert, mut lines: Vec<(&'static str, String)>, card: &CardMail) -> String {
    const BOUNDARY: &str = "=_ironlance";
    lines.extend(common(alert));
    lines.extend(card.headers.iter().map(|(name, value)| (*name, unstructured(value))));
    lines.push(("Content-Type", format!("multipart/alternative; boundary=\"{BOUNDARY}\"")));
    let mut parts = String::new();
    for (kind, text) in [("plain", &card.text), ("html", &card.html)] {
        parts.push_str(&format!(
            "--{BOUNDARY}\r\nContent-Type: text/{kind}; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n",
            base64_lines(text)
        ));
    }
    render(&lines, &format!("{parts}--{BOUNDARY}--\r\n"), "\r\n")
}

/// A text with lines that end in CRLF, encoded.
fn base64_lines(text: &str) -> String {
    let mut encoded = String::new();
    // Writing into a String cannot fail.
    let _ = body::base64::encode(text.replace('\n', "\r\n").as_bytes(), &mut encoded);
    encoded
}

/// The Message-ID of an alert, the same at every attempt.
pub fn message_id(alert: &Alert) -> String {
    format!("<{}@{}>", alert.id, right_side(&alert.host))
}

/// A host as the right side of a Message-ID.
fn right_side(host: &str) -> String {
    let right: String = host.chars().filter(|c| c.is_ascii_alphanumeric() || ".-".contains(*c)).collect();
    if right.is_empty() { "localhost".to_owned() } else { right }
}

fn text_part(encoding: &str) -> [(&'static str, String); 2] {
    [
        ("Content-Type", "text/plain; charset=utf-8".to_owned()),
        ("Content-Transfer-Encoding", encoding.to_owned()),
    ]
}

fn common(alert: &Alert) -> Vec<(&'static str, String)> {
    let created = Timestamp::from_second(alert.created).unwrap_or(Timestamp::UNIX_EPOCH);
    let date = created.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string();
    vec![
        ("Date", date),
        ("Message-ID", message_id(alert)),
        ("Auto-Submitted", "auto-generated".to_owned()),
        ("MIME-Version", "1.0".to_owned()),
    ]
}

fn render(lines: &[(&str, String)], text: &str, end: &str) -> String {
    let mut mail = String::new();
    for (name, value) in lines {
        mail.push_str(&fold(&format!("{name}: {value}")).replace(FOLD, &format!("{end} ")));
        mail.push_str(end);
    }
    mail + end + text
}

/// Breaks a long header line at its blanks, or anywhere if it has none.
fn fold(line: &str) -> String {
    let mut folded = String::with_capacity(line.len());
    let mut length = 0;
    for c in line.chars() {
        length = if folded.ends_with('\n') { 0 } else { length };
        let full = length + c.len_utf8() > LONGEST_LINE + 90;
        if full || (length > LONGEST_LINE && c == ' ') {
            folded.push_str(FOLD);
            length = 1;
            if c == ' ' {
                continue;
            }
        }
        folded.push(c);
        length += c.len_utf8();
    }
    folded
}

/// A text for a header; in another script than ASCII as encoded words (RFC 2047).
fn unstructured(text: &str) -> String {
    let text = one_line(text);
    // A mail reader would decode what looks like an encoded word.
    let looks_encoded = text.split_once("=?").is_some_and(|(_, behind)| behind.contains("?="));
    if text.is_ascii() && !looks_encoded { text } else { encoded(&text) }
}

fn addresses(list: &[String]) -> String {
    list.iter().map(|item| header_address(item)).collect::<Vec<_>>().join(", ")
}

/// An address for a header; only its display name, or the comment behind it, may be encoded (RFC 2047, 5).
fn header_address(text: &str) -> String {
    let text = one_line(text);
    match (text.rsplit_once('<'), text.split_once('(')) {
        (Some((name, rest)), _) if !name.is_ascii() => {
            format!("{} <{rest}", encoded(name.trim().trim_matches('"')))
        }
        (None, Some((bare, comment))) if !comment.is_ascii() => {
            format!("{bare}({})", encoded(comment.trim_end().trim_end_matches(')')))
        }
        _ => text,
    }
}

fn encoded(text: &str) -> String {
    let mut out = String::new();
    // Writing into a String cannot fail.
    let _ = rfc2047::encode(text, &mut EmailWriter::new(&mut out, 0, 0, false));
    out
}

/// A text with line ends of one kind, and other control characters made visible.
fn printable(text: &str) -> String {
    let visible = |c: char| match c {
        '\n' | '\t' => c,
        '\r' => '\n',
        c if c.is_control() => '?',
        c => c,
    };
    text.replace("\r\n", "\n").chars().map(visible).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(subject: &str, to: &[&str], text: &str) -> Alert {
        let mut alert = Alert::sample("true", text);
        alert.id = "1.2.3".into();
        alert.created = 1_700_000_000;
        alert.subject = Some(subject.into());
        alert.receiver.to = to.iter().map(|to| (*to).to_owned()).collect();
        alert
    }

    fn command_mail(alert: &Alert) -> String {
        String::from_utf8(mail_for_command(alert, None)).unwrap()
    }

    fn server_mail(alert: &Alert) -> String {
        String::from_utf8(mail_for_server(alert, None, AddressCharset::Ascii)).unwrap()
    }

    #[test]
    fn a_mail_for_a_command_begins_as_the_originals_write_it() {
        let mail = command_mail(&alert(" cat crashed at noon", &["ops@example.com"], "Process cat\ndied"));
        assert!(mail.starts_with("To: ops@example.com\nSubject:  cat crashed at noon\n"), "{mail}");
        assert!(mail.ends_with("\n\nProcess cat\ndied"), "{mail}");
        assert!(mail.contains("\nMessage-ID: <1.2.3@web1>\n"), "{mail}");
        assert!(mail.contains("\nAuto-Submitted: auto-generated\n"), "{mail}");
        assert!(mail.contains(" 2023 ") && !mail.contains('\r'), "{mail}");
    }

    #[test]
    fn a_command_that_takes_a_body_gets_text_that_people_can_read() {
        let foreign = alert("Größe\r\nBcc: x", &["Zoë <zoe@example.com>", "b@c"], "价格 \x1b[1m\nzwei");
        let text = String::from_utf8(body_for_command(&foreign, None)).unwrap();
        assert_eq!(text, "To: Zoë <zoe@example.com>, b@c\nSubject: Größe  Bcc: x\n\n价格 ?[1m\nzwei");
        let silent = Alert { subject: None, ..foreign };
        assert!(
            String::from_utf8(body_for_command(&silent, None))
                .unwrap()
                .starts_with("To: Zoë <zoe@example.com>, b@c\n\n")
        );
    }

    #[test]
    fn nothing_can_break_into_the_header() {
        let hostile = alert("x\r\nBcc: all@example.com\n\nbody", &["a@b\nCc: c@d"], "text");
        for mail in [command_mail(&hostile), server_mail(&hostile).replace("\r\n", "\n")] {
            let (header, body) = mail.split_once("\n\n").unwrap();
            let intruder = header.lines().find(|line| line.starts_with("Bcc") || line.starts_with("Cc"));
            assert_eq!((intruder, body), (None, "text"), "{mail}");
        }
    }

    #[test]
    fn other_scripts_are_encoded_for_a_server_and_stand_raw_for_a_command() {
        let mut foreign =
            alert("Größe überschritten ".repeat(20).as_str(), &["Zoë Ü <zoe@example.com>"], "价格 \x1b[1m");
        foreign.receiver.from = Some("ops@example.com".into());
        let mail = server_mail(&foreign);
        assert!(mail.is_ascii(), "{mail}");
        assert!(mail.lines().all(|line| line.len() < 100), "{mail}");
        assert!(mail.contains("To: =?utf-8?b?Wm/DqyDDnA==?= <zoe@example.com>\r\n"), "{mail}");
        assert!(mail.contains("Content-Transfer-Encoding: base64\r\n"), "{mail}");
        let mail = command_mail(&foreign);
        assert!(mail.ends_with("\n\n价格 ?[1m"), "{mail}");
        assert!(mail.contains("Content-Transfer-Encoding: 8bit\n"), "{mail}");
    }

    #[test]
    fn a_recipient_whom_the_server_cannot_reach_is_left_out_of_the_header() {
        let both = alert("subject", &["Zoë <zoe@example.com>, Ö <ö@example.com>", "b@c (Größe)"], "text");
        let mail = server_mail(&both);
        assert!(mail.is_ascii(), "{mail}");
        assert!(
            mail.contains("To: =?utf-8?b?Wm/Dqw==?= <zoe@example.com>, b@c (=?utf-8?b?R3LDtsOfZQ==?=)\r\n"),
            "{mail}"
        );
        let mail = String::from_utf8(mail_for_server(&both, None, AddressCharset::Utf8)).unwrap();
        assert!(mail.contains(" <ö@example.com>, b@c "), "{mail}");
        assert!(!server_mail(&alert("subject", &["ö@example.com"], "text")).contains("To:"));
    }

    #[test]
    fn only_what_looks_like_an_encoded_word_is_encoded_once_more() {
        for (subject, header) in [
            ("http://h/?a=?&b=c", "Subject: http://h/?a=?&b=c\n"),
            ("=?utf-8?q?x?=", "Subject: =?utf-8?b?PT91dGYtOD9xP3g/PQ==?=\n"),
        ] {
            let mail = command_mail(&alert(subject, &["a@b"], "text"));
            assert!(mail.contains(header), "{mail}");
        }
    }

    #[test]
    fn a_card_is_a_mail_with_text_and_html_whose_lines_end_as_they_should() {
        let mut card = alert("", &["ops@example.com"], "");
        card.subject = None;
        card.receiver.format = Format::Card;
        let (_, storm) = crate::render::card::samples::all(crate::card::Language::Chinese).swap_remove(1);
        card.entries = vec![AlertEntry::Card(Box::new(storm))];
        let mail = server_mail(&card);
        assert!(
            mail.is_ascii() && mail.split("\r\n").all(|line| line.len() < 998 && !line.contains('\n')),
            "{mail}"
        );
        assert!(mail.contains("Content-Type: multipart/alternative; boundary=\"=_ironlance\"\r\n"), "{mail}");
        assert_eq!(mail.matches("\r\n--=_ironlance").count(), 3);
        assert!(command_mail(&card).starts_with("To: ops@example.com\nSubject: =?utf-8?b?"));
        assert!(!command_mail(&card).contains('\r'));
        let body = String::from_utf8(body_for_command(&card, Some((400, "no route")))).unwrap();
        assert!(body.contains("延迟 6 分 40 秒送达：no route"), "{body}");
    }

    #[test]
    fn long_lines_are_folded_or_encoded() {
        let many: Vec<String> = (0..200).map(|n| format!("someone{n}@example.com")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let mail = server_mail(&alert(&"word".repeat(600), &many, &"x".repeat(3000)));
        assert!(mail.split("\r\n").all(|line| line.len() < 998), "{mail}");
    }
}
