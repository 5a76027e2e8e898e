//! The checks and limits of a program: `healthcheck=`, `memory_limit=`, `cpu_limit=`, `heartbeat=`.
//!
//! ```text
//! healthcheck  = TARGET [every T] [timeout T] [fail N of M] [grace T] [expect …] [then ACTION]
//! memory_limit = SIZE [rss|pss|cgroup] [tree] [for T] [then ACTION]
//! cpu_limit    = N% [for T] [then ACTION]
//! heartbeat    = output|comm|file:/path within T [then ACTION]
//! ACTION       = notify | restart [at most N/T] | signal NAME | stop
//! ```
//!
//! Words are split as a shell splits them, so a value with blanks stands in quotes.

use std::path::PathBuf;
use std::time::Duration;

use ironlance_core::signal;
use ironlance_core::text::shlex;

use super::values::{bad, duration, list, number, positive_duration, rate, size, web_url};
use crate::alerting::{
    Action, CheckTarget, CpuLimit, HealthCheck, Heartbeat, HeartbeatSource, MemoryLimit, MemoryMeasure,
};
use crate::value::InvalidValue;

/// How often a check is made where nothing says so.
const EVERY: Duration = Duration::from_secs(10);
/// How long an answer may take where nothing says so.
const TIMEOUT: Duration = Duration::from_secs(3);
/// What is added to `startsecs` for the default grace.
const GRACE: Duration = Duration::from_secs(10);
/// How many restarts an action makes where nothing says so, and in what time.
const RESTARTS: (u32, Duration) = (3, Duration::from_secs(600));
/// The most results that `fail N of M` looks at.
const MOST_RESULTS: u64 = 100;
/// The words that begin an option of a check, and so end the arguments of its command.
const OPTIONS: [&str; 9] =
    ["every", "timeout", "fail", "grace", "expect", "then", "insecure", "ca", "header"];

/// The words of a value, read one after the other.
struct Words {
    words: std::vec::IntoIter<String>,
}

impl Words {
    fn of(text: &str) -> Result<Self, InvalidValue> {
        let words = shlex::split(text).map_err(|_| bad("split into words: a quote is not closed", text))?;
        Ok(Self { words: words.into_iter() })
    }

    fn next(&mut self) -> Option<String> {
        self.words.next()
    }

    /// The word that must follow `before`.
    fn after(&mut self, before: &str) -> Result<String, InvalidValue> {
        self.next().ok_or_else(|| bad("find what follows", before))
    }

    /// Takes a word if it is the next one.
    fn take(&mut self, word: &str) -> bool {
        let is_next = self.words.as_slice().first().is_some_and(|next| next == word);
        if is_next {
            self.words.next();
        }
        is_next
    }

    /// Words up to the next option.
    fn until_option(&mut self) -> Vec<String> {
        let rest = self.words.as_slice();
        let end = rest.iter().position(|word| OPTIONS.contains(&word.as_str())).unwrap_or(rest.len());
        self.words.by_ref().take(end).collect()
    }
}

/// `healthcheck=`; `name` is what follows `healthcheck.`, and `startsecs` that of the program.
pub(super) fn health_check(text: &str, name: &str, startsecs: Duration) -> Result<HealthCheck, InvalidValue> {
    let mut words = Words::of(text)?;
    let first = words.next().ok_or_else(|| bad("check nothing", text))?;
    let target = target(&first, &mut words)?;
    let mut check = HealthCheck {
        name: name.to_owned(),
        target,
        every: EVERY,
        timeout: TIMEOUT,
        fail: 3,
        of: 3,
        grace: startsecs + GRACE,
        action: Action::Notify,
    };
    while let Some(word) = words.next() {
        match word.as_str() {
            "every" => check.every = positive_duration(&words.after("every")?)?,
            "timeout" => check.timeout = positive_duration(&words.after("timeout")?)?,
            "grace" => check.grace = duration(&words.after("grace")?)?,
            "fail" => (check.fail, check.of) = fail_of(&mut words)?,
            "then" => check.action = action(&mut words)?,
            _ => http_option(&word, &mut words, &mut check.target)?,
        }
    }
    if check.timeout > check.every {
        return Err(bad("wait longer for an answer than until the next check", text));
    }
    Ok(check)
}

