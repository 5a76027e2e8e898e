//! The words of a notification, as superlance writes them: subject, mail text, digest line, SMS line, Details.

use ironlance_core::ProcessState;

use crate::notification::{Cause, MemoryOutcome, Notification, ProcessDetails};
use crate::receiver::Format;

/// The subject of a mail, without the name of the listener.
pub fn subject(notification: &Notification) -> String {
    match &notification.cause {
        Cause::StateChange { name, state, expected, .. } => {
            format!(" {} {} at {}", name.process, verb(*state, *expected), notification.time)
        }
        Cause::HttpCheck { url, fault, .. } => format!("{url}: bad {fault} returned"),
        Cause::MemoryLimit { name, outcome, .. } => {
            let name = name.qualified();
            match outcome {
                MemoryOutcome::Notified => format!("process {name} uses too much memory"),
                MemoryOutcome::Restarted => format!("process {name} restarted"),
                MemoryOutcome::StopFailed(_) => format!("failed to stop process {name}"),
                MemoryOutcome::StartFailed(_) => format!("failed to start process {name}"),
                MemoryOutcome::Signalled(_) => format!("process {name} signalled"),
                MemoryOutcome::SignalFailed { .. } => format!("failed to signal process {name}"),
            }
        }
        Cause::Test { command, host } => format!("test alert of {command} on {host}"),
    }
}

/// The text in the format of a receiver, without Details.
pub fn entry(notification: &Notification, format: Format) -> String {
    match format {
        Format::Mail | Format::Card => mail(notification),
        Format::Digest => digest(notification),
        Format::Sms { .. } => sms(notification),
    }
}

/// crashmail's verb: `NAME crashed at TIME`.
pub fn verb(state: ProcessState, expected: bool) -> &'static str {
    match state {
        ProcessState::Exited if expected => "exited",
        ProcessState::Exited => "crashed",
        ProcessState::Fatal => "failed to start",
        ProcessState::Backoff => "exited too quickly",
        ProcessState::Stopped => "stopped",
        ProcessState::Stopping => "stopping",
        ProcessState::Starting => "starting",
        ProcessState::Running => "running",
        ProcessState::Unknown => "in an unknown state",
    }
}

/// The text of a mail about one thing.
fn mail(notification: &Notification) -> String {
    match &notification.cause {
        Cause::StateChange { name, state, expected, from, pid } => {
            let did = match state {
                ProcessState::Exited if *expected => "exited as expected".to_owned(),
                ProcessState::Exited => "exited unexpectedly".to_owned(),
                ProcessState::Fatal => "failed to start too many times".to_owned(),
                ProcessState::Backoff => "exited too quickly and will be started again".to_owned(),
                state => format!("entered the state {state}"),
            };
            let pid = pid.as_ref().map(|pid| format!(" (pid {pid})")).unwrap_or_default();
            format!("Process {} in group {} {did}{pid} from state {from}", name.process, name.group)
        }
        Cause::HttpCheck { finding, actions, .. } => {
            std::iter::once(finding).chain(actions).map(String::as_str).collect::<Vec<_>>().join("\n")
        }
        Cause::MemoryLimit { name, bytes, measure, outcome } => {
            let name = name.qualified();
            let because = format!("because it was consuming too much memory ({bytes} bytes {measure})");
            match outcome {
                MemoryOutcome::Notified => {
                    format!("The process named {name} is consuming too much memory ({bytes} bytes {measure})")
                }
                MemoryOutcome::Restarted => {
                    let time = &notification.time;
                    format!("memmon.py restarted the process named {name} at {time} {because}")
                }
                MemoryOutcome::StopFailed(error) => {
                    format!("Failed to stop process {name} ({measure} {bytes}): {error}")
                }
                MemoryOutcome::StartFailed(error) => {
                    format!("Failed to start process {name} after stopping it, trying again: {error}")
                }
                MemoryOutcome::Signalled(signal) => {
                    format!("memmon sent {signal} to the process named {name} {because}")
                }
                MemoryOutcome::SignalFailed { signal, error } => {
                    format!("Failed to send {signal} to process {name}: {error}")
                }
            }
        }
        Cause::Test { command, host } => {
            format!("This is a test: {command} on {host} can reach you by this way.")
        }
    }
}

