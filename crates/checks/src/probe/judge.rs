//! What a run of a check shows: [`Judge`] makes a [`ProbeResult`] of a [`RunOutcome`]. Pure.

use std::time::Duration;

use ironlance_alert::card::Fact;
use ironlance_core::redact::{program_only, redact, redact_url};

use super::protocol::{CheckSpec, ProbeResult, ProbeTarget};

/// What a run found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunOutcome {
    /// It went well.
    Well,
    /// It did not, for this reason.
    Wrong(String),
    /// A page answered.
    Page {
        /// Its status.
        status: u16,
        /// The server's words for it.
        reason: String,
        /// Whether the body holds what it must.
        has_body: Option<bool>,
    },
    /// Bytes of memory.
    Bytes(u64),
    /// CPU time since the start of the process.
    CpuTime(Duration),
    /// When the newest of its files was last changed: a stamp that differs with each change, and how long ago it is.
    /// `None`: there is no such file.
    Changed(Option<(u128, Duration)>),
    /// The time since the last beat; `None` without one.
    Beat(Option<Duration>),
    /// It could not be made.
    Unable(String),
    /// The process has ended meanwhile.
    Gone,
}

/// What a check remembers between two runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judge {
    /// The CPU time at the last run, and when that was.
    cpu: Option<(Duration, Duration)>,
    /// The stamp of the last change of its files, and when that was on our clock.
    change: Option<(u128, Duration)>,
}

/// A judgement: what is reported, if anything, and for heartbeats when to look again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// What is reported; `None` for a run that shows nothing.
    pub result: Option<ProbeResult>,
    /// A good heartbeat: silence is too long after this time from now.
    pub silent_in: Option<Duration>,
}

impl Judge {
    /// Judges a run that ends at `now`; the process has been running for `up`.
    pub fn judge(&mut self, spec: &CheckSpec, outcome: RunOutcome, up: Duration, now: Duration) -> Judgement {
        let plain = |result| Judgement { result: Some(result), silent_in: None };
        let found = |words: String| {
            let name = &spec.key.name;
            let words = if name.is_empty() { words } else { format!("{name}: {words}") };
            ProbeResult::Bad(
                [Some(Fact::Finding(words)), checked(&spec.target)].into_iter().flatten().collect(),
            )
        };
        match outcome {
            RunOutcome::Well => plain(ProbeResult::Good),
            RunOutcome::Wrong(words) => plain(found(words)),
            RunOutcome::Unable(reason) => plain(ProbeResult::Unable(reason)),
            RunOutcome::Gone => Judgement { result: None, silent_in: None },
            RunOutcome::Page { status, reason, has_body } => {
                let ProbeTarget::Page { statuses, body, .. } = &spec.target else {
                    return plain(ProbeResult::Good);
                };
                let is_expected = if statuses.is_empty() {
                    (200..400).contains(&status)
                } else {
                    statuses.contains(&status)
                };
                let answer = format!("status {status} {reason}");
                if !is_expected {
                    plain(found(answer.trim_end().to_owned()))
                } else if has_body == Some(false) {
                    let wanted = body.as_deref().unwrap_or_default();
                    plain(found(format!("{} without {wanted:?} in the body", answer.trim_end())))
                } else {
                    plain(ProbeResult::Good)
                }
            }
            RunOutcome::Bytes(reading) => {
                let (measure, limit) = match &spec.target {
                    ProbeTarget::Memory { pss, limit, .. } => (if *pss { "pss" } else { "rss" }, *limit),
                    ProbeTarget::Cgroup { limit } => ("cgroup", *limit),
                    _ => return Judgement { result: None, silent_in: None },
                };
                plain(over(measure, reading, limit))
            }
            RunOutcome::CpuTime(used) => Judgement { result: self.cpu(spec, used, now), silent_in: None },
            RunOutcome::Beat(age) => heard(age, up, spec.every),
            RunOutcome::Changed(None) => heard(None, up, spec.every),
            RunOutcome::Changed(Some((stamp, age))) => {
                // A jump of the wall clock must not look like silence: what has not changed ages on our clock.
                let changed = match self.change {
                    Some((last, when)) if last == stamp => when,
                    Some((_, when)) => now.saturating_sub(age).max(when),
                    None => now.saturating_sub(age),
                };
                self.change = Some((stamp, changed));
                heard(Some(now.saturating_sub(changed)), up, spec.every)
            }
        }
    }

