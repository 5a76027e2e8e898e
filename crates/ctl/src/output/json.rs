//! JSON output for programs: stable keys, one object a line.

use std::collections::HashMap;
use std::fmt::Write as _;

use ironlance_rpc::ProcessInfo;
use ironlance_rpc::api::ProcessExitInfo;
use serde::Serialize;

use crate::output::style;

/// The form of a verb's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutputFormat {
    /// Text for people.
    Text,
    /// JSON for programs.
    Json,
}

/// Removes `--json` from a verb's arguments and returns the output format.
pub(crate) fn take_json_option(words: &mut Vec<&str>) -> OutputFormat {
    let before = words.len();
    words.retain(|word| *word != "--json");
    if words.len() < before { OutputFormat::Json } else { OutputFormat::Text }
}

/// A process in `status --json`.
#[derive(Debug, Serialize)]
pub(crate) struct StatusObject {
    name: String,
    group: String,
    namespec: String,
    state: &'static str,
    /// `null` where there is no process.
    pid: Option<u32>,
    /// Seconds; `null` where there is no process.
    uptime: Option<i64>,
    description: String,
    exitstatus: i64,
    spawnerr: String,
    /// `null` where supervisord has no such count.
    starts: Option<u64>,
}

impl StatusObject {
    /// The object of a process, with how often it was started if that is known.
    pub(crate) fn new(info: &ProcessInfo, starts: Option<u64>) -> Self {
        let pid = (info.pid != 0).then_some(info.pid);
        Self {
            name: info.name.clone(),
            group: info.group.clone(),
            namespec: info.namespec().to_string(),
            state: info.process_state().name(),
            pid,
            uptime: pid.map(|_| (info.now - info.start).max(0)),
            description: info.description.clone(),
            exitstatus: info.exitstatus,
            spawnerr: info.spawnerr.clone(),
            starts,
        }
    }
}

/// How often each of `infos` was started, by the answer of `ironlance.getAllProcessEnds`. It leaves out processes that
/// have not ended: they were started once or never. All `None` from a daemon without this method.
pub(crate) fn starts(infos: &[&ProcessInfo], exits: Option<&[ProcessExitInfo]>) -> Vec<Option<u64>> {
    let Some(exits) = exits else { return vec![None; infos.len()] };
    let known: HashMap<(&str, &str), u64> =
        exits.iter().map(|exit| ((exit.group.as_str(), exit.name.as_str()), exit.starts)).collect();
    let of = |info: &&ProcessInfo| {
        let counted = known.get(&(info.group.as_str(), info.name.as_str())).copied();
        // Without an exit there was at most one start; a spawn error leaves open whether it made a process.
        counted.or_else(|| info.spawnerr.is_empty().then_some(u64::from(info.start > 0)))
    };
    infos.iter().map(of).collect()
}

/// The lines of an array, one element each.
pub(crate) fn lines<T: Serialize>(rows: &[T]) -> Vec<String> {
    if rows.is_empty() {
        return vec!["[]".to_owned()];
    }
    let last = rows.len() - 1;
    let row = |(at, row): (usize, &T)| {
        // Structs of strings and numbers can always be serialised.
        let text = escape_controls_in_json(&serde_json::to_string(row).unwrap_or_default());
        let (before, behind) = (if at == 0 { "[" } else { " " }, if at == last { "]" } else { "," });
        format!("{before}{text}{behind}")
    };
    rows.iter().enumerate().map(row).collect()
}

/// Escapes terminal control characters in JSON text as `\u009b`: JSON itself escapes only those of ASCII.
pub(crate) fn escape_controls_in_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            // White space between JSON tokens.
            '\n' | '\t' => out.push(character),
            _ if style::is_terminal_control(character) => {
                // Writing into a String cannot fail. All of them have four digits.
                let _ = write!(out, "\\u{:04x}", u32::from(character));
            }
            _ => out.push(character),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(name: &str, pid: u32, start: i64) -> ProcessInfo {
        let (group, state) = (name.to_owned(), if pid == 0 { 0 } else { 20 });
        ProcessInfo { name: name.into(), group, state, pid, start, now: 100, ..ProcessInfo::default() }
    }

    #[test]
    fn the_keys_of_a_process_stay() {
        let running = StatusObject::new(&info("web", 7, 40), Some(2));
        let down = StatusObject::new(&info("a\"b", 0, 0), None);
        let lines = lines(&[running, down]);
        assert_eq!(
            lines[0],
            r#"[{"name":"web","group":"web","namespec":"web","state":"RUNNING","pid":7,"uptime":60,"description":"","exitstatus":0,"spawnerr":"","starts":2},"#
        );
        assert_eq!(
            lines[1],
            r#" {"name":"a\"b","group":"a\"b","namespec":"a\"b","state":"STOPPED","pid":null,"uptime":null,"description":"","exitstatus":0,"spawnerr":"","starts":null}]"#
        );
        let whole: serde_json::Value = serde_json::from_str(&lines.join("\n")).unwrap();
        assert_eq!(whole.as_array().unwrap().len(), 2);
    }

    #[test]
    fn what_a_terminal_would_obey_is_escaped_and_means_the_same() {
        let odd = "\u{1b}[2J\u{9b}2J\u{7f}\u{202e}é队\n";
        let lines = lines(&[odd]);
        assert_eq!(lines, [r#"["\u001b[2J\u009b2J\u007f\u202eé队\n"]"#]);
        assert_eq!(serde_json::from_str::<Vec<String>>(&lines[0]).unwrap(), [odd]);
    }

    #[test]
    fn nothing_is_an_empty_array() {
        assert_eq!(lines::<StatusObject>(&[]), ["[]"]);
    }

    #[test]
    fn who_has_not_ended_was_started_once_or_never() {
        let infos = [&info("ended", 7, 40), &info("up", 8, 40), &info("down", 0, 0)];
        let exit = |name: &str, starts| ProcessExitInfo {
            name: name.into(),
            group: name.into(),
            starts,
            ..ProcessExitInfo::default()
        };
        let exits = [exit("ended", 5)];
        assert_eq!(starts(&infos, Some(&exits)), [Some(5), Some(1), Some(0)]);
        assert_eq!(starts(&infos, None), [None, None, None]);
    }
}
