//! `/tail.html` and `/mainlog.html`: the end of a log.

use askama::Template;
use ironlance_core::event::OutputChannel;
use ironlance_core::text::ansi;

use super::context::PageContext;
use super::flash_message::FlashMessage;
use super::query::{Fields, encode};
use super::row::LIMIT;

/// At least so much is shown, as in the original, in bytes.
const LEAST: i64 = 1024;
/// And no more than this.
const MOST: i64 = 1024 * 1024;

/// Which log is wanted, and how much of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LogQuery<'a> {
    pub(super) whose: LogSource<'a>,
    /// In bytes.
    pub(super) limit: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LogSource<'a> {
    /// Of a process, by the name that stands in the address.
    Process(&'a str, OutputChannel),
    /// Of the daemon.
    Main,
    /// Somebody forgot to say it.
    Nobody,
}

impl<'a> LogQuery<'a> {
    /// What `/tail.html?processname=NAME&channel=stderr&limit=BYTES` asks for (web.py, TailView).
    pub(super) fn of_process(fields: &'a Fields<'_>) -> Self {
        let channel = match fields.get("channel") {
            Some("stderr") => OutputChannel::Stderr,
            _ => OutputChannel::Stdout,
        };
        let whose =
            fields.filled("processname").map_or(LogSource::Nobody, |name| LogSource::Process(name, channel));
        Self { whose, limit: limit(fields, LEAST) }
    }

    /// What `/mainlog.html?limit=BYTES` asks for.
    pub(super) fn of_main(fields: &'a Fields<'_>) -> Self {
        Self { whose: LogSource::Main, limit: limit(fields, LIMIT.into()) }
    }
}

fn limit(fields: &Fields<'_>, usual: i64) -> i64 {
    let given = fields
        .get("limit")
        .filter(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()));
    given.map_or(usual, |digits| digits.parse().unwrap_or(MOST).clamp(LEAST, MOST))
}

#[derive(Template)]
#[template(path = "log.html")]
pub(super) struct Log<'a> {
    context: &'a PageContext<'a>,
    other: String,
    message: FlashMessage,
    there: bool,
    shown: String,
    channel: &'static str,
    label: String,
    text: String,
    /// Where the script finds what is added.
    source: Option<String>,
    refresh: Option<String>,
    others: Vec<(String, String)>,
}

impl<'a> Log<'a> {
    /// With the end of the log as [`tail_text`] has made it, or with the words that say why there is none.
    pub(super) fn new(
        context: &'a PageContext<'a>,
        wanted: &LogQuery<'_>,
        text: Result<String, String>,
    ) -> Self {
        let messages = context.messages;
        let limit = wanted.limit;
        let more = context.choice.query_suffix();
        let there = text.is_ok();
        let (text, message) = match text {
            Ok(text) => (text, FlashMessage::default()),
            Err(why) => (String::new(), FlashMessage::warning(why)),
        };
        let (shown, channel, label, base, source) = match wanted.whose {
            LogSource::Process(name, channel) => {
                let link = encode(name);
                let label = match channel {
                    OutputChannel::Stdout => (messages.log_of)(name),
                    OutputChannel::Stderr => (messages.stderr_of)(name),
                };
                let base = format!("tail.html?processname={link}&channel={}&limit=", channel.name());
                let source = format!("logtail/{link}/{}", channel.name());
                (name.to_owned(), channel.name(), label, base, Some(source))
            }
            LogSource::Main => {
                let label = messages.main_log.to_owned();
                (label.clone(), "", label, "mainlog.html?limit=".to_owned(), Some("mainlogtail".to_owned()))
            }
            LogSource::Nobody => {
                (messages.no_name.to_owned(), "", messages.log.to_owned(), String::new(), None)
            }
        };
        let mut others = Vec::new();
        if there && limit < MOST {
            others.push((format!("{base}{}{more}", (limit * 4).min(MOST)), messages.show_more.to_owned()));
        }
        if let LogSource::Process(name, channel) = wanted.whose {
            let link = encode(name);
            let beside = match channel {
                OutputChannel::Stdout => OutputChannel::Stderr,
                OutputChannel::Stderr => OutputChannel::Stdout,
            };
            let beside = beside.name();
            others.push((
                format!("tail.html?processname={link}&channel={beside}&limit={limit}{more}"),
                beside.to_owned(),
            ));
            others.push((format!("program.html?processname={link}{more}"), messages.exit_title.to_owned()));
        }
        let tongue = messages.other.0;
        Self {
            context,
            other: match base.is_empty() {
                true => format!("tail.html?lang={tongue}"),
                false => format!("{base}{limit}&lang={tongue}"),
            },
            message,
            there,
            shown,
            channel,
            label,
            text,
            source: source.filter(|_| there),
            refresh: (!base.is_empty()).then(|| format!("{base}{limit}{more}")),
            others,
        }
    }
}

