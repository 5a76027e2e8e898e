//! Where alerts wait, and that a person sees it: a state folder for users without a home, and counts of what waits.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Command;
use std::time::Duration;

use ironlance_e2e::xmlrpc::XmlValue;
use ironlance_e2e::{CtlFixture, Implementation, TIMEOUT, TestDir, until};
use rustix::process::Signal;
use serde_json::Value as Json;

/// A port that nobody listens on: no mail server is there.
const CLOSED: u16 = 1;

/// A program to kill and a crashmail whose mail server is down, with these lines more.
fn sections(more: &str) -> String {
    format!(
        "[program:victim]\ncommand=sleep 1000\nstartsecs=0\n\
         [eventlistener:alarm]\ncommand=crashmail -m ops@example.com --brief --smtp smtp://127.0.0.1:{CLOSED}\n\
         events=PROCESS_STATE_EXITED\nstderr_logfile={{dir}}/alarm.err\n{more}"
    )
}

fn crash(fixture: &CtlFixture) {
    fixture.daemon.wait_state("alarm", "RUNNING").unwrap();
    fixture.daemon.wait_state("victim", "RUNNING").unwrap();
    fixture.daemon.hit("victim", Signal::KILL).unwrap();
}

/// The entry of the listener's state folder, once so many alerts wait there.
fn outbox(fixture: &CtlFixture, waiting: i64) -> XmlValue {
    until(&format!("{waiting} alerts to wait"), TIMEOUT, || {
        let output = fixture.daemon.ask("ironlance.getAlerts", &[])?.unwrap();
        let XmlValue::Array(all) = output else { panic!("{output}") };
        let mut all = all.into_iter();
        Ok(all.next().filter(|one| one.get("waiting") == Some(&XmlValue::Int(waiting))))
    })
    .unwrap()
}

fn text<'v>(outbox: &'v XmlValue, key: &str) -> &'v str {
    outbox.get(key).and_then(XmlValue::as_str).unwrap()
}

#[test]
fn alerts_that_wait_are_counted_wherever_somebody_looks() {
    // A listener of somebody else's, which keeps no alerts: what waits in the folder of its user is not its own.
    let foreign = "[eventlistener:foreign]\ncommand=sh -c \"while echo READY; read line; do :; done\"\n\
                   events=TICK_3600\n";
    let mut fixture = CtlFixture::new(Implementation::Ours, &sections(foreign)).unwrap();
    crash(&fixture);
    let output = outbox(&fixture, 1);
    let folder = fixture.dir.path("state");
    assert_eq!(output.get("listeners"), Some(&XmlValue::Array(vec![XmlValue::Str("alarm:alarm".into())])));
    assert_eq!(text(&output, "folder"), folder.display().to_string());
    assert_eq!((text(&output, "trouble"), output.get("dead")), ("", Some(&XmlValue::Int(0))));
    // The deliverer leaves word of why it failed.
    until("the last error", TIMEOUT, || {
        let output = outbox(&fixture, 1);
        Ok(text(&output, "last_error").contains("refused").then_some(()))
    })
    .unwrap();
    fs::create_dir_all(folder.join("outbox/dead")).unwrap();
    fs::write(folder.join("outbox/dead/1600000000000000.1.0000000a"), "").unwrap();
    fs::write(folder.join("outbox/last-error"), "1700000000 the server\u{1b}[2J is away\n").unwrap();
    let (_, objects) = fixture.objects("listeners --json").unwrap();
    let alerts = &objects[0]["alerts"];
    assert_eq!((&alerts["waiting"], &alerts["dead"]), (&Json::from(1), &Json::from(1)));
    assert!(alerts["last_error"].as_str().unwrap().starts_with("the server"), "{alerts}");
    assert_eq!((&objects[1]["process"], &objects[1]["alerts"]), (&Json::from("foreign"), &Json::Null));
    let (_, lines) = fixture.lines("listeners").unwrap();
    let shown = lines.join("\n");
    assert!(shown.contains("! 1 alert waits to be delivered since "), "{shown}");
    assert!(shown.contains("1 alert was given up") && !shown.contains('\u{1b}'), "{shown}");
    assert!(
        shown.contains(&format!("IRONLANCE_STATE={} ironlance outbox list", folder.display())),
        "{shown}"
    );
    let (_, lines) = fixture.lines("why alarm").unwrap();
    assert!(lines.iter().any(|line| line.contains("1 alert waits")), "{lines:?}");
    let (_, lines) = fixture.lines("status").unwrap();
    assert_eq!(lines.len(), 3, "in a pipe the lines are those of the original: {lines:?}");
    let mut terminal = fixture.on_terminal("status", "dumb", &[]).unwrap();
    terminal.expect("! 1 alert waits to be delivered since ").unwrap();
    terminal.expect("; see: listeners").unwrap();
    let page = fixture.daemon.http(b"GET / HTTP/1.0\r\n\r\n", Duration::from_secs(10)).unwrap();
    let page = String::from_utf8_lossy(&page.bytes).into_owned();
    assert!(page.contains("1 alert waits to be delivered since ") && page.contains("1 alert was given up"));
}