fn target(first: &str, words: &mut Words) -> Result<CheckTarget, InvalidValue> {
    let Some((scheme, rest)) = first.split_once(':') else {
        return Err(bad("check what is no http://, https://, tcp://, unix:/ or command:/", first));
    };
    match scheme {
        "http" | "https" => Ok(CheckTarget::Http {
            // The path may end with a slash, so only the form is looked at.
            url: web_url(first).map(|_| first.to_owned())?,
            statuses: Vec::new(),
            body: None,
            insecure: false,
            ca_file: None,
            headers: Vec::new(),
        }),
        "tcp" => {
            let fault = || bad("read as tcp://HOST:PORT", first);
            let (host, port) =
                rest.strip_prefix("//").and_then(|rest| rest.rsplit_once(':')).ok_or_else(fault)?;
            let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
            let port = number(port).and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0);
            if host.is_empty() || host.contains(['/', '@', ' ']) {
                return Err(fault());
            }
            Ok(CheckTarget::Tcp { host: host.to_owned(), port: port.ok_or_else(fault)? })
        }
        "unix" => {
            let (socket, page) =
                rest.split_once(':').map_or((rest, None), |(socket, page)| (socket, Some(page)));
            let is_page = page.is_none_or(|page| page.starts_with('/'));
            if !socket.starts_with('/') || !is_page {
                return Err(bad("read as unix:/SOCKET or unix:/SOCKET:/PATH", first));
            }
            Ok(CheckTarget::Unix { socket: PathBuf::from(socket), target: page.map(str::to_owned) })
        }
        "command" => {
            let inner = shlex::split(rest).unwrap_or_default();
            let argv: Vec<String> = inner.into_iter().chain(words.until_option()).collect();
            match argv.first() {
                Some(program) if program.starts_with('/') => Ok(CheckTarget::Command { argv }),
                _ => Err(bad("run a command that does not begin with an absolute path", first)),
            }
        }
        _ => Err(bad("check what is no http://, https://, tcp://, unix:/ or command:/", first)),
    }
}

/// `3 of 5`; `3` alone is three in a row.
fn fail_of(words: &mut Words) -> Result<(u32, u32), InvalidValue> {
    let limited = |text: &str| {
        let count = number(text).filter(|count| (1..=MOST_RESULTS).contains(count));
        count
            .and_then(|count| u32::try_from(count).ok())
            .ok_or_else(|| bad("read as a number of results (1 to 100)", text))
    };
    let text = words.after("fail")?;
    let fail = limited(&text)?;
    let of = if words.take("of") { limited(&words.after("of")?)? } else { fail };
    if of < fail { Err(bad("see more failures than results", &text)) } else { Ok((fail, of)) }
}

/// An option that only checks of pages have.
fn http_option(word: &str, words: &mut Words, target: &mut CheckTarget) -> Result<(), InvalidValue> {
    let CheckTarget::Http { statuses, body, insecure, ca_file, headers, .. } = target else {
        let what = if OPTIONS.contains(&word) {
            "use with what is no http:// or https://"
        } else {
            "find the option"
        };
        return Err(bad(what, word));
    };
    match word {
        "insecure" => *insecure = true,
        "ca" => {
            let path = words.after("ca")?;
            if !path.starts_with('/') {
                return Err(bad("read certificates from what is no absolute path", &path));
            }
            *ca_file = Some(path.into());
        }
        "header" => {
            let text = words.after("header")?;
            headers.push(header(&text)?);
        }
        "expect" if words.take("body") => *body = Some(words.after("body")?),
        "expect" => {
            let text = words.after("expect")?;
            for status in list(&text) {
                let status = number(&status).and_then(|status| u16::try_from(status).ok());
                let status = status.filter(|status| (100..=599).contains(status));
                statuses.push(
                    status.ok_or_else(|| bad("expect (a status from 100 to 599, or body \"…\")", &text))?,
                );
            }
        }
        _ => return Err(bad("find the option", word)),
    }
    Ok(())
}

