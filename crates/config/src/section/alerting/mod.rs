//! `[watch]`, `[alert:x]`, `[silence:x]` and the alert keys of programs, to an [`Alerting`]. Supervisor ignores all of it.

mod channels;
mod checks;
mod graph;
pub(crate) mod program;
mod receiver;
mod source;
mod values;

pub use values::duration;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use ironlance_core::{Namespec, Selection};

use crate::alerting::{Alerting, ProgramAlerting, SilenceRule, WatchSettings};
use crate::expansion::ExpansionNames;
use crate::group::Group;
use crate::ini::Section;
use crate::loader::context::{LoadContext, ProcessOrigin, SectionScope};
use crate::loader::files::is_readable_by_others;
use crate::value::InvalidValue;
use receiver::ReceiverDefaults;
use source::AlertSection;
use values::{bad, causes, patterns, positive_duration, size, web_url, windows};

/// The keys of `[watch]` beside those of all receivers.
const OWN_WATCH_KEYS: [&str; 7] =
    ["host", "url", "timezone", "loop", "recover_after", "journal_maxbytes", "history"];
/// The keys of `[watch]`.
pub(crate) const WATCH_KEYS: [&str; 15] = joined(&[&OWN_WATCH_KEYS, &receiver::SHARED_KEYS]);
/// The keys of `[alert:x]`.
pub(crate) const RECEIVER_KEYS: [&str;
    receiver::KEYS.len() + channels::KEYS.len() + channels::MAIL_KEYS.len()] =
    joined(&[&receiver::KEYS, &channels::KEYS, &channels::MAIL_KEYS]);
/// The keys of `[silence:x]`.
pub(crate) const SILENCE_KEYS: [&str; 4] = ["programs", "when", "causes", "comment"];

/// The least that a journal may hold (bytes): two segments.
const LEAST_JOURNAL: u64 = 2 << 20;

