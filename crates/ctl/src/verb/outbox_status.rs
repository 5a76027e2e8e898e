//! Alerts that wait or were given up, as our supervisord finds them in its listeners' outboxes.

use std::time::{Duration, SystemTime};

use ironlance_core::Namespec;
use ironlance_host::local_time::LocalClock;
use ironlance_rpc::{FaultKind, Value};
use serde::Serialize;

use crate::error::CtlError;
use crate::session::{CallFn, Session};
use crate::struct_view::{StructView, list, struct_list};

const METHOD: &str = "ironlance.getAlerts";

/// A state folder and what waits there, as `listeners --json` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct OutboxStatus {
    folder: String,
    user: String,
    waiting: i64,
    /// Seconds since 1970; `null` where nothing waits.
    oldest: Option<i64>,
    dead: i64,
    /// Empty where the last try went well.
    last_error: String,
    /// Seconds since 1970; `null` without an error.
    last_error_at: Option<i64>,
    /// Why no alert can be kept there; empty where all is well.
    trouble: String,
    #[serde(skip)]
    listeners: Vec<String>,
}

/// Every outbox; none where this supervisord does not tell.
pub(crate) fn fetch(call: &mut CallFn<'_>) -> Result<Vec<OutboxStatus>, CtlError> {
    match call(METHOD, &[]) {
        Err(trouble) if trouble.is_fault(FaultKind::UnknownMethod) => Ok(Vec::new()),
        told => {
            let told = told?;
            let all = list(METHOD, &told)?;
            struct_list(METHOD, &told)?
                .into_iter()
                .zip(all)
                .map(|(record, value)| OutboxStatus::read(record, value))
                .collect()
        }
    }
}

/// The line below `status` on a terminal, where alerts wait or cannot be kept. That none is told is no reason to fail.
pub(crate) fn summary(session: &mut Session) -> Option<String> {
    let outboxes = fetch(&mut |method, params| session.call(method, params)).ok()?;
    summary_of(&outboxes, &LocalClock::new())
}

fn summary_of(outboxes: &[OutboxStatus], clock: &LocalClock) -> Option<String> {
    let waiting: i64 = outboxes.iter().map(|outbox| outbox.waiting).sum();
    let dead: i64 = outboxes.iter().map(|outbox| outbox.dead).sum();
    let oldest = outboxes.iter().filter_map(|outbox| outbox.oldest).min();
    let homeless = outboxes.iter().any(|outbox| !outbox.trouble.is_empty());
    let words = [
        (waiting > 0).then(|| waiting_since(waiting, oldest, clock)),
        (dead > 0).then(|| given_up(dead)),
        homeless.then(|| "a listener cannot keep its alerts".to_owned()),
    ];
    let words: Vec<String> = words.into_iter().flatten().collect();
    (!words.is_empty()).then(|| format!("! {}; see: listeners", words.join("; ")))
}

impl OutboxStatus {
    fn read(record: StructView<'_>, value: &Value) -> Result<Self, CtlError> {
        let time = |key| record.int(key).map(|seconds| (seconds > 0).then_some(seconds));
        let listeners = value.member("listeners").map_or(Ok(&[][..]), |all| list(METHOD, all))?;
        Ok(Self {
            folder: record.text("folder")?.to_owned(),
            user: record.text("user")?.to_owned(),
            waiting: record.int("waiting")?,
            oldest: time("oldest")?,
            dead: record.int("dead")?,
            last_error: record.text("last_error")?.to_owned(),
            last_error_at: time("last_error_at")?,
            trouble: record.text("trouble")?.to_owned(),
            listeners: listeners.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        })
    }

    /// Whether a listener keeps its alerts here.
    pub(crate) fn is_used_by(&self, listener: &Namespec) -> bool {
        let name = listener.qualified();
        self.listeners.contains(&name)
    }

    /// What somebody should look at, in words.
    pub(crate) fn problems(&self, clock: &LocalClock) -> Vec<String> {
        let mut wrong = Vec::new();
        if !self.trouble.is_empty() {
            wrong.push(format!("its alerts wait in memory only: {}", self.trouble));
        }
        if self.waiting > 0 {
            let since = waiting_since(self.waiting, self.oldest, clock);
            let why =
                if self.last_error.is_empty() { String::new() } else { format!(" ({})", self.last_error) };
            wrong.push(format!("{since}{why}"));
        }
        if self.dead > 0 {
            wrong.push(given_up(self.dead));
        }
        wrong
    }