/// `Name: value` of HTTP.
pub(super) fn header(text: &str) -> Result<(String, String), InvalidValue> {
    let fault = || bad("read as a header (Name: value)", text);
    let (name, value) = text.split_once(':').ok_or_else(fault)?;
    let (name, value) = (name.trim(), value.trim());
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if name.is_empty() || !name.chars().all(is_token) || value.chars().any(char::is_control) {
        return Err(fault());
    }
    Ok((name.to_owned(), value.to_owned()))
}

fn action(words: &mut Words) -> Result<Action, InvalidValue> {
    let word = words.after("then")?;
    match word.as_str() {
        "notify" => Ok(Action::Notify),
        "stop" => Ok(Action::Stop),
        "signal" => {
            let name = words.after("signal")?;
            let name = name.to_ascii_uppercase();
            let short = name.strip_prefix("SIG").unwrap_or(&name);
            match signal::number(short) {
                Some(_) => Ok(Action::Signal(short.to_owned())),
                None => Err(bad("find the signal", &name)),
            }
        }
        "restart" => {
            let (most, within) = if words.take("at") {
                if !words.take("most") {
                    return Err(bad("find `most N/T` behind", "restart at"));
                }
                rate(&words.after("at most")?)?
            } else {
                RESTARTS
            };
            Ok(Action::Restart { most, within })
        }
        _ => Err(bad("do (one of notify, restart, signal NAME, stop)", &word)),
    }
}

/// `memory_limit=`.
pub(super) fn memory_limit(text: &str) -> Result<MemoryLimit, InvalidValue> {
    let mut words = Words::of(text)?;
    let bytes = size(&words.after("memory_limit=")?)?;
    let mut limit = MemoryLimit {
        bytes,
        measure: MemoryMeasure::Rss,
        tree: false,
        lasting: Duration::ZERO,
        action: Action::Notify,
    };
    while let Some(word) = words.next() {
        match word.as_str() {
            "rss" => limit.measure = MemoryMeasure::Rss,
            "pss" => limit.measure = MemoryMeasure::Pss,
            "cgroup" => limit.measure = MemoryMeasure::Cgroup,
            "tree" => limit.tree = true,
            "for" => limit.lasting = duration(&words.after("for")?)?,
            "then" => limit.action = action(&mut words)?,
            _ => return Err(bad("find the option", &word)),
        }
    }
    if limit.tree && limit.measure == MemoryMeasure::Cgroup {
        return Err(bad("add up the tree of what is measured by control group", text));
    }
    Ok(limit)
}

/// `cpu_limit=`.
pub(super) fn cpu_limit(text: &str) -> Result<CpuLimit, InvalidValue> {
    let mut words = Words::of(text)?;
    let first = words.after("cpu_limit=")?;
    let percent = first.strip_suffix('%').and_then(number).filter(|percent| (1..=100_000).contains(percent));
    let percent = percent.and_then(|percent| u32::try_from(percent).ok());
    let percent = percent.ok_or_else(|| bad("read as a share of one core (90%)", &first))?;
    let mut limit = CpuLimit { percent, lasting: Duration::ZERO, action: Action::Notify };
    while let Some(word) = words.next() {
        match word.as_str() {
            "for" => limit.lasting = duration(&words.after("for")?)?,
            "then" => limit.action = action(&mut words)?,
            _ => return Err(bad("find the option", &word)),
        }
    }
    Ok(limit)
}

