//! Values of the alert sections: times, sizes, rates, lists, secrets. Each gives a typed value, or what is wrong with it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use ironlance_core::Selection;
use ironlance_core::alerting::incident::{AlertCause, Severity};
use ironlance_core::alerting::secret::Secret;
use ironlance_core::time::window::Windows;

use crate::value::InvalidValue;

/// The longest time that a key may give: a year.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);
/// What a number of a time stands for, in seconds.
const UNITS: [(char, u64); 4] = [('s', 1), ('m', 60), ('h', 3600), ('d', 86_400)];
/// What a number of a size stands for, in bytes.
const SIZES: [(&str, u64); 4] = [("kb", 1 << 10), ("mb", 1 << 20), ("gb", 1 << 30), ("b", 1)];

/// What is wrong with a value: Supervisor does not read it, so there are no words of it.
pub(super) fn bad(what: &str, value: &str) -> InvalidValue {
    let InvalidValue { what, .. } = InvalidValue::new(what, value, String::new());
    InvalidValue { original: what.clone(), what }
}

/// `45`, `45s`, `2m`, `1h`, `1d`.
pub fn duration(text: &str) -> Result<Duration, InvalidValue> {
    let fault = || bad("read as a time (45, 45s, 2m, 1h or 1d)", text);
    let text = text.trim();
    let unit = UNITS.iter().find(|(unit, _)| text.ends_with(*unit));
    let (digits, seconds) =
        unit.map_or((text, 1), |(unit, seconds)| (text.trim_end_matches(*unit), *seconds));
    let number = number(digits).ok_or_else(fault)?;
    let span = number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(fault)?;
    if span > LONGEST { Err(bad("wait for longer than a year", text)) } else { Ok(span) }
}

/// The same, and not zero.
pub(super) fn positive_duration(text: &str) -> Result<Duration, InvalidValue> {
    let span = duration(text)?;
    if span.is_zero() { Err(bad("use a time of zero", text)) } else { Ok(span) }
}

/// `400MB`, `64kb`, `1000`.
pub(super) fn size(text: &str) -> Result<u64, InvalidValue> {
    let fault = || bad("read as a size (400MB, 64KB, 1GB or a number of bytes)", text);
    let lower = text.trim().to_ascii_lowercase();
    let unit = SIZES.iter().find_map(|(unit, bytes)| Some((lower.strip_suffix(unit)?, *bytes)));
    let (digits, bytes) = unit.unwrap_or((&lower, 1));
    number(digits).and_then(|number| number.checked_mul(bytes)).filter(|size| *size > 0).ok_or_else(fault)
}

/// `5/10m`: a number within a time.
pub(super) fn rate(text: &str) -> Result<(u32, Duration), InvalidValue> {
    let fault = || bad("read as a number within a time (5/10m)", text);
    let (count, window) = text.split_once('/').ok_or_else(fault)?;
    let count = number(count.trim()).and_then(|count| u32::try_from(count).ok()).filter(|count| *count > 0);
    Ok((count.ok_or_else(fault)?, positive_duration(window)?))
}

/// A whole number that is not negative.
pub(super) fn number(digits: &str) -> Option<u64> {
    let digits = digits.trim();
    (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok())?
}

/// The same, up to `most`.
pub(super) fn count_up_to(most: u64) -> impl Fn(&str) -> Result<usize, InvalidValue> {
    move |text| {
        let count = number(text).filter(|count| *count <= most);
        let count = count.and_then(|count| usize::try_from(count).ok());
        count.ok_or_else(|| bad(&format!("read as a number from 0 to {most}"), text))
    }
}

