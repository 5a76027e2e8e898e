//! What our supervisorctl says when something is not as it was thought to be: which daemon, which name, whose socket.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use ironlance_e2e::{CtlFixture, Implementation, TestDir};

const SLOW: &str = "[program:slow]\ncommand=sh -c 'trap \"\" TERM; while :; do sleep 0.1; done'\nstartsecs=0\n\
     stopwaitsecs=3\nkillasgroup=true\n[program:web]\ncommand=sleep 1000\nprocess_name=%(program_name)s_%(process_num)d\n\
     numprocs=2\nstartsecs=0\n";

#[test]
fn which_daemon_it_is_can_be_asked() {
    for (implementation, first) in [
        (Implementation::Ours, "ironlance "),
        (Implementation::Original, "supervisord 4.3.0, not ironlance's"),
    ] {
        let mut fixture = CtlFixture::new(implementation, "").unwrap();
        let (status, lines) = fixture.lines("version --long").unwrap();
        let shown = lines.join("\n");
        assert_eq!(status, 0, "{shown}");
        assert!(lines[0].starts_with(first), "{shown}");
        assert!(shown.contains(&format!("pid {}", fixture.daemon.pid())), "{shown}");
        assert!(shown.contains("at unix://") && shown.contains("supervisorctl: ironlance "), "{shown}");
        assert_eq!(fixture.lines("version").unwrap().1, ["4.3.0"]);
    }
    let fixture = CtlFixture::new(Implementation::Ours, "").unwrap();
    let log = fixture.daemon.log();
    let first = log.lines().next().unwrap();
    assert!(
        first.contains("INFO ironlance ") && first.contains(", in the place of Supervisor 4.3.0"),
        "{first}"
    );
}

#[test]
fn the_version_is_told_without_a_daemon() {
    let mut command = Command::new(Implementation::Ours.path("supervisorctl").unwrap());
    let output = command.arg("--version").output().unwrap();
    assert!(output.stdout.starts_with(b"ironlance ") && output.status.success(), "{output:?}");
}

#[test]
fn one_slow_stop_shows_that_it_goes_on() {
    let fixture = CtlFixture::new(Implementation::Ours, SLOW).unwrap();
    fixture.daemon.wait_state("slow", "RUNNING").unwrap();
    let mut terminal = fixture.on_terminal("stop slow", "dumb", &[]).unwrap();
    terminal.expect("stopping 0 of 1 … ").unwrap();
    assert_eq!(terminal.end().unwrap(), 0);
    assert_eq!(terminal.screen().trim(), "slow: stopped", "the line is gone in the end");
}

#[test]
fn a_name_without_its_group_is_suggested_with_it_to_a_person_only() {
    let mut fixture = CtlFixture::new(Implementation::Ours, SLOW).unwrap();
    for line in [
        "status web_1",
        "stop web_1",
        "tail web_1",
        "pid web_1",
        "why web_1",
        "signal HUP web_1",
        "clear web_1",
    ] {
        let mut terminal = fixture.on_terminal(line, "dumb", &[]).unwrap();
        terminal.expect("did you mean web:web_1?").unwrap();
    }
    let mut terminal = fixture.on_terminal("status web", "dumb", &[]).unwrap();
    terminal.expect("did you mean web:*?").unwrap();
    assert_eq!(
        fixture.lines("status web_1").unwrap(),
        (4, vec!["web_1: ERROR (no such process)".to_owned()])
    );
}

#[test]
fn an_empty_array_says_on_stderr_why_it_is_empty() {
    let fixture = CtlFixture::new(Implementation::Ours, SLOW).unwrap();
    for verb in ["status", "why"] {
        let output = fixture.command(&format!("{verb} --json nosuch")).unwrap().output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "nosuch: ERROR (no such process)\n", "{verb}");
        let array: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(array, serde_json::json!([]), "{verb}");
    }
}

#[test]
fn a_socket_of_somebody_else_is_named_with_what_would_help() {
    let dir = TestDir::new().unwrap();
    fs::set_permissions(dir.folder(), fs::Permissions::from_mode(0o755)).unwrap();
    let fixture = CtlFixture::within(dir, Implementation::Ours, "").unwrap();
    let socket = fixture.dir.path("s.sock");
    let url = format!("unix://{}", socket.display());
    let ctl = Implementation::Ours.path("supervisorctl").unwrap();
    let mut command = if rustix::process::geteuid().is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(ctl);
        command
    } else {
        fs::set_permissions(&socket, fs::Permissions::from_mode(0o0)).unwrap();
        Command::new(ctl)
    };
    let output = command.args(["-s", &url, "status"]).current_dir("/").output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        shown.starts_with(&format!("error: [Errno 13] Permission denied: {}: it is ", socket.display())),
        "{shown}"
    );
    assert!(shown.contains("chmod=0770") && shown.contains("[unix_http_server]"), "{shown}");
}
