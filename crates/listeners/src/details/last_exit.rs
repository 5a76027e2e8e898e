//! The last exit of a process in a Details block, as ironlance's supervisord recorded it when it happened.

use ironlance_alert::notification::ProcessDetails;
use ironlance_host::local_time;
use ironlance_rpc::api::{ExitInfo, ProcessExitInfo};

/// The exit that the alert is about: `None` if the process has never ended, or if `pid` means another run.
pub(super) fn matching(process: &ProcessExitInfo, pid: Option<&str>) -> Option<ExitInfo> {
    let is_meant = |exit: &&ExitInfo| pid.is_none_or(|pid| pid == exit.pid.to_string());
    process.last.as_ref().filter(is_meant).cloned()
}

/// Adds the facts of an exit.
pub(super) fn add_to(details: &mut ProcessDetails, exit: &ExitInfo, starts: u64) {
    let why = if exit.oom_kill { ", killed by the kernel: out of memory" } else { "" };
    details.fact("ended", &format!("{}{why}", exit.description));
    if let Some(reason) = &exit.not_started {
        details.fact("start error", reason);
    }
    details.fact("ran for", &local_time::span(exit.uptime));
    let times = if starts == 1 { "time" } else { "times" };
    details.fact("started", &format!("{starts} {times}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(oom_kill: bool) -> ProcessExitInfo {
        let exit = ExitInfo {
            pid: 7,
            description: "terminated by SIGKILL".into(),
            oom_kill,
            uptime: 3661.5,
            ..ExitInfo::default()
        };
        ProcessExitInfo { starts: 2, last: Some(exit), ..ProcessExitInfo::default() }
    }

    #[test]
    fn an_out_of_memory_kill_is_named_as_such() {
        let process = process(true);
        let exit = matching(&process, Some("7")).unwrap();
        let mut details = ProcessDetails::default();
        add_to(&mut details, &exit, process.starts);
        let fact = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            details.facts,
            [
                fact("ended", "terminated by SIGKILL, killed by the kernel: out of memory"),
                fact("ran for", "1 h 1 min"),
                fact("started", "2 times")
            ]
        );
    }

    #[test]
    fn the_exit_of_another_run_is_left_out() {
        assert_eq!(matching(&process(false), Some("8")), None);
        assert!(matching(&process(false), None).is_some());
        assert_eq!(matching(&ProcessExitInfo::default(), None), None);
    }
}
