//! Verifies a configuration: looks for sections that are there already, and sends a test alert by the listener's own
//! command.

use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use ironlance_config::ini::Ini;
use ironlance_config::{Config, ConfigFaults, HostEnv, load_raw};
use ironlance_core::text::shlex;
use ironlance_listeners::command::LOGIN_REFUSED;

/// The exit status of the test alert for a refused login (sysexits.h, EX_NOPERM).
const NO_PERMISSION: i32 = 77;

/// The sections of `text` that a configuration has already in a file other than `but`, as `[section] in FILE`.
///
/// Fails with the faults of a configuration that cannot be read.
pub(super) fn duplicate_sections(
    main: &Path,
    text: &str,
    but: &Path,
    host_env: &HostEnv,
) -> Result<Vec<String>, ConfigFaults> {
    let outline = load_raw(main, host_env)?;
    let mut new = Ini::default();
    // Faults of our text are reported by the check.
    let _ = new.read(text, 0);
    let found = outline.ini.sections().iter().filter(|section| new.section(&section.name).is_some());
    let elsewhere = found.filter(|section| Path::new(outline.file(section.place)) != but);
    Ok(elsewhere.map(|section| format!("[{}] in {}", section.name, outline.file(section.place))).collect())
}

/// The result of the test alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TestAlertResult {
    Sent,
    /// The mail server refused the login.
    LoginRefused,
    /// It was not sent; the listener has printed the reason.
    Failed,
}

/// Runs the listener of this name with the configured options and `--test-alert`; it prints each step on stdout.
///
/// Starts our binary by its path. Fails when that cannot be started.
pub(super) fn test_alert(config: &Config, listener: &str, binary: &Path) -> io::Result<TestAlertResult> {
    let group = config.groups.iter().find(|group| group.name.0 == listener);
    let command =
        group.and_then(|group| group.programs.first()).map_or("", |program| program.command.as_str());
    let words = shlex::split(command).unwrap_or_default();
    let options = words.iter().skip_while(|word| *word != listener).skip(1);
    io::stdout().flush()?;
    let mut command = Command::new(binary);
    command.arg(listener).args(options).arg("--test-alert").stdin(Stdio::null());
    let status = command.env(LOGIN_REFUSED, NO_PERMISSION.to_string()).status()?;
    Ok(match status.code() {
        Some(0) => TestAlertResult::Sent,
        Some(NO_PERMISSION) => TestAlertResult::LoginRefused,
        Some(_) | None => TestAlertResult::Failed,
    })
}
