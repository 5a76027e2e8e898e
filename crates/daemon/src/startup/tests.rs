//! A whole start without a fork: the steps' effects and their order in the log.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::Path;

use ironlance_config::{HostEnv, Overrides};
use nix::sys::resource::{Resource, getrlimit};

use super::*;

/// A daemon in the foreground with a log, a pidfile and a unix socket in `folder`, and these settings.
fn config(folder: &Path, settings: &str) -> Config {
    let file = folder.join("supervisord.conf");
    let place = folder.display();
    let text = format!(
        "[supervisord]\nnodaemon=true\nsilent=true\nlogfile={place}/log\n\
         pidfile={place}/pid\nchildlogdir={place}\n{settings}\n[unix_http_server]\nfile={place}/socket\n"
    );
    fs::write(&file, text).unwrap();
    ironlance_config::load(&file, &Overrides::default(), &HostEnv::current()).unwrap()
}

/// The lines of the log without their times, and without the one about root.
fn log_lines(folder: &Path) -> Vec<String> {
    let text = fs::read_to_string(folder.join("log")).unwrap();
    let lines = text.lines().map(|line| line["2026-11-23 12:00:00,123 ".len()..].to_owned());
    lines.filter(|line| !line.contains("running as root")).collect()
}

fn cold_start(config: Config) -> Result<Started, String> {
    start(config, StartOrigin::ColdStart { version: "the version".to_owned() })
}

const NO_PASSWORD: &str = "CRIT Server 'unix_http_server' running without any HTTP authentication checking";

#[test]
fn a_cold_start_logs_its_version_first_and_its_pid_last() {
    let folder = tempfile::tempdir().unwrap();
    let leftover = folder.path().join("web-stdout---supervisor-abcdefgh.log");
    fs::write(&leftover, "of an earlier run").unwrap();
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let started = cold_start(config(folder.path(), "")).unwrap();
    let pid = std::process::id();
    assert_eq!(
        log_lines(folder.path()),
        [
            "INFO the version".to_owned(),
            NO_PASSWORD.to_owned(),
            format!("INFO supervisord started with pid {pid}"),
        ]
    );
    assert_eq!(fs::read_to_string(folder.path().join("pid")).unwrap(), format!("{pid}\n"));
    assert!(!leftover.exists(), "AUTO logs of earlier runs are removed");
    // Children are given the limit of before. Another test may have raised it to the hard limit in between.
    assert!([soft, hard].contains(&started.nofile), "{}", started.nofile);
    UnixStream::connect(folder.path().join("socket")).unwrap();
}

#[test]
fn nocleanup_keeps_the_logs_of_earlier_runs() {
    let folder = tempfile::tempdir().unwrap();
    let leftover = folder.path().join("web-stdout---supervisor-abcdefgh.log");
    fs::write(&leftover, "of an earlier run").unwrap();
    cold_start(config(folder.path(), "nocleanup=true")).unwrap();
    assert!(leftover.exists());
}

#[test]
fn a_start_whose_socket_another_daemon_has_removes_none_of_its_logs_and_leaves_its_pidfile() {
    let folder = tempfile::tempdir().unwrap();
    let _running = cold_start(config(folder.path(), "")).unwrap();
    fs::write(folder.path().join("pid"), "1\n").unwrap();
    let log_of_other = folder.path().join("web-stdout---supervisor-abcdefgh.log");
    fs::write(&log_of_other, "").unwrap();
    let refused = cold_start(config(folder.path(), "")).err().unwrap();
    assert!(refused.starts_with("Another program is already listening"), "{refused}");
    assert!(log_of_other.exists());
    assert_eq!(fs::read_to_string(folder.path().join("pid")).unwrap(), "1\n");
}

#[test]
fn a_restart_goes_on_with_what_the_reload_has_opened_and_children_keep_their_limit() {
    let folder = tempfile::tempdir().unwrap();
    let Started { config, sockets, log, .. } = cold_start(config(folder.path(), "")).unwrap();
    fs::write(folder.path().join("log"), "").unwrap();
    let started = start(config, StartOrigin::Restart { sockets, log, nofile: 2000 }).unwrap();
    assert_eq!(started.nofile, 2000);
    let pid = format!("INFO supervisord started with pid {}", std::process::id());
    assert_eq!(log_lines(folder.path()), [NO_PASSWORD, pid.as_str()]);
    UnixStream::connect(folder.path().join("socket")).unwrap();
}

#[test]
fn limits_that_cannot_be_had_refuse_a_cold_start_and_are_logged_at_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let Started { sockets, log, .. } = cold_start(config(folder.path(), "")).unwrap();
    // More than fs.nr_open, which holds for root as well.
    let greedy = config(folder.path(), "minfds=4294967295");
    let refused = cold_start(greedy.clone()).err().unwrap();
    assert!(refused.starts_with("The minimum number of file descriptors required"), "{refused}");
    let started = start(greedy, StartOrigin::Restart { sockets, log, nofile: 2000 }).unwrap();
    assert!(log_lines(folder.path()).iter().any(|line| *line == format!("CRIT {refused}")));
    assert_eq!(started.nofile, 4_294_967_295);
}
