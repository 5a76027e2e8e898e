//! `[alert:x]` and the keys that `[watch]` may give for all receivers.

use std::time::Duration;

use ironlance_core::Selection;
use ironlance_core::alerting::incident::{AlertCause, Severity};
use ironlance_core::time::window::{CivilMinute, Windows};

use super::channels;
use super::source::AlertSection;
use super::values::{
    bad, causes, count_up_to, duration, labels, list, patterns, positive_duration, rate, secret_url,
    severity, windows,
};
use crate::alerting::{AlertReceiver, GroupBy, Handover};
use crate::value::InvalidValue;

/// The keys of `[alert:x]` that are not of a channel.
pub(super) const KEYS: [&str; 17] = [
    "proxy",
    "on",
    "only",
    "except",
    "severity",
    "group_by",
    "group_wait",
    "group_interval",
    "repeat",
    "quiet",
    "quiet_except",
    "escalate",
    "fallback",
    "lang",
    "max_items",
    "log_lines",
    "labels",
];

/// The keys that `[watch]` gives for all receivers.
pub(super) const SHARED_KEYS: [&str; 8] =
    ["on", "group_by", "group_wait", "group_interval", "repeat", "quiet", "max_items", "lang"];

/// The causes that are told where nothing says so.
const TOLD: [AlertCause; 11] = [
    AlertCause::Crash,
    AlertCause::Loop,
    AlertCause::Fatal,
    AlertCause::Unhealthy,
    AlertCause::Memory,
    AlertCause::Cpu,
    AlertCause::Heartbeat,
    AlertCause::Listener,
    AlertCause::Supervisor,
    AlertCause::Delivery,
    AlertCause::Recovered,
];

/// What a receiver takes where its section says nothing.
#[derive(Clone, Debug)]
pub(super) struct ReceiverDefaults {
    on: Vec<AlertCause>,
    group_by: Vec<GroupBy>,
    group_wait: Duration,
    group_interval: Duration,
    repeat: Option<Duration>,
    quiet: Option<Windows>,
    max_items: usize,
    chinese: bool,
}

impl Default for ReceiverDefaults {
    fn default() -> Self {
        Self {
            on: TOLD.to_vec(),
            group_by: vec![GroupBy::Receiver],
            group_wait: Duration::from_secs(10),
            group_interval: Duration::from_secs(60),
            repeat: Some(Duration::from_secs(4 * 3600)),
            quiet: None,
            max_items: 20,
            chinese: false,
        }
    }
}

impl ReceiverDefaults {
    /// With what a section says of these keys: `[watch]` for all receivers, `[alert:x]` for one.
    pub(super) fn with(self, section: &mut AlertSection<'_, '_>) -> Self {
        let repeat = section.optional("repeat", duration).map(|span| (!span.is_zero()).then_some(span));
        let quiet = section.optional("quiet", windows);
        if quiet.as_ref().is_some_and(never_ends) {
            section.refuse(
                "quiet",
                bad("be quiet for the whole week", quiet.as_ref().map_or("", Windows::as_str)),
            );
        }
        Self {
            on: section.or("on", self.on, causes),
            group_by: section.or("group_by", self.group_by, group_by),
            group_wait: section.or("group_wait", self.group_wait, duration),
            group_interval: section.or("group_interval", self.group_interval, duration),
            repeat: repeat.unwrap_or(self.repeat),
            quiet: quiet.or(self.quiet),
            max_items: section.or("max_items", self.max_items, count_up_to(1000)),
            chinese: section.or("lang", self.chinese, language),
        }
    }

    /// Whether messages are in Chinese.
    pub(super) const fn is_chinese(&self) -> bool {
        self.chinese
    }
}

fn never_ends(windows: &Windows) -> bool {
    let monday = CivilMinute { weekday: 0, minute: 0 };
    windows.contains(monday) && windows.minutes_to_change(monday) == 7 * 24 * 60
}

fn language(text: &str) -> Result<bool, InvalidValue> {
    match text.trim() {
        "en" => Ok(false),
        "zh" => Ok(true),
        _ => Err(bad("find the language (one of en, zh)", text)),
    }
}

fn group_by(text: &str) -> Result<Vec<GroupBy>, InvalidValue> {
    let word = |word: &String| match word.as_str() {
        "receiver" => Ok(GroupBy::Receiver),
        "group" => Ok(GroupBy::Group),
        "program" => Ok(GroupBy::Program),
        "family" => Ok(GroupBy::Family),
        _ => Err(bad("group by (one of receiver, group, program, family)", word)),
    };
    let words = list(text).iter().map(word).collect::<Result<Vec<_>, _>>()?;
    if words.is_empty() { Err(bad("group by nothing", text)) } else { Ok(words) }
}

/// `NAME after T`.
fn handover(text: &str) -> Result<Handover, InvalidValue> {
    let words: Vec<&str> = text.split_whitespace().collect();
    match words[..] {
        [receiver, "after", time] => {
            Ok(Handover { receiver: receiver.to_owned(), after: positive_duration(time)? })
        }
        _ => Err(bad("read as NAME after TIME", text)),
    }
}

/// A receiver; `None` where it has no channel.
pub(super) fn read(section: &mut AlertSection<'_, '_>, shared: &ReceiverDefaults) -> Option<AlertReceiver> {
    let name = section.scope.label().to_owned();
    let is_name = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    if name.is_empty() || !name.chars().all(is_name) {
        section.refuse("", bad("use as the name of a receiver (letters, digits, _ . -)", &name));
    }
    let before = section.context.fault_count();
    let channels = channels::read(section);
    let mail = channels::mail(section);
    if channels.is_empty() && mail.is_none() && section.context.fault_count() == before {
        section.refuse("", bad("tell anybody without a channel (mail=, slack=, webhook=, …)", &name));
    }
    let defaults = shared.clone().with(section);
    if let Some(repeat) = defaults.repeat.filter(|repeat| *repeat < defaults.group_interval) {
        let what = format!("repeat within group_interval ({} s)", defaults.group_interval.as_secs());
        section.refuse("repeat", bad(&what, &format!("{} s", repeat.as_secs())));
    }
    let mut programs = Selection::default();
    for (key, negated) in [("only", false), ("except", true)] {
        let added = section.text(key).map(|text| patterns(&text, negated, &mut programs));
        if let Some(Err(bad)) = added {
            section.refuse(key, bad);
        }
    }
    Some(AlertReceiver {
        name,
        source: section.source(),
        key_sources: section.key_sources(|_| true),
        channels,
        mail,
        proxy: section.optional("proxy", secret_url),
        on: defaults.on,
        programs,
        severity: section.or("severity", Severity::Info, severity),
        group_by: defaults.group_by,
        group_wait: defaults.group_wait,
        group_interval: defaults.group_interval,
        repeat: defaults.repeat,
        quiet: defaults.quiet,
        quiet_except: section.or("quiet_except", Severity::Critical, severity),
        escalate: section.optional("escalate", handover),
        fallback: section.optional("fallback", handover),
        chinese: defaults.chinese,
        max_items: defaults.max_items.max(1),
        log_lines: section.or("log_lines", 20, count_up_to(1000)),
        labels: section.or("labels", std::collections::BTreeMap::new(), labels),
        sms_max: section.optional("sms_max", rate),
    })
}
