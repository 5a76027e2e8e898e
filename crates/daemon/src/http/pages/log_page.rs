//! `/tail.html` and `/mainlog.html`: the page with the end of a log.

use askama::Template;
use ironlance_core::event::OutputChannel;
use ironlance_core::text::ansi;
use ironlance_core::text::url_encoding::encode;

use super::context::PageContext;
use super::flash_message::FlashMessage;
use super::query::Fields;
use super::row::LOG_LIMIT;

/// Smallest limit in bytes, as in the original.
const MIN_BYTES: i64 = 1024;
/// Largest limit in bytes.
const MAX_BYTES: i64 = 1024 * 1024;

/// Which log is requested, and how much of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LogQuery<'a> {
    pub(super) source: LogSource<'a>,
    /// In bytes.
    pub(super) limit: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LogSource<'a> {
    /// The log of a process, by the name in the URL.
    Process(&'a str, OutputChannel),
    /// The daemon's own log.
    Main,
    /// The URL names no log.
    Unnamed,
}

impl<'a> LogQuery<'a> {
    /// The request of `/tail.html?processname=NAME&channel=stderr&limit=BYTES` (web.py, TailView).
    pub(super) fn of_process(fields: &'a Fields<'_>) -> Self {
        let channel = match fields.get("channel") {
            Some("stderr") => OutputChannel::Stderr,
            _ => OutputChannel::Stdout,
        };
        let source = fields
            .get_nonempty("processname")
            .map_or(LogSource::Unnamed, |name| LogSource::Process(name, channel));
        Self { source, limit: limit(fields, MIN_BYTES) }
    }

    /// The request of `/mainlog.html?limit=BYTES`.
    pub(super) fn of_main(fields: &'a Fields<'_>) -> Self {
        Self { source: LogSource::Main, limit: limit(fields, LOG_LIMIT.into()) }
    }
}

fn limit(fields: &Fields<'_>, usual: i64) -> i64 {
    let given = fields
        .get("limit")
        .filter(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()));
    given.map_or(usual, |digits| digits.parse().unwrap_or(MAX_BYTES).clamp(MIN_BYTES, MAX_BYTES))
}

#[derive(Template)]
#[template(path = "log.html")]
pub(super) struct TailPage<'a> {
    context: &'a PageContext<'a>,
    other: String,
    message: FlashMessage,
    there: bool,
    shown: String,
    channel: &'static str,
    label: String,
    text: String,
    /// The URL from which the script follows the log.
    source: Option<String>,
    refresh: Option<String>,
    others: Vec<(String, String)>,
}

impl<'a> TailPage<'a> {
    /// `text` is the end of the log from [`tail_text`], or why there is none.
    pub(super) fn new(
        context: &'a PageContext<'a>,
        query: &LogQuery<'_>,
        text: Result<String, String>,
    ) -> Self {
        let messages = context.messages;
        let limit = query.limit;
        let more = context.choice.query_suffix();
        let there = text.is_ok();
        let (text, message) = match text {
            Ok(text) => (text, FlashMessage::default()),
            Err(why) => (String::new(), FlashMessage::warning(why)),
        };
        let mut others = Vec::new();
        let (shown, channel, label, base, source) = match query.source {
            LogSource::Process(name, channel) => {
                let link = encode(name);
                let (label, other_channel) = match channel {
                    OutputChannel::Stdout => ((messages.log_of)(name), OutputChannel::Stderr.name()),
                    OutputChannel::Stderr => ((messages.stderr_of)(name), OutputChannel::Stdout.name()),
                };
                let of = |channel| format!("tail.html?processname={link}&channel={channel}&limit=");
                others.push((format!("{}{limit}{more}", of(other_channel)), other_channel.to_owned()));
                let about = format!("program.html?processname={link}{more}");
                others.push((about, messages.exit_title.to_owned()));
                let source = format!("logtail/{link}/{}", channel.name());
                (name.to_owned(), channel.name(), label, of(channel.name()), Some(source))
            }
            LogSource::Main => {
                let label = messages.main_log.to_owned();
                (label.clone(), "", label, "mainlog.html?limit=".to_owned(), Some("mainlogtail".to_owned()))
            }
            LogSource::Unnamed => {
                (messages.no_name.to_owned(), "", messages.log.to_owned(), String::new(), None)
            }
        };
        if there && limit < MAX_BYTES {
            let longer = format!("{base}{}{more}", (limit * 4).min(MAX_BYTES));
            others.insert(0, (longer, messages.show_more.to_owned()));
        }
        let other_language = messages.other.0;
        Self {
            context,
            other: match base.is_empty() {
                true => format!("tail.html?lang={other_language}"),
                false => format!("{base}{limit}&lang={other_language}"),
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

/// The end of a log as it is shown. The reader asked for one byte more than `limit`.
pub(super) fn tail_text(bytes: &[u8], limit: i64) -> String {
    printable(whole_lines(&String::from_utf8_lossy(bytes), limit))
}

/// The text without its first line if that was cut off, perhaps inside an escape sequence. It was cut off if there is
/// one byte more than `limit`.
fn whole_lines(text: &str, limit: i64) -> &str {
    // An invalid byte has become three (U+FFFD). With such bytes the cut is not always detected.
    let bytes = text.len().saturating_sub(2 * text.matches('\u{fffd}').count());
    if i64::try_from(bytes).is_ok_and(|bytes| bytes <= limit) {
        return text;
    }
    match text.split_once('\n') {
        Some((_, rest)) if !rest.is_empty() => rest,
        // One long line is better than nothing.
        _ => text,
    }
}

/// Output made safe to show: escape sequences are removed, other control characters become visible.
pub(super) fn printable(text: &str) -> String {
    let plain = ansi::strip(text.as_bytes());
    let plain = String::from_utf8_lossy(&plain);
    let mut out = String::with_capacity(plain.len());
    for char in plain.chars() {
        match char {
            '\n' | '\t' => out.push(char),
            '\r' => {}
            // The control pictures are in the same order from U+2400.
            '\0'..='\x1f' => out.extend(char::from_u32(0x2400 + u32::from(char))),
            '\x7f' => out.push('\u{2421}'),
            // Bidirectional overrides would reverse the line.
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
            ("limit=99999999999999999999999", MAX_BYTES),
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
