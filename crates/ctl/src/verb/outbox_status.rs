//! The state of the listeners' outboxes: alerts that wait or were given up. Callers: `listeners` and `status`.

use std::num::NonZeroU64;

use ironlance_core::Namespec;
use ironlance_host::local_time::LocalClock;
use ironlance_rpc::Record;
use ironlance_rpc::api::OutboxStatus;
use serde::ser::{Serialize, SerializeStruct, Serializer};

use crate::error::CtlError;
use crate::output::style;
use crate::session::{CallFn, Session, call_extension};

const METHOD: &str = "ironlance.getAlerts";

/// All outboxes; empty from a supervisord without this method.
pub(crate) fn fetch(call: &mut CallFn<'_>) -> Result<Vec<OutboxStatus>, CtlError> {
    Ok(call_extension(call, METHOD, &[], OutboxStatus::list_from_value)?.unwrap_or_default())
}

/// An outbox in `listeners --json`.
pub(crate) struct OutboxObject<'a>(pub(crate) &'a OutboxStatus);

impl Serialize for OutboxObject<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let outbox = self.0;
        let mut object = serializer.serialize_struct("Outbox", 8)?;
        object.serialize_field("folder", &outbox.folder)?;
        object.serialize_field("user", &outbox.user)?;
        object.serialize_field("waiting", &outbox.waiting)?;
        object.serialize_field("oldest", &outbox.oldest)?;
        object.serialize_field("dead", &outbox.dead)?;
        object.serialize_field("last_error", &outbox.last_error)?;
        object.serialize_field("last_error_at", &outbox.last_error_at)?;
        object.serialize_field("trouble", &outbox.trouble)?;
        object.end()
    }
}

/// The line below `status` on a terminal if alerts wait or cannot be stored. A failed call is ignored.
pub(crate) fn summary(session: &mut Session) -> Option<String> {
    let outboxes = fetch(&mut session.caller()).ok()?;
    summary_of(&outboxes, &LocalClock::new())
}

fn summary_of(outboxes: &[OutboxStatus], clock: &LocalClock) -> Option<String> {
    let waiting: u64 = outboxes.iter().map(|outbox| outbox.waiting).sum();
    let dead: u64 = outboxes.iter().map(|outbox| outbox.dead).sum();
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

/// Whether a listener uses this outbox.
pub(crate) fn is_used_by(outbox: &OutboxStatus, listener: &Namespec) -> bool {
    outbox.listeners.contains(&listener.qualified())
}

/// Its problems.
pub(crate) fn problems(outbox: &OutboxStatus, clock: &LocalClock) -> Vec<String> {
    let mut wrong = Vec::new();
    if !outbox.trouble.is_empty() {
        wrong.push(format!("its alerts wait in memory only: {}", outbox.trouble));
    }
    if outbox.waiting > 0 {
        let since = waiting_since(outbox.waiting, outbox.oldest, clock);
        let why =
            if outbox.last_error.is_empty() { String::new() } else { format!(" ({})", outbox.last_error) };
        wrong.push(format!("{since}{why}"));
    }
    if outbox.dead > 0 {
        wrong.push(given_up(outbox.dead));
    }
    wrong
}

/// The problems of an outbox that no known listener uses.
pub(crate) fn unassigned_problem(outbox: &OutboxStatus, clock: &LocalClock) -> Option<String> {
    let wrong = problems(outbox, clock);
    (outbox.listeners.is_empty() && !wrong.is_empty())
        .then(|| format!("! of {}, but of none of these listeners: {}", outbox.user, wrong.join("; ")))
}

/// The command that lists the alerts; `None` without alerts.
pub(crate) fn list_command(outbox: &OutboxStatus) -> Option<String> {
    (outbox.waiting > 0 || outbox.dead > 0).then(|| {
        format!(
            "the alerts, as {}: IRONLANCE_STATE={} ironlance outbox list",
            outbox.user,
            shell_quoted(&outbox.folder)
        )
    })
}

/// Quotes a path for a shell.
fn shell_quoted(path: &str) -> String {
    let is_plain = |one: char| one.is_ascii_alphanumeric() || "/._-+:@%,=".contains(one);
    if path.chars().all(is_plain) { path.to_owned() } else { format!("'{}'", path.replace('\'', r"'\''")) }
}

fn waiting_since(waiting: u64, oldest: Option<NonZeroU64>, clock: &LocalClock) -> String {
    let verb = if waiting == 1 { "alert waits" } else { "alerts wait" };
    let since = oldest
        .map(|oldest| format!(" since {}", style::date_and_time(clock, oldest.get())))
        .unwrap_or_default();
    format!("{waiting} {verb} to be delivered{since}")
}

fn given_up(dead: u64) -> String {
    format!("{dead} {} given up", if dead == 1 { "alert was" } else { "alerts were" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ironlance_rpc::{CallError, FaultKind, Value};

    fn outbox(waiting: u64, dead: u64, trouble: &str) -> OutboxStatus {
        OutboxStatus {
            folder: "/var/lib/ironlance/users/nobody".into(),
            user: "nobody".into(),
            listeners: vec!["alarm:alarm".into()],
            trouble: trouble.into(),
            waiting,
            oldest: NonZeroU64::new(1_700_000_000).filter(|_| waiting > 0),
            dead,
            last_error: "mail:25 does not answer".into(),
            last_error_at: NonZeroU64::new(1_700_000_100),
        }
    }

    #[test]
    fn what_waits_is_told_with_its_age_and_the_reason_and_how_to_see_it() {
        let clock = LocalClock::new();
        let since = style::date_and_time(&clock, 1_700_000_000);
        let one = outbox(2, 1, "");
        assert_eq!(
            problems(&one, &clock),
            [
                format!("2 alerts wait to be delivered since {since} (mail:25 does not answer)"),
                "1 alert was given up".to_owned()
            ]
        );
        assert_eq!(
            list_command(&one).unwrap(),
            "the alerts, as nobody: IRONLANCE_STATE=/var/lib/ironlance/users/nobody ironlance outbox list"
        );
        assert!(
            is_used_by(&one, &Namespec::new("alarm", "alarm"))
                && !is_used_by(&one, &Namespec::new("alarm", "other"))
        );
        assert_eq!(problems(&outbox(0, 0, ""), &clock), [""; 0]);
        assert_eq!(problems(&outbox(0, 0, "x"), &clock), ["its alerts wait in memory only: x"]);
    }

    #[test]
    fn the_mark_adds_up_all_outboxes_and_is_not_there_where_all_is_well() {
        let clock = LocalClock::new();
        let since = style::date_and_time(&clock, 1_700_000_000);
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
        let unknown = fetch(&mut |_, _| Err(CallError::from(FaultKind::UnknownMethod.bare()).into()));
        assert_eq!(unknown.unwrap(), []);
        assert!(fetch(&mut |_, _| Ok(Value::Nil)).is_err());
    }

    #[test]
    fn a_path_is_quoted_where_a_shell_would_take_it_apart() {
        assert_eq!(shell_quoted("/a b/it's"), r"'/a b/it'\''s'");
    }
}