    fn cpu(&mut self, spec: &CheckSpec, used: Duration, now: Duration) -> Option<ProbeResult> {
        let ProbeTarget::Cpu { limit } = spec.target else { return None };
        let (before, then) = self.cpu.replace((used, now))?;
        let time = now.checked_sub(then).filter(|time| !time.is_zero())?;
        let used = used.checked_sub(before)?;
        let percent = used.as_millis().saturating_mul(100) / time.as_millis().max(1);
        Some(over("cpu", u64::try_from(percent).unwrap_or(u64::MAX), u64::from(limit)))
    }
}

fn over(measure: &str, reading: u64, limit: u64) -> ProbeResult {
    if reading <= limit {
        return ProbeResult::Good;
    }
    ProbeResult::Bad(vec![Fact::Limit { measure: measure.to_owned(), reading, limit }])
}

/// A heartbeat: `age` is the time since the last sign of life; a start is one.
fn heard(age: Option<Duration>, up: Duration, within: Duration) -> Judgement {
    let age = age.unwrap_or(up).min(up);
    if age < within {
        return Judgement { result: Some(ProbeResult::Good), silent_in: Some(within - age) };
    }
    let silent = Fact::Silent { seconds: age.as_secs(), limit: within.as_secs() };
    Judgement { result: Some(ProbeResult::Bad(vec![silent])), silent_in: None }
}

/// What people are shown of a target: nothing secret.
fn checked(target: &ProbeTarget) -> Option<Fact> {
    let text = match target {
        ProbeTarget::Page { url, .. } => redact_url(url),
        ProbeTarget::Tcp { host, port } if host.contains(':') => format!("tcp://[{host}]:{port}"),
        ProbeTarget::Tcp { host, port } => format!("tcp://{host}:{port}"),
        ProbeTarget::UnixSocket(path) => format!("unix:{}", path.display()),
        ProbeTarget::Command(argv) => program_only(&redact(&argv.join(" "))),
        ProbeTarget::Memory { .. }
        | ProbeTarget::Cgroup { .. }
        | ProbeTarget::Cpu { .. }
        | ProbeTarget::Output
        | ProbeTarget::Beats
        | ProbeTarget::File(_) => return None,
    };
    Some(Fact::Checked(text))
}

#[cfg(test)]
mod tests {
    use ironlance_core::Namespec;
    use ironlance_core::alerting::incident::Family;

    use super::super::protocol::CheckKey;
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn spec(family: Family, name: &str, target: ProbeTarget) -> CheckSpec {
        let key = CheckKey { program: Namespec::new("web", "web"), family, name: name.into() };
        let (every, timeout) = (10 * SECOND, 3 * SECOND);
        CheckSpec { key, target, every, timeout, grace: Duration::ZERO, settled: 1 }
    }

    fn page(statuses: &[u16], body: Option<&str>) -> CheckSpec {
        let target = ProbeTarget::Page {
            url: "http://joe:secret@shop/".into(),
            statuses: statuses.to_vec(),
            body: body.map(str::to_owned),
            insecure: false,
            ca_file: None,
            headers: Vec::new(),
        };
        spec(Family::Health, "api", target)
    }