/// A line of a mail about several things.
fn digest(notification: &Notification) -> String {
    let Cause::StateChange { name, state, expected, pid, .. } = &notification.cause else {
        return mail(notification);
    };
    let process = name.qualified();
    let pid = pid.as_ref().map(|pid| format!(" (pid {pid})")).unwrap_or_default();
    let line = match state {
        ProcessState::Exited if *expected => format!("Process {process}{pid} exited as expected"),
        ProcessState::Exited => format!("Process {process}{pid} died unexpectedly"),
        ProcessState::Fatal => format!("Process {process} failed to start too many times"),
        ProcessState::Backoff => format!("Process {process} exited too quickly and will be started again"),
        state => format!("Process {process}{pid} entered the state {state}"),
    };
    format!("{} -- {line}", notification.time)
}

/// A line of a short message.
fn sms(notification: &Notification) -> String {
    let Cause::StateChange { name, state, expected, pid, .. } = &notification.cause else {
        return mail(notification);
    };
    let pid = pid.as_ref().map(|pid| format!("({pid})")).unwrap_or_default();
    let did = match state {
        ProcessState::Exited if !expected => "exited unexpectedly",
        state => verb(*state, *expected),
    };
    format!("[{}]{pid} {did} {}", name.qualified(), notification.time)
}

/// The lines below `Details:`, a block for each process; `None` where nothing is known.
pub fn details(processes: &[ProcessDetails]) -> Option<String> {
    let block = |process: &ProcessDetails| {
        let mut lines: Vec<String> =
            process.facts.iter().map(|(name, value)| format!("{:<12} {value}", format!("{name}:"))).collect();
        for tail in &process.tails {
            lines.push(format!("last lines of {}:", tail.stream));
            lines.extend(tail.lines.iter().map(|line| format!("    {line}")));
        }
        lines.join("\n")
    };
    (!processes.is_empty()).then(|| processes.iter().map(block).collect::<Vec<_>>().join("\n\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notification::OutputTail;
    use ironlance_core::Namespec;

    fn name() -> Namespec {
        Namespec::new("shop", "web")
    }

    fn entered(state: ProcessState, pid: Option<&str>) -> Notification {
        let cause = Cause::StateChange {
            name: name(),
            state,
            expected: false,
            from: "RUNNING".into(),
            pid: pid.map(str::to_owned),
        };
        Notification { cause, time: "NOW".into(), details: Vec::new() }
    }

    #[test]
    fn the_words_for_a_crash_are_superlances() {
        let crash = entered(ProcessState::Exited, Some("7"));
        let sms = Format::Sms { max_length: None };
        assert_eq!(subject(&crash), " web crashed at NOW");
        assert_eq!(
            entry(&crash, Format::Mail),
            "Process web in group shop exited unexpectedly (pid 7) from state RUNNING"
        );
        assert_eq!(entry(&crash, Format::Digest), "NOW -- Process shop:web (pid 7) died unexpectedly");
        assert_eq!(entry(&crash, sms), "[shop:web](7) exited unexpectedly NOW");
        let fatal = entered(ProcessState::Fatal, None);
        let line = "NOW -- Process shop:web failed to start too many times";
        assert_eq!(entry(&fatal, Format::Digest), line);
        assert_eq!(entry(&fatal, sms), "[shop:web] failed to start NOW");
        let running = entered(ProcessState::Running, None);
        assert_eq!(entry(&running, Format::Digest), "NOW -- Process shop:web entered the state RUNNING");
    }

    #[test]
    fn the_words_for_too_much_memory_name_what_was_done() {
        let text = |outcome| {
            let cause = Cause::MemoryLimit { name: name(), bytes: 9, measure: "RSS".into(), outcome };
            let notification = Notification { cause, time: "NOW".into(), details: Vec::new() };
            (subject(&notification), entry(&notification, Format::Mail))
        };
        let because = "because it was consuming too much memory (9 bytes RSS)";
        assert_eq!(
            text(MemoryOutcome::Restarted),
            (
                "process shop:web restarted".to_owned(),
                format!("memmon.py restarted the process named shop:web at NOW {because}")
            )
        );
        assert_eq!(
            text(MemoryOutcome::StopFailed("FAULT".into())).1,
            "Failed to stop process shop:web (RSS 9): FAULT"
        );
        let signalled = format!("memmon sent HUP to the process named shop:web {because}");
        assert_eq!(text(MemoryOutcome::Signalled("HUP".into())).1, signalled);
    }

    #[test]
    fn details_are_a_line_for_each_fact_and_a_block_for_each_process() {
        let mut process = ProcessDetails::default();
        process.fact("host", "web1");
        process.tails = vec![OutputTail { stream: "stderr".into(), lines: vec!["oh".into()] }];
        assert_eq!(details(&[]), None);
        let block = "host:        web1\nlast lines of stderr:\n    oh";
        assert_eq!(details(&[process.clone(), process]), Some(format!("{block}\n\n{block}")));
    }
}
