//! [`ProcessHistory`] from supervisord's own log: how a process ended, how long it ran, how often it was started.
//!
//! By the time a listener asks, supervisord may have restarted the program and dropped its exit status; the log still
//! has it. The lines are those of supervisor's process.py:
//!
//! ```text
//! 2026-11-23 09:48:09,123 INFO spawned: 'web' with pid 4711
//! 2026-11-23 09:48:11,456 WARN exited: web (terminated by SIGKILL; not expected)
//! ```

use jiff::civil::DateTime;

/// What a part of the log says about one process.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProcessHistory {
    /// `exit status 3`, `terminated by SIGSEGV (core dumped)`.
    pub ended: Option<String>,
    /// Seconds from start to end.
    pub ran_for: Option<f64>,
    /// How many starts this part of the log holds.
    pub starts: usize,
    /// The time of the first line of this part of the log, to the second.
    pub since: Option<String>,
}

/// A start or an end of the process.
struct Line<'a> {
    time: DateTime,
    /// The pid of a start.
    spawned: Option<&'a str>,
    /// How it ended.
    exited: Option<&'a str>,
}

/// Reads the end of a main log. `pid` is the id of the process that ended, if the event has it;
/// otherwise the last end in the log counts.
pub fn read(log: &str, process: &str, pid: Option<&str>) -> ProcessHistory {
    let since = log.lines().find_map(stamp).map(|(time, _)| time.strftime("%Y-%m-%d %H:%M:%S").to_string());
    let lines: Vec<Line<'_>> = log.lines().filter_map(|line| parse(line, process)).collect();
    let starts = lines.iter().filter(|line| line.spawned.is_some()).count();
    let is_end = |line: &Line<'_>| line.exited.is_some();
    let start_of = |pid: &str| lines.iter().rposition(|line| line.spawned == Some(pid));
    let end = match pid.and_then(start_of) {
        // Two groups may each have a process of this name: only an end that follows its own start is certain.
        Some(start) => Some(start + 1).filter(|next| lines.get(*next).is_some_and(is_end)),
        None => lines.iter().rposition(is_end),
    };
    let Some(end) = end else { return ProcessHistory { starts, since, ..ProcessHistory::default() } };
    let start = end.checked_sub(1).map(|before| &lines[before]).filter(|line| !is_end(line));
    let ran_for = start.map(|start| lines[end].time.duration_since(start.time).as_secs_f64().max(0.0));
    ProcessHistory { ended: lines[end].exited.map(str::to_owned), ran_for, starts, since }
}

/// The time at the start of a line, and what follows it.
fn stamp(line: &str) -> Option<(DateTime, &str)> {
    let (time, rest) = line.split_at_checked("2026-11-23 09:48:09,123".len())?;
    let time = time.replacen(' ', "T", 1).replacen(',', ".", 1);
    Some((time.parse().ok()?, rest))
}

fn parse<'a>(line: &'a str, process: &str) -> Option<Line<'a>> {
    let (time, rest) = stamp(line)?;
    let (_, message) = rest.trim_start().split_once(' ')?;
    if let Some(rest) = message.strip_prefix("spawned: '") {
        let pid = rest.strip_prefix(process)?.strip_prefix("' with pid ")?;
        return Some(Line { time, spawned: Some(pid), exited: None });
    }
    let rest = message.strip_prefix("exited: ")?.strip_prefix(process)?.strip_prefix(" (")?;
    let how = rest.split_once("; ").map_or(rest, |(how, _)| how);
    Some(Line { time, spawned: None, exited: Some(how) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LOG: &str = "\
cut line of the log
2026-11-23 09:00:00,000 INFO supervisord started with pid 1
2026-11-23 09:00:01,000 INFO spawned: 'web' with pid 10
2026-11-23 09:00:02,000 INFO success: web entered RUNNING state, process has stayed up for > than 1 seconds (startsecs)
2026-11-23 09:00:03,500 WARN exited: web (terminated by SIGKILL; not expected)
2026-11-23 09:00:03,600 INFO spawned: 'web' with pid 11
2026-11-23 09:00:03,700 INFO spawned: 'webber' with pid 12
2026-11-23 09:00:04,000 WARN exited: webber (exit status 3; not expected)
";

    #[test]
    fn the_end_is_found_by_pid_although_the_program_was_started_anew() {
        let history = read(LOG, "web", Some("10"));
        assert_eq!(history.ended.as_deref(), Some("terminated by SIGKILL"));
        assert_eq!(history.ran_for, Some(2.5));
        assert_eq!(history.starts, 2);
        assert_eq!(history.since.as_deref(), Some("2026-11-23 09:00:00"));
    }

    #[test]
    fn without_a_pid_the_last_end_counts() {
        let history = read(LOG, "webber", None);
        assert_eq!(history.ended.as_deref(), Some("exit status 3"));
        assert_eq!(history.starts, 1);
    }

    #[test]
    fn a_process_that_still_runs_has_no_end() {
        let history = read(LOG, "web", Some("11"));
        assert_eq!((history.ended, history.ran_for), (None, None));
    }

    #[test]
    fn a_start_older_than_the_log_leaves_the_run_time_out() {
        let log = "2026-11-23 09:00:04,000 WARN exited: cat (exit status 3; not expected)\n";
        let history = read(log, "cat", Some("9"));
        assert_eq!(history.ended.as_deref(), Some("exit status 3"));
        assert_eq!((history.ran_for, history.starts), (None, 0));
    }

    #[test]
    fn two_starts_of_one_name_in_a_row_leave_the_end_uncertain() {
        let log = "\
2026-11-23 09:00:01,000 INFO spawned: 'web' with pid 10
2026-11-23 09:00:01,001 INFO spawned: 'web' with pid 11
2026-11-23 09:00:04,000 WARN exited: web (exit status 3; not expected)
";
        assert_eq!(read(log, "web", Some("10")).ended, None);
    }

    proptest! {
        #[test]
        fn no_log_makes_the_reader_panic(log in "(?s)[-0-9 :,a-z'()\\PC\\n]*", name in ".*") {
            let _ = read(&log, &name, Some("1"));
            let _ = read(&log, &name, None);
        }
    }
}