/// Texts with commas between them, without empty ones.
pub(super) fn list(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// Words of `on=` and `alert_on=`; `all` is every one.
pub(super) fn causes(text: &str) -> Result<Vec<AlertCause>, InvalidValue> {
    let mut causes = Vec::new();
    for word in list(text) {
        match AlertCause::from_name(&word) {
            Some(cause) => causes.push(cause),
            None if word == "all" => causes.extend(AlertCause::ALL),
            None => {
                let known = AlertCause::ALL.iter().map(|cause| cause.name()).collect::<Vec<_>>().join(", ");
                return Err(bad(&format!("find the cause (one of {known}, all)"), &word));
            }
        }
    }
    causes.sort_unstable();
    causes.dedup();
    Ok(causes)
}

/// A severity.
pub(super) fn severity(text: &str) -> Result<Severity, InvalidValue> {
    Severity::from_name(text.trim())
        .ok_or_else(|| bad("find the severity (one of info, warning, error, critical)", text))
}

/// Patterns of programs, added to `selection`; each with `!` in front where `negated`.
pub(super) fn patterns(text: &str, negated: bool, selection: &mut Selection) -> Result<(), InvalidValue> {
    for pattern in list(text) {
        let pattern = match (negated, pattern.strip_prefix('!')) {
            (false, _) => pattern,
            (true, None) => format!("!{pattern}"),
            (true, Some(_)) => return Err(bad("leave out what has a ! already", &pattern)),
        };
        selection
            .add(&pattern)
            .map_err(|_| bad("read as NAME, GROUP:NAME, GROUP:*, * or one with !", &pattern))?;
    }
    Ok(())
}

/// Windows of time.
pub(super) fn windows(text: &str) -> Result<Windows, InvalidValue> {
    Windows::parse(text)
        .map_err(|_| bad("read as a window (22:00-07:00, mon-fri 09:00-18:00, sat-sun)", text))
}

/// `team=shop,env=prod`. Names are those of Prometheus's labels.
pub(super) fn labels(text: &str) -> Result<BTreeMap<String, String>, InvalidValue> {
    let mut labels = BTreeMap::new();
    for pair in list(text) {
        let (name, value) = pair.split_once('=').ok_or_else(|| bad("read as NAME=VALUE", &pair))?;
        let (name, value) = (name.trim(), value.trim());
        let is_letter = |c: char| c.is_ascii_alphabetic() || c == '_';
        if !name.starts_with(is_letter) || !name.chars().all(|c| is_letter(c) || c.is_ascii_digit()) {
            return Err(bad("use as the name of a label (letters, digits, _)", name));
        }
        labels.insert(name.to_owned(), value.to_owned());
    }
    Ok(labels)
}

/// The secret itself, `file:/path`, `env:NAME` or `credential:NAME`.
pub(super) fn secret(text: &str) -> Result<Secret, InvalidValue> {
    let text = text.trim();
    if let Some(path) = text.strip_prefix("file:") {
        return match path.starts_with('/') {
            true => Ok(Secret::File(PathBuf::from(path))),
            false => Err(bad("read a secret from what is no absolute path", text)),
        };
    }
    let named = |name: &str| -> Result<String, InvalidValue> {
        let is_name = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        match !name.is_empty() && !name.starts_with('.') && name.chars().all(is_name) {
            true => Ok(name.to_owned()),
            false => Err(bad("use as the name of a variable or credential", text)),
        }
    };
    match (text.strip_prefix("env:"), text.strip_prefix("credential:")) {
        (Some(name), _) => Ok(Secret::Env(named(name)?)),
        (_, Some(name)) => Ok(Secret::Credential(named(name)?)),
        _ if text.is_empty() => Err(bad("use an empty secret", text)),
        _ => Ok(Secret::Literal(text.to_owned())),
    }
}

/// A secret that is a URL: where it stands here, it must be one.
pub(super) fn secret_url(text: &str) -> Result<Secret, InvalidValue> {
    let secret = secret(text)?;
    if let Secret::Literal(url) = &secret {
        web_url(url)?;
    }
    Ok(secret)
}

/// A URL of http or https, without a slash at its end.
pub(super) fn web_url(text: &str) -> Result<String, InvalidValue> {
    let text = text.trim();
    let rest = ["https://", "http://"].iter().find_map(|scheme| text.strip_prefix(scheme));
    let host = rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
    let is_usable = |c: char| c.is_ascii_graphic() && !"\"<>\\^`{|}".contains(c);
    match host {
        Some(host) if !host.is_empty() && text.chars().all(is_usable) => {
            Ok(text.strip_suffix('/').unwrap_or(text).to_owned())
        }
        _ => Err(bad("read as a URL of http:// or https://", text)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_sizes_and_rates_are_read() {
        for (text, seconds) in
            [("45", 45), ("45s", 45), ("2m", 120), ("1h", 3600), (" 1d ", 86_400), ("0", 0)]
        {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "s", "-1", "1.5m", "5ms", "2 m x", "99999999999999999999", "2y", "400d"] {
            assert!(duration(text).is_err(), "{text}");
        }
        for (text, bytes) in
            [("400MB", 400 << 20), ("64kb", 64 << 10), ("1000", 1000), ("1 GB", 1 << 30), ("5b", 5)]
        {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        assert!(size("0").is_err() && size("MB").is_err() && size("99999999999gb").is_err());
        assert_eq!(rate("5/10m"), Ok((5, Duration::from_secs(600))));
        assert!(rate("5").is_err() && rate("0/1m").is_err() && rate("5/0").is_err());
    }

    #[test]
    fn a_secret_is_itself_or_a_place() {
        assert_eq!(secret("file:/etc/key"), Ok(Secret::File("/etc/key".into())));
        assert_eq!(secret("env:KEY"), Ok(Secret::Env("KEY".into())));
        assert_eq!(secret("credential:key"), Ok(Secret::Credential("key".into())));
        assert_eq!(secret("https://x/y%3D"), Ok(Secret::Literal("https://x/y%3D".into())));
        for text in ["", "file:key", "env:", "credential:../key", "env:A B"] {
            assert!(secret(text).is_err(), "{text}");
        }
        assert!(secret_url("ftp://x").is_err() && secret_url("file:/x").is_ok());
        assert_eq!(web_url("http://am:9093/"), Ok("http://am:9093".into()));
        assert!(web_url("https://").is_err() && web_url("http://a b").is_err());
    }

    #[test]
    fn lists_of_words_name_what_is_wrong() {
        assert_eq!(causes("crash, fatal,crash"), Ok(vec![AlertCause::Crash, AlertCause::Fatal]));
        assert_eq!(causes("all").unwrap().len(), AlertCause::ALL.len());
        assert!(causes("crashed").unwrap_err().what.ends_with("all): crashed"));
        assert_eq!(labels("team=shop, env=").unwrap().len(), 2);
        assert!(labels("in-stance=x").is_err() && labels("x").is_err() && labels("1=x").is_err());
        assert!(severity("fatal").is_err());
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,40}") {
            let _ = (duration(&text), size(&text), rate(&text), causes(&text), labels(&text));
            let _ = (secret(&text), secret_url(&text), windows(&text), patterns(&text, true, &mut Selection::default()));
        }
    }
}
