//! Who is told of what: [`route`] and [`severity`], by the keys of programs and receivers. Pure functions of the configuration.
//!
//! | in this order | says no where |
//! |---|---|
//! | `alert=` of the program | it names others |
//! | `only=`, `except=` of the receiver, where the program has no `alert=` | they leave it out |
//! | `alert_on=` of the program, or else `on=` of the receiver | the cause is not in it |
//! | `severity=` of the receiver | it is less severe |
//!
//! A channel's own trouble is told to the receiver's `fallback=`, or else to all others.

use ironlance_config::alerting::{AlertReceiver, Alerting, ProgramAlerting, ValueSource};
use ironlance_core::alerting::incident::{AlertCause, Severity};
use ironlance_core::{Namespec, Selection};

use super::effect::RefusalReason;
use super::subject::Subject;

/// Whether a receiver is told, and what decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Route {
    /// Why not.
    pub(super) refusal: Option<RefusalReason>,
    /// The key that decides.
    pub(super) key: Option<&'static str>,
    /// Where it stands.
    pub(super) source: ValueSource,
}

/// What the configuration says of the program of a subject.
pub(super) fn program<'c>(config: &'c Alerting, subject: &Subject) -> Option<&'c ProgramAlerting> {
    config.programs.get(subject.program()?)
}

/// How much something matters, and where that stands; `None` where it is built in.
pub(super) fn severity(
    config: &Alerting,
    subject: &Subject,
    cause: AlertCause,
    runs_again: bool,
) -> (Severity, Option<ValueSource>) {
    let configured = program(config, subject).and_then(|program| {
        let severity = program.severity.of(cause)?;
        Some((severity, program.key_sources.get("severity").cloned().unwrap_or_default()))
    });
    match configured {
        Some((severity, source)) => (severity, Some(source)),
        None => (cause.severity(runs_again), None),
    }
}

/// Whether patterns take in a subject. One that is no program is matched by its name.
pub(super) fn is_selected(selection: &Selection, subject: &Subject) -> bool {
    match subject.program() {
        Some(program) => selection.includes(program),
        None => {
            let name = subject.to_string();
            selection.includes(&Namespec::new(name.clone(), name))
        }
    }
}

/// Whether a receiver is told of a cause.
pub(super) fn route(
    config: &Alerting,
    receiver: &AlertReceiver,
    subject: &Subject,
    cause: AlertCause,
    severity: Severity,
) -> Route {
    let of_receiver = |key: Option<&'static str>| {
        let source = key.and_then(|key| receiver.key_sources.get(key));
        source.unwrap_or(&receiver.source).clone()
    };
    let refuse =
        |refusal, key: Option<&'static str>| Route { refusal: Some(refusal), key, source: of_receiver(key) };
    if let Subject::Receiver(troubled) = subject {
        if let Some(refusal) = refusal_of_own(config, receiver, troubled) {
            return refuse(refusal, None);
        }
        if is_fallback_of(config, receiver, troubled) {
            return Route { refusal: None, key: None, source: of_receiver(None) };
        }
    }
    let program = program(config, subject);
    let of_program = |key: &'static str, refusal| {
        let source = program.and_then(|program| program.key_sources.get(key)).cloned().unwrap_or_default();
        Route { refusal, key: Some(key), source }
    };
    let yes = match program.and_then(|program| program.receivers.as_ref()) {
        Some(names) if names.contains(&receiver.name) => of_program("alert", None),
        Some(_) => return of_program("alert", Some(RefusalReason::NotNamed)),
        None => {
            let has = |key: &str| receiver.key_sources.contains_key(key);
            let is_in = is_selected(&receiver.programs, subject);
            let key = [(!is_in && has("except"), "except"), (has("only"), "only"), (has("except"), "except")];
            let key = key.into_iter().find(|(applies, _)| *applies).map(|(_, key)| key);
            if !is_in {
                return refuse(RefusalReason::NotSelected, key);
            }
            Route { refusal: None, key, source: of_receiver(key) }
        }
    };
    let own_causes = program.and_then(|program| program.on.as_ref());
    if let Some(own) = own_causes {
        if !own.contains(&cause) {
            return of_program("alert_on", Some(RefusalReason::ProgramCause(cause)));
        }
    } else if !receiver.on.contains(&cause) {
        return refuse(RefusalReason::ReceiverCause(cause), Some("on"));
    }
    if severity < receiver.severity {
        return refuse(RefusalReason::Severity(severity), Some("severity"));
    }
    yes
}

/// Whether a receiver is told when something is over.
pub(super) fn wants_recoveries(config: &Alerting, receiver: &AlertReceiver, subject: &Subject) -> bool {
    let own = program(config, subject).and_then(|program| program.on.as_ref());
    own.unwrap_or(&receiver.on).contains(&AlertCause::Recovered)
}

/// Whether somebody is told of a cause of this subject, before severity counts.
pub(super) fn is_wanted(config: &Alerting, subject: &Subject, cause: AlertCause) -> bool {
    let told = |receiver| route(config, receiver, subject, cause, Severity::Critical).refusal.is_none();
    config.receivers.iter().any(told)
}

fn refusal_of_own(config: &Alerting, receiver: &AlertReceiver, troubled: &str) -> Option<RefusalReason> {
    let fallback = fallback_of(config, troubled);
    let is_other = fallback.is_some_and(|name| name != receiver.name);
    (receiver.name == troubled || is_other).then_some(RefusalReason::Itself)
}

fn is_fallback_of(config: &Alerting, receiver: &AlertReceiver, troubled: &str) -> bool {
    fallback_of(config, troubled).is_some_and(|name| name == receiver.name)
}

fn fallback_of<'c>(config: &'c Alerting, troubled: &str) -> Option<&'c str> {
    let troubled = config.receivers.iter().find(|receiver| receiver.name == troubled)?;
    let name = &troubled.fallback.as_ref()?.receiver;
    config.receivers.iter().any(|receiver| receiver.name == *name).then_some(name)
}
