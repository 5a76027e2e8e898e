//! A mail as its reader sees it: encoded words and transfer encodings undone.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// A mail, taken apart.
#[derive(Clone, Debug)]
pub struct MailText {
    /// Names and values, unfolded and decoded, in their order.
    pub headers: Vec<(String, String)>,
    /// The text, decoded.
    pub text: String,
}

impl MailText {
    /// Reads head and body with LF line ends.
    pub fn parse(mail: &str) -> Self {
        let (head, body) = mail.split_once("\n\n").unwrap_or((mail, ""));
        let mut headers: Vec<(String, String)> = Vec::new();
        for line in head.lines() {
            match (line.starts_with([' ', '\t']), headers.last_mut(), line.split_once(':')) {
                (true, Some((_, value)), _) => value.push_str(line),
                (_, _, Some((name, value))) => {
                    // One blank belongs to the syntax; any more belong to the value.
                    let value = value.strip_prefix(' ').unwrap_or(value);
                    headers.push((name.to_owned(), value.to_owned()));
                }
                (_, _, None) => headers.push((line.to_owned(), String::new())),
            }
        }
        for (_, value) in &mut headers {
            *value = decode_words(value);
        }
        let mut this = Self { headers, text: String::new() };
        this.text = match this.header("Content-Transfer-Encoding").unwrap_or_default() {
            "base64" => decode_base64(body),
            "quoted-printable" => decode_quoted(&body.replace("=\n", "")),
            _ => body.to_owned(),
        };
        this
    }

    /// The value of the first header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(header, _)| header.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// RFC 2047: `=?utf-8?b?…?=` and `=?utf-8?q?…?=`; blanks between two encoded words do not count.
fn decode_words(value: &str) -> String {
    let mut out = String::new();
    let mut rest = value;
    let mut after_word = false;
    while let Some((before, word)) = rest.split_once("=?") {
        let mut parts = word.splitn(4, '?');
        let (Some(_charset), Some(encoding), Some(text), Some(end)) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            break;
        };
        let Some(end) = end.strip_prefix('=') else { break };
        if !(after_word && before.trim().is_empty()) {
            out.push_str(before);
        }
        out.push_str(&match encoding {
            "b" | "B" => decode_base64(text),
            _ => decode_quoted(&text.replace('_', " ")),
        });
        rest = end;
        after_word = true;
    }
    out + rest
}

fn decode_base64(text: &str) -> String {
    let text: String = text.split_whitespace().collect();
    let bytes =
        BASE64_STANDARD.decode(&text).unwrap_or_else(|error| format!("{text} ({error})").into_bytes());
    String::from_utf8_lossy(&bytes).into_owned()
}

fn decode_quoted(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let code = tail.get(..2).and_then(|pair| std::str::from_utf8(pair).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()).filter(|_| *first == b'=') {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_bodies_are_decoded() {
        let mail = "Subject: a =?utf-8?q?=C3=BC_x?=\n =?utf-8?b?w7w=?= b\nContent-Transfer-Encoding: base64\n\nw7wK\n";
        let mail = MailText::parse(mail);
        assert_eq!((mail.header("subject"), mail.text.as_str()), (Some("a ü xü b"), "ü\n"));
        let mail =
            MailText::parse("Content-Transfer-Encoding: quoted-printable\n\n=C3=BC =3D long=\n line\n");
        assert_eq!(mail.text, "ü = long line\n");
    }
}