/// The end of a log as it is shown. One byte more than `limit` was read, where there was more.
pub(super) fn tail_text(bytes: &[u8], limit: i64) -> String {
    printable(whole_lines(&String::from_utf8_lossy(bytes), limit))
}

/// The end of a log without the line that its beginning was cut from, and perhaps an escape sequence with it. One byte
/// more than `limit` was asked for: with that many, it was cut.
fn whole_lines(text: &str, limit: i64) -> &str {
    // A byte that is no UTF-8 has become three; whether output with such bytes was cut is not always known.
    let bytes = text.len().saturating_sub(2 * text.matches('\u{fffd}').count());
    if i64::try_from(bytes).is_ok_and(|bytes| bytes <= limit) {
        return text;
    }
    match text.split_once('\n') {
        Some((_, rest)) if !rest.is_empty() => rest,
        // A line that long is better than none.
        _ => text,
    }
}

/// Output as it can be shown: without the escape sequences of terminals, its other control characters to be seen.
pub(super) fn printable(text: &str) -> String {
    let plain = ansi::strip(text.as_bytes());
    let plain = String::from_utf8_lossy(&plain);
    let mut out = String::with_capacity(plain.len());
    for char in plain.chars() {
        match char {
            '\n' | '\t' => out.push(char),
            '\r' => {}
            // The pictures of the control characters stand in their order from U+2400.
            '\0'..='\x1f' => out.extend(char::from_u32(0x2400 + u32::from(char))),
            '\x7f' => out.push('\u{2421}'),
            // These would turn the line around.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => out.push('\u{fffd}'),
            _ => out.push(char),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_what_the_original_takes_and_has_an_end() {
        let limit = |query: &str| LogQuery::of_process(&Fields::parse(query)).limit;
        for (query, bytes) in [
            ("", 1024),
            ("limit=5", 1024),
            ("limit=-5000", 1024),
            ("limit=x", 1024),
            ("limit=", 1024),
            ("limit=5000", 5000),
            ("limit=99999999999999999999999", MOST),
        ] {
            assert_eq!(limit(query), bytes, "{query}");
        }
    }

    #[test]
    fn a_log_that_was_cut_begins_with_a_whole_line() {
        for (text, shown) in [
            ("31mred\n\u{1b}[1mtwo", "\u{1b}[1mtwo"),
            ("\nwhole one\n", "whole one\n"),
            ("\u{fffd}\u{fffd}的一行\n第二", "第二"),
            ("short\nlog", "short\nlog"),
            ("a line too long to fit\n", "a line too long to fit\n"),
            ("a line too long to fit", "a line too long to fit"),
            ("\u{fffd}\u{fffd}\u{fffd}\u{fffd}\nx", "\u{fffd}\u{fffd}\u{fffd}\u{fffd}\nx"),
        ] {
            assert_eq!(whole_lines(text, 10), shown, "{text:?}");
        }
    }

    #[test]
    fn control_characters_are_seen_and_do_nothing() {
        let text = "\x1b[31mred\x1b[0m\r\n\tbell\x07 nul\0 \u{202e}turned é";
        assert_eq!(printable(text), "red\n\tbell␇ nul␀ \u{fffd}turned é");
    }
}
