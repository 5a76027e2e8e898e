//! What two sections say together: receivers that are named and do not exist, circles, patterns that match no program.

use ironlance_core::text::suggest::suggest;
use ironlance_core::{Namespec, Selection};

use super::values::{bad, list};
use crate::alerting::{AlertReceiver, Alerting};
use crate::expansion::ExpansionNames;
use crate::loader::context::{LoadContext, SectionScope};
use crate::value::InvalidValue;

/// Records every fault.
pub(super) fn check(context: &mut LoadContext<'_>, alerting: &Alerting) {
    let names: Vec<&str> = alerting.receivers.iter().map(|receiver| receiver.name.as_str()).collect();
    for receiver in &alerting.receivers {
        let section = format!("alert:{}", receiver.name);
        for (key, handover) in [("escalate", &receiver.escalate), ("fallback", &receiver.fallback)] {
            let Some(handover) = handover else { continue };
            if !names.contains(&handover.receiver.as_str()) {
                refuse(context, &section, key, unknown(&handover.receiver, &names));
            } else if let Some(circle) = circle(&alerting.receivers, &receiver.name, key) {
                refuse(context, &section, key, bad("hand over in a circle", &circle.join(" → ")));
            }
        }
        warn_of_unmatched(context, &section, &["only", "except"], alerting);
    }
    for silence in &alerting.silences {
        warn_of_unmatched(context, &format!("silence:{}", silence.name), &["programs"], alerting);
    }
    for section in context.ini.sections() {
        let is_program = ["program:", "eventlistener:", "fcgi-program:", "group:"]
            .iter()
            .any(|prefix| section.name.starts_with(prefix));
        if !is_program {
            continue;
        }
        let scope = SectionScope::new(section, ExpansionNames::default());
        let Some(entry) = context.raw(&scope, "alert") else { continue };
        for name in list(&entry.value).iter().filter(|name| *name != "none" && !name.contains('%')) {
            if !names.contains(&name.as_str()) {
                context.refuse(&scope, "alert", unknown(name, &names));
            }
        }
    }
}

fn unknown(name: &str, known: &[&str]) -> InvalidValue {
    let InvalidValue { mut what, .. } = bad("find the receiver", name);
    if let Some(meant) = suggest(name, known.iter().copied()) {
        what = format!("{what}; did you mean {meant}?");
    }
    InvalidValue { original: what.clone(), what }
}

/// The receivers from `start` by one sort of handover back to it.
fn circle(receivers: &[AlertReceiver], start: &str, key: &str) -> Option<Vec<String>> {
    let mut path = vec![start.to_owned()];
    loop {
        let at = receivers.iter().find(|receiver| Some(&receiver.name) == path.last())?;
        let next = if key == "escalate" { &at.escalate } else { &at.fallback };
        let next = next.as_ref()?.receiver.clone();
        if next == start {
            path.push(next);
            return Some(path);
        }
        if path.contains(&next) {
            return None;
        }
        path.push(next);
    }
}

/// Patterns that name no program of this configuration.
fn warn_of_unmatched(context: &mut LoadContext<'_>, section: &str, keys: &[&str], alerting: &Alerting) {
    let Some(section) = context.ini.section(section) else { return };
    let scope = SectionScope::new(section, ExpansionNames::default());
    for key in keys {
        let Some(entry) = context.raw(&scope, key) else { continue };
        for pattern in list(&entry.value) {
            let positive = pattern.trim_start_matches('!');
            let mut selection = Selection::default();
            let is_pattern = selection.add(positive).is_ok();
            let matches = |name: &Namespec| selection.includes(name);
            if is_pattern && !alerting.programs.is_empty() && !alerting.programs.keys().any(matches) {
                context.warn_at(&scope, key, &format!("names no program of this configuration: {pattern}"));
            }
        }
    }
}

fn refuse(context: &mut LoadContext<'_>, section: &str, key: &str, bad: InvalidValue) {
    if let Some(section) = context.ini.section(section) {
        context.refuse(&SectionScope::new(section, ExpansionNames::default()), key, bad);
    }
}
