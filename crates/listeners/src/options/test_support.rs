//! Notation of the tests of command lines: arguments in one text, and the result in one line.

use super::{OptionsEnv, Parsed};
use ironlance_alert::{Receiver, Security, Transport};

/// Superlance's mailer.
pub(super) const SENDMAIL: &str = "/usr/sbin/sendmail -t -i";

/// Arguments from one text, separated by bars; `OK` in front stands for `-t a@x -f b@y`.
pub(super) fn args(text: &str) -> Vec<String> {
    let text = match text.strip_prefix("OK") {
        Some(rest) => format!("-t|a@x|-f|b@y{rest}"),
        None => text.to_owned(),
    };
    if text.is_empty() { Vec::new() } else { text.split('|').map(str::to_owned).collect() }
}

/// A host `box` with an empty environment.
pub(super) fn test_env() -> OptionsEnv<'static> {
    OptionsEnv { variable: &|_| None, host: "box" }
}

/// The options as `show` writes them, or `exit CODE: ` and the output: `help`, superlance's words on stdout, or
/// for status 2 the error behind the usage, else `line`.
pub(super) fn outcome<T>(parsed: Parsed<T>, help: &str, show: impl FnOnce(T) -> String) -> String {
    let (code, stdout, stderr) = match parsed {
        Parsed::Run(options) => return show(options),
        Parsed::Exit { code, stdout, stderr } => (code, stdout, stderr),
    };
    if code == 2 {
        assert_eq!(stdout, "");
        let (usage, error) = stderr.split_once("\n\n").unwrap();
        let (command, error) = error.split_once(": error: ").unwrap();
        assert_eq!(usage, format!("Usage: {command} [options]"));
        return format!("exit 2: {}", error.trim_end());
    }
    assert_eq!(stderr.lines().count(), usize::from(code != 0), "{stderr}");
    let said = match stdout.strip_suffix(help) {
        Some("") => "help".to_owned(),
        Some(words) => format!("{} + help", words.trim_end()),
        None => "line".to_owned(),
    };
    format!("exit {code}: {said}")
}

/// The exit status and the output on stderr, for a command line that is refused.
pub(super) fn refused<T: std::fmt::Debug>(parsed: Parsed<T>) -> String {
    match parsed {
        Parsed::Run(options) => format!("{options:?}"),
        Parsed::Exit { code, stderr, .. } => format!("{code} {}", stderr.trim_end()),
    }
}

/// `name=value` for each value that is not its default, or `-`.
pub(super) fn differences(fields: &[(&str, String, &str)]) -> String {
    let different = fields.iter().filter(|(_, value, default)| value != default);
    let different: Vec<String> = different.map(|(name, value, _)| format!("{name}={value}")).collect();
    if different.is_empty() { "-".into() } else { different.join("; ") }
}

/// An optional value as superlance's None or its text.
pub(super) fn or_dash<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "-".into(), |value| value.to_string())
}

/// The command of a receiver; superlance's own where there is no receiver.
pub(super) fn mailer(receiver: Option<&Receiver>) -> String {
    match receiver.map(|receiver| &receiver.transport) {
        Some(Transport::Sendmail { command }) => command.clone(),
        Some(Transport::BodyOnly { command }) => format!("{command} (body only)"),
        Some(Transport::Smtp(server)) => server.to_string(),
        Some(Transport::Channel { channel, .. }) => channel.name().into(),
        None => SENDMAIL.into(),
    }
}

/// `URL SECURITY PASSWORD from SENDER to RECIPIENTS` of a receiver by SMTP, or the command.
pub(super) fn describe_route(receiver: &Receiver) -> String {
    let by = match &receiver.transport {
        Transport::Sendmail { command } => format!("[{command}]"),
        Transport::BodyOnly { command } => format!("[{command}] body only"),
        Transport::Smtp(server) => {
            let security = match server.security {
                Security::Plain => "plain",
                Security::Offered => "offered",
                Security::StartTls => "starttls",
                Security::Implicit => "implicit",
            };
            format!("{server} {security} {:?}", server.password)
        }
        Transport::Channel { channel, .. } => channel.name().into(),
    };
    format!("{by} from {} to {}", or_dash(receiver.from.as_ref()), receiver.to.join(" "))
}

/// Asserts what every help has: short lines, each option, both groups and an example.
pub(super) fn check_help(help: &str, options: &[&str]) {
    for line in help.lines() {
        assert!(line.chars().count() <= 80, "{line}");
        assert_eq!(line.trim_end(), line);
    }
    for option in options {
        assert!(help.contains(option), "{option} is missing in\n{help}");
    }
    for part in ["usage: ", "\nas in superlance:\n", "\nmore:\n", "\nexample:\n"] {
        assert!(help.contains(part), "{part:?} is missing in\n{help}");
    }
}