/// Lists one behind the other.
const fn joined<const N: usize>(lists: &[&[&'static str]]) -> [&'static str; N] {
    let mut all = [""; N];
    let (mut list, mut at, mut filled) = (0, 0, 0);
    while list < lists.len() {
        if at == lists[list].len() {
            (list, at) = (list + 1, 0);
        } else {
            all[filled] = lists[list][at];
            (at, filled) = (at + 1, filled + 1);
        }
    }
    all
}

/// Whether a configuration has anything for `watch`.
pub(crate) fn is_wanted(context: &LoadContext<'_>) -> bool {
    context.ini.sections().iter().any(|section| section.name == "watch" || section.name.starts_with("alert:"))
}

/// All that the configuration says of alerts; `groups` are what runs, `origins` the sections that it comes from.
pub(crate) fn read<'a>(
    context: &mut LoadContext<'a>,
    groups: &[Group],
    origins: &[ProcessOrigin<'a>],
) -> Alerting {
    let watch_section = context.ini.section("watch");
    let (watch, shared) = watch(context, watch_section);
    let mut alerting = Alerting { watch, ..Alerting::default() };
    let sections = context.ini.sections();
    for section in sections.iter().filter(|section| section.name.starts_with("alert:")) {
        let mut section = AlertSection::new(context, section, ExpansionNames::default());
        apprise_hints(&mut section);
        alerting.receivers.extend(receiver::read(&mut section, &shared));
    }
    for section in sections.iter().filter(|section| section.name.starts_with("silence:")) {
        alerting.silences.extend(silence(&mut AlertSection::new(
            context,
            section,
            ExpansionNames::default(),
        )));
    }
    alerting.programs = programs(context, &alerting.watch, groups, origins);
    graph::check(context, &alerting);
    warn_of_readable_secrets(context);
    alerting
}

fn watch<'a>(
    context: &mut LoadContext<'a>,
    section: Option<&'a Section>,
) -> (WatchSettings, ReceiverDefaults) {
    let Some(section) = section else { return (WatchSettings::default(), ReceiverDefaults::default()) };
    let mut section = AlertSection::new(context, section, ExpansionNames::default());
    let shared = ReceiverDefaults::default().with(&mut section);
    let default = WatchSettings::default();
    let settings = WatchSettings {
        chinese: shared.is_chinese(),
        host: section.optional("host", |text| Ok(text.trim().to_owned())),
        url: section.optional("url", web_url),
        timezone: section.optional("timezone", timezone),
        crash_loop: section.or("loop", default.crash_loop, program::crash_loop),
        recover_after: section.or("recover_after", default.recover_after, positive_duration),
        journal_maxbytes: section.or("journal_maxbytes", default.journal_maxbytes, journal_size),
        history: section.or("history", default.history, duration),
    };
    (settings, shared)
}

/// The form of an IANA name; whether the machine knows it is seen by who uses it.
fn timezone(text: &str) -> Result<String, InvalidValue> {
    let text = text.trim();
    let is_part = |c: char| c.is_ascii_alphanumeric() || "/_+-".contains(c);
    if text.is_empty() || !text.chars().all(is_part) || text.starts_with('/') {
        return Err(bad("read as a time zone (Asia/Shanghai)", text));
    }
    Ok(text.to_owned())
}

fn journal_size(text: &str) -> Result<u64, InvalidValue> {
    size(text).and_then(|bytes| {
        if bytes < LEAST_JOURNAL { Err(bad("keep a journal of less than 2MB", text)) } else { Ok(bytes) }
    })
}

fn silence(section: &mut AlertSection<'_, '_>) -> Option<SilenceRule> {
    for key in ["programs", "when"].into_iter().filter(|key| !section.has(key)).collect::<Vec<_>>() {
        section.refuse("", bad("do without the key", key));
    }
    let mut programs = Selection::default();
    if let Some(Err(bad)) = section.text("programs").map(|text| patterns(&text, false, &mut programs)) {
        section.refuse("programs", bad);
    }
    let causes = section.or("causes", Vec::new(), causes);
    let comment = section.or("comment", String::new(), |text| Ok(text.to_owned()));
    let (name, source) = (section.scope.label().to_owned(), section.source());
    Some(SilenceRule { name, source, programs, when: section.optional("when", windows)?, causes, comment })
}

/// What each process says, its group's keys below its own.
fn programs<'a>(
    context: &mut LoadContext<'a>,
    watch: &WatchSettings,
    groups: &[Group],
    origins: &[ProcessOrigin<'a>],
) -> BTreeMap<Namespec, ProgramAlerting> {
    // Of processes of one name the last counts, as in the groups.
    let by_name: BTreeMap<_, _> = origins.iter().map(|origin| (&origin.name, origin)).collect();
    let mut all = BTreeMap::new();
    for group in groups {
        for program in &group.programs {
            let name = Namespec::new(&*group.name.0, &*program.name.0);
            let startsecs = Duration::from_secs(u64::try_from(program.startsecs).unwrap_or(0).min(86_400));
            let mut alerting = program::defaults(watch, startsecs);
            let group_section = context.ini.section(&format!("group:{}", group.name));
            let origin = by_name.get(&name);
            let names = origin.map_or_else(ExpansionNames::default, |origin| origin.names());
            for section in group_section.into_iter().chain(origin.map(|origin| origin.section)) {
                alerting = program::read(&mut AlertSection::new(context, section, names.clone()), alerting);
            }
            all.insert(name, alerting);
        }
    }
    all
}

/// Keys of services that are reached by a command.
fn apprise_hints(section: &mut AlertSection<'_, '_>) {
    for key in channels::BY_APPRISE.into_iter().filter(|key| section.has(key)).collect::<Vec<_>>() {
        let what = format!("cannot send by {key} ourselves: use command= with apprise (docs/watch.md)");
        section.refuse(key, InvalidValue { original: what.clone(), what });
    }
}

/// The keys whose values are secrets; `smtp` and `proxy` are where they hold a password.
const SECRETS: [&str; 17] = [
    "slack",
    "slack_token",
    "teams",
    "dingtalk",
    "dingtalk_secret",
    "wecom",
    "feishu",
    "feishu_secret",
    "telegram",
    "pagerduty",
    "webhook",
    "webhook_secret",
    "webhook_header",
    "ntfy_token",
    "sms_secret",
    "smtp",
    "proxy",
];

/// A literal secret in a file that others can read.
fn warn_of_readable_secrets(context: &mut LoadContext<'_>) {
    for section in context.ini.sections().iter().filter(|section| section.name.starts_with("alert:")) {
        let scope = SectionScope::new(section, ExpansionNames::default());
        for entry in section.entries().iter().filter(|entry| holds_secret(&entry.key, &entry.value)) {
            if is_readable_by_others(context.file(entry.place)) {
                let text = "holds a secret in a file that other users can read: make the file 0600, or write file:/path";
                context.warn_at(&scope, &entry.key, text);
            }
        }
    }
}

/// Whether a value is a secret itself, and does not only say where one is.
fn holds_secret(key: &str, value: &str) -> bool {
    let is_elsewhere = ["file:", "env:", "credential:", "%(ENV_"].iter().any(|place| value.contains(place));
    let has_password = || value.split_once('@').is_some_and(|(login, _)| login.matches(':').count() > 1);
    SECRETS.contains(&key) && !is_elsewhere && (!matches!(key, "smtp" | "proxy") || has_password())
}
