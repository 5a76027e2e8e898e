//! `version`: the version of Supervisor's interface, with `--long` the daemon's own.

use ironlance_host::local_time::LocalClock;
use ironlance_net::split_userinfo;
use ironlance_rpc::Record;
use ironlance_rpc::api::DaemonInfo;

use crate::error::CtlError;
use crate::options::VERSION_LINE;
use crate::output::style;
use crate::session::{Session, call_extension};
use crate::struct_view::text;
use crate::verb::api::{Verb, check_no_arguments};

pub(super) const VERB: Verb = Verb {
    name: "version",
    help: &["version\t\t\tShow the version of the remote supervisord process"],
    extensions: &["--long\t\t\tWhich daemon it is: ironlance or the original, its process, file and address"],
    run,
    ..Verb::ORIGINAL
};

const METHOD: &str = "supervisor.getSupervisorVersion";
const INFO: &str = "ironlance.getDaemonInfo";

fn run(session: &mut Session, rest: &str) -> Result<(), CtlError> {
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
    Ok(())
}

fn long_lines(session: &mut Session, version: &str) -> Result<Vec<String>, CtlError> {
    let info = call_extension(&mut session.caller(), INFO, &[], DaemonInfo::from_value)?;
    let mut lines = match info {
        Some(info) => daemon_lines(&info, version, &LocalClock::new()),
        None => {
            let pid = session.call("supervisor.getPID", &[])?;
            let pid = pid.as_int().unwrap_or_default();
            vec![format!("supervisord {version}, not ironlance's"), format!("pid {pid}")]
        }
    };
    lines.push(format!("at {}", without_credentials(&session.options.serverurl)));
    lines.push(format!("supervisorctl: {VERSION_LINE}"));
    Ok(lines)
}

fn daemon_lines(info: &DaemonInfo, version: &str, clock: &LocalClock) -> Vec<String> {
    let since = style::date_and_time(clock, info.started);
    vec![
        format!("ironlance {}, in the place of Supervisor {version}", info.version),
        format!("pid {}, up since {since}", info.pid),
        format!("configuration {}", info.config_file),
    ]
}

/// A server URL without user name and password.
fn without_credentials(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) if scheme != "unix" => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let (_, host) = split_userinfo(authority);
            format!("{scheme}://{host}{path}")
        }
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_daemon_is_told_with_its_process_and_its_file() {
        let info = DaemonInfo {
            version: "0.1.0".into(),
            pid: 7,
            started: 1_700_000_000,
            config_file: "/etc/supervisord.conf".into(),
            ..DaemonInfo::default()
        };
        let lines = daemon_lines(&info, "4.3.0", &LocalClock::new());
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
