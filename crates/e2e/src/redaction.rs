//! What may differ between two runs of one scenario, replaced by words: folders, times, process ids.

use std::path::Path;

use crate::transcript;

/// A number behind one of these is a process id.
const BEFORE_A_PID: &[&str] = &["with pid ", "(pid ", "pid:", "pid: ", "pid ", "unknown pid "];

/// What `supervisorctl status` and `getProcessInfo` say of a process that was started: `0:00:01`.
const UPTIME: &str = "uptime ";

/// Months as they begin a date in `getProcessInfo`: `Nov 23 01:02 PM`.
const MONTHS: &[&str] = &["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// `Dec 31 11:59 PM` behind the name of the month.
const DATE: &str = " ## ##:## @M";

/// The random part of an automatic log's name, between `-` and `.log`.
const RANDOM: usize = 8;

/// Replaces the folder by `DIR`, times by `TIME`, process ids by `PID`, uptimes by `UP`, and random names by `RANDOM`.
pub fn redact(text: &str, folder: &Path) -> String {
    let text = transcript::redact_times(text, folder);
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(first) = rest.chars().next() {
        let (word, length) = shape(rest).unwrap_or_else(|| (first.to_string(), first.len_utf8()));
        out.push_str(&word);
        rest = &rest[length..];
    }
    out
}

/// Ours behind the original's words for a configuration that cannot be read: `[FILE:LINE: [SECTION] KEY: cannot …]`.
const PLACES: &str = " [DIR/supervisord.conf:";

/// What stands at the beginning of the text instead, and how much of the text it stands for.
fn shape(text: &str) -> Option<(String, usize)> {
    for prefix in BEFORE_A_PID {
        let Some(after) = text.strip_prefix(prefix) else { continue };
        let digits = count(after, |byte| byte.is_ascii_digit());
        // A pid of 0 means that there is none, and that must agree.
        if digits > 0 && &after[..digits] != "0" {
            return Some((format!("{prefix}PID"), prefix.len() + digits));
        }
    }
    if let Some(after) = text.strip_prefix("' (") {
        let digits = count(after, |byte| byte.is_ascii_digit());
        if digits > 0 && after[digits..].starts_with(')') {
            return Some(("' (PID".to_owned(), "' (".len() + digits));
        }
    }
    if text.starts_with(PLACES) {
        let line = text.lines().next().unwrap_or_default();
        return Some((String::new(), line.rfind(']').map_or(0, |end| end + 1)));
    }
    if let Some(after) = text.strip_prefix(UPTIME) {
        return Some((
            format!("{UPTIME}UP"),
            UPTIME.len() + count(after, |byte| b"0123456789:".contains(&byte)),
        ));
    }
    if let Some(after) = text.strip_prefix('-') {
        let random = count(after, |byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if random == RANDOM && after[random..].starts_with(".log") {
            return Some(("-RANDOM".to_owned(), 1 + random));
        }
    }
    MONTHS.iter().find_map(|month| {
        let after = text.strip_prefix(month)?;
        transcript::fits(after, DATE).then(|| ("DATE".to_owned(), month.len() + DATE.len()))
    })
}

fn count(text: &str, belongs: impl Fn(u8) -> bool) -> usize {
    text.bytes().take_while(|byte| belongs(*byte)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_differ_is_replaced() {
        let folder = Path::new("/tmp/x");
        for (text, expected) in [
            ("2026-11-23 09:48:11,459 INFO spawned: 'a' with pid 12", "TIME INFO spawned: 'a' with pid PID"),
            ("killing 'a' (12) with SIGKILL", "killing 'a' (PID) with SIGKILL"),
            ("from_state:RUNNING pid:12", "from_state:RUNNING pid:PID"),
            ("pid: 0, pid 7, uptime 0:00:12", "pid: 0, pid PID, uptime UP"),
            ("Nov 23 01:02 PM", "DATE"),
            ("/tmp/x/a-stdout---supervisor-ab_d1234.log", "DIR/a-stdout---supervisor-RANDOM.log"),
            (
                "Fault: 'x (file: y) [/tmp/x/supervisord.conf:1: [a] b: cannot c: [d]]'\nz",
                "Fault: 'x (file: y)'\nz",
            ),
            ("exit status 12; é", "exit status 12; é"),
        ] {
            assert_eq!(redact(text, folder), expected);
        }
    }
}