/// `heartbeat=`.
pub(super) fn heartbeat(text: &str) -> Result<Heartbeat, InvalidValue> {
    let mut words = Words::of(text)?;
    let first = words.after("heartbeat=")?;
    let source = match (first.as_str(), first.strip_prefix("file:")) {
        ("output", _) => HeartbeatSource::Output,
        ("comm", _) => HeartbeatSource::Communication,
        (_, Some(path)) if path.starts_with('/') => HeartbeatSource::File(path.into()),
        _ => return Err(bad("watch (one of output, comm, file:/path)", &first)),
    };
    if !words.take("within") {
        return Err(bad("find `within T` in", text));
    }
    let within = positive_duration(&words.after("within")?)?;
    let mut heartbeat = Heartbeat { source, within, action: Action::Notify };
    while let Some(word) = words.next() {
        match word.as_str() {
            "then" => heartbeat.action = action(&mut words)?,
            _ => return Err(bad("find the option", &word)),
        }
    }
    Ok(heartbeat)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const START: Duration = Duration::from_secs(1);

    fn check(text: &str) -> HealthCheck {
        health_check(text, "", START).unwrap_or_else(|bad| panic!("{text}: {}", bad.what))
    }

    #[test]
    fn a_check_of_a_page_has_defaults() {
        let check = check("http://127.0.0.1:8080/health");
        assert_eq!((check.every.as_secs(), check.timeout.as_secs()), (10, 3));
        assert_eq!((check.fail, check.of, check.grace.as_secs()), (3, 3, 11));
        assert_eq!(check.action, Action::Notify);
    }

    #[test]
    fn every_option_of_a_check_is_read() {
        let check = check(
            "https://x/ every 30s timeout 5 fail 3 of 5 grace 1m expect 200,204 expect body \"all well\" insecure \
             ca /etc/ca.pem header \"Host: shop\" then restart at most 2/10m",
        );
        let CheckTarget::Http { url, statuses, body, insecure, ca_file, headers } = check.target else {
            panic!("{check:?}")
        };
        assert_eq!(
            (url.as_str(), statuses, body.as_deref()),
            ("https://x/", vec![200, 204], Some("all well"))
        );
        assert_eq!(
            (insecure, ca_file, headers),
            (true, Some("/etc/ca.pem".into()), vec![("Host".into(), "shop".into())])
        );
        assert_eq!((check.fail, check.of), (3, 5));
        assert_eq!(check.action, Action::Restart { most: 2, within: Duration::from_secs(600) });
    }

    #[test]
    fn every_sort_of_target_is_read() {
        assert_eq!(check("tcp://[::1]:5432").target, CheckTarget::Tcp { host: "::1".into(), port: 5432 });
        let unix = CheckTarget::Unix { socket: "/run/x.sock".into(), target: Some("/health".into()) };
        assert_eq!(check("unix:/run/x.sock:/health").target, unix);
        let command = check("command:/usr/bin/pg_isready -q -h \"a b\" every 5s");
        let argv = ["/usr/bin/pg_isready", "-q", "-h", "a b"].map(str::to_owned).to_vec();
        assert_eq!((command.target, command.every.as_secs()), (CheckTarget::Command { argv }, 5));
    }

    #[test]
    fn limits_and_heartbeats_are_read() {
        let memory = memory_limit("400MB pss tree for 3m then restart").unwrap();
        assert_eq!((memory.bytes, memory.measure, memory.tree), (400 << 20, MemoryMeasure::Pss, true));
        assert_eq!(memory.action, Action::Restart { most: 3, within: Duration::from_secs(600) });
        assert_eq!(cpu_limit("90% for 5m then signal usr1").unwrap().action, Action::Signal("USR1".into()));
        let file = heartbeat("file:/run/beat within 2m then stop").unwrap();
        assert_eq!((file.source, file.action), (HeartbeatSource::File("/run/beat".into()), Action::Stop));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_and_named() {
        for (text, shown) in [
            ("", "nothing"),
            ("8080", "8080"),
            ("tcp://host", "tcp://host"),
            ("http://x fail 5 of 3", "5"),
            ("http://x every 0", "0"),
            ("http://x every 2s timeout 3s", "every 2s"),
            ("http://x then explode", "explode"),
            ("http://x then restart at once", "restart at"),
            ("tcp://x:1 expect 200", "expect"),
            ("http://x \"open", "open"),
            ("command:relative", "relative"),
            ("unix:x", "unix:x"),
            ("http://x often", "often"),
        ] {
            let error = health_check(text, "", START).unwrap_err().what;
            assert!(error.contains(shown), "{text}: {error}");
        }
        assert!(memory_limit("400MB cgroup tree").is_err() && memory_limit("x").is_err());
        assert!(
            cpu_limit("90").is_err()
                && heartbeat("output").is_err()
                && heartbeat("file:x within 1m").is_err()
        );
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,60}") {
            let _ = (health_check(&text, "", START), memory_limit(&text), cpu_limit(&text), heartbeat(&text), header(&text));
        }
    }
}
