//! How and why a process last ended: [`ExitRecord`], with all that is known only at that moment.

use std::time::{Duration, SystemTime};

use ironlance_core::process::exit_status::ExitStatus;
use ironlance_core::process::oom::{OomVerdict, TimeWindow};
use ironlance_host::local_time::LocalClock;

use crate::requester::SignalReason;

/// What ended a process.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TerminationCause {
    pub(crate) status: ExitStatus,
    /// Why supervisord had sent a signal to it, if it had.
    pub(crate) by: Option<SignalReason>,
    /// Whether the OOM killer ended it, or may have.
    pub(crate) memory: OomVerdict,
    /// Between fork and exec: which step failed, and why.
    pub(crate) not_started: Option<String>,
    /// A listener that broke the protocol, and was stopped to be started again: what it did.
    pub(crate) recycled: Option<String>,
}

impl TerminationCause {
    /// The status or signal; or the step that failed before there was a program that could have one.
    pub(crate) fn status_text(&self) -> String {
        self.not_started.clone().unwrap_or_else(|| self.status.to_string())
    }

    /// Whether a stop was requested.
    pub(crate) fn requested(&self) -> bool {
        self.by.as_ref().is_some_and(SignalReason::is_stop)
    }

    /// Whether the OOM killer ended it.
    pub(crate) fn out_of_memory(&self) -> bool {
        self.memory == OomVerdict::Killed
    }

    /// When the OOM killer hit a process of the control group, where it is unknown whether it was this one.
    pub(crate) fn oom_window(&self) -> Option<TimeWindow> {
        match self.memory {
            OomVerdict::Possible(window) => Some(window),
            OomVerdict::Unrelated | OomVerdict::Killed => None,
        }
    }

    /// The status or signal, who it came from, and what the kernel did.
    pub(crate) fn describe(&self, clock: &LocalClock) -> String {
        let by = match &self.by {
            _ if let Some(did) = &self.recycled => format!(", recycled: it {did}"),
            None => String::new(),
            Some(reason) if reason.is_stop() => format!(", as told by {reason}"),
            Some(reason) => format!(", by the signal of {reason}"),
        };
        let kernel = match self.memory {
            OomVerdict::Unrelated => String::new(),
            OomVerdict::Killed => ", killed by the kernel: out of memory".to_owned(),
            OomVerdict::Possible(window) => format!("; {}", near_oom_kill(window, clock)),
        };
        format!("{}{by}{kernel}", self.status_text())
    }
}

/// A signal that was sent to a process on request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SentSignal {
    pub(crate) number: i32,
    /// When (monotonic).
    pub(crate) at: Duration,
    pub(crate) by: SignalReason,
}

/// A program that exits this soon after a termination signal does so because of it.
const LATE_EXIT: Duration = Duration::from_secs(10);
/// Signals that ask a program to end, and that it may answer by exiting: SIGHUP, SIGINT, SIGQUIT, SIGTERM.
const TERMINATION_SIGNALS: [i32; 4] = [1, 2, 3, 15];

impl SentSignal {
    /// Whether a process that ends so at this time (monotonic) ends because of the signal.
    pub(crate) fn explains(&self, status: ExitStatus, now: Duration) -> bool {
        match status {
            ExitStatus::Signal { number, .. } => number == self.number,
            ExitStatus::Code(_) | ExitStatus::Other(_) => {
                TERMINATION_SIGNALS.contains(&self.number) && now.saturating_sub(self.at) <= LATE_EXIT
            }
        }
    }
}

/// Says that a process of the control group was killed, and when.
pub(crate) fn near_oom_kill(window: TimeWindow, clock: &LocalClock) -> String {
    let when = |time: Duration| {
        let moment = SystemTime::UNIX_EPOCH.checked_add(time).unwrap_or(SystemTime::UNIX_EPOCH);
        clock.local(moment).strftime("%Y-%m-%d %H:%M:%S").to_string()
    };
    let TimeWindow { from, to } = window;
    let time = if from.as_secs() == to.as_secs() {
        format!("at {}", when(to))
    } else {
        format!("between {} and {}", when(from), when(to))
    };
    format!("a process of this control group was killed for want of memory {time}")
}

/// What was seen of a process that has just ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ObservedExit {
    pub(crate) cause: TerminationCause,
    /// The last lines of its standard output and standard error.
    pub(crate) stdout_tail: String,
    pub(crate) stderr_tail: String,
}

/// How a process ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ExitRecord {
    pub(crate) cause: TerminationCause,
    pub(crate) pid: u32,
    /// How long it had been up.
    pub(crate) up: Duration,
    /// When it ended, since 1970.
    pub(crate) at: Duration,
    /// Its status was one of its `exitcodes`, or a stop was requested.
    pub(crate) expected: bool,
    /// The last lines of its standard output and standard error.
    pub(crate) stdout_tail: String,
    pub(crate) stderr_tail: String,
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::requester::Requester;

    #[test]
    fn a_cause_is_put_into_words() {
        let clock = LocalClock::new();
        let status = ExitStatus::Signal { number: 9, core: false };
        let killed = TerminationCause {
            status,
            by: None,
            memory: OomVerdict::Killed,
            not_started: None,
            recycled: None,
        };
        assert_eq!(killed.status_text(), "terminated by SIGKILL");
        assert_eq!(killed.describe(&clock), "terminated by SIGKILL, killed by the kernel: out of memory");
        let step = Some("couldn't exec /x: ENOENT".to_owned());
        let status = ExitStatus::Code(127);
        let never =
            TerminationCause { status, memory: OomVerdict::Unrelated, not_started: step, ..killed.clone() };
        assert_eq!(never.describe(&clock), "couldn't exec /x: ENOENT");
        let requester = Rc::new(Requester::Signal("SIGTERM"));
        let told = TerminationCause {
            by: Some(SignalReason::Shutdown(requester)),
            memory: OomVerdict::Unrelated,
            ..killed.clone()
        };
        assert_eq!(
            told.describe(&clock),
            "terminated by SIGKILL, as told by the shutdown, asked for by SIGTERM to supervisord"
        );
        let at = Duration::from_secs(1_700_000_000);
        let near = TerminationCause {
            memory: OomVerdict::Possible(TimeWindow { from: at, to: at }),
            ..killed.clone()
        };
        let words =
            "terminated by SIGKILL; a process of this control group was killed for want of memory at 2023-";
        assert!(near.describe(&clock).starts_with(words), "{}", near.describe(&clock));
        let later = TimeWindow { from: at, to: at + Duration::from_secs(3600) };
        assert!(super::near_oom_kill(later, &clock).contains(" between 2023-"));
        assert!(told.requested() && !killed.requested() && killed.out_of_memory());
    }

    #[test]
    fn a_signal_explains_the_end_that_it_makes_and_no_other() {
        let by = SignalReason::Signal(Rc::new(Requester::Unknown));
        let sent = |number| SentSignal { number, at: Duration::from_secs(100), by: by.clone() };
        let (code, soon, late) = (ExitStatus::Code(0), Duration::from_secs(101), Duration::from_secs(200));
        let signal = |number| ExitStatus::Signal { number, core: false };
        for (number, status, now, explains) in [
            (15, signal(15), late, true),
            (15, signal(9), soon, false),
            (15, code, soon, true),
            (15, code, late, false),
            (10, code, soon, false),
        ] {
            assert_eq!(sent(number).explains(status, now), explains, "{number} {status:?} {now:?}");
        }
    }
}
