//! What holds a message back: [`judge`], asked when the message is due and while it is held.
//!
//! The first rule that holds decides:
//!
//! | rule | holds where | until |
//! |---|---|---|
//! | shutdown | the supervisor is stopping | it has started again; the message is dropped |
//! | same program | another family than `down`, nothing was done about it, and the program is down, does not run, or was started after the fault was found | that is over |
//! | silence | an active silence takes in program and cause | its end |
//! | quiet | in the receiver's quiet hours, and less severe than `quiet_except=` | their end |
//!
//! ```text
//!   due ──▶ shutdown? ──▶ same program? ──▶ silence? ──▶ quiet? ──▶ told
//!              │ yes            │ yes          │ yes       │ yes
//!              ▼                ▼              ▼           ▼
//!           dropped           held           held         held, in the digest even where it is over by then
//! ```
//!
//! The end of something that was told is never held. An acknowledgement holds back reminders and escalation alone.

use std::time::Duration;

use ironlance_alert::card::Mark;
use ironlance_config::alerting::{AlertReceiver, Alerting};
use ironlance_core::alerting::incident::{AlertCause, Family, Severity};
use ironlance_core::time::window::Windows;

use super::clock::{Moment, seconds};
use super::effect::Hold;
use super::routing;
use super::silence::SilenceList;
use super::subject::Subject;

/// The longest time until a hold is looked at again: a civil clock may be set, and summer time begin.
pub(super) const LOOK_AGAIN: Duration = Duration::from_secs(1800);

/// What is to be told.
#[derive(Clone, Copy, Debug)]
pub(super) struct MuteQuery<'a> {
    /// The subject.
    pub(super) subject: &'a Subject,
    /// The family.
    pub(super) family: Family,
    /// The cause.
    pub(super) cause: AlertCause,
    /// How much it matters.
    pub(super) severity: Severity,
    /// Whether its program is down or does not run.
    pub(super) is_down: bool,
    /// Whether the supervisor is stopping.
    pub(super) is_stopping: bool,
}

/// What holds a message back, and for how long as far as that is known.
pub(super) fn judge(
    query: &MuteQuery<'_>,
    config: &Alerting,
    receiver: &AlertReceiver,
    silences: &SilenceList,
    now: &Moment,
) -> Option<(Hold, Option<Duration>)> {
    if query.is_stopping {
        return Some((Hold::Shutdown, None));
    }
    if query.family != Family::Down && query.is_down {
        return Some((Hold::SameProgram, None));
    }
    let matches = |selection: &_| routing::is_selected(selection, query.subject);
    if let Some(silence) = silences.matching(matches, query.cause, now.wall_millis()) {
        let hold = Hold::Silence {
            id: silence.id,
            by: silence.by.clone(),
            until: silence.until,
            comment: silence.comment.clone(),
        };
        let left = Duration::from_millis(silence.until.saturating_sub(now.wall_millis()));
        return Some((hold, Some(left)));
    }
    let rule = config.silences.iter().find(|rule| {
        rule.when.contains(now.civil)
            && (rule.causes.is_empty() || rule.causes.contains(&query.cause))
            && matches(&rule.programs)
    });
    if let Some(rule) = rule {
        let hold = Hold::SilenceWindow {
            name: rule.name.clone(),
            window: rule.when.as_str().to_owned(),
            comment: rule.comment.clone(),
        };
        return Some((hold, Some(left_of(&rule.when, now))));
    }
    let quiet = receiver.quiet.as_ref().filter(|quiet| quiet.contains(now.civil))?;
    (query.severity < receiver.quiet_except)
        .then(|| (Hold::Quiet { window: quiet.as_str().to_owned() }, Some(left_of(quiet, now))))
}

/// The time until a window ends, to the second: zones differ by whole minutes.
fn left_of(windows: &Windows, now: &Moment) -> Duration {
    let minutes = Duration::from_secs(u64::from(windows.minutes_to_change(now.civil)) * 60);
    let into_minute = Duration::from_millis(now.wall_millis() % 60_000);
    minutes.saturating_sub(into_minute).max(Duration::from_millis(1))
}

impl Hold {
    /// Whether what it held is told after its end also where it is over by then.
    pub(super) const fn keeps_what_is_over(&self) -> bool {
        matches!(self, Self::Quiet { .. })
    }

    /// What the reader is told of it afterwards.
    pub(super) fn mark(&self, subject: &Subject) -> Option<Mark> {
        match self {
            Self::Shutdown => None,
            Self::SameProgram => Some(Mark::Inhibited { program: subject.to_string() }),
            Self::Silence { by, until, comment, .. } => {
                Some(Mark::Silenced { by: by.clone(), until: seconds(*until), comment: comment.clone() })
            }
            Self::SilenceWindow { name, window, comment } => Some(Mark::SilencedWindow {
                name: name.clone(),
                window: window.clone(),
                comment: comment.clone(),
            }),
            Self::Quiet { window } => Some(Mark::Quiet { window: window.clone() }),
        }
    }
}