#[test]
fn alerts_that_none_of_the_listeners_keeps_are_told_of_once_and_of_no_listener() {
    let foreign = |name: &str| {
        format!(
            "[eventlistener:{name}]\ncommand=sh -c \"while echo READY; read line; do :; done\"\nevents=TICK_3600\n"
        )
    };
    let mut fixture =
        CtlFixture::new(Implementation::Ours, &format!("{}{}", foreign("one"), foreign("two"))).unwrap();
    fixture.daemon.wait_state("one", "RUNNING").unwrap();
    let dead = fixture.dir.path("state").join("outbox/dead");
    fs::create_dir_all(&dead).unwrap();
    fs::write(dead.join("1600000000000000.1.0000000a"), "").unwrap();
    let (_, lines) = fixture.lines("listeners").unwrap();
    let output: Vec<&String> = lines.iter().filter(|line| line.contains("1 alert was given up")).collect();
    assert!(output.len() == 1 && output[0].contains("of none of these listeners"), "{lines:?}");
    assert!(lines.iter().any(|line| line.ends_with("ironlance outbox list")), "{lines:?}");
    let (_, objects) = fixture.objects("listeners --json").unwrap();
    assert!(objects.iter().all(|one| one["alerts"] == Json::Null && one["wrong"] != Json::Null));
}

#[test]
fn a_listener_whose_user_has_no_home_gets_a_state_folder_of_its_own() {
    if !rustix::process::geteuid().is_root() {
        // Nobody but root starts programs as others; the rule itself is tested beside it.
        return;
    }
    let dir = TestDir::new().unwrap();
    fs::set_permissions(dir.folder(), fs::Permissions::from_mode(0o755)).unwrap();
    let mut fixture = CtlFixture::within(dir, Implementation::Ours, &sections("user=nobody\n")).unwrap();
    crash(&fixture);
    let output = outbox(&fixture, 1);
    let folder = fixture.dir.path("state/users/nobody");
    assert_eq!(
        (text(&output, "folder"), text(&output, "user")),
        (folder.display().to_string().as_str(), "nobody")
    );
    let found = fs::metadata(&folder).unwrap();
    assert!(found.uid() != 0 && found.mode() & 0o7777 == 0o700, "{found:?}");
    assert_eq!(fs::metadata(fixture.dir.path("state/users")).unwrap().mode() & 0o7777, 0o711);
    assert!(!fixture.daemon.file("alarm.err").contains("memory"), "{}", fixture.daemon.file("alarm.err"));
    // Only listeners are told of state folders that were made.
    let environment = |name: &str| {
        let pid = fixture.daemon.pid_of(name).unwrap();
        fs::read_to_string(format!("/proc/{pid}/environ")).unwrap_or_default()
    };
    assert!(environment("alarm").contains("IRONLANCE_STATE="));
    fixture.daemon.wait_state("victim", "RUNNING").unwrap();
    assert!(!environment("victim").contains("users/nobody"));
    // Another daemon finds what waits.
    let (_, lines) = fixture.lines("restart alarm").unwrap();
    assert_eq!(lines.last().unwrap(), "alarm: started");
    assert_eq!(text(&outbox(&fixture, 1), "folder"), folder.display().to_string());
}

#[test]
fn where_no_folder_can_be_had_everybody_says_so() {
    let more = "environment=IRONLANCE_STATE=\"/dev/null/state\"\n";
    let mut fixture = CtlFixture::new(Implementation::Ours, &sections(more)).unwrap();
    fixture.daemon.wait_state("alarm", "RUNNING").unwrap();
    fixture
        .daemon
        .wait_log("the listener alarm has no state folder, so its alerts wait in memory only: ")
        .unwrap();
    let (_, lines) = fixture.lines("listeners").unwrap();
    assert!(lines.join("\n").contains("! its alerts wait in memory only: "), "{lines:?}");
    let (_, lines) = fixture.lines("why alarm").unwrap();
    assert!(lines.join("\n").contains("its alerts wait in memory only: "), "{lines:?}");
    fixture.lines("restart alarm").unwrap();
    let printed = fixture.daemon.log().matches("has no state folder").count();
    assert_eq!(printed, 1, "once for each reason");
    let (_, lines) = fixture.lines("check").unwrap();
    assert!(lines.join("\n").contains("its alerts wait in memory only"), "{lines:?}");
}

/// Unmounts when dropped.
struct Mount(std::path::PathBuf);

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[test]
fn a_disk_that_is_full_is_seen_wherever_somebody_looks() {
    let dir = TestDir::new().unwrap();
    let small = dir.path("small");
    fs::create_dir(&small).unwrap();
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=128k", "none"]).arg(&small).status();
    if !mounted.is_ok_and(|status| status.success()) {
        eprintln!("cannot mount a small disk here: a full disk is not tested");
        return;
    }
    let _disk = Mount(small.clone());
    let more = format!("environment=IRONLANCE_STATE=\"{}\"\n", small.display());
    let mut fixture = CtlFixture::within(dir, Implementation::Ours, &sections(&more)).unwrap();
    fixture.daemon.wait_state("alarm", "RUNNING").unwrap();
    until("the outbox", TIMEOUT, || Ok(small.join("outbox/new").exists().then_some(()))).unwrap();
    assert_eq!(text(&outbox(&fixture, 0), "trouble"), "");
    // More than there is room for.
    fs::write(small.join("fill"), vec![0; 1 << 20]).unwrap_err();
    crash(&fixture);
    fixture.daemon.wait_file("alarm.err", "delivering from memory").unwrap();
    let (_, lines) = fixture.lines("listeners").unwrap();
    let wanted = format!(
        "its alerts wait in memory only: cannot write in {}/outbox: the disk is full",
        small.display()
    );
    assert!(lines.join("\n").contains(&wanted), "{lines:?}");
    let (_, lines) = fixture.lines("why alarm").unwrap();
    assert!(lines.join("\n").contains(&wanted), "{lines:?}");
    fs::remove_file(small.join("fill")).unwrap();
    assert_eq!(text(&outbox(&fixture, 0), "trouble"), "");
}