    fn shown(spec: &CheckSpec, outcome: RunOutcome) -> String {
        match Judge::default().judge(spec, outcome, 100 * SECOND, 1000 * SECOND).result {
            Some(ProbeResult::Good) => "good".into(),
            Some(ProbeResult::Bad(facts)) => format!("{facts:?}"),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn a_page_is_judged_by_its_status_and_its_body() {
        let answer = |status, has_body| RunOutcome::Page { status, reason: "Why".into(), has_body };
        assert_eq!(shown(&page(&[], None), answer(302, None)), "good");
        assert_eq!(shown(&page(&[200], Some("ok")), answer(200, Some(true))), "good");
        let bad = shown(&page(&[], None), answer(500, None));
        assert_eq!(bad, r#"[Finding("api: status 500 Why"), Checked("http://joe:***@shop/")]"#);
        assert!(shown(&page(&[200], None), answer(302, None)).contains("status 302"));
        let body = shown(&page(&[], Some("ok")), answer(200, Some(false)));
        assert!(body.contains(r#"api: status 200 Why without \"ok\" in the body"#), "{body}");
    }

    #[test]
    fn a_command_is_shown_without_its_arguments() {
        let command = ProbeTarget::Command(vec!["/bin/check".into(), "--password".into(), "x".into()]);
        let shown = shown(&spec(Family::Health, "", command), RunOutcome::Wrong("exit status 2".into()));
        assert_eq!(shown, r#"[Finding("exit status 2"), Checked("/bin/check …")]"#);
    }

    #[test]
    fn memory_at_the_limit_is_good_and_a_byte_more_is_not() {
        let memory = spec(Family::Memory, "", ProbeTarget::Memory { pss: true, tree: false, limit: 100 });
        assert_eq!(shown(&memory, RunOutcome::Bytes(100)), "good");
        let over = r#"[Limit { measure: "pss", reading: 101, limit: 100 }]"#;
        assert_eq!(shown(&memory, RunOutcome::Bytes(101)), over);
        assert_eq!(shown(&memory, RunOutcome::Gone), "None");
    }

    #[test]
    fn cpu_is_the_share_of_one_core_between_two_readings() {
        let cpu = spec(Family::Cpu, "", ProbeTarget::Cpu { limit: 90 });
        let mut judge = Judge::default();
        let mut at =
            |used, now| judge.judge(&cpu, RunOutcome::CpuTime(used * SECOND), SECOND, now * SECOND).result;
        assert_eq!(at(50, 100), None);
        assert_eq!(at(59, 110), Some(ProbeResult::Good));
        let over = Fact::Limit { measure: "cpu".into(), reading: 150, limit: 90 };
        assert_eq!(at(74, 120), Some(ProbeResult::Bad(vec![over])));
        // Another process under the same pid, or no time at all.
        assert_eq!((at(1, 130), at(1, 130)), (None, None));
    }

    #[test]
    fn a_heartbeat_is_silent_when_its_time_is_over_and_a_start_is_a_sign_of_life() {
        let beats = spec(Family::Heartbeat, "", ProbeTarget::Beats);
        let judge = |age, up| Judge::default().judge(&beats, RunOutcome::Beat(age), up, 1000 * SECOND);
        assert_eq!(judge(Some(4 * SECOND), 50 * SECOND).silent_in, Some(6 * SECOND));
        assert_eq!(judge(None, 9 * SECOND).silent_in, Some(SECOND));
        assert_eq!(judge(Some(40 * SECOND), 3 * SECOND).result, Some(ProbeResult::Good));
        let silent = Fact::Silent { seconds: 12, limit: 10 };
        assert_eq!(judge(Some(12 * SECOND), 50 * SECOND).result, Some(ProbeResult::Bad(vec![silent])));
    }

    #[test]
    fn a_jump_of_the_wall_clock_is_no_silence() {
        let file = spec(Family::Heartbeat, "", ProbeTarget::File("/beat".into()));
        let mut judge = Judge::default();
        let up = 5000 * SECOND;
        let mut look = |stamp, age| {
            judge.judge(&file, RunOutcome::Changed(Some((stamp, age))), up, 9000 * SECOND).result
        };
        assert_eq!(look(1, SECOND), Some(ProbeResult::Good));
        assert_eq!(look(1, 3600 * SECOND), Some(ProbeResult::Good));
        assert_eq!(look(2, 3600 * SECOND), Some(ProbeResult::Good));
    }
}
