//! `version`: which Supervisor answers, and with `--long` which daemon that is.

use std::time::{Duration, SystemTime};

use ironlance_host::local_time::LocalClock;
use ironlance_rpc::FaultKind;

use crate::error::CtlError;
use crate::options::VERSION_LINE;
use crate::output::style;
use crate::session::Session;
use crate::struct_view::{StructView, text};
use crate::verb::api::{Completion, Flow, HelpGroup, Verb, check_no_arguments};

pub(super) const VERB: Verb = Verb {
    name: "version",
    help: &["version\t\t\tShow the version of the remote supervisord process"],
    extensions: &["--long\t\t\tWhich daemon it is: ironlance or the original, its process, file and address"],
    completes: Completion::Nothing,
    help_group: HelpGroup::Original,
    needs_server: false,
    run,
};

const METHOD: &str = "supervisor.getSupervisorVersion";
const INFO: &str = "ironlance.getDaemonInfo";

fn run(session: &mut Session, rest: &str) -> Result<Flow, CtlError> {
    let is_long = rest == "--long";
    let rest = if is_long { "" } else { rest };
    if check_no_arguments(session, &VERB, rest) && session.check_server()? {
        let version = text(METHOD, session.call(METHOD, &[])?)?;
        if is_long {
            let lines = long_lines(session, &version)?;
            lines.iter().for_each(|line| session.print(&style::escape_controls(line)));
        } else {
            session.print(&version);
        }
    }
    Ok(Flow::Next)
}

fn long_lines(session: &mut Session, version: &str) -> Result<Vec<String>, CtlError> {
    let mut lines = match session.call(INFO, &[]) {
        Ok(info) => daemon_lines(StructView::new(INFO, &info), version, &LocalClock::new())?,
        Err(error) if error.is_fault(FaultKind::UnknownMethod) => {
            let pid = session.call("supervisor.getPID", &[])?;
            let pid = pid.as_int().unwrap_or_default();
            vec![format!("supervisord {version}, not ironlance's"), format!("pid {pid}")]
        }
        Err(error) => return Err(error),
    };
    lines.push(format!("at {}", without_credentials(&session.options.serverurl)));
    lines.push(format!("supervisorctl: {VERSION_LINE}"));
    Ok(lines)
}

fn daemon_lines(info: StructView<'_>, version: &str, clock: &LocalClock) -> Result<Vec<String>, CtlError> {
    let since = Duration::from_secs(u64::try_from(info.int("started")?).unwrap_or_default());
    let since = SystemTime::UNIX_EPOCH.checked_add(since).unwrap_or(SystemTime::UNIX_EPOCH);
    let since = clock.local(since).strftime("%Y-%m-%d %H:%M:%S").to_string();
    Ok(vec![
        format!("ironlance {}, in the place of Supervisor {version}", info.text("version")?),
        format!("pid {}, up since {since}", info.int("pid")?),
        format!("configuration {}", info.text("config_file")?),
    ])
}

/// A server URL without the name and password that may be in it.
fn without_credentials(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) if scheme != "unix" => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
            format!("{scheme}://{host}{path}")
        }
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use ironlance_rpc::Value;

    use super::*;

    #[test]
    fn the_daemon_is_told_with_its_process_and_its_file() {
        let info = Value::record([
            ("version", "0.1.0".into()),
            ("pid", 7_i64.into()),
            ("started", 1_700_000_000_i64.into()),
            ("config_file", "/etc/supervisord.conf".into()),
        ]);
        let lines = daemon_lines(StructView::new(INFO, &info), "4.3.0", &LocalClock::new()).unwrap();
        assert_eq!(lines[0], "ironlance 0.1.0, in the place of Supervisor 4.3.0");
        assert!(lines[1].starts_with("pid 7, up since 2023-11-"), "{lines:?}");
        assert_eq!(lines[2], "configuration /etc/supervisord.conf");
    }

    #[test]
    fn no_password_of_an_address_is_shown() {
        assert_eq!(without_credentials("http://joe:secret@host:9001/x@y"), "http://host:9001/x@y");
        assert_eq!(without_credentials("unix:///run/a@b.sock"), "unix:///run/a@b.sock");
    }
}
