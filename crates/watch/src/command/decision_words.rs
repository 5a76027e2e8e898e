//! What was decided about an incident, as a sentence for people: [`verdict_words`] and the words of its reasons. Pure.

use ironlance_alert::card::CardKind;
use ironlance_core::alerting::incident::Phase;
use ironlance_core::text::escape::one_line;

use crate::machine::{CloseReason, Hold, PaceReason, RefusalReason, Verdict};

/// How a time is shown; milliseconds since 1970.
type ShowTime<'a> = &'a dyn Fn(u64) -> String;

/// What was decided.
pub(super) fn verdict_words(verdict: &Verdict, time: ShowTime<'_>) -> String {
    match verdict {
        Verdict::Opened(phase) => format!("it began: {}", phase_words(*phase)),
        Verdict::Worse(phase) => format!("it became worse: {}", phase_words(*phase)),
        Verdict::Up => "it is well at the moment".to_owned(),
        Verdict::Again => "it is bad again".to_owned(),
        Verdict::Closed(reason) => format!("it is over: {}", close_words(*reason)),
        Verdict::TooMany => "it is not followed: there are too many incidents".to_owned(),
        Verdict::NotRouted(reason) => format!("not told: {}", refusal_words(reason)),
        Verdict::Due(at) => format!("its message is due at {}", time(*at)),
        Verdict::Held(hold) => format!("held back: {}", hold_words(hold, time)),
        Verdict::Dropped(hold) => {
            format!("not told any more, as it was held back: {}", hold_words(hold, time))
        }
        Verdict::Told { message, kind } => format!("message {message} was made ({})", kind_words(*kind)),
        Verdict::Paced(reason) => format!("waits for its turn: {}", pace_words(reason)),
        Verdict::Escalated { to } => format!("handed to {}: nobody acknowledged it", one_line(to)),
        Verdict::FellBack { to, reason } => {
            format!("handed to {}: it could not be delivered ({})", one_line(to), one_line(reason))
        }
        Verdict::Acked { by, until, comment } => {
            let until = until.map(|until| format!(" until {}", time(until))).unwrap_or_default();
            format!("acknowledged by {}{until}{}", one_line(by), comment_words(comment))
        }
        Verdict::Unacked { by: Some(by) } => format!("{} took the acknowledgement back", one_line(by)),
        Verdict::Unacked { by: None } => "it is not acknowledged any more".to_owned(),
        Verdict::SilenceAdded(id) => format!("silence {id} was added"),
        Verdict::SilenceEnded { id, by: Some(by) } => format!("{} ended silence {id}", one_line(by)),
        Verdict::SilenceEnded { id, by: None } => format!("silence {id} ended: its time was over"),
        Verdict::Refused(why) => format!("a command could not be followed: {}", one_line(why)),
        Verdict::Acting(what) => format!("done about it: {}", one_line(what)),
        Verdict::NotActing(why) => format!("nothing was done about it: {}", one_line(why)),
    }
}

/// Why a message is held back.
pub(super) fn hold_words(hold: &Hold, time: ShowTime<'_>) -> String {
    match hold {
        Hold::Shutdown => "the supervisor stops".to_owned(),
        Hold::SameProgram => "the same program is down".to_owned(),
        Hold::Silence { id, until, comment, .. } => {
            format!("silence {id} until {}{}", time(*until), comment_words(comment))
        }
        Hold::SilenceWindow { name, window, .. } => format!("[silence:{name}] {window}"),
        Hold::Quiet { window } => format!("quiet={window}"),
    }
}

/// Why a receiver is not told.
pub(super) fn refusal_words(reason: &RefusalReason) -> String {
    match reason {
        RefusalReason::NotNamed => "alert= of the program does not name it".to_owned(),
        RefusalReason::NotSelected => "only= or except= leaves the program out".to_owned(),
        RefusalReason::ReceiverCause(cause) => format!("{cause} is not in its on="),
        RefusalReason::ProgramCause(cause) => format!("{cause} is not in alert_on= of the program"),
        RefusalReason::Severity(severity) => format!("it is less severe than {severity}"),
        RefusalReason::Earlier => "it began before the receiver was configured".to_owned(),
        RefusalReason::Itself => "it is about this receiver, or its fallback is told".to_owned(),
    }
}

