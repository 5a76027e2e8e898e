//! The alert keys of `[program:x]`, `[eventlistener:x]`, `[fcgi-program:x]` and, for its members, `[group:x]`.

use std::collections::BTreeMap;
use std::time::Duration;

use super::checks;
use super::source::AlertSection;
use super::values::{bad, causes, labels, list, positive_duration, rate, severity};
use crate::alerting::{LoopRule, ProgramAlerting, SeverityOverride, WatchSettings};
use crate::value::InvalidValue;

/// The keys that a program knows; `healthcheck.NAME` besides.
pub(crate) const KEYS: [&str; 11] = [
    "alert",
    "alert_on",
    "severity",
    "runbook",
    "labels",
    "loop",
    "recover_after",
    "healthcheck",
    "memory_limit",
    "cpu_limit",
    "heartbeat",
];

/// The beginning of the name of a further health check.
pub(crate) const NAMED_CHECK: &str = "healthcheck.";

/// The most health checks of one program.
const MOST_CHECKS: usize = 20;

/// What a program takes where it says nothing itself: from `[watch]`.
pub(super) fn defaults(watch: &WatchSettings, startsecs: Duration) -> ProgramAlerting {
    ProgramAlerting {
        key_sources: BTreeMap::new(),
        receivers: None,
        on: None,
        severity: SeverityOverride::default(),
        runbook: None,
        labels: BTreeMap::new(),
        crash_loop: watch.crash_loop,
        recover_after: watch.recover_after,
        startsecs,
        checks: Vec::new(),
        memory_limit: None,
        cpu_limit: None,
        heartbeat: None,
    }
}

/// `loop=COUNT/TIME`.
pub(super) fn crash_loop(text: &str) -> Result<LoopRule, InvalidValue> {
    let (count, window) = rate(text)?;
    if (2..=1000).contains(&count) {
        Ok(LoopRule { count, window })
    } else {
        Err(bad("take as a crash loop (2 to 1000 ends)", text))
    }
}

/// What a section says over `base`: the group over `[watch]`, or the program over both.
pub(super) fn read(section: &mut AlertSection<'_, '_>, base: ProgramAlerting) -> ProgramAlerting {
    let mut program = base;
    let is_alert_key = |key: &str| KEYS.contains(&key) || key.starts_with(NAMED_CHECK);
    program.key_sources.extend(section.key_sources(is_alert_key));
    if let Some(names) = section.optional("alert", receivers) {
        program.receivers = Some(names);
    }
    program.on = section.optional("alert_on", causes).or(program.on);
    program.severity = section.or("severity", program.severity, severities);
    program.runbook = section.optional("runbook", |text| Ok(text.trim().to_owned())).or(program.runbook);
    program.labels.extend(section.or("labels", BTreeMap::new(), labels));
    program.crash_loop = section.or("loop", program.crash_loop, crash_loop);
    program.recover_after = section.or("recover_after", program.recover_after, positive_duration);
    health_checks(section, &mut program);
    program.memory_limit = section.optional("memory_limit", checks::memory_limit).or(program.memory_limit);
    program.cpu_limit = section.optional("cpu_limit", checks::cpu_limit).or(program.cpu_limit);
    program.heartbeat = section.optional("heartbeat", checks::heartbeat).or(program.heartbeat);
    program
}

fn receivers(text: &str) -> Result<Vec<String>, InvalidValue> {
    let names = list(text);
    if names.iter().any(|name| name == "none") && names.len() > 1 {
        return Err(bad("tell somebody and none", text));
    }
    Ok(names.into_iter().filter(|name| name != "none").collect())
}

/// `critical`, or `fatal:critical,crash:info`.
fn severities(text: &str) -> Result<SeverityOverride, InvalidValue> {
    let mut given = SeverityOverride::default();
    for part in list(text) {
        match part.split_once(':') {
            None => given.all = Some(severity(&part)?),
            Some((cause, level)) => {
                let level = severity(level)?;
                given.by_cause.extend(causes(cause)?.into_iter().map(|cause| (cause, level)));
            }
        }
    }
    Ok(given)
}

fn health_checks(section: &mut AlertSection<'_, '_>, program: &mut ProgramAlerting) {
    let entries = section.scope.section.entries();
    let named = entries.iter().filter(|entry| entry.key.starts_with(NAMED_CHECK));
    let mut keys: Vec<&str> = named.map(|entry| entry.key.as_str()).collect();
    if section.has("healthcheck") {
        keys.insert(0, "healthcheck");
    }
    if keys.is_empty() {
        return;
    }
    if let Some(key) = keys.get(MOST_CHECKS) {
        section.refuse(key, bad("make more than 20 checks of one program", key));
    }
    let startsecs = program.startsecs;
    program.checks = keys
        .into_iter()
        .take(MOST_CHECKS)
        .filter_map(|key| {
            let name = key.strip_prefix(NAMED_CHECK).unwrap_or_default();
            section.optional(key, |text| checks::health_check(text, name, startsecs))
        })
        .collect();
}
