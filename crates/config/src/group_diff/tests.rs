//! What counts as a change.

use std::path::Path;

use super::*;
use crate::host_env::HostEnv;
use crate::loader::load;
use crate::settings::Overrides;

fn groups(text: &str) -> Vec<Group> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.conf");
    std::fs::write(&path, format!("[supervisord]\n{text}")).unwrap();
    let machine = HostEnv {
        environment: Vec::new(),
        cwd: Path::new("/").to_owned(),
        host_node_name: "box".to_owned(),
        temp_dir: "/tmp".into(),
        uid: 0,
    };
    load(&path, &Overrides::default(), &machine).unwrap().groups
}

fn names(names: &[GroupName]) -> Vec<&str> {
    names.iter().map(|name| name.0.as_str()).collect()
}

fn compared(active: &[Group], new: &[Group]) -> GroupDiff {
    diff(&active.iter().collect::<Vec<_>>(), &new.iter().collect::<Vec<_>>())
}

fn changed(active: &str, new: &str) -> bool {
    let diff = compared(&groups(active), &groups(new));
    assert!(diff.added.is_empty() && diff.removed.is_empty(), "{diff:?}");
    !diff.changed.is_empty()
}

#[test]
fn groups_come_and_go() {
    let active = groups("[program:a]\ncommand=x\n[program:b]\ncommand=x\n[program:c]\ncommand=x\n");
    let new = groups("[program:d]\ncommand=x\n[program:b]\ncommand=y\n[program:c]\ncommand=x\n");
    let diff = compared(&active, &new);
    assert_eq!(names(&diff.added), ["d"]);
    assert_eq!(names(&diff.changed), ["b"]);
    assert_eq!(names(&diff.removed), ["a"]);
}

#[test]
fn any_setting_of_a_program_is_a_change() {
    let base = "[program:a]\ncommand=x\n";
    assert!(!changed(base, base));
    for line in
        ["priority=1", "startsecs=2", "environment=A=b", "user=root", "numprocs=0", "serverurl=http://x:1"]
    {
        assert!(changed(base, &format!("{base}{line}\n")), "{line}");
    }
    assert!(changed(base, "[supervisord]\nenvironment=A=b\n[program:a]\ncommand=x\n"));
}

#[test]
fn paths_are_compared_as_they_are_written() {
    for (key, one, other) in [
        ("directory", "/tmp", "/tmp/"),
        ("directory", "/tmp", "/./tmp"),
        ("stdout_logfile", "/tmp/x", "/tmp//x"),
        ("stderr_logfile", "/tmp/x", "/tmp/./x"),
    ] {
        let program = |value: &str| format!("[program:a]\ncommand=x\n{key}={value}\n");
        assert!(!changed(&program(one), &program(one)), "{key}");
        assert!(changed(&program(one), &program(other)), "{key} {other}");
    }
}

#[test]
fn a_log_that_becomes_auto_is_no_change_and_one_that_was_auto_is() {
    let auto = "[program:a]\ncommand=x\n";
    let file = "[program:a]\ncommand=x\nstdout_logfile=/tmp/x\n";
    assert!(!changed(file, auto));
    assert!(changed(auto, file));
}

#[test]
fn a_program_that_becomes_a_listener_is_changed_and_the_order_of_events_is_not_looked_at() {
    let listener = |events: &str| format!("[eventlistener:a]\ncommand=x\npriority=999\nevents={events}\n");
    assert!(changed("[program:a]\ncommand=x\n", &listener("TICK_5")));
    assert!(!changed(&listener("TICK_5,TICK_60"), &listener("TICK_60,TICK_5")));
    assert!(changed(&listener("TICK_5,TICK_60"), &listener("TICK_60")));
}

#[test]
fn of_a_socket_only_its_url_counts() {
    let fcgi = |more: &str| format!("[fcgi-program:a]\ncommand=x\nsocket=unix:///tmp/a{more}\n");
    assert!(!changed(&fcgi(""), &fcgi("\nsocket_mode=777\nsocket_backlog=7")));
    assert!(changed(&fcgi(""), &fcgi("b")));
}
