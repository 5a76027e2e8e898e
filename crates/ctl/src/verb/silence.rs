//! `silence PATTERN… TIME [COMMENT]`, `silence end N`: has `ironlance watch` tell nobody about some programs for a time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ironlance_config::duration;
use ironlance_core::alerting::operator::{COMMAND_TYPE, OperatorCommand};
use ironlance_host::local_time::LocalClock;
use ironlance_rpc::Value;

use crate::command_line::words;
use crate::error::CtlError;
use crate::session::{Session, exit_status};
use crate::verb::api::{Completion, Verb, refuse};

pub(crate) const VERB: Verb = Verb {
    name: "silence",
    help: &[
        "silence <name> <time> <comment>\tNo alerts about a process for a time such as 30m; what is still wrong then is told",
        "silence <name> <gname>:* <time>\tThe same for several",
        "silence end <number>\t\tEnd a silence; ironlance alerts silences lists them",
    ],
    completes: Completion::Processes,
    run,
    ..Verb::OURS
};

/// What the arguments ask for.
#[derive(Debug, PartialEq, Eq)]
enum Request {
    Begin { programs: Vec<String>, lasting: Duration, comment: String },
    End(u64),
}

fn run(session: &mut Session, rest: &str) -> Result<(), CtlError> {
    let Some(request) = parse(&words(rest)) else {
        let line = "Error: silence requires names and a time such as 30m, or end and a number";
        refuse(session, &VERB, exit_status::INVALID_ARGS, line);
        return Ok(());
    };
    if !session.check_server()? {
        return Ok(());
    }
    let by = std::env::var("SUDO_USER").or_else(|_| std::env::var("USER"));
    let by = by.unwrap_or_else(|_| format!("uid {}", rustix::process::getuid().as_raw()));
    let (command, line) = match request {
        Request::End(id) => (OperatorCommand::EndSilence { id, by }, format!("asked to end silence {id}")),
        Request::Begin { programs, lasting, comment } => {
            let until = SystemTime::now() + lasting;
            let time = LocalClock::new().local(until).strftime("%Y-%m-%d %H:%M:%S").to_string();
            let line = format!("asked for silence about {} until {time}", programs.join(" "));
            let until = until.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
            let until = u64::try_from(until).unwrap_or(u64::MAX);
            let (request, causes, from) = (String::new(), Vec::new(), None);
            (OperatorCommand::Silence { request, programs, causes, from, until, by, comment }, line)
        }
    };
    let data = serde_json::to_string(&command).expect("a command has only strings for keys");
    session.call("supervisor.sendRemoteCommEvent", &[Value::from(COMMAND_TYPE), Value::Str(data)])?;
    session.print_sanitized(&line);
    Ok(())
}

/// The time stands behind the names; what follows it is the comment.
fn parse(arguments: &[&str]) -> Option<Request> {
    if let ["end", number] = arguments {
        return number.parse().ok().map(Request::End);
    }
    let is_time = |word: &&str| word.starts_with(|c: char| c.is_ascii_digit()) && duration(word).is_ok();
    let at = arguments.iter().skip(1).position(is_time)? + 1;
    let programs = arguments[..at].iter().map(|&name| name.to_owned()).collect();
    let lasting = duration(arguments[at]).ok().filter(|time| !time.is_zero())?;
    let comment = arguments[at + 1..].join(" ");
    Some(Request::Begin { programs, lasting, comment: comment.trim_matches('"').to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_time_behind_a_name_parts_names_and_comment() {
        let begin = |programs: &[&str], seconds, comment: &str| {
            let programs = programs.iter().map(|&name| name.to_owned()).collect();
            Some(Request::Begin { programs, lasting: Duration::from_secs(seconds), comment: comment.into() })
        };
        let parse = |line| parse(&words(line));
        assert_eq!(parse("web:* 30m \"deploy of 3 parts\""), begin(&["web:*"], 1800, "deploy of 3 parts"));
        assert_eq!(parse("web db 1h"), begin(&["web", "db"], 3600, ""));
        assert_eq!(parse("5 10s"), begin(&["5"], 10, ""));
        assert_eq!(parse("end 7"), Some(Request::End(7)));
        for line in ["", "web", "30m", "web soon", "web 0", "end x"] {
            assert_eq!(parse(line), None, "{line}");
        }
    }
}