    /// What somebody should look at where no listener is known to keep its alerts here.
    pub(crate) fn unassigned_problem(&self, clock: &LocalClock) -> Option<String> {
        let wrong = self.problems(clock);
        (self.listeners.is_empty() && !wrong.is_empty())
            .then(|| format!("! of {}, but of none of these listeners: {}", self.user, wrong.join("; ")))
    }

    /// How a person gets to see the alerts; nothing where there are none.
    pub(crate) fn list_command(&self) -> Option<String> {
        (self.waiting > 0 || self.dead > 0).then(|| {
            format!(
                "the alerts, as {}: IRONLANCE_STATE={} ironlance outbox list",
                self.user,
                shell_quoted(&self.folder)
            )
        })
    }
}

/// As a shell reads it.
fn shell_quoted(path: &str) -> String {
    let is_plain = |one: char| one.is_ascii_alphanumeric() || "/._-+:@%,=".contains(one);
    if path.chars().all(is_plain) { path.to_owned() } else { format!("'{}'", path.replace('\'', r"'\''")) }
}

fn waiting_since(waiting: i64, oldest: Option<i64>, clock: &LocalClock) -> String {
    let verb = if waiting == 1 { "alert waits" } else { "alerts wait" };
    let since = oldest.map(|oldest| format!(" since {}", moment(clock, oldest))).unwrap_or_default();
    format!("{waiting} {verb} to be delivered{since}")
}

fn given_up(dead: i64) -> String {
    format!("{dead} {} given up", if dead == 1 { "alert was" } else { "alerts were" })
}

fn moment(clock: &LocalClock, seconds: i64) -> String {
    let seconds = Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
    let at = SystemTime::UNIX_EPOCH.checked_add(seconds).unwrap_or(SystemTime::UNIX_EPOCH);
    clock.local(at).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbox(waiting: i64, dead: i64, trouble: &str) -> OutboxStatus {
        let value = Value::Array(vec![Value::record([
            ("folder", "/var/lib/ironlance/users/nobody".into()),
            ("user", "nobody".into()),
            ("listeners", Value::Array(vec!["alarm:alarm".into()])),
            ("trouble", trouble.into()),
            ("waiting", waiting.into()),
            ("oldest", if waiting > 0 { 1_700_000_000_i64.into() } else { 0_i64.into() }),
            ("dead", dead.into()),
            ("last_error", "mail:25 does not answer".into()),
            ("last_error_at", 1_700_000_100_i64.into()),
        ])]);
        fetch(&mut |_, _| Ok(value.clone())).unwrap().remove(0)
    }

    #[test]
    fn what_waits_is_told_with_its_age_and_the_reason_and_how_to_see_it() {
        let clock = LocalClock::new();
        let since = moment(&clock, 1_700_000_000);
        let one = outbox(2, 1, "");
        assert_eq!(
            one.problems(&clock),
            [
                format!("2 alerts wait to be delivered since {since} (mail:25 does not answer)"),
                "1 alert was given up".to_owned()
            ]
        );
        assert_eq!(
            one.list_command().unwrap(),
            "the alerts, as nobody: IRONLANCE_STATE=/var/lib/ironlance/users/nobody ironlance outbox list"
        );
        assert!(
            one.is_used_by(&Namespec::new("alarm", "alarm"))
                && !one.is_used_by(&Namespec::new("alarm", "other"))
        );
        assert_eq!(outbox(0, 0, "").problems(&clock), [""; 0]);
        assert_eq!(outbox(0, 0, "x").problems(&clock), ["its alerts wait in memory only: x"]);
    }

    #[test]
    fn the_mark_adds_up_all_outboxes_and_is_not_there_where_all_is_well() {
        let clock = LocalClock::new();
        let since = moment(&clock, 1_700_000_000);
        assert_eq!(summary_of(&[outbox(0, 0, "")], &clock), None);
        assert_eq!(
            summary_of(&[outbox(1, 0, ""), outbox(0, 2, "x")], &clock).unwrap(),
            format!(
                "! 1 alert waits to be delivered since {since}; 2 alerts were given up; a listener cannot keep its \
                 alerts; see: listeners"
            )
        );
    }

    #[test]
    fn a_supervisord_that_does_not_tell_has_no_outboxes() {
        let unknown =
            fetch(&mut |_, _| Err(ironlance_rpc::CallError::from(FaultKind::UnknownMethod.bare()).into()));
        assert_eq!(unknown.unwrap(), []);
        assert!(fetch(&mut |_, _| Ok(Value::Nil)).is_err());
    }

    #[test]
    fn a_path_is_quoted_where_a_shell_would_take_it_apart() {
        assert_eq!(shell_quoted("/a b/it's"), r"'/a b/it'\''s'");
    }
}