/// Why a message that is due has to wait.
pub(super) fn pace_words(reason: &PaceReason) -> String {
    match reason {
        PaceReason::Backlog(count) => format!("{count} messages wait in the outbox"),
        PaceReason::Channel(channel) => format!("the pace of {}", one_line(channel)),
    }
}

fn comment_words(comment: &str) -> String {
    if comment.is_empty() { String::new() } else { format!(" \"{}\"", one_line(comment)) }
}

const fn phase_words(phase: Phase) -> &'static str {
    match phase {
        Phase::Backoff => "it exited too quickly, and is tried again",
        Phase::Crash => "it exited unexpectedly",
        Phase::Bad => "the check is bad",
        Phase::Loop => "it exits again and again",
        Phase::Flapping => "the check turns bad and good again and again",
        Phase::Fatal => "it is not started any more",
    }
}

const fn close_words(reason: CloseReason) -> &'static str {
    match reason {
        CloseReason::Well => "it was well for long enough",
        CloseReason::Operator => "an operator stopped the program",
        CloseReason::Removed => "the program or its check was removed",
        CloseReason::Shutdown => "the supervisor stopped",
    }
}

const fn kind_words(kind: CardKind) -> &'static str {
    match kind {
        CardKind::Firing => "new",
        CardKind::Worse => "worse",
        CardKind::Recovered => "over",
        CardKind::Reminder => "a reminder",
        CardKind::Digest => "after quiet hours",
        CardKind::Held => "after it was held back",
        CardKind::Acknowledged => "acknowledged",
        CardKind::Test => "a test",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ironlance_core::alerting::incident::AlertCause;

    #[test]
    fn every_verdict_is_a_sentence_with_its_times() {
        let silence = Hold::Silence { id: 3, by: "anna".into(), until: 5, comment: "new\ndisk".into() };
        let window = Hold::SilenceWindow {
            name: "dump".into(),
            window: "daily 02:00-03:00".into(),
            comment: String::new(),
        };
        let rows = [
            (Verdict::Opened(Phase::Crash), "it began: it exited unexpectedly"),
            (Verdict::Worse(Phase::Fatal), "it became worse: it is not started any more"),
            (Verdict::Up, "it is well at the moment"),
            (Verdict::Again, "it is bad again"),
            (Verdict::Closed(CloseReason::Well), "it is over: it was well for long enough"),
            (Verdict::TooMany, "it is not followed: there are too many incidents"),
            (
                Verdict::NotRouted(RefusalReason::ReceiverCause(AlertCause::Crash)),
                "not told: crash is not in its on=",
            ),
            (Verdict::Due(1_796_082_124_948), "its message is due at <1796082124948>"),
            (Verdict::Held(silence), "held back: silence 3 until <5> \"new disk\""),
            (
                Verdict::Dropped(window),
                "not told any more, as it was held back: [silence:dump] daily 02:00-03:00",
            ),
            (Verdict::Told { message: 7, kind: CardKind::Digest }, "message 7 was made (after quiet hours)"),
            (Verdict::Paced(PaceReason::Backlog(3)), "waits for its turn: 3 messages wait in the outbox"),
            (Verdict::Escalated { to: "boss".into() }, "handed to boss: nobody acknowledged it"),
            (
                Verdict::FellBack { to: "sms".into(), reason: "timeout".into() },
                "handed to sms: it could not be delivered (timeout)",
            ),
            (
                Verdict::Acked { by: "anna".into(), until: Some(9), comment: "on it".into() },
                "acknowledged by anna until <9> \"on it\"",
            ),
            (Verdict::Unacked { by: Some("anna".into()) }, "anna took the acknowledgement back"),
            (Verdict::Unacked { by: None }, "it is not acknowledged any more"),
            (Verdict::SilenceAdded(3), "silence 3 was added"),
            (Verdict::SilenceEnded { id: 3, by: None }, "silence 3 ended: its time was over"),
            (Verdict::Refused("no incident 9".into()), "a command could not be followed: no incident 9"),
            (Verdict::Acting("restart".into()), "done about it: restart"),
            (
                Verdict::NotActing("3 restarts in 10 min".into()),
                "nothing was done about it: 3 restarts in 10 min",
            ),
        ];
        for (verdict, words) in rows {
            assert_eq!(verdict_words(&verdict, &|millis| format!("<{millis}>")), words);
        }
    }
}
